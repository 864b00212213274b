"""CPU kernels of look-up tables. Indices are checked before anything is written."""

import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, kernel, prange
from ...backends.cpu.moves import bits_of, move_run
from ...backends.registry import contiguous
from .bags_cpu import *  # noqa: F403


@kernel
def find_outside(indices, found, n, rows):
    """found[0] = 0 if every index is in [0, rows), 1 if one is below, 2 if one is above."""
    low, high = np.int64(0), np.int64(-1)
    for i in range(n):
        v = np.int64(indices[i])
        low = min(low, v)
        high = max(high, v)
    found[0] = 1 if low < 0 else 2 if high >= rows else 0


def checker(indices, rows: int):
    """A function that raises IndexError for indices outside of [0, rows)."""
    n = indices.numel
    find = find_outside.compile(indices, np.empty(1, np.int64), n, rows)

    def check(x):
        found = np.empty(1, np.int64)
        find(x, found, n, rows)
        if found[0]:
            raise IndexError("index out of range in self")

    return check


@kernel
def gather_rows(weight, indices, out, n, d):
    """out[i] = weight[indices[i]]. One iteration of the parallel loop owns one index."""
    for item in prange(n):
        i = np.int64(item)
        move_run(weight, indices[i] * d, out, i * d, d)


@kernel
def gather_scaled(weight, indices, out, n, d, rows, padding, by_freq):
    """out[i] = weight[indices[i]] / count, and 0 for the padding. One iteration owns one index."""
    T = out.dtype.type
    counts = np.zeros(rows if by_freq else 0, np.int64)
    if by_freq:
        for i in range(n):
            counts[indices[i]] += 1
    for i in prange(n):
        row = indices[i]
        factor = T(1)
        if by_freq:
            factor = T(T(1) / T(counts[row]))
        if row == padding:
            factor = T(0)
        for j in range(d):
            out[i * d + j] = weight[row * d + j] * factor


@contiguous
def embedding_op(weight, indices, out, *, padding_idx, by_freq, scaled):
    """A check of the indices, then copies of rows."""
    n, (rows, d) = indices.numel, weight.shape
    check = checker(indices, rows)
    if scaled:
        facts = n, d, rows, padding_idx, int(by_freq)
        gather = gather_scaled.compile(weight, indices, out, *facts, work=out.numel)
    else:
        facts, bits = (n, d), bits_of(out.dtype.np)
        gather = gather_rows.compile(bits, indices, bits, *facts, work=out.numel)

    def run(w, x, y):
        check(x)
        gather(w, x, y, *facts)

    return run


@kernel
def add_rows(grad, indices, out, n, d, rows, padding, by_freq, workers):
    """out[indices[i]] += grad[i] in the order of i.

    One iteration of the parallel loop owns a range of rows.
    """
    T = out.dtype.type
    for worker in prange(workers):
        low, high = rows * worker // workers, rows * (worker + 1) // workers
        counts = np.zeros(high - low if by_freq else 0, np.int64)
        for j in range(low * d, high * d):
            out[j] = T(0)
        if by_freq:
            for i in range(n):
                if low <= indices[i] < high:
                    counts[indices[i] - low] += 1
        for i in range(n):
            row = indices[i]
            if row < low or row >= high or row == padding:
                continue
            at = row * d
            if by_freq:
                factor = T(T(1) / T(counts[row - low]))
                for j in range(d):
                    out[at + j] += grad[i * d + j] * factor
            else:
                for j in range(d):
                    out[at + j] += grad[i * d + j]


@contiguous
def embedding_backward_op(grad, indices, out, *, rows, padding_idx, by_freq):
    """Each worker reads all indices and adds to its own rows, so the order of additions is always
    the same.
    """
    n, d = indices.numel, grad.shape[-1]
    work = grad.numel + out.numel
    workers = min(threads.get_num_threads(), max(rows, 1)) if work >= PARALLEL_WORK else 1
    facts = n, d, rows, padding_idx, int(by_freq), workers
    run = add_rows.compile(grad, indices, out, *facts, work=work)
    return lambda g, x, y: run(g, x, y, *facts)


@kernel
def scale_down(out, indices, n, d, rows, max_norm, p):
    """Rows of `out` that are looked up, each once, scaled to a p-norm of at most max_norm."""
    done = np.zeros(rows, np.bool_)
    for i in range(n):
        row = indices[i]
        if done[row]:
            continue
        done[row] = True
        at = row * d
        norm = 0.0
        for j in range(at, at + d):
            v = abs(float(out[j]))
            if p == 2.0:
                norm += v * v
            elif p == math.inf:
                norm = v if v > norm or v != v else norm
            elif p == 1.0:
                norm += v
            elif p == 0.0:
                norm += 1.0 if v != 0.0 else 0.0
            else:
                norm += v**p
        if p == 2.0:
            norm = math.sqrt(norm)
        elif p not in (0.0, 1.0, math.inf):
            norm = norm ** (1.0 / p)
        if norm > max_norm:
            factor = out.dtype.type(max_norm / (norm + 1e-7))
            for j in range(at, at + d):
                out[j] *= factor


@contiguous
def embedding_renorm_op(weight, indices, out, *, max_norm, norm_type):
    """Serial: a row may be looked up several times, but is scaled once."""
    n, (rows, d) = indices.numel, weight.shape
    check = checker(indices, rows)
    facts = n, d, rows, max_norm, norm_type
    scale = scale_down.compile(out, indices, *facts)

    def run(w, x, y):
        check(x)
        if y is not w:
            np.copyto(y, w)
        scale(y, x, *facts)

    return run


@kernel
def mark(indices, out, n, classes):
    """out[i] = 1 at indices[i], else 0. One iteration of the parallel loop owns one index."""
    for i in prange(n):
        for j in range(classes):
            out[i * classes + j] = 0
        out[i * classes + indices[i]] = 1


@contiguous
def one_hot_op(indices, out, *, num_classes):
    """A check of the indices, then rows of zeros with a one."""
    n = indices.numel
    facts = n, num_classes
    find = find_outside.compile(indices, np.empty(1, np.int64), *facts)
    fill = mark.compile(indices, out, *facts, work=out.numel)

    def run(x, y):
        found = np.empty(1, np.int64)
        find(x, found, *facts)
        if found[0] == 1:
            raise RuntimeError("Class values must be non-negative.")
        if found[0]:
            raise RuntimeError("Class values must be smaller than num_classes.")
        fill(x, y, *facts)

    return run
