"""The register tile of attention, as LLVM vector code: the CPU kernels make every product of it.

Scores are kept transposed, keys by queries, so that a vector holds one key's scores of neighbouring
queries. Then the softmax needs no sums across lanes, and no operand of a product is packed but the
queries: the tile's other operand is read a number at a time, with any strides.

The plain twin defines what the tile computes, and runs in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    as_mask,
    cgutils,
    integer,
    ir,
    lanes_of,
    load_where,
    loop,
    multiply_add,
    splat,
    store_where,
    types,
    vector_of,
    vectorized,
)


def plain_product_tile(
    rows, vectors, a, a_at, a_row, a_step, used, b, b_at, b_pitch, depth, out, at, pitch, columns,
    add,
):  # fmt: skip
    """out[i, j] = sum_k a[i * a_row + k * a_step] * b[k * b_pitch + j], added to what is there if
    `add` is set.

    For the first `used` of `rows` rows, and as many of `columns` columns as `vectors` vectors hold.
    """
    for i in range(min(rows, used)):
        for j in range(min(vectors * lanes_of(b.dtype.itemsize), columns)):
            total = out.dtype.type(0)
            for k in range(depth):
                total += a[a_at + i * a_row + k * a_step] * b[b_at + k * b_pitch + j]
            out[at + i * pitch + j] = total + out[at + i * pitch + j] if add else total


@functools.cache
def product_tile(rows: int, vectors: int):
    """The tile of `rows` rows by `vectors` vectors; see `plain_product_tile`. depth > 0, used > 0.

    Per step of k: `vectors` loads, `rows` broadcasts, rows * vectors multiply-adds. Rows from
    `used` on repeat the last one, so that nothing outside of `a` is read.
    """

    @vectorized(functools.partial(plain_product_tile, rows, vectors))
    def tile(
        _, a, a_at, a_row, a_step, used, b, b_at, b_pitch, depth, out, at, pitch, columns, add
    ):
        def codegen(context, build, signature, args):
            (a_, a_at_, a_row_, a_step_, used_, b_, b_at_, b_pitch_, depth_, out_, at_, pitch_,
             columns_, add_) = args  # fmt: skip
            vector, size = vector_of(out)
            lanes = vector.count
            last = build.sub(used_, integer(1))
            first = build.gep(a_, [a_at_])
            lines = []
            for i in range(rows):
                i = integer(i)
                row = build.select(build.icmp_signed("<", i, last), i, last)
                lines.append(build.gep(first, [build.mul(row, a_row_)]))
            masks = [lane_mask(build, build.sub(columns_, integer(j * lanes)), lanes)
                     for j in range(vectors)]  # fmt: skip
            zero = ir.Constant(vector, None)
            start = [build.gep(b_, [b_at_]), *[zero] * (rows * vectors)]
            k, (line, *sums), close = loop(build, depth_, start)
            values = [
                load_where(build, build.gep(line, [integer(j * lanes)]), masks[j], vector, size)
                for j in range(vectors)
            ]
            step = build.mul(k, a_step_)
            new = []
            for i in range(rows):
                factor = splat(build, build.load(build.gep(lines[i], [step])), vector)
                for j in range(vectors):
                    new.append(multiply_add(build, factor, values[j], sums[i * vectors + j]))
            _, *sums = close([build.gep(line, [b_pitch_]), *new])
            # A loop over the sums in memory compiles faster than its unrolling.
            held = cgutils.alloca_once(build, vector, rows * vectors)
            for n, value in enumerate(sums):
                build.store(value, build.gep(held, [integer(n)]))
            target = build.gep(out_, [at_])
            i, _, close = loop(build, used_, [])
            for j in range(vectors):
                value = build.load(
                    build.gep(held, [build.add(build.mul(i, integer(vectors)), integer(j))])
                )
                where = build.gep(target, [build.add(build.mul(i, pitch_), integer(j * lanes))])
                keep = build.select(add_, masks[j], ir.Constant(masks[j].type, None))
                value = build.fadd(value, load_where(build, where, keep, vector, size))
                store_where(build, value, where, masks[j], size)
            close([])
            return context.get_dummy_value()

        i = types.intp
        kinds = (a, i, i, i, i, b, i, i, i, out, i, i, i, types.boolean)
        return types.void(*kinds), codegen

    return tile


def lane_mask(build, count, lanes):
    """The first `count` lanes (any number, also below zero) as a vector of booleans."""
    none, all_ = integer(0), integer(lanes)
    count = build.select(build.icmp_signed("<", count, none), none, count)
    count = build.select(build.icmp_signed("<", count, all_), count, all_)
    return as_mask(build, build.sub(build.shl(integer(1), count), integer(1)), lanes)
