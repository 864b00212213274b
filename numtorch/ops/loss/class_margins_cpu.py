"""CPU kernels of margins between classes. Scores are (N, C); `weight` may be None."""

import numpy as np

from ...backends.cpu.jit import inline, kernel, prange
from ...backends.registry import contiguous

__all__ = [
    "multi_margin_backward_op",
    "multi_margin_op",
    "multilabel_margin_backward_op",
    "multilabel_margin_op",
]


@kernel
def extremes_of(target, found, count):
    """found = the least and the largest target."""
    least, most = target[0], target[0]
    for i in range(count):
        least, most = min(least, target[i]), max(most, target[i])
    found[0], found[1] = least, most


def _checked(target, least: int, classes: int, text: str):
    """A function that raises RuntimeError unless all targets are at least `least` and classes."""
    count, empty, dtype = target.numel, np.empty, np.dtype(np.int64)
    run = extremes_of.compile(target, empty(2, dtype), count)

    def check(t):
        found = empty(2, dtype)
        run(t, found, count)
        if found[0] < least or found[1] >= classes:
            raise RuntimeError(text)

    return check if count else lambda t: None


# -- one label -----------------------------------------------------------------------------------
@kernel(fastmath="sum")
def multi_margins(x, target, weight, out, rows, n, p, margin):
    """out = the sum over classes of max(0, margin - own + x)^p, over n. One iteration of the
    parallel loop owns one row.
    """
    T = x.dtype.type
    for i in prange(rows):
        at, t = i * n, target[i]
        gap, total = T(margin) - x[at + t], T(0)
        for j in range(n):
            v = gap + x[at + j]
            v = v if v > T(0) and j != t else T(0)
            total += v if p == 1 else v * v
        out[i] = total / T(n) if weight is None else total * weight[t] / T(n)


@kernel(fastmath="sum")
def multi_margins_backward(g, x, target, weight, out, rows, n, p, margin):
    """The gradient for the input. One iteration of the parallel loop owns one row."""
    T = x.dtype.type
    for i in prange(rows):
        at, t = i * n, target[i]
        scale = g[i] / T(n) if weight is None else g[i] * weight[t] / T(n)
        gap, total = T(margin) - x[at + t], T(0)
        for j in range(n):
            v = gap + x[at + j]
            v = scale * (T(1) if p == 1 else T(2) * v) if v > T(0) and j != t else T(0)
            out[at + j] = v
            total += v
        out[at + t] = -total


@contiguous
def multi_margin_op(input, target, weight, out, *, p, margin):
    """One pass, after a check of the targets."""
    check = _checked(target, 0, input.shape[1], "target out of range")
    numbers = (*input.shape, p, margin)
    run = multi_margins.compile(input, target, weight, out, *numbers, work=input.numel)

    def checked(x, t, w, y):
        check(t)
        run(x, t, w, y, *numbers)

    return checked


@contiguous
def multi_margin_backward_op(grad, input, target, weight, out, *, p, margin):
    """One pass."""
    numbers, specs = (*input.shape, p, margin), (grad, input, target, weight, out)
    run = multi_margins_backward.compile(*specs, *numbers, work=input.numel)
    return lambda g, x, t, w, y: run(g, x, t, w, y, *numbers)


# -- several labels ------------------------------------------------------------------------------
@inline
def mark(target, at, n, label):
    """label[j] = 1 for the labels of a row, else 0; gives how many stand before the first -1."""
    for j in range(n):
        label[j] = 0
    count = 0
    while count < n and target[at + count] >= 0:
        label[target[at + count]] = 1
        count += 1
    return count


@kernel(fastmath="sum")
def multilabel_margins(x, target, out, rows, n):
    """out = the sum over labels and other classes of max(0, 1 - x[label] + x[other]), over n.

    One iteration of the parallel loop owns one row.
    """
    T = x.dtype.type
    for i in prange(rows):
        at, label, total = i * n, np.empty(n, np.int32), 0.0
        for k in range(mark(target, at, n, label)):
            gap, part = T(1) - x[at + target[at + k]], T(0)
            for j in range(n):
                v = gap + x[at + j]
                part += v if v > T(0) and label[j] == 0 else T(0)
            total += part
        out[i] = T(total / n)


@kernel(fastmath="sum")
def multilabel_margins_backward(g, x, target, out, rows, n):
    """The gradient for the input. One iteration of the parallel loop owns one row."""
    T = x.dtype.type
    for i in prange(rows):
        at, label, scale = i * n, np.empty(n, np.int32), g[i] / T(n)
        count = mark(target, at, n, label)
        for j in range(at, at + n):
            out[j] = T(0)
        for k in range(count):
            own = at + target[at + k]
            gap, total = T(1) - x[own], T(0)
            for j in range(n):
                v = scale if gap + x[at + j] > T(0) and label[j] == 0 else T(0)
                out[at + j] += v
                total += v
            out[own] -= total


@contiguous
def multilabel_margin_op(input, target, out):
    """One pass for each label, after a check of the targets."""
    rows, n = input.shape
    check = _checked(target, -1, n, "argument #2 'target' is out of range")
    run = multilabel_margins.compile(input, target, out, rows, n, work=4 * input.numel)

    def checked(x, t, y):
        check(t)
        run(x, t, y, rows, n)

    return checked


@contiguous
def multilabel_margin_backward_op(grad, input, target, out):
    """One pass for each label."""
    rows, n = input.shape
    specs = grad, input, target, out
    run = multilabel_margins_backward.compile(*specs, rows, n, work=4 * input.numel)
    return lambda g, x, t, y: run(g, x, t, y, rows, n)
