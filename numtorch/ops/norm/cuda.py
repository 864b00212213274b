"""CUDA kernels of normalization. Sums are taken by blocks, in one order whatever the grid.

Channels of (n, c, s) get a block each, whose threads walk over (n, s). With s = 1 neighbouring
threads read neighbouring channels: a block of TILE x TILE threads owns TILE channels.
"""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, TILE, bind, cuda, grid, inline, kernel, like
from ...backends.registry import contiguous
from .group_cuda import *  # noqa: F403
from .length_cuda import *  # noqa: F403
from .pieces_cuda import run_moments, run_scale


@inline
def column_sum(parts, value):
    """The sum of `value` over a column of the TILE x TILE threads, which must all call."""
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    cuda.syncthreads()  # an earlier call's result may still be read
    parts[y, x] = value
    half = TILE // 2
    while half > 0:
        cuda.syncthreads()
        if y < half:
            parts[y, x] += parts[y + half, x]
        half //= 2
    cuda.syncthreads()
    return parts[0, x]


@inline
def step(i, j, s):
    """The (sample, place) THREADS places after (i, j); few divisions, as those are slow."""
    j += THREADS
    if j >= 8 * s:
        i += j // s
        j %= s
    while j >= s:
        j -= s
        i += 1
    return i, j


# -- batch norm --------------------------------------------------------------------------------
@inline
def channel_spread(x, k, n, c, s, centre):
    """This thread's part of (sum of x - centre, sum of (x - centre)^2) over channel k."""
    total, squares = like(centre, 0), like(centre, 0)
    i, j = cuda.threadIdx.x // s, cuda.threadIdx.x % s
    while i < n:
        d = x[(i * c + k) * s + j] - centre
        total += d
        squares += d * d
        i, j = step(i, j, s)
    return total, squares


@inline
def channel_products(g, x, k, n, c, s, centre):
    """This thread's part of (sum of g, sum of g * (x - centre)) over channel k."""
    total, products = like(centre, 0), like(centre, 0)
    i, j = cuda.threadIdx.x // s, cuda.threadIdx.x % s
    while i < n:
        at = (i * c + k) * s + j
        total += g[at]
        products += g[at] * (x[at] - centre)
        i, j = step(i, j, s)
    return total, products


@kernel
def batch_norm_planes(x, weight, bias, out, mean, invstd, variance, n, c, s, eps):
    """out = (x - mean) * invstd * weight + bias. (n, c, s). A block owns a channel at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    count = T(n * s)
    for k in range(cuda.blockIdx.x, c, cuda.gridDim.x):
        centre = block_sum(parts, channel_spread(x, k, n, c, s, T(0))[0]) / count
        squares = block_sum(parts, channel_spread(x, k, n, c, s, centre)[1])
        scale = T(1) / math.sqrt(squares / count + T(eps))
        if cuda.threadIdx.x == 0:
            mean[k], invstd[k], variance[k] = centre, scale, squares / (count - T(1))
        factor = scale if weight is None else scale * weight[k]
        shift = T(0) if bias is None else bias[k]
        i, j = cuda.threadIdx.x // s, cuda.threadIdx.x % s
        while i < n:
            at = (i * c + k) * s + j
            out[at] = (x[at] - centre) * factor + shift
            i, j = step(i, j, s)


@kernel
def batch_norm_columns(x, weight, bias, out, mean, invstd, variance, n, c, s, eps):
    """The same for (n, c) with s = 1. A block owns TILE channels at a time, a column one."""
    T = x.dtype.type
    parts = cuda.shared.array((TILE, TILE), x.dtype)
    row = cuda.threadIdx.y
    for first in range(cuda.blockIdx.x * TILE, c, cuda.gridDim.x * TILE):
        k = first + cuda.threadIdx.x
        mine = n if k < c else 0  # threads beyond the last channel only help to add
        total = T(0)
        for i in range(row, mine, TILE):
            total += x[i * c + k]
        centre = column_sum(parts, total) / T(n)
        squares = T(0)
        for i in range(row, mine, TILE):
            d = x[i * c + k] - centre
            squares += d * d
        squares = column_sum(parts, squares)
        scale = T(1) / math.sqrt(squares / T(n) + T(eps))
        if k < c:
            if row == 0:
                mean[k], invstd[k], variance[k] = centre, scale, squares / (T(n) - T(1))
            factor = scale if weight is None else scale * weight[k]
            shift = T(0) if bias is None else bias[k]
            for i in range(row, n, TILE):
                out[i * c + k] = (x[i * c + k] - centre) * factor + shift


@kernel
def batch_norm_backward_planes(g, x, weight, mean, invstd, gx, gw, gb, n, c, s):
    """Gradients for input, weight and bias. A block owns a channel at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    count = T(n * s)
    for k in range(cuda.blockIdx.x, c, cuda.gridDim.x):
        centre, scale = mean[k], invstd[k]
        total, products = channel_products(g, x, k, n, c, s, centre)
        total = block_sum(parts, total)
        products = block_sum(parts, products) * scale
        if cuda.threadIdx.x == 0:
            gb[k], gw[k] = total, products
        average = total / count
        slope = products * scale / count
        factor = scale if weight is None else scale * weight[k]
        i, j = cuda.threadIdx.x // s, cuda.threadIdx.x % s
        while i < n:
            at = (i * c + k) * s + j
            gx[at] = (g[at] - average - (x[at] - centre) * slope) * factor
            i, j = step(i, j, s)


