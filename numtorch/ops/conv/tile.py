"""Register tiles of a convolution, as LLVM vector code: the inner loops of the CPU kernels.

A tap is an offset: with the input laid out in planes (see `plan.py`), tap k of a convolution reads
the same vectors as tap 0, `taps[k]` elements further on. Both tiles hold their sums in vector
registers for the whole inner loop. On one core with AVX-512 (Zen 5, 3.3 GHz) the 8 x 3 tile of the
forward pass reaches 200 GFLOP/s in a whole convolution; the 6 x 4 tile of the weight gradient 208
by itself.

The plain twins define what a tile computes, and run in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    I32,
    I64,
    add_lanes,
    as_mask,
    cgutils,
    integer,
    ir,
    lanes_of,
    load,
    load_strided,
    load_where,
    loop,
    multiply_add,
    splat,
    store,
    store_packed,
    types,
    vector_of,
    vectorized,
)


def plain_output_tile(
    rows,
    vectors,
    planes,
    base,
    taps,
    depth,
    panels,
    panel,
    out,
    row,
    pitch,
    used,
    outs,
    masks,
    first,
):
    """out[i, pixel] = bias[i] + sum_k weight[k, i] * planes[pixel + taps[k]], for the pixels that
    `masks` keep.

    A panel holds the bias of its rows, then for each tap their weights. Kept pixels are packed
    together from out[row + outs[vector] + i * pitch] on; rows from `used` on are not stored.
    """
    lanes = lanes_of(planes.dtype.itemsize)
    for j in range(vectors):
        for i in range(used):
            at = row + i * pitch + outs[first + j]
            for lane in range(lanes):
                if masks[first + j] >> lane & 1:
                    total = panels[panel + i]
                    for k in range(depth):
                        pixel = planes[base + j * lanes + lane + taps[k]]
                        total += panels[panel + (k + 1) * rows + i] * pixel
                    out[at] = total
                    at += 1


@functools.cache
def output_tile(rows: int, vectors: int):
    """The tile of a forward convolution: `rows` output channels by `vectors` vectors of pixels.

    See `plain_output_tile`. Per tap: `vectors` loads, `rows` broadcasts, rows * vectors
    multiply-adds.
    """

    @vectorized(functools.partial(plain_output_tile, rows, vectors))
    def tile(
        _, planes, base, taps, depth, panels, panel, out, row, pitch, used, outs, masks, first
    ):
        def codegen(context, b, signature, args):
            (planes_, base_, taps_, depth_, panels_, panel_, out_, row_, pitch_, used_, outs_,
             masks_, first_) = args  # fmt: skip
            vector, size = vector_of(planes)
            x, w = b.gep(planes_, [base_]), b.gep(panels_, [panel_])
            start = [splat(b, b.load(b.gep(w, [integer(i)])), vector) for i in range(rows)]
            k, sums, close = loop(b, depth_, [s for s in start for _ in range(vectors)])
            tap = b.gep(x, [b.load(b.gep(taps_, [k]))])
            pixels = [
                load(b, b.gep(tap, [integer(j * vector.count)]), vector, size)
                for j in range(vectors)
            ]
            weights = b.gep(w, [b.mul(b.add(k, integer(1)), integer(rows))])
            new = []
            for i in range(rows):
                weight = splat(b, b.load(b.gep(weights, [integer(i)])), vector)
                line = sums[i * vectors : (i + 1) * vectors]
                new += [multiply_add(b, weight, p, s) for p, s in zip(pixels, line, strict=True)]
            sums = close(new)
            # A loop over the sums in memory compiles faster than its unrolling.
            held = cgutils.alloca_once(b, vector, rows * vectors)
            for n, value in enumerate(sums):
                b.store(value, b.gep(held, [integer(n)]))
            j, _, close = loop(b, integer(vectors), [])
            at = b.add(first_, j)
            mask = b.load(b.gep(masks_, [at]))
            where = b.gep(out_, [b.add(row_, b.load(b.gep(outs_, [at])))])
            i, _, close_row = loop(b, used_, [])
            value = b.load(b.gep(held, [b.add(b.mul(i, integer(vectors)), j)]))
            store_packed(b, value, b.gep(where, [b.mul(i, pitch_)]), mask, size)
            close_row([])
            close([])
            return context.get_dummy_value()

        i = types.intp
        kinds = (planes, i, taps, i, panels, i, out, i, i, i, outs, masks, i)
        return types.void(*kinds), codegen

    return tile


def plain_weight_tile(
    rows, columns, g, g_base, g_plane, row, last, g_image, x, x_base, x_image, taps, tap, starts,
    masks, vectors, images, out, at, pitch,
):  # fmt: skip
    """out[i, j] += sum over images and kept pixels of g[row + i, pixel] * x[pixel + taps[tap + j]].

    `masks` says which pixels are kept, `starts` where each vector begins. Rows above `last` repeat
    it.
    """
    lanes = lanes_of(g.dtype.itemsize)
    for i in range(rows):
        line = g_base + min(row + i, last) * g_plane
        for j in range(columns):
            total = out.dtype.type(0)
            for n in range(images):
                for v in range(vectors):
                    for lane in range(lanes):
                        if masks[v] >> lane & 1:
                            pixel = starts[v] + lane
                            total += (
                                g[n * g_image + line + pixel]
                                * x[n * x_image + x_base + pixel + taps[tap + j]]
                            )
            out[at + i * pitch + j] += total


@functools.cache
def weight_tile(rows: int, columns: int):
    """The tile of a weight gradient: `rows` output channels by `columns` taps; see
    `plain_weight_tile`.

    Every lane holds a partial sum, the lanes are added at the end: 24 sums cost as much as 100
    cycles of the loop.
    """

    @vectorized(functools.partial(plain_weight_tile, rows, columns))
    def tile(
        _, g, g_base, g_plane, row, last, g_image, x, x_base, x_image, taps, tap, starts, masks,
        vectors, images, out, at, pitch,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (g_, g_base_, g_plane_, row_, last_, g_image_, x_, x_base_, x_image_, taps_, tap_,
             starts_, masks_, vectors_, images_, out_, at_, pitch_) = args  # fmt: skip
            vector, size = vector_of(g)
            below = [b.add(row_, integer(i)) for i in range(rows)]
            below = [b.select(b.icmp_signed("<", i, last_), i, last_) for i in below]
            lines = [b.add(g_base_, b.mul(i, g_plane_)) for i in below]
            shifts = [b.load(b.gep(taps_, [b.add(tap_, integer(j))])) for j in range(columns)]
            shifts = [b.add(x_base_, s) for s in shifts]
            zero = ir.Constant(vector, None)
            n, sums, close_images = loop(b, images_, [zero] * (rows * columns))
            g_n, x_n = b.gep(g_, [b.mul(n, g_image_)]), b.gep(x_, [b.mul(n, x_image_)])
            g_lines, x_lines = [b.gep(g_n, [o]) for o in lines], [b.gep(x_n, [s]) for s in shifts]
            v, sums, close = loop(b, vectors_, sums)
            start = b.load(b.gep(starts_, [v]))
            mask = as_mask(b, b.load(b.gep(masks_, [v])), vector.count)
            xs = [load_where(b, b.gep(line, [start]), mask, vector, size) for line in x_lines]
            new = []
            for i, line in enumerate(g_lines):
                pixels = load_where(b, b.gep(line, [start]), mask, vector, size)
                partial = sums[i * columns : (i + 1) * columns]
                new += [multiply_add(b, pixels, x, s) for x, s in zip(xs, partial, strict=True)]
            for i, total in enumerate(close_images(close(new))):
                to = b.add(at_, b.add(b.mul(integer(i // columns), pitch_), integer(i % columns)))
                to = b.gep(out_, [to])
                total = add_lanes(b, total)
                add = b.add if isinstance(vector.element, ir.IntType) else b.fadd
                b.store(add(b.load(to), total), to)
            return context.get_dummy_value()

        i = types.intp
        kinds = (g, i, i, i, i, i, x, i, i, taps, i, starts, masks, i, i, out, i, i)
        return types.void(*kinds), codegen

    return tile


def plain_copy_rows(x, source, x_pitch, step, planes, to, pitch, left, right, top, bottom, rows):
    """planes[to + r * pitch + j] = x[source + r * x_pitch + j * step], or zero outside of the
    image.

    The image is where top <= r < bottom and left <= j < right. `rows` rows of `pitch` elements, in
    whole vectors: some elements behind the last row are overwritten.
    """
    for r in range(rows):
        for j in range(pitch):
            inside = top <= r < bottom and left <= j < right
            planes[to + r * pitch + j] = (
                x[source + r * x_pitch + j * step] if inside else planes.dtype.type(0)
            )


@vectorized(plain_copy_rows)
def copy_rows(_, x, source, x_pitch, step, planes, to, pitch, left, right, top, bottom, rows):
    """A block of rows of planes, in whole vectors: see `plain_copy_rows`.

    Columns of vectors from right to left, so that what a row's last vector writes beyond its end is
    overwritten.
    """

    def codegen(context, b, signature, args):
        x_, source_, x_pitch_, step_, planes_, to_, pitch_, left_, right_, top_, bottom_, rows_ = (
            args
        )
        vector, size = vector_of(planes)
        lanes = vector.count
        narrow, wide = ir.VectorType(I32, lanes), ir.VectorType(I64, lanes)
        count = b.sdiv(b.add(pitch_, integer(lanes - 1)), integer(lanes))

        def row_mask(r, columns):
            image = b.and_(b.icmp_signed(">=", r, top_), b.icmp_signed("<", r, bottom_))
            return b.select(image, columns, ir.Constant(columns.type, None))

        some = b.and_(b.icmp_signed(">", rows_, integer(0)), b.icmp_signed(">", pitch_, integer(0)))
        with b.if_then(some):
            v, _, close = loop(b, count, [])
            at = b.mul(b.sub(b.sub(count, v), integer(1)), integer(lanes))
            lane = b.add(
                splat(b, b.trunc(at, I32), narrow), ir.Constant(narrow, list(range(lanes)))
            )
            after = b.icmp_signed(">=", lane, splat(b, b.trunc(left_, I32), narrow))
            inside = b.and_(after, b.icmp_signed("<", lane, splat(b, b.trunc(right_, I32), narrow)))
            target = b.gep(planes_, [b.add(to_, at)])
            with b.if_else(b.icmp_signed("==", step_, integer(1))) as (near, far):
                with near:
                    start = b.gep(x_, [b.add(source_, at)])
                    r, _, close_row = loop(b, rows_, [])
                    here = row_mask(r, inside)
                    row = load_where(b, b.gep(start, [b.mul(r, x_pitch_)]), here, vector, size)
                    store(b, row, b.gep(target, [b.mul(r, pitch_)]), size)
                    close_row([])
                with far:
                    offsets = b.mul(b.zext(lane, wide), splat(b, step_, wide))
                    r, _, close_row = loop(b, rows_, [])
                    first = b.gep(x_, [b.add(source_, b.mul(r, x_pitch_))])
                    row = load_strided(b, first, offsets, row_mask(r, inside), vector, size)
                    store(b, row, b.gep(target, [b.mul(r, pitch_)]), size)
                    close_row([])
            close([])
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, i, planes, i, i, i, i, i, i, i), codegen
