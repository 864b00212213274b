"""CUDA kernels that put elements into another order: flip, roll, triangles, diagonals, repeats."""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.blocks import block_scan
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.registry import contiguous
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name
from .arrange_map import moves, repeated
from .masks_cuda import CHUNK, chunk_starts

__all__ = [
    "diag_embed_op", "flip_op", "repeat_each_op", "repeat_index_op", "roll_op", "triangle_op",
]  # fmt: skip


@kernel
def move(x, out, table, sizes, starts, dims, n, run, step):
    """out[r, i] = x[sum of the dimensions' table entries, i].

    `table` holds, for each index of each dimension, the place that it is read from. A thread owns
    every grid-size-th element.
    """
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        rest = item // run
        a = item % run * step
        for e in range(dims):
            d = dims - 1 - e
            a += table[starts[d] + rest % sizes[d]]
            rest //= sizes[d]
        out[item] = x[a]


@kernel
def triangle(x, out, table, ndim, n, height, width, down, right, diagonal, upper):
    """out = x on one side of a diagonal, else 0. A thread owns every grid-size-th element."""
    zero = out.dtype.type(0)
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        j = item % width
        rest = item // width
        i = rest % height
        rest //= height
        a = i * down + j * right
        for e in range(ndim):
            d = (ndim - 1 - e) * 2
            a += rest % table[d] * table[d + 1]
            rest //= table[d]
        kept = j - i >= diagonal if upper else j - i <= diagonal
        out[item] = x[a] if kept else zero


@kernel
def write_diagonal(x, out, table, ndim, n, length, xs, first, step):
    """out = x on a diagonal of each matrix. A thread owns every grid-size-th element of x."""
    for item in range(cuda.grid(1), n, cuda.gridsize(1)):
        j = item % length
        rest = item // length
        a = j * xs
        b = first + j * step
        for e in range(ndim):
            d = (ndim - 1 - e) * 3
            k = rest % table[d]
            rest //= table[d]
            a += k * table[d + 1]
            b += k * table[d + 2]
        out[b] = x[a]


@kernel
def repeat_indices(repeats, counts, out, chunks, n):
    """out = each index i repeats[i] times. A block owns a chunk of the indices."""
    parts = cuda.shared.array(THREADS, "int64")
    for c in range(cuda.blockIdx.x, chunks, cuda.gridDim.x):
        base = counts[c]
        for first in range(c * CHUNK, min(n, (c + 1) * CHUNK), THREADS):
            i = first + cuda.threadIdx.x
            times = np.int64(repeats[i]) if i < n else np.int64(0)
            before, total = block_scan(parts, times)
            for k in range(times):
                out[base + before + k] = i
            base += total


def _move(input, out, maps):
    if not out.numel:
        return lambda x, y: None
    *tables, dims, run, step = moves(input, maps)
    tables = [memory.from_host(t, out.device.index) for t in tables]
    numbers = dims, out.numel, run, step
    launch = move.compile(input, out, *tables, *numbers)[grid(out.numel)]
    return lambda x, y: launch(x, y, *tables, *numbers)


def flip_op(input, out, *, dims):
    """Dimensions read backwards."""
    return _move(input, out, {d: np.arange(input.shape[d])[::-1] for d in dims})


def roll_op(input, out, *, shifts, dims):
    """Dimensions read from another start on."""
    pairs = zip(dims, shifts, strict=True)
    maps = {d: (np.arange(input.shape[d]) - s) % input.shape[d] for d, s in pairs}
    return _move(input, out, maps)


def triangle_op(input, out, *, diagonal, upper):
    """Rows of the last two dimensions; `out` may be the input where that is contiguous."""
    if not out.numel:
        return lambda x, y: None
    *batch, height, width = input.shape
    *strides, down, right = input.strides
    if not out.contiguous:
        dense, name = out.dense(), type_name(out.dtype)
        inner = triangle_op(input, dense, diagonal=diagonal, upper=upper)
        write = launch_loop("copy", ("a",), (name,), name, (dense,), (out,))
        make = memory.allocator(dense)

        def staged(x, y):
            result = make()
            inner(x, result)
            write(result, y)

        return staged
    pairs = [k for pair in zip(batch, strides, strict=True) for k in pair]
    table = memory.from_host(np.array(pairs or [0], np.int64), out.device.index)
    numbers = len(batch), out.numel, height, width, down, right, diagonal, upper
    launch = triangle.compile(input, out, table, *numbers)[grid(out.numel)]
    return lambda x, y: launch(x, y, table, *numbers)


def diag_embed_op(input, out, *, offset, dim1, dim2):
    """Zeros, then diagonals."""
    length = out.shape[dim1] - abs(offset)
    steps = [s for d, s in enumerate(out.strides) if d not in (dim1, dim2)]
    batch = list(input.shape[:-1])
    rows = [k for triple in zip(batch, input.strides[:-1], steps, strict=True) for k in triple]
    table = memory.from_host(np.array(rows or [0], np.int64), out.device.index)
    s1, s2 = out.strides[dim1], out.strides[dim2]
    first = max(offset, 0) * s2 - min(offset, 0) * s1
    n = math.prod(batch) * length
    numbers = len(batch), n, length, input.strides[-1], first, s1 + s2
    launch = write_diagonal.compile(input, out, table, *numbers)[grid(n)]
    name = type_name(out.dtype)
    number = out.of((), out.dtype, weak=True)
    clear = launch_loop("fill", ("a",), (name,), name, (number,), (out,))
    zero = 0.0 if out.dtype.is_floating_point else 0

    def run(x, y):
        clear(zero, y)
        if n:
            launch(x, y, table, *numbers)

    return run


@contiguous
def repeat_index_op(repeats, out, *, count):
    """Each index as often as `repeats` says."""
    n = repeats.numel
    if not n or not count:
        return lambda r, y: None
    find, counts, chunks, config = chunk_starts(repeats, whole=True)
    launch = repeat_indices.compile(repeats, counts, out, chunks, n)[config]
    return lambda r, y: launch(r, find(r), y, chunks, n)


def repeat_each_op(input, out, *, dim, repeats):
    """A copy of a dimension of step 0."""
    name = type_name(input.dtype)
    from_, to = repeated(input, out, dim, repeats)
    return launch_loop("copy", ("a",), (name,), name, (from_,), (to,))
