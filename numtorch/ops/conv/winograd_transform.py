"""The transforms of Winograd's convolution F(4x4, 3x3), as LLVM vector code.

Four outputs of a 3-tap correlation are the middle of a product of polynomials. Evaluated at six
points (0, a, -a, b, -b and infinity) such a product takes 6 multiplications instead of 12, and in
two dimensions 36 instead of 144:

out = OUTPUT ((KERNEL w KERNEL') * (INPUT x INPUT')) OUTPUT'

for a 6x6 piece `x` of the input and the 4x4 outputs in its middle (Lavin and Gray, "Fast Algorithms
for Convolutional Neural Networks", 2015). So with `g`, the gradient of these outputs, the kernel's
gradient is the sum over all tiles of

KERNEL' ((OUTPUT' g OUTPUT) * (INPUT x INPUT')) KERNEL

Which points one takes decides about rounding: with 256
channels the largest error over the largest output is 1.1e-5 for the usual 1 and 2, and 2.6e-6 for
3/4 and 3/2, whose powers are exact, too.

The lanes of a vector are channels, so that images of any size fill them. An input is transformed
along its columns while it is still in rows of pixels, transposed, and transformed along its rows;
an output is transformed, then transposed. The plain twins say what each function computes.
"""

import functools

import numpy as np

from ...backends.cpu.simd import (
    as_mask,
    cgutils,
    constant,
    integer,
    lanes_of,
    load,
    load_where,
    loop,
    multiply_add,
    prefetch,
    splat,
    store,
    store_where,
    transpose,
    types,
    vector_of,
    vectorized,
)

A, B = 0.75, 1.5
AA, BB, POWERS = A * A, B * B, A * A + B * B
TO_A, TO_B = 1 / (2 * AA * (AA - BB)), 1 / (2 * BB * (BB - AA))

INPUT = np.array(
    [
        [AA * BB, 0, -POWERS, 0, 1, 0],
        [0, -A * BB, -BB, A, 1, 0],
        [0, A * BB, -BB, -A, 1, 0],
        [0, -B * AA, -AA, B, 1, 0],
        [0, B * AA, -AA, -B, 1, 0],
        [0, AA * BB, 0, -POWERS, 0, 1],
    ]
)
KERNEL = np.array(
    [
        [1 / (AA * BB), 0, 0],
        [TO_A, TO_A * A, TO_A * AA],
        [TO_A, -TO_A * A, TO_A * AA],
        [TO_B, TO_B * B, TO_B * BB],
        [TO_B, -TO_B * B, TO_B * BB],
        [0, 0, 1],
    ]
)
OUTPUT = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, A, -A, B, -B, 0],
        [0, AA, AA, BB, BB, 0],
        [0, A * AA, -A * AA, B * BB, -B * BB, 1],
    ]
)


GRADIENT, KERNEL_GRADIENT = OUTPUT.T, KERNEL.T


def scaled(b, x, factor):
    """x times a number, for a vector."""
    return b.fmul(x, constant(x.type, factor))


def add(b, x, factor, y):
    """x times a number, plus y."""
    return multiply_add(b, x, constant(x.type, factor), y)


def transform_input(b, d):
    """INPUT d, for six vectors: 12 multiply-adds."""
    even_a, odd_a = add(b, d[2], -BB, d[4]), add(b, d[1], -BB, d[3])
    even_b, odd_b = add(b, d[2], -AA, d[4]), add(b, d[1], -AA, d[3])
    return [
        add(b, d[0], AA * BB, add(b, d[2], -POWERS, d[4])),
        add(b, odd_a, A, even_a),
        add(b, odd_a, -A, even_a),
        add(b, odd_b, B, even_b),
        add(b, odd_b, -B, even_b),
        add(b, d[1], AA * BB, add(b, d[3], -POWERS, d[5])),
    ]


