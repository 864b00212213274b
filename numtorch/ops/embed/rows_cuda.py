"""CUDA kernels of embedding and one_hot.

Gradients of a row are added in the order of its look-ups: `link` finds for each look-up the next
one of the same row, and the threads of a row's first look-up follow the links. That takes up to
n^2 / 2 comparisons; beyond ORDERED look-ups sums are atomic (in any order).

An index outside of the table springs the trap (backends/cuda/traps.py); nothing is read or written
there.
"""

import math

import numpy as np

from ...backends.cuda import memory, traps
from ...backends.cuda.blocks import block_max, block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.cuda.scalar import maximum
from ...backends.cuda.traps import spring
from ...backends.registry import contiguous
from ...core.dtype import int32

__all__ = ["embedding_backward_op", "embedding_op", "embedding_renorm_op", "one_hot_op"]
ORDERED = 16384  # look-ups up to which gradients are added in order
OUTSIDE = traps.slot(lambda value: IndexError("index out of range in self"))
NEGATIVE = traps.slot(lambda value: RuntimeError("Class values must be non-negative."))
TOO_LARGE = traps.slot(lambda value: RuntimeError("Class values must be smaller than num_classes."))


@kernel
def clear(out, n):
    """out = 0. A thread owns every grid-size-th element."""
    zero = out.dtype.type(0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = zero


@kernel
def count_rows(indices, counts, n, rows, trap, slot):
    """counts[r] += how often row r is looked up. A thread owns every grid-size-th index."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        row = indices[i]
        if row < 0 or row >= rows:
            spring(trap, slot, row)
        else:
            cuda.atomic.add(counts, row, np.int32(1))


def counter(indices, rows: int):
    """A function from indices to how often each row is looked up."""
    n, device = indices.numel, indices.device.index
    counts, trap = indices.like((rows,), int32), traps.trap(device)
    make = memory.allocator(counts)
    empty = clear.compile(counts, rows)[grid(rows)]
    add = count_rows.compile(indices, counts, n, rows, trap, OUTSIDE)[grid(n)]

    def count(x):
        found = make()
        empty(found, rows)
        add(x, found, n, rows, trap, OUTSIDE)
        traps.arm(device)
        return found

    return count


# -- look up -----------------------------------------------------------------------------------
@kernel
def gather_rows(weight, indices, out, numel, d, rows, trap, slot):
    """out[i] = weight[indices[i]]. A thread owns every grid-size-th element of out."""
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        row = indices[item // d]
        if row < 0 or row >= rows:
            spring(trap, slot, row)
            out[item] = out.dtype.type(0)
        else:
            out[item] = weight[row * d + item % d]


@kernel
def gather_scaled(weight, indices, counts, out, numel, d, rows, padding, trap, slot):
    """The same, divided by the row's count (if any), and 0 for the padding."""
    T = out.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        row = indices[item // d]
        if row < 0 or row >= rows:
            spring(trap, slot, row)
            out[item] = T(0)
        elif row == padding:
            out[item] = T(0)
        else:
            value = weight[row * d + item % d]
            out[item] = value if counts is None else value / T(counts[row])


@contiguous
def embedding_op(weight, indices, out, *, padding_idx, by_freq, scaled):
    """Each element of the rows, and the counts first where they matter."""
    rows, d = weight.shape
    device, n = out.device.index, out.numel
    trap = traps.trap(device)
    if not scaled:
        numbers = n, d, rows, trap, OUTSIDE
        copy = gather_rows.compile(weight, indices, out, *numbers)[grid(n)]

        def run(w, x, y):
            copy(w, x, y, *numbers)
            traps.arm(device)

        return run
    numbers = n, d, rows, padding_idx, trap, OUTSIDE
    counts, count = counts_of(indices, rows, by_freq)
    scale = gather_scaled.compile(weight, indices, counts, out, *numbers)[grid(n)]

    def run_scaled(w, x, y):
        scale(w, x, count(x), y, *numbers)
        traps.arm(device)

    return run_scaled


def counts_of(indices, rows, by_freq):
    """(Spec of the counts, function from indices to counts): of None, if not `by_freq`."""
    if not by_freq:
        return None, lambda x: None
    return indices.like((rows,), int32), counter(indices, rows)


# -- gradients ---------------------------------------------------------------------------------
@kernel
def link(indices, following, later, n, rows, padding, trap, slot):
    """following[i] = the next look-up of the same row, or n; later[that] = 1 (0 at the start).

    Look-ups of no row, or of the padding, are later ones: nobody takes them. A thread owns every
    grid-size-th look-up.
    """
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        row = indices[i]
        if row < 0 or row >= rows:
            spring(trap, slot, row)
            later[i] = np.int32(1)
        elif row == padding:
            later[i] = np.int32(1)
        else:
            j = i + 1
            while j < n and indices[j] != row:
                j += 1
            following[i] = np.int32(j)
            if j < n:
                later[j] = np.int32(1)


@kernel
def add_in_order(grad, indices, following, later, counts, out, n, d):
    """out[r] = the sum of the gradients of row r, in order. Threads own a row's first look-up."""
    T = out.dtype.type
    for item in range(cuda.grid(1), n * d, cuda.gridsize(1)):
        i = item // d
        if later[i] == 0:
            j = item - i * d
            row = indices[i]
            factor = T(1) if counts is None else T(1) / T(counts[row])
            total = T(0)
            while i < n:
                total += grad[i * d + j] * factor
                i = np.int64(following[i])
            out[row * d + j] = total


@kernel
def add_at_once(grad, indices, counts, out, n, d, rows, padding, trap, slot):
    """out[indices[i]] += grad[i], atomically. A thread owns every grid-size-th gradient."""
    T = out.dtype.type
    for item in range(cuda.grid(1), n * d, cuda.gridsize(1)):
        i = item // d
        row = indices[i]
        if row < 0 or row >= rows:
            spring(trap, slot, row)
        elif row != padding:
            factor = T(1) if counts is None else T(1) / T(counts[row])
            cuda.atomic.add(out, row * d + item - i * d, grad[item] * factor)


@contiguous
def embedding_backward_op(grad, indices, out, *, rows, padding_idx, by_freq):
    """Zeros, then sums over the look-ups of each row."""
    n, d, device = indices.numel, grad.shape[-1], out.device.index
    trap = traps.trap(device)
    counts, count = counts_of(indices, rows, by_freq)
    zero = clear.compile(out, out.numel)[grid(out.numel)]
    numbers = n, rows, padding_idx, trap, OUTSIDE
    if n > ORDERED:
        sizes = n, d, *numbers[1:]
        add = add_at_once.compile(grad, indices, counts, out, *sizes)[grid(n * d)]

        def run(g, x, y):
            zero(y, out.numel)
            add(g, x, count(x), y, *sizes)
            traps.arm(device)

        return run
    links = indices.like((n,), int32)
    make = memory.allocator(links)
    empty = clear.compile(links, n)[grid(n)]
    join = link.compile(indices, links, links, *numbers)[grid(n)]
    add = add_in_order.compile(grad, indices, links, links, counts, out, n, d)[grid(n * d)]

    def run_in_order(g, x, y):
        following, later = make(), make()
        zero(y, out.numel)
        empty(later, n)
        join(x, following, later, *numbers)
        add(g, x, following, later, count(x), y, n, d)
        traps.arm(device)

    return run_in_order


# -- renorm ------------------------------------------------------------------------------------
@kernel
def scale_down(out, counts, d, rows, max_norm, norm_type):
    """Rows of `out` that are looked up, scaled to a p-norm of at most max_norm.

    A block owns a row at a time.
    """
    T = out.dtype.type
    parts = cuda.shared.array(THREADS, out.dtype)
    p, most = T(norm_type), T(max_norm)
    for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
        if counts[row] > 0:
            norm = T(0)
            for j in range(row * d + cuda.threadIdx.x, (row + 1) * d, THREADS):
                v = abs(out[j])
                if p == T(2):
                    norm += v * v
                elif p == T(math.inf):
                    norm = maximum(norm, v)
                elif p == T(1):
                    norm += v
                elif p == T(0):
                    norm += T(1) if v != T(0) else T(0)
                else:
                    norm += v**p
            if p == T(math.inf):
                norm = block_max(parts, norm)
            else:
                norm = block_sum(parts, norm)
            if p == T(2):
                norm = math.sqrt(norm)
            elif p != T(0) and p != T(1) and p != T(math.inf):
                norm = norm ** (T(1) / p)
            if norm > most:
                factor = most / (norm + T(1e-7))
                for j in range(row * d + cuda.threadIdx.x, (row + 1) * d, THREADS):
                    out[j] *= factor


@contiguous
def embedding_renorm_op(weight, indices, out, *, max_norm, norm_type):
    """Which rows are looked up, then one pass over all rows of the table."""
    (rows, d), numel = weight.shape, weight.numel
    count = counter(indices, rows)
    numbers = d, rows, max_norm, norm_type
    counts = indices.like((rows,), int32)
    scale = scale_down.compile(out, counts, *numbers)[grid(rows, 1)[0], THREADS]

    def run(w, x, y):
        if y is not w:
            memory.copy(w, y, numel)
        scale(y, count(x), *numbers)

    return run


# -- one_hot -----------------------------------------------------------------------------------
@kernel
def mark(indices, out, numel, classes, trap, negative, too_large):
    """out[i] = 1 at indices[i], else 0. A thread owns every grid-size-th element of out."""
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        i = item // classes
        k = indices[i]
        if k < 0:
            spring(trap, negative, k)
        elif k >= classes:
            spring(trap, too_large, k)
        out[item] = np.int64(k == item - i * classes)


@contiguous
def one_hot_op(indices, out, *, num_classes):
    """Each element of the rows."""
    device = out.device.index
    numbers = out.numel, num_classes, traps.trap(device), NEGATIVE, TOO_LARGE
    launch = mark.compile(indices, out, *numbers)[grid(out.numel)]

    def run(x, y):
        launch(x, y, *numbers)
        traps.arm(device)

    return run
