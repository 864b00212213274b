"""CUDA kernels of padding: a thread owns an element of the result, in both directions."""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.jit import cuda, grid, kernel
from ...backends.registry import contiguous
from .maps import forward_table, inverse, source, volume


@kernel
def pad_elements(x, out, table, maps, ndim, count, value):
    """out = x with margins. `table` has (size, step in x, where its map begins) of each dimension.

    A thread owns every grid-size-th element of out.
    """
    fill = out.dtype.type(value)
    for item in range(cuda.grid(1), count, cuda.gridsize(1)):
        base, rest, inside = 0, item, True
        for e in range(ndim):
            d = 3 * (ndim - 1 - e)
            from_ = maps[table[d + 2] + rest % table[d]]
            rest //= table[d]
            base += from_ * table[d + 1]
            if from_ < 0:
                inside = False
        out[item] = x[base] if inside else fill


@kernel
def fold_elements(g, out, begins, origins, count, d, h, w, od, oh, ow):
    """out = the sum of all g that come from the same element.

    `begins` says for each index of d, h and w where in `origins` its positions begin. A thread owns
    every grid-size-th element of out.
    """
    for item in range(cuda.grid(1), count, cuda.gridsize(1)):
        k = item % w
        rest = item // w
        j = rest % h
        rest //= h
        i = rest % d
        plane = rest // d
        total = out.dtype.type(0)
        for a in range(begins[i], begins[i + 1]):
            for b in range(begins[d + 1 + j], begins[d + 2 + j]):
                row = ((plane * od + origins[a]) * oh + origins[b]) * ow
                for c in range(begins[d + h + 2 + k], begins[d + h + 3 + k]):
                    total += g[row + origins[c]]
        out[item] = total


@contiguous
def pad_op(input, out, *, widths, mode, value):
    """out = the input with margins."""
    shape, index = input.shape, out.device.index
    maps, begins = forward_table(shape, widths, mode)
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape))]
    table = np.array([*zip(out.shape, steps, begins, strict=True)], np.int64).ravel()
    maps = memory.from_host(maps if maps.size else np.zeros(1, np.int64), index)
    table = memory.from_host(table, index)
    fill = value if out.dtype.is_floating_point else int(value)
    numbers = (len(shape), out.numel, fill)
    launch = pad_elements.compile(input, out, table, maps, *numbers)[grid(out.numel)]
    return lambda x, y: launch(x, y, table, maps, *numbers)


@contiguous
def pad_fold_op(grad, out, *, size, widths, mode):
    """out = the sum of all elements that come from the same one."""
    (_, *inner), padding = volume(size, widths)
    maps = [source(n, p, mode) for n, p in zip(inner, padding, strict=True)]
    begins, origins, at = [], [], 0
    for map_, n in zip(maps, inner, strict=True):
        begin, order = inverse(map_, n)
        begins.append(begin + at)
        origins.append(order)
        at += len(order)
    index = out.device.index
    begins_ = memory.from_host(np.concatenate(begins).astype(np.int64), index)
    origins_ = memory.from_host(np.concatenate(origins).astype(np.int64), index)
    numbers = (out.numel, *inner, *map(len, maps))
    launch = fold_elements.compile(grad, out, begins_, origins_, *numbers)[grid(out.numel)]
    return lambda g, y: launch(g, y, begins_, origins_, *numbers)
