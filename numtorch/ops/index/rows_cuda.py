"""CUDA kernels that read and write rows at index positions.

Where indices repeat, writes of one row happen in their order: a thread owns one element of the rows
and takes all positions in turn. With few elements and many positions that would leave the GPU idle.
Then sums are atomic (in any order, as in torch), and of several writes to one element the last is
found first (`claim`), so that it alone is done.
"""

import numpy as np

from ...backends.cuda import memory, traps
from ...backends.cuda.jit import cuda, grid, inline, kernel
from ...backends.cuda.traps import spring
from ...core.dtype import float32, float64, int32, int64
from ...core.shape import extent
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name
from .errors import STRICT, WRAPPING
from .geometry import Loop, Rows, index_shape
from .launch import ADD, SET

INT64 = np.dtype(np.int64)
ATOMIC = (float32, float64, int32, int64)  # dtypes that the hardware adds atomically
BUSY = 8192  # threads from which on the ordered form keeps a GPU busy
FEW = 64  # positions up to which the ordered form is quick in any case


@inline
def combine(mode, a, b):
    """What a write makes of the value that is there and the new one."""
    if mode == 1:
        return a + b
    if mode == 2:
        return a * b
    if mode == 3:
        return a if a > b or a != a else b
    if mode == 4:
        return a if a < b or a != a else b
    return b


@kernel
def locate(index, pos, table, ndim, n, inner, step, low, size, stride, first, trap, slot):
    """pos[i] = (or, but for the first, +=) index[i] * stride, negative indices from the end."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        rest = i // inner
        place = i % inner * step
        for e in range(ndim):
            d = (ndim - 1 - e) * 2
            place += rest % table[d] * table[d + 1]
            rest //= table[d]
        k = np.int64(index[place])
        if k < low or k >= size:
            spring(trap, slot, k)
            k = np.int64(0)
        if k < 0:
            k += size
        if first:
            pos[i] = k * stride
        else:
            pos[i] += k * stride


@kernel
def take_rows(x, pos, out, table, ndim, outer, count, inner, xs, os, js):
    """out[o, j, i] = x[o, pos[j], i]. A thread owns every grid-size-th element."""
    for item in range(cuda.grid(1), outer * count * inner, cuda.gridsize(1)):
        i = item % inner
        rest = item // inner
        j = rest % count
        o = rest // count
        a = pos[j] + i * xs
        b = j * js + i * os
        for e in range(ndim):
            d = (ndim - 1 - e) * 3
            k = o % table[d]
            o //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
        out[b] = x[a]


@kernel
def put_rows(y, pos, src, table, ndim, outer, count, inner, ys, ss, js, mode, alpha):
    """y[o, pos[j], i] = combine(y[o, pos[j], i], alpha * src[o, j, i]), in the order of j.

    A thread owns one o and i.
    """
    T = y.dtype.type
    for item in range(cuda.grid(1), outer * inner, cuda.gridsize(1)):
        i = item % inner
        o = item // inner
        a = i * ys
        b = i * ss
        for e in range(ndim):
            d = (ndim - 1 - e) * 3
            k = o % table[d]
            o //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
        for j in range(count):
            p = a + pos[j]
            value = src[b + j * js]
            if alpha is not None:
                value = T(T(alpha) * value)
            if mode == 0:
                y[p] = value
            else:
                y[p] = T(combine(mode, y[p], value))


@kernel
def claim(winner, pos, count):
    """winner[p] = the last j with pos[j] == p."""
    for j in range(cuda.grid(1), count, cuda.gridsize(1)):
        cuda.atomic.max(winner, pos[j], np.int32(j))


@kernel
def clear(winner, n):
    """No position is taken."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        winner[i] = np.int32(-1)


@inline
def place(item, table, ndim, count, inner, ys, ss, js):
    """Of a thread that owns one o, j and i: j, and where its elements are in y and src."""
    i = item % inner
    rest = item // inner
    j = rest % count
    o = rest // count
    a = i * ys
    b = j * js + i * ss
    for e in range(ndim):
        d = (ndim - 1 - e) * 3
        k = o % table[d]
        o //= table[d]
        a += k * table[d + 1]
        b += k * table[d + 2]
    return j, a, b


@kernel
def add_at_once(y, pos, src, table, ndim, outer, count, inner, ys, ss, js, alpha):
    """As `put_rows` with mode ADD; a thread owns one o, j and i, and adds atomically."""
    T = y.dtype.type
    for item in range(cuda.grid(1), outer * count * inner, cuda.gridsize(1)):
        j, a, b = place(item, table, ndim, count, inner, ys, ss, js)
        value = src[b]
        if alpha is not None:
            value = T(T(alpha) * value)
        cuda.atomic.add(y, a + pos[j], value)


@kernel
def set_at_once(y, pos, src, table, ndim, outer, count, inner, ys, ss, js, winner):
    """As `put_rows` with mode SET; a thread owns one o, j and i, and asks `winner`."""
    for item in range(cuda.grid(1), outer * count * inner, cuda.gridsize(1)):
        j, a, b = place(item, table, ndim, count, inner, ys, ss, js)
        at = pos[j]
        if winner[at] == j:
            y[a + at] = src[b]


