"""CUDA kernels of lines: gather and scatter along one dimension.

Writes follow the order of the indices, or happen at once where that would leave the GPU idle: see
rows_cuda.py.
"""

import numpy as np

from ...backends.cuda import memory, traps
from ...backends.cuda.jit import cuda, grid, inline, kernel
from ...backends.cuda.traps import spring
from ...core.dtype import int32
from ...core.shape import extent
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name
from .geometry import Lines, Loop
from .launch import ADD, MAX, MIN, MULTIPLY, SET
from .rows_cuda import ATOMIC, BUSY, FEW, INT64, bounds_error, clear, combine, copier

__all__ = [
    "gather_backward_op", "gather_op", "scatter_add_op", "scatter_combine_op", "scatter_op",
]  # fmt: skip
MODES = {"": SET, "add": ADD, "multiply": MULTIPLY, "amax": MAX, "amin": MIN}


@kernel
def gather_lines(x, index, out, table, ndim, n, inner, xs, qs, os, along, size, trap, slot):
    """out[r, i] = x[r, i, index[r, i]]. A thread owns every grid-size-th element."""
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        i = item % inner
        rest = item // inner
        a = i * xs
        b = i * qs
        c = i * os
        for e in range(ndim):
            d = (ndim - 1 - e) * 4
            k = rest % table[d]
            rest //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
            c += k * table[d + 3]
        at = np.int64(index[b])
        if at < 0 or at >= size:
            spring(trap, slot, at)
            at = np.int64(0)
        out[c] = x[a + at * along]


@kernel
def scatter_lines(
    y, index, src, table, ndim, lines, inner, qs, ys, ss, count, qd, yd, sd, mode, size, trap, slot
):
    """y[r, index[r, j, i], i] = combine(the same, src[r, j, i]), in the order of j.

    A thread owns one r and i: only elements of one line can meet.
    """
    T = y.dtype.type
    for item in range(cuda.grid(1), lines, cuda.gridsize(1)):
        i = item % inner
        rest = item // inner
        a = i * ys
        b = i * qs
        c = i * ss
        for e in range(ndim):
            d = (ndim - 1 - e) * 4
            k = rest % table[d]
            rest //= table[d]
            b += k * table[d + 1]
            a += k * table[d + 2]
            c += k * table[d + 3]
        for j in range(count):
            at = np.int64(index[b + j * qd])
            if at < 0 or at >= size:
                spring(trap, slot, at)
            else:
                p = a + at * yd
                if mode == 0:
                    y[p] = src[c + j * sd]
                else:
                    y[p] = T(combine(mode, y[p], src[c + j * sd]))


@inline
def place(item, table, ndim, inner, qs, ys, ss, count, qd, sd):
    """Of a thread that owns one r, j and i: j, and where its elements are in y, index and src."""
    i = item % inner
    rest = item // inner
    j = rest % count
    rest //= count
    a = i * ys
    b = i * qs + j * qd
    c = i * ss + j * sd
    for e in range(ndim):
        d = (ndim - 1 - e) * 4
        k = rest % table[d]
        rest //= table[d]
        b += k * table[d + 1]
        a += k * table[d + 2]
        c += k * table[d + 3]
    return j, a, b, c


@kernel
def add_at_once(
    y, index, src, table, ndim, n, inner, qs, ys, ss, count, qd, yd, sd, size, trap, slot
):
    """As `scatter_lines` with mode ADD; a thread owns one r, j and i, and adds atomically."""
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        _, a, b, c = place(item, table, ndim, inner, qs, ys, ss, count, qd, sd)
        at = np.int64(index[b])
        if at < 0 or at >= size:
            spring(trap, slot, at)
        else:
            cuda.atomic.add(y, a + at * yd, src[c])


@kernel
def set_at_once(
    y, index, src, table, ndim, n, inner, qs, ys, ss, count, qd, yd, sd, size, trap, slot, winner,
    find,
):  # fmt: skip
    """As `scatter_lines` with mode SET; a thread owns one r, j and i.

    `find`: find the last j that writes to each element; then write what `winner` allows.
    """
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        j, a, b, c = place(item, table, ndim, inner, qs, ys, ss, count, qd, sd)
        at = np.int64(index[b])
        if at < 0 or at >= size:
            spring(trap, slot, at)
        elif find:
            cuda.atomic.max(winner, a + at * yd, np.int32(j))
        elif winner[a + at * yd] == j:
            y[a + at * yd] = src[c]


