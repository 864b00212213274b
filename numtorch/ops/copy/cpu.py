"""CPU launchers of the copies."""

import numpy as np

from ...backends.registry import memory
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name
from .layout import moved


def launch_copy(input, out):
    """A function of the arrays (x, out) that copies, broadcasts and converts."""
    found = moved(input, out)
    if found is not None:
        return found
    name = type_name(input.dtype)
    return launch_loop("copy", ("a",), (name,), name, (input,), (out,))


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
