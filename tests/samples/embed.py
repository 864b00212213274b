"""Samples of look-up tables."""

import numpy as np

from .model import T, case, error, index, op, t

F = "nn.functional."
TABLE = t(5, 3)


def embedding(indices, weight, **options):
    return weight[indices]


def one_hot(indices, num_classes=-1):
    return np.eye(int(indices.max()) + 1 if num_classes < 0 else num_classes, dtype=np.int64)[
        indices
    ]


def embedding_bag(indices, weight, offsets=None, mode="mean", **options):
    padding, factors = options.get("padding_idx"), options.get("per_sample_weights")
    factors = np.ones(indices.shape, weight.dtype) if factors is None else factors
    if offsets is None:
        ends = range(0, indices.size + 1, indices.shape[1])
    else:
        ends = [*offsets, *([] if options.get("include_last_offset") else [indices.size])]
    found = []
    for low, high in zip(ends, ends[1:], strict=False):
        kept = [i for i in range(low, high) if padding is None or indices.ravel()[i] != padding]
        rows = weight[indices.ravel()[kept]] * factors.ravel()[kept, None]
        reduce = {"sum": rows.sum, "mean": rows.mean, "max": rows.max}[mode]
        found.append(reduce(0) if kept else np.zeros(weight.shape[1], weight.dtype))
    return np.array(found).reshape(-1, weight.shape[1])


OFFSETS = T((2,), dtype="int64", low=0, high=1, grad=False)  # an empty bag, and one with the rest
SAMPLES = [
    op(
        F + "embedding_bag",
        *[case(index(3, 4, high=5), TABLE, mode=mode) for mode in ("sum", "mean", "max")],
        *[case(index(6, high=5), TABLE, OFFSETS, mode=mode) for mode in ("sum", "mean", "max")],
        case(index(6, high=5, dtype="int32"), TABLE, OFFSETS),
        case(index(2, 5, high=5), TABLE, padding_idx=2),
        case(index(2, 5, high=5), TABLE, mode="max", padding_idx=2),
        case(index(2, 3, high=5), TABLE, mode="sum", per_sample_weights=t(2, 3)),
        case(index(6, high=5), TABLE, OFFSETS, mode="sum", per_sample_weights=t(6), padding_idx=1),
        case(index(0, 3, high=5), TABLE),
        ref=embedding_bag,
        method=False,
    ),
    op(
        F + "embedding_bag",
        case(index(2, 4, high=5), TABLE, mode="sum", max_norm=1.0),
        grad=False,
        method=False,
        strided=False,
    ),
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
        F + "embedding_bag",
        case(index(1, 3, low=5, high=6), TABLE),
        RuntimeError,
        r"takes value 5 which is not in the valid range",
    ),
    error(
        F + "embedding_bag",
        case(index(3, high=5), TABLE, index(1, low=1, high=2)),
        RuntimeError,
        r"offsets\[0\] has to be 0",
    ),
    error(
        F + "embedding_bag",
        case(index(3, high=5), TABLE),
        ValueError,
        "offsets has to be a 1D Tensor but got None",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 3, high=5), TABLE, OFFSETS),
        ValueError,
        "if input is 2D, then offsets has to be None",
    ),
    error(
        F + "embedding_bag", case(index(3, 2, high=5), t(5)), ValueError, "has to be a 2D Tensor"
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, mode="min"),
        ValueError,
        "mode has to be one of sum, mean or max",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, per_sample_weights=t(1, 2)),
        NotImplementedError,
        "per_sample_weights is only supported for mode='sum'",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, per_sample_weights=t(2), mode="sum"),
        ValueError,
        "must have the same shape as the input",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, mode="max", scale_grad_by_freq=True),
        ValueError,
        "max mode does not support scaling",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, sparse=True),
        RuntimeError,
        "sparse gradients are not supported",
    ),
    error(
        F + "embedding_bag",
        case(index(1, 2, high=5), TABLE, padding_idx=5),
        RuntimeError,
        "padding_idx must be within the number of embeddings, -5 through 4",
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
