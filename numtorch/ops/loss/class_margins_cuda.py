"""CUDA kernels of margins between classes. Scores are (N, C); `weight` may be None.

A target that is no class cannot raise an error from a kernel that nobody waits for: its loss is
NaN.
"""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, inline, kernel
from ...backends.registry import contiguous

__all__ = [
    "multi_margin_backward_op",
    "multi_margin_op",
    "multilabel_margin_backward_op",
    "multilabel_margin_op",
]


# -- one label -----------------------------------------------------------------------------------
@kernel
def multi_margins(x, target, weight, out, rows, n, p, margin):
    """out = the sum over classes of max(0, margin - own + x)^p, over n. A block owns a row."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, t, total = i * n, target[i], T(0)
        known = 0 <= t < n
        gap = T(margin) - x[at + t] if known else T(math.nan)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = gap + x[at + j]
            if v > T(0) and j != t:
                total += v if p == 1 else v * v
        total = block_sum(parts, total) / T(n)
        if cuda.threadIdx.x == 0:
            if weight is not None and known:
                total *= weight[t]
            out[i] = total if known else T(math.nan)


@kernel
def multi_margins_backward(g, x, target, weight, out, rows, n, p, margin):
    """The gradient for the input. A block owns a row."""
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, t, total = i * n, target[i], T(0)
        known = 0 <= t < n
        scale = g[i] / T(n) if known else T(math.nan)
        if weight is not None and known:
            scale *= weight[t]
        gap = T(margin) - x[at + t] if known else T(math.nan)
        for j in range(cuda.threadIdx.x, n, THREADS):
            v = gap + x[at + j]
            if v > T(0) and j != t:
                v = scale if p == 1 else scale * T(2) * v
                out[at + j] = v
                total += v
            elif j != t:
                out[at + j] = T(0)
        total = block_sum(parts, total)
        if cuda.threadIdx.x == 0 and known:
            out[at + t] = -total


@contiguous
def multi_margin_op(input, target, weight, out, *, p, margin):
    """A block for each row."""
    numbers = (*input.shape, p, margin)
    launch = multi_margins.compile(input, target, weight, out, *numbers)
    launch = launch[grid(input.shape[0], 1)[0], THREADS]
    return lambda x, t, w, y: launch(x, t, w, y, *numbers)


@contiguous
def multi_margin_backward_op(grad, input, target, weight, out, *, p, margin):
    """A block for each row."""
    numbers = (*input.shape, p, margin)
    launch = multi_margins_backward.compile(grad, input, target, weight, out, *numbers)
    launch = launch[grid(input.shape[0], 1)[0], THREADS]
    return lambda g, x, t, w, y: launch(g, x, t, w, y, *numbers)


# -- several labels ------------------------------------------------------------------------------
@inline
def labels_of(target, at, n):
    """How many labels there are before the first -1."""
    count = 0
    while count < n and target[at + count] >= 0:
        count += 1
    return count


@inline
def is_label(target, at, count, j):
    """Whether j is one of them."""
    found = False
    for k in range(count):
        found |= target[at + k] == j
    return found


@kernel
def multilabel_margins(x, target, out, rows, n):
    """out = the sum over labels and other classes of max(0, 1 - x[label] + x[other]), over n.

    A block owns a row.
    """
    T = x.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, total = i * n, T(0)
        count = labels_of(target, at, n)
        for j in range(cuda.threadIdx.x, n, THREADS):
            if not is_label(target, at, count, j):
                for k in range(count):
                    t = target[at + k]
                    v = T(1) - x[at + t] + x[at + j] if t < n else T(math.nan)
                    if v > T(0) or t >= n:
                        total += v
        total = block_sum(parts, total) / T(n)
        if cuda.threadIdx.x == 0:
            out[i] = total


@kernel
def multilabel_margins_backward(g, x, target, out, rows, n):
    """The gradient for the input. A block owns a row, a thread elements of it."""
    T = x.dtype.type
    for i in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        at, scale = i * n, g[i] / T(n)
        count = labels_of(target, at, n)
        for j in range(cuda.threadIdx.x, n, THREADS):
            total = T(0)
            if not is_label(target, at, count, j):
                for k in range(count):
                    t = target[at + k]
                    if t < n and T(1) - x[at + t] + x[at + j] > T(0):
                        total += scale
            else:
                times = 0
                for k in range(count):
                    times += 1 if target[at + k] == j else 0
                for k in range(n):
                    gap = T(1) - x[at + j] + x[at + k]
                    if gap > T(0) and not is_label(target, at, count, k):
                        total -= scale * T(times)
            out[at + j] = total


@contiguous
def multilabel_margin_op(input, target, out):
    """A block for each row."""
    rows, n = input.shape
    launch = multilabel_margins.compile(input, target, out, rows, n)[grid(rows, 1)[0], THREADS]
    return lambda x, t, y: launch(x, t, y, rows, n)


@contiguous
def multilabel_margin_backward_op(grad, input, target, out):
    """A block for each row."""
    rows, n = input.shape
    launch = multilabel_margins_backward.compile(grad, input, target, out, rows, n)
    launch = launch[grid(rows, 1)[0], THREADS]
    return lambda g, x, t, y: launch(g, x, t, y, rows, n)
