"""CPU kernels of normalization.

Sums over a row are float32 in pieces, float64 over pieces and rows.
"""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, exact, kernel, prange
from ...backends.registry import contiguous
from . import columns
from .group_cpu import *  # noqa: F403
from .layout_cpu import in_one_layout, sizes_of
from .length_cpu import *  # noqa: F403
from .pieces import PIECE, join_parameters, products, pulled, spread

GROUPS = 64  # of rows, whose sums for the parameters are joined in float64


# -- batch norm ----------------------------------------------------------------------------------
@kernel(fastmath="sum")
def batch_norm_planes(x, weight, bias, out, mean, invstd, variance, n, c, s, eps):
    """out = (x - mean) * invstd * weight + bias. (n, c, s).

    One iteration of the parallel loop owns one channel.
    """
    T = x.dtype.type
    count = n * s
    for k in prange(c):
        total = 0.0
        for i in range(n):
            total += spread(x, (i * c + k) * s, s, T(0))[0]
        centre = T(total / count)
        squares = 0.0
        for i in range(n):
            squares += spread(x, (i * c + k) * s, s, centre)[1]
        scale = 1.0 / math.sqrt(squares / count + eps)
        mean[k], invstd[k], variance[k] = centre, T(scale), T(squares / (count - 1.0))
        factor = T(scale) if weight is None else T(scale) * weight[k]
        shift = T(0) if bias is None else bias[k]
        for i in range(n):
            at = (i * c + k) * s
            for j in range(at, at + s):
                out[j] = (x[j] - centre) * factor + shift


@in_one_layout("input")
def batch_norm_op(input, weight, bias, out, mean, invstd, variance, *, eps):
    """Three passes over each channel, which stays in the cache."""
    facts = n, c, s, eps = *sizes_of(input), float(eps)
    specs = input, weight, bias, out, mean, invstd, variance
    if s == 1:
        return columns.forward(*specs, n, c, eps)
    return bind(batch_norm_planes.compile(*specs, *facts, work=4 * input.numel), 7, *facts)


@kernel(fastmath="sum")
def batch_norm_backward_planes(g, x, weight, mean, invstd, gx, gw, gb, n, c, s):
    """Gradients for input, weight, bias. One iteration of the parallel loop owns one channel."""
    T = x.dtype.type
    count = n * s
    for k in prange(c):
        centre, scale = mean[k], invstd[k]
        total, product = 0.0, 0.0
        for i in range(n):
            a, b = products(g, None, 0, x, (i * c + k) * s, s, centre)
            total += a
            product += b
        gb[k], gw[k] = T(total), T(product * scale)
        average = T(total / count)
        slope = T(product * scale * scale / count)
        factor = scale if weight is None else scale * weight[k]
        for i in range(n):
            at = (i * c + k) * s
            for j in range(at, at + s):
                gx[j] = (g[j] - average - (x[j] - centre) * slope) * factor


@in_one_layout("grad input")
def batch_norm_backward_op(grad, input, weight, mean, invstd, out, out1, out2):
    """Two passes over each channel."""
    facts = n, c, s = sizes_of(input)
    specs = grad, input, weight, mean, invstd, out, out1, out2
    if s == 1:
        return columns.backward(*specs, n, c)
    return bind(batch_norm_backward_planes.compile(*specs, *facts, work=4 * input.numel), 8, *facts)


@kernel
def normalize_planes(x, mean, var, weight, bias, out, n, c, s, eps):
    """out = (x - mean) / sqrt(var + eps) * weight + bias.

    One iteration of the parallel loop owns one channel of one sample.
    """
    T = x.dtype.type
    for p in prange(n * c):
        k = p % c
        factor = T(1.0 / math.sqrt(var[k] + eps))
        if weight is not None:
            factor *= weight[k]
        centre = T(0) if mean is None else mean[k]
        shift = T(0) if bias is None else bias[k]
        for j in range(p * s, (p + 1) * s):
            out[j] = (x[j] - centre) * factor + shift


@in_one_layout("input")
def batch_norm_eval_op(input, mean, var, weight, bias, out, *, eps):
    """One pass."""
    facts = n, c, s, eps = *sizes_of(input), float(eps)
    specs = input, mean, var, weight, bias, out
    if s == 1:
        return columns.evaluated(*specs, n, c, eps)
    return bind(normalize_planes.compile(*specs, *facts, work=2 * input.numel), 6, *facts)


@kernel(fastmath="sum")
def eval_backward_planes(g, x, weight, mean, var, gx, gw, gb, n, c, s, eps):
    """Gradients for input, weight and bias. One iteration of the parallel loop owns one channel."""
    T = x.dtype.type
    for k in prange(c):
        centre, scale = mean[k], T(1.0 / math.sqrt(var[k] + eps))
        factor = scale if weight is None else scale * weight[k]
        total, product = 0.0, 0.0
        for i in range(n):
            at = (i * c + k) * s
            for first in range(0, s, PIECE):
                part, both = T(0), T(0)
                for j in range(at + first, at + min(first + PIECE, s)):
                    v = g[j]
                    part += v
                    both += v * (x[j] - centre)
                    gx[j] = v * factor
                total += part
                product += both
        gb[k], gw[k] = T(total), T(product * scale)


