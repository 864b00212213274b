"""Depthwise convolution of images with channels last: channels in the lanes of vectors.

A tile is some neighbouring pixels of an output row by one vector of channels. Tables say which taps
a row and a column have, so that sizes, padding and dilation are no part of the code, and nothing
outside of the image is read. The last vector of channels overlaps the one before it.

Where the taps of a row lie side by side, a line tile loads each input pixel once for all the taps
that read it: 13 loads for 24 multiply-adds of 8 pixels by 3 taps. Other taps go one by one.
"""

import functools
import itertools
import math

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.simd import (
    as_mask,
    integer,
    lanes_of,
    load,
    load_where,
    loop,
    multiply_add,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)
from .depthwise import flat_table
from .planes import scratch, three
from .tile import turn

LINE_TAPS = 7  # of a line tile at most: their weights are in registers
BLOCK_ROWS = 2  # of the output are one task: its input stays in the L1 cache
ONE, FOUR, EIGHT, EDGE_FOUR, EDGE_EIGHT, INNER = range(6)  # kinds of tiles: pixels, and where
turned = turn(True)


def plain_pixel_tile(
    pixels, masked, x, at, move, weight, start, out, to, step, row_taps, r0, rows, columns, first,
    count, used,
):  # fmt: skip
    """out[to + q * step] = weight[start] + sum over taps of weight[...] * x[... + q * move], for
    `pixels` pixels q, and all lanes of a vector (the first `used` ones, if `masked`).

    A tap of a table is an offset in the image, and one in the weights from `start` on; a tap of a
    row and one of a column are added.
    """
    for q, lane in itertools.product(range(pixels), range(used)):
        total = weight[start + lane]
        for i, j in itertools.product(range(rows), range(count)):
            row, column = r0 + 2 * i, first + 2 * j
            w = weight[start + row_taps[row + 1] + columns[column + 1] + lane]
            total += w * x[at + row_taps[row] + columns[column] + q * move + lane]
        out[to + q * step + lane] = total


def add_tap(b, table, first, number, place, weight):
    """The pointers to the image and to the weights, moved by a tap of a table."""
    line = b.gep(table, [b.add(first, b.mul(integer(2), number))])
    return b.gep(place, [b.load(line)]), b.gep(weight, [b.load(b.gep(line, [integer(1)]))])


def mask_of(b, used, masked: bool, lanes: int):
    """The first `used` lanes, or None for all."""
    return as_mask(b, b.sub(b.shl(integer(1), used), integer(1)), lanes) if masked else None


def load_pixel(b, pointer, mask, vector, size):
    """The channels of a pixel that are in the mask, if there is one."""
    if mask is None:
        return load(b, pointer, vector, size)
    return load_where(b, pointer, mask, vector, size)


def store_pixels(b, values, out, to, step, mask, size):
    """Store the channels of pixels that are `step` apart."""
    for q, value in enumerate(values):
        pointer = b.gep(out, [b.add(to, b.mul(integer(q), step))])
        if mask is None:
            store(b, value, pointer, size)
        else:
            store_where(b, value, pointer, mask, size)


