"""CPU kernels of embedding_bag. Indices and offsets are checked before anything is written.

Bag b holds the indices from offsets[b] up to the next offset, or where `offsets` is None, the
b-th `width` of them.
"""

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, inline, kernel, prange
from ...backends.registry import contiguous

__all__ = [
    "embedding_bag_backward_op", "embedding_bag_dots_op", "embedding_bag_max_op",
    "embedding_bag_op",
]  # fmt: skip


@inline
def first_of(offsets, b, width, n, ends):
    """Where bag b begins; that of the bag after the last one is where the last one ends."""
    if offsets is None:
        return b * width
    return np.int64(offsets[b]) if b < ends else n


@kernel
def find_wrong(indices, offsets, found, n, rows, ends):
    """found = (what is wrong, its position, its value): 1 an index outside of [0, rows), 2 a first
    offset that is not 0, 3 an offset above n, 4 one that is less than the one before; else 0.
    """
    found[0] = 0
    for i in range(n):
        row = np.int64(indices[i])
        if row < 0 or row >= rows:
            found[0], found[1], found[2] = 1, i, row
    if offsets is not None:
        before = np.int64(0)
        for b in range(ends):
            offset = np.int64(offsets[b])
            kind = 2 if b == 0 and offset != 0 else 3 if offset > n else 4 if offset < before else 0
            if kind > 0:
                found[0], found[1], found[2] = kind, b, offset
            before = offset


def checker(indices, offsets, rows: int):
    """A function of the arrays that raises for indices and offsets outside of their ranges."""
    n, ends = indices.numel, 0 if offsets is None else offsets.numel
    find = find_wrong.compile(indices, offsets, np.empty(3, np.int64), n, rows, ends)

    def check(x, o):
        found = np.empty(3, np.int64)
        find(x, o, found, n, rows, ends)
        if found[0]:
            kind, place, value = found.tolist()
            raise RuntimeError(MESSAGES[kind].format(place=place, value=value, n=n, rows=rows))

    return check


MESSAGES = {
    1: "Index {place} of input takes value {value} which is not in the valid range [0, {rows}) "
    "(embedding_bag)",
    2: "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
    "position 0. However, got {value}",
    3: "offsets[-1] can not be greater than input's length {n} but got offsets[{place}] of {value}",
    4: "offsets must not decrease, but got offsets[{place}] of {value}",
}


@kernel
def add_up(weight, indices, offsets, samples, counts, out, bags, width, n, ends, d, mean, padding):
    """out[b] = the sum or mean of bag b, each row times its factor and over its count, if these are
    given. One iteration of the parallel loop owns one bag.
    """
    T = out.dtype.type
    for bag in prange(bags):
        b = np.int64(bag)
        to, size = b * d, 0
        for j in range(to, to + d):
            out[j] = T(0)
        begin = first_of(offsets, b, width, n, ends)
        end = first_of(offsets, b + 1, width, n, ends)
        for i in range(begin, end):
            row = np.int64(indices[i])
            if row == padding:
                continue
            size += 1
            at = row * d
            if samples is None and counts is None:
                for j in range(d):
                    out[to + j] += weight[at + j]
            else:
                factor = T(1)
                if samples is not None:
                    factor = T(samples[i])
                if counts is not None:
                    factor = T(factor / T(counts[row]))
                for j in range(d):
                    out[to + j] += weight[at + j] * factor
        if mean and size > 1:
            for j in range(to, to + d):
                out[j] = T(out[j] / T(size))


@kernel
def spread(
    g, indices, offsets, samples, counts, out, bags, width, n, ends, d, rows, mean, padding, workers
):
    """The transpose of `add_up`: out[r] += g[b], in the order of the bags.

    One iteration of the parallel loop owns a range of rows.
    """
    T = out.dtype.type
    for worker in prange(workers):
        low, high = rows * worker // workers, rows * (worker + 1) // workers
        for j in range(low * d, high * d):
            out[j] = T(0)
        for b in range(bags):
            begin = first_of(offsets, b, width, n, ends)
            end = first_of(offsets, b + 1, width, n, ends)
            share = T(1)
            if mean:
                size = 0
                for i in range(begin, end):
                    size += np.int64(indices[i]) != padding
                share = T(T(1) / T(max(size, 1)))
            for i in range(begin, end):
                row = np.int64(indices[i])
                if row < low or row >= high or row == padding:
                    continue
                factor = share
                if samples is not None:
                    factor = T(factor * samples[i])
                if counts is not None:
                    factor = T(factor / T(counts[row]))
                for j in range(d):
                    out[row * d + j] += g[b * d + j] * factor