# -- launchers' parts --------------------------------------------------------------------------
def bounds_error(kind, dim, size):
    """A trap's slot for indices outside of a dimension."""
    make = WRAPPING.get(kind) or STRICT[kind]
    return traps.slot(lambda value: make(value, dim, size))


def locator(kind, input, indices, dims, common):
    """A function from index arrays to positions in `input`."""
    device = input.device.index
    parts, trap = [], traps.trap(device)
    n = int(np.prod(common, dtype=np.int64))
    pos_spec = input.like((n,), int64)
    for k, (spec, dim) in enumerate(zip(indices, dims, strict=True)):
        loop = Loop(common, _expanded(spec, common))
        size = input.shape[dim] if input.ndim else 1
        stride = input.strides[dim] if input.ndim else 1
        table = memory.from_host(np.array(loop.table or [0], INT64), device)
        numbers = (loop.ndim, n, max(loop.inner, 1), loop.steps[0])
        numbers += (-size if kind in WRAPPING else 0, size, stride, k == 0)
        slot = bounds_error(kind, dim, size)
        compiled = locate.compile(spec, pos_spec, table, *numbers, trap, slot)
        parts.append((compiled[grid(n)], (table, *numbers, trap, slot)))
    make = memory.allocator(pos_spec)

    def find(*given):
        pos = make()
        if n:
            for index, (launch, numbers) in zip(given, parts, strict=True):
                launch(index, pos, *numbers)
            traps.arm(device)
        return pos

    return find


def _expanded(spec, common):
    missing = len(common) - spec.ndim
    zipped = zip(spec.shape, spec.strides, common[missing:], strict=True)
    return (0,) * missing + tuple(0 if n == 1 and c != 1 else s for n, s, c in zipped)


def reader(input, out, dims, common):
    """A function (x, positions, y) that reads rows."""
    rows = Rows(input, out, dims, common)
    loop = rows.loop
    if not rows.work:
        return lambda x, pos, y: None
    table = memory.from_host(np.array(loop.table or [0], INT64), out.device.index)
    numbers = loop.ndim, loop.outer, rows.count, loop.inner, *loop.steps, rows.js
    compiled = take_rows.compile(input, table, out, table, *numbers)
    launch = compiled[grid(rows.work)]
    return lambda x, pos, y: launch(x, pos, y, table, *numbers)


def writer(out, part, dims, common, mode, alpha=None):
    """A function (y, positions, values) that writes rows; `part` is weak for a number."""
    device = out.device.index
    if part.weak:
        write = writer(out, out.of((), out.dtype, out.device), dims, common, mode, alpha)
        dtype = out.dtype.np
        return lambda y, pos, number: write(y, pos, _scalar(number, dtype, device))
    rows = Rows(out, part, dims, common)
    if rows.js is None:
        from_, part = part, part.like(index_shape(out.shape, dims, common)[0])
        name, make = type_name(from_.dtype), memory.allocator(part)
        fill = launch_loop("copy", ("a",), (name,), name, (from_,), (part,))
        write = writer(out, part, dims, common, mode, alpha)

        def dense(y, pos, s):
            values = make()
            fill(s, values)
            write(y, pos, values)

        return dense
    loop = rows.loop
    if not rows.work:
        return lambda y, pos, s: None
    if alpha is not None:
        alpha = float(alpha) if out.dtype.is_floating_point else int(alpha)
    table = memory.from_host(np.array(loop.table or [0], INT64), device)
    numbers = loop.ndim, loop.outer, rows.count, loop.inner, *loop.steps, rows.js
    lines = loop.outer * loop.inner
    ordered = lines >= BUSY or rows.count <= FEW
    if ordered or not (mode == SET or (mode == ADD and out.dtype in ATOMIC)):
        compiled = put_rows.compile(out, table, part, table, *numbers, mode, alpha)
        launch = compiled[grid(lines)]
        return lambda y, pos, s: launch(y, pos, s, table, *numbers, mode, alpha)
    if mode == ADD:
        launch = add_at_once.compile(out, table, part, table, *numbers, alpha)[grid(rows.work)]
        return lambda y, pos, s: launch(y, pos, s, table, *numbers, alpha)
    span = out.of((extent(out.shape, out.strides),), int32, out.device)
    launch = set_at_once.compile(out, table, part, table, *numbers, span)[grid(rows.work)]
    pick = last_writes(span, rows.count)
    return lambda y, pos, s: launch(y, pos, s, table, *numbers, pick(pos))


def last_writes(span, count):
    """A function from positions to an array that holds the last write to each element."""
    make, n = memory.allocator(span), span.numel
    empty = clear.compile(span, n)[grid(n)]
    take = claim.compile(span, span.of((count,), int64, span.device), count)[grid(count)]

    def pick(pos):
        winner = make()
        empty(winner, n)
        take(winner, pos, count)
        return winner

    return pick


def _scalar(number, dtype, device):
    return memory.from_host(np.array([number]).astype(dtype), device)


def copier(input, out):
    """A function (x, y) that copies, unless both are one array: the in-place form."""
    name = type_name(input.dtype)
    run = launch_loop("copy", ("a",), (name,), name, (input,), (out,))

    def copy(x, y):
        if x is not y:
            run(x, y)

    return copy
