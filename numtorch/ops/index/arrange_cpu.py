"""CPU kernels that put elements into another order: flip, roll, triangles, diagonals."""

import math

import numpy as np

from ...backends.cpu.jit import bind, inline, kernel, prange
from ...backends.cpu.moves import bits_of, move_run
from ...backends.registry import contiguous
from ..copy.cpu import launch_copy
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name
from .arrange_map import cut_up, moves, repeated, segments_of
from .reverse import reverse_run
from .walk import split

__all__ = [
    "diag_embed_op", "flip_op", "repeat_each_op", "repeat_index_op", "roll_op", "triangle_op",
]  # fmt: skip


PIECE = 16384  # elements of the longest segment, where rows are few
PIECES = 16  # parts of such a row


@inline
def source_of(table, sizes, starts, ndim, r):
    """Where row r is read from, from the place of each index of each dimension."""
    a = 0
    for e in range(ndim - 1):
        d = ndim - 1 - e
        rest = r // sizes[d]
        a += table[starts[d] + r - rest * sizes[d]]
        r = rest
    if ndim > 0:
        a += table[r]
    return a


@kernel
def move_rows(x, out, table, sizes, starts, ndim, rows, run, step):
    """out[r, i] = x[sum of the dimensions' table entries, i]. One iteration of the parallel loop
    owns one run.

    `table` holds, for each index of each dimension, the place that it is read from.
    """
    for row in prange(rows):
        r = np.int64(row)
        a = source_of(table, sizes, starts, ndim, r)
        if step == 1:
            move_run(x, a, out, r * run, run)
        else:
            for i in range(run):
                out[r * run + i] = x[a + i * step]


@kernel
def move_segments(x, out, table, sizes, starts, ndim, rows, width, segments, count, parts):
    """As `move_rows`, where the last dimension is read in segments: (start, length, place, step) of
    each.

    One iteration of the parallel loop owns one of the equal parts of a row's segments.
    """
    for item in prange(rows * parts):
        r, part = split(np.int64(item), parts)
        a = source_of(table, sizes, starts, ndim, r)
        low, high = 0, count
        if parts > 1:
            low, high = part * count // parts, (part + 1) * count // parts
        for s in range(low, high):
            to = r * width + segments[4 * s]
            n = segments[4 * s + 1]
            p = a + segments[4 * s + 2]
            step = segments[4 * s + 3]
            if step == 1:
                move_run(x, p, out, to, n)
            elif step == -1:
                reverse_run(x, p, out, to, n)
            else:
                for i in range(n):
                    out[to + i] = x[p + i * step]


@kernel
def triangle(x, out, table, ndim, rows, height, width, down, right, diagonal, upper):
    """out = x on one side of a diagonal, else 0. One iteration of the parallel loop owns one
    row.
    """
    zero = out.dtype.type(0)
    for r in prange(rows):
        i = r % height
        rest = r // height
        a = i * down
        for e in range(ndim):
            d = (ndim - 1 - e) * 2
            a += rest % table[d] * table[d + 1]
            rest //= table[d]
        edge = i + diagonal  # the diagonal's column
        b = r * width
        if upper:
            edge = min(max(edge, 0), width)
            for j in range(edge):
                out[b + j] = zero
            for j in range(edge, width):
                out[b + j] = x[a + j * right]
        else:
            edge = min(max(edge + 1, 0), width)
            for j in range(edge):
                out[b + j] = x[a + j * right]
            for j in range(edge, width):
                out[b + j] = zero


@kernel
def write_diagonal(x, out, table, ndim, rows, length, xs, first, step):
    """out = x on a diagonal of each matrix. One iteration of the parallel loop owns one matrix."""
    for r in prange(rows):
        rest = r + 0  # a copy: the loop variable of a prange must not change
        a = 0
        b = first
        for e in range(ndim):
            d = (ndim - 1 - e) * 3
            k = rest % table[d]
            rest //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
        for j in range(length):
            out[b + j * step] = x[a + j * xs]


