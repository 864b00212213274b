"""Samples of joins and splits."""

import numpy as np

from .model import case, error, op, t

SOME = ("float32", "int64")
SAMPLES = [
    op(
        "cat",
        case([t(2, 3), t(1, 3)]),
        case([t(2, 3), t(2, 1), t(2, 2)], 1),
        case([t(2), t(0), t(3)]),
        case([t(3)]),
        dtypes=("float32", "float64", "int16", "bool"),
        ref=lambda a, d=0: np.concatenate(a, d),
        out=True,
        method=False,
    ),
    op(
        "cat",
        case([t(2, 3), t(1, 3, dtype="int64")]),
        case([t(0, dtype="float32"), t(2, 3)], 1),
        case([t(2, 3), t(0, 3)], -2),
        dtypes=SOME,
        method=False,
    ),
    op("cat", case([t(1, 2)] * 7, 1), case([t(1, 2)] * 5), method=False),
    op("concat", case((t(2), t(3))), method=False),
    op("concatenate", case((t(2, 1), t(2, 3)), dim=1), method=False),
    op(
        "stack",
        case([t(2, 3), t(2, 3)]),
        case([t(2, 3)] * 3, 1),
        case([t(), t(), t(dtype="float64")], -1),
        case([t(2)] * 5),
        dtypes=SOME,
        out=True,
        method=False,
    ),
    op(
        "hstack",
        case([t(2), t(3)]),
        case([t(2, 1), t(2, 2)]),
        case([t(), t(2)]),
        ref=np.hstack,
        out=True,
        method=False,
    ),
    op("vstack", case([t(2), t(1, 2)]), case([t(), t()]), ref=np.vstack, out=True, method=False),
    op(
        "dstack",
        case([t(2), t(2)]),
        case([t(2, 3), t(2, 3, 2)]),
        ref=np.dstack,
        out=True,
        method=False,
    ),
    op("column_stack", case([t(2), t(2, 2)]), ref=np.column_stack, out=True, method=False),
    op("row_stack", case([t(2), t(2)]), ref=np.vstack, method=False),
    op("hsplit", case(t(4), 2), case(t(2, 4), [1, 3]), ref=lambda a, s: np.hsplit(a, s)),
    op("vsplit", case(t(4, 2), 2), ref=lambda a, s: np.vsplit(a, s)),
    op("dsplit", case(t(1, 2, 4), [1]), ref=lambda a, s: np.dsplit(a, s)),
    op("atleast_1d", case(t()), case([t(), t(2)]), ref=None, method=False),
    op("atleast_2d", case(t(3)), ref=np.atleast_2d, method=False),
    op("atleast_3d", case(t(3)), case(t(2, 3)), ref=np.atleast_3d, method=False),
    op("block_diag", case(t(2, 3), t(2), t()), method=False),
    op(
        "meshgrid",
        case(t(2), t(3), indexing="ij"),
        case(t(2), t(3), t(1), indexing="xy"),
        ref=np.meshgrid,
        method=False,
    ),
    op("cartesian_prod", case(t(2), t(3)), case(t(2)), method=False),
    op("combinations", case(t(4)), case(t(3), 2, True), case(t(4), 3), method=False),
]
ERRORS = [
    error(
        "cat",
        case([t(3, 4), t(4, 4)], 1),
        RuntimeError,
        "Sizes of tensors must match except in dimension 1. Expected size 3 but got size 4 for "
        "tensor number 1 in the list.",
    ),
    error(
        "cat",
        case([t(3, 4), t(3)]),
        RuntimeError,
        "Tensors must have same number of dimensions: got 2 and 1",
    ),
    error("cat", case([]), ValueError, "expected a non-empty list of Tensors"),
    error(
        "cat",
        case([t(3), t()]),
        RuntimeError,
        r"zero-dimensional tensor \(at position 1\) "
        r"cannot be concatenated",
    ),
    error(
        "cat", case([t(3), 1]), TypeError, "expected Tensor as element 1 in argument 0, but got int"
    ),
    error(
        "cat",
        case(t(3)),
        TypeError,
        r"argument 'tensors' \(position 1\) must be tuple of "
        r"Tensors, not Tensor",
    ),
    error("cat", case([t(3)], 1), IndexError, "Dimension out of range"),
    error(
        "cat",
        case([t(3)], out=t(3, dtype="int64")),
        TypeError,
        "input types can't be cast to the desired output type Long",
    ),
    error(
        "stack",
        case([t(3), t(2)]),
        RuntimeError,
        r"stack expects each tensor to be equal "
        r"size, but got \[3\] at entry 0 and \[2\]",
    ),
    error("stack", case([]), RuntimeError, "stack expects a non-empty TensorList"),
    error(
        "hsplit",
        case(t(2, 4), 3),
        RuntimeError,
        "attempted to split along dimension 1, but the size of the dimension 4",
    ),
    error("dsplit", case(t(2, 4), 2), RuntimeError, "requires a tensor with at least 3 dimension"),
    error(
        "block_diag",
        case(t(1, 1, 1)),
        RuntimeError,
        "Input tensors must have 2 or fewer dimensions",
    ),
    error("meshgrid", case(t(1), t(2), indexing="ab"), RuntimeError, "indexing must be one of"),
    error("cartesian_prod", case(t(1, 1)), RuntimeError, "Expect a 1D vector, but got shape"),
]
