"""CPU kernels of normalize, over (outer, n, inner) with the length along n.

Where lines are rows (inner == 1), an iteration of the parallel loop owns one; else up to 256
neighbouring columns.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, inline, kernel, prange
from ...backends.registry import contiguous
from .formula import lines_of
from .pieces import products, spread

__all__ = ["normalize_backward_op", "normalize_op"]
COLUMNS = 256


@kernel(fastmath="sum")
def normalize_rows(x, out, scale, rows, n, eps):
    """out = x * scale, scale = 1 / max(|x|, eps). One iteration of the parallel loop owns a row."""
    T = x.dtype.type
    for i in prange(rows):
        at = i * n
        length = math.sqrt(spread(x, at, n, T(0))[1])
        factor = T(1.0 / (eps if length < eps else length))
        scale[i] = factor
        for j in range(at, at + n):
            out[j] = x[j] * factor


@kernel(fastmath="sum")
def normalize_rows_backward(g, x, scale, out, rows, n, eps):
    """out = scale * (g - x * sum(g * x) * scale^2), or scale * g where eps was the length.

    One iteration of the parallel loop owns one row.
    """
    T = x.dtype.type
    most = T(1.0 / eps)
    for i in prange(rows):
        at, factor = i * n, scale[i]
        dot = products(g, None, 0, x, at, n, T(0))[1]
        slope = T(dot * factor * factor) if factor != most else T(0)
        for j in range(at, at + n):
            out[j] = (g[j] - x[j] * slope) * factor


@inline
def columns(piece, n, inner):
    """(the first element of a piece, of its lengths, how many columns it has)"""
    across = (inner + COLUMNS - 1) // COLUMNS
    item = np.int64(piece)
    o = item // across
    left = (item - o * across) * COLUMNS
    return o * n * inner + left, o * inner + left, min(COLUMNS, inner - left)


@inline
def add_products(x, y, base, n, inner, w, total):
    """total[j] += the sum of x * y down column j of w; four products join in the element type."""
    whole = n - n % 4
    for i in range(0, whole, 4):
        for j in range(w):
            at = base + i * inner + j
            low = x[at] * y[at] + x[at + inner] * y[at + inner]
            at += 2 * inner
            total[j] += low + (x[at] * y[at] + x[at + inner] * y[at + inner])
    for i in range(whole, n):
        for j in range(w):
            total[j] += x[base + i * inner + j] * y[base + i * inner + j]


@kernel
def normalize_columns(x, out, scale, outer, n, inner, eps):
    """The same down columns. One iteration of the parallel loop owns up to 256 of them."""
    T = x.dtype.type
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, to, w = columns(piece, n, inner)
        total, factor = np.zeros(COLUMNS, np.float64), np.empty(COLUMNS, x.dtype)
        add_products(x, x, base, n, inner, w, total)
        for j in range(w):
            length = math.sqrt(total[j])
            factor[j] = T(1.0 / (eps if length < eps else length))
            scale[to + j] = factor[j]
        for i in range(n):
            for j in range(w):
                out[base + i * inner + j] = x[base + i * inner + j] * factor[j]


@kernel
def normalize_columns_backward(g, x, scale, out, outer, n, inner, eps):
    """The same down columns. One iteration of the parallel loop owns up to 256 of them."""
    T = x.dtype.type
    most = T(1.0 / eps)
    for piece in prange(outer * ((inner + COLUMNS - 1) // COLUMNS)):
        base, to, w = columns(piece, n, inner)
        total = np.zeros(COLUMNS, np.float64)
        slope, factor = np.zeros(COLUMNS, x.dtype), np.empty(COLUMNS, x.dtype)
        add_products(g, x, base, n, inner, w, total)
        for j in range(w):
            factor[j] = scale[to + j]
            if factor[j] != most:
                slope[j] = T(total[j] * factor[j] * factor[j])
        for i in range(n):
            for j in range(w):
                at = base + i * inner + j
                out[at] = (g[at] - x[at] * slope[j]) * factor[j]


@contiguous
def normalize_op(input, out, scale, *, dim, eps):
    """One pass over memory for rows, two for columns."""
    outer, n, inner = lines_of(input.shape, dim)
    run, numbers = normalize_columns, (outer, n, inner, eps)
    if inner == 1:
        run, numbers = normalize_rows, (outer, n, eps)
    return bind(run.compile(input, out, scale, *numbers, work=2 * input.numel), 3, *numbers)


@contiguous
def normalize_backward_op(grad, input, scale, out, *, dim, eps):
    """The same."""
    outer, n, inner = lines_of(input.shape, dim)
    run, numbers = normalize_columns_backward, (outer, n, inner, eps)
    if inner == 1:
        run, numbers = normalize_rows_backward, (outer, n, eps)
    specs = grad, input, scale, out
    return bind(run.compile(*specs, *numbers, work=4 * input.numel), 4, *numbers)
