"""CPU launchers of the copies."""

import numpy as np

from ...backends.registry import memory
from .layout import launch_copy


def copy_op(input, out):
    """out = input, converted to the dtype of `out`."""
    return launch_copy(input, out)


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
    run = launch_copy(src, out)
    return lambda x, y, o: run(y, o)


def to_device_op(input, out, *, device):
    """A copy in host memory of a tensor on another device."""
    source = memory(input.device)
    return lambda x, y: np.copyto(y, source.to_numpy(x, input))
