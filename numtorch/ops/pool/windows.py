"""Pooling windows as tables: for each output of an axis, its first element, its end, and its share
of the divisor.

So fixed and adaptive windows, padding and ceil_mode are the same to the kernels. Axes are (depth,
height, width); a 2-D pool has depth 1. Plain NumPy: no kernels here.
"""

from typing import NamedTuple

import numpy as np


def three(values, fill: int) -> tuple[int, ...]:
    """The sizes of one to three spatial axes as (depth, height, width)."""
    return (fill,) * (3 - len(values)) + tuple(values)


class Windows(NamedTuple):
    """Tables for all axes, one after the other, int64; axis i begins at offset[i]."""

    start: np.ndarray  # the first element that is not padding
    end: np.ndarray
    length: np.ndarray  # the divisor is the product over the axes
    offset: np.ndarray  # (3,)
    taps: int  # the most elements of a window along the width


SLACK = 16  # a vector of lanes may read this far beyond the last output


def join(axes, step: int) -> Windows:
    """Tables from (start, end, length) of each axis; `step` is the width's dilation."""
    offset = np.cumsum([0, *(len(a[0]) for a in axes[:-1])])
    start, end, length = (np.pad(np.concatenate(t), (0, SLACK)) for t in zip(*axes, strict=True))
    first, stop, _ = axes[-1]
    taps = int(max(-(-(stop - first) // step), default=0)) if len(first) else 0
    return Windows(start, end, length, offset, max(taps, 1))


def fixed(sizes, counts, window) -> Windows:
    """The windows of max_pool and avg_pool on one to three axes."""
    axes: list = []
    given = zip(
        three(sizes, 1), three(counts, 1), three(window.kernel_size, 1), three(window.stride, 1),
        three(window.padding, 0), three(window.dilation, 1), strict=True,
    )  # fmt: skip
    for n, count, k, s, p, d in given:
        first = np.arange(count) * s - p
        end = np.minimum(first + (k - 1) * d + 1, n)
        start = np.where(first < 0, first + -(first // d) * d, first)
        if window.divisor is not None:
            length = np.full(count, 1 if axes else window.divisor)
        elif window.include_pad:
            length = np.minimum(first + k, n + p) - first
        else:
            length = end - start
        axes.append((start, end, length))
    return join(axes, three(window.dilation, 1)[-1])


def adaptive(sizes, counts) -> Windows:
    """The windows of adaptive pools: output i sees floor(i n / m) up to ceil((i + 1) n / m)."""
    axes = []
    for n, m in zip(three(sizes, 1), three(counts, 1), strict=True):
        i = np.arange(m)
        start, end = i * n // max(m, 1), -(-(i + 1) * n // max(m, 1))
        axes.append((start, end, end - start))
    return join(axes, 1)


def seen_by(table: Windows, sizes) -> Windows:
    """For each element of axes of these sizes, the first window that sees it, the end of those, and
    a divisor of 1: both ends of windows are in order, so that these are neighbours.
    """
    axes = []
    bounds = [*table.offset, len(table.start) - SLACK]
    for n, low, high in zip(three(sizes, 1), bounds, bounds[1:], strict=False):
        i = np.arange(n)
        near = np.searchsorted(table.end[low:high], i, "right")
        far = np.searchsorted(table.start[low:high], i, "right")
        axes.append((near, np.maximum(near, far), np.ones(n, np.int64)))
    return join(axes, 1)
