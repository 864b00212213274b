"""CUDA kernels of embedding_bag.

The gradient of the table goes by way of a gradient for each index, whose rows are then added up as
those of `embedding` are.
"""

import numpy as np

from ...backends.cuda import memory, traps
from ...backends.cuda.jit import cuda, grid, inline, kernel
from ...backends.cuda.traps import spring
from ...backends.registry import contiguous
from ...core.dtype import int64
from .rows_cuda import counts_of, embedding_backward_op

__all__ = [
    "embedding_bag_backward_op", "embedding_bag_dots_op", "embedding_bag_max_op",
    "embedding_bag_op",
]  # fmt: skip
OUTSIDE = traps.slot(
    lambda value: RuntimeError(
        f"an index of input takes value {value} which is not in the valid range (embedding_bag)"
    )
)
BEGIN = traps.slot(
    lambda value: RuntimeError(
        "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
        f"position 0. However, got {value}"
    )
)
ORDER = traps.slot(
    lambda value: RuntimeError(
        "offsets must not decrease, and not be greater than input's length, but got an offset of "
        f"{value}"
    )
)


@inline
def first_of(offsets, b, width, n, ends):
    """Where bag b begins, never outside of the indices."""
    if offsets is None:
        return b * width
    at = np.int64(offsets[b]) if b < ends else n
    return min(max(at, np.int64(0)), n)


@kernel
def check_offsets(offsets, n, ends, trap, begin, order):
    """Springs the trap where offsets are wrong. A thread owns every grid-size-th offset."""
    for b in range(cuda.grid(1), ends, cuda.gridsize(1)):
        at, before = np.int64(offsets[b]), np.int64(0)
        if b > 0:
            before = np.int64(offsets[b - 1])
        elif at != 0:
            spring(trap, begin, at)
        if at < before or at > n:
            spring(trap, order, at)


@kernel
def add_up(
    weight, indices, offsets, samples, counts, out, numel, width, n, ends, d, rows, mean, padding,
    trap, slot,
):  # fmt: skip
    """out[b] = the sum or mean of bag b, each row times its factor and over its count, if these are
    given. A thread owns every grid-size-th element of out.
    """
    T = out.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        b = item // d
        total, size = T(0), 0
        begin = first_of(offsets, b, width, n, ends)
        for i in range(begin, first_of(offsets, b + 1, width, n, ends)):
            row = np.int64(indices[i])
            if row < 0 or row >= rows:
                spring(trap, slot, row)
            elif row != padding:
                factor = T(1)
                if samples is not None:
                    factor = samples[i]
                if counts is not None:
                    factor /= T(counts[row])
                total += weight[row * d + item - b * d] * factor
                size += 1
        if mean and size > 1:
            total /= T(size)
        out[item] = total


@kernel
def find_largest(
    weight, indices, offsets, out, places, numel, width, n, ends, d, rows, padding, trap, slot
):
    """out[b] = the maxima of bag b, places[b] = their rows. A thread owns every grid-size-th
    element of out.
    """
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        b = item // d
        best, place = out.dtype.type(0), np.int64(-1)
        begin = first_of(offsets, b, width, n, ends)
        for i in range(begin, first_of(offsets, b + 1, width, n, ends)):
            row = np.int64(indices[i])
            if row < 0 or row >= rows:
                spring(trap, slot, row)
            elif row != padding:
                value = weight[row * d + item - b * d]
                if place < 0 or value > best:
                    best, place = value, row
        out[item] = best
        places[item] = place


@kernel
def find_bags(indices, offsets, bag_of, sizes, bags, width, n, ends, padding):
    """bag_of[i] = the bag that index i is in, sizes[b] = how many of bag b are no padding (at least
    1). A thread owns every grid-size-th bag.
    """
    for b in range(cuda.grid(1), bags, cuda.gridsize(1)):
        size = 0
        begin = first_of(offsets, b, width, n, ends)
        for i in range(begin, first_of(offsets, b + 1, width, n, ends)):
            bag_of[i] = b
            size += np.int64(indices[i]) != padding
        sizes[b] = max(size, 1)