def transform_kernel(b, w):
    """KERNEL w, for three vectors."""
    even_a, even_b = (
        add(b, w[2], TO_A * AA, scaled(b, w[0], TO_A)),
        add(b, w[2], TO_B * BB, scaled(b, w[0], TO_B)),
    )
    return [
        scaled(b, w[0], 1 / (AA * BB)),
        add(b, w[1], TO_A * A, even_a),
        add(b, w[1], -TO_A * A, even_a),
        add(b, w[1], TO_B * B, even_b),
        add(b, w[1], -TO_B * B, even_b),
        w[2],
    ]


def transform_output(b, m):
    """OUTPUT m, for six vectors."""
    even_a, odd_a = b.fadd(m[1], m[2]), b.fsub(m[1], m[2])
    even_b, odd_b = b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    return [
        b.fadd(b.fadd(m[0], even_a), even_b),
        add(b, odd_a, A, scaled(b, odd_b, B)),
        add(b, even_a, AA, scaled(b, even_b, BB)),
        add(b, odd_a, A * AA, add(b, odd_b, B * BB, m[5])),
    ]


def transform_gradient(b, g):
    """GRADIENT g, for four vectors."""
    even_a, odd_a = add(b, g[2], AA, g[0]), add(b, g[3], AA, g[1])
    even_b, odd_b = add(b, g[2], BB, g[0]), add(b, g[3], BB, g[1])
    return [
        g[0],
        add(b, odd_a, A, even_a),
        add(b, odd_a, -A, even_a),
        add(b, odd_b, B, even_b),
        add(b, odd_b, -B, even_b),
        g[3],
    ]


def transform_kernel_gradient(b, m):
    """KERNEL_GRADIENT m, for six vectors."""
    even_a, odd_a = b.fadd(m[1], m[2]), b.fsub(m[1], m[2])
    even_b, odd_b = b.fadd(m[3], m[4]), b.fsub(m[3], m[4])
    return [
        add(b, m[0], 1 / (AA * BB), add(b, even_a, TO_A, scaled(b, even_b, TO_B))),
        add(b, odd_a, TO_A * A, scaled(b, odd_b, TO_B * B)),
        add(b, even_a, TO_A * AA, add(b, even_b, TO_B * BB, m[5])),
    ]


def plain_columns(
    matrix, x, at, plane, width, top, bottom, mask, channels, stage, to, pitch
):  # fmt: skip
    """stage[r, pixel, channel] = sum_i matrix[r, i] * x[channel, i, pixel], for a vector of pixels.

    Zero are rows outside of top ... bottom, pixels that `mask` leaves out, and channels from
    `channels` on. `pitch` elements from one row of `stage` to the next.
    """
    lanes = lanes_of(x.dtype.itemsize)
    for c in range(lanes):
        for lane in range(lanes):
            rows = np.zeros(matrix.shape[1])
            if c < channels and mask >> lane & 1:
                for i in range(top, bottom):
                    rows[i] = x[at + c * plane + i * width + lane]
            for r in range(6):
                stage[to + r * pitch + lane * lanes + c] = matrix[r] @ rows


def columns_tile(matrix, transform):
    """Transform the columns of a vector of pixels, and transpose: see `plain_columns`."""
    reach = matrix.shape[1]

    @vectorized(functools.partial(plain_columns, matrix))
    def tile(_, x, at, plane, width, top, bottom, mask, channels, stage, to, pitch):
        def codegen(context, b, signature, args):
            (x_, at_, plane_, width_, top_, bottom_, mask_, channels_, stage_, to_, pitch_) = args
            vector, size = vector_of(x)
            lanes = vector.count
            held = cgutils.alloca_once(b, vector, 6 * lanes)  # [row][channel]
            with b.if_then(b.icmp_signed("<", channels_, integer(lanes))):
                i, _, close = loop(b, integer(6 * lanes), [])
                b.store(constant(vector, 0.0), b.gep(held, [i]))
                close([])
            masks = []
            for i in map(integer, range(reach)):
                there = b.and_(b.icmp_signed("<=", top_, i), b.icmp_signed("<", i, bottom_))
                masks.append(as_mask(b, b.select(there, mask_, integer(0)), lanes))
            c, _, close = loop(b, channels_, [])
            first = b.gep(x_, [b.add(at_, b.mul(c, plane_))])
            rows = [b.gep(first, [b.mul(width_, integer(i))]) for i in range(reach)]
            rows = [load_where(b, p, m, vector, size) for p, m in zip(rows, masks, strict=True)]
            for r, value in enumerate(transform(b, rows)):
                b.store(value, b.gep(held, [b.add(c, integer(r * lanes))]))
            close([])
            r, _, close = loop(b, integer(6), [])
            row = b.gep(held, [b.mul(r, integer(lanes))])
            target = b.gep(stage_, [b.add(to_, b.mul(r, pitch_))])
            pixels = transpose(b, [b.load(b.gep(row, [integer(c)])) for c in range(lanes)])
            for pixel, value in enumerate(pixels):
                store(b, value, b.gep(target, [integer(pixel * lanes)]), size)
            close([])
            return context.get_dummy_value()

        i = types.intp
        return types.void(x, i, i, i, i, i, i, i, stage, i, i), codegen

    return tile


