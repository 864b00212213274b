"""Tables and layouts for kernels that read dimensions in an order of their own."""

import numpy as np


def moves(input, maps):
    """(table, sizes, starts, ndim, run, step) for a contiguous result.

    `maps`: dimension -> for each index, the index that it is read from. The dimensions up to the
    last of those are read through `table`; those behind it are a run of elements, `step` apart, if
    they lie evenly.
    """
    shape, strides = list(input.shape), list(input.strides)
    behind = len(shape)
    run, step = 1, 1
    while behind - 1 > max(maps) and (run == 1 or strides[behind - 1] == run * step):
        if run == 1:
            step = strides[behind - 1]
        run *= shape[behind - 1]
        behind -= 1
    if run == 1:
        step = 1
    parts = [np.asarray(maps.get(d, np.arange(shape[d]))) * strides[d] for d in range(behind)]
    starts = np.cumsum([0, *shape[: behind - 1]]).astype(np.int64)
    table = np.concatenate(parts).astype(np.int64)
    return table, np.array(shape[:behind], np.int64), starts, behind, run, step


def segments_of(places, run=1):
    """Evenly spaced parts of a dimension's table, as start, length, place, step of each, in one
    array; None where each place begins a run of elements, and these do not follow each other.
    """
    steps = np.diff(places)
    ends = [0, *(np.flatnonzero(np.diff(steps)) + 2).tolist(), len(places)]
    found = []
    first = 0
    for end in ends[1:]:
        if end <= first:
            continue
        step = int(places[first + 1] - places[first]) if end - first > 1 else run
        if run != 1 and step != run:
            return None
        found += [first * run, (end - first) * run, int(places[first]), step if run == 1 else 1]
        first = end
    return np.array(found, np.int64)


def cut_up(segments, longest: int):
    """The same segments, none with more than `longest` elements."""
    found = []
    for first, n, place, step in segments.reshape(-1, 4).tolist():
        for i in range(0, n, longest):
            found += [first + i, min(longest, n - i), place + i * step, step]
    return np.array(found, np.int64)


def repeated(input, out, dim: int, repeats: int):
    """The Specs of a copy that repeats each index of a dimension: with a dimension of step 0 behind
    it.
    """
    shape = (*input.shape[: dim + 1], repeats, *input.shape[dim + 1 :])
    steps = (*input.strides[: dim + 1], 0, *input.strides[dim + 1 :])
    down = out.strides[dim]
    to = (*out.strides[:dim], down * repeats, down, *out.strides[dim + 1 :])
    return input.strided(shape, steps), out.strided(shape, to)
