"""CPU kernels of extremes with their places.

In rows, the extreme is found first, and then looked for: both vectorize. In columns, both are kept
for every column while rows go by. Narrow columns are folded as in loops.py: several rows are one.
"""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.moves import bits_of, pick_run, scratch
from ...core.dtype import bool_
from . import table
from .geometry import Order, dims_of
from .loops import COLUMNS, PICKED, fold_of, reduce_loop

__all__ = ["argmax_op", "argmin_op", "max_dim_op", "min_dim_op"]
CHUNK = 1 << 17  # elements that one iteration owns, if there are few results
SEARCHED = 256  # elements that are searched at once


def max_dim_op(input, values, indices, *, dim, keepdim):
    """values = the largest elements over dim; indices = where they are first."""
    return _extreme_and_place(True, input, values, indices, dim)


def min_dim_op(input, values, indices, *, dim, keepdim):
    """values = the smallest elements over dim; indices = where they are first."""
    return _extreme_and_place(False, input, values, indices, dim)


def argmax_op(input, out, *, dim, keepdim):
    """out = where the largest elements over dim are first."""
    return _place(True, input, out, dim)


def argmin_op(input, out, *, dim, keepdim):
    """out = where the smallest elements over dim are first."""
    return _place(False, input, out, dim)


def _place(largest, input, out, dim):
    values = out.like(dtype=input.dtype)
    run = _extreme_and_place(largest, input, values, out, dim)
    shape, dtype, empty = tuple(values.shape), values.dtype.np, np.empty
    return lambda x, i: run(x, empty(shape, dtype), i)


def _extreme_and_place(largest, input, values, indices, dim):
    dims = dims_of(dim, input.ndim)
    order = Order(input, dims)
    if order.columns:
        return _down_columns(largest, order, input, values, indices)
    n, apart = order.reduced[0] if order.reduced else (1, 0)
    geometry = np.array([x for pair in order.kept for x in pair] or [0], np.int64)
    numbers = (len(order.kept), order.results, n, apart)
    work = order.results * n // 4
    best = reduce_loop(table.extreme(input.dtype, largest), input, values, dims)
    find = find_along.compile(input, values, indices, geometry, *numbers, work=work)

    def run(x, v, i):
        best(x, v)
        find(x, v, i, geometry, *numbers)

    return run


@kernel
def find_along(x, values, indices, table, nk, rows, n, apart):
    """indices[k] = the first index at which x has values[k].

    One iteration of the parallel loop owns one k.
    """
    for piece in prange(rows):
        held = scratch(x)
        k = np.int64(piece)
        base, rest = 0, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        value = values[k]
        bad = value != value
        begin, found = 0, -1
        while begin < n and found < 0:
            count = min(n - begin, SEARCHED)
            source, at = x, base + begin
            if apart != 1:
                pick_run(x, base + begin * apart, apart, held, 0, count)
                source, at = held, 0
            place = np.int32(SEARCHED)  # the least index, which vectorizes
            for j in range(count):
                v = source[at + j]
                hit = (v == value) | ((v != v) & bad)
                place = min(place, np.int32(j) if hit else np.int32(SEARCHED))
            if place < SEARCHED:
                found = begin + place
            begin += count
        indices[k] = found


def _down_columns(largest, order, input, values, indices):
    n, apart = order.reduced[0] if order.reduced else (1, 0)
    (width, step), kept = order.kept[-1], order.kept[:-1]
    rows = math.prod(size for size, _ in kept)
    fold = fold_of(n, apart, width, step)
    count, tail, wide = n // fold, n % fold * width, width * fold
    group, block = max(64, CHUNK // max(wide, 1)), COLUMNS if step == 1 else PICKED
    chunks = 1 if rows * -(-wide // block) >= 16 else -(-count // group)
    group = count if chunks == 1 else group
    geometry = np.array([x for pair in kept for x in pair] or [0], np.int64)
    numbers = (len(kept), rows, wide, step, count, tail, apart * fold, group, chunks)
    numbers = (*numbers, block, int(largest))
    work = order.results * n // 4
    x, v = (bits_of(s.dtype.np) if s.dtype is bool_ else s for s in (input, values))
    run = extremes_down.compile(x, v, indices, geometry, *numbers, work=work)
    if chunks * fold == 1:
        return bind(run, 3, geometry, *numbers)
    facts = rows * width, width, chunks, fold, int(largest)
    join = join_extremes.compile(v, indices, v, indices, *facts)
    size, dtype, empty, int64 = rows * chunks * wide, values.dtype.np, np.empty, np.dtype(np.int64)

    def joined(x, v, i):
        best, place = empty(size, dtype), empty(size, int64)
        run(x, best, place, geometry, *numbers)
        join(best, place, v, i, *facts)

    return joined


@kernel
def extremes_down(
    x, values, indices, table, nk, rows, width, step, n, tail, apart, group, chunks, block, largest
):
    """values[k] = the largest or smallest element of column k of a chunk of rows, indices[k] = the
    first row that has it; `tail` elements follow the last whole row.

    One iteration of the parallel loop owns `block` columns of a chunk.
    """
    across = (width + block - 1) // block
    for piece in prange(rows * chunks * across):
        held = scratch(x)
        item = np.int64(piece)
        part = item // across
        left = (item - part * across) * block
        k = part // chunks
        first = (part - k * chunks) * group
        last = min(first + group, n)
        base, rest = left * step, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        to, w = part * width + left, min(block, width - left)
        for j in range(w):
            values[to + j] = x[base + first * apart + j * step]
            indices[to + j] = first
        if tail > 0 and last == n:
            last += 1
        for i in range(first + 1, last):
            source, at = x, base + i * apart
            count = w if i < n else min(w, tail - left)
            if step != 1:
                pick_run(x, at, step, held, 0, count)
                source, at = held, 0
            if largest:
                for j in range(count):
                    v, best = source[at + j], values[to + j]
                    hit = (v > best) | ((v != v) & (best == best))
                    values[to + j] = v if hit else best
                    indices[to + j] = i if hit else indices[to + j]
            else:
                for j in range(count):
                    v, best = source[at + j], values[to + j]
                    hit = (v < best) | ((v != v) & (best == best))
                    values[to + j] = v if hit else best
                    indices[to + j] = i if hit else indices[to + j]


@kernel
def join_extremes(best, place, values, indices, results, width, chunks, fold, largest):
    """values, indices = the extremes of chunks of rows, of which each stands for `fold`.

    One iteration of the parallel loop owns one column.
    """
    for piece in prange(results):
        item = np.int64(piece)
        k = item // width
        at = k * chunks * fold * width + item - k * width
        value, found = best[at], place[at] * fold
        for i in range(1, chunks * fold):
            here = at + i * width
            v, row = best[here], place[here] * fold + i % fold
            better = v > value if largest else v < value
            same = v == value or (v != v and value != value)
            if better or (v != v and value == value) or (same and row < found):
                value, found = v, row
        values[item], indices[item] = value, found
