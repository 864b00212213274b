"""CUDA kernels of counting: atomic additions, which are exact, but for weights of `bincount`, whose
sums are in any order.
"""

from ...backends.cuda.jit import cuda, grid, kernel
from ...backends.registry import contiguous

__all__ = ["bincount_op", "histc_op", "starts_op"]


@kernel
def clear(out, n):
    """out = 0. A thread owns every grid-size-th element."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = out.dtype.type(0)


@kernel
def count(x, weights, out, n, size):
    """out[x[i]] += 1, or its weight. A thread owns every grid-size-th element."""
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        amount = T(1)
        if weights is not None:
            amount = weights[i]
        cuda.atomic.add(out, x[i], amount)


@kernel
def count_bins(x, out, n, bins, low, high):
    """out[b] = how many elements are in bin b. A thread owns every grid-size-th element."""
    T = x.dtype.type
    first, last = T(low), T(high)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        v = x[i]
        if v >= first and v <= last:
            b = int((v - first) * T(bins) / (last - first))
            cuda.atomic.add(out, min(b, bins - 1), T(1))


@kernel
def find_starts(x, out, n, width):
    """out[i] = whether row i differs from the one before. A thread owns every grid-size-th row."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        changed = i == 0
        if i > 0:
            for j in range(i * width, (i + 1) * width):
                changed |= x[j] != x[j - width]
        out[i] = changed


@contiguous
def starts_op(values, out):
    """Each row beside the one before."""
    n, width = out.numel, values.numel // max(out.numel, 1)
    launch = find_starts.compile(values, out, n, width)[grid(n)]
    return lambda x, y: launch(x, y, n, width)


@contiguous
def bincount_op(input, weights, out, *, size):
    """Zeros, then counts."""
    n = input.numel
    empty = clear.compile(out, size)[grid(size)]
    add = count.compile(input, weights, out, n, size)[grid(n)]

    def run(x, w, y):
        empty(y, size)
        add(x, w, y, n, size)

    return run


@contiguous
def histc_op(input, out, *, bins, low, high):
    """Zeros, then counts."""
    numbers = input.numel, bins, low, high
    empty = clear.compile(out, bins)[grid(bins)]
    add = count_bins.compile(input, out, *numbers)[grid(input.numel)]

    def run(x, y):
        empty(y, bins)
        add(x, y, *numbers)

    return run
