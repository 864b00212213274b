"""CPU kernels of group norm. A group is one run of memory, of which each channel is a part."""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import exact, kernel, prange
from ...backends.registry import contiguous
from .pieces import join_parameters, moments, products, pulled

__all__ = ["group_norm_backward_op", "group_norm_op"]


@exact
def moved(x, centre, factor, shift):
    """(x - centre) * factor + shift, in this order in every variant of a kernel."""
    return (x - centre) * factor + shift


@kernel(fastmath="sum")
def group_norm_runs(x, weight, bias, out, mean, rstd, rows, groups, c, s, eps):
    """out = (x - mean) * rstd * weight + bias, with `c` channels of `s` elements in a group.

    One iteration of the parallel loop owns one group of one sample.
    """
    T = x.dtype.type
    n = c * s
    for piece in prange(rows):
        i = np.int64(piece)
        at, channel = i * n, i % groups * c
        average, squares = moments(x, at, n)
        centre, scale = T(average), T(1.0 / math.sqrt(squares / n + eps))
        mean[i], rstd[i] = centre, scale
        for k in range(c):
            factor = scale if weight is None else scale * weight[channel + k]
            shift = T(0) if bias is None else bias[channel + k]
            for j in range(at + k * s, at + (k + 1) * s):
                out[j] = moved(x[j], centre, factor, shift)


@contiguous
def group_norm_op(input, weight, bias, out, mean, rstd, *, num_groups, eps):
    """Two passes over each group."""
    c, s = input.shape[1] // num_groups, math.prod(input.shape[2:])
    facts = mean.numel, num_groups, c, s, float(eps)
    specs = input, weight, bias, out, mean, rstd
    run = group_norm_runs.compile(*specs, *facts, work=4 * input.numel)
    return lambda x, w, b, y, m, r: run(x, w, b, y, m, r, *facts)


@kernel(fastmath="sum")
def group_norm_backward_runs(g, x, weight, mean, rstd, gx, parts, rows, groups, c, s):
    """The gradient for the input, and what a sample adds to those for weight and bias: its two rows
    of `parts`. One iteration of the parallel loop owns one group of one sample.
    """
    T = x.dtype.type
    n, channels = c * s, groups * c
    for piece in prange(rows):
        i = np.int64(piece)
        at, channel, centre, scale = i * n, i % groups * c, mean[i], rstd[i]
        to = i // groups * 2 * channels + channel
        total, product = 0.0, 0.0
        for k in range(c):
            a, b = products(g, None, 0, x, at + k * s, s, centre)
            factor = 1.0 if weight is None else float(weight[channel + k])
            total += a * factor
            product += b * factor
            parts[to + k], parts[to + channels + k] = T(b * scale), T(a)
        average, slope = T(total / n), T(product * scale * scale / n)
        for k in range(c):
            factor = T(1) if weight is None else weight[channel + k]
            for j in range(at + k * s, at + (k + 1) * s):
                gx[j] = pulled(g[j] * factor, average, x[j] - centre, slope, scale)


@contiguous
def group_norm_backward_op(grad, input, weight, mean, rstd, out, out1, out2):
    """Two passes over each group, then the sums of the samples."""
    samples, groups = mean.shape
    channels, s = input.shape[1], math.prod(input.shape[2:])
    parts = input.like((samples, 2, channels))
    facts = mean.numel, groups, channels // max(groups, 1), s
    specs = grad, input, weight, mean, rstd, out, parts
    run = group_norm_backward_runs.compile(*specs, *facts, work=4 * input.numel)
    make = memory.allocator(parts)
    join = join_parameters.compile(parts, out1, out2, 1, 1, work=parts.numel)

    def both(g, x, w, m, r, gx, gw, gb):
        sums = make()
        run(g, x, w, m, r, gx, sums, *facts)
        join(sums, gw, gb, samples, channels)

    return both