@kernel
def in_no_bag(bag_of, n):
    """bag_of = -1. A thread owns every grid-size-th element."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        bag_of[i] = -1


@kernel
def unfold(g, bag_of, sizes, samples, out, numel, d, mean):
    """out[i] = the gradient of the bag of index i, times its factor. A thread owns every
    grid-size-th element of out.
    """
    T = out.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        i = item // d
        b, value = bag_of[i], T(0)
        if b >= 0:
            value = g[b * d + item - i * d]
            if samples is not None:
                value *= samples[i]
            if mean:
                value /= T(sizes[b])
        out[item] = value


@kernel
def multiply(g, weight, indices, bag_of, counts, out, n, d, rows, padding):
    """out[i] = weight[indices[i]] . g[b], over the row's count, b being the bag of index i. A
    thread owns every grid-size-th index.
    """
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        b, row, total = bag_of[i], np.int64(indices[i]), T(0)
        if b >= 0 and row != padding and row >= 0 and row < rows:
            for j in range(d):
                total += weight[row * d + j] * g[b * d + j]
            if counts is not None:
                total /= T(counts[row])
        out[i] = total


# -- launchers -------------------------------------------------------------------------------------
def _sizes(indices, offsets) -> tuple[int, int, int]:
    """(width, n, ends) as kernels take them."""
    if offsets is None:
        return indices.shape[1], indices.numel, 0
    return 0, indices.numel, offsets.numel


def checker(indices, offsets):
    """A function that looks at the offsets."""
    if offsets is None:
        return lambda o: None
    trap = traps.trap(indices.device.index)
    facts = indices.numel, offsets.numel, trap, BEGIN, ORDER
    launch = check_offsets.compile(offsets, *facts)[grid(offsets.numel)]
    return lambda o: launch(o, *facts)


def finder(indices, offsets, bags, padding):
    """(Spec, function of (indices, offsets)): which bag each index is in, and the bags' sizes."""
    n = indices.numel
    places, sizes = indices.like((n,), int64), indices.like((bags,), int64)
    make, make_sizes = memory.allocator(places), memory.allocator(sizes)
    empty = in_no_bag.compile(places, n)[grid(n)]
    facts = bags, *_sizes(indices, offsets), padding
    find = find_bags.compile(indices, offsets, places, sizes, *facts)[grid(bags)]

    def run(x, o):
        bag_of, found = make(), make_sizes()
        empty(bag_of, n)
        find(x, o, bag_of, found, *facts)
        return bag_of, found

    return places, run


@contiguous
def embedding_bag_op(
    weight, indices, offsets, samples, out, *, last, mean, padding_idx, by_freq, scaled
):
    """A thread for each element of the sums."""
    (rows, d), n, device = weight.shape, out.numel, out.device.index
    check = checker(indices, offsets)
    counts, count = counts_of(indices, rows, by_freq and scaled)
    facts = (
        n, *_sizes(indices, offsets), d, rows, int(mean), padding_idx, traps.trap(device), OUTSIDE
    )  # fmt: skip
    launch = add_up.compile(weight, indices, offsets, samples, counts, out, *facts)[grid(n)]

    def run(w, x, o, s, y):
        check(o)
        launch(w, x, o, s, count(x), y, *facts)
        traps.arm(device)

    return run


@contiguous
def embedding_bag_backward_op(
    grad, indices, offsets, samples, out, *, rows, last, mean, padding_idx, by_freq
):
    """A gradient for each index, then the sums of rows of `embedding`."""
    (bags, d), n = grad.shape, indices.numel
    places, find = finder(indices, offsets, bags, padding_idx)
    unfolded, flat = grad.like((n, d)), indices.like((n,))
    facts = n * d, d, int(mean)
    spread = unfold.compile(grad, places, places, samples, unfolded, *facts)[grid(n * d)]
    add = embedding_backward_op(
        unfolded, flat, out, rows=rows, padding_idx=padding_idx, by_freq=by_freq
    )
    make = memory.allocator(unfolded)

    def run(g, x, o, s, y):
        rows_of = make()
        spread(g, *find(x, o), s, rows_of, *facts)
        add(rows_of, x, y)

    return run


@contiguous
def embedding_bag_dots_op(grad, weight, indices, offsets, out, *, last, padding_idx, by_freq):
    """A thread for each index."""
    (bags, d), rows, n = grad.shape, weight.shape[0], indices.numel
    places, find = finder(indices, offsets, bags, padding_idx)
    counts, count = counts_of(indices, rows, by_freq)
    facts = n, d, rows, padding_idx
    launch = multiply.compile(grad, weight, indices, places, counts, out, *facts)[grid(n)]
    return lambda g, w, x, o, y: launch(g, w, x, find(x, o)[0], count(x), y, *facts)


@contiguous
def embedding_bag_max_op(weight, indices, offsets, out, out1, *, last, padding_idx):
    """A thread for each element of the maxima."""
    (rows, d), n, device = weight.shape, out.numel, out.device.index
    check = checker(indices, offsets)
    facts = n, *_sizes(indices, offsets), d, rows, padding_idx, traps.trap(device), OUTSIDE
    launch = find_largest.compile(weight, indices, offsets, out, out1, *facts)[grid(n)]

    def run(w, x, o, y, places):
        check(o)
        launch(w, x, o, y, places, *facts)
        traps.arm(device)

    return run
