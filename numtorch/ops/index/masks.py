"""Masks: where elements are true, and the elements there. The sizes of results depend on the
data.
"""

from ...core import dtype as dtypes
from ...core.inplace import known_as, replace
from ...core.op import primitive
from ...core.shape import broadcast_shapes
from ...core.tensor import Tensor
from ..view.basic import slice_view
from ..view.primitives import slice_backward_op
from . import batching
from .rows import deliver, index_op, type_word

__all__ = ["argwhere", "masked_scatter", "masked_select", "nonzero", "nonzero_static"]
ROOM = "numtorch.ops.index"


@primitive(vmap=batching.dynamic, vjp={}, module=ROOM)
def count_true_op(input):
    """How many elements are not zero. (...) -> ()"""
    return input.like(shape=(), dtype=dtypes.int64)


@primitive(vmap=batching.dynamic, vjp={}, module=ROOM)
def nonzero_op(input, *, count):
    """The coordinates of elements that are not zero, one row for each dimension. (...) -> (ndim,
    count)
    """
    return input.like(shape=(input.ndim, count), dtype=dtypes.int64)


@primitive(vmap=batching.dynamic, vjp={}, module=ROOM)
def true_positions_op(input, *, count):
    """The positions in row-major order of elements that are not zero. (...) -> (count,)"""
    return input.like(shape=(count,), dtype=dtypes.int64)


def nonzero_static(input, *, size, fill_value=-1, out=None):
    """`nonzero` with `size` rows: the rest is cut off, or filled. (...) -> (size, ndim)"""
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer (got {size})")
    found = slice_view(nonzero(input), 0, 0, size)
    result = found.new_full((size, input._spec.ndim), fill_value)
    slice_view(result, 0, 0, found._spec.shape[0]).copy_(found)
    return deliver(result, out, "nonzero_static", input)


def nonzero(input, *, out=None, as_tuple=False):
    """The coordinates of elements that are not zero: rows of one tensor, or one tensor for each
    dimension.

    (...) -> (count, ndim), or ndim times (count,)
    """
    count = count_true_op(input).item()
    if as_tuple:
        found = nonzero_op(input if input._spec.ndim else input.reshape(1), count)
        return tuple(found.unbind(0))
    result = nonzero_op(input, count).t()
    return deliver(result, out, "nonzero", input)


def argwhere(input):
    """`nonzero(input)`."""
    return nonzero(input)


def masked_select(input, mask, *, out=None):
    """The elements where a mask is true, in row-major order; both broadcast. (...), (...) ->
    (count,)
    """
    if mask._spec.dtype not in (dtypes.bool_, dtypes.uint8):
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    given = input, mask
    if input._spec.shape != mask._spec.shape:
        size = broadcast_shapes(mask._spec.shape, input._spec.shape)
        input, mask = input.expand(*size), mask.expand(*size)
    result = index_op[1](input.reshape(-1), positions(mask), (0,))
    return deliver(known_as(result, "MaskedSelectBackward0"), out, "masked_select", *given)


def positions(mask):
    """The positions in row-major order where a mask is true."""
    return true_positions_op(mask, count_true_op(mask).item())


def _scatter_source(g, mask, _source):
    """The gradient of the elements that were used, the others being 0."""
    used = masked_select(g, mask)
    return slice_backward_op(used, (_source.numel,), 0, 0, 1).view(tuple(_source.shape))


@primitive(
    vjp={"input": lambda g, mask: g.masked_fill(mask, 0), "source": _scatter_source}, module=ROOM
)  # fmt: skip
def masked_scatter_op(input, mask, source):
    """A copy in which elements where the mask is true are those of `source`, in order. (...),
    (...), (...) -> (...)
    """
    return input.like()


def masked_scatter(input, mask, source):
    """A copy in which elements where the mask is true are those of `source`, in order; input and
    mask broadcast.
    """
    if not isinstance(source, Tensor):
        raise TypeError(
            f"masked_scatter(): argument 'source' must be Tensor, not {type(source).__name__}"
        )
    if input._spec.dtype is not source._spec.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{type_word(input._spec)} and {type_word(source._spec)}"
        )
    if mask._spec.dtype is not dtypes.bool_:
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype "
            f"{type_word(mask._spec)}"
        )
    size = broadcast_shapes(input._spec.shape, mask._spec.shape)
    if mask._spec.shape != size:
        mask = mask.expand(*size)
    if input._spec.shape != size:
        input = input.expand(*size)
    if count_true_op(mask).item() > source._spec.numel:
        raise RuntimeError("Number of elements of source < number of ones in mask")
    return masked_scatter_op(input, mask, source)


def masked_scatter_(input, mask, source):
    """`masked_scatter` in place."""
    return replace(input, masked_scatter(input, mask, source), masked_scatter_op.op)


METHODS = {
    "argwhere": argwhere, "masked_scatter": masked_scatter, "masked_scatter_": masked_scatter_,
    "masked_select": masked_select, "nonzero": nonzero, "nonzero_static": nonzero_static,
}  # fmt: skip
