"""CUDA kernels of the derivatives of views."""

import itertools
import math

from ...backends.cuda import memory
from ...backends.cuda.jit import cuda, grid, kernel
from ...core.shape import overlaps_itself
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name


@kernel
def zero_fill(out, n):
    """out = 0. A thread owns every grid-size-th element."""
    zero = out.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = zero


@kernel
def slice_backward(grad, out, n, rows, inner, length, start, step):
    """out = grad at its place, else 0. (outer, length, inner) -> (outer, rows, inner)

    A thread owns every grid-size-th element of `out`, so memory is written once.
    """
    zero = out.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        rest = i // inner
        k = rest % rows - start
        if 0 <= k < length * step and k % step == 0:
            out[i] = grad[(rest // rows * length + k // step) * inner + i % inner]
        else:
            out[i] = zero


def fill(out, value):
    """A function that sets contiguous memory to a number."""
    name = type_name(out.dtype)
    number = out.of((), out.dtype, weak=True)
    run = launch_loop("fill", ("a",), (name,), name, (number,), (out,))
    return lambda y: run(value, y)


def slice_backward_op(grad, out, *, size, dim, start, step):
    """One pass over `out`."""
    n, rows, inner = out.numel, size[dim], math.prod(size[dim + 1 :])
    numbers = n, rows, inner, grad.shape[dim], start, step
    launch = slice_backward.compile(grad, out, *numbers)[grid(n)]
    return lambda g, y: launch(g, y, *numbers)


slice_backward_op.contiguous = True


def as_strided_backward_op(grad, out, *, numel, size, stride, offset):
    """Zeros, then additions. Dimensions that reach elements again are looped over on the host, so
    that no two threads add to one element, and sums have one order.
    """
    again = repeating(size, stride)
    rest = [d for d in range(len(size)) if d not in again]
    shape = [size[d] for d in rest]
    source = grad.strided(shape, [grad.strides[d] for d in rest])
    target = out.strided(shape, [stride[d] for d in rest])
    name = type_name(out.dtype)
    clear = zero_fill.compile(out, numel)[grid(numel)]
    add = launch_loop("add", ("a + b",), (name, name), name, (target, source), (target,))
    steps = [
        (
            offset + sum(i * stride[d] for i, d in zip(index, again, strict=True)),
            sum(i * grad.strides[d] for i, d in zip(index, again, strict=True)),
        )
        for index in itertools.product(*[range(size[d]) for d in again])
    ] * bool(grad.numel)

    def run(g, y):
        clear(y, numel)
        for to, from_ in steps:
            part = memory.view(y, target, to)
            add(part, memory.view(g, source, from_), part)

    return run


as_strided_backward_op.contiguous = True


def repeating(size, stride) -> tuple[int, ...]:
    """The dimensions, as few indices as possible, without which no element is reached twice."""
    dims = range(len(size))
    choices = [c for n in range(len(size) + 1) for c in itertools.combinations(dims, n)]
    choices.sort(key=lambda c: math.prod(size[d] for d in c))
    for choice in choices:
        kept = [d for d in dims if d not in choice]
        if not overlaps_itself([size[d] for d in kept], [stride[d] for d in kept]):
            return choice
    return tuple(dims)


def as_strided_scatter_op(input, src, out, *, size, stride, offset):
    """A copy of the input, then `src` written at its positions."""
    name, src_name = type_name(input.dtype), type_name(src.dtype)
    part = out.strided(size, stride)
    copy = launch_loop("copy", ("a",), (name,), name, (input,), (out,))
    write = launch_loop("copy", ("a",), (src_name,), src_name, (src,), (part,))

    def run(x, s, y):
        copy(x, y)
        if src.numel:
            write(s, memory.view(y, part, offset))

    return run


as_strided_scatter_op.contiguous = frozenset(["src"])
