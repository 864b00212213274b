"""GPU pooling: a thread owns an output; in the gradients of max pools a block owns a plane.

Images are (planes, *size, channels): one channel if contiguous, else all of them, channels last.
"""

import math

from ...backends.cuda import memory
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from . import windows
from .averages import average_launchers
from .layout import arranged
from .windows import three


@kernel
def max_pool(
    x, out, indices, n, channels, depth, height, width, out_d, out_h, out_w, dd, dh, dw, first, end,
    offset,
):  # fmt: skip
    """The maximum of each window: the first one, or the last NaN; its index, or -1 where all is
    padding.
    """
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        window = i // channels
        w = offset[2] + window % out_w
        h = offset[1] + window // out_w % out_h
        d = offset[0] + window // (out_w * out_h) % out_d
        plane = window // (out_w * out_h * out_d) * depth * height * width
        channel = i - window * channels
        where = -1
        best = out.dtype.type(0)
        for a in range(first[d], end[d], dd):
            for b in range(first[h], end[h], dh):
                row = (a * height + b) * width
                for c in range(first[w], end[w], dw):
                    value = x[(plane + row + c) * channels + channel]
                    if value > best or value != value or where < 0:
                        best = value
                        where = row + c
        out[i] = best
        if indices is not None:
            indices[i] = where


@kernel
def scatter_planes(g, indices, out, planes, channels, elements, count):
    """out[indices] += g in each plane, in the order of the windows. A block owns every gridDim-th
    plane of one channel.

    All threads read every index and add where the element is theirs: no atomics, the same sums in
    every run.
    """
    for p in range(cuda.blockIdx.x, planes * channels, cuda.gridDim.x):
        plane, c = p // channels, p % channels
        for i in range(cuda.threadIdx.x, elements, THREADS):
            out[(plane * elements + i) * channels + c] = out.dtype.type(0)
        for i in range(count):
            source = (plane * count + i) * channels + c
            at = indices[source]
            if at >= 0 and at % THREADS == cuda.threadIdx.x:
                out[(plane * elements + at) * channels + c] += g[source]


@kernel
def gather_planes(x, indices, out, n, channels, elements, count):
    """out = x[indices] in each plane. One thread owns every gridsize-th output."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        at = indices[i]
        value = out.dtype.type(0)
        if at >= 0:
            plane = i // (channels * count)
            value = x[(plane * elements + at) * channels + i % channels]
        out[i] = value


@kernel
def average(
    x, out, n, channels, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The sum of each window over its divisor. One thread owns every gridsize-th output."""
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        window = i // channels
        w = offset[2] + window % out_w
        h = offset[1] + window // out_w % out_h
        d = offset[0] + window // (out_w * out_h) % out_d
        plane = window // (out_w * out_h * out_d) * depth
        channel = i - window * channels
        total = T(0)
        for a in range(first[d], end[d]):
            for b in range(first[h], end[h]):
                row = ((plane + a) * height + b) * width
                for c in range(first[w], end[w]):
                    total += x[(row + c) * channels + channel]
        out[i] = T(total / T(length[d] * length[h] * length[w]))


@kernel
def spread_average(
    g, out, n, channels, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The transpose of `average`. One thread owns every gridsize-th element and adds up its
    windows.
    """
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        element = i // channels
        w = element % width
        h = element // width % height
        d = element // (width * height) % depth
        plane = element // (width * height * depth) * out_d
        channel = i - element * channels
        total = T(0)
        for a in range(out_d):
            at_d = offset[0] + a
            if d >= first[at_d] and d < end[at_d]:
                for b in range(out_h):
                    at_h = offset[1] + b
                    if h >= first[at_h] and h < end[at_h]:
                        for c in range(out_w):
                            at_w = offset[2] + c
                            if w >= first[at_w] and w < end[at_w]:
                                window = ((plane + a) * out_h + b) * out_w + c
                                share = g[window * channels + channel]
                                total += share / T(length[at_d] * length[at_h] * length[at_w])
        out[i] = total


def launch_max(input, out, places, channels, sizes, counts, table, dilation):
    """A function of (input, out), then of the indices, if there are `places`."""
    tables = [memory.from_host(a) for a in (table.start, table.end, table.offset)]
    facts = (
        out.numel, channels, *three(sizes, 1), *three(counts, 1), *three(dilation, 1), *tables
    )  # fmt: skip
    launch = max_pool.compile(input, out, places, *facts)[grid(out.numel)]
    return lambda x, y, i=None: launch(x, y, i, *facts)


@arranged(0, outputs=2)
def max_pool_op(input, out, out1, *, planes, channels, window):
    """A function of (input, out, indices)."""
    n = len(window.kernel_size)
    counts, sizes = out.shape[out.ndim - n :], input.shape[input.ndim - n :]
    table = windows.fixed(sizes, counts, window)
    return launch_max(input, out, out1, channels, sizes, counts, table, window.dilation)


@arranged(0)
def max_pool_values_op(input, out, *, planes, channels, window):
    """A function of (input, out)."""
    n = len(window.kernel_size)
    counts, sizes = out.shape[out.ndim - n :], input.shape[input.ndim - n :]
    table = windows.fixed(sizes, counts, window)
    return launch_max(input, out, None, channels, sizes, counts, table, window.dilation)


@arranged(0, outputs=2)
def adaptive_max_pool_op(input, out, out1, *, planes, channels, output_size):
    """A function of (input, out, indices)."""
    n = len(output_size)
    sizes = input.shape[input.ndim - n :]
    table = windows.adaptive(sizes, output_size)
    return launch_max(input, out, out1, channels, sizes, output_size, table, (1,) * n)


@arranged(-1)
def max_pool_scatter(grad, indices, out, *, planes, channels, size):
    """A function of (gradient, indices, out)."""
    count = math.prod(indices.shape[indices.ndim - len(size) :])
    facts = planes, channels, math.prod(size), count
    blocks = grid(planes * channels, 1)[0]
    launch = scatter_planes.compile(grad, indices, out, *facts)[blocks, THREADS]
    return lambda g, i, y: launch(g, i, y, *facts)


@arranged(1)
def max_pool_gather(input, indices, out, *, planes, channels, size):
    """A function of (input, indices, out)."""
    count = math.prod(indices.shape[indices.ndim - len(size) :])
    facts = out.numel, channels, math.prod(size), count
    launch = gather_planes.compile(input, indices, out, *facts)[grid(out.numel)]
    return lambda x, i, y: launch(x, i, y, *facts)


def launcher_of_averages(kernel_):
    """A function that launches `average` or its transpose."""

    def launch_average(source, target, planes, channels, sizes, counts, table):
        tables = [memory.from_host(a) for a in (table.start, table.end, table.length, table.offset)]
        facts = target.numel, channels, *three(sizes, 1), *three(counts, 1), *tables
        launch = kernel_.compile(source, target, *facts)[grid(target.numel)]
        return lambda x, y: launch(x, y, *facts)

    return launch_average


avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad = average_launchers(
    launcher_of_averages(average), launcher_of_averages(spread_average)
)
