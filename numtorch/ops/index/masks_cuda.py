"""CUDA kernels of masks: how many elements are true, and where.

An element's place in the result is the number of true ones before it. So each block counts a chunk,
one block adds the counts up (`starts`), and in a third pass each block places its chunk's elements.
"""

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.blocks import block_scan, block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.registry import contiguous
from ...core.dtype import int64
from ..reduce import table
from ..reduce.cuda_loops import reduce_loop

__all__ = ["count_true_op", "masked_scatter_op", "nonzero_op", "true_positions_op"]
CHUNK = 16 * THREADS  # elements that a block counts


@kernel
def count_chunks(x, counts, chunks, n, whole):
    """counts[c] = the sum (`whole`), or the number of elements that are not 0, of chunk c."""
    parts = cuda.shared.array(THREADS, "int64")
    zero = x.dtype.type(0)
    for c in range(cuda.blockIdx.x, chunks, cuda.gridDim.x):
        count = np.int64(0)
        for i in range(c * CHUNK + cuda.threadIdx.x, min(n, (c + 1) * CHUNK), THREADS):
            count += np.int64(x[i]) if whole else np.int64(x[i] != zero)
        count = block_sum(parts, count)
        if cuda.threadIdx.x == 0:
            counts[c] = count


@kernel
def starts(counts, chunks):
    """counts[c] = the sum of the counts before c. One block does it all."""
    parts = cuda.shared.array(THREADS, "int64")
    base = np.int64(0)
    for first in range(0, chunks, THREADS):
        c = first + cuda.threadIdx.x
        before, total = block_scan(parts, counts[c] if c < chunks else np.int64(0))
        if c < chunks:
            counts[c] = base + before
        base += total


@kernel
def positions(x, counts, out, at, chunks, n):
    """out[at:] = the positions of elements that are not 0, in order. A block owns a chunk."""
    parts = cuda.shared.array(THREADS, "int64")
    zero = x.dtype.type(0)
    for c in range(cuda.blockIdx.x, chunks, cuda.gridDim.x):
        base = at + counts[c]
        for first in range(c * CHUNK, min(n, (c + 1) * CHUNK), THREADS):
            i = first + cuda.threadIdx.x
            found = i < n and x[i] != zero
            before, total = block_scan(parts, np.int64(found))
            if found:
                out[base + before] = i
            base += total


@kernel
def masked_copy(x, mask, src, out, counts, chunks, n):
    """out[i] = the next element of src where mask[i], else x[i]. A block owns a chunk."""
    parts = cuda.shared.array(THREADS, "int64")
    zero = mask.dtype.type(0)
    for c in range(cuda.blockIdx.x, chunks, cuda.gridDim.x):
        base = counts[c]
        for first in range(c * CHUNK, min(n, (c + 1) * CHUNK), THREADS):
            i = first + cuda.threadIdx.x
            found = i < n and mask[i] != zero
            before, total = block_scan(parts, np.int64(found))
            if found:
                out[i] = src[base + before]
            elif i < n:
                out[i] = x[i]
            base += total


@kernel
def split_positions(out, sizes, ndim, count):
    """Positions in the last row of `out` become one coordinate in each row."""
    for j in range(cuda.grid(1), count, cuda.gridsize(1)):
        rest = out[(ndim - 1) * count + j]
        for e in range(ndim - 1):
            d = ndim - 1 - e
            out[d * count + j] = rest % sizes[d]
            rest //= sizes[d]
        out[j] = rest


def chunk_starts(spec, whole: bool = False):
    """A function of an array: where each chunk's elements begin in the result; its arguments."""
    n = spec.numel
    chunks = -(-n // CHUNK)
    counts = spec.like((chunks,), int64)
    make = memory.allocator(counts)
    count = count_chunks.compile(spec, counts, chunks, n, whole)[grid(chunks, 1)[0], THREADS]
    add_up = starts.compile(counts, chunks)[1, THREADS]

    def find(x):
        found = make()
        count(x, found, chunks, n, whole)
        add_up(found, chunks)
        return found

    return find, counts, chunks, (grid(chunks, 1)[0], THREADS)


@contiguous
def count_true_op(input, out):
    """A reduction."""
    return reduce_loop(table.COUNT, input, out, tuple(range(input.ndim)))


def _positions(input, out, at):
    """A function (x, y) that writes positions to `out`, from `at` on."""
    n = input.numel
    if not n or not out.numel:
        return lambda x, y: None
    find, counts, chunks, config = chunk_starts(input)
    launch = positions.compile(input, counts, out, at, chunks, n)[config]
    return lambda x, y: launch(x, find(x), y, at, chunks, n)


@contiguous
def true_positions_op(input, out, *, count):
    """Positions in row-major order."""
    return _positions(input, out, 0)


@contiguous
def nonzero_op(input, out, *, count):
    """Flat positions first, then coordinates."""
    ndim = input.ndim
    if not ndim or not count:
        return lambda x, y: None
    find = _positions(input, out, (ndim - 1) * count)
    if ndim == 1:
        return find
    sizes = memory.from_host(np.array(input.shape, np.int64), out.device.index)
    divide = split_positions.compile(out, sizes, ndim, count)[grid(count)]

    def run(x, y):
        find(x, y)
        divide(y, sizes, ndim, count)

    return run


@contiguous
def masked_scatter_op(input, mask, source, out):
    """Elements of the source in order."""
    n = input.numel
    if not n:
        return lambda x, m, s, y: None
    find, counts, chunks, config = chunk_starts(mask)
    launch = masked_copy.compile(input, mask, source, out, counts, chunks, n)[config]
    return lambda x, m, s, y: launch(x, m, s, y, find(m), chunks, n)
