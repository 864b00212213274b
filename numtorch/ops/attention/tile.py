"""The register tile of attention, as LLVM vector code: the CPU kernels make every product of it.

Scores are kept transposed, keys by queries, so that a vector holds one key's scores of neighbouring
queries. Then the softmax needs no sums across lanes, and no operand of a product is packed but the
queries: the tile's other operand is read a number at a time, with any strides.

The plain twin defines what the tile computes, and runs in its place under `NUMBA_DISABLE_JIT=1`.
"""

import functools

from ...backends.cpu.simd import (
    I64,
    as_mask,
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
    store_where,
    types,
    vector_of,
    vectorized,
)

QUERIES = 64  # of a block: whole vectors on every CPU


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


def row_offsets(build, first, count, pitch, lanes):
    """Where rows `first`, `first` + 1, ... begin, for each lane; rows from `count` on are the last
    one.
    """
    wide = ir.VectorType(I64, lanes)
    row = build.add(splat(build, first, wide), ir.Constant(wide, list(range(lanes))))
    last = splat(build, build.sub(count, integer(1)), wide)
    row = build.select(build.icmp_signed("<", row, last), row, last)
    return build.mul(row, splat(build, pitch, wide))


def plain_pack(x, at, pitch, count, depth, w, to, factor):
    """w[to + e * QUERIES + i] = factor * x[at + i * pitch + e] for QUERIES rows i, of which those
    from `count` on are the last one.
    """
    for i in range(QUERIES):
        for e in range(depth):
            value = x[at + min(i, count - 1) * pitch + e]
            w[to + e * QUERIES + i] = value * w.dtype.type(factor)


@vectorized(plain_pack)
def pack(_, x, at, pitch, count, depth, w, to, factor):
    """See `plain_pack`; count > 0, depth > 0. Reads of whole vectors with gaps: scalar stores with
    gaps of 256 bytes would be taken for what later loads read.
    """

    def codegen(context, build, signature, args):
        x_, at_, pitch_, count_, depth_, w_, to_, factor_ = args
        vector, size = vector_of(w)
        lanes = vector.count
        if size == 4:
            factor_ = build.fptrunc(factor_, vector.element)
        factor_ = splat(build, factor_, vector)
        every = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [1] * lanes)
        v, _, close = loop(build, integer(QUERIES // lanes), [])
        first = build.mul(v, integer(lanes))
        rows = row_offsets(build, first, count_, pitch_, lanes)
        start, target = build.gep(x_, [at_]), build.gep(w_, [build.add(to_, first)])
        e, _, close_row = loop(build, depth_, [])
        value = load_strided(build, build.gep(start, [e]), rows, every, vector, size)
        where = build.gep(target, [build.mul(e, integer(QUERIES))])
        store(build, build.fmul(value, factor_), where, size)
        close_row([])
        close([])
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, i, i, w, i, types.float64), codegen