@kernel
def batch_norm_backward_columns(g, x, weight, mean, invstd, gx, gw, gb, n, c, s):
    """The same for (n, c) with s = 1. A block owns TILE channels at a time, a column one."""
    T = x.dtype.type
    parts = cuda.shared.array((TILE, TILE), x.dtype)
    row = cuda.threadIdx.y
    for first in range(cuda.blockIdx.x * TILE, c, cuda.gridDim.x * TILE):
        k = first + cuda.threadIdx.x
        mine = n if k < c else 0
        centre, scale = (mean[k], invstd[k]) if k < c else (T(0), T(0))
        total, products = T(0), T(0)
        for i in range(row, mine, TILE):
            at = i * c + k
            total += g[at]
            products += g[at] * (x[at] - centre)
        total = column_sum(parts, total)
        products = column_sum(parts, products) * scale
        if k < c:
            if row == 0:
                gb[k], gw[k] = total, products
            average = total / T(n)
            slope = products * scale / T(n)
            factor = scale if weight is None else scale * weight[k]
            for i in range(row, n, TILE):
                at = i * c + k
                gx[at] = (g[at] - average - (x[at] - centre) * slope) * factor


@kernel
def eval_backward_channels(g, x, weight, mean, var, gx, gw, gb, n, c, s, eps):
    """Gradients for input, weight and bias with given statistics. A block owns a channel."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for k in range(cuda.blockIdx.x, c, cuda.gridDim.x):
        scale = T(1) / math.sqrt(var[k] + T(eps))
        total, products = channel_products(g, x, k, n, c, s, mean[k])
        total = block_sum(parts, total)
        products = block_sum(parts, products) * scale
        if cuda.threadIdx.x == 0:
            gb[k], gw[k] = total, products
        factor = scale if weight is None else scale * weight[k]
        i, j = cuda.threadIdx.x // s, cuda.threadIdx.x % s
        while i < n:
            at = (i * c + k) * s + j
            gx[at] = g[at] * factor
            i, j = step(i, j, s)


@kernel
def normalize_channels(x, mean, var, weight, bias, out, numel, c, s, eps):
    """out = (x - mean) / sqrt(var + eps) * weight + bias. A thread owns elements of out."""
    T = x.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        k = item // s % c
        factor = T(1) / math.sqrt(var[k] + T(eps))
        if weight is not None:
            factor *= weight[k]
        centre = T(0) if mean is None else mean[k]
        shift = T(0) if bias is None else bias[k]
        out[item] = (x[item] - centre) * factor + shift


def _sizes(spec) -> tuple[int, int, int]:
    """(n, c, s) of (n, c, ...); s is never 0, as kernels divide by it."""
    n, c, s = spec.shape[0], spec.shape[1], math.prod(spec.shape[2:])
    return (n, c, s) if s else (0, c, 1)


def _channels(planes, columns, specs, sizes, *options):
    """A launch that gives each channel to a block (`planes`), or to a column of one."""
    _, c, s = sizes
    if s == 1:
        kernel, config = columns, (grid(c, TILE)[0], (TILE, TILE))
    else:
        kernel, config = planes, (grid(c, 1)[0], THREADS)
    return bind(kernel.compile(*specs, *sizes, *options)[config], len(specs), *sizes, *options)


@contiguous
def batch_norm_op(input, weight, bias, out, mean, invstd, variance, *, eps):
    """Mean, then variance, then the result."""
    specs = input, weight, bias, out, mean, invstd, variance
    return _channels(batch_norm_planes, batch_norm_columns, specs, _sizes(input), float(eps))


@contiguous
def batch_norm_backward_op(grad, input, weight, mean, invstd, out, out1, out2):
    """Both sums, then the input's gradient."""
    specs = grad, input, weight, mean, invstd, out, out1, out2
    planes, columns = batch_norm_backward_planes, batch_norm_backward_columns
    return _channels(planes, columns, specs, _sizes(input))


@contiguous
def batch_norm_eval_op(input, mean, var, weight, bias, out, *, eps):
    """One pass."""
    _, c, s = _sizes(input)
    specs, numbers = (input, mean, var, weight, bias, out), (out.numel, c, s, float(eps))
    launch = normalize_channels.compile(*specs, *numbers)[grid(out.numel)]
    return bind(launch, len(specs), *numbers)


@contiguous
def batch_norm_eval_backward_op(grad, input, weight, mean, var, out, out1, out2, *, eps):
    """Both sums and the input's gradient."""
    specs, numbers = (grad, input, weight, mean, var, out, out1, out2), (*_sizes(input), float(eps))
    launch = eval_backward_channels.compile(*specs, *numbers)[grid(input.shape[1], 1)[0], THREADS]
    return bind(launch, len(specs), *numbers)


