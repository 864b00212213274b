"""CPU pooling of channels-last images: a lane of a vector is a channel.

`average` is also its own transpose: an element's gradient is the sum over the windows that see it,
which are neighbours, so that they are a window, too.
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.simd import (
    I32,
    I64,
    add,
    as_mask,
    integer,
    ir,
    load_where,
    loop,
    splat,
    store_where,
    types,
    vector_of,
    vectorized,
)


# -- one window ------------------------------------------------------------------------------------
def plain_largest(x, at, place, taps, rows, row_step, slices, slice_step, channels, out, where, to):
    """out[to + c] = the maximum of a window in channel c, where[to + c] = its place in the plane:
    the first, or the last NaN, unless `where` is None.

    The window has `slices` slices of `rows` rows of `taps` = (count, step) pixels, one or more of
    each. It begins at pixel `place` of the image that begins at element `at`.
    """
    for c in range(channels):
        best, found = x[at + place * channels + c], place
        for d in range(slices):
            for h in range(rows):
                for w in range(taps[0]):
                    pixel = place + d * slice_step + h * row_step + w * taps[1]
                    value = x[at + pixel * channels + c]
                    if value > best or value != value:
                        best, found = value, pixel
        out[to + c] = best
        if where is not None:
            where[to + c] = found


@vectorized(plain_largest)
def largest(_, x, at, place, taps, rows, row_step, slices, slice_step, channels, out, where, to):
    """`plain_largest` by vectors of channels; places are int32 where elements are not wider."""

    def codegen(context, b, signature, args):
        (x_, at_, place_, taps_, rows_, row_step_, slices_, slice_step_, channels_, out_, where_,
         to_) = args  # fmt: skip
        vector, size = vector_of(x)
        lanes = vector.count
        narrow = ir.VectorType(I32 if size <= 4 else I64, lanes)
        wide = ir.VectorType(I64, lanes)
        count, step = (b.extract_value(taps_, i) for i in range(2))
        block, first, live = blocks_of(b, channels_, lanes)
        begin = b.add(b.add(at_, b.mul(place_, channels_)), first)
        state = [load_where(b, b.gep(x_, [begin]), live, vector, size)]
        tracked = where is not types.none
        if tracked:
            state.append(splat(b, b.trunc(place_, narrow.element) if size <= 4 else place_, narrow))
        d, state, close_slices = loop(b, slices_, state)
        h, state, close_rows = loop(b, rows_, state)
        w, (best, *found), close_taps = loop(b, count, state)
        pixel = b.add(b.mul(d, slice_step_), b.mul(h, row_step_))
        pixel = b.add(place_, b.add(pixel, b.mul(w, step)))
        source = b.gep(x_, [b.add(b.add(at_, b.mul(pixel, channels_)), first)])
        value = load_where(b, source, live, vector, size)
        if isinstance(vector.element, ir.IntType):
            compare = b.icmp_signed if x.dtype.signed else b.icmp_unsigned
            larger = compare(">", value, best)
        else:
            larger = b.or_(b.fcmp_ordered(">", value, best), b.fcmp_unordered("uno", value, value))
        new = [b.select(larger, value, best)]
        if tracked:
            here = splat(b, b.trunc(pixel, narrow.element) if size <= 4 else pixel, narrow)
            new.append(b.select(larger, here, found[0]))
        best, *found = close_slices(close_rows(close_taps(new)))
        target = b.add(to_, first)
        store_where(b, best, b.gep(out_, [target]), live, size)
        if tracked:
            places = b.sext(found[0], wide) if size <= 4 else found[0]
            store_where(b, places, b.gep(where_, [target]), live, 8)
        block([])
        return context.get_dummy_value()

    i = types.intp
    kinds = (x, i, i, taps, i, i, i, i, i, out, where, i)
    return types.void(*kinds), codegen


def blocks_of(b, channels, lanes):
    """Open a loop over vectors of channels: gives (close, the first channel, the lanes that are
    channels).
    """
    number = b.sdiv(b.add(channels, integer(lanes - 1)), integer(lanes))
    v, _, close = loop(b, number, [])
    first = b.mul(v, integer(lanes))
    left = b.sub(channels, first)
    left = b.select(b.icmp_signed("<", left, integer(lanes)), left, integer(lanes))
    return close, first, as_mask(b, b.sub(b.shl(integer(1), left), integer(1)), lanes)


def plain_total(x, begin, taps, rows, row_step, slices, slice_step, channels, divisor, out, to):
    """out[to + c] = the sum of a window in channel c over `divisor`, if it is not None.

    The window begins at element `begin`, and has `slices` slices of `rows` rows of `taps` pixels,
    one or more of each.
    """
    for c in range(channels):
        total = x.dtype.type(0)
        for d in range(slices):
            for h in range(rows):
                for w in range(taps):
                    pixel = d * slice_step + h * row_step + w
                    total += x[begin + pixel * channels + c]
        if divisor is not None:
            total = x.dtype.type(total / x.dtype.type(divisor))
        out[to + c] = total


@vectorized(plain_total)
def total(_, x, begin, taps, rows, row_step, slices, slice_step, channels, divisor, out, to):
    """`plain_total` by vectors of channels."""

    def codegen(context, b, signature, args):
        (x_, begin_, taps_, rows_, row_step_, slices_, slice_step_, channels_, divisor_, out_,
         to_) = args  # fmt: skip
        vector, size = vector_of(x)
        lanes = vector.count
        block, first, live = blocks_of(b, channels_, lanes)
        source = b.add(begin_, first)
        d, state, close_slices = loop(b, slices_, [ir.Constant(vector, None)])
        h, state, close_rows = loop(b, rows_, state)
        w, (so_far,), close_taps = loop(b, taps_, state)
        pixel = b.add(b.mul(d, slice_step_), b.add(b.mul(h, row_step_), w))
        place = b.gep(x_, [b.add(source, b.mul(pixel, channels_))])
        new = add(b, so_far, load_where(b, place, live, vector, size))
        (found,) = close_slices(close_rows(close_taps([new])))
        if divisor is not types.none:
            found = quotient(b, found, divisor_)
        store_where(b, found, b.gep(out_, [b.add(to_, first)]), live, size)
        block([])
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, i, i, i, i, i, divisor, out, i), codegen


def quotient(b, vector, divisor):
    """A vector over an int64; integers are cut off."""
    kind = vector.type
    if not isinstance(kind.element, ir.IntType):
        return b.fdiv(vector, splat(b, b.sitofp(divisor, kind.element), kind))
    real = ir.VectorType(ir.DoubleType(), kind.count)
    by = splat(b, b.sitofp(divisor, real.element), real)
    return b.fptosi(b.fdiv(b.sitofp(vector, real), by), kind)


# -- images ----------------------------------------------------------------------------------------
@kernel
def max_pool(
    x, out, indices, images, channels, depth, height, width, out_d, out_h, out_w, dd, dh, dw, first,
    end, offset, lowest,
):  # fmt: skip
    """The maximum of each window, and its place in the plane (-1 where all of it is padding).

    One iteration of the parallel loop owns a row of outputs.
    """
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    for piece in prange(images * out_d * out_h):
        item = np.int64(piece)
        rest = item // out_h
        h = at_h + item - rest * out_h
        n = rest // out_d
        d = at_d + rest - n * out_d
        d0, h0 = first[d], first[h]
        slices, rows = (end[d] - d0 + dd - 1) // dd, (end[h] - h0 + dh - 1) // dh
        image = n * depth * height * width * channels
        for w in range(out_w):
            w0, to = first[at_w + w], (item * out_w + w) * channels
            taps = (end[at_w + w] - w0 + dw - 1) // dw
            if slices > 0 and rows > 0 and taps > 0:
                largest(
                    x, image, (d0 * height + h0) * width + w0, (taps, dw), rows, dh * width, slices,
                    dd * height * width, channels, out, indices, to,
                )  # fmt: skip
            else:
                for c in range(to, to + channels):
                    out[c] = out.dtype.type(lowest)
                    if indices is not None:
                        indices[c] = -1


@kernel
def scatter_planes(g, indices, out, images, channels, elements, windows, group):
    """out = 0; out[indices] += g in each plane, in the order of the windows.

    One iteration of the parallel loop owns `group` channels of an image.
    """
    pieces, zero = (channels + group - 1) // group, out.dtype.type(0)
    for piece in prange(images * pieces):
        item = np.int64(piece)
        n = item // pieces
        left = (item - n * pieces) * group
        right = min(left + group, channels)
        image, clear = n * elements * channels, 0
        for i in range(n * windows, (n + 1) * windows):
            for c in range(left, right):
                at = indices[i * channels + c]
                while clear <= at:  # just before it is added to: a third less traffic
                    for k in range(left, right):
                        out[image + clear * channels + k] = zero
                    clear += 1
                if at >= 0:
                    out[image + at * channels + c] += g[i * channels + c]
        for at in range(clear, elements):
            for k in range(left, right):
                out[image + at * channels + k] = zero


@kernel
def gather_planes(x, indices, out, images, channels, elements, windows):
    """out = x[indices] in each plane. One iteration of the parallel loop owns an image."""
    for n in prange(images):
        for i in range(n * windows, (n + 1) * windows):
            for c in range(channels):
                at = indices[i * channels + c]
                value = out.dtype.type(0)
                if at >= 0:
                    value = x[(n * elements + at) * channels + c]
                out[i * channels + c] = value


@kernel
def average(
    x, out, images, channels, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The sum of each window over its divisor. One iteration of the parallel loop owns a row of
    outputs.
    """
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    for piece in prange(images * out_d * out_h):
        item = np.int64(piece)
        rest = item // out_h
        h = at_h + item - rest * out_h
        n = rest // out_d
        d = at_d + rest - n * out_d
        d0, h0 = first[d], first[h]
        slices, rows = end[d] - d0, end[h] - h0
        over = length[d] * length[h]
        begin = ((n * depth + d0) * height + h0) * width
        for w in range(at_w, at_w + out_w):
            taps, to = end[w] - first[w], (item * out_w + w - at_w) * channels
            if slices > 0 and rows > 0 and taps > 0:
                total(
                    x, (begin + first[w]) * channels, taps, rows, width, slices, height * width,
                    channels, over * length[w], out, to,
                )  # fmt: skip
            else:
                for c in range(to, to + channels):
                    out[c] = out.dtype.type(0)


@kernel
def divide_windows(g, out, images, channels, out_d, out_h, out_w, length, offset):
    """The share of each element of a window: its gradient over its divisor. One iteration of the
    parallel loop owns a row of windows.
    """
    T = out.dtype.type
    for piece in prange(images * out_d * out_h):
        item = np.int64(piece)
        rest = item // out_h
        over = length[offset[0] + rest % out_d] * length[offset[1] + item - rest * out_h]
        for w in range(out_w):
            divisor = T(over * length[offset[2] + w])
            begin = (item * out_w + w) * channels
            for c in range(begin, begin + channels):
                out[c] = T(g[c] / divisor)
