"""CUDA kernels of normalize, over (outer, n, inner) with the length along n.

Rows (inner == 1) of more than a few elements get a block of threads, other lines a thread each, so
that neighbouring threads read neighbouring elements.
"""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, bind, cuda, grid, kernel
from ...backends.registry import contiguous
from .formula import lines_of

__all__ = ["normalize_backward_op", "normalize_op"]
SHORT = 32  # elements of a row that a single thread takes


@kernel
def normalize_blocks(x, out, scale, rows, n, eps):
    """out = x * scale, scale = 1 / max(|x|, eps). A block owns a row at a time."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    least = T(eps)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        squares = T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            squares += x[i * n + j] * x[i * n + j]
        length = math.sqrt(block_sum(parts, squares))
        factor = T(1) / (least if length < least else length)
        if cuda.threadIdx.x == 0:
            scale[i] = factor
        for j in range(cuda.threadIdx.x, n, THREADS):
            out[i * n + j] = x[i * n + j] * factor


@kernel
def normalize_threads(x, out, scale, lines, n, inner, eps):
    """The same along the middle dimension. A thread owns a line at a time."""
    T = x.dtype.type
    least = T(eps)
    for item in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = item // inner * (n - 1) * inner + item
        squares = T(0)
        for i in range(n):
            squares += x[base + i * inner] * x[base + i * inner]
        length = math.sqrt(squares)
        factor = T(1) / (least if length < least else length)
        scale[item] = factor
        for i in range(n):
            out[base + i * inner] = x[base + i * inner] * factor


@kernel
def backward_blocks(g, x, scale, out, rows, n, eps):
    """out = scale * (g - x * sum(g * x) * scale^2), or scale * g where eps was the length.

    A block owns a row at a time.
    """
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    most = T(1) / T(eps)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        factor, dot = scale[i], T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            dot += g[i * n + j] * x[i * n + j]
        dot = block_sum(parts, dot)
        slope = dot * factor * factor if factor != most else T(0)
        for j in range(cuda.threadIdx.x, n, THREADS):
            out[i * n + j] = (g[i * n + j] - x[i * n + j] * slope) * factor


@kernel
def backward_threads(g, x, scale, out, lines, n, inner, eps):
    """The same along the middle dimension. A thread owns a line at a time."""
    T = x.dtype.type
    most = T(1) / T(eps)
    for item in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = item // inner * (n - 1) * inner + item
        factor, dot = scale[item], T(0)
        for i in range(n):
            dot += g[base + i * inner] * x[base + i * inner]
        slope = dot * factor * factor if factor != most else T(0)
        for i in range(n):
            at = base + i * inner
            out[at] = (g[at] - x[at] * slope) * factor


def _launch(blocks, threads, specs, shape, dim, eps):
    outer, n, inner = lines_of(shape, dim)
    if inner == 1 and n > SHORT:
        config, numbers = (grid(outer, 1)[0], THREADS), (outer, n, eps)
        return bind(blocks.compile(*specs, *numbers)[config], len(specs), *numbers)
    numbers = (outer * inner, n, inner, eps)
    return bind(threads.compile(*specs, *numbers)[grid(outer * inner)], len(specs), *numbers)


@contiguous
def normalize_op(input, out, scale, *, dim, eps):
    """Lengths, then quotients."""
    return _launch(normalize_blocks, normalize_threads, (input, out, scale), input.shape, dim, eps)


@contiguous
def normalize_backward_op(grad, input, scale, out, *, dim, eps):
    """Products, then the gradient."""
    specs = grad, input, scale, out
    return _launch(backward_blocks, backward_threads, specs, input.shape, dim, eps)
