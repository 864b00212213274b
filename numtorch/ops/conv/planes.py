"""Filling planes (see `plan.py`): what the forward, input-gradient and weight-gradient kernels
share.
"""

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import inline
from .tile import copy_rows


def three(values, fill: int) -> tuple[int, ...]:
    """The sizes of one to three spatial axes as (depth, height, width)."""
    return (fill,) * (3 - len(values)) + tuple(values)


def scratch(elements: int, dtype) -> np.ndarray:
    """Uninitialized work memory that begins on a cache line; large blocks are reused."""
    elements += 64 // dtype.itemsize
    nbytes = elements * dtype.itemsize
    if nbytes < memory.SMALL:
        found = np.empty(elements, dtype)
    else:
        found = memory.large((elements,), dtype, nbytes)
    return found[-found.ctypes.data % 64 // dtype.itemsize :]


@inline
def gather(x, image, planes, base, channels, first, size, step, begin, phases, extent, cut, plane):
    """Copy one image's `channels` from x[image] on into planes[base] on, for the piece that begins
    at output `first`.

    Rows are written in whole vectors: the memory behind the last plane must hold one more.
    """
    depth, height, width = size[0], size[1], size[2]
    deep, high, wide = extent[0], extent[1], extent[2]
    sd, sh, sw = step[0], step[1], step[2]
    to = base
    for c in range(channels):
        for f in range(phases):
            d0 = begin[3 * f] + cut[0] * first * sd
            h0 = begin[3 * f + 1] + cut[1] * first * sh
            w0 = begin[3 * f + 2] + cut[2] * first * sw
            top = min(
                high, max(0, (sh - 1 - h0) // sh)
            )  # rows in front of the image, then up to its end
            bottom = max(top, min(high, (height - h0 + sh - 1) // sh))
            left = max(0, (sw - 1 - w0) // sw)  # the same for columns
            right = min(wide, (width - w0 + sw - 1) // sw)
            row = to
            for a in range(deep):
                d = d0 + a * sd
                outside = d < 0 or d >= depth
                source = image + ((c * depth + d) * height + h0) * width + w0
                copy_rows(
                    x, source, sh * width, sw, planes, row, wide, left, right, top,
                    0 if outside else bottom, high,
                )  # fmt: skip
                row += high * wide
            to += plane


def geometry(image, outputs, kernel_size, stride, padding, dilation):
    """(size, count, kernel, stride, padding in front, dilation) of each of the three axes."""
    padding = [before for before, _ in padding]
    return list(
        zip(
            three(image, 1), three(outputs, 1), three(kernel_size, 1),
            three(stride, 1), three(padding, 0), three(dilation, 1), strict=True,
        )
    )  # fmt: skip
