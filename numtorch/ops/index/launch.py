"""Launchers of rows (index, index_put, index_select, ...): the same for each device, given the
device's `locator` (indices to positions), `reader`, `copier` and `writer`.
"""

import numpy as np

from ..pointwise.define import type_name

SET, ADD, MULTIPLY, MAX, MIN = range(5)  # what a write does with the element that is there


def common_shape(indices):
    """What index Specs broadcast to (the rule has checked that they do)."""
    shapes = [i.shape for i in indices]
    return shapes[0] if len(shapes) == 1 else np.broadcast_shapes(*shapes)


def zeros_of(out, launch_loop):
    """A function that sets contiguous memory to 0."""
    name = type_name(out.dtype)
    run = launch_loop("fill", ("a",), (name,), name, (out.of((), out.dtype, weak=True),), (out,))
    zero = 0.0 if out.dtype.is_floating_point else 0
    return lambda y: run(zero, y)


def _vector(spec):
    """A 0-d tensor's Spec as one element."""
    return spec if spec.ndim else spec.strided((1,), (1,))


def row_launchers(locator, reader, copier, writer, launch_loop):
    """The launchers of families by name, and those of single ops in the order of `return`."""

    def index(input, *rest, dims):
        """out = input[indices]."""
        *indices, out = rest
        if not out.numel:
            return lambda *arrays: None
        common = common_shape(indices)
        find, read = (
            locator("index", input, indices, dims, common),
            reader(input, out, dims, common),
        )
        if len(indices) == 1:
            return lambda x, i, y: read(x, find(i), y)
        return lambda x, *given: read(x, find(*given[:-1]), given[-1])

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

    def index_backward(grad, *rest, size, dims):
        """out = 0, then out[indices] += grad."""
        *indices, out = rest
        common = common_shape(indices)
        find, clear = locator("index", out, indices, dims, common), zeros_of(out, launch_loop)
        write = writer(out, grad, dims, common, ADD)

        def run(g, *given):
            y = given[-1]
            clear(y)
            write(y, find(*given[:-1]), g)

        return run

    def index_select_op(input, index, out, *, dim):
        """Rows of one dimension."""
        if not input.ndim:
            return _copy_scalar(input, index, out)
        common = (index.numel,)
        flat = index.strided(common, index.strides or (1,))
        find = locator("index_select", input, (flat,), (dim,), common)
        read = reader(input, out, (dim,), common)
        return lambda x, i, y: read(x, find(i), y)

    def _copy_scalar(input, index, out):
        """index_select of a 0-d tensor, whose one index is 0."""
        find, copy = locator("index_select", input, (index,), (0,), index.shape), copier(input, out)

        def run(x, i, y):
            find(i)
            copy(x, y)

        return run

    def index_select_backward_op(grad, index, out, *, size, dim):
        """Zeros, then rows added."""
        find, clear = _rows("index_select", out, index, dim), zeros_of(out, launch_loop)
        write = writer(_vector(out), _vector(grad), (dim,), (index.numel,), ADD)

        def run(g, i, y):
            clear(y)
            write(y, find(i), g)

        return run

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
        find = locator("take", input, (index,), (0,), index.shape)
        read = reader(input, out, (0,), index.shape)
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

    families = {"index": index, "index_put": index_put, "index_backward": index_backward}
    return families, (
        index_select_op,
        index_select_backward_op,
        index_add_op,
        index_copy_op,
        index_fill_op,
        take_op,
        put_op,
    )
