"""Products of matrices on the CPU: blocks that fit the caches, put together from register tiles.

One kernel serves every element type, either order of dimensions, batches, and biases. On one core
with AVX-512 it reaches 150 to 180 GFLOP/s of float32; MKL 180, OpenBLAS 155, which with two
threads waits up to 56 ms for a product of 0.1 ms when the cores are busy.

Blocks as in Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication (2008), with
the operands' roles exchanged, since rows of results are contiguous: a block of the second operand
is packed into the L2 cache, and rows of the first go past it. The first is read in place, unless it
is transposed.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from ...backends.cpu import memory, threads
from ...backends.cpu.jit import PARALLEL_WORK, bind, kernel, prange
from ...backends.cpu.moves import SCRATCH, scratch, transposed_tile
from ...backends.cpu.simd import lanes_of
from ...core.shape import view_strides
from ..conv.planes import scratch as work_memory
from ..copy.cpu import launch_copy
from .batches import starts
from .tile import GROUP, PAD, ROWS, VECTORS, packed, product_tile

DEPTH, WIDE = 512, 8  # of a block: its rows of the second operand, and its panels, lie in L2
SHALLOW = 32  # the same rows, where few rows of results read a large operand along its memory
LARGE = 1 << 20  # bytes of a second operand that is read from beyond the L2 cache
PACK = 1 << 28  # bytes of it times rows of results: from here on it is packed first
TALL = 1 << 19  # bytes of a block of the first operand that stays in L2 for several panels
STRIPS, STRIP_BYTES = 96, 1 << 18  # columns, and bytes of a transposed first operand: it is packed
STRIP_DEPTH, STRIP_WIDE = 384, 12  # of a block then: the first operand is packed for each
TINY = 64  # multiply-adds of a product in a batch that plain loops do as fast as a tile
packed_panel, packed_strips = packed(1, VECTORS), packed(GROUP, 0)
tile1, tile2, tile3 = (product_tile(min(n, VECTORS)) for n in (1, 2, 3))
# For the last rows: 2x512x512 takes 0.7 of the time.
low2, low3 = (product_tile(min(n, VECTORS), ROWS // 2) for n in (2, 3))


@kernel
def matrix_products(
    a, b, out, first, work, offsets, workers, batches, m, n, k, am, ak, bk, bn, blocks, depth,
    strips, packs, room, by_row, lanes,
):  # fmt: skip
    """out[i, j] = first[j] + sum of a[i, l] * b[l, j], for matrices that begin at `offsets` (of a,
    then of b). If `by_row`, the sums of row i begin with first[i * by_row] and what follows it.

    Columns are divided into panels of VECTORS vectors, panels into `blocks`; tiles are counted down
    each block. One iteration of the parallel loop owns an equal share of all tiles, and `room`
    elements of `work` to pack into (the stack, if that is 0): a block of b if `packs`, and GROUP
    strips of ROWS rows of a transposed a if `strips`.
    """
    panel, group = VECTORS * lanes, GROUP * ROWS
    panels, by_rows = (n + panel - 1) // panel, (m + ROWS - 1) // ROWS
    short = lanes if panels > 1 and VECTORS > 2 and n - (panels - 1) * panel <= lanes else 0
    count = batches * blocks * by_rows
    for piece in prange(workers):
        worker = np.int64(piece)
        unit, end = count * worker // workers, count * (worker + 1) // workers
        space, mine = work, worker * room
        if room == 0:
            space, mine = scratch(out), 0
        slab = mine + strips * GROUP * (depth * ROWS + PAD)
        while unit < end:
            block = unit // by_rows
            top = (unit - block * by_rows) * ROWS
            bottom = min(m, top + (end - unit) * ROWS)
            unit += (bottom - top + ROWS - 1) // ROWS
            batch = block // blocks
            block -= batch * blocks
            left, right = panels * block // blocks, panels * (block + 1) // blocks
            x, y, z = offsets[2 * batch], offsets[2 * batch + 1], batch * m * n
            for begin in range(0, k, depth):
                deep = min(depth, k - begin)
                base = y + begin * bk
                if packs and bn == 1:
                    for l in range(0, deep, lanes):  # noqa: E741 (the contracted index)
                        for p in range(left, right):
                            j, to = p * panel, slab + (p - left) * panel * deep + l * panel
                            if p == panels - 1:
                                j -= short
                            taken, width = min(lanes, deep - l), min(panel, n - j)
                            packed_panel(b, base + l * bk + j, bk, space, to, taken, width)
                elif packs:
                    for p in range(left, right):
                        first_column = p * panel
                        if p == panels - 1:
                            first_column -= short
                        for j in range(first_column, min(n, first_column + panel), lanes):
                            to = slab + (p - left) * panel * deep + j - first_column
                            for l in range(0, deep, lanes):  # noqa: E741
                                transposed_tile(
                                    b, base + l + j * bn, bn, space, to + l * panel, panel,
                                    min(lanes, n - j), min(lanes, deep - l),
                                )  # fmt: skip
                start, step, shift, along_row = first, by_row, 0, int(by_row == 0)
                if begin > 0:
                    start, step, shift, along_row = out, n, z, 1
                for above in range(top, bottom, group):
                    below = min(bottom, above + group)
                    rows, corner, down, along = a, x + above * am + begin * ak, am, ak
                    next_tile = ROWS * am
                    if strips:
                        packed_strips(a, corner, ak, space, mine, deep, below - above)
                        rows, corner, down, along = space, mine, 1, ROWS
                        next_tile = deep * ROWS + PAD
                    for p in range(left, right):
                        j, width = p * panel, panel
                        if p == panels - 1:
                            j -= short
                            width = n - j
                        elif p == panels - 2:
                            width -= short
                        columns, side, pitch = b, base + j, bk
                        if packs:
                            columns, side, pitch = space, slab + (p - left) * panel * deep, panel
                        for i in range(above, below, ROWS):
                            used = min(ROWS, bottom - i)
                            from_ = corner + (i - above) // ROWS * next_tile
                            to, at = z + i * n + j, shift + i * step + j * along_row
                            if used <= ROWS // 2 and width > lanes:
                                if VECTORS > 2 and width > 2 * lanes:
                                    low3(
                                        rows, from_, down, along, used, columns, side, pitch, deep,
                                        start, at, step, out, to, n, width,
                                    )  # fmt: skip
                                else:
                                    low2(
                                        rows, from_, down, along, used, columns, side, pitch, deep,
                                        start, at, step, out, to, n, width,
                                    )  # fmt: skip
                            elif VECTORS > 2 and width > 2 * lanes:
                                tile3(
                                    rows, from_, down, along, used, columns, side, pitch, deep,
                                    start, at, step, out, to, n, width,
                                )  # fmt: skip
                            elif width > lanes:
                                tile2(
                                    rows, from_, down, along, used, columns, side, pitch, deep,
                                    start, at, step, out, to, n, width,
                                )  # fmt: skip
                            else:
                                tile1(
                                    rows, from_, down, along, used, columns, side, pitch, deep,
                                    start, at, step, out, to, n, width,
                                )  # fmt: skip


@kernel
def tiny_products(a, b, out, offsets, batches, m, n, k, am, ak, bk, bn):
    """out[i, j] = sum of a[i, l] * b[l, j], for matrices too small for tiles. One iteration of the
    parallel loop owns one product.
    """
    T = out.dtype.type
    for piece in prange(batches):
        batch = np.int64(piece)
        x, y, z = offsets[2 * batch], offsets[2 * batch + 1], batch * m * n
        for i in range(m):
            for j in range(n):
                total = T(0)
                for l in range(k):  # noqa: E741 (the contracted index)
                    total = T(total + T(a[x + i * am + l * ak] * b[y + l * bk + j * bn]))
                out[z + i * n + j] = total


def products(a, b, out, ta=False, tb=False, bias=None, row_bias=None):
    """A function of the arrays (a, b, [bias,] out) for the matrices in the last two dimensions of
    Specs; `out` is contiguous. `bias` is a contiguous vector that is added to each row, `row_bias`
    one with a number for each row.

    The same bits for any number of threads: the order of a sum depends on nothing but the shapes.
    """
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    if not (m and n and k):
        return _empty(bias is not None)
    b_given, size = None, out.dtype.itemsize
    am, ak = reversed(a.strides[-2:]) if ta else a.strides[-2:]
    bk, bn = reversed(b.strides[-2:]) if tb else b.strides[-2:]
    batch, lanes = out.shape[:-2], lanes_of(size)
    batches = math.prod(batch)
    tiny = batches > 1 and m * n * k <= TINY and bias is None and row_bias is None
    if bn != 1 and bk != 1 and not tiny:
        b_given, b = b, b.like()
        bk, bn = (1, k) if tb else (n, 1)
    offsets = np.stack([starts(s, batch) for s in (a, b)], -1).ravel().astype(np.int64)
    if tiny:
        facts = offsets, batches, m, n, k, am, ak, bk, bn
        return bind(tiny_products.compile(a, b, out, *facts, work=batches * m * n * k), 3, *facts)
    panel = VECTORS * lanes
    panels, bytes_of_b = -(-n // panel), k * n * size
    large, few = bytes_of_b > LARGE, m <= 2 * ROWS
    packs = bn != 1 or (large and not few and m * bytes_of_b >= PACK)
    strips = am == 1 and ak != 1 and n > STRIPS and m >= GROUP * ROWS
    strips = strips and m * k * size >= STRIP_BYTES
    shallow = large and few and not packs
    deepest, widest = (STRIP_DEPTH, STRIP_WIDE) if strips else (DEPTH, WIDE)
    depth = -(-k // -(-k // (SHALLOW if shallow else deepest)))  # parts of one size
    depth = -(-depth // lanes) * lanes
    wide = strips or shallow or m * depth * size > TALL
    blocks = -(-panels // widest) if wide else panels
    room = packs * -(-panels // blocks) * panel * depth + strips * GROUP * (depth * ROWS + PAD)
    if room * size <= SCRATCH:
        room = 0
    work = batches * m * n * k // 96
    tiles = batches * blocks * -(-m // ROWS)
    workers = min(threads.get_num_threads(), tiles) if work >= PARALLEL_WORK else 1
    by_row = 0 if row_bias is None else panel
    numbers = (
        workers, batches, m, n, k, am, ak, bk, bn, blocks, depth, int(strips), int(packs), room,
        by_row, lanes,
    )  # fmt: skip
    run = matrix_products.compile(a, b, out, out, out, offsets, *numbers, work=work)
    fixed, space = (offsets, *numbers), functools.partial(work_memory, workers * room, out.dtype.np)
    bound: Callable
    if row_bias is not None:
        bound = _with_row_bias(run, space, by_row, *fixed)
    elif bias is not None:
        bound = _with_bias(run, space if room else None, *fixed)
    else:
        zeros = np.zeros(panels * panel, out.dtype.np)
        bound = (
            _with_room(run, zeros, space, *fixed) if room else bind(run, 3, zeros, zeros, *fixed)
        )
    return bound if b_given is None else _with_copy(bound, b_given, b)


def _with_room(run, zeros, space, *numbers):
    return lambda a, b, o: run(a, b, o, zeros, space(), *numbers)


def _with_bias(run, space, *numbers):
    if space is None:
        return lambda a, b, bias, o: run(a, b, o, bias, bias, *numbers)
    return lambda a, b, bias, o: run(a, b, o, bias, space(), *numbers)


def _with_row_bias(run, space, across, *numbers):
    """With as many copies of each bias as a tile has columns."""
    return lambda a, b, bias, o: run(a, b, o, np.repeat(bias, across), space(), *numbers)


def _empty(has_bias):
    """The product of matrices without elements to sum over."""

    def run(*arrays):
        arrays[-1][...] = arrays[2] if has_bias else 0

    return run


def _with_copy(run, given, dense):
    """`run` on a copy of the second operand, whose strides do not suit it."""
    make, fill = memory.allocator(dense), launch_copy(given, dense)

    def copied(a, b, *others):
        matrix = make()
        fill(b, matrix)
        run(a, matrix, *others)

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
