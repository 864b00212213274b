"""Elements in another order or at other places: flip, roll, triangles, diagonals, repetition."""

from ...core import dtype as dtypes
from ...core.batching import along, leading
from ...core.generate import stub
from ...core.inplace import known_as
from ...core.op import primitive
from ...core.shape import as_index, as_sizes, wrap_dim, wrap_dims
from ...core.tangents import linear
from ...core.tensor import Tensor, offset_of
from ..copy import contiguous, contiguous_op
from ..create import ones
from ..view.basic import detach, diagonal, select, slice_view, transpose
from ..view.primitives import expand_op, view_op
from ..view.strided import as_strided_scatter_op
from . import batching
from .dimension import index_select_op
from .masks import nonzero
from .rows import deliver

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal_copy", "diagonal_scatter", "flip", "fliplr",
    "flipud", "repeat_interleave", "roll", "rot90", "select_scatter", "slice_scatter", "tile",
    "tril", "tril_indices", "triu", "triu_indices",
]  # fmt: skip
ROOM = "numtorch.ops.index"


# -- flip, roll ------------------------------------------------------------------------------------
@primitive(
    jvp=linear, vmap=along("dims"), vjp={"input": lambda g, dims: flip_op(g, dims)}, module=ROOM
)
def flip_op(input, *, dims):
    """Dimensions read backwards. (...) -> (...)"""
    return input.like()


def flip(input, *numbers, dims=None):
    """A copy with the given dimensions read backwards. (...) -> (...)"""
    given = numbers if dims is None else (dims,)
    dims = wrap_dims(as_sizes(given, "flip", "dims"), input._spec.ndim)
    return flip_op(input, dims) if dims and input._spec.ndim else input.clone()


def fliplr(input):
    """Columns in reverse order. (N, M, ...) -> (N, M, ...)"""
    if input._spec.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip_op(input, (1,))


def flipud(input):
    """Rows in reverse order. (N, ...) -> (N, ...)"""
    if input._spec.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip_op(input, (0,))


def rot90(input, k=1, dims=(0, 1)):
    """Turned by 90 degrees `k` times, from the first towards the second of two dimensions."""
    dims, ndim = tuple(dims), input._spec.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == ndim:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    first, second = (wrap_dim(d, ndim) for d in dims)
    k %= 4
    if k == 0:
        return input.clone()
    if k == 2:
        return known_as(flip_op(input, (first, second)), "Rot90Backward0")
    turned = transpose(flip_op(input, (second if k == 1 else first,)), first, second)
    return known_as(turned, "Rot90Backward0")


@primitive(jvp=linear, vmap=along("dims"),
    vjp={"input": lambda g, shifts, dims: roll_op(g, tuple(-s for s in shifts), dims)}, module=ROOM
)  # fmt: skip
def roll_op(input, *, shifts, dims):
    """Dimensions moved on, what leaves at the end coming back at the start. (...) -> (...)"""
    return input.like()


def roll(input, shifts, dims=None):
    """A copy with dimensions moved on by `shifts`; without `dims`, the flattened tensor is. (...)
    -> (...)
    """
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = () if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    shape = tuple(input._spec.shape)
    if not dims and len(shifts) == 1:
        return known_as(roll(input.reshape(-1), shifts, 0).view(shape), "RollBackward0")
    if not shifts:
        raise RuntimeError("`shifts` required")
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    total: dict[int, int] = {}
    for s, d in zip(shifts, dims, strict=True):
        d = wrap_dim(d, len(shape))
        total[d] = total.get(d, 0) + s
    if not input._spec.numel:
        return input.clone()
    return roll_op(input, tuple(total.values()), tuple(total))


# -- triangles -------------------------------------------------------------------------------------
@primitive(jvp=linear, vmap=leading,
    vjp={"input": lambda g, diagonal, upper: triangle_op(g, diagonal, upper)}, aliasing=True,
    module=ROOM, node_name="TrilBackward0",
)  # fmt: skip
def triangle_op(input, *, diagonal, upper):
    """One side of a diagonal of each matrix, the rest 0. (..., N, M) -> (..., N, M)"""
    if input.ndim < 2:
        raise RuntimeError(
            f"{'triu' if upper else 'tril'}: input tensor must have at least 2 dimensions"
        )
    return input.like()


triangle_op.op.overload = lambda saved: "TriuBackward0" if saved["upper"] else None
_triangle_in_place = stub(triangle_op.op, "in_place", "tril_")


