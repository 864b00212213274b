"""Samples of indexing: rows, lines, masks, rearrangements."""

import numpy as np

from .model import case, error, index, mask, op, t

SOME = ("float32", "int64")
MANY = ("float32", "float64", "int32", "uint8", "bool")


def lines(combine):
    """A NumPy reference of scatter: `combine(old, new)` for one element after the other."""

    def reference(x, dim, i, src, **options):
        out = x.copy()
        for at in np.ndindex(i.shape):
            to = list(at)
            to[dim] = i[at]
            value = src[at] if isinstance(src, np.ndarray) else src
            out[tuple(to)] = combine(out[tuple(to)], value)
        return out

    return reference


def gather_reference(x, dim, i):
    """x[.., i[.., j, ..], ..]."""
    out = np.zeros(i.shape, x.dtype)
    for at in np.ndindex(i.shape):
        to = list(at)
        to[dim] = i[at]
        out[at] = x[tuple(to)]
    return out


def add_rows(x, dim, i, src, alpha=1):
    """index_add, one row after the other."""
    out = x.copy()
    view, rows = np.moveaxis(out, dim, 0), np.moveaxis(src, dim, 0)
    for j, k in enumerate(i):
        view[k] += (alpha * rows[j]).astype(x.dtype)
    return out


def copy_rows(x, dim, i, src):
    """index_copy, one row after the other."""
    out = x.copy()
    np.moveaxis(out, dim, 0)[i] = np.moveaxis(src, dim, 0) if isinstance(src, np.ndarray) else src
    return out


