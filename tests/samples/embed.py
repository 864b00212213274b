"""Samples of look-up tables."""

import numpy as np

from .model import case, error, index, op, t

F = "nn.functional."
TABLE = t(5, 3)


def embedding(indices, weight, **options):
    return weight[indices]


def one_hot(indices, num_classes=-1):
    return np.eye(int(indices.max()) + 1 if num_classes < 0 else num_classes, dtype=np.int64)[
        indices
    ]


SAMPLES = [
    op(
        F + "embedding",
        case(index(4, high=5), TABLE),
        case(index(2, 6, high=5), TABLE),
        case(index(high=5), TABLE),
        case(index(4, high=5, dtype="int32"), TABLE),
        case(index(0, high=5), TABLE),
        ref=embedding,
        method=False,
    ),
    # padding_idx and scale_grad_by_freq only change the gradient, to one of another function
    op(
        F + "embedding",
        case(index(4, high=5), TABLE, padding_idx=2),
        ref=embedding,
        grad=False,
        method=False,
    ),
    op(
        F + "embedding",
        case(index(4, high=5), TABLE, max_norm=1.0),
        case(index(4, high=5), TABLE, max_norm=1.0, norm_type=1.0),
        case(index(4, high=5), TABLE, max_norm=1.0, norm_type=3.0),
        grad=False,
        method=False,
        strided=False,
    ),
    op(
        F + "one_hot",
        case(index(4, high=5)),
        case(index(2, 3, high=5), 6),
        case(index(0, high=5), 3),
        ref=lambda i, n=-1: one_hot(i, n),
        grad=False,
        method=False,
        dtypes=("int64",),
    ),
]
OUTSIDE = index(3, low=5, high=6)
ERRORS = [
    error(F + "embedding", case(OUTSIDE, TABLE), IndexError, "index out of range in self"),
    error(
        F + "embedding",
        case(index(3, low=-1, high=0), TABLE),
        IndexError,
        "index out of range in self",
    ),
    error(F + "embedding", case(OUTSIDE, TABLE, max_norm=0.1), IndexError, "out of range in self"),
    error(
        F + "embedding",
        case(t(3), TABLE),
        RuntimeError,
        "Expected tensor for argument #1 'indices' to have one of the following scalar types",
    ),
    error(F + "embedding", case(index(3, high=2), t(5)), RuntimeError, "'weight' must be 2-D"),
    error(
        F + "embedding",
        case(index(3, high=2), TABLE, padding_idx=5),
        AssertionError,
        "Padding_idx must be within num_embeddings",
    ),
    error(
        F + "embedding",
        case(index(3, high=2), TABLE, sparse=True),
        RuntimeError,
        "sparse gradients are not supported",
    ),
    error(
        F + "one_hot",
        case(index(3, low=3, high=4), 3),
        RuntimeError,
        "Class values must be smaller than num_classes",
    ),
    error(
        F + "one_hot",
        case(index(3, low=-2, high=-1), 3),
        RuntimeError,
        "Class values must be non-negative",
    ),
    error(
        F + "one_hot",
        case(index(3, high=2, dtype="int32")),
        RuntimeError,
        "one_hot is only applicable to index tensor of type LongTensor",
    ),
]
