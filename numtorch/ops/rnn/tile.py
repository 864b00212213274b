"""The product inside a recurrent layer: rows of states times packed weights, in register tiles.

A panel is a part of a weight matrix in the order in which a tile reads it: for each element `k` of
a row of `a`, the weights of `vectors` vectors of results. The vectors of one panel may lie `step`
elements apart in the result, so that one tile computes the four gates of the same hidden units. One
core with AVX-512 reaches 187 of 242 GFLOP/s (hidden size 128, 32 rows); OpenBLAS, which packs the
weights at every step, 76.
"""

import functools

from ...backends.cpu.jit import exact
from ...backends.cpu.simd import (
    integer,
    lanes_of,
    load,
    loop,
    multiply_add,
    prefetch,
    registers,
    splat,
    store,
    types,
    vector_of,
    vectorized,
)

AHEAD = 8  # steps of k that weights are asked for ahead: 4 MB of them in 0.77 of the time
VECTORS = 4  # of a panel, at most: with 6 rows 24 sums in 32 registers
HEIGHTS = (6, 2, 1) if registers()[1] >= 32 else (3, 2, 1)


def plain_tile(
    rows, vectors, a, a_at, a_pitch, depth, panel, panel_at, start, start_at, start_pitch, out, at,
    pitch, step,
):  # fmt: skip
    """out[i, v * step + lane] = start[i, v * step + lane] + sum_k a[i, k] * panel[k, v, lane]."""
    lanes = lanes_of(a.dtype.itemsize)
    for i in range(rows):
        for v in range(vectors):
            for lane in range(lanes):
                total = start[start_at + i * start_pitch + v * step + lane]
                weight = panel_at + v * lanes + lane
                for k in range(depth):
                    total += a[a_at + i * a_pitch + k] * panel[weight + k * vectors * lanes]
                out[at + i * pitch + v * step + lane] = total


@functools.cache
def tile(rows: int, vectors: int):
    """The tile of `rows` rows by `vectors` vectors: see `plain_tile`. `depth` must not be 0.

    Each sum is added up in the order of k, so a row's results do not depend on the tile it is in.
    """

    @vectorized(functools.partial(plain_tile, rows, vectors))
    def rows_by_panel(
        _, a, a_at, a_pitch, depth, panel, panel_at, start, start_at, start_pitch, out, at, pitch,
        step,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (a_, a_at_, a_pitch_, depth_, panel_, panel_at_, start_, start_at_, start_pitch_, out_,
             at_, pitch_, step_) = args  # fmt: skip
            vector, size = vector_of(a)

            def places(base, first, pitch):
                lines = [b.gep(base, [b.add(first, b.mul(integer(i), pitch))]) for i in range(rows)]
                return [b.gep(x, [b.mul(integer(v), step_)]) for x in lines for v in range(vectors)]

            lines = [b.gep(a_, [b.add(a_at_, b.mul(integer(i), a_pitch_))]) for i in range(rows)]
            weights = b.gep(panel_, [panel_at_])
            begin = [load(b, p, vector, size) for p in places(start_, start_at_, start_pitch_)]
            k, sums, close = loop(b, depth_, begin)
            here = b.gep(weights, [b.mul(k, integer(vectors * vector.count))])
            row = [
                load(b, b.gep(here, [integer(v * vector.count)]), vector, size)
                for v in range(vectors)
            ]
            if rows == HEIGHTS[0]:
                length = vectors * vector.count
                for first in range(0, length, 64 // size):  # each cache line
                    prefetch(b, b.gep(here, [integer(AHEAD * length + first)]))
            new = []
            for i, line in enumerate(lines):
                x = splat(b, b.load(b.gep(line, [k])), vector)
                partial = sums[i * vectors : (i + 1) * vectors]
                new += [multiply_add(b, x, w, s) for w, s in zip(row, partial, strict=True)]
            for value, place in zip(close(new), places(out_, at_, pitch_), strict=True):
                store(b, value, place, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = (a, i, i, i, panel, i, start, i, i, out, i, i, i)
        return types.void(*kinds), codegen

    return rows_by_panel


@functools.cache
def product(vectors: int):
    """A function for kernels: any number of rows by one panel of `vectors` vectors."""
    tall, low, single = (tile(rows, vectors) for rows in HEIGHTS)
    height, low_height = HEIGHTS[:2]

    @exact
    def rows_by_panel(
        rows, a, a_at, a_pitch, depth, panel, panel_at, start, start_at, start_pitch, out, at,
        pitch, step,
    ):  # fmt: skip
        """`plain_tile`, tile by tile."""
        i = 0
        while i < rows:
            x, first, to = a_at + i * a_pitch, start_at + i * start_pitch, at + i * pitch
            if rows - i >= height:
                tall(
                    a, x, a_pitch, depth, panel, panel_at, start, first, start_pitch, out, to,
                    pitch, step,
                )  # fmt: skip
                i += height
            elif rows - i >= low_height:
                low(
                    a, x, a_pitch, depth, panel, panel_at, start, first, start_pitch, out, to,
                    pitch, step,
                )  # fmt: skip
                i += low_height
            else:
                single(
                    a, x, a_pitch, depth, panel, panel_at, start, first, start_pitch, out, to,
                    pitch, step,
                )  # fmt: skip
                i += 1

    return rows_by_panel
