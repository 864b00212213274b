"""Products of matrices with one vector, and inner products, on the CPU: bound by memory."""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.simd import (
    I32,
    add,
    as_mask,
    integer,
    ir,
    lanes_of,
    load,
    load_where,
    loop,
    multiply_add,
    store_where,
    types,
    vector_of,
    vectorized,
)
from ..copy.cpu import launch_copy
from .gemm import as_matrix

BLOCK = 512  # results that one iteration of `column_combination` owns
CHUNK = 1 << 16  # elements of an inner product that one iteration owns
# Rows below this many elements, or so many of them, are added up several at once: 1000 x 100 takes
# 0.75 of torch's time instead of 0.87, 300 x 300 0.70 instead of 0.88.
SHORT, MANY = 64, 128


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


def lines_of(b, first, pitch, count, last):
    """Pointers to `count` rows; after row `last`, to that one again."""
    rows = [integer(i) for i in range(count)]
    rows = [b.select(b.icmp_signed("<", i, last), i, last) for i in rows]
    return [b.gep(first, [b.mul(i, pitch)]) for i in rows]


def line_products(b, lefts, rights, n, vector, size):
    """The inner products of n > 0 elements from each pointer in `lefts` and each in `rights`:
    vectors, which hold those of lefts[0], then of lefts[1].

    Each product has a vector of sums. Round d of log2(lanes) adds lanes d apart and puts two
    products' results into one vector, so that lane i of the last one is the sum of vector i.
    """
    lanes = vector.count
    whole = b.udiv(b.sub(n, integer(1)), integer(lanes))  # vectors in front of the last one
    done = b.mul(whole, integer(lanes))
    mask = as_mask(b, b.sub(b.shl(integer(1), b.sub(n, done)), integer(1)), lanes)

    def with_products(sums, position, read):
        found, parts = list(sums), [read(b.gep(left, [position])) for left in lefts]
        for j, right in enumerate(rights):
            other = read(b.gep(right, [position]))
            for i, part in enumerate(parts):
                at = i * len(rights) + j
                found[at] = multiply_add(b, other, part, sums[at])
        return found

    zeros = [ir.Constant(vector, None)] * (len(lefts) * len(rights))
    sums = with_products(zeros, done, lambda p: load_where(b, p, mask, vector, size))
    before = b.block
    with b.if_then(b.icmp_signed(">", whole, integer(0))):
        v, partial, close = loop(b, whole, sums)
        position = b.mul(v, integer(lanes))
        longer = close(with_products(partial, position, lambda p: load(b, p, vector, size)))
        inside = b.block
    phis = [b.phi(vector) for _ in sums]
    for phi, short, long in zip(phis, sums, longer, strict=True):
        phi.add_incoming(short, before)
        phi.add_incoming(long, inside)
    kind, d = ir.VectorType(I32, lanes), 1
    while d < lanes:
        own = ir.Constant(kind, [k if not k & d else lanes + k for k in range(lanes)])
        other = ir.Constant(kind, [k + d if not k & d else lanes + k - d for k in range(lanes)])
        pairs = zip(phis[::2], phis[1::2], strict=True)
        phis = [add(b, b.shuffle_vector(*p, own), b.shuffle_vector(*p, other)) for p in pairs]
        d *= 2
    return phis


def plain_row_sums(a, at, pitch, used, x, first, n, out, to):
    """out[to + i] = sum over j < n of a[at + i * pitch + j] * x[first + j], for i < used."""
    T = out.dtype.type
    for i in range(used):
        total = T(0)
        for j in range(n):
            total = T(total + T(a[at + i * pitch + j] * x[first + j]))
        out[to + i] = total


@vectorized(plain_row_sums)
def row_sums(_, a, at, pitch, used, x, first, n, out, to):
    """`plain_row_sums` of as many rows as a vector has lanes; n and used are positive."""

    def codegen(context, b, signature, args):
        a_, at_, pitch_, used_, x_, first_, n_, out_, to_ = args
        vector, size = vector_of(out)
        lanes = vector.count
        last, top = b.sub(used_, integer(1)), b.gep(a_, [at_])
        lines = lines_of(b, top, pitch_, lanes, last)
        (sums,) = line_products(b, [b.gep(x_, [first_])], lines, n_, vector, size)
        stored = as_mask(b, b.sub(b.shl(integer(1), used_), integer(1)), lanes)
        store_where(b, sums, b.gep(out_, [to_]), stored, size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(a, i, i, i, x, i, i, out, i), codegen


@kernel
def grouped_row_products(a, x, out, rows, n, pitch, lanes):
    """out[i] = sum of a[i, j] * x[j]. One iteration of the parallel loop owns `lanes` rows."""
    for piece in prange((rows + lanes - 1) // lanes):
        i = np.int64(piece) * lanes
        row_sums(a, i * pitch, pitch, min(lanes, rows - i), x, 0, n, out, i)


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
    if across == 1 and (m == 1 or n == 0 or (n >= SHORT and m < MANY)):
        run = row_products.compile(a, x, out, None, 1, 1, 1, work=m * n // 8)
        return bind(run, 3, None, m, n, down)
    if across != 1:
        numbers = n, m, across
        return bind(column_combination.compile(a, x, out, 1, 1, 1, work=m * n // 8), 3, *numbers)
    numbers = m, n, down, lanes_of(out.dtype.itemsize)
    return bind(grouped_row_products.compile(a, x, out, *numbers, work=m * n // 8), 3, *numbers)


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
