"""CPU kernels that read and write rows at index positions. Indices are checked before anything is
written.
"""

import numpy as np

from ...backends.cpu.jit import inline, kernel, prange
from ...backends.cpu.moves import bits_of, move_run
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name
from .errors import WRAPPING, out_of_bounds
from .geometry import Loop, Rows, chunk_of, index_shape
from .walk import place, places_of_two, split

empty, INT64 = np.empty, np.dtype(np.int64)
NEAR = 16  # bytes of rows from which they are moved by vectors
SHORT = 8  # elements: shorter rows cost less than finding where they are one by one, 25 ns each


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
def locate(index, pos, table, ndim, rows, inner, step, low, size, stride, first, bad):
    """pos[j] = (or, but for the first, +=) index[j] * stride, negative indices counted from the
    end.

    bad[0] = 1 if an index is outside of [low, size). One iteration of the parallel loop owns
    one row of `inner`.
    """
    for r in prange(rows):
        a, wrong = place(table, ndim, np.int64(r)), 0
        for i in range(inner):
            k = np.int64(index[a + i * step])
            wrong += (k < low) | (k >= size)
            k = (k + size if k < 0 else k) * stride
            if first:
                pos[r * inner + i] = k
            else:
                pos[r * inner + i] += k
        if wrong:
            bad[0] = 1


@kernel
def take_rows(x, pos, out, table, ndim, outer, count, inner, xs, os, js):
    """out[o, j, i] = x[o, pos[j], i]. One iteration of the parallel loop owns one row."""
    for r in prange(outer * count):
        o, j = 0, np.int64(r)
        if outer != 1:
            o, j = split(j, count)
        a, b = places_of_two(table, ndim, o)
        a += pos[j]
        b += j * js
        if xs == 1 and os == 1:
            for i in range(inner):
                out[b + i] = x[a + i]
        else:
            for i in range(inner):
                out[b + i * os] = x[a + i * xs]


@kernel
def move_rows(x, pos, out, table, ndim, outer, count, inner, xs, os, js):
    """`take_rows` where both rows lie element by element. One iteration owns one row."""
    for r in prange(outer * count):
        o, j = 0, np.int64(r)
        if outer != 1:
            o, j = split(j, count)
        a, b = places_of_two(table, ndim, o)
        a += pos[j]
        b += j * js
        move_run(x, a, out, b, inner)


@kernel
def take_within(x, pos, out, table, ndim, outer, count, inner, xs, os, js):
    """`take_rows` for short rows. One iteration of the parallel loop owns all rows with one o."""
    for r in prange(outer):
        a, b = places_of_two(table, ndim, np.int64(r))
        if inner == 1 and js == 1:
            for j in range(count):
                out[b + j] = x[a + pos[j]]
        elif inner == 1:
            for j in range(count):
                out[b + j * js] = x[a + pos[j]]
        else:
            for j in range(count):
                for i in range(inner):
                    out[b + j * js + i * os] = x[a + pos[j] + i * xs]


@kernel
def take_elements(x, pos, out, n):
    """out[j] = x[pos[j]]. One iteration of the parallel loop owns one element."""
    for j in prange(n):
        out[j] = x[pos[j]]


@kernel
def put_rows(y, pos, src, table, ndim, outer, chunks, chunk, count, inner, ys, ss, js, mode):
    """y[o, pos[j], i] = combine(y[o, pos[j], i], src[o, j, i]), in the order of j.

    One iteration of the parallel loop owns `chunk` elements of all rows with one o: positions may
    repeat.
    """
    T = y.dtype.type
    for block in prange(outer * chunks):
        o, piece = split(np.int64(block), chunks)
        low = piece * chunk
        high = min(low + chunk, inner)
        a, b = places_of_two(table, ndim, o)
        single = count if inner == 1 else 0  # rows of one element
        if mode == 0:
            for j in range(single):
                y[a + pos[j]] = src[b + j * js]
        elif mode == 1:
            for j in range(single):
                y[a + pos[j]] = T(y[a + pos[j]] + src[b + j * js])
        else:
            for j in range(single):
                y[a + pos[j]] = T(combine(mode, y[a + pos[j]], src[b + j * js]))
        for j in range(single, count):
            p = a + pos[j]
            q = b + j * js
            if mode == 0:
                for i in range(low, high):
                    y[p + i * ys] = src[q + i * ss]
            elif mode == 1 and ys == 1 and ss == 1:
                for i in range(low, high):
                    y[p + i] = T(y[p + i] + src[q + i])
            else:
                for i in range(low, high):
                    y[p + i * ys] = T(combine(mode, y[p + i * ys], src[q + i * ss]))


