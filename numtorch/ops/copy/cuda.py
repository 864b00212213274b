"""CUDA kernels of the copies: the pointwise loop of the expression `a`."""

from ...backends import registry
from ...backends.cuda import memory
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name


def copy_op(input, out):
    """out = input, converted to the dtype of `out`."""
    name = type_name(input.dtype)
    return launch_loop("copy", ("a",), (name,), name, (input,), (out,))


def contiguous_op(input, out):
    """out = input."""
    return copy_op(input, out)


def to_dtype_op(input, out, *, dtype):
    """out = input, converted."""
    return copy_op(input, out)


def _to_integer_op(input, out, *, dtype):
    """out = input, converted."""
    return copy_op(input, out)


def _overwrite_op(input, src, out):
    """out = src, broadcast and converted; `input` is the memory of `out`, or is ignored."""
    name = type_name(src.dtype)
    run = launch_loop("copy", ("a",), (name,), name, (src,), (out,))
    return lambda x, y, o: run(y, o)


def to_device_op(input, out, *, device):
    """A copy of a tensor in host memory, or in another GPU's."""
    source = registry.memory(input.device)
    return lambda x, y: memory.write(y, source.to_numpy(x, input), out)
