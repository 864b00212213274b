"""Register tiles of a convolution, as LLVM vector code: the inner loops of the CPU kernels.

A tap is an offset: with the input laid out in planes (see `plan.py`), tap k of a convolution reads
the same vectors as tap 0, `taps[k]` elements further on. Both tiles hold their sums in vector
registers for the whole inner loop: of 190 GFLOP/s that one core with AVX-512 can do, the 8 x 3 tile
of the forward pass reaches 165 in a whole convolution, the 6 x 4 tile of the weight gradient 172.

The plain twins define what a tile computes, and run in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    I32,
    I64,
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
    store_where,
    transpose,
    types,
    vector_of,
    vectorized,
)

RUN = 1024  # taps


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
    multiply-adds. Sums of more than `RUN` taps are added up run by run, which rounds less: with
    2304 taps the largest error over the largest output is 9e-7 instead of 2.3e-6.
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
            zero = ir.Constant(vector, None)
            held = cgutils.alloca_once(b, vector, rows * vectors)

            def add_taps(begin, count, start):
                k, sums, close = loop(b, count, start)
                k = b.add(begin, k)
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
                    new += [
                        multiply_add(b, weight, p, s) for p, s in zip(pixels, line, strict=True)
                    ]
                return close(new)

            def at_most(count):
                return b.select(b.icmp_signed("<", count, integer(RUN)), count, integer(RUN))

            start = [splat(b, b.load(b.gep(w, [integer(i)])), vector) for i in range(rows)]
            start = [s for s in start for _ in range(vectors)]
            for n, value in enumerate(add_taps(integer(0), at_most(depth_), start)):
                b.store(value, b.gep(held, [integer(n)]))
            with b.if_then(b.icmp_signed(">", depth_, integer(RUN))):
                runs = b.sdiv(b.sub(depth_, integer(1)), integer(RUN))
                run, _, close = loop(b, runs, [])
                begin = b.mul(b.add(run, integer(1)), integer(RUN))
                count = at_most(b.sub(depth_, begin))
                for n, value in enumerate(add_taps(begin, count, [zero] * (rows * vectors))):
                    place = b.gep(held, [integer(n)])
                    add = b.add if isinstance(vector.element, ir.IntType) else b.fadd
                    b.store(add(b.load(place), value), place)
                close([])
            # A loop over the sums in memory compiles faster than its unrolling.
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


def plain_outer_tile(
    rows, vectors, x, base, taps, tap, last, places, first, pixels, g, at, sums, to, fresh
):  # fmt: skip
    """sums[i, o] += sum over pixels q of x[places[first + q] + taps[tap + i]] * g[q, o].

    `g` has the output channels of a pixel side by side, as many as the vectors have lanes. Taps
    above `last` repeat it. What was in `sums` does not count if it is `fresh` memory.
    """
    width = vectors * lanes_of(g.dtype.itemsize)
    for i in range(rows):
        for o in range(width):
            total = sums.dtype.type(0)
            for q in range(pixels):
                pixel = x[base + places[first + q] + taps[min(tap + i, last)]]
                total += pixel * g[at + q * width + o]
            at_sum = to + i * width + o
            sums[at_sum] = total if fresh else sums[at_sum] + total


@functools.cache
def outer_tile(rows: int, vectors: int):
    """The tile of a weight gradient with output channels in its lanes: `rows` taps by `vectors`
    vectors of channels; see `plain_outer_tile`. A tap's pixel is a broadcast, so nothing need be
    aligned, no lane is lost between the rows of an image, and strides cost nothing.
    """

    @vectorized(functools.partial(plain_outer_tile, rows, vectors))
    def tile(_, x, base, taps, tap, last, places, first, pixels, g, at, sums, to, fresh):
        def codegen(context, b, signature, args):
            (x_, base_, taps_, tap_, last_, places_, first_, pixels_, g_, at_, sums_, to_,
             fresh_) = args  # fmt: skip
            vector, size = vector_of(g)
            numbers = [b.add(tap_, integer(i)) for i in range(rows)]
            numbers = [b.select(b.icmp_signed("<", n, last_), n, last_) for n in numbers]
            shifts = [b.load(b.gep(taps_, [n])) for n in numbers]
            lines = [b.gep(x_, [b.add(base_, shift)]) for shift in shifts]
            places_, g_ = b.gep(places_, [first_]), b.gep(g_, [at_])
            zero = ir.Constant(vector, None)
            q, totals, close = loop(b, pixels_, [zero] * (rows * vectors))
            place = b.load(b.gep(places_, [q]))
            here = b.gep(g_, [b.mul(q, integer(vectors * vector.count))])
            channels = [
                load(b, b.gep(here, [integer(j * vector.count)]), vector, size)
                for j in range(vectors)
            ]
            new = []
            for i, line in enumerate(lines):
                pixel = splat(b, b.load(b.gep(line, [place])), vector)
                partial = totals[i * vectors : (i + 1) * vectors]
                new += [
                    multiply_add(b, pixel, c, s) for c, s in zip(channels, partial, strict=True)
                ]
            add = b.add if isinstance(vector.element, ir.IntType) else b.fadd
            known = b.select(fresh_, integer(0), integer(-1))
            known = as_mask(b, known, vector.count)
            for n, total in enumerate(close(new)):
                target = b.gep(sums_, [b.add(to_, integer(n * vector.count))])
                before = load_where(b, target, known, vector, size)
                store(b, add(before, total), target, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = x, i, taps, i, i, places, i, i, g, i, sums, i, types.boolean
        return types.void(*kinds), codegen

    return tile


def plain_turn(whole, x, at, pitch, rows, columns, out, to, out_pitch):
    """out[j, i] = x[i, j] for i < rows, j < columns, both at most a vector's lanes.

    If `whole`, whole vectors are written: zeros for i >= rows.
    """
    for j in range(columns):
        for i in range(lanes_of(x.dtype.itemsize) if whole else rows):
            inside = i < rows
            out[to + j * out_pitch + i] = x[at + i * pitch + j] if inside else x.dtype.type(0)


@functools.cache
def turn(whole: bool):
    """Transpose a block of a matrix; see `plain_turn`."""

    @vectorized(functools.partial(plain_turn, whole))
    def tile(_, x, at, pitch, rows, columns, out, to, out_pitch):
        def codegen(context, b, signature, args):
            x_, at_, pitch_, rows_, columns_, out_, to_, out_pitch_ = args
            vector, size = vector_of(x)
            lanes, one = vector.count, integer(1)
            across = as_mask(b, b.sub(b.shl(one, columns_), one), lanes)
            nothing = ir.Constant(across.type, None)
            lines = []
            for i in map(integer, range(lanes)):
                mask = b.select(b.icmp_signed("<", i, rows_), across, nothing)
                place = b.gep(x_, [b.add(at_, b.mul(i, pitch_))])
                lines.append(load_where(b, place, mask, vector, size))
            held = cgutils.alloca_once(b, vector, lanes)
            for i, line in enumerate(transpose(b, lines)):
                b.store(line, b.gep(held, [integer(i)]))
            down = as_mask(b, b.sub(b.shl(one, rows_), one), lanes)
            j, _, close = loop(b, columns_, [])
            place = b.gep(out_, [b.add(to_, b.mul(j, out_pitch_))])
            line = b.load(b.gep(held, [j]))
            if whole:
                store(b, line, place, size)
            else:
                store_where(b, line, place, down, size)
            close([])
            return context.get_dummy_value()

        i = types.intp
        return types.void(x, i, i, i, i, out, i, i), codegen

    return tile


def plain_pick(x, at, step, count, out, to):
    """out[to + i] = x[at + i * step] for i < count, then zeros up to a vector's lanes."""
    for i in range(lanes_of(x.dtype.itemsize)):
        out[to + i] = x[at + i * step] if i < count else out.dtype.type(0)


@vectorized(plain_pick)
def pick(_, x, at, step, count, out, to):
    """A vector of elements `step` apart: see `plain_pick`."""

    def codegen(context, b, signature, args):
        x_, at_, step_, count_, out_, to_ = args
        vector, size = vector_of(x)
        wide = ir.VectorType(I64, vector.count)
        offsets = b.mul(splat(b, step_, wide), ir.Constant(wide, list(range(vector.count))))
        mask = as_mask(b, b.sub(b.shl(integer(1), count_), integer(1)), vector.count)
        found = load_strided(b, b.gep(x_, [at_]), offsets, mask, vector, size)
        store(b, found, b.gep(out_, [to_]), size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, i, out, i), codegen


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
