"""Products of matrices with one vector, and inner products, on the CPU: bound by memory."""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, kernel, prange
from ..copy.cpu import launch_copy
from .gemm import as_matrix, products

BLOCK = 512  # results that one iteration of `column_combination` owns
CHUNK = 1 << 16  # elements of an inner product that one iteration owns
SHORT = 64  # rows below this many elements go to the register tiles, several at once


@kernel(fastmath="sum")
def row_products(a, x, out, bias, rows, n, pitch):
    """out[i] = bias[i] + sum of a[i, j] * x[j]; the bias may be None.

    One iteration of the parallel loop owns one row.
    """
    T = out.dtype.type
    for piece in prange(rows):
        i = np.int64(piece)
        at, total = i * pitch, T(0)
        for j in range(n):
            total = T(total + T(a[at + j] * x[j]))
        out[i] = total if bias is None else T(total + bias[i])


@kernel
def column_combination(a, x, out, m, n, pitch):
    """out[j] = sum of x[i] * a[i, j]. One iteration of the parallel loop owns BLOCK columns.

    Four rows at a time: the results are loaded and stored a quarter as often.
    """
    T = out.dtype.type
    for piece in prange((n + BLOCK - 1) // BLOCK):
        first = np.int64(piece) * BLOCK
        width = min(BLOCK, n - first)
        for j in range(width):
            out[first + j] = T(0)
        i = 0
        while i + 4 <= m:
            at = i * pitch + first
            b, c, d = at + pitch, at + 2 * pitch, at + 3 * pitch
            p, q, r, s = x[i], x[i + 1], x[i + 2], x[i + 3]
            for j in range(width):
                left = T(T(p * a[at + j]) + T(q * a[b + j]))
                right = T(T(r * a[c + j]) + T(s * a[d + j]))
                out[first + j] = T(out[first + j] + T(left + right))
            i += 4
        while i < m:
            at, p = i * pitch + first, x[i]
            for j in range(width):
                out[first + j] = T(out[first + j] + T(p * a[at + j]))
            i += 1


@kernel(fastmath="sum")
def inner_products(x, y, out, n, chunks):
    """out[c] = sum of x[i] * y[i] over chunk c. One iteration of the parallel loop owns a chunk."""
    T = out.dtype.type
    for piece in prange(chunks):
        c = np.int64(piece)
        total = T(0)
        for i in range(c * CHUNK, min(n, (c + 1) * CHUNK)):
            total = T(total + T(x[i] * y[i]))
        out[c] = total


@kernel
def total(parts, out, n):
    """out[0] = the sum of all parts, in order."""
    T = out.dtype.type
    found = T(0)
    for i in range(n):
        found = T(found + parts[i])
    out[0] = found


def rows_with_bias(a, x, bias, out):
    """A function of the arrays (x, a, bias, out) for a matrix whose rows are contiguous."""
    m, n = a.shape
    run = row_products.compile(a, x, out, bias, 1, 1, 1, work=m * n // 8)
    pitch = a.strides[0]
    return lambda v, given, b, o: run(given, v, o, b, m, n, pitch)


def matrix_vector(a, x, out):
    """A function of the arrays (a, x, out) for a matrix or a batch of matrices, and a vector that
    is contiguous, as `out` is.
    """
    flat = as_matrix(a)
    if flat is None or 1 not in flat.strides:
        dense = a.like()
        run, make, fill = (
            matrix_vector(dense, x, out),
            memory.allocator(dense),
            launch_copy(a, dense),
        )

        def copied(given, v, o):
            matrix = make()
            fill(given, matrix)
            run(matrix, v, o)

        return copied
    m, n = flat.shape
    across, down = flat.strides[1], flat.strides[0]
    if across == 1 and (n >= SHORT or m == 1):
        run = row_products.compile(a, x, out, None, 1, 1, 1, work=m * n // 8)
        return bind(run, 3, None, m, n, down)
    if across != 1:
        numbers = n, m, across
        return bind(column_combination.compile(a, x, out, 1, 1, 1, work=m * n // 8), 3, *numbers)
    run = products(x.like((1, n)), flat, out.like((1, m)), tb=True)
    return lambda given, v, o: run(v, given, o)


def inner_product(x, y, out):
    """A function of the contiguous arrays (x, y, out)."""
    n = x.numel
    chunks = math.ceil(n / CHUNK)
    run = inner_products.compile(x, y, out, 1, 1, work=n // 8)
    if chunks <= 1:
        return bind(run, 3, n, 1)
    parts = out.like((chunks,))
    make, add = memory.allocator(parts), total.compile(parts, out, 1)

    def in_two(a, b, o):
        found = make()
        run(a, b, found, n, chunks)
        add(found, o, chunks)

    return in_two