def plain_rows(matrix, stage, at, pitch, tiles, v, to, step):
    """v[r, j, tile, channel] = sum_i matrix[j, i] * stage[r, 4 * tile + i, channel]; `step`
    elements from one of the 36 (r, j) to the next.
    """
    lanes = lanes_of(v.dtype.itemsize)
    for tile in range(tiles):
        for r in range(6):
            for lane in range(lanes):
                from_ = at + r * pitch + 4 * tile * lanes + lane
                row = np.array([stage[from_ + i * lanes] for i in range(matrix.shape[1])])
                for j in range(6):
                    v[to + (6 * r + j) * step + tile * lanes + lane] = matrix[j] @ row


def rows_tile(matrix, transform):
    """Transform the rows of neighbouring tiles: see `plain_rows`."""
    reach = matrix.shape[1]

    @vectorized(functools.partial(plain_rows, matrix))
    def tile(_, stage, at, pitch, tiles, v, to, step):
        def codegen(context, b, signature, args):
            stage_, at_, pitch_, tiles_, v_, to_, step_ = args
            vector, size = vector_of(v)
            lanes = vector.count
            tile, _, close = loop(b, tiles_, [])
            source = b.gep(stage_, [b.add(at_, b.mul(tile, integer(4 * lanes)))])
            target = b.gep(v_, [b.add(to_, b.mul(tile, integer(lanes)))])
            r, _, close_row = loop(b, integer(6), [])
            row = b.gep(source, [b.mul(r, pitch_)])
            values = [load(b, b.gep(row, [integer(i * lanes)]), vector, size) for i in range(reach)]
            row = b.gep(target, [b.mul(b.mul(r, integer(6)), step_)])
            for j, value in enumerate(transform(b, values)):
                store(b, value, b.gep(row, [b.mul(step_, integer(j))]), size)
            close_row([])
            close([])
            return context.get_dummy_value()

        i = types.intp
        return types.void(stage, i, i, i, v, i, i), codegen

    return tile


input_columns, input_rows = (make(INPUT, transform_input) for make in (columns_tile, rows_tile))
gradient_columns, gradient_rows = (
    make(GRADIENT, transform_gradient) for make in (columns_tile, rows_tile)
)


def plain_kernel_points(w, at, pitch, count, flip, ahead, u, to, step):
    """u[r, j, lane] = (KERNEL w[lane] KERNEL')[r, j], for a vector of kernels `pitch` apart, of
    which there are `count`; rotated by 180 degrees if `flip`. Those `ahead` of them are fetched
    into the cache.
    """
    for lane in range(lanes_of(u.dtype.itemsize)):
        kernel = np.zeros(9)
        if lane < count:
            kernel = np.array([w[at + lane * pitch + i] for i in range(9)])
        kernel = kernel[::-1] if flip else kernel
        for i, value in enumerate((KERNEL @ kernel.reshape(3, 3) @ KERNEL.T).ravel()):
            u[to + i * step + lane] = value


