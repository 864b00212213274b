"""The register tile of attention, as LLVM vector code: the CPU kernels make every product of it.

Scores are kept transposed, keys by queries, so that a vector holds one key's scores of neighbouring
queries. Then the softmax needs no sums across lanes, and no operand of a product is packed but the
queries: the tile's other operand is read a number at a time, with any strides.

The plain twin defines what the tile computes, and runs in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    as_mask,
    integer,
    ir,
    lanes_of,
    load,
    load_where,
    loop,
    multiply_add,
    splat,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)


def plain_product_tile(
    rows, vectors, add, a, a_at, a_row, a_step, used, b, b_at, b_pitch, depth, out, at, pitch,
    columns,
):  # fmt: skip
    """out[i, j] = sum_k a[i * a_row + k * a_step] * b[k * b_pitch + j], added to what is there if
    `add` is set.

    For the first `used` of `rows` rows, and as many of `columns` columns as `vectors` vectors hold.
    """
    for i in range(min(rows, used)):
        for j in range(min(vectors * lanes_of(b.dtype.itemsize), columns)):
            total = out[at + i * pitch + j] if add else out.dtype.type(0)
            for k in range(depth):
                total += a[a_at + i * a_row + k * a_step] * b[b_at + k * b_pitch + j]
            out[at + i * pitch + j] = total


@functools.cache
def product_tile(rows: int, vectors: int, add: bool, whole: bool):
    """The tile of `rows` rows by `vectors` vectors; see `plain_product_tile`. depth > 0, used > 0.

    Per step of k: `vectors` loads, `rows` broadcasts, rows * vectors multiply-adds. Rows from
    `used` on repeat the last one, so that nothing outside of `a` is read. `whole` is for products
    whose columns fill every vector: masked loads make the 8 x 2 tile 8% slower (168 GFLOP/s instead
    of 182 on one core with AVX-512).
    """

    @vectorized(functools.partial(plain_product_tile, rows, vectors, add))
    def tile(_, a, a_at, a_row, a_step, used, b, b_at, b_pitch, depth, out, at, pitch, columns):
        def codegen(context, build, signature, args):
            (a_, a_at_, a_row_, a_step_, used_, b_, b_at_, b_pitch_, depth_, out_, at_, pitch_,
             columns_) = args  # fmt: skip
            vector, size = vector_of(out)
            lanes = vector.count
            masks = [
                lane_mask(build, build.sub(columns_, integer(j * lanes)), lanes)
                for j in range(vectors)
            ]

            def read(line, j):
                where = build.gep(line, [integer(j * lanes)])
                if whole:
                    return load(build, where, vector, size)
                return load_where(build, where, masks[j], vector, size)

            def write(value, line, j):
                where = build.gep(line, [integer(j * lanes)])
                if whole:
                    store(build, value, where, size)
                else:
                    store_where(build, value, where, masks[j], size)

            last = build.sub(used_, integer(1))
            first, target = build.gep(a_, [a_at_]), build.gep(out_, [at_])
            lines, targets = [], []
            for i in range(rows):
                row = build.select(build.icmp_signed("<", integer(i), last), integer(i), last)
                lines.append(build.gep(first, [build.mul(row, a_row_)]))
                targets.append(build.gep(target, [build.mul(row, pitch_)]))
            zero = ir.Constant(vector, None)
            start = [read(t, j) if add else zero for t in targets for j in range(vectors)]
            k, (line, *sums), close = loop(build, depth_, [build.gep(b_, [b_at_]), *start])
            values = [read(line, j) for j in range(vectors)]
            step = build.mul(k, a_step_)
            new = []
            for i in range(rows):
                factor = splat(build, build.load(build.gep(lines[i], [step])), vector)
                for j in range(vectors):
                    new.append(multiply_add(build, factor, values[j], sums[i * vectors + j]))
            _, *sums = close([build.gep(line, [b_pitch_]), *new])
            # Rows from `used` on have the sums of the last one: writing them, too, changes nothing.
            for n, value in enumerate(sums):
                write(value, targets[n // vectors], n % vectors)
            return context.get_dummy_value()

        i = types.intp
        kinds = (a, i, i, i, i, b, i, i, i, out, i, i, i)
        return types.void(*kinds), codegen

    return tile


def lane_mask(build, count, lanes):
    """The first `count` lanes (any number, also below zero) as a vector of booleans."""
    none, all_ = integer(0), integer(lanes)
    count = build.select(build.icmp_signed("<", count, none), none, count)
    count = build.select(build.icmp_signed("<", count, all_), count, all_)
    return as_mask(build, build.sub(build.shl(integer(1), count), integer(1)), lanes)
