"""CPU kernels of masks: how many elements are true, and where."""

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.registry import contiguous

__all__ = ["count_true_op", "masked_scatter_op", "nonzero_op", "true_positions_op"]
BLOCK = 4096


@kernel
def count_blocks(x, counts, blocks, block, n):
    """counts[b] = how many elements of block b are not 0. One iteration of the parallel loop owns
    one block.
    """
    zero = x.dtype.type(0)
    for b in prange(blocks):
        count = 0
        for i in range(b * block, min(n, (b + 1) * block)):
            count += x[i] != zero
        counts[b] = count


@kernel
def positions(x, out, n):
    """out = the positions of elements that are not 0, in order."""
    zero = x.dtype.type(0)
    k = 0
    for i in range(n):
        if x[i] != zero:
            out[k] = i
            k += 1


@kernel
def coordinates(x, out, sizes, place, ndim, rows, width, count):
    """out[:, k] = the coordinates of the k-th element that is not 0; `place` is memory for those of
    one row.
    """
    zero = x.dtype.type(0)
    k = 0
    for r in range(rows):
        rest = r
        for e in range(ndim - 1):
            d = ndim - 2 - e
            place[d] = rest % sizes[d]
            rest //= sizes[d]
        for j in range(width):
            if x[r * width + j] != zero:
                for d in range(ndim - 1):
                    out[d * count + k] = place[d]
                out[(ndim - 1) * count + k] = j
                k += 1


@kernel
def masked_copy(x, mask, src, out, n):
    """out[i] = the next element of src where mask[i], else x[i]."""
    k = 0
    for i in range(n):
        if mask[i]:
            out[i] = src[k]
            k += 1
        else:
            out[i] = x[i]


@contiguous
def count_true_op(input, out):
    """Blocks are counted in parallel."""
    n = input.numel
    blocks = -(-n // BLOCK)
    run = count_blocks.compile(input, out, 1, 1, 1, work=n)
    if blocks == 1:
        return bind(run, 2, 1, BLOCK, n)

    def count(x, y):
        counts = np.empty(blocks, np.int64)
        run(x, counts, blocks, BLOCK, n)
        y[...] = counts.sum()

    return count


@contiguous
def true_positions_op(input, out, *, count):
    """Serial: a position's place depends on all before it."""
    return bind(positions.compile(input, out, 1), 2, input.numel)


@contiguous
def nonzero_op(input, out, *, count):
    """Serial, row by row: only a row's coordinates need divisions."""
    ndim = input.ndim
    if not ndim or not count:
        return lambda x, y: None
    if ndim == 1:
        return true_positions_op(input, out, count=count)
    sizes, width = np.array(input.shape, np.int64), input.shape[-1]
    rows = input.numel // width
    run = coordinates.compile(input, out, sizes, sizes, 1, 1, 1, 1)
    return lambda x, y: run(x, y, sizes, np.empty(ndim, np.int64), ndim, rows, width, count)


@contiguous
def masked_scatter_op(input, mask, source, out):
    """Serial, as `true_positions_op`."""
    run, n = masked_copy.compile(input, mask, source, out, 1), input.numel
    return lambda x, m, s, y: run(x, m, s, y, n)
