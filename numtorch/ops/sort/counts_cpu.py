"""CPU kernels of counting (of a part of the elements each, joined in order) and of changes."""

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.registry import contiguous

__all__ = ["bincount_op", "histc_op", "starts_op"]
PARTS, EACH = 16, 65536  # at most so many parts, of at least so many elements


@kernel
def count_parts(x, weights, found, n, size, parts):
    """found[p, v] = how often v occurs in part p, or the sum of its weights. One iteration of the
    parallel loop owns a part.
    """
    T = found.dtype.type
    for piece in prange(parts):
        p = np.int64(piece)
        for v in range(p * size, (p + 1) * size):
            found[v] = T(0)
        for i in range(p * n // parts, (p + 1) * n // parts):
            found[p * size + np.int64(x[i])] += T(1) if weights is None else T(weights[i])


@kernel
def count_bins(x, found, n, bins, low, high, parts):
    """found[p, b] = how many elements of part p are in bin b. One iteration of the parallel loop
    owns a part.
    """
    T = x.dtype.type
    first, last = T(low), T(high)
    width = T(last - first)
    for piece in prange(parts):
        p = np.int64(piece)
        for b in range(p * bins, (p + 1) * bins):
            found[b] = 0
        for i in range(p * n // parts, (p + 1) * n // parts):
            v = x[i]
            if v >= first and v <= last:
                b = np.int64(T(T(v - first) * T(bins)) / width)
                found[p * bins + min(b, bins - 1)] += 1


@kernel
def find_starts(x, out, n, width):
    """out[i] = whether row i differs from the one before. One iteration of the parallel loop owns a
    row.
    """
    for i in prange(n):
        changed = i == 0
        for j in range(i * width, (i + 1) * width if i > 0 else 0):
            changed |= x[j] != x[j - width]
        out[i] = changed


@kernel
def join_parts(found, out, size, parts):
    """out[v] = the sum of found[p, v] over the parts, in order."""
    T = out.dtype.type
    for v in range(size):
        total = found[v]
        for p in range(1, parts):
            total += found[p * size + v]
        out[v] = T(total)


def parts_of(n: int, size: int) -> int:
    """As many parts as pay for joining them; of the sizes alone, so that sums are always equal."""
    return max(1, min(PARTS, n // max(EACH, 4 * size)))


@contiguous
def starts_op(values, out):
    """Each row beside the one before."""
    n, width = out.numel, values.numel // max(out.numel, 1)
    return bind(find_starts.compile(values, out, n, width, work=values.numel), 2, n, width)


@contiguous
def bincount_op(input, weights, out, *, size):
    """Counts of parts, then their sums."""
    n, parts = input.numel, parts_of(input.numel, size)
    count = count_parts.compile(input, weights, out, n, size, parts, work=4 * n)
    if parts == 1:
        return lambda x, w, y: count(x, w, y, n, size, 1)
    join, dtype = join_parts.compile(out, out, size, parts), out.dtype.np

    def run(x, w, y):
        found = np.empty(parts * size, dtype)
        count(x, w, found, n, size, parts)
        join(found, y, size, parts)

    return run


@contiguous
def histc_op(input, out, *, bins, low, high):
    """Counts of parts, then their sums."""
    n, parts = input.numel, parts_of(input.numel, bins)
    example = np.empty(0, np.int64)
    numbers = n, bins, low, high, parts
    count = count_bins.compile(input, example, *numbers, work=4 * n)
    join = join_parts.compile(example, out, bins, parts)

    def run(x, y):
        found = np.empty(parts * bins, np.int64)
        count(x, found, *numbers)
        join(found, y, bins, parts)

    return run
