"""CPU kernels of the index room: launchers of rows (index, index_put, index_select, ...) and lines
(gather, scatter).
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ..pointwise.cpu import launch_loop
from .arrange_cpu import *  # noqa: F403
from .errors import out_of_bounds
from .geometry import Lines, Loop, chunk_of
from .launch import ADD, MAX, MIN, MULTIPLY, SET, row_launchers, zeros_of
from .masks_cpu import *  # noqa: F403
from .rows_cpu import caster, combine, copier, locator, reader, writer
from .walk import place, places_of_three, split

MODES = {"": SET, "add": ADD, "multiply": MULTIPLY, "amax": MAX, "amin": MIN}
empty, INT64 = np.empty, np.dtype(np.int64)
(
    FAMILIES,
    (
        index_select_op,
        index_select_backward_op,
        index_add_op,
        index_copy_op,
        index_fill_op,
        take_op,
        put_op,
    ),
) = row_launchers(locator, reader, copier, writer, launch_loop)


def launcher_of(op):
    """The launcher of a family of ops with a varying number of indices."""
    return FAMILIES[op.family]


# -- lines -----------------------------------------------------------------------------------------
@kernel
def find_outside(index, table, ndim, rows, inner, step, size, bad):
    """bad[0] = 1 if an index is outside of [0, size). One iteration of the parallel loop owns one
    row.
    """
    for item in prange(rows):
        a, wrong = place(table, ndim, np.int64(item)), 0
        for i in range(inner):
            k = np.int64(index[a + i * step])
            wrong += (k < 0) | (k >= size)
        if wrong:
            bad[0] = 1


@kernel
def gather_lines(
    x, index, out, table, ndim, outer, chunks, chunk, inner, xs, qs, os, along, size, bad
):
    """out[r, i] = x[r, i, index[r, i]]; bad[0] = 1 if an index is outside of [0, size).

    One iteration of the parallel loop owns a chunk of one row, up to the first such index: with an
    exit LLVM makes no gathers, which take twice the time of single loads.
    """
    end = np.uint64(size)  # negative indices are above it
    for item in prange(outer * chunks):
        r, piece = split(np.int64(item), chunks)
        low = piece * chunk
        high = min(low + chunk, inner)
        a, b, c = places_of_three(table, ndim, r)
        wrong = False
        if xs == 0 and qs == 1 and os == 1:
            for i in range(low, high):
                k = np.int64(index[b + i])
                if np.uint64(k) >= end:
                    wrong = True
                    break
                out[c + i] = x[a + k * along]
        else:
            for i in range(low, high):
                k = np.int64(index[b + i * qs])
                if np.uint64(k) >= end:
                    wrong = True
                    break
                out[c + i * os] = x[a + i * xs + k * along]
        if wrong:
            bad[0] = 1


@kernel
def scatter_lines(
    y, index, src, table, ndim, outer, chunks, chunk, inner, qs, ys, ss, count, yd, qd, sd, mode
):
    """y[r, index[r, j, i], i] = combine(y[r, index[r, j, i], i], src[r, j, i]), in the order of j.

    One iteration of the parallel loop owns `chunk` of the lines i: only elements of one line can
    meet.
    """
    T = y.dtype.type
    for item in prange(outer * chunks):
        r, piece = split(np.int64(item), chunks)
        low = piece * chunk
        high = min(low + chunk, inner)
        b, a, c = places_of_three(table, ndim, r)
        single = count if inner == 1 else 0  # a line by itself
        if mode == 0:
            for j in range(single):
                y[a + index[b + j * qd] * yd] = src[c + j * sd]
        elif mode == 1:
            for j in range(single):
                p = a + index[b + j * qd] * yd
                y[p] = T(y[p] + src[c + j * sd])
        else:
            for j in range(single):
                p = a + index[b + j * qd] * yd
                y[p] = T(combine(mode, y[p], src[c + j * sd]))
        for j in range(single, count):
            q, s = b + j * qd, c + j * sd
            if mode == 0:
                for i in range(low, high):
                    y[a + i * ys + index[q + i * qs] * yd] = src[s + i * ss]
            elif mode == 1:
                for i in range(low, high):
                    p = a + i * ys + index[q + i * qs] * yd
                    y[p] = T(y[p] + src[s + i * ss])
            else:
                for i in range(low, high):
                    p = a + i * ys + index[q + i * qs] * yd
                    y[p] = T(combine(mode, y[p], src[s + i * ss]))


def checker(kind, input, index, dim):
    """A function of the index array that raises for indices outside of the dimension."""
    if not index.numel:
        return lambda i: None
    size = input.shape[dim] if input.ndim else 1
    loop = Loop(index.shape, index.strides)
    rows, inner, ndim = loop.outer, loop.inner, loop.ndim
    table = np.array(loop.table or [0], INT64)
    if rows == 1 and inner % 64 == 0 and inner >= 4096:
        rows, inner, ndim = 64, inner // 64, 1
        table = np.array([rows, inner * loop.steps[0]], INT64)
    numbers = ndim, rows, inner, loop.steps[0], size
    run = find_outside.compile(index, table, *numbers, table, work=index.numel)

    def check(i):
        bad = np.zeros(1, INT64)
        run(i, table, *numbers, bad)
        if bad[0]:
            raise out_of_bounds(kind, i.reshape(-1), dim, size)

    return check


def gather_op(input, index, out, *, dim):
    """out[..., j, ...] = input[..., index[..., j, ...], ...]; `out` is not looked at if an index is
    outside.
    """
    if not index.numel:
        return lambda x, i, y: None
    size = input.shape[dim] if input.ndim else 1
    if not size:
        check = checker("gather", input, index, dim)
        return lambda x, i, y: check(i)
    along = input.strides[dim] if input.ndim else 1
    beside = [0 if d == dim else s for d, s in enumerate(input.strides)] or [0]
    loop = Loop(index.shape or (1,), beside, index.strides or (1,), out.strides or (1,))
    table = np.array(loop.table or [0], INT64)
    chunk, chunks = max(loop.inner, 1), 1
    if loop.outer < 8 and loop.inner >= 4096:
        chunk = 1024
        chunks = -(-loop.inner // chunk)
    xs, qs, os = loop.steps
    numbers = loop.ndim, loop.outer, chunks, chunk, loop.inner, xs, qs, os, along, size
    run = gather_lines.compile(input, index, out, table, *numbers, table, work=2 * index.numel)
    zeros = np.zeros

    def gather(x, i, y):
        bad = zeros(1, INT64)
        run(x, i, y, table, *numbers, bad)
        if bad[0]:
            raise out_of_bounds("gather", i.reshape(-1), dim, size)

    return gather


def _scatter(out, index, src, dim, mode):
    """A function (y, index, values) that writes along a dimension."""
    if src.weak:
        write = _scatter(out, index, out.strided(index.shape, (0,) * index.ndim), dim, mode)
        cast = caster(out)
        return lambda y, i, number: write(y, i, cast(number))
    lines = Lines(index, dim, out, src)
    loop = lines.loop
    qd, yd, sd = lines.steps
    ndim, outer, inner, table = loop.ndim, loop.outer, loop.inner, loop.table
    if inner > 1 and yd < loop.steps[1]:  # a line lies nearer than its neighbour does
        ndim, outer, inner, table = ndim + 1, outer * inner, 1, [*table, inner, *loop.steps]
    table = np.array(table or [0], INT64)
    chunk = chunk_of(inner)
    chunks = -(-inner // chunk)
    if lines.work < 32768:
        chunk, chunks = max(inner, 1), 1
    numbers = ndim, outer, chunks, chunk, inner, *loop.steps, lines.count, yd, qd, sd, mode
    work = 2 * lines.work if outer * chunks > 1 else 0
    run = scatter_lines.compile(out, index, src, table, *numbers, work=work)
    return lambda y, i, s: run(y, i, s, table, *numbers)


def scatter_op(input, index, src, out, *, dim, reduce):
    """out = input, then values written, added, multiplied, ... along a dimension."""
    check, copy = checker("scatter", out, index, dim), copier(input, out)
    write = _scatter(out, index, src, dim, MODES[reduce]) if index.numel else None

    def run(x, i, s, y):
        check(i)
        copy(x, y)
        if write is not None:
            write(y, i, s)

    return run


def gather_backward_op(grad, index, out, *, size, dim):
    """Zeros, then values added along a dimension."""
    clear = zeros_of(out, launch_loop)
    write = _scatter(out, index, grad, dim, ADD) if index.numel else None

    def run(g, i, y):
        clear(y)
        if write is not None:
            write(y, i, g)

    return run


def scatter_add_op(input, index, src, out, *, dim):
    """out = input, then values added along a dimension."""
    return scatter_op(input, index, src, out, dim=dim, reduce="add")


def scatter_combine_op(input, index, src, out, *, dim, reduce):
    """out = input, then values combined along a dimension."""
    return scatter_op(input, index, src, out, dim=dim, reduce=reduce)
