"""Copies: clone, contiguous, dtype conversion, and writing into existing memory."""

from ...core import batching, generate
from ...core.dtype import dtype as dtype_class
from ...core.interp import runtime
from ...core.op import primitive
from ...core.shape import broadcast_shapes, dense_strides, is_dense
from ...core.tangents import linear
from ...core.tensor import Tensor
from ..pointwise.define import reduce_to


class memory_format:  # noqa: N801 (torch's name)
    """In which order a tensor's dimensions lie in memory."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return self.name


contiguous_format, preserve_format = (
    memory_format("contiguous_format"),
    memory_format("preserve_format"),
)


def _preserved(input):
    """torch's preserve_format: a tensor keeps its order of dimensions."""
    if input.contiguous or is_dense(input.shape, input.strides):
        return input
    return input.strided(input.shape, dense_strides(input.shape, input.strides))


@primitive(
    jvp=linear,
    vmap=batching.leading,
    vjp={"input": lambda g: g},
    aliasing=True,
    promotes=True,
    node_name="CloneBackward0",
)
def copy_op(input):
    """A copy in fresh memory. (...) -> (...)"""
    return _preserved(input)


@primitive(
    jvp=linear, vmap=batching.leading, vjp={"input": lambda g: g}, node_name="CloneBackward0"
)
def contiguous_op(input):
    """A copy in row-major order. (...) -> (...)"""
    return input.like()


@primitive(
    jvp=linear,
    vmap=batching.leading,
    vjp={"input": lambda g, _input: to_dtype_op(g, _input.dtype)},
    node_name="ToCopyBackward0",
)
def to_dtype_op(input, *, dtype: dtype_class):
    """A copy with another element type. (...) -> (...)"""
    kept = _preserved(input)
    return kept.of(kept.shape, dtype, kept.device, kept.strides)


def contiguous(input, memory_format=None):
    """The tensor itself if its memory is in row-major order, else such a copy. (...) -> (...)"""
    return input if input._spec.contiguous else contiguous_op(input)


def clone(input, *, memory_format=None):
    """A copy in fresh memory; dense tensors keep their strides. (...) -> (...)"""
    return contiguous_op(input) if memory_format is contiguous_format else copy_op(input)


def to_dtype(input, dtype):
    """The tensor itself if it has this dtype, else a converted copy; cut off from autograd if that
    is no float.
    """
    if input._spec.dtype is dtype:
        return input
    return to_dtype_op(input, dtype) if dtype.is_floating_point else _to_integer_op(input, dtype)


@primitive(vmap=batching.leading, vjp={})
def _to_integer_op(input, *, dtype):
    """A copy with a dtype that has no gradients. (...) -> (...)"""
    return to_dtype_op.op.rule(input, dtype=dtype)


def copy_(input, src, non_blocking=False):
    """Write `src`, broadcast and converted, into this tensor. Differentiable in `src`."""
    if not isinstance(src, Tensor):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {type(src).__name__}"
        )
    if src is input and input._node is None and generate.reaches_twice(input._spec):
        input._storage.version += 1  # nothing to do, so that an expanded tensor is let pass
        return input
    if src._spec.device is not input._spec.device:
        src = src.to(input._spec.device)
    return _overwrite_(input, src)


@primitive(
    jvp=linear,
    vmap=batching.pointwise,
    vjp={"input": lambda g: runtime["zeros_like"](g), "src": lambda g, _src: reduce_to(g, _src)},
    aliasing=True,
    promotes=True,
    node_name="CopyBackwards",
)
def _overwrite_op(input, src):
    """`src` in the shape and dtype of `input`, whose values are not read. (...), (...) -> (...)"""
    if broadcast_shapes(input.shape, src.shape) != input.shape:
        raise RuntimeError(
            f"output with shape {list(input.shape)} doesn't match the broadcast shape "
            f"{list(broadcast_shapes(input.shape, src.shape))} (copy_)"
        )
    return input


_overwrite_op.op.overwrites = True
_overwrite_ = generate.stub(_overwrite_op.op, "in_place", "copy_")
runtime["to_dtype"] = to_dtype
METHODS = {"contiguous": contiguous, "clone": clone, "copy_": copy_}
__all__ = ["clone"]
