"""Copies on the CPU between two layouts of one type: rows, and transposed blocks.

A transposing copy has its elements next to each other in different dimensions. It goes by blocks of
`BLOCK` bytes, which are transposed tile by tile in registers; the block is put together in the L1
cache, as the rows of a large result often begin at the same place of every page, so that they throw
each other out of the caches: 4096 x 4096 float32 take 41 ms written directly and 22 ms this way
(9 ms past the caches); the plain loop takes 165.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.moves import (
    bits_of,
    move_run,
    release,
    scratch,
    stream_run,
    transposed_tile,
)
from ...backends.cpu.simd import lanes_of
from ...core.shape import collapse, expanded_strides
from .weave import WOVEN, unweave, weave

BLOCK = 32768  # bytes of a transposed block
STREAM = 1 << 26  # bytes of a result that is written past the caches: 9.6 ms become 6.4
STREAM_BLOCKS = 1 << 24  # the same for transposed blocks: 3.0 ms become 2.0
GROUP = 16384  # elements that one iteration owns
LINE = 64  # bytes of a cache line
ROW = 16  # bytes of the shortest rows that are moved as rows


@kernel
def stream(x, out, n):
    """out[i] = x[i], past the caches. One iteration of the parallel loop owns GROUP elements."""
    for piece in prange((n + GROUP - 1) // GROUP):
        first = np.int64(piece) * GROUP
        stream_run(x, first, out, first, min(GROUP, n - first))
        release()


@kernel
def move_rows(x, out, table, outer, rows, m, n, x_step, step, group, streamed):
    """Rows of n elements to other places: `table` has sizes and strides of the outer dimensions,
    `x_step` and `step` are the strides of the last one, of size m.

    One iteration of the parallel loop owns `group` rows.
    """
    for piece in prange((rows + group - 1) // group):
        row = np.int64(piece) * group
        end = min(row + group, rows)
        while row < end:
            rest, at, to = row // m, 0, 0
            inner = row - rest * m
            for d in range(outer):
                e = 3 * (outer - 1 - d)
                i = rest % table[e]
                rest //= table[e]
                at += i * table[e + 1]
                to += i * table[e + 2]
            stop = min(m, inner + end - row)
            row += stop - inner
            for i in range(inner, stop):
                if streamed:
                    stream_run(x, at + i * x_step, out, to + i * step, n)
                else:
                    move_run(x, at + i * x_step, out, to + i * step, n)
        if streamed:
            release()


@kernel
def move_blocks(x, out, table, outer, blocks, n, m, x_step, step, down, across, lanes, form):
    """out[.., j, i] = x[.., i, j] for i < n and j < m; the rows of x are `x_step` elements apart,
    those of `out` `step`.

    One iteration of the parallel loop owns a block, `down` rows of x by `across` columns. `form`: 0
    writes each tile to its place, 1 whole blocks, 2 blocks past the caches.
    """
    by_rows, by_columns = (n + down - 1) // down, (m + across - 1) // across
    for piece in prange(blocks):
        item = np.int64(piece)
        rest, at, to = item // by_rows, 0, 0
        first = (item - rest * by_rows) * down
        part = rest % by_columns
        rest //= by_columns
        left = part * across
        for d in range(outer):
            e = 3 * (outer - 1 - d)
            i = rest % table[e]
            rest //= table[e]
            at += i * table[e + 1]
            to += i * table[e + 2]
        height, width = min(down, n - first), min(across, m - left)
        at += first * x_step + left
        to += left * step + first
        target, begin, pitch = out, to, step
        if form > 0:
            target, begin, pitch = scratch(out), 0, down + lanes
        for i in range(0, height, lanes):
            for j in range(0, width, lanes):
                tall, wide = min(lanes, height - i), min(lanes, width - j)
                place = begin + j * pitch + i
                transposed_tile(x, at + i * x_step + j, x_step, target, place, pitch, tall, wide)
        if form == 1:
            for j in range(width):
                move_run(target, j * pitch, out, to + j * step, height)
        elif form == 2:
            for j in range(width):
                stream_run(target, j * pitch, out, to + j * step, height)
            release()


def moved(input, out):
    """A function of the arrays (x, out) that copies or broadcasts elements which lie next to each
    other in both layouts; None for other layouts and where dtypes differ.
    """
    dims, near = _geometry(input, out)
    if not dims:
        return None
    size, dtype = out.dtype.itemsize, input.dtype.np
    if near == len(dims) - 1:
        return _by_rows(dims, out.numel, size, dtype)
    return _by_blocks(dims, near, out.numel, size, dtype)


def transposes(input, out) -> bool:
    """Whether `moved` copies by transposed blocks, which are whole cache lines in both layouts."""
    dims, near = _geometry(input, out)
    if not dims or near == len(dims) - 1:
        return False
    return min(dims[near][0], dims[-1][0]) * out.dtype.itemsize >= LINE


def _geometry(input, out):
    """The dimensions as (size, step in the input, step in the output), that of step 1 in the output
    last, and which has step 1 in the input; () if there are no such dimensions.
    """
    if input.dtype is not out.dtype or not out.numel:
        return (), 0
    read = expanded_strides(input.shape, input.strides, out.shape)
    order = sorted(range(out.ndim), key=lambda d: (-out.strides[d], -read[d]))
    sizes, (read, write) = collapse(
        [out.shape[d] for d in order], [read[d] for d in order], [out.strides[d] for d in order]
    )
    if not sizes or write[-1] != 1 or 1 not in read:
        return (), 0
    near = len(sizes) - 1 if read[-1] == 1 else read.index(1)
    return list(zip(sizes, read, write, strict=True)), near


def _table(dims) -> np.ndarray:
    return np.array([number for dim in dims for number in dim] or [0], np.int64)


def _by_rows(dims, count, size, dtype):
    streamed = count * size >= STREAM
    n = dims.pop()[0]
    bits = bits_of(dtype)
    if not dims:
        return bind(stream.compile(bits, bits, 1, work=n), 2, n) if streamed else None
    if n * size < ROW:
        return None
    m, x_step, step = dims.pop()
    table, rows = _table(dims), count // n
    numbers = (len(dims), rows, m, n, x_step, step, max(1, GROUP // n), int(streamed))
    run = move_rows.compile(bits, bits, table, *numbers, work=count)
    return bind(run, 2, table, *numbers)


def _by_blocks(dims, near, count, size, dtype):
    n, x_step, _ = dims.pop()
    m, _, step = dims.pop(near)
    if len(dims) < 2:
        image = dims[0] if dims else (1, 0, 0)
        bits = bits_of(dtype)
        if n in WOVEN and step == n:
            numbers = (image[0], n, m, x_step, *image[1:], GROUP)
            return bind(weave.compile(bits, bits, *numbers, work=count), 2, *numbers)
        if m in WOVEN and x_step == m:
            numbers = (image[0], n, m, step, *image[1:], GROUP)
            return bind(unweave.compile(bits, bits, *numbers, work=count), 2, *numbers)
    lanes = lanes_of(size)
    tall, wide = -(-n // lanes) * lanes, -(-m // lanes) * lanes
    area = BLOCK // size
    down = min(64, tall)
    across = min(area // down // lanes * lanes, wide)
    down = min(max(down, area // across // lanes * lanes), tall)
    form = 0
    if down >= 64 and m >= 2 * lanes and n * m * size > BLOCK:
        form = 2 if count * size >= STREAM_BLOCKS else 1
    table = _table(dims)
    blocks = math.prod(d[0] for d in dims) * -(-n // down) * -(-m // across)
    numbers = (len(dims), blocks, n, m, x_step, step, down, across, lanes, form)
    bits = bits_of(dtype)
    run = move_blocks.compile(bits, bits, table, *numbers, work=count)
    return bind(run, 2, table, *numbers)
