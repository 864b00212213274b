"""CPU kernels of scans, over (outer, n, inner) with the scan along n.

Where lines are rows (inner == 1), an iteration of the parallel loop owns up to 4 of them: each
addition waits for the one before, but not for those of other rows. Else it owns up to 256
neighbouring columns, which are added as vectors. Floats are added in float64, as torch does.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, inline, kernel, prange
from ...backends.registry import contiguous

COLUMNS = 256
ROWS = 4


@kernel
def scan_rows(x, out, rows, n, first, step, start, product):
    """Running sums, or products. One iteration of the parallel loop owns up to 4 rows."""
    for piece in prange((rows + ROWS - 1) // ROWS):
        row = np.int64(piece) * ROWS
        i = row * n + first
        if row + ROWS <= rows:
            j, k, m = i + n, i + 2 * n, i + 3 * n
            a = b = c = d = start
            for _ in range(n):
                if product is None:
                    a, b, c, d = a + x[i], b + x[j], c + x[k], d + x[m]
                else:
                    a, b, c, d = a * x[i], b * x[j], c * x[k], d * x[m]
                out[i] = a
                out[j] = b
                out[k] = c
                out[m] = d
                i += step
                j += step
                k += step
                m += step
        else:
            for r in range(row, rows):
                i, a = r * n + first, start
                for _ in range(n):
                    a = a + x[i] if product is None else a * x[i]
                    out[i] = a
                    i += step


@inline
def columns(piece, n, inner):
    """Where the first of a piece's columns begins, and how many there are: up to COLUMNS."""
    across = (inner + COLUMNS - 1) // COLUMNS
    item = np.int64(piece)
    o = item // across
    left = (item - o * across) * COLUMNS
    return o * n * inner + left, min(COLUMNS, inner - left)


@kernel
def scan_columns(x, out, outer, n, inner, reverse, start, product):
    """Running sums, or products. One iteration of the parallel loop owns up to 256 columns."""
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, w = columns(piece, n, inner)
        acc = np.full(COLUMNS, start)
        for i in range(n):
            at = base + (n - 1 - i if reverse else i) * inner
            for j in range(w):
                v = acc[j] + x[at + j] if product is None else acc[j] * x[at + j]
                acc[j] = v
                out[at + j] = v


@kernel
def recur(x, weight, out, outer, n, inner, reverse):
    """out[i] = x[i] + weight[i] * out[i - 1], or its transposed map.

    One iteration of the parallel loop owns up to 256 columns.
    """
    T = out.dtype.type
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, w = columns(piece, n, inner)
        acc = np.zeros(COLUMNS, np.float64)
        for i in range(n):
            at = base + (n - 1 - i if reverse else i) * inner
            by = at + inner if reverse else at
            for j in range(w):
                v = x[at + j] + weight[by + j] * acc[j] if i > 0 else np.float64(x[at + j])
                acc[j] = v
                out[at + j] = T(v)


@kernel
def running_extremes(x, values, indices, outer, n, inner, largest):
    """The largest or smallest element so far. One iteration of the parallel loop owns up to 256
    columns.
    """
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, w = columns(piece, n, inner)
        if w == 1:
            best, place = x[base], 0
            for i in range(n):
                v = x[base + i * inner]
                reached = v >= best if largest is not None else v <= best
                if reached or v != v:
                    best, place = v, i
                values[base + i * inner] = best
                indices[base + i * inner] = place
            continue
        for j in range(w):
            values[base + j] = x[base + j]
            indices[base + j] = 0
        for i in range(1, n):
            at, before = base + i * inner, base + (i - 1) * inner
            for j in range(w):
                v, best = x[at + j], values[before + j]
                reached = v >= best if largest is not None else v <= best
                new = reached or v != v
                values[at + j] = v if new else best
                indices[at + j] = i if new else indices[before + j]


@kernel
def log_sums(x, out, outer, n, inner):
    """out = the logarithm of running sums of exponentials, relative to the largest so far.

    One iteration of the parallel loop owns one line.
    """
    T = out.dtype.type
    for piece in prange(outer * inner):
        line = np.int64(piece)
        base = line // inner * (n - 1) * inner + line
        most, total = -np.inf, 0.0
        for i in range(n):
            v = np.float64(x[base + i * inner])
            if v > most:
                total = total * np.exp(most - v) + 1.0
                most = v
            elif v > -np.inf or v != v:
                total += np.exp(v - most) if v < most or v != v else 1.0
            out[base + i * inner] = T(most + np.log(total) if total != 0.0 else most)


# -- launchers -------------------------------------------------------------------------------------
def _geometry(shape, dim) -> tuple[int, int, int]:
    shape = shape or (1,)
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def _scan(input, out, dim, reverse, product):
    outer, n, inner = _geometry(input.shape, dim)
    start = 0 if product is None else 1
    start = float(start) if input.dtype.is_floating_point else start
    if inner == 1:
        numbers = (outer, n, n - 1 if reverse else 0, -1 if reverse else 1, start, product)
        run = scan_rows.compile(input, out, *numbers, work=input.numel)
    else:
        numbers = (outer, n, inner, int(reverse), start, product)
        run = scan_columns.compile(input, out, *numbers, work=input.numel)
    return bind(run, 2, *numbers)


@contiguous
def cumsum_op(input, out, *, dim, reverse):
    """out = running sums."""
    return _scan(input, out, dim, reverse, None)


@contiguous
def cumprod_op(input, out, *, dim):
    """out = running products."""
    return _scan(input, out, dim, False, 1)


@contiguous
def recurrence_op(input, weight, out, *, dim, reverse):
    """out[i] = input[i] + weight[i] * out[i - 1], or its transposed map."""
    numbers = (*_geometry(input.shape, dim), int(reverse))
    work = 2 * input.numel
    return bind(recur.compile(input, weight, out, *numbers, work=work), 3, *numbers)


@contiguous
def running_extreme_op(input, values, indices, *, dim, largest):
    """values, indices = the extreme so far, and where it is."""
    if not input.numel:
        return lambda x, v, i: None
    numbers = (*_geometry(input.shape, dim), 1 if largest else None)
    run = running_extremes.compile(input, values, indices, *numbers, work=input.numel)
    return bind(run, 3, *numbers)


@contiguous
def logcumsumexp_op(input, out, *, dim):
    """out = the logarithm of running sums of exponentials."""
    numbers = _geometry(input.shape, dim)
    return bind(log_sums.compile(input, out, *numbers, work=20 * input.numel), 2, *numbers)