# -- layer norm --------------------------------------------------------------------------------
@kernel
def layer_norm_rows(x, weight, bias, out, mean, rstd, rows, n, eps):
    """out = (x - mean) * rstd * weight + bias; RMS norm, for which the mean is 0, if it is None.

    A block owns a row at a time.
    """
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, centre = i * n, T(0)
        if mean is None:
            scale = run_scale(parts, x, at, n, centre, eps)
        else:
            centre, scale = run_moments(parts, x, at, n, eps)
        if cuda.threadIdx.x == 0:
            rstd[i] = scale
            if mean is not None:
                mean[i] = centre
        for j in range(cuda.threadIdx.x, n, THREADS):
            y = (x[at + j] - centre) * scale
            if weight is not None:
                y *= weight[j]
            if bias is not None:
                y += bias[j]
            out[at + j] = y


@kernel
def layer_norm_backward_rows(g, x, weight, mean, rstd, gx, rows, n):
    """The gradient for the input; of RMS norm if the mean is None. A block owns a row at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, centre, scale = i * n, T(0) if mean is None else mean[i], rstd[i]
        total, products = T(0), T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = g[at + j] if weight is None else g[at + j] * weight[j]
            total += v
            products += v * (x[at + j] - centre)
        average = T(0) if mean is None else block_sum(parts, total) / T(n)
        slope = block_sum(parts, products) * scale * scale / T(n)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = g[at + j] if weight is None else g[at + j] * weight[j]
            gx[at + j] = (v - average - (x[at + j] - centre) * slope) * scale


@kernel
def layer_norm_backward_columns(g, x, mean, rstd, gw, gb, rows, n):
    """The gradients for weight and bias. A block owns TILE columns at a time."""
    T = x.dtype.type
    parts = cuda.shared.array((TILE, TILE), x.dtype)
    for first in range(cuda.blockIdx.x * TILE, n, cuda.gridDim.x * TILE):
        j = first + cuda.threadIdx.x
        weights, biases = T(0), T(0)
        for i in range(cuda.threadIdx.y, rows if j < n else 0, TILE):
            v = g[i * n + j]
            biases += v
            weights += v * (x[i * n + j] - (T(0) if mean is None else mean[i])) * rstd[i]
        weights = column_sum(parts, weights)
        biases = column_sum(parts, biases)
        if cuda.threadIdx.y == 0 and j < n:
            gw[j] = weights
            if mean is not None:
                gb[j] = biases


@contiguous
def layer_norm_op(input, weight, bias, out, mean, rstd, *, normalized_shape, eps):
    """Mean, then variance, then the result."""
    rows, numbers = mean.numel, (mean.numel, math.prod(normalized_shape), float(eps))
    specs = input, weight, bias, out, mean, rstd
    launch = layer_norm_rows.compile(*specs, *numbers)[grid(rows, 1)[0], THREADS]
    return bind(launch, len(specs), *numbers)


@contiguous
def layer_norm_backward_op(
    grad, input, weight, mean, rstd, out, out1, out2, *,
    normalized_shape, for_input, for_parameters,
):  # fmt: skip
    """Rows for the input, then columns for the parameters."""
    rows, n = rstd.numel, math.prod(normalized_shape)
    by_row = layer_norm_backward_rows.compile(grad, input, weight, mean, rstd, out, rows, n)
    by_row = by_row[grid(rows, 1)[0], THREADS]
    by_column = layer_norm_backward_columns.compile(grad, input, mean, rstd, out1, out2, rows, n)
    by_column = by_column[grid(n, TILE)[0], (TILE, TILE)]

    def run(g, x, w, m, r, gx, gw, gb):
        if for_input:
            by_row(g, x, w, m, r, gx, rows, n)
        if for_parameters:
            by_column(g, x, m, r, gw, gb, rows, n)

    return run


# -- RMS norm ----------------------------------------------------------------------------------
@contiguous
def rms_norm_op(input, weight, out, rstd, *, normalized_shape, eps):
    """Layer norm without a mean."""
    rows, numbers = rstd.numel, (rstd.numel, math.prod(normalized_shape), float(eps))
    launch = layer_norm_rows.compile(input, weight, None, out, None, rstd, *numbers)
    launch = launch[grid(rows, 1)[0], THREADS]
    return lambda x, w, y, r: launch(x, w, None, y, None, r, *numbers)


@contiguous
def rms_norm_backward_op(
    grad, input, weight, rstd, out, out1, *, normalized_shape, for_input, for_parameters
):
    """The same, backward."""
    specs = grad, input, weight, None, rstd, out, out1, None
    given = {"for_input": for_input, "for_parameters": for_parameters}
    both = layer_norm_backward_op(*specs, normalized_shape=normalized_shape, **given)
    return lambda g, x, w, r, gx, gw: both(g, x, w, None, r, gx, gw, None)