@vectorized(plain_kernel_points)
def kernel_points(_, w, at, pitch, count, flip, ahead, u, to, step):
    """Transform a vector of 3x3 kernels: see `plain_kernel_points`."""

    def codegen(context, b, signature, args):
        w_, at_, pitch_, count_, flip_, ahead_, u_, to_, step_ = args
        vector, size = vector_of(u)
        lanes = vector.count
        first, taps = b.gep(w_, [at_]), []
        kernels = [b.gep(first, [b.mul(pitch_, integer(i))]) for i in range(lanes)]
        for kernel in kernels:
            prefetch(b, b.gep(kernel, [ahead_]))
        exist = [b.icmp_signed("<", integer(i), count_) for i in range(lanes)]
        for start in range(0, 9, lanes):
            bits = (1 << min(lanes, 9 - start)) - 1
            masks = [b.select(e, integer(bits), integer(0)) for e in exist]
            rows = [
                load_where(b, b.gep(k, [integer(start)]), as_mask(b, m, lanes), vector, size)
                for k, m in zip(kernels, masks, strict=True)
            ]
            taps += transpose(b, rows)
        flipped = b.icmp_signed("!=", flip_, integer(0))
        taps = [b.select(flipped, taps[8 - i], taps[i]) for i in range(9)]
        columns = [transform_kernel(b, taps[i::3]) for i in range(3)]
        target = b.gep(u_, [to_])
        for r in range(6):
            for j, value in enumerate(transform_kernel(b, [column[r] for column in columns])):
                store(b, value, b.gep(target, [b.mul(step_, integer(6 * r + j))]), size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, i, i, i, i, u, i, i), codegen


def plain_output_tile(m, at, step, biases, bias, stage, to):
    """stage[i, j, channel] = (OUTPUT m[channel] OUTPUT')[i, j] + bias[channel], for one tile; a row
    of `stage` has as many pixels as a vector has lanes.
    """
    lanes = lanes_of(m.dtype.itemsize)
    for lane in range(lanes):
        points = np.array([m[at + i * step + lane] for i in range(36)]).reshape(6, 6)
        found = OUTPUT @ points @ OUTPUT.T + biases[bias + lane]
        for i in range(4):
            for j in range(4):
                stage[to + (i * lanes + j) * lanes + lane] = found[i, j]


