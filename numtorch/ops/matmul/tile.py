"""The register tile of a product of matrices, and the packing of its operands, as LLVM vector code.

The plain twin defines what the tile computes, and runs in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    add,
    as_mask,
    integer,
    ir,
    lanes_of,
    load,
    load_where,
    loop,
    multiply_add,
    prefetch,
    registers,
    splat,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)

# Of 32 registers, 24 hold sums, 3 a row of the second operand, one an element of the first, one the
# mask of the last columns; of 16, 12 hold sums and 2 the row.
ROWS, VECTORS = (8, 3) if registers()[1] >= 32 else (6, 2)
GROUP = 8  # strips of ROWS rows of a transposed first operand that are packed together
PAD = (1 << (ROWS - 1).bit_length()) - ROWS  # elements behind each of them, see `packed`
AHEAD = 8  # steps of k that rows of b are asked for ahead: 20x512x512 takes 0.78 of the time


def plain_product_tile(
    vectors, a, at, am, ak, used, b, base, bk, k, first, begin, pitch_first, out, to, pitch, width
):
    """out[i, j] = first[i, j] + sum over l < k of a[i, l] * b[l, j], for i < used and j < width.

    a[i, l] lies at `at` + i * am + l * ak, b[l, j] at `base` + l * bk + j, and first[i, j] and
    out[i, j] at `begin` and `to` + i * their pitch + j.
    """
    T = out.dtype.type
    for i in range(used):
        for j in range(width):
            total = T(0)
            for l in range(k):  # noqa: E741 (the contracted index)
                total = T(total + T(a[at + i * am + l * ak] * b[base + l * bk + j]))
            out[to + i * pitch + j] = T(total + first[begin + i * pitch_first + j])


@functools.cache
def product_tile(vectors: int, height: int = ROWS):
    """The tile of `height` rows by `vectors` vectors of columns; k, used and width are positive.

    Per step of k: `vectors` loads, `height` broadcasts, height * vectors multiply-adds. Rows from
    `used` on repeat the last one and are not stored; the last vector is masked.
    """

    @vectorized(functools.partial(plain_product_tile, vectors))
    def tile(_, a, at, am, ak, used, b, base, bk, k, first, begin, pitch_first, out, to, pitch,
             width):  # fmt: skip
        def codegen(context, builder, signature, args):
            (a_, at_, am_, ak_, used_, b_, base_, bk_, k_, first_, begin_, pitch_first_, out_, to_,
             pitch_, width_) = args  # fmt: skip
            vector, size = vector_of(out)
            lanes, last = vector.count, builder.sub(used_, integer(1))
            rest = builder.sub(width_, integer((vectors - 1) * lanes))
            ones = builder.sub(builder.shl(integer(1), rest), integer(1))
            mask = as_mask(builder, ones, lanes)

            def row_of(pointer, offset, pitch, i):
                return builder.gep(pointer, [builder.add(offset, builder.mul(i, pitch))])

            def vectors_at(pointer):
                places = [builder.gep(pointer, [integer(v * lanes)]) for v in range(vectors)]
                found = [load(builder, p, vector, size) for p in places[:-1]]
                return [*found, load_where(builder, places[-1], mask, vector, size)]

            rows = [integer(i) for i in range(height)]
            rows = [builder.select(builder.icmp_signed("<", i, last), i, last) for i in rows]
            lines = [row_of(a_, at_, am_, i) for i in rows]
            targets = [row_of(out_, to_, pitch_, i) for i in rows]
            for target in targets:
                for first_of_line in range(0, vectors * lanes, 64 // size):
                    prefetch(builder, builder.gep(target, [integer(first_of_line)]), write=True)
            columns = builder.gep(b_, [base_])
            step, sums, close = loop(builder, k_, [ir.Constant(vector, None)] * (height * vectors))
            right = vectors_at(builder.gep(columns, [builder.mul(step, bk_)]))
            later = builder.gep(columns, [builder.mul(builder.add(step, integer(AHEAD)), bk_)])
            for first_of_line in range(0, vectors * lanes, 64 // size):
                prefetch(builder, builder.gep(later, [integer(first_of_line)]))
            along = builder.mul(step, ak_)
            new = []
            for i, line in enumerate(lines):
                left = splat(builder, builder.load(builder.gep(line, [along])), vector)
                partial = sums[i * vectors : (i + 1) * vectors]
                pairs = zip(right, partial, strict=True)
                new += [multiply_add(builder, left, r, s) for r, s in pairs]
            sums = close(new)
            start = [v for i in rows for v in vectors_at(row_of(first_, begin_, pitch_first_, i))]
            totals = [add(builder, *pair) for pair in zip(sums, start, strict=True)]
            # Rows that repeat the last one hold its sums: all are read before any is stored.
            for i, total in enumerate(totals):
                place = builder.gep(targets[i // vectors], [integer(i % vectors * lanes)])
                if i % vectors < vectors - 1:
                    store(builder, total, place, size)
                else:
                    store_where(builder, total, place, mask, size)
            return context.get_dummy_value()

        i = types.intp
        kinds = (a, i, i, i, i, b, i, i, i, first, i, i, out, i, i, i)
        return types.void(*kinds), codegen

    return tile


def plain_packed(chunks, width, pad, x, at, pitch, out, to, count, used):
    """out[to + c * (count * width + pad) + l * width + j] = x[at + l * pitch + c * width + j], for
    l < count and the `chunks` chunks of `width` columns; 0 from column `used` on.
    """
    for c in range(chunks):
        for l in range(count):  # noqa: E741 (as in the products)
            for j in range(width):
                column = c * width + j
                place = to + c * (count * width + pad) + l * width + j
                out[place] = x[at + l * pitch + column] if column < used else 0


@functools.cache
def packed(chunks: int, vectors: int):
    """`plain_packed` for chunks of `vectors` vectors, or of ROWS columns if that is 0; count and
    used are positive.

    A row of a chunk is stored as a whole power of 2 of elements: the next row covers what is too
    much, and PAD the last one's.
    """

    def plain(x, *args):
        width = vectors * lanes_of(x.dtype.itemsize)
        plain_packed(chunks, width or ROWS, 0 if vectors else PAD, x, *args)

    @vectorized(plain)
    def rows(_, x, at, pitch, out, to, count, used):
        def codegen(context, b, signature, args):
            x_, at_, pitch_, out_, to_, count_, used_ = args
            vector, size = vector_of(x)
            width, pad = vectors * vector.count, 0
            if not vectors:
                vector = ir.VectorType(vector.element, ROWS + PAD)
                width, pad = ROWS, PAD
            lanes = vector.count
            places = [(c, v) for c in range(chunks) for v in range(0, width, lanes)]
            masks = []
            for c, v in places:
                rest = b.sub(used_, integer(c * width + v))
                rest = b.select(b.icmp_signed("<", rest, integer(lanes)), rest, integer(lanes))
                rest = b.select(b.icmp_signed(">", rest, integer(0)), rest, integer(0))
                masks.append(as_mask(b, b.sub(b.shl(integer(1), rest), integer(1)), lanes))
            source, target = b.gep(x_, [at_]), b.gep(out_, [to_])
            apart = b.add(b.mul(count_, integer(width)), integer(pad))
            i, _, close = loop(b, count_, [])
            row = b.gep(source, [b.mul(i, pitch_)])
            line = b.gep(target, [b.mul(i, integer(width))])
            for (c, v), mask in zip(places, masks, strict=True):
                part = load_where(b, b.gep(row, [integer(c * width + v)]), mask, vector, size)
                place = b.add(b.mul(apart, integer(c)), integer(v))
                store(b, part, b.gep(line, [place]), size)
            close([])
            return context.get_dummy_value()

        i = types.intp
        return types.void(x, i, i, out, i, i, i), codegen

    return rows
