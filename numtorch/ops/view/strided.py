"""`as_strided` and its derivative, which also serve every view that an in-place change gives a new
history.
"""

from ...core.inplace import view_base
from ...core.op import primitive, view_primitive
from ...core.shape import extent, is_dense
from ...core.tangents import linear
from ...core.tensor import offset_of
from . import batching

__all__ = ["as_strided", "as_strided_scatter"]
ROOM = "numtorch.ops.view"


def memory_order(spec):
    """The dimensions of a dense tensor in the order in which its memory runs, and the inverse
    permutation.
    """
    order = sorted(range(len(spec.shape)), key=lambda i: (-spec.strides[i], -spec.shape[i]))
    inverse = [0] * len(order)
    for position, dim in enumerate(order):
        inverse[dim] = position
    return tuple(order), tuple(inverse)


def in_memory_order(t, spec):
    """`t`, of the shape of `spec`, as a contiguous tensor whose memory lies as that of `spec`
    does.
    """
    if spec.contiguous:
        return t.contiguous()
    if not is_dense(spec.shape, spec.strides):
        raise RuntimeError(
            "as_strided: the derivative needs a base whose memory has no gaps, but its shape is "
            f"{list(spec.shape)} with strides {list(spec.strides)}; use a contiguous() base"
        )
    return t.permute(memory_order(spec)[0]).contiguous()


def from_memory(flat, spec):
    """The inverse of `in_memory_order`, from flat memory."""
    if spec.contiguous:
        return flat.view(spec.shape)
    order, inverse = memory_order(spec)
    return flat.view([spec.shape[i] for i in order]).permute(inverse)


def _backward(g, _input, size, stride, offset):
    return from_memory(as_strided_backward_op(g, _input.numel, size, stride, offset), _input)


def _as_strided_tangent(op, tangents, tensors, attrs, results, k):
    return as_strided_op(in_memory_order(tangents[0], tensors[0]._spec), *attrs)


@view_primitive(
    jvp=_as_strided_tangent,
    vmap=batching.strided,
    vjp={"input": _backward},
    node_name="AsStridedBackward0",
    module=ROOM,
)
def as_strided_op(input, *, size, stride, offset):
    """A view with any geometry; `offset` is relative to the input's first element."""
    return input.strided(size, stride), offset


@primitive(
    jvp=linear,
    vmap=batching.strided_back,
    vjp={
        "grad": lambda g, size, stride, offset: as_strided_op(g.contiguous(), size, stride, offset)
    },
    module=ROOM,
)
def as_strided_backward_op(grad, *, numel, size, stride, offset):
    """Adds a gradient up at the memory positions that `as_strided` read. (size) -> (numel,)"""
    if grad.numel and not 0 <= offset <= numel - extent(size, stride):
        raise RuntimeError(
            f"as_strided: the derivative reaches outside of its input: size {list(size)}, strides "
            f"{list(stride)}, offset "
            f"{offset} in {numel} elements; take the view of the base tensor"
        )
    return grad.like(shape=(numel,))


def _scatter_input(g, _input, _src, size, stride, offset):
    return from_memory(
        as_strided_scatter_op(
            in_memory_order(g, _input).view(-1), g.new_zeros(size), size, stride, offset
        ),
        _input,
    )


def _scatter_src(g, _input, size, stride, offset):
    return as_strided_op(in_memory_order(g, _input), size, stride, offset)


@primitive(
    jvp=linear,
    vmap=batching.strided_scatter,
    vjp={"input": _scatter_input, "src": _scatter_src},
    node_name="AsStridedScatterBackward0",
    module=ROOM,
)
def as_strided_scatter_op(input, src, *, size, stride, offset):
    """A copy of `input` in which the memory that `as_strided` would show holds `src`."""
    return input


def as_strided(input, size, stride, storage_offset=None):
    """A view of the tensor's storage with any size, strides and offset (in elements of the whole
    storage).

    Raises RuntimeError where the geometry leaves the storage.
    """
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"as_strided: mismatch in length of strides {list(stride)} and shape {list(size)}"
        )
    if any(s < 0 for s in stride):
        raise RuntimeError(
            f"as_strided: Negative strides are not supported at the moment, got strides: "
            f"{list(stride)}"
        )
    offset = offset_of(input) if storage_offset is None else storage_offset
    available = input.untyped_storage().nbytes() // input._spec.dtype.itemsize
    _check_inside(size, stride, offset, available, input._spec.dtype.itemsize)
    if (
        input._node is not None
    ):  # memory outside of a view belongs to its base, and so does its gradient
        spec = input._spec
        inside = 0 <= offset - offset_of(input) <= spec.numel - extent(size, stride)
        base = input if inside and is_dense(spec.shape, spec.strides) else view_base(input)
        result = as_strided_op(base, size, stride, offset - offset_of(base))
        if base is not input and not result._view.creation:
            result._view.creation = input._view.creation
        return result
    return as_strided_op(input, size, stride, offset - offset_of(input))


def _check_inside(size, stride, offset: int, available: int, itemsize: int) -> None:
    """Raise torch's error for a geometry that leaves a storage of `available` elements."""
    span = extent(size, stride)
    if offset < 0 or (span and offset + span > available):
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {itemsize} requiring a storage size of {(offset + span) * itemsize} are out "
            f"of bounds for storage of size {available * itemsize}"
        )


def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of `input` in which `as_strided(size, stride, storage_offset)` shows `src`."""
    size, stride = tuple(size), tuple(stride)
    if tuple(src.shape) != size:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(size)}"
        )
    spec, first = input._spec, offset_of(input)
    offset = first if storage_offset is None else storage_offset
    n = input.untyped_storage().nbytes() // spec.dtype.itemsize
    _check_inside(size, stride, offset, n, spec.dtype.itemsize)
    if spec.contiguous and offset >= first and extent(size, stride) <= spec.numel - offset + first:
        return as_strided_scatter_op(input, src, size, stride, offset - first)
    # what lies around the tensor in its storage may be written to, too, and is then dropped
    whole = as_strided_op(input.detach(), (n,), (1,), -first)
    whole = as_strided_scatter_op(whole, input, tuple(spec.shape), spec.strides, first)
    whole = as_strided_scatter_op(whole, src, size, stride, offset)
    return as_strided_op(whole, tuple(spec.shape), spec.strides, first).contiguous()
