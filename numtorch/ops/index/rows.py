"""Indexing any dimensions by index tensors, and what functions with indices share."""

from ...core import dtype as dtypes
from ...core import errors
from ...core.generate import reaches_twice
from ...core.inplace import partly_overlaps, saved_copy
from ...core.out import to_out
from ...core.shape import broadcast_shapes, extent, is_dense
from ...core.tangents import linear
from ...core.tape import grad_mode
from ...core.tensor import Tensor, offset_of
from ..pointwise.define import reduce_to
from . import batching
from .counted import counted, derivative
from .geometry import index_shape

__all__ = ["index_put", "index_put_"]
ROOM = "numtorch.ops.index"
LONG_OR_INT = (dtypes.int64, dtypes.int32)


def fresh(input):
    """What a changed copy looks like: dense tensors keep their strides, as torch's clone does."""
    return input if input.contiguous or is_dense(input.shape, input.strides) else input.like()


def type_word(spec) -> str:
    """A dtype as torch's messages name it: Float, Long."""
    return spec.dtype.type_name.removesuffix("Tensor")


# -- any dimensions --------------------------------------------------------------------------------
def _common(input, indices, dims):
    """What the indices broadcast to; torch's errors."""
    for i in indices:
        if i.dtype not in LONG_OR_INT:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if len(dims) > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim} (got {len(dims)})")
    first = indices[0].shape
    if len(indices) == 1 or all(i.shape == first for i in indices):
        return first
    try:
        return broadcast_shapes(*[i.shape for i in indices])
    except RuntimeError:
        shapes = ", ".join(str(list(i.shape)) for i in indices)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None


def _index_vjp(names):
    given = ", ".join(names)
    text = f"lambda g, _input, {given}, dims: backward(g, ({given},), tuple(_input.shape), dims)"
    return {
        "input": derivative(
            text, backward=lambda g, i, size, dims: index_backward_op[len(i)](g, *i, size, dims)
        )
    }


def _index(input, *indices, dims):
    """Elements or rows at the given indices. (...), (J), ... -> (J, ...)"""
    common = _common(input, indices, dims)
    shape, _ = index_shape(input.shape, dims, common)
    if not input.numel and 0 not in common:
        for d in dims:
            if input.shape[d] == 0:
                raise IndexError(
                    f"index is out of bounds for dimension with size 0 (dimension {d})"
                )
    return input.like(shape=shape)


def _backward_vjp(names):
    given = ", ".join(names)
    text = f"lambda g, {given}, dims: index(g, ({given},), dims)"
    return {"grad": derivative(text, index=lambda g, i, dims: index_op[len(i)](g, *i, dims))}


def _index_backward(grad, *indices, size, dims):
    """Zeros to which a gradient is added at the indices. (J, ...), (J), ... -> size"""
    return grad.like(shape=size)


def _put_vjp(names):
    given = ", ".join(names)
    wipe = f"lambda g, {given}, dims, accumulate: g if accumulate else put(g, 0, ({given},), dims)"
    take = f"lambda g, _values, {given}, dims: reduce_to(index(g, ({given},), dims), _values)"
    put = lambda g, zero, i, dims: index_put_op[len(i)](g, zero, *i, dims, False)  # noqa: E731
    index = lambda g, i, dims: index_op[len(i)](g, *i, dims)  # noqa: E731
    return {
        "input": derivative(wipe, put=put),
        "values": derivative(take, index=index, reduce_to=reduce_to),
    }  # fmt: skip


def _index_put(input, values, *indices, dims, accumulate):
    """A copy in which the elements at the indices are `values` (added, if `accumulate`). (...), (J,
    ...), (J), ...
    """
    shape, _ = index_shape(input.shape, dims, _common(input, indices, dims))
    if not values.weak and values.dtype is not input.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {type_word(input)} "
            f"for the destination and "
            f"{type_word(values)} for the source."
        )
    missing = len(shape) - values.ndim
    if missing < 0 or any(n not in (1, shape[missing + d]) for d, n in enumerate(values.shape)):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape "
            f"{list(shape)}"
        )
    return fresh(input)


