"""CPU kernels of the derivatives of views."""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ..copy.cpu import launch_copy
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name


@kernel
def zero_fill(out, n):
    """out = 0. One iteration of the parallel loop owns one element."""
    T = out.dtype.type
    for i in prange(n):
        out[i] = T(0)


@kernel
def add_at(x, out, geometry, ndim, n, offset):
    """out[position of i under the geometry] += x[i]: positions may repeat, so this is serial."""
    for i in range(n):
        rest, at = i, offset
        for d in range(ndim - 1, -1, -1):
            at += rest % geometry[d] * geometry[ndim + d]
            rest //= geometry[d]
        out[at] += x[i]


def fill(out, value):
    """A function that sets contiguous memory to a number."""
    name = type_name(out.dtype)
    run = launch_loop("fill", ("a",), (name,), name, (out.of((), out.dtype, weak=True),), (out,))
    return lambda y: run(value, y)


def slice_backward_op(grad, out, *, size, dim, start, step):
    """Zeros, then a strided copy."""
    strides = list(out.strides)
    first = start * strides[dim]
    strides[dim] *= step
    part = out.strided(grad.shape, strides)
    clear = zero_fill.compile(out, 1, work=out.numel)
    copy = launch_copy(grad, part)
    n, item = out.numel, out.dtype.itemsize
    byte_strides = tuple(s * item for s in strides)
    shape, dtype = tuple(grad.shape), out.dtype.np

    def run(g, y):
        clear(y, n)
        if g.size:
            copy(g, np.ndarray(shape, dtype, y, first * item, byte_strides))

    return run


slice_backward_op.contiguous = True


def as_strided_backward_op(grad, out, *, numel, size, stride, offset):
    """Zeros, then each element added at its position."""
    clear = zero_fill.compile(out, 1, work=out.numel)
    geometry = np.array([*size, *stride], np.int64)
    add = add_at.compile(grad, out, geometry, 1, 1, 1)
    ndim, n = len(size), grad.numel

    def run(g, y):
        clear(y, numel)
        add(g, y, geometry, ndim, n, offset)

    return run


as_strided_backward_op.contiguous = True


def as_strided_scatter_op(input, src, out, *, size, stride, offset):
    """A copy of the input, then `src` written at its positions."""
    part = out.strided(size, stride)
    copy, write = launch_copy(input, out), launch_copy(src, part)
    item = out.dtype.itemsize
    byte_strides, shape, dtype = tuple(s * item for s in stride), tuple(size), out.dtype.np

    def run(x, s, y):
        copy(x, y)
        if s.size:
            write(s, np.ndarray(shape, dtype, y, offset * item, byte_strides))

    return run


as_strided_scatter_op.contiguous = frozenset(["src"])
