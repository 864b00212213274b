"""CUDA kernels of sorting: a bitonic network over (element, index), which all the others use.

A tensor is seen as (outer, n, inner); each of its outer * inner lines is copied next to its
indices, with room for a power of two of elements. Source: Batcher, Sorting networks and their
applications, 1968.
"""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.jit import bind, cuda, grid, inline, kernel
from ...backends.registry import contiguous
from ...core.dtype import int64
from ...core.spec import Spec
from .counts_cuda import *  # noqa: F403


@inline
def behind(a, i, b, j, n, descending):
    """Whether the element `a` of index i belongs behind `b` of index j; those from n on are last.

    NaN counts as the largest, and equal elements keep their order.
    """
    if i >= n or j >= n or a == b or (a != a and b != b):
        return i > j
    if a != a or b != b:
        return (a != a) != (descending != 0)
    return (a > b) != (descending != 0)


@kernel
def lay_out(x, values, places, count, m, n, inner):
    """Lines next to each other, of m elements each. A thread owns every grid-size-th element."""
    for item in range(cuda.grid(1), count, cuda.gridsize(1)):
        line = item // m
        i = item - line * m
        places[item] = i
        if i < n:
            values[item] = x[(line // inner * n + i) * inner + line % inner]


@kernel
def exchange(values, places, pairs, m, n, size, step, descending):
    """One step of the network: pairs that are `step` apart are put in order, alternately up and
    down in runs of `size`. A thread owns every grid-size-th pair.
    """
    for item in range(cuda.grid(1), pairs, cuda.gridsize(1)):
        i = item // step * step + item
        j = i + step
        a, b, p, q = values[i], values[j], places[i], places[j]
        if behind(a, p, b, q, n, descending) == (i % m & size == 0):
            values[i], values[j], places[i], places[j] = b, a, q, p


@kernel
def take_elements(x, places, values, indices, count, m, n, inner, k, first):
    """values, indices = k sorted elements of each line, from `first` on. A thread owns elements."""
    for item in range(cuda.grid(1), count, cuda.gridsize(1)):
        o = item // (k * inner)
        rest = item - o * k * inner
        i = rest // inner
        j = rest - i * inner
        place = places[(o * inner + j) * m + first + i]
        values[item] = x[(o * n + place) * inner + j]
        indices[item] = place


@kernel
def take_medians(x, places, values, indices, lines, m, n, inner, skip):
    """values, indices = the lower median of each sorted line. A thread owns a line."""
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        good = 0
        for i in range(n):
            v = x[base + i * inner]
            good += 1 if v == v else 0
        at = max(good - 1, 0) // 2 if skip or good == n else good
        place = places[line * m + at]
        values[line] = x[base + place * inner]
        indices[line] = place


@kernel
def longest_runs(x, places, values, indices, lines, m, n, inner):
    """values, indices = the most frequent element of each sorted line, and its last place.

    A thread owns a line.
    """
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        longest, run, end = 0, 0, 0
        for i in range(n):
            run += 1
            here = x[base + places[line * m + i] * inner]
            if i == n - 1 or here != x[base + places[line * m + i + 1] * inner]:
                if run > longest:
                    longest, end = run, i
                run = 0
        place = places[line * m + end]
        values[line] = x[base + place * inner]
        indices[line] = place


@kernel
def search_lines(sequence, values, out, count, n, m, step, right):
    """out = the number of elements before each of the m values of a line. A thread owns values."""
    for item in range(cuda.grid(1), count, cuda.gridsize(1)):
        v, base = values[item], item // m * step
        begin, end = 0, n
        while begin < end:
            middle = (begin + end) // 2
            w = sequence[base + middle]
            if w > v or (w == v and right is None):
                end = middle
            else:
                begin = middle + 1
        out[item] = begin


# -- launchers -------------------------------------------------------------------------------------
def _geometry(shape, dim) -> tuple[int, int, int]:
    shape = shape or (1,)
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def _sorter(input, dim, descending):
    """A function of the tensor's memory that gives the sorted places of each line, and m, the room
    of a line.
    """
    outer, n, inner = _geometry(input.shape, dim)
    m = 1 << max(n - 1, 0).bit_length()
    count = outer * inner * m
    room = Spec.of((count,), input.dtype, input.device)
    make, make_places = memory.allocator(room), memory.allocator(room.like(dtype=int64))
    places = room.like(dtype=int64)
    copy = (count, m, n, inner)
    lay = lay_out.compile(input, room, places, *copy)[grid(count)]
    numbers = (count // 2, m, n, 1, 1, int(descending))
    swap = exchange.compile(room, places, *numbers)[grid(count // 2)]
    steps = [(1 << a, 1 << b) for a in range(1, m.bit_length()) for b in range(a - 1, -1, -1)]

    def run(x):
        v, p = make(), make_places()
        lay(x, v, p, *copy)
        for size, step in steps:
            swap(v, p, count // 2, m, n, size, step, int(descending))
        return p

    return run, m


def _taken(input, values, indices, dim, descending, k, first):
    outer, n, inner = _geometry(input.shape, dim)
    sort, m = _sorter(input, dim, descending)
    numbers = (values.numel, m, n, inner, k, first)
    take = take_elements.compile(input, indices, values, indices, *numbers)[grid(values.numel)]
    return lambda x, v, i: take(x, sort(x), v, i, *numbers)


@contiguous
def sort_op(input, values, indices, *, dim, descending):
    """values, indices = the elements in order, and where they were."""
    if not input.numel:
        return lambda x, v, i: None
    return _taken(input, values, indices, dim, descending, _geometry(input.shape, dim)[1], 0)


@contiguous
def topk_op(input, values, indices, *, k, dim, largest):
    """values, indices = the k largest or smallest elements, and where they are."""
    if not values.numel:
        return lambda x, v, i: None
    return _taken(input, values, indices, dim, largest, k, 0)


@contiguous
def kthvalue_op(input, values, indices, *, k, dim, keepdim):
    """values, indices = the k-th smallest elements, and where they are."""
    if not values.numel:
        return lambda x, v, i: None
    return _taken(input, values, indices, dim, False, 1, k - 1)


def _of_lines(find, input, values, indices, dim, *options):
    """A kernel that looks for one element of each sorted line."""
    if not values.numel:
        return lambda x, v, i: None
    outer, n, inner = _geometry(input.shape, dim)
    sort, m = _sorter(input, dim, False)
    numbers = (outer * inner, m, n, inner, *options)
    run = find.compile(input, indices, values, indices, *numbers)[grid(outer * inner)]
    return lambda x, v, i: run(x, sort(x), v, i, *numbers)


@contiguous
def median_dim_op(input, values, indices, *, dim, keepdim, skip_nan):
    """values, indices = the lower medians, and where they are."""
    return _of_lines(take_medians, input, values, indices, dim, int(skip_nan))


@contiguous
def median_op(input, out, *, skip_nan):
    """out = the lower median of all elements."""
    if not input.numel:
        real = out.dtype.is_floating_point
        empty = np.full((1,), math.nan if real else np.iinfo(out.dtype.np).min, out.dtype.np)
        return lambda x, y: memory.write(y, empty, out)
    index = out.like(dtype=int64)
    flat, make = input.like((input.numel,)), memory.allocator(index)
    find = _of_lines(take_medians, flat, out, index, 0, int(skip_nan))
    return lambda x, y: find(x, y, make())


@contiguous
def mode_op(input, values, indices, *, dim, keepdim):
    """values, indices = the most frequent elements, and where they are last."""
    return _of_lines(longest_runs, input, values, indices, dim)


@contiguous
def searchsorted_op(sequence, values, out, *, right, dtype):
    """out = where the values belong."""
    n, count = sequence.shape[-1], values.numel
    lines = math.prod(sequence.shape[:-1]) if sequence.ndim > 1 else 1
    m = count // max(lines, 1)
    numbers = (count, n, m, n if sequence.ndim > 1 else 0, 1 if right else None)
    return bind(search_lines.compile(sequence, values, out, *numbers)[grid(count)], 3, *numbers)
