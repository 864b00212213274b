"""Products of matrices on the CPU: blocks that fit the caches, put together from register tiles.

One kernel serves every element type, either order of dimensions, batches, and biases. On one core
with AVX-512 it reaches 150 to 180 GFLOP/s of float32; MKL 180, OpenBLAS 155, which with two
threads waits up to 56 ms for a product of 0.1 ms when the cores are busy.
"""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.moves import SCRATCH, move_run, scratch, transposed_tile
from ...backends.cpu.simd import lanes_of
from ...core.shape import view_strides
from ..copy.cpu import launch_copy
from .batches import starts
from .tile import ROWS, VECTORS, product_tile

DEPTH = 384  # of a block: its columns of the second operand are copied to the stack in panels
TALL, WIDE = 512 // ROWS * ROWS, 768  # of a block: its rows lie in the L2 cache
PIECES = 8  # blocks that a large product is cut into at least
PACK = 1 << 18  # bytes of a second operand whose rows are too far apart to be read in place
REPACK = 1 << 17  # bytes of a transposed first operand that is copied first
PANEL = 3 if VECTORS == 3 else 6  # vectors of columns that are copied together: 192 bytes
tile1, tile2, tile3 = (product_tile(min(n, VECTORS)) for n in (1, 2, 3))


@kernel
def matrix_products(
    a, b, out, first, offsets, batches, m, n, k, am, ak, bk, bn, tall, wide, depth, packs, lanes,
    by_row,
):  # fmt: skip
    """out[i, j] = first[j] + sum of a[i, l] * b[l, j], for matrices that begin at `offsets` (of a,
    then of b). If `by_row`, the sums of row i begin with first[i * by_row] and what follows it.

    One iteration of the parallel loop owns `tall` rows by `wide` columns of one result.
    """
    by_rows, by_columns = (m + tall - 1) // tall, (n + wide - 1) // wide
    panel = PANEL * lanes
    for piece in prange(batches * by_rows * by_columns):
        rest = np.int64(piece)
        part = rest // by_columns
        left = (rest - part * by_columns) * wide
        batch = part // by_rows
        top = (part - batch * by_rows) * tall
        bottom, right = min(m, top + tall), min(n, left + wide)
        x, y, z = offsets[2 * batch], offsets[2 * batch + 1], batch * m * n
        for begin in range(0, k, depth):
            deep = min(depth, k - begin)
            for j in range(left, right, panel):
                width = min(panel, right - j)
                columns, base, pitch = b, y + begin * bk + j * bn, bk
                if packs:
                    columns, pitch = scratch(out), panel
                    if bn == 1:
                        for l in range(deep):  # noqa: E741 (the contracted index)
                            move_run(b, base + l * bk, columns, l * panel, width)
                    else:
                        for l in range(0, deep, lanes):  # noqa: E741
                            for i in range(0, width, lanes):
                                at = base + i * bn + l * bk
                                rows, taken = min(lanes, width - i), min(lanes, deep - l)
                                to = l * panel + i
                                transposed_tile(b, at, bn, columns, to, panel, rows, taken)
                    base = 0
                for side in range(0, width, VECTORS * lanes):
                    across = min(VECTORS * lanes, width - side)
                    for i in range(top, bottom, ROWS):
                        used, from_ = min(ROWS, bottom - i), x + i * am + begin * ak
                        to, start, at, step = z + i * n + j + side, first, j + side, 0
                        if by_row > 0:
                            at, step = i * by_row, by_row
                        if begin > 0:
                            start, at, step = out, to, n
                        if VECTORS > 2 and across > 2 * lanes:
                            tile3(
                                a, from_, am, ak, used, columns, base + side, pitch, deep,
                                start, at, step, out, to, n, across,
                            )  # fmt: skip
                        elif across > lanes:
                            tile2(
                                a, from_, am, ak, used, columns, base + side, pitch, deep,
                                start, at, step, out, to, n, across,
                            )  # fmt: skip
                        else:
                            tile1(
                                a, from_, am, ak, used, columns, base + side, pitch, deep,
                                start, at, step, out, to, n, across,
                            )  # fmt: skip


