"""CPU kernels of softmax and log_softmax for short rows: a few vectors each, the last masked."""

import numpy as np

from ...backends.cpu.folds import folded
from ...backends.cpu.jit import exact, kernel, prange
from ...backends.cpu.vmath import exp, log, wide
from .rows import row_maximum

LONGEST = 128  # elements of a row; from here on plain loops, which are interleaved, are as fast
ROWS = 64  # whose logarithms are taken at once: one by one, a logarithm takes as long as the row


@exact
def exponential(j, x, out, base, most):
    """out = exp(x - most), which is summed."""
    e = exp(x[base + j] - most)
    out[base + j] = e
    return e


@exact
def exponentials(j, x, base, most):
    """exp(x - most)"""
    return exp(x[base + j] - most)


@exact
def scaled(j, out, base, scale):
    """out *= scale"""
    out[base + j] *= scale


@exact
def shifted(j, x, out, base, most, shift):
    """out = x - most - shift"""
    out[base + j] = (x[base + j] - most) - shift


@exact
def product(j, g, y, base):
    """g * y"""
    return g[base + j] * y[base + j]


@exact
def pulled(j, g, y, out, base, dot):
    """out = y * (g - dot)"""
    out[base + j] = y[base + j] * (g[base + j] - dot)


@exact
def element(j, g, base):
    """g"""
    return g[base + j]


@exact
def pulled_log(j, g, y, out, base, whole):
    """out = g - exp(y) * whole"""
    out[base + j] = g[base + j] - exp(y[base + j]) * whole


@kernel(fastmath="sum")
def softmax(x, out, rows, n):
    """out = softmax of each row. One iteration of the parallel loop owns one row."""
    T = out.dtype.type
    for piece in prange(rows):
        wide()
        base = np.int64(piece) * n
        most = row_maximum(x, base, n)
        total = folded(exponential, n, (x, out, base, most))
        folded(scaled, n, (out, base, T(1.0 / float(total))))


@kernel(fastmath="sum")
def log_softmax(x, out, rows, n):
    """out = log_softmax of each row. One iteration of the parallel loop owns ROWS rows."""
    for piece in prange((rows + ROWS - 1) // ROWS):
        wide()
        first = np.int64(piece) * ROWS
        count = min(ROWS, rows - first)
        most, total = np.empty(ROWS, x.dtype), np.ones(ROWS, x.dtype)
        for i in range(count):
            base = (first + i) * n
            most[i] = row_maximum(x, base, n)
            total[i] = folded(exponentials, n, (x, base, most[i]))
        for i in range(ROWS):
            total[i] = log(total[i])
        for i in range(count):
            folded(shifted, n, (x, out, (first + i) * n, most[i], total[i]))


@kernel(fastmath="sum")
def softmax_backward(g, y, out, rows, n):
    """out = y * (g - sum(g * y)) for each row. One iteration of the parallel loop owns one row."""
    for piece in prange(rows):
        base = np.int64(piece) * n
        folded(pulled, n, (g, y, out, base, folded(product, n, (g, y, base))))


@kernel(fastmath="sum")
def log_softmax_backward(g, y, out, rows, n):
    """out = g - exp(y) * sum(g) for each row. One iteration of the parallel loop owns one row."""
    for piece in prange(rows):
        wide()
        base = np.int64(piece) * n
        folded(pulled_log, n, (g, y, out, base, folded(element, n, (g, base))))