@kernel
def add_rows(y, pos, src, table, ndim, outer, chunks, chunk, count, inner, ys, ss, js, alpha):
    """y[o, pos[j], i] += alpha * src[o, j, i], in the order of j; blocks as in `put_rows`."""
    T = y.dtype.type
    factor = T(alpha)
    for block in prange(outer * chunks):
        o, piece = split(np.int64(block), chunks)
        low = piece * chunk
        high = min(low + chunk, inner)
        a, b = places_of_two(table, ndim, o)
        for j in range(count):
            p = a + pos[j]
            q = b + j * js
            for i in range(low, high):
                y[p + i * ys] = T(y[p + i * ys] + factor * src[q + i * ss])


# -- launchers' parts ------------------------------------------------------------------------------
def locator(kind, input, indices, dims, common):
    """A function from index arrays to positions in `input`; raises for what is outside. Where the
    rows have no elements, nothing is checked, as in torch.
    """
    if 0 in index_shape(input.shape, dims, common)[0] and input.ndim:
        return lambda *indices: None
    parts = []
    for n, (spec, dim) in enumerate(zip(indices, dims, strict=True)):
        loop = Loop(common, _expanded(spec, common))
        size = input.shape[dim] if input.ndim else 1
        stride = input.strides[dim] if input.ndim else 1
        table = np.array(loop.table or [0], INT64)
        if loop.outer > 1 or loop.inner < 2:
            rows, inner = loop.outer, loop.inner
        else:  # one long row: cut for the parallel loop, where that comes out even
            rows = next((k for k in (64, 16, 4) if loop.inner % k == 0 and loop.inner >= 4096), 1)
            inner = loop.inner // rows
            if rows > 1:
                table, loop.ndim = np.array([rows, inner * loop.steps[0]], INT64), 1
        example = empty(1, INT64)
        run = locate.compile(
            spec,
            example,
            table,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            True,
            example,
            work=loop.outer * loop.inner * 2,
        )
        low = -size if kind in WRAPPING else 0
        numbers = loop.ndim, rows, inner, loop.steps[0], low, size, stride, n == 0
        parts.append((run, table, numbers, dim, size))
    count = 1
    for n in common:
        count *= n
    if len(parts) == 1:
        ((run, table, numbers, dim, size),) = parts

        def find_one(index):
            pos, bad = empty(count, INT64), np.zeros(1, INT64)
            run(index, pos, table, *numbers, bad)
            if bad[0]:
                raise out_of_bounds(kind, index.reshape(-1), dim, size)
            return pos

        return find_one

    def find(*given):
        pos, bad = empty(count, INT64), np.zeros(1, INT64)
        for index, (run, table, numbers, dim, size) in zip(given, parts, strict=True):
            run(index, pos, table, *numbers, bad)
            if bad[0]:
                raise out_of_bounds(kind, index.reshape(-1), dim, size)
        return pos

    return find


def _expanded(spec, common):
    missing = len(common) - spec.ndim
    return (0,) * missing + tuple(
        0 if n == 1 and c != 1 else s
        for n, s, c in zip(spec.shape, spec.strides, common[missing:], strict=True)
    )


