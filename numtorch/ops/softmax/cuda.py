"""CUDA kernels of softmax and log_softmax, over (outer, n, inner) with the softmax over n.

Rows (inner == 1) of more than a few elements get a block of threads, others a thread for each
result, so that neighbouring threads read neighbouring elements. `log` is None in the variants for
softmax.
"""

import math

from ...backends.cuda.blocks import block_max, block_sum
from ...backends.cuda.jit import THREADS, bind, cuda, grid, kernel
from ...backends.cuda.scalar import maximum

SHORT = 32  # elements of a row that a single thread takes


@kernel
def softmax_blocks(x, out, rows, n, log):
    """out = softmax or log_softmax of rows. A block owns a row at a time."""
    T = out.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        base = row * n
        most = T(-math.inf)
        for j in range(cuda.threadIdx.x, n, THREADS):
            most = maximum(most, x[base + j])
        most = block_max(parts, most)
        total = T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            total += math.exp(x[base + j] - most)
        total = block_sum(parts, total)
        shift = math.log(total)
        for j in range(cuda.threadIdx.x, n, THREADS):
            d = x[base + j] - most
            out[base + j] = math.exp(d) / total if log is None else d - shift


@kernel
def softmax_threads(x, out, columns, n, inner, log):
    """The same along the middle dimension. A thread owns a column at a time."""
    T = out.dtype.type
    for item in range(cuda.grid(1), columns, cuda.gridsize(1)):
        base = item // inner * (n - 1) * inner + item
        most = T(-math.inf)
        for i in range(n):
            most = maximum(most, x[base + i * inner])
        total = T(0)
        for i in range(n):
            total += math.exp(x[base + i * inner] - most)
        shift = math.log(total)
        for i in range(n):
            d = x[base + i * inner] - most
            out[base + i * inner] = math.exp(d) / total if log is None else d - shift


@kernel
def backward_blocks(g, y, out, rows, n, log):
    """out = y * (g - sum(g * y)), or g - exp(y) * sum(g), of rows. A block owns a row at a time."""
    T = out.dtype.type
    parts = cuda.shared.array(THREADS, y.dtype)
    for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        base = row * n
        total = T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            total += g[base + j] * y[base + j] if log is None else g[base + j]
        total = block_sum(parts, total)
        for j in range(cuda.threadIdx.x, n, THREADS):
            at = base + j
            if log is None:
                out[at] = y[at] * (g[at] - total)
            else:
                out[at] = g[at] - math.exp(y[at]) * total


@kernel
def backward_threads(g, y, out, columns, n, inner, log):
    """The same along the middle dimension. A thread owns a column at a time."""
    T = out.dtype.type
    for item in range(cuda.grid(1), columns, cuda.gridsize(1)):
        base = item // inner * (n - 1) * inner + item
        total = T(0)
        for i in range(n):
            at = base + i * inner
            total += g[at] * y[at] if log is None else g[at]
        for i in range(n):
            at = base + i * inner
            if log is None:
                out[at] = y[at] * (g[at] - total)
            else:
                out[at] = g[at] - math.exp(y[at]) * total


def _launch(blocks, threads, specs, dim, log):
    shape = specs[0].shape or (1,)
    dim %= len(shape)
    outer, n, inner = math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])
    if inner == 1 and n > SHORT:
        config = grid(outer, 1)[0], THREADS
        return bind(blocks.compile(*specs, outer, n, log)[config], len(specs), outer, n, log)
    numbers = (outer * inner, n, inner, log)
    return bind(threads.compile(*specs, *numbers)[grid(outer * inner)], len(specs), *numbers)


def softmax_op(input, out, *, dim):
    """out = softmax along dim."""
    return _launch(softmax_blocks, softmax_threads, (input, out), dim, None)


def log_softmax_op(input, out, *, dim):
    """out = log_softmax along dim."""
    return _launch(softmax_blocks, softmax_threads, (input, out), dim, 1)


def softmax_backward_op(grad, output, out, *, dim):
    """out = output * (grad - sum(grad * output))."""
    return _launch(backward_blocks, backward_threads, (grad, output, out), dim, None)


def log_softmax_backward_op(grad, output, out, *, dim):
    """out = grad - exp(output) * sum(grad)."""
    return _launch(backward_blocks, backward_threads, (grad, output, out), dim, 1)


softmax_op.contiguous = log_softmax_op.contiguous = True
softmax_backward_op.contiguous = log_softmax_backward_op.contiguous = True