@kernel
def repeat_indices(repeats, out, n):
    """out = each index i repeats[i] times."""
    k = 0
    for i in range(n):
        for _ in range(repeats[i]):
            out[k] = i
            k += 1


def _move(input, out, maps):
    if not out.numel:
        return lambda x, y: None
    table, sizes, starts, ndim, run, step = moves(input, maps)
    bits, width, work = bits_of(input.dtype.np), int(sizes[-1]), 2 * out.numel
    cuts = segments_of(table[starts[-1] :], run) if step == 1 else None
    if cuts is None:
        facts = table, sizes, starts, ndim, out.numel // run, run, step
        return bind(move_rows.compile(bits, bits, *facts, work=work), 2, *facts)
    rows, parts = out.numel // (width * run), 1
    if rows < PIECES and width * run > PIECE:
        cuts, parts = cut_up(cuts, PIECE), PIECES
    facts = table, sizes, starts, ndim - 1, rows, width * run, cuts, len(cuts) // 4, parts
    return bind(move_segments.compile(bits, bits, *facts, work=work), 2, *facts)


def flip_op(input, out, *, dims):
    """Dimensions read backwards."""
    return _move(input, out, {d: np.arange(input.shape[d])[::-1] for d in dims})


def roll_op(input, out, *, shifts, dims):
    """Dimensions read from another start on."""
    pairs = zip(dims, shifts, strict=True)
    return _move(
        input, out, {d: (np.arange(input.shape[d]) - s) % input.shape[d] for d, s in pairs}
    )


def triangle_op(input, out, *, diagonal, upper):
    """Rows of the last two dimensions; `out` may be the input where that is contiguous."""
    *batch, height, width = input.shape
    *strides, down, right = input.strides
    if not out.contiguous:
        dense, name = out.dense(), type_name(out.dtype)
        inner = triangle_op(input, dense, diagonal=diagonal, upper=upper)
        write = launch_loop("copy", ("a",), (name,), name, (dense,), (out,))

        def staged(x, y):
            result = np.empty(tuple(out.shape), out.dtype.np)
            inner(x, result)
            write(result, y)

        return staged
    table = np.array(
        [k for pair in zip(batch, strides, strict=True) for k in pair] or [0], np.int64
    )
    numbers = len(batch), math.prod(batch) * height, height, width, down, right, diagonal, upper
    f = triangle.compile(input, out, table, *numbers, work=out.numel)
    return lambda x, y: f(x, y, table, *numbers)


def diag_embed_op(input, out, *, offset, dim1, dim2):
    """Zeros, then diagonals."""
    n = out.shape[dim1]
    batch, steps = (
        list(input.shape[:-1]),
        [s for d, s in enumerate(out.strides) if d not in (dim1, dim2)],
    )
    rows = [k for triple in zip(batch, input.strides[:-1], steps, strict=True) for k in triple]
    table = np.array(rows or [0], np.int64)
    s1, s2 = out.strides[dim1], out.strides[dim2]
    first = max(offset, 0) * s2 - min(offset, 0) * s1
    numbers = len(batch), math.prod(batch), n - abs(offset), input.strides[-1], first, s1 + s2
    f = write_diagonal.compile(input, out, table, *numbers, work=input.numel)
    name = type_name(out.dtype)
    clear = launch_loop("fill", ("a",), (name,), name, (out.of((), out.dtype, weak=True),), (out,))
    zero = 0.0 if out.dtype.is_floating_point else 0

    def run(x, y):
        clear(zero, y)
        f(x, y, table, *numbers)

    return run


@contiguous
def repeat_index_op(repeats, out, *, count):
    """Serial: where an index goes depends on all before it."""
    f, n = repeat_indices.compile(repeats, out, 1), repeats.numel
    return lambda r, y: f(r, y, n)


def repeat_each_op(input, out, *, dim, repeats):
    """A copy of a dimension of step 0."""
    return launch_copy(*repeated(input, out, dim, repeats))
