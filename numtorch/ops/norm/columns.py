"""CPU batch norm of (n, c): channels are columns. Images whose channels come last are (n h w, c).

Rows are read whole, as columns of a large matrix share few sets of the cache; `fold` rows of few
channels are one wide row. Chunks of rows, whose size depends on the shape alone, leave their sums
in `parts`; these are joined in order.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, inline, kernel, prange

CHUNK = 1 << 16  # elements whose rows one iteration owns: they stay in the L2 cache
BLOCK = 256  # columns whose chunks one iteration joins
WIDE = 256  # elements of a wide row: with fewer, loops over a row take longer to begin than to run


def chunks_of(n: int, c: int) -> tuple[int, int, int]:
    """(rows of a chunk, chunks, rows of a wide row)"""
    rows = max(16, CHUNK // max(c, 1))
    return rows, -(-n // rows), max(1, WIDE // max(c, 1))


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


@inline
def four_products(g, x, at, c, centre):
    """The sum of g * (x - centre) over four elements of a column."""
    p0, p1 = g[at] * (x[at] - centre), g[at + c] * (x[at + c] - centre)
    at += 2 * c
    return (p0 + p1) + (g[at] * (x[at] - centre) + g[at + c] * (x[at + c] - centre))


@inline
def join_folds(total, parts, to, c, fold):
    """parts[to + j] = the sum of what wide rows left for column j."""
    for j in range(c):
        parts[to + j] = total[j]
    for k in range(c, fold * c, c):
        for j in range(c):
            parts[to + j] += total[k + j]


@kernel
def column_moments(x, parts, n, c, rows, fold):
    """For each column of `rows` rows the mean and the squared distances from it: two rows of
    `parts`. One iteration of the parallel loop owns these rows.
    """
    T = x.dtype.type
    wide = fold * c
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        count = min(first + rows, n) - first
        begin, end, mean = first * c, (first + count) * c, np.int64(piece) * 2 * c
        whole = end - (end - begin) % (4 * wide)  # wide rows before it are taken four at a time
        total, centre = np.zeros(wide, np.float64), np.empty(wide, x.dtype)
        for at in range(begin, whole, 4 * wide):
            for j in range(wide):
                total[j] += four(x, at + j, wide)
        for at in range(whole, end, c):
            for j in range(c):
                total[j] += x[at + j]
        join_folds(total, parts, mean, c, fold)
        for j in range(c):
            parts[mean + j] /= count
        for k in range(0, wide, c):
            for j in range(c):
                centre[k + j], total[k + j] = T(parts[mean + j]), 0.0
        for at in range(begin, whole, 4 * wide):
            for j in range(wide):
                total[j] += four_squares(x, at + j, wide, centre[j])
        for at in range(whole, end, c):
            for j in range(c):
                d = x[at + j] - centre[j]
                total[j] += d * d
        join_folds(total, parts, mean + c, c, fold)


@kernel
def join_moments(parts, mean, invstd, variance, n, c, rows, eps):
    """Moments of all rows from those of chunks, as Chan, Golub and LeVeque join them (1983).

    One iteration of the parallel loop owns BLOCK columns.
    """
    T = mean.dtype.type
    for block in prange((c + BLOCK - 1) // BLOCK):
        left = np.int64(block) * BLOCK
        w = min(BLOCK, c - left)
        centre, squares = np.zeros(BLOCK, np.float64), np.zeros(BLOCK, np.float64)
        for first in range(0, n, rows):
            at = first // rows * 2 * c + left
            share = min(rows, n - first) / (min(rows, n - first) + first)
            for j in range(w):
                apart = parts[at + j] - centre[j]
                centre[j] += apart * share
                squares[j] += parts[at + c + j] + apart * apart * share * first
        for j in range(w):
            mean[left + j], variance[left + j] = T(centre[j]), T(squares[j] / (n - 1.0))
            invstd[left + j] = T(1.0 / math.sqrt(squares[j] / n + eps))


@kernel
def move_columns(x, mean, scale, weight, bias, out, n, c, rows, fold, eps):
    """out = (x - mean) * scale * weight + bias, or with eps >= 0 `scale` is a variance.

    One iteration of the parallel loop owns `rows` rows; the last ones, which caches may still hold,
    come first.
    """
    T = x.dtype.type
    wide = fold * c
    pieces = (n + rows - 1) // rows
    for piece in prange(pieces):
        first = (pieces - 1 - np.int64(piece)) * rows
        centres, shifts = np.zeros(wide, x.dtype), np.zeros(wide, x.dtype)
        factors = np.empty(wide, x.dtype)
        for k in range(0, wide, c):
            for j in range(c):
                factor = T(1.0 / math.sqrt(scale[j] + eps)) if eps >= 0.0 else scale[j]
                factors[k + j] = factor if weight is None else factor * weight[j]
                if mean is not None:
                    centres[k + j] = mean[j]
                if bias is not None:
                    shifts[k + j] = bias[j]
        end = min(first + rows, n) * c
        for at in range(first * c, end, wide):
            for j in range(min(wide, end - at)):
                d = x[at + j] if mean is None else x[at + j] - centres[j]
                out[at + j] = d * factors[j] + shifts[j]


@kernel
def column_products(g, x, mean, parts, n, c, rows, fold):
    """For each column of `rows` rows the sums of g * (x - mean) and of g: two rows of `parts`.

    One iteration of the parallel loop owns these rows.
    """
    wide = fold * c
    for piece in prange((n + rows - 1) // rows):
        first = np.int64(piece) * rows
        begin, end = first * c, min(first + rows, n) * c
        whole = end - (end - begin) % (4 * wide)
        total, product = np.zeros(wide, np.float64), np.zeros(wide, np.float64)
        centres = np.empty(wide, x.dtype)
        for k in range(0, wide, c):
            for j in range(c):
                centres[k + j] = mean[j]
        for at in range(begin, whole, 4 * wide):
            for j in range(wide):
                total[j] += four(g, at + j, wide)
                product[j] += four_products(g, x, at + j, wide, centres[j])
        for at in range(whole, end, c):
            for j in range(c):
                total[j] += g[at + j]
                product[j] += g[at + j] * (x[at + j] - centres[j])
        join_folds(product, parts, np.int64(piece) * 2 * c, c, fold)
        join_folds(total, parts, np.int64(piece) * 2 * c + c, c, fold)


@kernel
def join_products(parts, scale, gw, gb, n, c, rows, eps):
    """The gradients of weight and bias from chunks; with eps >= 0 `scale` is a variance.

    One iteration of the parallel loop owns BLOCK columns.
    """
    T = gw.dtype.type
    for block in prange((c + BLOCK - 1) // BLOCK):
        left = np.int64(block) * BLOCK
        w = min(BLOCK, c - left)
        product, total = np.zeros(BLOCK, np.float64), np.zeros(BLOCK, np.float64)
        for first in range(0, n, rows):
            at = first // rows * 2 * c + left
            for j in range(w):
                product[j] += parts[at + j]
                total[j] += parts[at + c + j]
        for j in range(w):
            s = float(scale[left + j])
            gw[left + j] = T(product[j] * (1.0 / math.sqrt(s + eps) if eps >= 0.0 else s))
            gb[left + j] = T(total[j])


@kernel
def pull_columns(g, x, weight, mean, invstd, gw, gb, gx, n, c, rows, fold):
    """gx = (g - mean(g) - normalized * mean(g * normalized)) * invstd * weight.

    One iteration of the parallel loop owns `rows` rows; the last ones, which caches may still hold,
    come first.
    """
    T = x.dtype.type
    wide = fold * c
    pieces = (n + rows - 1) // rows
    for piece in prange(pieces):
        first = (pieces - 1 - np.int64(piece)) * rows
        average, slope = np.empty(wide, x.dtype), np.empty(wide, x.dtype)
        factor, centre = np.empty(wide, x.dtype), np.empty(wide, x.dtype)
        for k in range(0, wide, c):
            for j in range(c):
                average[k + j], slope[k + j] = T(gb[j] / n), T(gw[j] * invstd[j] / n)
                factor[k + j] = invstd[j] if weight is None else invstd[j] * weight[j]
                centre[k + j] = mean[j]
        end = min(first + rows, n) * c
        for at in range(first * c, end, wide):
            for j in range(min(wide, end - at)):
                d = x[at + j] - centre[j]
                gx[at + j] = (g[at + j] - average[j] - d * slope[j]) * factor[j]


def _scratch(size: int):
    """(a function that allocates `parts`, an example of it)"""
    empty = np.empty
    return lambda: empty(size), np.empty(1)


def forward(input, weight, bias, out, mean, invstd, variance, n, c, eps):
    """A function of (input, weight, bias, out, mean, invstd, variance)."""
    rows, count, fold = chunks_of(n, c)
    make, example = _scratch(2 * c * count)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_moments.compile(input, example, *sizes, fold, work=work)
    join = join_moments.compile(example, mean, invstd, variance, *sizes, eps)
    specs = input, mean, invstd, weight, bias, out
    move = move_columns.compile(*specs, *sizes, fold, eps, work=work)

    def run(x, w, b, y, m, s, v):
        parts = make()
        collect(x, parts, *sizes, fold)
        join(parts, m, s, v, *sizes, eps)
        move(x, m, s, w, b, y, *sizes, fold, -1.0)

    return run


def evaluated(input, mean, var, weight, bias, out, n, c, eps):
    """A function of (input, mean, var, weight, bias, out)."""
    rows, _, fold = chunks_of(n, c)
    numbers, specs = (n, c, rows, fold, eps), (input, mean, var, weight, bias, out)
    return bind(move_columns.compile(*specs, *numbers, work=2 * input.numel), 6, *numbers)


def backward(grad, input, weight, mean, invstd, out, out1, out2, n, c):
    """A function of (grad, input, weight, mean, invstd, three gradients)."""
    rows, count, fold = chunks_of(n, c)
    make, example = _scratch(2 * c * count)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_products.compile(grad, input, mean, example, *sizes, fold, work=work)
    join = join_products.compile(example, invstd, out1, out2, *sizes, -1.0)
    specs = grad, input, weight, mean, invstd, out1, out2, out
    pull = pull_columns.compile(*specs, *sizes, fold, work=work)

    def run(g, x, w, m, s, gx, gw, gb):
        parts = make()
        collect(g, x, m, parts, *sizes, fold)
        join(parts, s, gw, gb, *sizes, -1.0)
        pull(g, x, w, m, s, gw, gb, gx, *sizes, fold)

    return run


def eval_backward(grad, input, weight, mean, var, out, out1, out2, n, c, eps):
    """A function of (grad, input, weight, mean, var, three gradients)."""
    rows, count, fold = chunks_of(n, c)
    make, example = _scratch(2 * c * count)
    sizes, work = (n, c, rows), 2 * input.numel
    collect = column_products.compile(grad, input, mean, example, *sizes, fold, work=work)
    join = join_products.compile(example, var, out1, out2, *sizes, eps)
    move = move_columns.compile(grad, None, var, weight, None, out, *sizes, fold, eps, work=work)

    def run(g, x, w, m, v, gx, gw, gb):
        parts = make()
        collect(g, x, m, parts, *sizes, fold)
        join(parts, v, gw, gb, *sizes, eps)
        move(g, None, v, w, None, gx, *sizes, fold, eps)

    return run
