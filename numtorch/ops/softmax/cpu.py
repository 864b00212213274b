"""CPU kernels of softmax and log_softmax.

A tensor is seen as (outer, n, inner) with the softmax over n. With inner == 1 an iteration of the
parallel loop owns a row (short ones are in short.py), else up to 256 neighbouring columns. `double`
is None in the float32 variants: a kernel is compiled for one of the two exponentials.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.vmath import exp32, exp64, wide
from . import short
from .rows import row_maximum

BLOCK = 4096  # elements that are summed in the element's type; blocks join in float64
COLUMNS = 256


@kernel(fastmath="sum")
def softmax_rows(x, out, rows, n, double):
    """out = softmax of each row. One iteration of the parallel loop owns one row."""
    T = out.dtype.type
    for piece in prange(rows):
        wide()
        base = np.int64(piece) * n
        most = row_maximum(x, base, n)
        total = 0.0
        for begin in range(0, n, BLOCK):
            part = T(0)
            for j in range(base + begin, base + min(begin + BLOCK, n)):
                e = exp32(x[j] - most) if double is None else exp64(x[j] - most)
                out[j] = e
                part += e
            total += part
        scale = T(1.0 / total)
        for j in range(base, base + n):
            out[j] *= scale


@kernel(fastmath="sum")
def log_softmax_rows(x, out, rows, n, double):
    """out = log_softmax of each row. One iteration of the parallel loop owns one row."""
    T = out.dtype.type
    for piece in prange(rows):
        wide()
        base = np.int64(piece) * n
        most = row_maximum(x, base, n)
        total = 0.0
        for begin in range(0, n, BLOCK):
            part = T(0)
            for j in range(base + begin, base + min(begin + BLOCK, n)):
                part += exp32(x[j] - most) if double is None else exp64(x[j] - most)
            total += part
        shift = T(np.log(total))
        for j in range(base, base + n):
            out[j] = (x[j] - most) - shift


@kernel
def softmax_columns(x, out, most, total, outer, n, inner, log, double):
    """out = softmax (log is None) or log_softmax along the middle dimension; most and total are
    scratch of the size outer * inner.

    One iteration of the parallel loop owns up to 256 columns.
    """
    T = out.dtype.type
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(outer * across):
        wide()
        item = np.int64(piece)
        o = item // across
        left = (item - o * across) * COLUMNS
        w, to, base = min(COLUMNS, inner - left), o * inner + left, o * n * inner + left
        for j in range(w):
            most[to + j] = T(-np.inf)
            total[to + j] = T(0)
        for i in range(n):
            at = base + i * inner
            for j in range(w):
                v, m = x[at + j], most[to + j]
                most[to + j] = m if m >= v or m != m else v
        for i in range(n):
            at = base + i * inner
            for j in range(w):
                d = x[at + j] - most[to + j]
                e = exp32(d) if double is None else exp64(d)
                if log is None:
                    out[at + j] = e
                total[to + j] += e
        for j in range(w):
            total[to + j] = T(1) / total[to + j] if log is None else np.log(total[to + j])
        for i in range(n):
            at = base + i * inner
            for j in range(w):
                if log is None:
                    out[at + j] *= total[to + j]
                else:
                    out[at + j] = (x[at + j] - most[to + j]) - total[to + j]


@kernel(fastmath="sum")
def softmax_rows_backward(g, y, out, rows, n):
    """out = y * (g - sum(g * y)) for each row. One iteration of the parallel loop owns one row."""
    T = out.dtype.type
    for piece in prange(rows):
        base = np.int64(piece) * n
        total = 0.0
        for begin in range(0, n, BLOCK):
            part = T(0)
            for j in range(base + begin, base + min(begin + BLOCK, n)):
                part += g[j] * y[j]
            total += part
        dot = T(total)
        for j in range(base, base + n):
            out[j] = y[j] * (g[j] - dot)


@kernel(fastmath="sum")
def log_softmax_rows_backward(g, y, out, rows, n, double):
    """out = g - exp(y) * sum(g) for each row. One iteration of the parallel loop owns one row."""
    T = out.dtype.type
    for piece in prange(rows):
        wide()
        base = np.int64(piece) * n
        total = 0.0
        for begin in range(0, n, BLOCK):
            part = T(0)
            for j in range(base + begin, base + min(begin + BLOCK, n)):
                part += g[j]
            total += part
        whole = T(total)
        for j in range(base, base + n):
            e = exp32(y[j]) if double is None else exp64(y[j])
            out[j] = g[j] - e * whole


@kernel
def softmax_columns_backward(g, y, out, total, outer, n, inner, log, double):
    """The same along the middle dimension; total is scratch of the size outer * inner.

    One iteration of the parallel loop owns up to 256 columns.
    """
    T = out.dtype.type
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(outer * across):
        wide()
        item = np.int64(piece)
        o = item // across
        left = (item - o * across) * COLUMNS
        w, to, base = min(COLUMNS, inner - left), o * inner + left, o * n * inner + left
        for j in range(w):
            total[to + j] = T(0)
        for i in range(n):
            at = base + i * inner
            for j in range(w):
                total[to + j] += g[at + j] * y[at + j] if log is None else g[at + j]
        for i in range(n):
            at = base + i * inner
            for j in range(w):
                if log is None:
                    out[at + j] = y[at + j] * (g[at + j] - total[to + j])
                else:
                    e = exp32(y[at + j]) if double is None else exp64(y[at + j])
                    out[at + j] = g[at + j] - e * total[to + j]


def _geometry(spec, dim):
    """(outer, n, inner), and the variant for the element type."""
    shape = spec.shape or (1,)
    dim %= len(shape)
    outer = math.prod(shape[:dim]) if shape[dim] else 0  # else there is nothing to divide by
    sizes = outer, shape[dim], math.prod(shape[dim + 1 :])
    return *sizes, None if spec.dtype.itemsize == 4 else 1


def _forward(rows, log, input, out, dim):
    outer, n, inner, double = _geometry(input, dim)
    work = input.numel * 2  # an element takes two to four times as long as an addition
    if inner == 1 and n <= short.LONGEST:
        run = (short.softmax if log is None else short.log_softmax).compile
        return bind(run(input, out, outer, n, work=work), 2, outer, n)
    if inner == 1:
        return bind(rows.compile(input, out, outer, n, double, work=work), 2, outer, n, double)
    numbers = (outer, n, inner, log, double)
    run = softmax_columns.compile(input, out, out, out, *numbers, work=work)
    size, dtype, empty = outer * inner, out.dtype.np, np.empty

    def columns(x, y):
        run(x, y, empty(size, dtype), empty(size, dtype), *numbers)

    return columns


def _backward(rows, numbers, log, grad, output, out, dim):
    outer, n, inner, double = _geometry(output, dim)
    work = output.numel * (1 if log is None else 2)
    if inner == 1 and n <= short.LONGEST:
        run = (short.softmax_backward if log is None else short.log_softmax_backward).compile
        return bind(run(grad, output, out, outer, n, work=work), 3, outer, n)
    if inner == 1:
        return bind(
            rows.compile(grad, output, out, outer, n, *numbers, work=work), 3, outer, n, *numbers
        )
    given = (outer, n, inner, log, double)
    run = softmax_columns_backward.compile(grad, output, out, out, *given, work=work)
    size, dtype, empty = outer * inner, out.dtype.np, np.empty

    def columns(g, y, o):
        run(g, y, o, empty(size, dtype), *given)

    return columns


def softmax_op(input, out, *, dim):
    """out = softmax along dim."""
    return _forward(softmax_rows, None, input, out, dim)


def log_softmax_op(input, out, *, dim):
    """out = log_softmax along dim."""
    return _forward(log_softmax_rows, 1, input, out, dim)


def softmax_backward_op(grad, output, out, *, dim):
    """out = output * (grad - sum(grad * output))."""
    return _backward(softmax_rows_backward, (), None, grad, output, out, dim)


def log_softmax_backward_op(grad, output, out, *, dim):
    """out = grad - exp(output) * sum(grad)."""
    double = None if output.dtype.itemsize == 4 else 1
    return _backward(log_softmax_rows_backward, (double,), 1, grad, output, out, dim)


softmax_op.contiguous = log_softmax_op.contiguous = True
softmax_backward_op.contiguous = log_softmax_backward_op.contiguous = True
