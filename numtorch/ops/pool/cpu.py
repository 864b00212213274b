"""CPU pooling: one iteration of the parallel loop owns one plane (one channel of one image), so
nothing is shared.
"""

import math

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.registry import contiguous
from . import windows
from .averages import average_launchers
from .rows import max_row
from .windows import three


@kernel
def max_pool(
    x,
    out,
    indices,
    planes,
    depth,
    height,
    width,
    out_d,
    out_h,
    out_w,
    dd,
    dh,
    dw,
    first,
    end,
    offset,
    taps,
):
    """The maximum of each window, and its index in the plane (-1 where all of the window is
    padding).
    """
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    for p in prange(planes):
        to = p * out_d * out_h * out_w
        for d in range(out_d):
            for h in range(out_h):
                d0, h0 = first[at_d + d], first[at_h + h]
                slices, rows = (
                    (end[at_d + d] - d0 + dd - 1) // dd,
                    (end[at_h + h] - h0 + dh - 1) // dh,
                )
                some = slices > 0 and rows > 0
                max_row(
                    x, p * depth * height * width, (d0 * height + h0) * width, max(rows, 1),
                    dh * width, max(slices, 1), dd * height * width, out, indices, to, out_w, first,
                    end, at_w, dw, taps if some else 0,
                )  # fmt: skip
                to += out_w


@kernel
def scatter_planes(g, indices, out, planes, elements, windows):
    """out = 0; out[indices] += g in each plane, in the order of the windows."""
    for p in prange(planes):
        for i in range(elements):
            out[p * elements + i] = out.dtype.type(0)
        for i in range(windows):
            at = indices[p * windows + i]
            if at >= 0:
                out[p * elements + at] += g[p * windows + i]


@kernel
def gather_planes(x, indices, out, planes, elements, windows):
    """out = x[indices] in each plane."""
    for p in prange(planes):
        for i in range(windows):
            at = indices[p * windows + i]
            out[p * windows + i] = x[p * elements + at] if at >= 0 else out.dtype.type(0)


@kernel
def average(x, out, planes, depth, height, width, out_d, out_h, out_w, first, end, length, offset):
    """The sum of each window's elements over its divisor."""
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    T = x.dtype.type
    for p in prange(planes):
        to = p * out_d * out_h * out_w
        for d in range(at_d, at_d + out_d):
            for h in range(at_h, at_h + out_h):
                for w in range(at_w, at_w + out_w):
                    total = T(0)
                    for i in range(first[d], end[d]):
                        for j in range(first[h], end[h]):
                            row = ((p * depth + i) * height + j) * width
                            for k in range(first[w], end[w]):
                                total += x[row + k]
                    out[to] = T(total / T(length[d] * length[h] * length[w]))
                    to += 1


@kernel
def spread_average(
    g, out, planes, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The transpose of `average`: every element gets its share of each window's gradient."""
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    T = out.dtype.type
    for p in prange(planes):
        for i in range(p * depth * height * width, (p + 1) * depth * height * width):
            out[i] = T(0)
        at = p * out_d * out_h * out_w
        for d in range(at_d, at_d + out_d):
            for h in range(at_h, at_h + out_h):
                for w in range(at_w, at_w + out_w):
                    share = g[at] / T(length[d] * length[h] * length[w])
                    at += 1
                    for i in range(first[d], end[d]):
                        for j in range(first[h], end[h]):
                            row = ((p * depth + i) * height + j) * width
                            for k in range(first[w], end[w]):
                                out[row + k] += share


def planes_of(spec, spatial: int) -> int:
    """How many planes (of all images and channels) a tensor has."""
    return math.prod(spec.shape[: spec.ndim - spatial])


def launch_max(input, out, out1, counts, table, dilation):
    """A function of (input, out, indices)."""
    n = len(counts)
    sizes = three(input.shape[input.ndim - n :], 1)
    facts = (
        planes_of(input, n), *sizes, *three(counts, 1), *three(dilation, 1),
        table.start, table.end, table.offset, table.taps,
    )  # fmt: skip
    run = max_pool.compile(input, out, out1, *facts, work=4 * out.numel)
    return bind(run, 3, *facts)


@contiguous
def max_pool_op(input, out, out1, *, kernel_size, stride, padding, dilation, ceil_mode):
    """A function of (input, out, indices)."""
    n = len(kernel_size)
    counts = out.shape[out.ndim - n :]
    sizes = input.shape[input.ndim - n :]
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
    """The gradient of max pools."""
    facts = (
        planes_of(out, len(size)),
        math.prod(size),
        math.prod(indices.shape[indices.ndim - len(size) :]),
    )
    run = scatter_planes.compile(grad, indices, out, *facts, work=grad.numel + out.numel)
    return bind(run, 3, *facts)


@contiguous
def max_pool_gather(input, indices, out, *, size):
    """The derivative of that."""
    facts = (
        planes_of(input, len(size)),
        math.prod(size),
        math.prod(indices.shape[indices.ndim - len(size) :]),
    )
    run = gather_planes.compile(input, indices, out, *facts, work=out.numel)
    return bind(run, 3, *facts)


def launch_average(kernel_, source, target, sizes, counts, table):
    """A function of (source, target) that runs `average` or its transpose."""
    facts = (
        planes_of(source, len(counts)), *three(sizes, 1), *three(counts, 1),
        table.start, table.end, table.length, table.offset,
    )  # fmt: skip
    run = kernel_.compile(source, target, *facts, work=source.numel + target.numel)
    return bind(run, 2, *facts)


avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad = average_launchers(
    launch_average, average, spread_average
)