@kernel(fastmath="sum")
def multiply(g, weight, indices, offsets, counts, out, bags, width, n, ends, d, padding):
    """out[i] = weight[indices[i]] . g[b], over the row's count, for each index of bag b.

    One iteration of the parallel loop owns one bag.
    """
    T = out.dtype.type
    for bag in prange(bags):
        b = np.int64(bag)
        begin = first_of(offsets, b, width, n, ends)
        end = first_of(offsets, b + 1, width, n, ends)
        for i in range(begin, end):
            row, total = np.int64(indices[i]), T(0)
            if row != padding:
                for j in range(d):
                    total += weight[row * d + j] * g[b * d + j]
                if counts is not None:
                    total = T(total / T(counts[row]))
            out[i] = total


@kernel
def find_largest(weight, indices, offsets, out, places, bags, width, n, ends, d, padding):
    """out[b] = the maxima of bag b, places[b] = their rows. One iteration owns one bag."""
    T = out.dtype.type
    for bag in prange(bags):
        b = np.int64(bag)
        to, some = b * d, False
        for j in range(to, to + d):
            out[j], places[j] = T(0), -1
        begin = first_of(offsets, b, width, n, ends)
        end = first_of(offsets, b + 1, width, n, ends)
        for i in range(begin, end):
            row = np.int64(indices[i])
            if row == padding:
                continue
            for j in range(d):
                value = weight[row * d + j]
                if not some or value > out[to + j]:
                    out[to + j], places[to + j] = value, row
            some = True


@kernel
def count_rows(indices, counts, n, rows):
    """counts[r] = how often row r is looked up."""
    for r in range(rows):
        counts[r] = 0
    for i in range(n):
        counts[indices[i]] += 1


def counter(indices, rows: int, by_freq):
    """(an example of the counts, a function from indices to them): of None if not `by_freq`."""
    if not by_freq:
        return None, lambda x: None
    example, n = np.empty(0, np.int64), indices.numel
    run = count_rows.compile(indices, example, n, rows)

    def count(x):
        counts = np.empty(rows, np.int64)
        run(x, counts, n, rows)
        return counts

    return example, count


def _sizes(indices, offsets) -> tuple[int, int, int]:
    """(width, n, ends) as kernels take them."""
    if offsets is None:
        return indices.shape[1], indices.numel, 0
    return 0, indices.numel, offsets.numel


# -- launchers -------------------------------------------------------------------------------------
@contiguous
def embedding_bag_op(
    weight, indices, offsets, samples, out, *, last, mean, padding_idx, by_freq, scaled
):
    """A check, then sums of rows."""
    rows, d = weight.shape
    check = checker(indices, offsets, rows)
    example, count = counter(indices, rows, by_freq and scaled)
    bags = out.shape[0]
    facts = bags, *_sizes(indices, offsets), d, int(mean), padding_idx
    run = add_up.compile(
        weight, indices, offsets, samples, example, out, *facts, work=indices.numel * d
    )

    def bag(w, x, o, s, y):
        check(x, o)
        run(w, x, o, s, count(x), y, *facts)

    return bag


@contiguous
def embedding_bag_backward_op(
    grad, indices, offsets, samples, out, *, rows, last, mean, padding_idx, by_freq
):
    """Each worker reads all indices and adds to its own rows: always in the same order."""
    bags, d = grad.shape
    work = indices.numel * d + out.numel
    workers = min(threads.get_num_threads(), max(rows, 1)) if work >= PARALLEL_WORK else 1
    example, count = counter(indices, rows, by_freq)
    facts = bags, *_sizes(indices, offsets), d, rows, int(mean), padding_idx, workers
    run = spread.compile(grad, indices, offsets, samples, example, out, *facts, work=work)
    return lambda g, x, o, s, y: run(g, x, o, s, count(x), y, *facts)


@contiguous
def embedding_bag_dots_op(grad, weight, indices, offsets, out, *, last, padding_idx, by_freq):
    """Zeros where an index is in no bag, then products."""
    (bags, d), rows = grad.shape, weight.shape[0]
    example, count = counter(indices, rows, by_freq)
    facts = bags, *_sizes(indices, offsets), d, padding_idx
    run = multiply.compile(
        grad, weight, indices, offsets, example, out, *facts, work=indices.numel * d
    )

    def dots(g, w, x, o, y):
        y.fill(0)
        run(g, w, x, o, count(x), y, *facts)

    return dots


@contiguous
def embedding_bag_max_op(weight, indices, offsets, out, out1, *, last, padding_idx):
    """A check, then maxima."""
    rows, d = weight.shape
    check, bags = checker(indices, offsets, rows), out.shape[0]
    facts = bags, *_sizes(indices, offsets), d, padding_idx
    run = find_largest.compile(
        weight, indices, offsets, out, out1, *facts, work=2 * indices.numel * d
    )

    def bag(w, x, o, y, places):
        check(x, o)
        run(w, x, o, y, places, *facts)

    return bag
