"""What the CUDA kernels of normalization share."""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, inline


@inline
def run_moments(parts, x, at, n, eps):
    """(mean, 1 / sqrt(variance + eps)) of one run of memory, by all threads of a block."""
    T = x.dtype.type
    total = T(0)
    for j in range(cuda.threadIdx.x, n, THREADS):
        total += x[at + j]
    centre = block_sum(parts, total) / T(n)
    squares = T(0)
    for j in range(cuda.threadIdx.x, n, THREADS):
        d = x[at + j] - centre
        squares += d * d
    return centre, T(1) / math.sqrt(block_sum(parts, squares) / T(n) + T(eps))