def reader(input, out, dims, common):
    """A function (x, positions, y) that reads rows: `out` has the dtype of `input`."""
    rows = Rows(input, out, dims, common)
    loop = rows.loop
    if loop.outer == 1 and loop.inner == 1 and rows.js == 1:
        run, n = (
            take_elements.compile(input, empty(1, INT64), out, 1, work=4 * rows.count),
            rows.count,
        )
        return lambda x, pos, y: run(x, pos, y, n)
    steps, dims = loop.steps, loop.table
    if loop.inner > 1 and rows.js and steps[1] > rows.js:  # positions lie nearer than the row does
        dims = [*dims, loop.inner, *steps]
        numbers = loop.ndim + 1, loop.outer * loop.inner, rows.count, 1, 1, 1, rows.js
        take = take_within
    else:
        numbers = loop.ndim, loop.outer, rows.count, loop.inner, *steps, rows.js
        take = take_within if loop.inner < SHORT <= rows.count else take_rows
        if steps == [1, 1] and loop.inner * input.dtype.itemsize >= NEAR:
            take = move_rows
    table, bits = np.array(dims or [0], INT64), bits_of(input.dtype.np)
    run = take.compile(bits, table, bits, table, *numbers, work=rows.work)
    return lambda x, pos, y: run(x, pos, y, table, *numbers)


def caster(out):
    """A function that makes an array of a Python number."""
    dtype, make = out.dtype.np, np.array

    def cast(number):
        try:
            return make(number, dtype)
        except OverflowError:
            raise RuntimeError(
                f"value cannot be converted to type {out.dtype.name} without overflow"
            ) from None

    return cast


def writer(out, part, dims, common, mode, alpha=None):
    """A function (y, positions, values) that writes rows; `part` is the Spec of the values, weak
    for a number.
    """
    if part.weak:
        value = out.of((), out.dtype, out.device)
        write, cast = writer(out, value, dims, common, mode, alpha), caster(out)
        return lambda y, pos, number: write(y, pos, cast(number))
    rows = Rows(out, part, dims, common)
    if not rows.work:
        return lambda y, pos, s: None
    if rows.js is None:
        from_, part = part, part.like(index_shape(out.shape, dims, common)[0])
        name, make = type_name(from_.dtype), part.dtype.np
        fill, shape = (
            launch_loop("copy", ("a",), (name,), name, (from_,), (part,)),
            tuple(part.shape),
        )
        write = writer(out, part, dims, common, mode, alpha)

        def dense(y, pos, s):
            values = empty(shape, make)
            fill(s, values)
            write(y, pos, values)

        return dense
    loop = rows.loop
    ndim, outer, inner, steps, table = loop.ndim, loop.outer, loop.inner, loop.steps, loop.table
    if len(dims) == 1 and inner > 1 and out.strides[dims[0]] < steps[0]:
        # positions lie nearer than the row does: it becomes rows of one element
        ndim, outer, inner, table = ndim + 1, outer * inner, 1, [*table, inner, *steps]
    table = np.array(table or [0], INT64)
    chunk = chunk_of(inner)
    chunks = -(-inner // chunk)
    work = rows.work if outer * chunks > 1 else 0
    if not work or rows.work < 32768:
        chunk, chunks = max(inner, 1), 1
    numbers = ndim, outer, chunks, chunk, rows.count, inner, *steps, rows.js
    if alpha is not None:
        factor = float(alpha) if out.dtype.is_floating_point else int(alpha)
        numbers = *numbers, factor
        run = add_rows.compile(out, table, part, table, *numbers, work=work)
    else:
        numbers = *numbers, mode
        run = put_rows.compile(out, table, part, table, *numbers, work=work)
    return lambda y, pos, s: run(y, pos, s, table, *numbers)


def copier(input, out):
    """A function (x, y) that copies, unless both are one array: the in-place form."""
    name = type_name(input.dtype)
    run = launch_loop("copy", ("a",), (name,), name, (input,), (out,))

    def copy(x, y):
        if x is not y:
            run(x, y)

    return copy
