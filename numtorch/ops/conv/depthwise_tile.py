"""Whole planes of a depthwise convolution, as LLVM vector code: no copy, no padding.

A tile is a few output rows by one vector of neighbouring columns. What lies outside of the image is
never read: a mask hides the columns, and a row of zeros stands for the rows. So tables say
everything about sizes and padding, and only the kernel's size is part of the code (`depthwise.py`
builds the tables; there is one line in them for each group of rows, and one for each vector of
columns). Input rows are loaded once for all the output rows of a tile.

`step` is how neighbouring outputs lie in the input: 1 or 2 elements apart (2: two vectors are
loaded and the even or odd elements taken, for dilation 1), or 0: further, and gathered.
"""

import functools

from ...backends.cpu.simd import (
    I64,
    add,
    add_lanes,
    as_mask,
    integer,
    ir,
    lanes_of,
    load,
    load_strided,
    load_where,
    loop,
    multiply_add,
    prefetch,
    splat,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)

HEAD = 3  # a line of the column table: first column in the input, in the output, mask of the output


def masks_of(kw: int, step: int) -> int:
    """How many masks of loads follow the head of a line: one for each load of a row."""
    return -(-kw // 2) if step == 2 else kw


def taps_of(b, line, kw, step, stride, dilation, vector, size):
    """A function that loads, from a row, the `kw` vectors that the taps of a kernel row read."""
    lanes, left = vector.count, b.load(line)
    bits = [b.load(b.gep(line, [integer(HEAD + i)])) for i in range(masks_of(kw, step))]
    if step == 2:
        wide = ir.VectorType(vector.element, 2 * lanes)
        nothing, masks = ir.Constant(wide, ir.Undefined), [as_mask(b, m, 2 * lanes) for m in bits]
        pairs = [b.add(left, integer(2 * i)) for i in range(len(masks))]

        def even_and_odd(row):
            found = []
            for i, (at, mask) in enumerate(zip(pairs, masks, strict=True)):
                both = load_where(b, b.gep(row, [at]), mask, wide, size)
                for odd in range(min(2, kw - 2 * i)):
                    found.append(b.shuffle_vector(both, nothing, indices(range(odd, 2 * lanes, 2))))
            return found

        return even_and_odd
    places = [b.add(left, b.mul(integer(j), dilation)) for j in range(kw)]
    places = list(zip(places, [as_mask(b, mask, lanes) for mask in bits], strict=True))
    if step == 1:
        return lambda row: [load_where(b, b.gep(row, [p]), m, vector, size) for p, m in places]
    far = splat(b, stride, ir.VectorType(I64, lanes))
    far = b.mul(far, ir.Constant(far.type, list(range(lanes))))
    return lambda row: [load_strided(b, b.gep(row, [p]), far, m, vector, size) for p, m in places]


def indices(numbers):
    """Constant lanes of a shuffle."""
    numbers = list(numbers)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), numbers)


def store_lanes(b, values, pointers, bits, size):
    """Store the lanes in the mask `bits`; all of them by plain stores, which are faster on AVX2."""
    lanes = values[0].type.count
    with b.if_else(b.icmp_signed("==", bits, integer((1 << lanes) - 1))) as (whole, part):
        with whole:
            for value, pointer in zip(values, pointers, strict=True):
                store(b, value, pointer, size)
        with part:
            mask = as_mask(b, bits, lanes)
            for value, pointer in zip(values, pointers, strict=True):
                store_where(b, value, pointer, mask, size)


def row_pointer(b, table, plane, zeros):
    """A row of a plane by its offset in a table, or the row of zeros for -1."""
    offset = b.load(table)
    outside = b.icmp_signed("<", offset, integer(0))
    return b.select(outside, zeros, b.gep(plane, [offset]))


def ask_for(b, lines, first, vectors, vector, write=False):
    """Prefetch some vectors of every line from element `first` on: a plane is a few cache lines,
    too short a run for the hardware to see it coming (0.65 ms instead of 0.47 for 16x128x28x28).
    """
    for pointer in lines:
        for v in range(vectors):
            prefetch(b, b.gep(pointer, [b.add(first, integer(v * vector.count))]), write)


