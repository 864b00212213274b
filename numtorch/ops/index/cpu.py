"""CPU kernels of the index room: launchers of rows (index, index_put, index_select, ...) and lines
(gather, scatter).
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name
from .arrange_cpu import *  # noqa: F403
from .errors import out_of_bounds
from .geometry import Lines, Loop, chunk_of
from .masks_cpu import *  # noqa: F403
from .rows_cpu import ADD, MAX, MIN, MULTIPLY, SET, caster, combine, copier, locator, reader, writer

MODES = {"": SET, "add": ADD, "multiply": MULTIPLY, "amax": MAX, "amin": MIN}
empty, INT64 = np.empty, np.dtype(np.int64)
FAMILIES = {}


def launcher_of(op):
    """The launcher of a family of ops with a varying number of indices."""
    return FAMILIES[op.family]


def family(launch):
    """List a launcher by its name."""
    FAMILIES[launch.__name__] = launch
    return launch


def common_shape(indices):
    """What index Specs broadcast to (the rule has checked that they do)."""
    shapes = [i.shape for i in indices]
    return shapes[0] if len(shapes) == 1 else np.broadcast_shapes(*shapes)


def zeros_of(out):
    """A function that sets contiguous memory to 0."""
    name = type_name(out.dtype)
    run = launch_loop("fill", ("a",), (name,), name, (out.of((), out.dtype, weak=True),), (out,))
    zero = 0.0 if out.dtype.is_floating_point else 0
    return lambda y: run(zero, y)


# -- rows ------------------------------------------------------------------------------------------
@family
def index(input, *rest, dims):
    """out = input[indices]."""
    *indices, out = rest
    if not out.numel:
        return lambda *arrays: None
    common = common_shape(indices)
    find, read = locator("index", input, indices, dims, common), reader(input, out, dims, common)
    if len(indices) == 1:
        return lambda x, i, y: read(x, find(i), y)
    return lambda x, *given: read(x, find(*given[:-1]), given[-1])


@family
def index_put(input, values, *rest, dims, accumulate):
    """out = input, then out[indices] = values (or += values)."""
    *indices, out = rest
    common = common_shape(indices)
    find, copy = locator("index_put", out, indices, dims, common), copier(input, out)
    write = writer(out, values, dims, common, ADD if accumulate else SET)

    def run(x, v, *given):
        pos, y = find(*given[:-1]), given[-1]
        copy(x, y)
        write(y, pos, v)

    return run


@family
def index_backward(grad, *rest, size, dims):
    """out = 0, then out[indices] += grad."""
    *indices, out = rest
    common = common_shape(indices)
    find, clear = locator("index", out, indices, dims, common), zeros_of(out)
    write = writer(out, grad, dims, common, ADD)

    def run(g, *given):
        y = given[-1]
        clear(y)
        write(y, find(*given[:-1]), g)

    return run


def index_select_op(input, index, out, *, dim):
    """Rows of one dimension."""
    if not input.ndim:
        return copy_scalar(input, index, out)
    common = (index.numel,)
    flat = index.strided(common, index.strides or (1,))
    find, read = (
        locator("index_select", input, (flat,), (dim,), common),
        reader(input, out, (dim,), common),
    )
    return lambda x, i, y: read(x, find(i), y)


def copy_scalar(input, index, out):
    """index_select of a 0-d tensor, whose one index is 0."""
    find, copy = locator("index_select", input, (index,), (0,), index.shape), copier(input, out)

    def run(x, i, y):
        find(i)
        copy(x, y)

    return run


def index_select_backward_op(grad, index, out, *, size, dim):
    """Zeros, then rows added."""
    find, clear = _rows("index_select", out, index, dim), zeros_of(out)
    write = writer(_vector(out), _vector(grad), (dim,), (index.numel,), ADD)

    def run(g, i, y):
        clear(y)
        write(y, find(i), g)

    return run


def _vector(spec):
    """A 0-d tensor's Spec as one element."""
    return spec if spec.ndim else spec.strided((1,), (1,))


def _rows(kind, out, index, dim):
    """The function that turns a vector (or 0-d tensor) of indices into positions."""
    flat = index.strided((index.numel,), index.strides or (1,))
    return locator(kind, _vector(out), (flat,), (dim,), (index.numel,))


def _write_rows(kind, input, index, values, out, dim, mode, alpha=None):
    """A copy of the input, then rows written at the indices of one dimension."""
    find, copy = _rows(kind, out, index, dim), copier(input, out)
    part = values if values.weak else _vector(values)
    write = writer(_vector(out), part, (dim,), (index.numel,), mode, alpha)

    def run(x, i, v, y):
        pos = find(i)
        copy(x, y)
        write(y, pos, v)

    return run


def index_add_op(input, index, source, out, *, dim, alpha):
    """out = input, then rows added, alpha times."""
    return _write_rows(
        "index_add", input, index, source, out, dim, ADD, None if alpha == 1 else alpha
    )


def index_copy_op(input, index, source, out, *, dim):
    """out = input, then rows written."""
    return _write_rows("index_copy", input, index, source, out, dim, SET)


def index_fill_op(input, index, value, out, *, dim):
    """out = input, then rows set to one value."""
    return _write_rows("index_fill", input, index, value, out, dim, SET)


