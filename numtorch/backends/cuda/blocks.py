"""Sums, running sums and maxima over the threads of a block: one result for each block.

`parts` is the kernel's `cuda.shared.array(THREADS, dtype)`. All THREADS threads must call, and all
get the result. The tree has one shape, so sums are the same in every run.
"""

from .jit import THREADS, cuda, inline

__all__ = ["block_max", "block_scan", "block_sum"]


@inline
def block_sum(parts, value):
    """The sum of every thread's `value`."""
    thread = cuda.threadIdx.x
    cuda.syncthreads()  # an earlier call's result may still be read
    parts[thread] = value
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            parts[thread] += parts[thread + half]
        half //= 2
    cuda.syncthreads()
    return parts[0]


@inline
def block_max(parts, value):
    """The largest of every thread's `value`; NaN if one is."""
    thread = cuda.threadIdx.x
    cuda.syncthreads()
    parts[thread] = value
    half = THREADS // 2
    while half > 0:
        cuda.syncthreads()
        if thread < half:
            other = parts[thread + half]
            if not parts[thread] >= other and parts[thread] == parts[thread]:
                parts[thread] = other
        half //= 2
    cuda.syncthreads()
    return parts[0]


@inline
def block_scan(parts, value):
    """The sum of the values of the threads before this one, and of all."""
    thread = cuda.threadIdx.x
    cuda.syncthreads()
    parts[thread] = value
    step = 1
    while step < THREADS:
        cuda.syncthreads()
        before = parts[thread - step] if thread >= step else parts.dtype.type(0)
        cuda.syncthreads()
        parts[thread] += before
        step *= 2
    cuda.syncthreads()
    return parts[thread] - value, parts[THREADS - 1]