def tril(input, diagonal=0, *, out=None):
    """What lies on and below a diagonal, the rest 0. (..., N, M) -> (..., N, M)"""
    result = triangle_op(input, as_index(diagonal, "diagonal", "tril"), False)
    return deliver(result, out, "tril", input)


def triu(input, diagonal=0, *, out=None):
    """What lies on and above a diagonal, the rest 0. (..., N, M) -> (..., N, M)"""
    result = triangle_op(input, as_index(diagonal, "diagonal", "triu"), True)
    return deliver(result, out, "triu", input)


def tril_(input, diagonal=0):
    """`tril` in place."""
    return _triangle_in_place(input, as_index(diagonal, "diagonal", "tril_"), False)


def triu_(input, diagonal=0):
    """`triu` in place."""
    return _triangle_in_place(input, as_index(diagonal, "diagonal", "triu_"), True)


def _triangle_indices(row, col, offset, upper, dtype, device):
    name = "triu_indices" if upper else "tril_indices"
    if row < 0 or col < 0:
        raise RuntimeError(
            f"{'row' if row < 0 else 'col'} must be non-negative, got {row if row < 0 else col} "
            f"({name})"
        )
    found = triangle_op(ones(row, col, dtype=dtypes.bool_, device=device), offset, upper)
    return contiguous_op(nonzero(found).t()).to(dtypes.int64 if dtype is None else dtype)


def tril_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Coordinates of what lies on and below a diagonal of a matrix, row by row. () -> (2, K)"""
    return _triangle_indices(row, col, offset, False, dtype, device)


def triu_indices(row, col, offset=0, *, dtype=None, device=None, layout=None):
    """Coordinates of what lies on and above a diagonal of a matrix, row by row. () -> (2, K)"""
    return _triangle_indices(row, col, offset, True, dtype, device)


# -- diagonals -------------------------------------------------------------------------------------
@primitive(jvp=linear, vmap=batching.diag_embed,
    vjp={"input": lambda g, offset, dim1, dim2: contiguous_op(diagonal(g, offset, dim1, dim2))},
    module=ROOM
)  # fmt: skip
def diag_embed_op(input, *, offset, dim1, dim2):
    """Vectors as diagonals of matrices of zeros. (..., N) -> (..., N + |offset|, N + |offset|)"""
    n = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((dim1, dim2)):
        shape.insert(d, n)
    return input.like(shape=shape)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Vectors as diagonals of matrices of zeros, the matrices' dimensions being dim1 and dim2 of
    the result.
    """
    ndim = input._spec.ndim + 1
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return diag_embed_op(input, offset, first, second)


def diag(input, diagonal=0, *, out=None):
    """A vector as a diagonal of a matrix of zeros, or a copy of a matrix's diagonal. (N,) -> (N,
    N), (N, M) -> (K,)
    """
    ndim = input._spec.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    result = diag_embed_op(input, diagonal, 0, 1) if ndim == 1 else diagonal_copy(input, diagonal)
    return deliver(result, out, "diag", input)


def diagonal_copy(input, offset=0, dim1=0, dim2=1, *, out=None):
    """A copy of a diagonal of two dimensions. (..., N, M) -> (..., K)"""
    copy = known_as(contiguous_op(diagonal(input, offset, dim1, dim2)), "DiagonalBackward0_copy")
    return deliver(copy, out, "diagonal_copy", input)


def diagflat(input, offset=0):
    """The flattened tensor as a diagonal of a matrix of zeros."""
    return diag_embed_op(input.reshape(-1), offset, 0, 1)