@functools.cache
def pixel_tile(pixels: int, masked: bool):
    """Some pixels by a vector of channels, tap by tap; see `plain_pixel_tile`."""

    @vectorized(functools.partial(plain_pixel_tile, pixels, masked))
    def tile(
        _, x, at, move, weight, start, out, to, step, row_taps, r0, rows, columns, first, count,
        used,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (x_, at_, move_, weight_, start_, out_, to_, step_, row_taps_, r0_, rows_, columns_,
             first_, count_, used_) = args  # fmt: skip
            vector, size = vector_of(x)
            mask = mask_of(b, used_, masked, vector.count)
            moves = [b.mul(integer(q), move_) for q in range(pixels)]
            place, taps = b.gep(x_, [at_]), b.gep(weight_, [start_])
            begin = load(b, taps, vector, size)
            i, sums, close_rows = loop(b, rows_, [begin] * pixels)
            place, taps = add_tap(b, row_taps_, r0_, i, place, taps)
            j, sums, close_columns = loop(b, count_, sums)
            place, taps = add_tap(b, columns_, first_, j, place, taps)
            w, sums = load(b, taps, vector, size), list(sums)
            for q, distance in enumerate(moves):
                value = load_pixel(b, b.gep(place, [distance]), mask, vector, size)
                sums[q] = multiply_add(b, w, value, sums[q])
            sums = close_rows(close_columns(sums))
            store_pixels(b, sums, out_, to_, step_, mask, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = x, i, i, weight, i, out, i, i, row_taps, i, i, columns, i, i, i
        return types.void(*kinds), codegen

    return tile


def users_of(pixels: int, taps: int, move: int):
    """For each input column of a line tile: the (pixel, tap) pairs that read it."""
    found: dict[int, list] = {}
    for q, j in itertools.product(range(pixels), range(taps)):
        found.setdefault(q * move + j, []).append((q, j))
    return found


def plain_line_tile(
    pixels, taps, move, edge, masked, x, at, zeros, apart, weight, start, out, to, step, row_taps,
    r0, rows, columns, first, used,
):  # fmt: skip
    """The same, where tap j of pixel q reads input column q * move + j of the tile, for j < `taps`.

    columns[first + j] is that tap's offset in the weights; then follow the offsets of the input
    columns in the image, -1 outside of it. If it is no `edge`, they are `apart` from each other.
    """
    for q, lane in itertools.product(range(pixels), range(used)):
        total = weight[start + lane]
        for i, j in itertools.product(range(rows), range(taps)):
            column = columns[first + taps + (q * move + j if edge else 0)]
            if column >= 0:
                w = weight[start + row_taps[r0 + 2 * i + 1] + columns[first + j] + lane]
                far = 0 if edge else (q * move + j) * apart
                total += w * x[at + row_taps[r0 + 2 * i] + column + far + lane]
        out[to + q * step + lane] = total


@functools.cache
def line_tile(pixels: int, taps: int, move: int, edge: bool, masked: bool):
    """Some pixels by a vector of channels, row by row of the taps; see `plain_line_tile`."""

    @vectorized(functools.partial(plain_line_tile, pixels, taps, move, edge, masked))
    def tile(
        _, x, at, zeros, apart, weight, start, out, to, step, row_taps, r0, rows, columns, first,
        used,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (x_, at_, zeros_, apart_, weight_, start_, out_, to_, step_, row_taps_, r0_, rows_,
             columns_, first_, used_) = args  # fmt: skip
            vector, size = vector_of(x)
            mask = mask_of(b, used_, masked, vector.count)
            table = b.gep(columns_, [first_])
            offsets = [b.load(b.gep(table, [integer(j)])) for j in range(taps)]
            table = b.gep(table, [integer(taps)])
            left, kernel_row = b.gep(x_, [at_]), b.gep(weight_, [start_])
            begin = load(b, kernel_row, vector, size)
            if not edge:
                left = b.gep(left, [b.load(table)])
            i, sums, close = loop(b, rows_, [begin] * pixels)
            row, kernel_row = add_tap(b, row_taps_, r0_, i, left, kernel_row)
            weights = [load(b, b.gep(kernel_row, [o]), vector, size) for o in offsets]
            sums = list(sums)
            for a, users in users_of(pixels, taps, move).items():
                if edge:
                    offset = b.load(b.gep(table, [integer(a)]))
                    outside = b.icmp_signed("<", offset, integer(0))
                    pixel = b.select(outside, zeros_, b.gep(row, [offset]))
                else:
                    pixel = b.gep(row, [b.mul(integer(a), apart_)])
                value = load_pixel(b, pixel, mask, vector, size)
                for q, j in users:
                    sums[q] = multiply_add(b, weights[j], value, sums[q])
            store_pixels(b, close(sums), out_, to_, step_, mask, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = x, i, zeros, i, weight, i, out, i, i, row_taps, i, i, columns, i, i
        return types.void(*kinds), codegen

    return tile


# -- kernels ---------------------------------------------------------------------------------------
@kernel
def pack_vectors(weight, bias, packed, channels, taps, lanes, vectors):
    """For each vector of channels: its biases, then its weights tap by tap. One iteration of the
    parallel loop owns one vector.
    """
    for v in prange(vectors):
        first, to = min(v * lanes, max(0, channels - lanes)), v * (taps + 1) * lanes
        used = min(lanes, channels)
        for i in range(lanes):
            packed[to + i] = packed.dtype.type(0)
        if bias is not None:
            for i in range(used):
                packed[to + i] = bias[first + i]
        for t in range(0, taps, lanes):
            turned(
                weight, first * taps + t, taps, used, min(lanes, taps - t),
                packed, to + (1 + t) * lanes, lanes,
            )  # fmt: skip


@functools.cache
def convolve_pixels(taps: int, move: int, masked: bool):
    """The kernel for rows of `taps` taps, of pixels that are `move` apart in the input; `masked`
    for fewer channels than lanes.
    """
    one, four, eight = (pixel_tile(pixels, masked) for pixels in (1, 4, 8))
    edge_four, edge_eight = (line_tile(pixels, taps, move, True, masked) for pixels in (4, 8))
    inner = line_tile(8, taps, move, False, masked)

    @kernel
    def convolve(
        x, packed, zeros, out, tasks, blocks, block, rows, vectors, channels, lanes, pitch,
        in_image, out_image, far, step, row_table, row_taps, tiles, tile_table, columns,
    ):  # fmt: skip
        """One iteration of the parallel loop owns some rows of an output image.

        A line of the row table: offset in the output, number of taps, where they begin; of the tile
        table: the same, the kind of tile, and its pixels.
        """
        used = min(lanes, channels)
        for task in prange(tasks):
            image, begin = task // blocks, task % blocks * block
            for v in range(vectors):
                c, w = min(v * lanes, max(0, channels - lanes)), v * pitch
                at, to = image * in_image + c, image * out_image + c
                for y in range(begin, min(begin + block, rows)):
                    row, n, r0 = row_table[3 * y], row_table[3 * y + 1], row_table[3 * y + 2]
                    for t in range(0, 5 * tiles, 5):
                        place, kind = to + row + tile_table[t], tile_table[t + 3]
                        m, first = tile_table[t + 1], tile_table[t + 2]
                        if n == 0 or m == 0:
                            for q in range(tile_table[t + 4]):
                                for i in range(used):
                                    out[place + q * step + i] = packed[w + i]
                        elif kind == INNER:
                            inner(
                                x, at, zeros, channels, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, used,
                            )  # fmt: skip
                        elif kind == EDGE_EIGHT:
                            edge_eight(
                                x, at, zeros, channels, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, used,
                            )  # fmt: skip
                        elif kind == EDGE_FOUR:
                            edge_four(
                                x, at, zeros, channels, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, used,
                            )  # fmt: skip
                        elif kind == EIGHT:
                            eight(
                                x, at, far, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, m, used,
                            )  # fmt: skip
                        elif kind == FOUR:
                            four(
                                x, at, far, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, m, used,
                            )  # fmt: skip
                        else:
                            one(
                                x, at, far, packed, w, out, place, step,
                                row_taps, r0, n, columns, first, m, used,
                            )  # fmt: skip

    return convolve


# -- tables ----------------------------------------------------------------------------------------
def forward_taps(axis):
    """For each output of an axis (see `planes.geometry`): its (input, tap) pairs, of which some
    inputs may be outside of the image.
    """
    _, count, k, stride, padding, dilation = axis
    return [[(q * stride - padding + i * dilation, i) for i in range(k)] for q in range(count)]


def backward_taps(axis):
    """For each input of an axis: the (output, tap) pairs by which it is read, likewise."""
    size, _, k, stride, padding, dilation = axis
    found = [
        [divmod(u + padding - i * dilation, stride) + (i,) for i in reversed(range(k))]
        for u in range(size)
    ]
    return [[(q, i) for q, rest, i in triples if rest == 0] for triples in found]


def inside(pairs, size: int):
    """The pairs that lie in the image."""
    return [(at, i) for at, i in pairs if 0 <= at < size]


def line_taps(taps) -> int:
    """How many taps the line tiles have; 1 where they are not side by side."""
    most = max(taps, key=len)
    near = all(b == a + 1 for (a, _), (b, _) in itertools.pairwise(most))
    return len(most) if near and 1 < len(most) <= LINE_TAPS else 1


def pieces(n: int, sizes):
    """(first, size) of pieces that cover range(n); the last may overlap the one before it."""
    at = 0
    while at < n:
        found = next(s for s in sizes if s == sizes[-1] or (n >= s and n - at > s // 2 + s // 8))
        yield max(0, min(at, n - found)), found
        at += found


def column_tiles(taps, size: int, move: int, step: int, line: int, channels: int, lanes: int):
    """The tile table and the table of columns, for pixels that are `step` apart in a row."""
    table: list[tuple] = []
    columns: list[int] = []

    def add(first, count, kind, pixels, numbers):
        table.append((first * channels, count, len(columns), kind, pixels))
        columns.extend(numbers)

    for phase in range(min(step, len(taps))):
        places = list(range(phase, len(taps), step))
        if 1 < line == len(taps[phase]) and len(places) >= 4:
            for at, pixels in pieces(len(places), (8, 4)):
                pairs = taps[places[at]]
                reach = range(pairs[0][0], pairs[0][0] + (pixels - 1) * move + line)
                edge = reach[0] < 0 or reach[-1] >= size
                kind = EDGE_FOUR if pixels == 4 else EDGE_EIGHT if edge else INNER
                numbers = [i * lanes for _, i in pairs]
                numbers += [c * channels if 0 <= c < size else -1 for c in reach]
                add(places[at], line, kind, pixels, numbers)
            continue
        for _, run in itertools.groupby(places, lambda q: [p[1] for p in inside(taps[q], size)]):
            same = list(run)
            for at, pixels in pieces(len(same), (8, 4, 1)):
                pairs = inside(taps[same[at]], size)
                kind = {1: ONE, 4: FOUR, 8: EIGHT}[pixels]
                numbers = [n for c, i in pairs for n in (c * channels, i * lanes)]
                add(same[at], len(pairs), kind, pixels, numbers)
    return table, columns


def launcher(x, weight, bias, out, taps, move: int, step: int):
    """A function of (input, weight, bias, output), of images with channels last. `taps` are those
    of the outputs of each axis; pixels that are `step` apart in the output are `move` in the input.
    """
    channels, lanes, dtype = x.shape[1], lanes_of(out.dtype.itemsize), out.dtype.np
    vectors, used = -(-channels // lanes), math.prod(weight.shape[2:])
    depth, height, width = three(x.shape[2:], 1)
    kernel_height, kernel_width = weight.shape[-2:]
    row_table: list[tuple] = []
    row_taps: list[tuple] = []
    for y, (deep, high) in enumerate(itertools.product(*taps[:2])):
        pairs = itertools.product(inside(deep, depth), inside(high, height))
        found = [
            # the weights of a vector of channels follow its biases
            (
                (d * height + h) * width * channels,
                (1 + (i * kernel_height + j) * kernel_width) * lanes,
            )
            for (d, i), (h, j) in pairs
        ]
        row_table.append((y * out.shape[-1] * channels, len(found), 2 * len(row_taps)))
        row_taps += found
    line = line_taps(taps[2]) if move <= 2 else 1
    tile_table, columns = column_tiles(taps[2], width, move, step, line, channels, lanes)
    rows, pitch = len(row_table), (used + 1) * lanes
    blocks = -(-rows // BLOCK_ROWS)
    pack_facts = channels, used, lanes, vectors
    pack = pack_vectors.compile(weight, bias, weight, *pack_facts, work=weight.numel)
    zeros = np.zeros(lanes, dtype)
    facts = (
        x.shape[0] * blocks, blocks, BLOCK_ROWS, rows, vectors, channels, lanes, pitch,
        math.prod(x.shape[1:]), math.prod(out.shape[1:]), move * channels, step * channels,
        flat_table(row_table), flat_table(row_taps), len(tile_table), flat_table(tile_table),
        flat_table(columns),
    )  # fmt: skip
    run = convolve_pixels(line, min(move, 2), channels < lanes).compile(
        x, x, zeros, out, *facts, work=out.numel * used
    )

    def launch(x, weight, bias, out):
        packed = scratch(vectors * pitch, dtype)
        pack(weight, bias, packed, *pack_facts)
        run(x, packed, zeros, out, *facts)

    return launch


def forward(input, weight, bias, out, axes):
    """The launcher of a depthwise convolution."""
    taps = [forward_taps(axis) for axis in axes]
    return launcher(input, weight, bias, out, taps, axes[2][3], 1)


def input_grad(grad, weight, out, axes):
    """The launcher of a depthwise input gradient."""
    taps = [backward_taps(axis) for axis in axes]
    run = launcher(grad, weight, None, out, taps, 1, axes[2][3])
    return lambda g, w, y: run(g, w, None, y)
