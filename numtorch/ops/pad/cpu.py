"""CPU kernels of padding: rows of the last dimension, whose middle is copied as it is."""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ...backends.cpu.moves import move_run
from ...backends.registry import contiguous
from .maps import forward_table, merged, middle, source, volume


@kernel
def pad_rows(x, out, table, nd, rows, maps, width, low, high, before, value):
    """out = x with margins. One iteration of the parallel loop owns one row.

    `table` has (size, step in x, where its map begins) for each of the `nd` dimensions but the
    last; `maps` all maps, that of the last dimension first. Positions from `low` to `high` are
    copies.
    """
    T = out.dtype.type
    fill = T(value)
    for piece in prange(rows):
        row = np.int64(piece)
        base, rest, inside = 0, row, True
        for e in range(nd):
            d = 3 * (nd - 1 - e)
            above = 0
            if d > 0:  # the outermost dimension needs no division
                above = rest // table[d]
            from_ = maps[table[d + 2] + rest - above * table[d]]
            rest = above
            base += from_ * table[d + 1]
            if from_ < 0:
                inside = False
        to = row * width
        if not inside:
            for i in range(width):
                out[to + i] = fill
            continue
        for i in range(low):
            out[to + i] = x[base + maps[i]] if maps[i] >= 0 else fill
        move_run(x, base - before + low, out, to + low, high - low)
        for i in range(high, width):
            out[to + i] = x[base + maps[i]] if maps[i] >= 0 else fill


@kernel
def fold_planes(g, out, maps, planes, d, h, w, od, oh, ow, low, high, before):
    """out = the sum of all g that come from the same element.

    One iteration of the parallel loop owns one plane. `maps`: those of d, h and w.
    """
    zero = out.dtype.type(0)
    for piece in prange(planes):
        plane = np.int64(piece)
        to = plane * d * h * w
        for i in range(d * h * w):
            out[to + i] = zero
        for i in range(od):
            for j in range(oh):
                at = ((plane * od + i) * oh + j) * ow
                row = to + (maps[i] * h + maps[od + j]) * w
                shift = row - before
                for k in range(low):
                    out[row + maps[od + oh + k]] += g[at + k]
                for k in range(low, high):
                    out[shift + k] += g[at + k]
                for k in range(high, ow):
                    out[row + maps[od + oh + k]] += g[at + k]


@contiguous
def pad_op(input, out, *, widths, mode, value):
    """out = the input with margins."""
    shape, widths = merged(input.shape, widths)
    sizes = [n + a + b for n, (a, b) in zip(shape, widths, strict=True)]
    order = (len(shape) - 1, *range(len(shape) - 1))  # the last dimension first
    maps, begins = forward_table([shape[d] for d in order], [widths[d] for d in order], mode)
    steps = [math.prod(shape[d + 1 :]) for d in range(len(shape) - 1)]
    table = np.array([*zip(sizes, steps, begins[1:], strict=False)] or [(0, 0, 0)], np.int64)
    width = out.shape[-1]
    rows = out.numel // width if width else 0
    low, high = middle(shape[-1], widths[-1])
    fill = value if out.dtype.is_floating_point else int(value)
    numbers = (width, low, high, widths[-1][0], fill)
    table = table.ravel()
    facts = table, len(steps), rows, maps, *numbers
    return bind(pad_rows.compile(input, out, *facts, work=out.numel // 2), 2, *facts)


@contiguous
def pad_fold_op(grad, out, *, size, widths, mode):
    """out = the sum of all elements that come from the same one."""
    (planes, *inner), padding = volume(size, widths)
    maps = [source(n, p, mode) for n, p in zip(inner, padding, strict=True)]
    table = np.concatenate(maps).astype(np.int64)
    numbers = (
        planes, *inner, *map(len, maps), *middle(inner[-1], padding[-1]), padding[-1][0]
    )  # fmt: skip
    return bind(
        fold_planes.compile(grad, out, table, *numbers, work=grad.numel), 2, table, *numbers
    )