def _scattered(input, src, part):
    """A copy of `input` in which the view that `part` gives is `src`."""
    base = contiguous(input)
    view = part(detach(base))
    spec = view._spec
    if spec.shape != src._spec.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src._spec.shape)}, slice size = "
            f"{list(spec.shape)}"
        )
    return as_strided_scatter_op(
        base, src, tuple(spec.shape), spec.strides, offset_of(view) - offset_of(base)
    )


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of `input` with `src` on a diagonal."""
    result = _scattered(input, src, lambda t: diagonal(t, offset, dim1, dim2))
    return known_as(result, "DiagonalScatterBackward0")


def select_scatter(input, src, dim, index):
    """A copy of `input` with `src` at one index of a dimension."""
    result = _scattered(input, src, lambda t: select(t, dim, index))
    return known_as(result, "SelectScatterBackward0")


def slice_scatter(input, src, dim=0, start=None, end=None, step=1, *, out=None):
    """A copy of `input` with `src` in a range of a dimension."""
    result = _scattered(input, src, lambda t: slice_view(t, dim, start, end, step))
    known_as(result, "SliceScatterBackward0")
    return deliver(result, out, "slice_scatter", input, src)


# -- repetition ------------------------------------------------------------------------------------
def repeat(input, *repeats):
    """The tensor laid side by side `repeats` times in each dimension; more repeats than dimensions
    add new ones first.

    (N, M), (2, 3) -> (2 N, 3 M)
    """
    repeats = as_sizes(repeats, "repeat", "repeats")
    shape = tuple(input._spec.shape)
    missing = len(repeats) - len(shape)
    if missing < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    size = [r * n for r, n in zip(repeats, (1,) * missing + shape, strict=True)]
    for n in size:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {size}")
    for r in repeats:
        if r < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {r}: {size}")
    between = [
        n for pair in zip((1,) * len(size), (1,) * missing + shape, strict=True) for n in pair
    ]
    wide = [n for pair in zip(repeats, (1,) * missing + shape, strict=True) for n in pair]
    if not repeats:
        return input.clone()
    copy = contiguous_op(expand_op(view_op(input, tuple(between)), tuple(wide)))
    return known_as(view_op(copy, tuple(size)), "RepeatBackward0")


def tile(input, *dims):
    """`repeat`, where missing repeats are 1."""
    dims = as_sizes(dims, "tile", "dims")
    return repeat(input, (1,) * (input._spec.ndim - len(dims)) + dims)


@primitive(vmap=batching.dynamic, vjp={}, module=ROOM)
def repeat_index_op(repeats, *, count):
    """Each index i, repeats[i] times. (N,) -> (count,)"""
    return repeats.like(shape=(count,))


def _repeat_indices(repeats, output_size=None):
    """Each index i, repeats[i] times."""
    spec = repeats._spec
    if spec.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if spec.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(
            f"repeats has to be Long or Int tensor (repeat_interleave got {spec.dtype})"
        )
    if spec.numel and (repeats < 0).any().item():
        raise RuntimeError("repeats can not be negative")
    count = repeats.sum().item()
    if output_size is not None and output_size != count:
        raise RuntimeError(
            f"allocated size does not match required size (output_size={output_size}, needed "
            f"{count})"
        )
    return repeat_index_op(repeats, count)


def _sum_each(g, _input, dim, repeats):
    shape = _input.shape
    split = view_op(contiguous(g), (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
    return split.sum(dim + 1)


@primitive(
    jvp=linear,
    vmap=along("dim"),
    vjp={"input": _sum_each},
    module=ROOM,
    node_name="RepeatInterleaveBackward0",
)
def repeat_each_op(input, *, dim, repeats):
    """Each index of a dimension `repeats` times. (.., n, ..) -> (.., n * repeats, ..)"""
    shape = input.shape
    return input.like((*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :]))


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element `repeats` times, a number or one number for each index of `dim` (None: of the
    flattened tensor).

    With one tensor of integers alone: each of its indices that many times.
    """
    if repeats is None:
        return _repeat_indices(input, output_size)
    if dim is None:
        input, dim = input.reshape(-1), 0
    if not input._spec.ndim:
        input = input.reshape(1)
    dim = wrap_dim(dim, input._spec.ndim)
    shape = tuple(input._spec.shape)
    if isinstance(repeats, Tensor):
        if repeats._spec.ndim > 1:
            raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
        if repeats._spec.numel == 1:
            repeats = repeats.reshape(1).expand(shape[dim])
        if repeats._spec.numel != shape[dim]:
            raise RuntimeError(
                "repeats must have the same size as input along dim, but got repeats.size(0) = "
                f"{repeats._spec.numel} and input.size({dim}) = {shape[dim]}"
            )
        return index_select_op(input, _repeat_indices(repeats, output_size), dim)
    repeats = as_index(repeats, "repeats", "repeat_interleave")
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    return repeat_each_op(input, dim, repeats)


METHODS = {
    "diag": diag, "diag_embed": diag_embed, "diagflat": diagflat,
    "diagonal_scatter": diagonal_scatter, "flip": flip, "fliplr": fliplr, "flipud": flipud,
    "repeat": repeat, "repeat_interleave": repeat_interleave, "roll": roll, "rot90": rot90,
    "select_scatter": select_scatter, "slice_scatter": slice_scatter, "tile": tile, "tril": tril,
    "tril_": tril_, "triu": triu, "triu_": triu_,
}  # fmt: skip