@vectorized(plain_output_tile)
def output_tile(_, m, at, step, biases, bias, stage, to):
    """Transform one tile of a vector of output channels: see `plain_output_tile`."""

    def codegen(context, b, signature, args):
        m_, at_, step_, biases_, bias_, stage_, to_ = args
        vector, size = vector_of(m)
        lanes = vector.count
        source, target = b.gep(m_, [at_]), b.gep(stage_, [to_])
        add = load(b, b.gep(biases_, [bias_]), vector, size)
        columns = []
        for j in range(6):
            points = [b.gep(source, [b.mul(step_, integer(6 * i + j))]) for i in range(6)]
            columns.append(transform_output(b, [load(b, p, vector, size) for p in points]))
        for i in range(4):
            for j, value in enumerate(transform_output(b, [column[i] for column in columns])):
                where = b.gep(target, [integer((i * lanes + j) * lanes)])
                store(b, b.fadd(value, add), where, size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(m, i, i, biases, i, stage, i), codegen


def plain_output_rows(stage, at, out, to, plane, width, rows, channels, mask):
    """out[channel, i, pixel] = stage[i, pixel, channel], for `rows` rows of a vector of pixels and
    the first `channels` channels; pixels that `mask` leaves out are not stored.
    """
    lanes = lanes_of(out.dtype.itemsize)
    for i in range(rows):
        for c in range(channels):
            for pixel in range(lanes):
                if mask >> pixel & 1:
                    value = stage[at + (i * lanes + pixel) * lanes + c]
                    out[to + c * plane + i * width + pixel] = value


@vectorized(plain_output_rows)
def output_rows(_, stage, at, out, to, plane, width, rows, channels, mask):
    """Transpose and store a vector of pixels of up to four rows: see `plain_output_rows`."""

    def codegen(context, b, signature, args):
        stage_, at_, out_, to_, plane_, width_, rows_, channels_, mask_ = args
        vector, size = vector_of(out)
        lanes = vector.count
        held = cgutils.alloca_once(b, vector, lanes)
        kept = as_mask(b, mask_, lanes)
        i, _, close = loop(b, rows_, [])
        source = b.gep(stage_, [b.add(at_, b.mul(i, integer(lanes * lanes)))])
        pixels = [load(b, b.gep(source, [integer(p * lanes)]), vector, size) for p in range(lanes)]
        for c, value in enumerate(transpose(b, pixels)):
            b.store(value, b.gep(held, [integer(c)]))
        target = b.gep(out_, [b.add(to_, b.mul(i, width_))])
        c, _, close_channel = loop(b, channels_, [])
        value = b.load(b.gep(held, [c]))
        store_where(b, value, b.gep(target, [b.mul(c, plane_)]), kept, size)
        close_channel([])
        close([])
        return context.get_dummy_value()

    i = types.intp
    return types.void(stage, i, out, i, i, i, i, i, i), codegen


VECTORS = 2  # of the columns of a product's tile


def plain_product_tile(rows, v, at, group, u, to_u, channels, m, to, panel, accumulate, ahead):
    """m[j, row, lane] = sum_c v[c // lanes, row, c % lanes] * u[c, j, lane], added to what is there
    if `accumulate`, for `rows` rows and VECTORS vectors.

    `group` elements from one vector of channels to the next in `v`, `panel` in `m`. What comes next
    in `u`, from `ahead` on, is fetched into the cache.
    """
    lanes = lanes_of(m.dtype.itemsize)
    for j in range(VECTORS):
        for row in range(rows):
            for lane in range(lanes):
                where = to + j * panel + row * lanes + lane
                total = m[where] if accumulate else m.dtype.type(0)
                for c in range(channels):
                    value = v[at + c // lanes * group + row * lanes + c % lanes]
                    total += value * u[to_u + (c * VECTORS + j) * lanes + lane]
                m[where] = total


@functools.cache
def product_tile(rows: int):
    """The tile of the product at one of the 36 points: see `plain_product_tile`.

    Per channel `rows` broadcasts, which are operands of the multiply-adds, and two loads.
    """

    @vectorized(functools.partial(plain_product_tile, rows))
    def tile(_, v, at, group, u, to_u, channels, m, to, panel, accumulate, ahead):
        def codegen(context, b, signature, args):
            (v_, at_, group_, u_, to_u_, channels_, m_, to_, panel_, accumulate_, ahead_) = args
            vector, size = vector_of(m)
            lanes = vector.count
            target = b.gep(m_, [to_])
            targets = [
                b.gep(target, [b.add(b.mul(panel_, integer(j)), integer(row * lanes))])
                for row in range(rows)
                for j in range(VECTORS)
            ]
            added = b.icmp_signed("!=", accumulate_, integer(0))
            added = as_mask(b, b.select(added, integer(-1), integer(0)), lanes)
            sums = [load_where(b, t, added, vector, size) for t in targets]
            weights, next_weights = b.gep(u_, [to_u_]), b.gep(u_, [ahead_])
            c, state, close = loop(b, channels_, [b.gep(v_, [at_]), *sums])
            here, sums = state[0], state[1:]
            first = b.gep(weights, [b.mul(c, integer(VECTORS * lanes))])
            columns = [
                load(b, b.gep(first, [integer(j * lanes)]), vector, size) for j in range(VECTORS)
            ]
            prefetch(b, b.gep(next_weights, [b.mul(c, integer(lanes))]))
            new = []
            for row in range(rows):
                value = splat(b, b.load(b.gep(here, [integer(row * lanes)])), vector)
                line = sums[row * VECTORS : (row + 1) * VECTORS]
                new += [multiply_add(b, value, w, s) for w, s in zip(columns, line, strict=True)]
            last = b.icmp_signed("==", b.and_(c, integer(lanes - 1)), integer(lanes - 1))
            step = b.select(last, b.sub(group_, integer(lanes - 1)), integer(1))
            new = close([b.gep(here, [step]), *new])
            for value, t in zip(new[1:], targets, strict=True):
                store(b, value, t, size)
            return context.get_dummy_value()

        i = types.intp
        return types.void(v, i, i, u, i, i, m, i, i, i, i), codegen

    return tile


def plain_sum_tile(rows, v, at, h, from_, group, tiles, m, to, pitch, fresh):
    """m[i, j, lane] = sum over tiles t of v[t, i] * h[j, t, lane], added to what is there if it is
    not `fresh` memory; `rows` neighbouring channels i of a vector, and VECTORS vectors j.

    `group` elements from one vector of channels to the next in `h`, `pitch` from row to row of `m`.
    """
    lanes = lanes_of(m.dtype.itemsize)
    for i in range(rows):
        for j in range(VECTORS):
            for lane in range(lanes):
                where = to + i * pitch + j * lanes + lane
                total = m.dtype.type(0)
                for t in range(tiles):
                    total += v[at + t * lanes + i] * h[from_ + j * group + t * lanes + lane]
                m[where] = total if fresh else m[where] + total


@functools.cache
def sum_tile(rows: int):
    """The tile of the kernel gradient's product at one of the 36 points: see `plain_sum_tile`."""

    @vectorized(functools.partial(plain_sum_tile, rows))
    def tile(_, v, at, h, from_, group, tiles, m, to, pitch, fresh):
        def codegen(context, b, signature, args):
            v_, at_, h_, from__, group_, tiles_, m_, to_, pitch_, fresh_ = args
            vector, size = vector_of(m)
            lanes = vector.count
            v_, m_ = b.gep(v_, [at_]), b.gep(m_, [to_])
            columns = [
                b.gep(h_, [b.add(from__, b.mul(group_, integer(j)))]) for j in range(VECTORS)
            ]
            zero = constant(vector, 0.0)
            t, sums, close = loop(b, tiles_, [zero] * (rows * VECTORS))
            offset = b.mul(t, integer(lanes))
            gradients = [load(b, b.gep(p, [offset]), vector, size) for p in columns]
            here, new = b.gep(v_, [offset]), []
            for i in range(rows):
                value = splat(b, b.load(b.gep(here, [integer(i)])), vector)
                line = sums[i * VECTORS : (i + 1) * VECTORS]
                new += [multiply_add(b, value, g, s) for g, s in zip(gradients, line, strict=True)]
            sums = close(new)
            known = as_mask(b, b.select(fresh_, integer(0), integer(-1)), lanes)
            for n, total in enumerate(sums):
                offset = b.add(b.mul(pitch_, integer(n // VECTORS)), integer(n % VECTORS * lanes))
                place = b.gep(m_, [offset])
                before = load_where(b, place, known, vector, size)
                store(b, b.fadd(before, total), place, size)
            return context.get_dummy_value()

        i = types.intp
        return types.void(v, i, h, i, i, i, m, i, i, types.boolean), codegen

    return tile


def plain_kernel_gradient(m, at, step, stage, to):
    """stage[i, lane] = (KERNEL_GRADIENT m[lane] KERNEL_GRADIENT')[i], for the 9 taps i."""
    lanes = lanes_of(m.dtype.itemsize)
    for lane in range(lanes):
        points = np.array([m[at + i * step + lane] for i in range(36)]).reshape(6, 6)
        for i, value in enumerate((KERNEL_GRADIENT @ points @ KERNEL_GRADIENT.T).ravel()):
            stage[to + i * lanes + lane] = value


@vectorized(plain_kernel_gradient)
def kernel_gradient(_, m, at, step, stage, to):
    """Transform the gradients of a vector of kernels: see `plain_kernel_gradient`."""

    def codegen(context, b, signature, args):
        m_, at_, step_, stage_, to_ = args
        vector, size = vector_of(m)
        source, target = b.gep(m_, [at_]), b.gep(stage_, [to_])
        columns = []
        for j in range(6):
            points = [b.gep(source, [b.mul(step_, integer(6 * i + j))]) for i in range(6)]
            points = [load(b, p, vector, size) for p in points]
            columns.append(transform_kernel_gradient(b, points))
        for i in range(3):
            found = transform_kernel_gradient(b, [column[i] for column in columns])
            for j, value in enumerate(found):
                store(b, value, b.gep(target, [integer((3 * i + j) * vector.count)]), size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(m, i, i, stage, i), codegen
