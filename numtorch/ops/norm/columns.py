"""CPU batch norm of (n, c): channels are columns.

Rows are read whole, as columns of a large matrix share few sets of the cache. Chunks of rows, whose
size depends on the shape alone, leave their sums in `parts`; these are joined in order.
"""

import math

import numpy as np

from ...backends.cpu.jit import inline, kernel, prange

CHUNK = 1 << 16  # elements whose rows one iteration owns: they stay in the L2 cache


def chunks_of(n: int, c: int) -> tuple[int, int]:
    """(rows of a chunk, chunks)"""
    rows = max(16, CHUNK // max(c, 1))
    return rows, -(-n // rows)


@inline
def four(x, at, c):
    """The sum of four elements of a column."""
    return (x[at] + x[at + c]) + (x[at + 2 * c] + x[at + 3 * c])


@inline
def four_squares(x, at, c, centre):
    """The sum of (x - centre)^2 over four elements of a column."""
    d0, d1 = x[at] - centre, x[at + c] - centre
    d2, d3 = x[at + 2 * c] - centre, x[at + 3 * c] - centre
    return (d0 * d0 + d1 * d1) + (d2 * d2 + d3 * d3)


@kernel
def column_moments(x, parts, n, c, rows):
    """For each column of `rows` rows the mean and the squared distances from it: two rows of
    `parts`. One iteration of the parallel loop owns these rows.
    """
    T = x.dtype.type
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        last = min(first + rows, n)
        mean = np.int64(piece) * 2 * c
        squares = mean + c
        for j in range(2 * c):
            parts[mean + j] = 0.0
        single = last - (last - first) % 4  # rows before it are taken four at a time
        for i in range(first, single, 4):
            for j in range(c):
                parts[mean + j] += four(x, i * c + j, c)
        for i in range(single, last):
            for j in range(c):
                parts[mean + j] += x[i * c + j]
        for j in range(c):
            parts[mean + j] /= last - first
        for i in range(first, single, 4):
            for j in range(c):
                parts[squares + j] += four_squares(x, i * c + j, c, T(parts[mean + j]))
        for i in range(single, last):
            for j in range(c):
                d = x[i * c + j] - T(parts[mean + j])
                parts[squares + j] += d * d


@kernel
def join_moments(parts, mean, invstd, variance, n, c, rows, eps):
    """Moments of all rows from those of chunks, as Chan, Golub and LeVeque join them (1983).

    One iteration of the parallel loop owns one column.
    """
    T = mean.dtype.type
    for j in prange(c):
        centre, squares = 0.0, 0.0
        for first in range(0, n, rows):
            at = first // rows * 2 * c + j
            share = min(rows, n - first) / (min(rows, n - first) + first)
            apart = parts[at] - centre
            centre += apart * share
            squares += parts[at + c] + apart * apart * share * first
        mean[j], variance[j] = T(centre), T(squares / (n - 1.0))
        invstd[j] = T(1.0 / math.sqrt(squares / n + eps))


@kernel
def move_columns(x, mean, scale, weight, bias, out, n, c, rows, eps):
    """out = (x - mean) * scale * weight + bias, or with eps >= 0 `scale` is a variance.

    One iteration of the parallel loop owns `rows` rows.
    """
    T = x.dtype.type
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        factors, shifts = np.empty(c, x.dtype), np.zeros(c, x.dtype)
        for j in range(c):
            factors[j] = T(1.0 / math.sqrt(scale[j] + eps)) if eps >= 0.0 else scale[j]
            if weight is not None:
                factors[j] *= weight[j]
            if bias is not None:
                shifts[j] = bias[j]
        for i in range(first, min(first + rows, n)):
            for j in range(c):
                d = x[i * c + j] if mean is None else x[i * c + j] - mean[j]
                out[i * c + j] = d * factors[j] + shifts[j]


@kernel
def column_products(g, x, mean, parts, n, c, rows):
    """For each column of `rows` rows the sums of g * (x - mean) and of g: two rows of `parts`.

    One iteration of the parallel loop owns these rows.
    """
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        product = np.int64(piece) * 2 * c
        total = product + c
        for j in range(2 * c):
            parts[product + j] = 0.0
        for i in range(first, min(first + rows, n)):
            for j in range(c):
                parts[total + j] += g[i * c + j]
            for j in range(c):
                parts[product + j] += g[i * c + j] * (x[i * c + j] - mean[j])


@kernel
def join_products(parts, scale, gw, gb, n, c, rows, eps):
    """The gradients of weight and bias from chunks; with eps >= 0 `scale` is a variance.

    One iteration of the parallel loop owns one column.
    """
    T = gw.dtype.type
    for j in prange(c):
        product, total = 0.0, 0.0
        for first in range(0, n, rows):
            at = first // rows * 2 * c + j
            product += parts[at]
            total += parts[at + c]
        factor = 1.0 / math.sqrt(scale[j] + eps) if eps >= 0.0 else float(scale[j])
        gw[j], gb[j] = T(product * factor), T(total)


@kernel
def pull_columns(g, x, weight, mean, invstd, gw, gb, gx, n, c, rows):
    """gx = (g - mean(g) - normalized * mean(g * normalized)) * invstd * weight.

    One iteration of the parallel loop owns `rows` rows.
    """
    T = x.dtype.type
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        average, slope, factor = np.empty(c, x.dtype), np.empty(c, x.dtype), np.empty(c, x.dtype)
        for j in range(c):
            average[j], slope[j] = T(gb[j] / n), T(gw[j] * invstd[j] / n)
            factor[j] = invstd[j] if weight is None else invstd[j] * weight[j]
        for i in range(first, min(first + rows, n)):
            for j in range(c):
                d = x[i * c + j] - mean[j]
                gx[i * c + j] = (g[i * c + j] - average[j] - d * slope[j]) * factor[j]


def _scratch(n: int, c: int):
    """(rows of a chunk, a function that allocates `parts`, an example of it)"""
    rows, count = chunks_of(n, c)
    empty, size = np.empty, count * 2 * c
    return rows, lambda: empty(size), np.empty(1)


def forward(input, weight, bias, out, mean, invstd, variance, eps):
    """A function of (input, weight, bias, out, mean, invstd, variance)."""
    n, c = input.shape[:2]
    rows, make, example = _scratch(n, c)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_moments.compile(input, example, *sizes, work=work)
    join = join_moments.compile(example, mean, invstd, variance, *sizes, eps)
    move = move_columns.compile(input, mean, invstd, weight, bias, out, *sizes, eps, work=work)

    def run(x, w, b, y, m, s, v):
        parts = make()
        collect(x, parts, *sizes)
        join(parts, m, s, v, *sizes, eps)
        move(x, m, s, w, b, y, *sizes, -1.0)

    return run


def evaluated(input, mean, var, weight, bias, out, eps):
    """A function of (input, mean, var, weight, bias, out)."""
    n, c = input.shape[:2]
    sizes = n, c, chunks_of(n, c)[0]
    specs = input, mean, var, weight, bias, out
    move = move_columns.compile(*specs, *sizes, eps, work=2 * input.numel)
    return lambda x, m, v, w, b, y: move(x, m, v, w, b, y, *sizes, eps)


def backward(grad, input, weight, mean, invstd, out, out1, out2):
    """A function of (grad, input, weight, mean, invstd, three gradients)."""
    n, c = input.shape[:2]
    rows, make, example = _scratch(n, c)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_products.compile(grad, input, mean, example, *sizes, work=work)
    join = join_products.compile(example, invstd, out1, out2, *sizes, -1.0)
    specs = grad, input, weight, mean, invstd, out1, out2, out
    pull = pull_columns.compile(*specs, *sizes, work=work)

    def run(g, x, w, m, s, gx, gw, gb):
        parts = make()
        collect(g, x, m, parts, *sizes)
        join(parts, s, gw, gb, *sizes, -1.0)
        pull(g, x, w, m, s, gw, gb, gx, *sizes)

    return run


def eval_backward(grad, input, weight, mean, var, out, out1, out2, eps):
    """A function of (grad, input, weight, mean, var, three gradients)."""
    n, c = input.shape[:2]
    rows, make, example = _scratch(n, c)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_products.compile(grad, input, mean, example, *sizes, work=work)
    join = join_products.compile(example, var, out1, out2, *sizes, eps)
    move = move_columns.compile(grad, None, var, weight, None, out, *sizes, eps, work=work)

    def run(g, x, w, m, v, gx, gw, gb):
        parts = make()
        collect(g, x, m, parts, *sizes)
        join(parts, v, gw, gb, *sizes, eps)
        move(g, None, v, w, None, gx, *sizes, eps)

    return run
