"""Products of a few rows and a transposed matrix on the CPU, as in a linear layer of a small batch:
bound by the memory of the matrix.

Each result is an inner product of two contiguous rows. Nothing is packed, and the matrix is read
from memory once.
"""

import functools
import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.simd import (
    I32,
    add,
    as_mask,
    integer,
    ir,
    lanes_of,
    load_where,
    registers,
    store_where,
    types,
    vector_of,
    vectorized,
)
from .batches import starts
from .gemm import products
from .gemv import line_products, lines_of

# Rows at most, and elements for each of them; beyond, packing pays. 8 rows of 128 elements and more
# take 0.5 to 0.8 of the time of packing, of 64 elements 1.1; 16 rows 0.8 to 1.15.
FEW, SHORT = 14, 12
DEPTH = 1 << 12  # bytes of a row that are multiplied at a time: four of either operand lie in L1
BLOCK = 32  # columns that one iteration of `products_of_rows` owns
SUMS = 16 if registers()[1] >= 32 else 8  # registers for the sums of a tile


def columns_of(height, lanes):
    """How many rows of the matrix a tile of `height` rows multiplies."""
    return min(lanes, max(lanes, SUMS) // height)


def plain_row_tile(
    height, x, at, down, used, w, base, pitch, columns, n, first, begin, step, out, to, width
):
    """out[i, j] = first[i, j] + sum over l < n of x[i, l] * w[j, l], for i < used and j < columns.

    Rows begin at `at` + i * down, `base` + j * pitch, `begin` + i * step and `to` + i * width.
    """
    T = out.dtype.type
    for i in range(used):
        for j in range(columns):
            total = T(0)
            for l in range(n):  # noqa: E741 (the contracted index)
                total = T(total + T(x[at + i * down + l] * w[base + j * pitch + l]))
            out[to + i * width + j] = T(total + first[begin + i * step + j])


@functools.cache
def row_tile(height: int):
    """`plain_row_tile` of `height` rows, at most, and `columns_of` them; all numbers are positive.

    Per vector of n: height + columns loads, height * columns multiply-adds. Rows and columns behind
    the last ones repeat them and are not stored.
    """

    @vectorized(functools.partial(plain_row_tile, height))
    def tile(_, x, at, down, used, w, base, pitch, columns, n, first, begin, step, out, to, width):
        def codegen(context, b, signature, args):
            (x_, at_, down_, used_, w_, base_, pitch_, columns_, n_, first_, begin_, step_, out_,
             to_, width_) = args  # fmt: skip
            vector, size = vector_of(out)
            lanes = vector.count
            wide = columns_of(height, lanes)
            last = b.sub(used_, integer(1))
            lefts = lines_of(b, b.gep(x_, [at_]), down_, height, last)
            rights = lines_of(b, b.gep(w_, [base_]), pitch_, wide, b.sub(columns_, integer(1)))
            starts = lines_of(b, b.gep(first_, [begin_]), step_, height, last)
            targets = lines_of(b, b.gep(out_, [to_]), width_, height, last)
            sums = line_products(b, lefts, rights, n_, vector, size)
            mask = as_mask(b, b.sub(b.shl(integer(1), columns_), integer(1)), wide)
            part = ir.VectorType(vector.element, wide)
            rows = []
            for i, start in enumerate(starts):
                group, before = divmod(i * wide, lanes)
                picks = ir.Constant(ir.VectorType(I32, wide), [before + j for j in range(wide)])
                row = b.shuffle_vector(sums[group], sums[group], picks)
                rows.append(add(b, row, load_where(b, start, mask, part, size)))
            for row, target in zip(rows, targets, strict=True):
                store_where(b, row, target, mask, size)
            return context.get_dummy_value()

        i = types.intp
        numbers = x, i, i, i, w, i, i, i, i, first, i, i, out, i, i
        return types.void(*numbers), codegen

    return tile


single, low, high = row_tile(1), row_tile(2), row_tile(4)


@kernel
def products_of_rows(
    x, w, out, first, offsets, batches, m, n, k, down, pitch, depth, most, few, many
):
    """out[i, j] = first[j] + sum of x[i, l] * w[j, l], for matrices that begin at `offsets` (of x,
    then of w), in tiles of one row and `most` columns, of two and `few`, and of four and `many`.

    One iteration of the parallel loop owns BLOCK columns of a matrix.
    """
    blocks, wide = (n + BLOCK - 1) // BLOCK, most if m == 1 else few
    for piece in prange(batches * blocks):
        batch = np.int64(piece) // blocks
        left = (np.int64(piece) - batch * blocks) * BLOCK
        right, z = min(n, left + BLOCK), batch * m * n
        for l in range(0, k, depth):  # noqa: E741 (the contracted index)
            top, base = offsets[2 * batch] + l, offsets[2 * batch + 1] + l
            deep, start, step, shift = min(depth, k - l), first, 0, 0
            if l > 0:
                start, step, shift = out, n, z
            for j in range(left, right, wide):
                end = min(right, j + wide)
                for i in range(0, m, 4):
                    at, begin, to = top + i * down, shift + i * step, z + i * n
                    if m == 1:
                        single(
                            x, at, down, 1, w, base + j * pitch, pitch, end - j, deep, start,
                            begin + j, step, out, to + j, n,
                        )  # fmt: skip
                    elif m - i <= 2:
                        low(
                            x, at, down, m - i, w, base + j * pitch, pitch, end - j, deep, start,
                            begin + j, step, out, to + j, n,
                        )  # fmt: skip
                    else:
                        for c in range(j, end, many):
                            high(
                                x, at, down, min(4, m - i), w, base + c * pitch, pitch,
                                min(many, end - c), deep, start, begin + c, step, out, to + c, n,
                            )  # fmt: skip


def few_rows(x, w, out, bias=None):
    """A function of the arrays (x, w, [bias,] out) for the products of the rows of matrices and of
    transposed matrices, both in the last two dimensions of Specs; `out` is contiguous.
    """
    (m, k), n, size = x.shape[-2:], w.shape[-2], out.dtype.itemsize
    batch, lanes = out.shape[:-2], lanes_of(size)
    batches = math.prod(batch)
    offsets = np.stack([starts(s, batch) for s in (x, w)], -1).ravel().astype(np.int64)
    depth = -(-k // -(-k * size // DEPTH))  # parts of one size
    depth = -(-depth // lanes) * lanes
    widths = [columns_of(height, lanes) for height in (1, 2, 4)]
    numbers = offsets, batches, m, n, k, x.strides[-2], w.strides[-2], depth, *widths
    run = products_of_rows.compile(x, w, out, out, *numbers, work=batches * m * n * k // 8)
    if bias is None:
        return bind(run, 3, np.zeros(n, out.dtype.np), *numbers)
    return lambda a, b, c, o: run(a, b, o, c, *numbers)


def suits(m, k, a, b, ta, tb):
    """Whether `few_rows` is the fastest product of the operands a and b of m rows."""
    along = a.strides[-2 if ta else -1], b.strides[-1 if tb else -2]
    return m <= FEW and k >= SHORT * m and along == (1, 1)


def rows_or_tiles(a, b, out, ta, tb, bias=None):
    """`products` of the same arguments by whichever kernel suits them."""
    (m, n), k = out.shape[-2:], a.shape[-2 if ta else -1]
    if n == 1 < m and suits(1, k, b, a, not tb, not ta):
        row = out.like((*out.shape[:-2], 1, m))
        run = few_rows(in_rows(b, not tb), in_rows(a, ta), row, bias)
        if bias is None:
            return lambda x, y, o: run(y, x, o)
        return lambda x, y, c, o: run(y, x, np.repeat(c, m), o)
    if n and m and suits(m, k, a, b, ta, tb):
        return few_rows(in_rows(a, ta), in_rows(b, not tb), out, bias)
    return products(a, b, out, ta, tb, bias)


def in_rows(spec, transposed):
    """The Spec of the same matrices, or of the transposed ones."""
    if not transposed:
        return spec
    (*shape, m, n), (*strides, down, across) = spec.shape, spec.strides
    return spec.strided((*shape, n, m), (*strides, across, down))
