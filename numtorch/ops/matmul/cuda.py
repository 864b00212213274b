"""CUDA products: tiles in shared memory, a square of sums in the registers of each thread.

A block of TILE x TILE threads owns a tile of SIDE x SIDE results, a thread EACH x EACH of them
(so that a number read from shared memory is used EACH times). Strides say which operand is
transposed, and offsets where the matrices of a batch begin.
"""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, TILE, bind, cuda, grid, kernel
from ...backends.registry import contiguous
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name
from .addends import added
from .batches import starts

EACH = 4
SIDE = EACH * TILE
PADDED = SIDE + 1  # rows of a tile start in different banks


# -- kernels -------------------------------------------------------------------------------------
@kernel
def products(a, b, bias, out, offsets, batches, m, n, k, am, ak, bk, bn, om, on):
    """out = a @ b (+ bias for each column, or None). A block owns a SIDE x SIDE tile at a time."""
    T = out.dtype.type
    left = cuda.shared.array((TILE, PADDED), a.dtype)
    right = cuda.shared.array((TILE, PADDED), b.dtype)
    sums = cuda.local.array((EACH, EACH), out.dtype)
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    across = (n + SIDE - 1) // SIDE
    down = (m + SIDE - 1) // SIDE
    for job in range(cuda.blockIdx.x, batches * down * across, cuda.gridDim.x):
        tile = job % (down * across)
        row, column = tile // across * SIDE, tile % across * SIDE
        batch = job // (down * across) * 3
        x, y = offsets[batch], offsets[batch + 1]
        for i in range(EACH):
            for j in range(EACH):
                sums[i, j] = T(0)
        for start in range(0, k, TILE):
            # neighbouring threads read neighbouring elements, whichever dimension that is
            for q in range(EACH):
                if ak == 1:
                    r, d = ty + q * TILE, tx
                else:
                    r, d = tx + q * TILE, ty
                inside = row + r < m and start + d < k
                left[d, r] = a[x + (row + r) * am + (start + d) * ak] if inside else T(0)
                if bn == 1:
                    c, d = tx + q * TILE, ty
                else:
                    c, d = ty + q * TILE, tx
                inside = column + c < n and start + d < k
                right[d, c] = b[y + (start + d) * bk + (column + c) * bn] if inside else T(0)
            cuda.syncthreads()
            for d in range(TILE):
                for i in range(EACH):
                    v = left[d, ty + i * TILE]
                    for j in range(EACH):
                        sums[i, j] = T(sums[i, j] + T(v * right[d, tx + j * TILE]))
            cuda.syncthreads()
        for i in range(EACH):
            r = row + ty + i * TILE
            for j in range(EACH):
                c = column + tx + j * TILE
                if r < m and c < n:
                    v = sums[i, j]
                    if bias is not None:
                        v += bias[c]
                    out[offsets[batch + 2] + r * om + c * on] = v


@kernel
def row_products(a, x, out, offsets, rows, k, ak, step):
    """out[r] = row r of a, times x. A block owns a row at a time; rows begin at `offsets`."""
    parts = cuda.shared.array(THREADS, out.dtype)
    T = out.dtype.type
    for r in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        total = T(0)
        at = offsets[r]
        for i in range(cuda.threadIdx.x, k, THREADS):
            total = T(total + T(a[at + i * ak] * x[i * step]))
        total = block_sum(parts, total)
        if cuda.threadIdx.x == 0:
            out[r] = total