def users_of(kh: int, rows: int, unit: int):
    """Every input row of a tile: the (output row, kernel row) pairs that read it."""
    pairs = [(r * unit + i, (r, i)) for r in range(rows) for i in range(kh)]
    return {a: [pair for row, pair in pairs if row == a] for a in sorted({a for a, _ in pairs})}


# -- forward, and input gradient of stride 1 -------------------------------------------------------
def plain_plane_tile(
    kh, kw, rows, unit, step, x, at, plane, channels, zeros, weight, first, w_step, start, out, to,
    out_plane, row_table, groups, column_table, columns, stride, dilation,
):  # fmt: skip
    """out[y, q] = start + sum over channels, i, j of weight[first + t * w_step] * x[...], for t = i
    * kw + j, over the rows and columns that the tables list.

    A line of the row table: offsets of `rows` output rows, then of the input rows that they read;
    output row r reads, for kernel row i, number r * unit + i of these.
    """
    lanes, ins = lanes_of(x.dtype.itemsize), (rows - 1) * unit + kh
    width = HEAD + masks_of(kw, step)
    for y, v in ((y, v) for y in range(groups) for v in range(columns)):
        line = column_table[v * width : (v + 1) * width]
        for r, lane in ((r, lane) for r in range(rows) for lane in range(lanes)):
            if not line[2] >> lane & 1:
                continue
            total = start
            for c, i, j in (
                (c, i, j) for c in range(channels) for i in range(kh) for j in range(kw)
            ):
                row = row_table[y * (rows + ins) + rows + r * unit + i]
                near = 2 * lane + j % 2 if step == 2 else lane
                if row >= 0 and line[HEAD + (j // 2 if step == 2 else j)] >> near & 1:
                    here = at + c * plane + row + line[0] + lane * stride + j * dilation
                    t = first + c * kh * kw + (i * kw + j) * w_step
                    total += weight[t] * x[here]
            out[to + row_table[y * (rows + ins) + r] + line[1] + lane] = total


@functools.cache
def plane_tile(kh: int, kw: int, rows: int, unit: int, step: int, summed: bool):
    """A plane of a convolution by a kh x kw kernel; see `plain_plane_tile`. If it is not `summed`
    over channels, weights and row pointers stay the same for all columns: 40% less time.
    """
    ins = (rows - 1) * unit + kh

    @vectorized(functools.partial(plain_plane_tile, kh, kw, rows, unit, step))
    def tile(
        _, x, at, plane, channels, zeros, weight, first, w_step, start, out, to, out_plane,
        row_table, groups, column_table, columns, stride, dilation,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (
                x_,
                at_,
                plane_,
                channels_,
                zeros_,
                weight_,
                first_,
                w_step_,
                start_,
                out_,
                to_,
                out_plane_,
                row_table_,
                groups_,
                column_table_,
                columns_,
                stride_,
                dilation_,
            ) = args
            vector, size = vector_of(x)
            x_, weight_, out_ = b.gep(x_, [at_]), b.gep(weight_, [first_]), b.gep(out_, [to_])
            # Two sums for each row: a multiply-add takes four cycles, so eight must be under way.
            zero = ir.Constant(vector, None)
            begin = [splat(b, start_, vector)] * rows + [zero] * (
                rows if rows <= 4 < kh * kw else 0
            )

            def weights_from(taps):
                places = [b.gep(taps, [b.mul(integer(t), w_step_)]) for t in range(kh * kw)]
                return [splat(b, b.load(place), vector) for place in places]

            def rows_from(plane):
                return {
                    a: row_pointer(b, b.gep(table, [integer(rows + a)]), plane, zeros_)
                    for a in users_of(kh, rows, unit)
                }

            def add_plane(sums, weights, lines):
                sums = list(sums)
                for a, users in users_of(kh, rows, unit).items():
                    found = load_taps(lines[a])
                    for j, pixels in enumerate(found):
                        for r, i in users:
                            n = (i * kw + j) % (len(sums) // rows) * rows + r
                            sums[n] = multiply_add(b, weights[i * kw + j], pixels, sums[n])
                return sums

            weights = None if summed else weights_from(weight_)
            y, _, close_rows = loop(b, groups_, [])
            table = b.gep(row_table_, [b.mul(y, integer(rows + ins))])
            lines = None if summed else rows_from(x_)
            targets = [b.gep(out_, [b.load(b.gep(table, [integer(r)]))]) for r in range(rows)]
            v, _, close_columns = loop(b, columns_, [])
            line = b.gep(column_table_, [b.mul(v, integer(HEAD + masks_of(kw, step)))])
            right, bits = (b.load(b.gep(line, [integer(i)])) for i in (1, 2))
            load_taps = taps_of(b, line, kw, step, stride_, dilation_, vector, size)
            if not summed:  # the same rows of the next plane, a line for each line used here
                ahead = [b.gep(lines[a], [plane_]) for a in lines if a >= kh - unit]
                ask_for(b, ahead, b.load(line), max(1, step), vector)
                ahead = [b.gep(target, [out_plane_]) for target in targets]
                ask_for(b, ahead, right, 1, vector, True)
            if summed:
                c, sums, close = loop(b, channels_, begin)
                source = b.gep(x_, [b.mul(c, plane_)])
                taps = b.gep(weight_, [b.mul(c, integer(kh * kw))])
                sums = close(add_plane(sums, weights_from(taps), rows_from(source)))
            else:
                sums = add_plane(begin, weights, lines)
            for n in range(rows, len(sums)):
                sums[n - rows] = add(b, sums[n - rows], sums[n])
            sums = sums[:rows]
            store_lanes(b, sums, [b.gep(target, [right]) for target in targets], bits, size)
            close_columns([])
            close_rows([])
            return context.get_dummy_value()

        i = types.intp
        kinds = (
            x, i, i, i, zeros, weight, i, i, x.dtype, out, i, i, row_table, i, column_table, i, i, i
        )  # fmt: skip
        return types.void(*kinds), codegen

    return tile


# -- input gradient of stride 2 --------------------------------------------------------------------
def reach_of(k: int, odd: int) -> tuple[int, int]:
    """The smallest and the largest shift from output-gradient element a that inputs 2a and 2a + 1
    read, with padding % 2 = odd: tap j of input 2a + e reads element a + (e + odd - j) / 2.
    """
    return -((k - 1 - odd) // 2), (1 + odd) // 2


def plain_spread_tile(
    kh, kw, rows, odd_h, odd_w, g, at, plane, channels, zeros, weight, first, out, to, out_plane,
    row_table, groups, column_table, columns,
):  # fmt: skip
    """out[y, q] = sum over channels and the taps that reach input (y, q) of weight * g, for stride
    2.

    A line of the row table: offsets of 2 * `rows` rows of the input (-1: none), then of the rows of
    g; the column table has a mask of 2 * lanes bits for the input, and one for each shift of g.
    """
    lanes, (low_h, high_h), (low_w, high_w) = (
        lanes_of(g.dtype.itemsize), reach_of(kh, odd_h), reach_of(kw, odd_w)
    )  # fmt: skip
    ins, width = rows + high_h - low_h, HEAD + high_w - low_w + 1
    for y, v in ((y, v) for y in range(groups) for v in range(columns)):
        line = column_table[v * width : (v + 1) * width]
        for r, q in ((r, q) for r in range(2 * rows) for q in range(2 * lanes)):
            place = row_table[y * (2 * rows + ins) + r]
            if place < 0 or not line[2] >> q & 1:
                continue
            total = out.dtype.type(0)
            for c, i, j in (
                (c, i, j) for c in range(channels) for i in range(kh) for j in range(kw)
            ):
                if (r + odd_h - i) % 2 or (q + odd_w - j) % 2:
                    continue
                shift = (q % 2 + odd_w - j) // 2 - low_w
                row = row_table[y * (2 * rows + ins) + 2 * rows + (r + odd_h - i) // 2 - low_h]
                if row >= 0 and line[HEAD + shift] >> q // 2 & 1:
                    pixel = g[at + c * plane + row + line[0] + shift + q // 2]
                    total += weight[first + c * kh * kw + i * kw + j] * pixel
            out[to + place + line[1] + q] = total


@functools.cache
def spread_tile(kh: int, kw: int, rows: int, odd_h: int, odd_w: int):
    """A plane of the input gradient for stride 2; see `plain_spread_tile`."""
    (low_h, high_h), (low_w, high_w) = reach_of(kh, odd_h), reach_of(kw, odd_w)
    ins, shifts = rows + high_h - low_h, high_w - low_w + 1

    @vectorized(functools.partial(plain_spread_tile, kh, kw, rows, odd_h, odd_w))
    def tile(
        _, g, at, plane, channels, zeros, weight, first, out, to, out_plane, row_table, groups,
        column_table, columns,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (g_, at_, plane_, channels_, zeros_, weight_, first_, out_, to_, out_plane_, row_table_,
             groups_, column_table_, columns_) = args  # fmt: skip
            vector, size = vector_of(g)
            lanes = vector.count
            g_, out_ = b.gep(g_, [at_]), b.gep(out_, [to_])
            one = integer(1)
            y, _, close_rows = loop(b, groups_, [])
            table = b.gep(row_table_, [b.mul(y, integer(2 * rows + ins))])
            v, _, close_columns = loop(b, columns_, [])
            line = b.gep(column_table_, [b.mul(v, integer(HEAD + shifts))])
            right, bits = (b.load(b.gep(line, [integer(i)])) for i in (1, 2))
            load_taps = taps_of(b, line, shifts, 1, one, one, vector, size)
            zero = ir.Constant(vector, None)
            c, sums, close = loop(b, channels_, [zero] * (4 * rows))
            source = b.gep(g_, [b.mul(c, plane_)])
            taps = b.gep(weight_, [b.add(first_, b.mul(c, integer(kh * kw)))])
            sums = list(sums)
            weights = [splat(b, b.load(b.gep(taps, [integer(t)])), vector) for t in range(kh * kw)]
            for a in range(ins):
                row = row_pointer(b, b.gep(table, [integer(2 * rows + a)]), source, zeros_)
                found = load_taps(row)
                for r, i in ((r, i) for r in range(2 * rows) for i in range(kh)):
                    if (r + odd_h - i) % 2 or (r + odd_h - i) // 2 - low_h != a:
                        continue
                    for e, j in ((e, j) for e in range(2) for j in range(kw)):
                        if (e + odd_w - j) % 2 == 0:
                            pixels = found[(e + odd_w - j) // 2 - low_w]
                            n, weight = 2 * r + e, weights[i * kw + j]
                            sums[n] = multiply_add(b, weight, pixels, sums[n])
            sums = close(sums)
            woven = indices(i // 2 + i % 2 * lanes for i in range(2 * lanes))
            lines = [b.load(b.gep(table, [integer(2 * rows + a)])) for a in range(ins - rows, ins)]
            ahead = b.gep(g_, [b.mul(channels_, plane_)])
            ask_for(b, [b.gep(ahead, [o]) for o in lines], b.load(line), 1, vector)
            for r in range(2 * rows):
                offset = b.load(b.gep(table, [integer(r)]))
                ahead = b.gep(out_, [b.add(offset, out_plane_)])
                ask_for(b, [ahead], right, 2, vector, True)
                with b.if_then(b.icmp_signed(">=", offset, integer(0))):
                    both = b.shuffle_vector(sums[2 * r], sums[2 * r + 1], woven)
                    place = b.gep(b.gep(out_, [offset]), [right])
                    store_lanes(b, [both], [place], bits, size)
            close_columns([])
            close_rows([])
            return context.get_dummy_value()

        i = types.intp
        kinds = (g, i, i, i, zeros, weight, i, out, i, i, row_table, i, column_table, i)
        return types.void(*kinds), codegen

    return tile


# -- weight gradient -------------------------------------------------------------------------------
def plain_taps_tile(
    kh, kw, rows, unit, step, g, g_at, g_next, x, at, x_next, zeros, sums, to, row_table, groups,
    column_table, columns, stride, dilation,
):  # fmt: skip
    """sums[to + t * lanes + lane] += g * x over the rows and columns that the tables list, for
    every tap t = i * kw + j; `plain_plane_tile` explains the tables. Lanes are columns of a vector.
    """
    lanes, ins = lanes_of(x.dtype.itemsize), (rows - 1) * unit + kh
    width = HEAD + masks_of(kw, step)
    for y, v in ((y, v) for y in range(groups) for v in range(columns)):
        line = column_table[v * width : (v + 1) * width]
        for i, j, r in ((i, j, r) for i in range(kh) for j in range(kw) for r in range(rows)):
            row = row_table[y * (rows + ins) + rows + r * unit + i]
            g_row = g_at + row_table[y * (rows + ins) + r] + line[1]
            for lane in range(lanes):
                near = 2 * lane + j % 2 if step == 2 else lane
                if row >= 0 and line[HEAD + (j // 2 if step == 2 else j)] >> near & 1:
                    pixel = x[at + row + line[0] + lane * stride + j * dilation]
                    sums[to + (i * kw + j) * lanes + lane] += g[g_row + lane] * pixel


@functools.cache
def taps_tile(kh: int, kw: int, rows: int, unit: int, step: int):
    """A plane of the weight gradient; see `plain_taps_tile`. All taps' sums stay in registers, as
    far as there are so many.
    """
    ins = (rows - 1) * unit + kh

    @vectorized(functools.partial(plain_taps_tile, kh, kw, rows, unit, step))
    def tile(
        _, g, g_at, g_next, x, at, x_next, zeros, sums, to, row_table, groups, column_table,
        columns, stride, dilation,
    ):  # fmt: skip
        def codegen(context, b, signature, args):
            (g_, g_at_, g_next_, x_, at_, x_next_, zeros_, sums_, to_, row_table_, groups_,
             column_table_, columns_, stride_, dilation_) = args  # fmt: skip
            vector, size = vector_of(x)
            x_, g_, places = b.gep(x_, [at_]), b.gep(g_, [g_at_]), b.gep(sums_, [to_])
            places = [b.gep(places, [integer(t * vector.count)]) for t in range(kh * kw)]
            state = [load(b, p, vector, size) for p in places]
            y, state, close_rows = loop(b, groups_, state)
            table = b.gep(row_table_, [b.mul(y, integer(rows + ins))])
            g_lines = [b.gep(g_, [b.load(b.gep(table, [integer(r)]))]) for r in range(rows)]
            x_lines = {
                a: row_pointer(b, b.gep(table, [integer(rows + a)]), x_, zeros_)
                for a in users_of(kh, rows, unit)
            }
            v, state, close = loop(b, columns_, state)
            line = b.gep(column_table_, [b.mul(v, integer(HEAD + masks_of(kw, step)))])
            right, bits = (b.load(b.gep(line, [integer(i)])) for i in (1, 2))
            load_taps = taps_of(b, line, kw, step, stride_, dilation_, vector, size)
            ask_for(b, [b.gep(g_line, [g_next_]) for g_line in g_lines], right, 1, vector)
            ahead = [b.gep(x_lines[a], [x_next_]) for a in x_lines if a >= kh - unit]
            ask_for(b, ahead, b.load(line), max(1, step), vector)
            mask = as_mask(b, bits, vector.count)
            g_rows = [load_where(b, b.gep(p, [right]), mask, vector, size) for p in g_lines]
            state = list(state)
            for a, users in users_of(kh, rows, unit).items():
                found = load_taps(x_lines[a])
                for r, i in users:
                    for t, pixels in enumerate(found, i * kw):
                        state[t] = multiply_add(b, g_rows[r], pixels, state[t])
            state = close_rows(close(state))
            for value, place in zip(state, places, strict=True):
                store(b, value, place, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = (g, i, i, x, i, i, zeros, sums, i, row_table, i, column_table, i, i, i)
        return types.void(*kinds), codegen

    return tile


def plain_sum_lanes(x, at):
    """x[at] + ... over the lanes of one vector."""
    return sum(x[at + i] for i in range(lanes_of(x.dtype.itemsize)))


@vectorized(plain_sum_lanes)
def sum_lanes(_, x, at):
    """The sum of one vector's lanes, in pairs."""

    def codegen(context, b, signature, args):
        vector, size = vector_of(x)
        return add_lanes(b, load(b, b.gep(args[0], [args[1]]), vector, size))

    return x.dtype(x, types.intp), codegen
