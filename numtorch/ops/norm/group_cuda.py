"""CUDA kernels of group norm. A group is one run of memory, of which each channel is a part."""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.registry import contiguous
from .pieces_cuda import run_moments

__all__ = ["group_norm_backward_op", "group_norm_op"]


@kernel
def group_norm_runs(x, weight, bias, out, mean, rstd, rows, groups, c, s, eps):
    """out = (x - mean) * rstd * weight + bias. A block owns a group of a sample at a time."""
    parts = cuda.shared.array(THREADS, x.dtype)
    n = c * s
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, channel = i * n, i % groups * c
        centre, scale = run_moments(parts, x, at, n, eps)
        if cuda.threadIdx.x == 0:
            mean[i], rstd[i] = centre, scale
        for j in range(cuda.threadIdx.x, n, THREADS):
            y = (x[at + j] - centre) * scale
            if weight is not None:
                y *= weight[channel + j // s]
            if bias is not None:
                y += bias[channel + j // s]
            out[at + j] = y


@kernel
def group_norm_backward_runs(g, x, weight, mean, rstd, gx, rows, groups, c, s):
    """The gradient for the input. A block owns a group of a sample at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    n = c * s
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, channel, centre, scale = i * n, i % groups * c, mean[i], rstd[i]
        total, products = T(0), T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = g[at + j] if weight is None else g[at + j] * weight[channel + j // s]
            total += v
            products += v * (x[at + j] - centre)
        average = block_sum(parts, total) / T(n)
        slope = block_sum(parts, products) * scale * scale / T(n)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = g[at + j] if weight is None else g[at + j] * weight[channel + j // s]
            gx[at + j] = (v - average - (x[at + j] - centre) * slope) * scale


@kernel
def group_norm_backward_channels(g, x, mean, rstd, gw, gb, samples, groups, c, s):
    """The gradients for weight and bias. A block owns a channel at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    channels = groups * c
    for k in range(cuda.blockIdx.x, channels, cuda.gridDim.x):
        weights, biases = T(0), T(0)
        for i in range(samples):
            at, row = (i * channels + k) * s, i * groups + k // c
            for j in range(cuda.threadIdx.x, s, THREADS):
                biases += g[at + j]
                weights += g[at + j] * (x[at + j] - mean[row]) * rstd[row]
        weights, biases = block_sum(parts, weights), block_sum(parts, biases)
        if cuda.threadIdx.x == 0:
            gw[k], gb[k] = weights, biases


@contiguous
def group_norm_op(input, weight, bias, out, mean, rstd, *, num_groups, eps):
    """Mean, then variance, then the result."""
    rows, c, s = mean.numel, input.shape[1] // num_groups, math.prod(input.shape[2:])
    numbers = rows, num_groups, c, s, float(eps)
    specs = input, weight, bias, out, mean, rstd
    launch = group_norm_runs.compile(*specs, *numbers)[grid(rows, 1)[0], THREADS]
    return lambda x, w, b, y, m, r: launch(x, w, b, y, m, r, *numbers)


@contiguous
def group_norm_backward_op(grad, input, weight, mean, rstd, out, out1, out2):
    """Groups for the input, then channels for the parameters."""
    samples, groups = mean.shape
    channels, s = input.shape[1], math.prod(input.shape[2:])
    sizes = groups, channels // max(groups, 1), s
    specs = grad, input, weight, mean, rstd, out
    by_group = group_norm_backward_runs.compile(*specs, mean.numel, *sizes)
    by_group = by_group[grid(mean.numel, 1)[0], THREADS]
    specs = grad, input, mean, rstd, out1, out2
    by_channel = group_norm_backward_channels.compile(*specs, samples, *sizes)
    by_channel = by_channel[grid(channels, 1)[0], THREADS]

    def run(g, x, w, m, r, gx, gw, gb):
        by_group(g, x, w, m, r, gx, mean.numel, *sizes)
        by_channel(g, x, m, r, gw, gb, samples, *sizes)

    return run