def gather_op(input, index, out, *, dim):
    """out[..., j, ...] = input[..., index[..., j, ...], ...]."""
    device, n = out.device.index, index.numel
    if not n:
        return lambda x, i, y: None
    along = input.strides[dim] if input.ndim else 1
    size = input.shape[dim] if input.ndim else 1
    beside = [0 if d == dim else s for d, s in enumerate(input.strides)] or [0]
    loop = Loop(index.shape or (1,), beside, index.strides or (1,), out.strides or (1,))
    table = memory.from_host(np.array(loop.table or [0], INT64), device)
    slot, trap = bounds_error("gather", dim, size), traps.trap(device)
    numbers = (loop.ndim, n, loop.inner, *loop.steps, along, size, trap, slot)
    launch = gather_lines.compile(input, index, out, table, *numbers)[grid(n)]

    def run(x, i, y):
        launch(x, i, y, table, *numbers)
        traps.arm(device)

    return run


def _scatter(kind, out, index, src, dim, mode):
    """A function (y, index, values) that writes along a dimension."""
    device = out.device.index
    if src.weak:
        part = out.strided(index.shape, (0,) * index.ndim)
        write, dtype = _scatter(kind, out, index, part, dim, mode), out.dtype.np
        return lambda y, i, number: write(
            y, i, memory.from_host(np.array([number]).astype(dtype), device)
        )
    lines = Lines(index, dim, out, src)
    loop = lines.loop
    count, (qd, yd, sd) = lines.count, lines.steps
    across, n = loop.outer * loop.inner, lines.work
    table = memory.from_host(np.array(loop.table or [0], INT64), device)
    size = out.shape[dim] if out.ndim else 1
    trap, slot = traps.trap(device), bounds_error(kind, dim, size)
    tail = (size, trap, slot)
    steps = (loop.inner, *loop.steps, count, qd, yd, sd)
    ordered = across >= BUSY or count <= FEW
    if ordered or not (mode == SET or (mode == ADD and out.dtype in ATOMIC)):
        numbers = (loop.ndim, across, *steps, mode, *tail)
        launch = scatter_lines.compile(out, index, src, table, *numbers)[grid(across)]
        return _armed(lambda y, i, s: launch(y, i, s, table, *numbers), device)
    numbers = (loop.ndim, n, *steps)
    numbers += tail
    if mode == ADD:
        launch = add_at_once.compile(out, index, src, table, *numbers)[grid(n)]
        return _armed(lambda y, i, s: launch(y, i, s, table, *numbers), device)
    span = out.of((extent(out.shape, out.strides),), int32, out.device)
    make, length = memory.allocator(span), span.numel
    empty = clear.compile(span, length)[grid(length)]
    launch = set_at_once.compile(out, index, src, table, *numbers, span, True)[grid(n)]

    def last_wins(y, i, s):
        winner = make()
        empty(winner, length)
        for find in (True, False):
            launch(y, i, s, table, *numbers, winner, find)

    return _armed(last_wins, device)


def _armed(run, device):
    def armed(*arrays):
        run(*arrays)
        traps.arm(device)

    return armed


def scatter_op(input, index, src, out, *, dim, reduce):
    """out = input, then values written, added, multiplied, ... along a dimension."""
    copy = copier(input, out)
    write = _scatter("scatter", out, index, src, dim, MODES[reduce]) if index.numel else None

    def run(x, i, s, y):
        copy(x, y)
        if write is not None:
            write(y, i, s)

    return run


def gather_backward_op(grad, index, out, *, size, dim):
    """Zeros, then values added along a dimension."""
    name = type_name(out.dtype)
    number = out.of((), out.dtype, weak=True)
    clear_out = launch_loop("fill", ("a",), (name,), name, (number,), (out,))
    zero = 0.0 if out.dtype.is_floating_point else 0
    write = _scatter("gather", out, index, grad, dim, ADD) if index.numel else None

    def run(g, i, y):
        clear_out(zero, y)
        if write is not None:
            write(y, i, g)

    return run


def scatter_add_op(input, index, src, out, *, dim):
    """out = input, then values added along a dimension."""
    return scatter_op(input, index, src, out, dim=dim, reduce="add")


def scatter_combine_op(input, index, src, out, *, dim, reduce):
    """out = input, then values combined along a dimension."""
    return scatter_op(input, index, src, out, dim=dim, reduce=reduce)