def take_op(input, index, out):
    """Elements of a vector, at an index tensor of any shape."""
    find, read = (
        locator("take", input, (index,), (0,), index.shape),
        reader(input, out, (0,), index.shape),
    )
    return lambda x, i, y: read(x, find(i), y)


def put_op(input, index, source, out, *, accumulate):
    """out = input, then elements written or added."""
    find, copy = locator("put", out, (index,), (0,), index.shape), copier(input, out)
    write = writer(out, source, (0,), index.shape, ADD if accumulate else SET)

    def run(x, i, v, y):
        pos = find(i)
        copy(x, y)
        write(y, pos, v)

    return run


# -- lines -----------------------------------------------------------------------------------------
@kernel
def count_outside(index, table, ndim, rows, inner, step, size, bad):
    """bad[0] = how many indices are outside of [0, size). One iteration of the parallel loop owns
    one row.
    """
    wrong = 0
    for r in prange(rows):
        rest = r + 0  # a copy: the loop variable of a prange must not change
        a = 0
        for e in range(ndim):
            d = (ndim - 1 - e) * 2
            a += rest % table[d] * table[d + 1]
            rest //= table[d]
        for i in range(inner):
            k = np.int64(index[a + i * step])
            wrong += (k < 0) | (k >= size)
    bad[0] = wrong


@kernel
def gather_lines(x, index, out, table, ndim, outer, chunks, chunk, inner, xs, qs, os, along):
    """out[r, i] = x[r, i, index[r, i]]. One iteration of the parallel loop owns a
    chunk of one row.
    """
    for block in prange(outer * chunks):
        r = block + 0
        low = 0
        if chunks != 1:
            r = block // chunks
            low = block % chunks * chunk
        high = min(low + chunk, inner)
        a = 0
        b = 0
        c = 0
        for e in range(ndim):
            d = (ndim - 1 - e) * 4
            k = r % table[d]
            r //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
            c += k * table[d + 3]
        for i in range(low, high):
            out[c + i * os] = x[a + i * xs + index[b + i * qs] * along]


@kernel
def scatter_lines(
    y, index, src, table, ndim, outer, chunks, chunk, inner, qs, ys, ss, count, yd, qd, sd, mode
):
    """y[r, index[r, j, i], i] = combine(y[r, index[r, j, i], i], src[r, j, i]), in the order of j.

    One iteration of the parallel loop owns `chunk` of the lines i: only elements of one line can
    meet.
    """
    T = y.dtype.type
    for block in prange(outer * chunks):
        r = block // chunks
        low = block % chunks * chunk
        high = min(low + chunk, inner)
        a = 0
        b = 0
        c = 0
        for e in range(ndim):
            d = (ndim - 1 - e) * 4
            k = r % table[d]
            r //= table[d]
            b += k * table[d + 1]
            a += k * table[d + 2]
            c += k * table[d + 3]
        for j in range(count):
            for i in range(low, high):
                p = a + i * ys + index[b + j * qd + i * qs] * yd
                v = src[c + j * sd + i * ss]
                if mode == 0:
                    y[p] = v
                elif mode == 1:
                    y[p] = T(y[p] + v)
                else:
                    y[p] = T(combine(mode, y[p], v))


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
    run = count_outside.compile(index, table, *numbers, table, work=index.numel)

    def check(i):
        bad = empty(1, INT64)
        run(i, table, *numbers, bad)
        if bad[0]:
            raise out_of_bounds(kind, i.reshape(-1), dim, size)

    return check


def gather_op(input, index, out, *, dim):
    """out[..., j, ...] = input[..., index[..., j, ...], ...]."""
    if not index.numel:
        return lambda x, i, y: None
    check = checker("gather", input, index, dim)
    along = input.strides[dim] if input.ndim else 1
    beside = [0 if d == dim else s for d, s in enumerate(input.strides)] or [0]
    loop = Loop(index.shape or (1,), beside, index.strides or (1,), out.strides or (1,))
    table = np.array(loop.table or [0], INT64)
    chunk, chunks = max(loop.inner, 1), 1
    if loop.outer < 8 and loop.inner >= 4096:
        chunk = 1024
        chunks = -(-loop.inner // chunk)
    xs, qs, os = loop.steps
    numbers = loop.ndim, loop.outer, chunks, chunk, loop.inner, xs, qs, os, along
    run = gather_lines.compile(input, index, out, table, *numbers, work=2 * index.numel)

    def gather(x, i, y):
        check(i)
        run(x, i, y, table, *numbers)

    return gather


def _scatter(out, index, src, dim, mode):
    """A function (y, index, values) that writes along a dimension."""
    if src.weak:
        write = _scatter(out, index, out.strided(index.shape, (0,) * index.ndim), dim, mode)
        cast = caster(out)
        return lambda y, i, number: write(y, i, cast(number))
    lines = Lines(index, dim, out, src)
    loop = lines.loop
    table = np.array(loop.table or [0], INT64)
    chunk = chunk_of(loop.inner)
    chunks = -(-loop.inner // chunk)
    if lines.work < 32768:
        chunk, chunks = max(loop.inner, 1), 1
    qd, yd, sd = lines.steps
    numbers = (
        loop.ndim,
        loop.outer,
        chunks,
        chunk,
        loop.inner,
        *loop.steps,
        lines.count,
        yd,
        qd,
        sd,
        mode,
    )
    work = 2 * lines.work if loop.outer * chunks > 1 else 0
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
    clear = zeros_of(out)
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