def products(a, b, out, ta=False, tb=False, bias=None, row_bias=None):
    """A function of the arrays (a, b, [bias,] out) for the matrices in the last two dimensions of
    Specs; `out` is contiguous. `bias` is a contiguous vector that is added to each row, `row_bias`
    one with a number for each row.

    The same bits for any number of threads: the order of a sum depends on nothing but its length.
    """
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    if not (m and n and k):
        return _empty(bias is not None)
    across = 0 if row_bias is None else VECTORS * lanes_of(out.dtype.itemsize)
    a_given = b_given = None
    size = out.dtype.itemsize
    if ta and a.strides[-1] == 1 and n > 64 and a.numel * size >= REPACK:
        a_given, ta = _transposed(a), False
        a = a_given.like()
    am, ak = reversed(a.strides[-2:]) if ta else a.strides[-2:]
    bk, bn = reversed(b.strides[-2:]) if tb else b.strides[-2:]
    if bn != 1 and bk != 1:
        b_given, b = b, b.like()
        bk, bn = (1, k) if tb else (n, 1)
    batch, lanes = out.shape[:-2], lanes_of(size)
    batches = math.prod(batch)
    offsets = np.stack([starts(s, batch) for s in (a, b)], -1).ravel().astype(np.int64)
    packs = bn != 1 or (m >= 64 and k * n * size >= PACK)
    panel = PANEL * lanes
    depth = min(DEPTH, SCRATCH // size // panel // lanes * lanes)
    depth = -(-k // -(-k // depth) // lanes) * lanes  # parts of one size
    tall, wide = _block(batches, m, n, k, panel)
    numbers = (batches, m, n, k, am, ak, bk, bn, tall, wide, depth, int(packs), lanes, across)
    run = matrix_products.compile(a, b, out, out, offsets, *numbers, work=batches * m * n * k // 96)
    if bias is not None:
        bound = _with_bias(run, offsets, *numbers)
    elif row_bias is not None:
        bound = _with_row_bias(run, across, offsets, *numbers)
    else:
        bound = bind(run, 3, np.zeros(max(n, panel), out.dtype.np), offsets, *numbers)
    return _with_copies(bound, a_given, a, b_given, b)


def _transposed(spec):
    """The Spec of the same memory with the last two dimensions exchanged."""
    shape, strides = spec.shape, spec.strides
    return spec.strided(
        (*shape[:-2], shape[-1], shape[-2]), (*strides[:-2], strides[-1], strides[-2])
    )


def _with_bias(run, *numbers):
    return lambda a, b, bias, o: run(a, b, o, bias, *numbers)


def _with_row_bias(run, across, *numbers):
    """With as many copies of each bias as a tile has columns."""
    return lambda a, b, bias, o: run(a, b, o, np.repeat(bias, across), *numbers)


def _empty(has_bias):
    """The product of matrices without elements to sum over."""

    def run(*arrays):
        arrays[-1][...] = arrays[2] if has_bias else 0

    return run


def _block(batches, m, n, k, panel):
    """Rows and columns of a block: as large as the caches bear, but enough of them for threads."""
    tall, wide = min(TALL, m), min(WIDE // panel * panel, -(-n // panel) * panel)
    while batches * -(-m // tall) * -(-n // wide) < PIECES and m * n * k >= 1 << 20:
        if wide > panel:  # first: each row of blocks copies its panels of the second operand again
            wide = -(-wide // 2 // panel) * panel
        elif tall > 64:
            tall = -(-tall // 2 // ROWS) * ROWS
        else:
            break
    return tall, wide


def _with_copies(run, a_given, a, b_given, b):
    """`run` on copies of operands whose strides do not suit it."""
    if a_given is None and b_given is None:
        return run
    steps = [
        (i, memory.allocator(dense), launch_copy(given, dense))
        for i, (given, dense) in enumerate(((a_given, a), (b_given, b)))
        if given is not None
    ]

    def copied(*arrays):
        changed = list(arrays)
        for i, make, fill in steps:
            changed[i] = make()
            fill(arrays[i], changed[i])
        run(*changed)

    return copied


def as_matrix(spec):
    """The Spec of a tensor's memory as one matrix, whose rows are all leading dimensions; None if
    its strides do not allow that.
    """
    if spec.ndim == 2:
        return spec
    shape = math.prod(spec.shape[:-1]), spec.shape[-1]
    strides = view_strides(spec.shape, spec.strides, shape)
    return None if strides is None else spec.strided(shape, strides)
