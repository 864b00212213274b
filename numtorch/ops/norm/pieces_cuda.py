"""What the CUDA kernels of normalization share."""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, inline


@inline
def run_scale(parts, x, at, n, centre, eps):
    """1 / sqrt(mean of (x - centre)^2 + eps) over one run of memory, by all threads of a block."""
    T = x.dtype.type
    squares = T(0)
    for j in range(cuda.threadIdx.x, n, THREADS):
        d = x[at + j] - centre
        squares += d * d
    return T(1) / math.sqrt(block_sum(parts, squares) / T(n) + T(eps))


@inline
def run_moments(parts, x, at, n, eps):
    """(mean, 1 / sqrt(variance + eps)) of one run of memory, by all threads of a block."""
    T = x.dtype.type
    total = T(0)
    for j in range(cuda.threadIdx.x, n, THREADS):
        total += x[at + j]
    centre = block_sum(parts, total) / T(n)
    return centre, run_scale(parts, x, at, n, centre, eps)