@in_one_layout("grad input")
def batch_norm_eval_backward_op(grad, input, weight, mean, var, out, out1, out2, *, eps):
    """One pass."""
    facts = n, c, s, eps = *sizes_of(input), float(eps)
    specs = grad, input, weight, mean, var, out, out1, out2
    if s == 1:
        return columns.eval_backward(*specs, n, c, eps)
    return bind(eval_backward_planes.compile(*specs, *facts, work=4 * input.numel), 8, *facts)


# -- layer norm ----------------------------------------------------------------------------------
@exact
def scaled(factor, distance, scale):
    """factor * (distance * scale), in this order in every variant of a kernel."""
    return factor * (distance * scale)


@kernel(fastmath="sum")
def layer_norm_rows(x, weight, bias, out, mean, rstd, rows, n, eps):
    """out = (x - mean) * rstd * weight + bias; RMS norm, for which the mean is 0, if it is None.

    One iteration of the parallel loop owns one row.
    """
    T = x.dtype.type
    for i in prange(rows):
        at, centre = i * n, T(0)
        if mean is not None:
            centre = T(spread(x, at, n, T(0))[0] / n)
            mean[i] = centre
        scale = T(1.0 / math.sqrt(spread(x, at, n, centre)[1] / n + eps))
        rstd[i] = scale
        for j in range(n):
            y = scaled(T(1) if weight is None else weight[j], x[at + j] - centre, scale)
            out[at + j] = y if bias is None else y + bias[j]


@contiguous
def layer_norm_op(input, weight, bias, out, mean, rstd, *, normalized_shape, eps):
    """Three passes over each row, which stays in the cache."""
    facts = mean.numel, math.prod(normalized_shape), float(eps)
    specs = input, weight, bias, out, mean, rstd
    return bind(layer_norm_rows.compile(*specs, *facts, work=4 * input.numel), 6, *facts)


@kernel(fastmath="sum")
def layer_norm_backward_rows(
    g, x, weight, mean, rstd, gx, parts, rows, n, group, for_input, for_parameters
):
    """The gradient for the input, and what `group` rows add to those for weight and bias: their two
    rows of `parts`. One iteration of the parallel loop owns a group. RMS norm if the mean is None.

    Both from one pass over memory: a row is in the L1 cache when it is read again.
    """
    T = x.dtype.type
    for piece in prange((rows + group - 1) // group):
        first = np.int64(piece) * group
        to = np.int64(piece) * 2 * n
        if for_parameters:
            for j in range(2 * n):
                parts[to + j] = T(0)
        for i in range(first, min(first + group, rows)):
            at, centre, scale = i * n, T(0) if mean is None else mean[i], rstd[i]
            if for_input:
                total, product = products(g, weight, 0, x, at, n, centre)
                average = T(0) if mean is None else T(total / n)
                slope = T(product * scale * scale / n)
                for j in range(n):
                    v = g[at + j] if weight is None else g[at + j] * weight[j]
                    gx[at + j] = pulled(v, average, x[at + j] - centre, slope, scale)
            if for_parameters:
                for j in range(n):
                    parts[to + j] += scaled(g[at + j], x[at + j] - centre, scale)
                    if mean is not None:
                        parts[to + n + j] += g[at + j]


@contiguous
def layer_norm_backward_op(
    grad, input, weight, mean, rstd, out, out1, out2, *,
    normalized_shape, for_input, for_parameters,
):  # fmt: skip
    """Groups of rows, then the sums of the groups."""
    rows, n = rstd.numel, math.prod(normalized_shape)
    group = max(8, -(-rows // GROUPS))
    groups = -(-rows // group)
    parts = input.like((groups, 2, n))
    facts = rows, n, group, int(for_input), int(for_parameters)
    specs = grad, input, weight, mean, rstd, out, parts
    run = layer_norm_backward_rows.compile(*specs, *facts, work=4 * input.numel)
    make = memory.allocator(parts)
    join = join_parameters.compile(parts, out1, out2, 1, 1, work=parts.numel)

    def both(g, x, w, m, r, gx, gw, gb):
        sums = make()
        run(g, x, w, m, r, gx, sums, *facts)
        if for_parameters:
            join(sums, gw, gb, groups, n)

    return both


# -- RMS norm ------------------------------------------------------------------------------------
@contiguous
def rms_norm_op(input, weight, out, rstd, *, normalized_shape, eps):
    """Layer norm without a mean."""
    facts = rstd.numel, math.prod(normalized_shape), float(eps)
    specs = input, weight, None, out, None, rstd
    run = layer_norm_rows.compile(*specs, *facts, work=4 * input.numel)
    return lambda x, w, y, r: run(x, w, None, y, None, r, *facts)


@contiguous
def rms_norm_backward_op(
    grad, input, weight, rstd, out, out1, *, normalized_shape, for_input, for_parameters
):
    """The same, backward."""
    specs = grad, input, weight, None, rstd, out, out1, None
    given = {"for_input": for_input, "for_parameters": for_parameters}
    both = layer_norm_backward_op(*specs, normalized_shape=normalized_shape, **given)
    return lambda g, x, w, r, gx, gw: both(g, x, w, None, r, gx, gw, None)