index_op = counted(
    "index", ROOM, ("input",), "index", ("dims",), _index_vjp, jvp=linear, vmap=batching.index
)(_index)
index_backward_op = counted(
    "index_backward", ROOM, ("grad",), "index", ("size", "dims"), _backward_vjp,
    jvp=linear, vmap=batching.index_backward,
)(_index_backward)  # fmt: skip
index_put_op = counted(
    "index_put", ROOM, ("input", "values"), "index", ("dims", "accumulate"), _put_vjp, numbers=True,
    aliasing=True, jvp=linear, vmap=batching.index_put
)(_index_put)  # fmt: skip


def _placed(input, indices, name):
    """Index tensors and the dimensions that they belong to; masks become indices."""
    if not isinstance(indices, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'indices' (position 1) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for n, i in enumerate(indices):
        if not isinstance(i, Tensor):
            raise TypeError(
                f"expected Tensor as element {n} in argument 1, but got {type(i).__name__}"
            )
    found, dims = [], []
    at = 0
    for i in indices:
        for part in expand_mask(input._spec, i, at):
            found.append(part)
            dims.append(at)
            at += 1
    if at > input._spec.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input._spec.ndim} (got {at})")
    return found, tuple(dims)


def expand_mask(spec, index, at):
    """The index tensors that an index stands for: a mask gives one for each of its dimensions."""
    if index._spec.dtype not in (dtypes.bool_, dtypes.uint8):
        return (index,)
    check_mask(spec, index._spec, at)
    return index.nonzero(as_tuple=True)


def check_mask(spec, mask, at) -> None:
    """Raise unless a mask has the sizes of the dimensions that it begins at."""
    for d, n in enumerate(mask.shape):
        if at + d >= spec.ndim or spec.shape[at + d] != n:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {d} does not match the shape "
                f"of the indexed tensor "
                f"{list(spec.shape)} at index {at + d}"
            )


def index_put(input, indices, values, accumulate=False):
    """A copy of `input` with `input[indices] = values`, or `+= values`, repeated indices
    included.
    """
    placed, dims = _placed(input, indices, "index_put")
    return index_put_op[len(placed)](input, values, *placed, dims, bool(accumulate))


def index_put_(input, indices, values, accumulate=False):
    """`index_put` in place."""
    placed, dims = _placed(input, indices, "index_put_")
    if reaches_twice(input._spec):
        errors.warn_expanded("index_put_")
    return index_put_op.in_place[len(placed)](
        input, apart(input, values), *placed, dims, bool(accumulate)
    )


def overlap(a, b) -> bool:
    """Whether two tensors may share elements."""
    if a._storage is not b._storage:
        return False
    first, second = offset_of(a), offset_of(b)
    return first < second + extent(b._spec.shape, b._spec.strides) and second < first + extent(
        a._spec.shape, a._spec.strides
    )


def deliver(result, out, name, *inputs):
    """Write a result to out=, which must be a tensor of its own."""
    if out is None:
        return result
    if isinstance(out, Tensor):
        if reaches_twice(out._spec):
            raise errors.internal_overlap(name)
        if any(overlap(t, out) for t in inputs):
            raise errors.partial_overlap(name)
    return to_out(result, out, name, True)


def before(input):
    """What a derivative needs of a tensor that is about to change: a copy, where it may be
    saved.
    """
    return saved_copy(input) if grad_mode.get() else input


def apart(input, values):
    """`values`, as a copy if they may share the memory that is about to change: the in-place form
    of an op that is `exclusive` refuses what surely does.
    """
    shared = isinstance(values, Tensor) and values._storage is input._storage
    return values.clone() if shared and not partly_overlaps(input, values, True) else values


METHODS = {"index_put": index_put, "index_put_": index_put_}
