"""CPU launchers of pools: planes of contiguous images, pixels of channels-last ones."""

import math

import numpy as np

from ...backends.cpu.jit import bind
from . import channels as last
from . import planes as first
from . import windows
from .averages import average_launchers
from .layout import arranged
from .rows import lowest
from .windows import three

WIDE = 6  # elements of a row of a window from which rows are joined first
GROUP = 16  # channels of one iteration, at least: a cache line


def launch_max(input, out, places, planes, channels, sizes, counts, table, dilation):
    """A function of (input, out), then of the indices, if there are `places`."""
    facts = planes, *three(sizes, 1), *three(counts, 1), *three(dilation, 1)
    tables = table.start, table.end, table.offset
    least = lowest(input.dtype.np)
    kernel = first.max_pool
    if channels > 1:
        kernel, facts = last.max_pool, (planes, channels, *facts[1:], *tables, least)
    elif table.taps >= WIDE and table.taps * counts[-1] <= 2 * sizes[-1] <= 2 * first.ROOM:
        kernel, facts = first.max_pool_wide, (*facts, *tables, least)
    else:
        facts = (*facts, *tables, table.taps)
    run = kernel.compile(input, out, places, *facts, work=4 * out.numel)
    return bind(run, 2, None, *facts) if places is None else bind(run, 3, *facts)


@arranged(0, outputs=2)
def max_pool_op(input, out, out1, *, planes, channels, window):
    """A function of (input, out, indices)."""
    n = len(window.kernel_size)
    counts, sizes = out.shape[out.ndim - n :], input.shape[input.ndim - n :]
    table = windows.fixed(sizes, counts, window)
    return launch_max(input, out, out1, planes, channels, sizes, counts, table, window.dilation)


@arranged(0)
def max_pool_values_op(input, out, *, planes, channels, window):
    """A function of (input, out)."""
    n = len(window.kernel_size)
    counts, sizes = out.shape[out.ndim - n :], input.shape[input.ndim - n :]
    table = windows.fixed(sizes, counts, window)
    return launch_max(input, out, None, planes, channels, sizes, counts, table, window.dilation)


@arranged(0, outputs=2)
def adaptive_max_pool_op(input, out, out1, *, planes, channels, output_size):
    """A function of (input, out, indices)."""
    n = len(output_size)
    sizes = input.shape[input.ndim - n :]
    table = windows.adaptive(sizes, output_size)
    return launch_max(input, out, out1, planes, channels, sizes, output_size, table, (1,) * n)


@arranged(-1)
def max_pool_scatter(grad, indices, out, *, planes, channels, size):
    """The gradient of max pools."""
    facts = math.prod(size), math.prod(indices.shape[indices.ndim - len(size) :])
    kernel = first.scatter_planes
    if channels > 1:
        group = channels if planes >= 8 else max(GROUP, -(-channels // 8))
        kernel, facts = last.scatter_planes, (channels, *facts, group)
    facts = planes, *facts
    run = kernel.compile(grad, indices, out, *facts, work=grad.numel + out.numel)
    return bind(run, 3, *facts)


@arranged(1)
def max_pool_gather(input, indices, out, *, planes, channels, size):
    """The derivative of that."""
    facts = math.prod(size), math.prod(indices.shape[indices.ndim - len(size) :])
    kernel = first.gather_planes
    if channels > 1:
        kernel, facts = last.gather_planes, (channels, *facts)
    facts = planes, *facts
    run = kernel.compile(input, indices, out, *facts, work=out.numel)
    return bind(run, 3, *facts)


def launch_average(source, target, planes, channels, sizes, counts, table):
    """A function of (source, target): means."""
    facts = (
        *three(sizes, 1), *three(counts, 1), table.start, table.end, table.length, table.offset
    )  # fmt: skip
    kernel, facts = (
        (last.average, (planes, channels, *facts))
        if channels > 1
        else (first.average, (planes, *facts))
    )
    run = kernel.compile(source, target, *facts, work=source.numel + target.numel)
    return bind(run, 2, *facts)


def launch_spread(grad, target, planes, channels, sizes, counts, table):
    """A function of (gradient, target): the transpose of means."""
    work = grad.numel + target.numel
    if channels == 1:
        facts = (
            planes, *three(sizes, 1), *three(counts, 1), table.start, table.end, table.length,
            table.offset,
        )  # fmt: skip
        return bind(first.spread_average.compile(grad, target, *facts, work=work), 2, *facts)
    seen = windows.seen_by(table, sizes)
    add = launch_average(grad, target, planes, channels, counts, sizes, seen)
    facts = planes, channels, *three(counts, 1), table.length, table.offset
    divide = last.divide_windows.compile(grad, grad, *facts, work=grad.numel)
    make, shape = np.empty, grad.numel

    def spread(g, y):
        shares = make(shape, g.dtype)
        divide(g, shares, *facts)
        add(shares, y)

    return spread


avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad = average_launchers(
    launch_average, launch_spread
)
