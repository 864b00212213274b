"""GPU pooling: a thread owns an output; in the gradients of max pools a block owns a plane."""

import math

from ...backends.cuda import memory
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.registry import contiguous
from . import windows
from .averages import average_launchers
from .windows import three


@kernel
def max_pool(
    x, out, indices, n, depth, height, width, out_d, out_h, out_w, dd, dh, dw, first, end, offset
):
    """The maximum of each window: the first one, or the last NaN; its index, or -1 where all is
    padding.
    """
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        w = offset[2] + i % out_w
        h = offset[1] + i // out_w % out_h
        d = offset[0] + i // (out_w * out_h) % out_d
        plane = i // (out_w * out_h * out_d) * depth * height * width
        where = -1
        best = out.dtype.type(0)
        for a in range(first[d], end[d], dd):
            for b in range(first[h], end[h], dh):
                row = (a * height + b) * width
                for c in range(first[w], end[w], dw):
                    value = x[plane + row + c]
                    if value > best or value != value or where < 0:
                        best = value
                        where = row + c
        out[i] = best
        indices[i] = where


@kernel
def scatter_planes(g, indices, out, planes, elements, count):
    """out[indices] += g in each plane, in the order of the windows. A block owns every gridDim-th
    plane.

    All threads read every index and add where the element is theirs: no atomics, the same sums in
    every run.
    """
    for p in range(cuda.blockIdx.x, planes, cuda.gridDim.x):
        for i in range(cuda.threadIdx.x, elements, THREADS):
            out[p * elements + i] = out.dtype.type(0)
        for i in range(count):
            at = indices[p * count + i]
            if at >= 0 and at % THREADS == cuda.threadIdx.x:
                out[p * elements + at] += g[p * count + i]


@kernel
def gather_planes(x, indices, out, n, elements, count):
    """out = x[indices] in each plane. One thread owns every gridsize-th output."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        at = indices[i]
        value = out.dtype.type(0)
        if at >= 0:
            value = x[i // count * elements + at]
        out[i] = value


@kernel
def average(x, out, n, depth, height, width, out_d, out_h, out_w, first, end, length, offset):
    """The sum of each window over its divisor. One thread owns every gridsize-th output."""
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        w = offset[2] + i % out_w
        h = offset[1] + i // out_w % out_h
        d = offset[0] + i // (out_w * out_h) % out_d
        plane = i // (out_w * out_h * out_d) * depth
        total = T(0)
        for a in range(first[d], end[d]):
            for b in range(first[h], end[h]):
                row = ((plane + a) * height + b) * width
                for c in range(first[w], end[w]):
                    total += x[row + c]
        out[i] = T(total / T(length[d] * length[h] * length[w]))


@kernel
def spread_average(
    g, out, n, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The transpose of `average`. One thread owns every gridsize-th element and adds up its
    windows.
    """
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        w = i % width
        h = i // width % height
        d = i // (width * height) % depth
        plane = i // (width * height * depth) * out_d
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
                                share = g[((plane + a) * out_h + b) * out_w + c]
                                total += share / T(length[at_d] * length[at_h] * length[at_w])
        out[i] = total


def launch_max(input, out, out1, counts, table, dilation):
    """A function of (input, out, indices)."""
    sizes = input.shape[input.ndim - len(counts) :]
    tables = [memory.from_host(a) for a in (table.start, table.end, table.offset)]
    facts = out.numel, *three(sizes, 1), *three(counts, 1), *three(dilation, 1), *tables
    launch = max_pool.compile(input, out, out1, *facts)[grid(out.numel)]
    return lambda x, y, i: launch(x, y, i, *facts)


@contiguous
def max_pool_op(input, out, out1, *, kernel_size, stride, padding, dilation, ceil_mode):
    """A function of (input, out, indices)."""
    n = len(kernel_size)
    counts, sizes = out.shape[out.ndim - n :], input.shape[input.ndim - n :]
    table = windows.fixed(
        three(sizes, 1),
        three(counts, 1),
        three(kernel_size, 1),
        three(stride, 1),
        three(padding, 0),
        three(dilation, 1),
    )
    return launch_max(input, out, out1, counts, table, dilation)


@contiguous
def adaptive_max_pool_op(input, out, out1, *, output_size):
    """A function of (input, out, indices)."""
    n = len(output_size)
    table = windows.adaptive(three(input.shape[input.ndim - n :], 1), three(output_size, 1))
    return launch_max(input, out, out1, output_size, table, (1,) * n)


@contiguous
def max_pool_scatter(grad, indices, out, *, size):
    """A function of (gradient, indices, out)."""
    planes = math.prod(out.shape[: out.ndim - len(size)])
    facts = planes, math.prod(size), math.prod(indices.shape[indices.ndim - len(size) :])
    launch = scatter_planes.compile(grad, indices, out, *facts)[grid(planes, 1)[0], THREADS]
    return lambda g, i, y: launch(g, i, y, *facts)


@contiguous
def max_pool_gather(input, indices, out, *, size):
    """A function of (input, indices, out)."""
    facts = out.numel, math.prod(size), math.prod(indices.shape[indices.ndim - len(size) :])
    launch = gather_planes.compile(input, indices, out, *facts)[grid(out.numel)]
    return lambda x, i, y: launch(x, i, y, *facts)


def launch_average(kernel_, source, target, sizes, counts, table):
    """A function of (source, target) that runs `average` or its transpose."""
    tables = [memory.from_host(a) for a in (table.start, table.end, table.length, table.offset)]
    facts = target.numel, *three(sizes, 1), *three(counts, 1), *tables
    launch = kernel_.compile(source, target, *facts)[grid(target.numel)]
    return lambda x, y: launch(x, y, *facts)


avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad = average_launchers(
    launch_average, average, spread_average
)