@kernel
def column_sums(x, out, rows, n):
    """out[c] = sum of column c.

    A block owns TILE columns at a time, each of its rows of threads every TILE-th row.
    """
    T = out.dtype.type
    parts = cuda.shared.array((TILE, TILE), out.dtype)
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    for block in range(cuda.blockIdx.x, (n + TILE - 1) // TILE, cuda.gridDim.x):
        c = block * TILE + tx
        total = T(0)
        if c < n:
            for r in range(ty, rows, TILE):
                total += x[r * n + c]
        parts[ty, tx] = total
        cuda.syncthreads()
        if ty == 0 and c < n:
            total = T(0)
            for i in range(TILE):
                total += parts[i, tx]
            out[c] = total
        cuda.syncthreads()


# -- launchers -----------------------------------------------------------------------------------
def product(mat1, mat2, bias, out, ta, tb):
    """A function of (mat1, mat2, bias, out) for batches of matrices of any strides."""
    m, n = out.shape[-2:]
    k = mat1.shape[-2] if ta else mat1.shape[-1]
    am, ak = reversed(mat1.strides[-2:]) if ta else mat1.strides[-2:]
    bk, bn = reversed(mat2.strides[-2:]) if tb else mat2.strides[-2:]
    batch = out.shape[:-2]
    table = np.stack([starts(s, batch) for s in (mat1, mat2, out)], -1)
    offsets = memory.from_host(table, out.device.index)
    batches = math.prod(batch)
    facts = offsets, batches, m, n, k, am, ak, bk, bn, *out.strides[-2:]
    blocks = grid(batches * -(-m // SIDE) * -(-n // SIDE), 1)[0]
    compiled = products.compile(mat1, mat2, bias, out, *facts)[blocks, (TILE, TILE)]
    return bind(compiled, 4, *facts)


def mm_op(mat1, mat2, out, *, ta, tb):
    """One product of matrices of any strides."""
    run = product(mat1, mat2, None, out, ta, tb)
    return lambda a, b, o: run(a, b, None, o)


def matrix(spec):
    """A contiguous tensor's Spec as that of a matrix whose rows are all leading dimensions."""
    return spec.like(shape=(math.prod(spec.shape[:-1]), spec.shape[-1]))


@contiguous
def rows_op(mat1, mat2, out, *, ta, tb):
    """One product of operands seen as matrices."""
    return mm_op(matrix(mat1), matrix(mat2), matrix(out), ta=ta, tb=tb)


def bmm_op(input, mat2, out, *, ta, tb):
    """All products of a batch at once."""
    return mm_op(input, mat2, out, ta=ta, tb=tb)


def matmul_op(input, mat2, out, *, ta, tb):
    """All products of a broadcast batch at once."""
    return mm_op(input, mat2, out, ta=ta, tb=tb)


@contiguous("vec")
def mv_op(input, vec, out):
    """A block for each row."""
    k, rows = vec.numel, out.numel
    table = starts(input.strided((*input.shape[:-1], 1, k), (*input.strides[:-1], 0, 1)), out.shape)
    facts = memory.from_host(table, out.device.index), rows, k, input.strides[-1], 1
    return bind(row_products.compile(input, vec, out, *facts)[grid(rows, 1)[0], THREADS], 3, *facts)


def dot_op(input, tensor, out):
    """One block."""
    origin = memory.from_host(np.zeros(1, np.int64), out.device.index)
    facts = origin, 1, input.numel, *input.strides, *tensor.strides
    return bind(row_products.compile(input, tensor, out, *facts)[1, THREADS], 3, *facts)


def addmm_op(input, mat1, mat2, out, *, beta, alpha):
    """A product and one pass."""
    run = mm_op(mat1, mat2, out, ta=False, tb=False)
    return added(launch_loop, input, out, run, beta, alpha)


@contiguous("vec")
def addmv_op(input, mat, vec, out, *, beta, alpha):
    """A product and one pass."""
    return added(launch_loop, input, out, mv_op(mat, vec, out), beta, alpha)


def baddbmm_op(input, batch1, batch2, out, *, beta, alpha):
    """A batch of products and one pass."""
    run = mm_op(batch1, batch2, out, ta=False, tb=False)
    return added(launch_loop, input, out, run, beta, alpha)


@contiguous
def linear_op(input, weight, bias, out):
    """A product that adds the bias as it writes; other shapes of bias take one more pass."""
    factors = matrix(input), weight
    if bias.shape == out.shape[-1:]:
        return product(*factors, bias, matrix(out), False, True)
    run = product(*factors, None, matrix(out), False, True)
    name = type_name(out.dtype)
    add = launch_loop("add", ("a + b",), (name, name), name, (out, bias), (out,))

    def with_broadcast(x, w, b, o):
        run(x, w, None, o)
        add(o, b, o)

    return with_broadcast


def linear_rows_op(input, weight, bias, out):
    """The same for any leading dimensions."""
    return linear_op(input, weight, bias, out)


linear_rows_op.contiguous = True  # type: ignore[attr-defined]


@contiguous
def column_sum_op(input, out):
    """Blocks of columns."""
    n = out.numel
    facts = math.prod(input.shape[:-1]), n
    blocks = grid(n, TILE)[0], (TILE, TILE)
    return bind(column_sums.compile(input, out, *facts)[blocks], 2, *facts)
