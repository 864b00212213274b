"""CPU kernels of scans, over (outer, n, inner) with the scan along n.

Where lines are rows (inner == 1), an iteration of the parallel loop owns up to 4 of them: each
addition waits for the one before, but not for those of other rows. Else it owns up to 256
neighbouring columns, which are added as vectors. Floats are added in float64, as torch does.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, inline, kernel, prange
from ...backends.registry import contiguous
from ...core.dtype import float64

COLUMNS = 256
ROWS = 4
SHORT = 256  # elements of a row: until here, it has new extremes often
AHEAD = 64  # elements that are looked at before one by one
PIECE = 1 << 15  # differences that one iteration owns


@kernel
def scan_rows(x, out, rows, n, first, step, start, ahead, product):
    """Running sums, or products. One iteration of the parallel loop owns up to 4 rows.

    If `ahead`, four elements of a single row are joined before they meet what came before them:
    else each addition waits for the last one.
    """
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
                i, a, fours = r * n + first, start, n // 4 if ahead else 0
                for _ in range(fours):
                    j, k, m = i + step, i + 2 * step, i + 3 * step
                    if product is None:
                        b, d = start + x[i], start + x[k]
                        c, d = b + x[j], d + x[m]
                        out[i], out[j], out[k] = a + b, a + c, a + (c + x[k])
                        a = a + (c + d)
                    else:
                        b, d = start * x[i], start * x[k]
                        c, d = b * x[j], d * x[m]
                        out[i], out[j], out[k] = a * b, a * c, a * (c * x[k])
                        a = a * (c * d)
                    out[m] = a
                    i += 4 * step
                for _ in range(n - 4 * fours):
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
        if w == 1:
            last = 0.0
            for i in range(n):
                at = base + (n - 1 - i if reverse else i) * inner
                last = (
                    x[at] + weight[at + inner if reverse else at] * last if i > 0 else x[at] * 1.0
                )
                out[at] = T(last)
            continue
        acc = np.zeros(COLUMNS, np.float64)
        for i in range(n):
            at = base + (n - 1 - i if reverse else i) * inner
            by = at + inner if reverse else at
            for j in range(w):
                v = x[at + j] + weight[by + j] * acc[j] if i > 0 else np.float64(x[at + j])
                acc[j] = v
                out[at + j] = T(v)


@inline
def reaches(v, best, largest):
    """Whether v is the extreme from here on."""
    return (v >= best if largest is not None else v <= best) | (v != v)


@kernel
def running_short_rows(x, values, indices, rows, n, largest):
    """The largest or smallest element so far of short rows. One iteration of the parallel loop owns
    4 of them, the last one several times if there are not as many.
    """
    for piece in prange((rows + ROWS - 1) // ROWS):
        row = np.int64(piece) * ROWS
        i, j = row * n, min(row + 1, rows - 1) * n
        k, m = min(row + 2, rows - 1) * n, min(row + 3, rows - 1) * n
        a, b, c, d = x[i], x[j], x[k], x[m]
        at_a = at_b = at_c = at_d = 0
        for e in range(n):
            new = reaches(x[i + e], a, largest)
            a, at_a = x[i + e] if new else a, e if new else at_a
            values[i + e], indices[i + e] = a, at_a
            new = reaches(x[j + e], b, largest)
            b, at_b = x[j + e] if new else b, e if new else at_b
            values[j + e], indices[j + e] = b, at_b
            new = reaches(x[k + e], c, largest)
            c, at_c = x[k + e] if new else c, e if new else at_c
            values[k + e], indices[k + e] = c, at_c
            new = reaches(x[m + e], d, largest)
            d, at_d = x[m + e] if new else d, e if new else at_d
            values[m + e], indices[m + e] = d, at_d


@kernel
def running_rows(x, values, indices, rows, n, largest):
    """The largest or smallest element so far of rows. One iteration of the parallel loop owns one.

    Most blocks of AHEAD elements have nothing that is larger, which is found out by vectors.
    """
    for piece in prange(rows):
        base = np.int64(piece) * n
        best, place = x[base], 0
        for begin in range(0, n, AHEAD):
            first, count = base + begin, min(AHEAD, n - begin)
            hits = np.int32(0)
            for j in range(first, first + count):
                hits |= np.int32(reaches(x[j], best, largest))
            if hits == 0:
                for j in range(first, first + count):
                    values[j] = best
                    indices[j] = place
            else:
                for j in range(first, first + count):
                    if reaches(x[j], best, largest):
                        best, place = x[j], j - base
                    values[j] = best
                    indices[j] = place


@kernel
def running_extremes(x, values, indices, outer, n, inner, largest):
    """The largest or smallest element so far. One iteration of the parallel loop owns up to 256
    columns.
    """
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, w = columns(piece, n, inner)
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
        ahead = product is None or input.dtype is not float64  # products of few could overflow
        order = (n - 1, -1) if reverse else (0, 1)
        numbers = (outer, n, *order, start, int(ahead), product)
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
    outer, n, inner = _geometry(input.shape, dim)
    run, numbers = running_extremes, (outer, n, inner, 1 if largest else None)
    if inner == 1:
        run = running_short_rows if n <= SHORT else running_rows
        numbers = (outer, n, 1 if largest else None)
    run = run.compile(input, values, indices, *numbers, work=input.numel)
    return bind(run, 3, *numbers)


@contiguous
def logcumsumexp_op(input, out, *, dim):
    """out = the logarithm of running sums of exponentials."""
    numbers = _geometry(input.shape, dim)
    return bind(log_sums.compile(input, out, *numbers, work=20 * input.numel), 2, *numbers)


# -- differences -----------------------------------------------------------------------------------
@kernel
def differences(x, out, outer, n, inner, transposed):
    """out[i] = x[i + 1] - x[i]; if `transposed`, x[i - 1] - x[i], with zeros around x.

    One iteration of the parallel loop owns PIECE elements of one of `outer`.
    """
    size = (n + 1 if transposed else n - 1) * inner
    across = (size + PIECE - 1) // PIECE
    for piece in prange(outer * across):
        item = np.int64(piece)
        o = item // across if across > 1 else item
        begin = (item - o * across) * PIECE
        end, base, to = min(begin + PIECE, size), o * n * inner, o * size
        if n == 0:
            for j in range(begin, end):
                out[to + j] = 0
        elif transposed:
            for j in range(begin, min(end, inner)):
                out[to + j] = -x[base + j]
            for j in range(max(begin, inner), min(end, n * inner)):
                out[to + j] = x[base + j - inner] - x[base + j]
            for j in range(max(begin, n * inner), end):
                out[to + j] = x[base + j - inner]
        else:
            for j in range(begin, end):
                out[to + j] = x[base + j + inner] - x[base + j]


@contiguous
def diff_op(input, out, *, dim, transposed):
    """One pass."""
    numbers = (*_geometry(input.shape, dim), int(transposed))
    return bind(differences.compile(input, out, *numbers, work=out.numel), 2, *numbers)
