"""CUDA kernels of scans, over (outer, n, inner) with the scan along n.

Sums of rows (inner == 1) get a block of threads each; in all else a thread owns a line, so that
neighbouring threads read neighbouring columns.
"""

import math

from ...backends.cuda.blocks import block_scan
from ...backends.cuda.jit import THREADS, bind, cuda, grid, kernel
from ...backends.registry import contiguous


@kernel
def sum_rows(x, out, rows, n, first, step):
    """Running sums of rows. A block owns a row at a time, THREADS elements in each round."""
    parts = cuda.shared.array(THREADS, x.dtype)
    zero = out.dtype.type(0)
    for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        base, carry = row * n + first, zero
        for begin in range(0, n, THREADS):
            i = begin + cuda.threadIdx.x
            v = x[base + i * step] if i < n else zero
            before, total = block_scan(parts, v)
            if i < n:
                out[base + i * step] = carry + before + v
            carry += total


@kernel
def scan_lines(x, out, lines, n, inner, reverse, product):
    """Running sums or products. A thread owns a line."""
    T = out.dtype.type
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        acc = T(0) if product is None else T(1)
        for i in range(n):
            at = base + (n - 1 - i if reverse else i) * inner
            acc = T(acc + x[at]) if product is None else T(acc * x[at])
            out[at] = acc


@kernel
def recur(x, weight, out, lines, n, inner, reverse):
    """out[i] = x[i] + weight[i] * out[i - 1], or its transposed map. A thread owns a line."""
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        acc = out.dtype.type(0)
        for i in range(n):
            at = base + (n - 1 - i if reverse else i) * inner
            by = at + inner if reverse else at
            acc = x[at] + weight[by] * acc if i > 0 else x[at]
            out[at] = acc


@kernel
def running_extremes(x, values, indices, lines, n, inner, largest):
    """The largest or smallest element so far. A thread owns a line."""
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        best, place = x[base], 0
        for i in range(n):
            v = x[base + i * inner]
            reached = v >= best if largest is not None else v <= best
            if reached or v != v:
                best, place = v, i
            values[base + i * inner] = best
            indices[base + i * inner] = place


@kernel
def log_sums(x, out, lines, n, inner):
    """out = the logarithm of running sums of exponentials. A thread owns a line."""
    T = out.dtype.type
    for line in range(cuda.grid(1), lines, cuda.gridsize(1)):
        base = line // inner * n * inner + line % inner
        low = T(-math.inf)
        most, total = low, T(0)
        for i in range(n):
            v = x[base + i * inner]
            if v > most:
                total = total * math.exp(most - v) + T(1)
                most = v
            elif v == most and v > low:
                total += T(1)
            elif v != low:
                total += math.exp(v - most)
            out[base + i * inner] = most + math.log(total) if total != T(0) else most


# -- launchers -------------------------------------------------------------------------------------
def _geometry(shape, dim) -> tuple[int, int, int]:
    """(lines, n, inner)"""
    shape = shape or (1,)
    inner = math.prod(shape[dim + 1 :])
    return math.prod(shape[:dim]) * inner, shape[dim], inner


@contiguous
def cumsum_op(input, out, *, dim, reverse):
    """out = running sums."""
    lines, n, inner = _geometry(input.shape, dim)
    if inner == 1:
        numbers = (lines, n, n - 1 if reverse else 0, -1 if reverse else 1)
        return bind(sum_rows.compile(input, out, *numbers)[grid(lines, 1)[0], THREADS], 2, *numbers)
    given = (lines, n, inner, int(reverse), None)
    return bind(scan_lines.compile(input, out, *given)[grid(lines)], 2, *given)


@contiguous
def cumprod_op(input, out, *, dim):
    """out = running products."""
    numbers = (*_geometry(input.shape, dim), 0, 1)
    return bind(scan_lines.compile(input, out, *numbers)[grid(numbers[0])], 2, *numbers)


@contiguous
def recurrence_op(input, weight, out, *, dim, reverse):
    """out[i] = input[i] + weight[i] * out[i - 1], or its transposed map."""
    numbers = (*_geometry(input.shape, dim), int(reverse))
    return bind(recur.compile(input, weight, out, *numbers)[grid(numbers[0])], 3, *numbers)


@contiguous
def running_extreme_op(input, values, indices, *, dim, largest):
    """values, indices = the extreme so far, and where it is."""
    if not input.numel:
        return lambda x, v, i: None
    numbers = (*_geometry(input.shape, dim), 1 if largest else None)
    run = running_extremes.compile(input, values, indices, *numbers)[grid(numbers[0])]
    return bind(run, 3, *numbers)


@contiguous
def logcumsumexp_op(input, out, *, dim):
    """out = the logarithm of running sums of exponentials."""
    numbers = _geometry(input.shape, dim)
    return bind(log_sums.compile(input, out, *numbers)[grid(numbers[0])], 2, *numbers)


# -- differences -------------------------------------------------------------------------------
@kernel
def differences(x, out, items, n, inner, transposed):
    """out[i] = x[i + 1] - x[i]; if `transposed`, x[i - 1] - x[i], with zeros around x.

    A thread owns elements of out.
    """
    zero = out.dtype.type(0)
    size = (n + 1 if transposed else n - 1) * inner
    for item in range(cuda.grid(1), items, cuda.gridsize(1)):
        j = item % size
        at = item // size * n * inner + j
        if transposed:
            before = x[at - inner] if j >= inner else zero
            out[item] = before - (x[at] if j < n * inner else zero)
        else:
            out[item] = x[at + inner] - x[at]


@contiguous
def diff_op(input, out, *, dim, transposed):
    """One pass."""
    numbers = (out.numel, *_geometry(input.shape, dim)[1:], int(transposed))
    return bind(differences.compile(input, out, *numbers)[grid(out.numel)], 2, *numbers)