three = index(3, high=4)
unique = t(
    2, dtype="int64", distinct=True, grad=False
)  # 0 and 1 in some order: torch leaves repeated writes open
square = index(2, 4, high=3)
SAMPLES = [
    op(
        "gather",
        case(t(3, 4), 0, square),
        case(t(2, 3, 2), 1, index(2, 5, 2, high=3, dtype="int32")),
        case(t(4), 0, three),
        dtypes=MANY,
        ref=gather_reference,
        out=True,
    ),
    op("gather", case(t(3, 4), 0, index(0, 4, high=1))),
    op(
        "take_along_dim",
        case(t(3, 4), index(3, 1, high=4), 1),
        case(t(3, 4), index(5, high=12)),
        out=True,
    ),
    op(
        "scatter",
        case(t(3, 4), 0, index(1, 4, high=3), t(1, 4)),
        case(t(3, 4), 1, index(3, 1, high=4), 2),
        dtypes=MANY,
        ref=lines(lambda a, b: b),
        out=True,
        inplace=True,
    ),
    # torch cannot differentiate where src is larger than the index
    op(
        "scatter",
        case(t(3, 4), 0, index(1, 4, high=3), t(2, 4)),
        ref=lines(lambda a, b: b),
        grad_parity=False,
    ),
    op(
        "scatter_add",
        case(t(3, 4), 1, index(2, 3, high=4), t(3, 5)),
        ref=lines(lambda a, b: a + b),
        grad_parity=False,
    ),
    op(
        "scatter",
        case(t(3, 4), 0, square, 2, reduce="add"),
        case(t(3, 4), 0, square, 3, reduce="multiply"),
        dtypes=SOME,
        grad=False,
        inplace=True,
    ),
    op(
        "scatter_add",
        case(t(3, 4), 0, square, t(2, 4)),
        case(t(3, 4), 1, index(3, 7, high=4), t(3, 7)),
        case(t(4), 0, index(6, high=4), t(6)),
        dtypes=("float32", "float64", "int32"),
        ref=lines(lambda a, b: a + b),
        out=True,
        inplace=True,
    ),
    op(
        "scatter_reduce",
        *[
            case(t(3, 4, distinct=True), 0, square, t(2, 4, distinct=True, low=-1.7, high=2.3), r)
            for r in ("sum", "prod", "mean", "amax", "amin")
        ],
        inplace=True,
        out=True,
    ),
    op(
        "scatter_reduce",
        *[
            case(
                t(3, 4, distinct=True),
                1,
                index(3, 5, high=4),
                t(3, 5, distinct=True, low=-1.7, high=2.3),
                r,
                include_self=False,
            )
            for r in ("sum", "prod", "mean", "amax", "amin")
        ],
        dtypes=SOME,
    ),
    op(
        "index_select",
        case(t(3, 4), 0, index(5, high=3)),
        case(t(2, 3, 2), 1, index(2, high=3, dtype="int32")),
        case(t(), 0, index(1, high=1)),
        case(t(3, 4), 1, index(0, high=1)),
        dtypes=MANY,
        out=True,
    ),
    op(
        "index_add",
        case(t(4, 3), 0, index(6, high=4), t(6, 3)),
        case(t(2, 4, 2), 1, three, t(2, 3, 2), alpha=2),
        dtypes=("float32", "float64", "int64"),
        ref=add_rows,
        out=True,
        inplace=True,
    ),
    op(
        "index_copy",
        case(t(4, 3), 0, unique, t(2, 3)),
        case(t(2, 4), 1, unique, t(2, 2)),
        dtypes=SOME,
        ref=copy_rows,
        out=True,
        inplace=True,
    ),
    op(
        "index_fill",
        case(t(4, 3), 0, three, 3),
        case(t(2, 4), 1, three, t()),
        dtypes=SOME,
        inplace=True,
    ),
    op(
        "index_reduce",
        case(t(4, 3), 0, index(5, high=4), t(5, 3), "amax"),
        case(t(2, 4), 1, three, t(2, 3), "mean"),
        inplace=True,
        out=True,
    ),
    op(
        "index_put",
        case(t(4, 3), (three,), t(3, 3), True),
        case(t(4, 3), (three, index(3, high=3)), t(3), True),
        case(t(3, 4), (index(2, 1, high=3), index(2, high=4)), t(), True),
        dtypes=SOME,
        inplace=True,
    ),
    op(
        "take",
        case(t(3, 4), index(2, 3, high=12, low=-12)),
        case(t(5), index(0, high=1)),
        dtypes=SOME,
        ref=np.take,
        out=True,
    ),
    op(
        "Tensor.put_",
        case(t(3, 4, grad=False), index(5, high=12), t(5), True),
        dtypes=SOME,
        grad=False,
    ),
    op("put", case(t(3, 4), index(5, high=12), t(5), True), dtypes=SOME, method=False),
    op(
        "masked_select",
        case(t(3, 4), mask(3, 4)),
        case(t(3, 4), mask(4)),
        case(t(), mask()),
        dtypes=SOME,
        out=True,
    ),
    op(
        "masked_scatter",
        case(t(3, 4), mask(3, 4), t(12)),
        case(t(3, 4), mask(4), t(3, 5)),
        dtypes=SOME,
        inplace=True,
    ),
    op(
        "nonzero",
        case(t(3, 4, low=-1, high=1)),
        case(mask(2, 3, 4)),
        case(t()),
        case(t(0, 2)),
        dtypes=("float32", "int64"),
        grad=False,
    ),
    op("nonzero", case(t(3, 4, low=-1, high=1), as_tuple=True), dtypes=("int64",), grad=False),
    op("nonzero_static", case(t(3, 4, low=-1, high=1), size=5), dtypes=("int64",), grad=False),
    op("argwhere", case(mask(3, 4)), dtypes=("float32",), grad=False, ref=np.argwhere),
    op("where", case(mask(3, 4)), dtypes=("float32",), grad=False, method=False, ref=np.where),
    op(
        "flip",
        case(t(2, 3, 4), (0, 2)),
        case(t(5), (0,)),
        case(t(3, 4), (0,)),
        dtypes=SOME,
        ref=np.flip,
    ),
    op("fliplr", case(t(2, 3)), ref=np.fliplr),
    op("flipud", case(t(2, 3)), ref=np.flipud),
    op("rot90", case(t(2, 3)), case(t(2, 3, 2), 3, (1, 2)), case(t(2, 3), 2), ref=np.rot90),
    op(
        "roll",
        case(t(2, 3, 4), (1, -2), (0, 2)),
        case(t(2, 3), 4),
        case(t(5), 2, 0),
        dtypes=SOME,
        ref=np.roll,
    ),
    op(
        "tril",
        case(t(3, 4)),
        case(t(2, 4, 3), -1),
        case(t(3, 3), 5),
        dtypes=("float32", "bool"),
        ref=np.tril,
        out=True,
        inplace=True,
    ),
    op(
        "triu",
        case(t(3, 4)),
        case(t(2, 4, 3), 1),
        case(t(3, 3), -5),
        dtypes=("float32", "bool"),
        ref=np.triu,
        out=True,
        inplace=True,
    ),
    op("tril_indices", case(3, 4), case(3, 3, -1), grad=False, method=False, dtypes=("float32",)),
    op("triu_indices", case(3, 4, 1), grad=False, method=False, dtypes=("float32",)),
    op("diag", case(t(3)), case(t(2), 1), case(t(3, 4), -1), ref=np.diag, out=True),
    op("diag_embed", case(t(2, 3)), case(t(3), -1), case(t(2, 3), 1, 0, 2)),
    op("diagflat", case(t(2, 2), 1), ref=np.diagflat),
    op("diagonal_copy", case(t(3, 4), 1), method=False),
    op("diagonal_scatter", case(t(3, 4), t(3)), case(t(2, 3, 3), t(2, 2), 1, 1, 2)),
    op("select_scatter", case(t(3, 4), t(3), 1, 2)),
    op("slice_scatter", case(t(5, 2), t(2, 2), 0, 1, 5, 2)),
    op("Tensor.repeat", case(t(2, 3), 2, 3), case(t(3), 2, 1, 2), case(t(2), 0), dtypes=SOME),
    op("tile", case(t(2, 3), (2,)), case(t(3), (2, 2)), ref=np.tile),
    op(
        "repeat_interleave",
        case(t(2, 3), 2),
        case(t(2, 3), 2, 1),
        case(t(3, 2), index(3, high=3), 0),
        ref=np.repeat,
    ),
    op("repeat_interleave", case(index(4, high=3)), dtypes=("int64",), grad=False),
]
ERRORS = [
    error(
        "gather",
        case(t(3, 4), 0, index(1, 1, low=5, high=6)),
        RuntimeError,
        "index 5 is out of bounds for dimension 0 with size 3",
    ),
    error(
        "gather",
        case(t(3, 4), 0, index(1, 1, low=-1, high=0)),
        RuntimeError,
        "index -1 is out of bounds for dimension 0",
    ),
    error(
        "gather",
        case(t(3, 4), 0, t(1, 1)),
        RuntimeError,
        r"gather\(\): Expected dtype "
        r"int32/int64 for index",
    ),
    error(
        "gather",
        case(t(3, 4), 0, three),
        RuntimeError,
        "Index tensor must have the same number of dimensions as input",
    ),
    error(
        "gather",
        case(t(3, 4), 0, index(1, 5, high=3)),
        RuntimeError,
        "Size does not match at dimension 1 expected index",
    ),
    error("gather", case(t(3, 4), 2, square), IndexError, "Dimension out of range"),
    error(
        "Tensor.scatter_",
        case(t(3, 4), 0, index(1, 2, low=4, high=5), 1.0),
        RuntimeError,
        "index 4 is out of bounds",
    ),
    error(
        "scatter",
        case(t(3, 4), 0, square, t(2, 4, dtype="int64")),
        RuntimeError,
        "Expected self.dtype to be equal to src.dtype",
    ),
    error(
        "scatter", case(t(3, 4), 0, square, t(1, 1)), RuntimeError, "to be no larger size than src"
    ),
    error(
        "scatter",
        case(t(3, 4), 0, square, 1.0, reduce="sub"),
        RuntimeError,
        "reduce argument must be either add or multiply",
    ),
    error(
        "scatter_reduce",
        case(t(3, 4), 0, square, t(2, 4), "max"),
        RuntimeError,
        "reduce argument must be either sum, prod, mean",
    ),
    error(
        "index_select",
        case(t(3), 0, index(1, low=3, high=4)),
        IndexError,
        "index out of range in self",
    ),
    error(
        "index_select",
        case(t(3), 0, index(1, 1, high=1)),
        IndexError,
        "Index is supposed to be a vector",
    ),
    error(
        "index_select", case(t(3), 0, t(1)), RuntimeError, "Expected dtype int32 or int64 for index"
    ),
    error(
        "Tensor.index_add_",
        case(t(3, 2), 0, index(1, low=3, high=4), t(1, 2)),
        RuntimeError,
        "index 3 is out of bounds",
    ),
    error(
        "index_add",
        case(t(3, 2), 0, three, t(2, 2)),
        RuntimeError,
        r"Number of indices \(3\) "
        r"should be equal to "
        r"source.size",
    ),
    error(
        "index_add",
        case(t(3, 2), 0, three, t(3, 4)),
        RuntimeError,
        "source tensor shape must match self tensor shape",
    ),
    error(
        "Tensor.index_copy_",
        case(t(3, 2), 0, index(1, low=3, high=4), t(1, 2)),
        IndexError,
        r"index_copy_\(\): index 3 is out",
    ),
    error(
        "index_copy",
        case(t(3, 2), 0, three, t(3, 2, dtype="int64")),
        RuntimeError,
        "expected to have the same dtype",
    ),
    error(
        "Tensor.index_fill_",
        case(t(3), 0, index(1, low=3, high=4), 1),
        IndexError,
        "index 3 is out of bounds",
    ),
    error(
        "index_fill",
        case(t(3), 0, three, t(2)),
        RuntimeError,
        "only supports a 0-dimensional value tensor",
    ),
    error(
        "Tensor.index_put_",
        case(t(3), (index(1, low=3, high=4),), t(1)),
        IndexError,
        "index 3 is out of bounds for dimension 0",
    ),
    error(
        "index_put",
        case(t(3), (three,), t(2)),
        RuntimeError,
        r"value tensor of shape \[2\] "
        r"cannot be broadcast",
    ),
    error(
        "index_put",
        case(t(3), (three, three), t(3)),
        IndexError,
        "too many indices for tensor of dimension 1",
    ),
    error(
        "index_put",
        case(t(3), (mask(4),), t(1)),
        IndexError,
        r"The shape of the mask \[4\] at "
        r"index 0 does not match",
    ),
    error(
        "take",
        case(t(3), index(1, low=3, high=4)),
        IndexError,
        "tried to access index 3 on a tensor of 3 elements",
    ),
    error("masked_select", case(t(3), three), RuntimeError, "expected BoolTensor for mask"),
    error(
        "masked_scatter", case(t(40), mask(40), t(2)), RuntimeError, "Number of elements of source"
    ),
    error("flip", case(t(3), (0, 0)), RuntimeError, "appears multiple times in the list of dims"),
    error("roll", case(t(3, 2), (1, 2), (0,)), RuntimeError, "shifts and dimensions must align"),
    error(
        "rot90", case(t(3, 2), 1, (0, 0)), RuntimeError, "expected rotation dims to be different"
    ),
    error("tril", case(t(3)), RuntimeError, "must have at least 2 dimensions"),
    error("diag", case(t(1, 2, 3)), RuntimeError, "Supports 1D or 2D tensors. Got 3D"),
    error(
        "diag_embed", case(t(3), 0, 1, 1), RuntimeError, "diagonal dimensions cannot be identical"
    ),
    error(
        "Tensor.repeat",
        case(t(3, 2), 2),
        RuntimeError,
        "can not be smaller than number of dimensions of tensor",
    ),
    error("Tensor.repeat", case(t(3), -1), RuntimeError, "negative dimension"),
    error("repeat_interleave", case(t(3), -1), RuntimeError, "Repeats must be non-negative"),
    error(
        "repeat_interleave",
        case(t(3, 2), index(2, high=3), 0),
        RuntimeError,
        "must have the same size as input along dim",
    ),
    error(
        "select_scatter",
        case(t(3, 4), t(3), 0, 0),
        RuntimeError,
        "expected src to have a size equal to the slice of self",
    ),
]
