"""Moving elements between places: runs of them, and square tiles that are transposed in registers.

Both look at bits only, so that one kernel serves all types of a size: see `bits_of`.
"""

import numpy as np

from .buffer import with_extent
from .simd import (
    I32,
    I64,
    as_mask,
    cgutils,
    integer,
    ir,
    load,
    load_strided,
    load_where,
    loop,
    splat,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)

SCRATCH = 81920  # bytes that a kernel takes on the stack: within the L2 cache


def bits_of(dtype: np.dtype) -> np.ndarray:
    """An example for `Kernel.compile` that stands for every type with this many bytes."""
    return np.empty(0, f"u{dtype.itemsize}")


def plain_move_run(x, at, out, to, n):
    """out[to + i] = x[at + i] for i < n. The two do not overlap."""
    for i in range(n):
        out[to + i] = x[at + i]


def _run(streamed: bool):
    """The emitter of `move_run` or `stream_run`."""

    def emitter(_, x, at, out, to, n):
        def codegen(context, b, signature, args):
            x_, at_, out_, to_, n_ = args
            vector, size = vector_of(x)
            lanes, zero = vector.count, integer(0)
            source, target = b.gep(x_, [at_]), b.gep(out_, [to_])

            def part(first, count):
                with b.if_then(b.icmp_signed(">", count, zero)):
                    kept = as_mask(b, b.sub(b.shl(integer(1), count), integer(1)), lanes)
                    line = load_where(b, b.gep(source, [first]), kept, vector, size)
                    store_where(b, line, b.gep(target, [first]), kept, size)

            before, align = zero, size
            if streamed:  # up to the first whole line of the target
                align = lanes * size
                beyond = b.udiv(b.ptrtoint(target, I64), integer(size))
                before = b.and_(b.neg(beyond), integer(lanes - 1))
                before = b.select(b.icmp_signed("<", before, n_), before, n_)
                part(zero, before)
            whole = b.sdiv(b.sub(n_, before), integer(lanes))
            with b.if_then(b.icmp_signed(">", whole, zero)):
                v, _, close = loop(b, whole, [])
                first = b.add(before, b.mul(v, integer(lanes)))
                line = load(b, b.gep(source, [first]), vector, size)
                place = b.bitcast(b.gep(target, [first]), vector.as_pointer())
                stored = b.store(line, place, align=align)
                if streamed:
                    mark = b.module.add_metadata([ir.Constant(I32, 1)])
                    stored.set_metadata("nontemporal", mark)
                close([])
            done = b.add(before, b.mul(whole, integer(lanes)))
            part(done, b.sub(n_, done))
            return context.get_dummy_value()

        i = types.intp
        return types.void(x, i, out, i, i), codegen

    return emitter


# Whole vectors, then a masked one. LLVM's own loop tests for overlap and has a scalar tail.
move_run = vectorized(plain_move_run)(_run(streamed=False))
# The same past the caches: memory is not read before it is written, which saves a third of the
# traffic, but the next reader finds nothing in the caches. `release` must follow.
stream_run = vectorized(plain_move_run)(_run(streamed=True))


def plain_release():
    """Nothing."""


@vectorized(plain_release)
def release(_):
    """Have other threads see what `stream_run` has written before anything that follows."""

    def codegen(context, b, signature, args):
        b.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


def plain_scratch(x):
    """SCRATCH bytes for elements like those of `x`."""
    return np.empty(SCRATCH // x.dtype.itemsize, x.dtype)


@vectorized(plain_scratch)
def scratch(_, x):
    """`plain_scratch` on the stack, aligned to a vector; lives as long as the call."""

    def codegen(context, b, signature, args):
        kind = args[0].type.pointee
        size = context.get_abi_sizeof(kind)
        held = cgutils.alloca_once(b, kind, SCRATCH // size)
        held.align = 64
        return with_extent(b, held, integer(SCRATCH // size))

    return x(x), codegen


def plain_pick_run(x, at, step, out, to, n):
    """out[to + j] = x[at + j * step] for j < n."""
    for j in range(n):
        out[to + j] = x[at + j * step]


@vectorized(plain_pick_run)
def pick_run(_, x, at, step, out, to, n):
    """`plain_pick_run` by whole vectors: every other lane for a step of 2, else gathered. `out` is
    scratch memory: up to a vector's zeros may follow.
    """

    def codegen(context, b, signature, args):
        x_, at_, step_, out_, to_, n_ = args
        size = context.get_abi_sizeof(x_.type.pointee)
        source, target = b.gep(x_, [at_]), b.gep(out_, [to_])
        nothing = context.get_dummy_value()

        def one_by_one():
            with b.if_then(b.icmp_signed(">", n_, integer(0))):
                j, _, close = loop(b, n_, [])
                b.store(b.load(b.gep(source, [b.mul(j, step_)])), b.gep(target, [j]))
                close([])
            return nothing

        if size < 4:
            return one_by_one()
        vector, _ = vector_of(x)
        lanes = vector.count
        whole, done = integer(lanes), cgutils.alloca_once_value(b, integer(0))
        places = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
        offsets = b.mul(places, splat(b, step_, places.type))

        def gathered(first, mask):
            place = b.gep(source, [b.mul(first, step_)])
            return load_strided(b, place, offsets, mask, vector, size)

        with b.if_else(b.icmp_signed("==", step_, integer(2))) as (two, more):
            with two:  # the last element may be the last one of the memory
                pairs = b.sdiv(b.sub(b.shl(n_, integer(1)), integer(1)), integer(2 * lanes))
                with b.if_then(b.icmp_signed(">", pairs, integer(0))):
                    i, _, close = loop(b, pairs, [])
                    first = b.mul(i, whole)
                    place = b.gep(source, [b.shl(first, integer(1))])
                    halves = [load(b, b.gep(place, [s]), vector, size) for s in (integer(0), whole)]
                    even = ir.Constant(ir.VectorType(I32, lanes), list(range(0, 2 * lanes, 2)))
                    store(b, b.shuffle_vector(*halves, even), b.gep(target, [first]), size)
                    close([])
                    b.store(b.mul(pairs, whole), done)
            with more:
                count = b.sdiv(n_, whole)
                with b.if_then(b.icmp_signed(">", count, integer(0))):
                    i, _, close = loop(b, count, [])
                    first = b.mul(i, whole)
                    every = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [1] * lanes)
                    store(b, gathered(first, every), b.gep(target, [first]), size)
                    close([])
                    b.store(b.mul(count, whole), done)
        first = b.load(done)
        rest = b.sub(n_, first)
        with b.if_then(b.icmp_signed(">", rest, integer(0))):
            kept = as_mask(b, b.sub(b.shl(integer(1), rest), integer(1)), lanes)
            # a whole vector: who reads it next would wait for a masked store
            store(b, gathered(first, kept), b.gep(target, [first]), size)
        return nothing

    i = types.intp
    return types.void(x, i, i, out, i, i), codegen


def plain_transposed_tile(x, at, x_pitch, out, to, pitch, rows, columns):
    """out[to + j * pitch + i] = x[at + i * x_pitch + j] for i < rows, j < columns."""
    for i in range(rows):
        for j in range(columns):
            out[to + j * pitch + i] = x[at + i * x_pitch + j]


@vectorized(plain_transposed_tile)
def transposed_tile(_, x, at, x_pitch, out, to, pitch, rows, columns):
    """`plain_transposed_tile` in registers, for 0 < rows, columns <= the lanes of a vector.

    In stage d, rows i and i + d exchange the blocks of d lanes that lie off the diagonal:
    log2(lanes) stages of one shuffle for each row.
    """

    def codegen(context, b, signature, args):
        x_, at_, x_pitch_, out_, to_, pitch_, rows_, columns_ = args
        vector, size = vector_of(x)
        lanes = vector.count
        source, target = b.gep(x_, [at_]), b.gep(out_, [to_])

        def exchanged(lines):
            d = lanes // 2
            while d:
                for i in [i for i in range(lanes) if not i & d]:
                    low = [lanes + k - d if k & d else k for k in range(lanes)]
                    high = [lanes + k if k & d else k + d for k in range(lanes)]
                    pair = lines[i], lines[i + d]
                    for row, order in ((i, low), (i + d, high)):
                        mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), order)
                        lines[row] = b.shuffle_vector(*pair, mask)
                d //= 2
            return lines

        def up_to(count, i):
            """Row i, or the last one."""
            inside = b.icmp_signed("<", integer(i), count)
            return inside, b.select(inside, integer(i), b.sub(count, integer(1)))

        def bits(count):
            return as_mask(b, b.sub(b.shl(integer(1), count), integer(1)), lanes)

        full = b.and_(
            b.icmp_signed("==", rows_, integer(lanes)),
            b.icmp_signed("==", columns_, integer(lanes)),
        )
        with b.if_else(full) as (whole, part):
            with whole:
                lines = [
                    load(b, b.gep(source, [b.mul(integer(i), x_pitch_)]), vector, size)
                    for i in range(lanes)
                ]
                for j, line in enumerate(exchanged(lines)):
                    store(b, line, b.gep(target, [b.mul(integer(j), pitch_)]), size)
            with part:
                across, down = bits(columns_), bits(rows_)
                lines = []
                for i in range(lanes):
                    _, row = up_to(rows_, i)
                    place = b.gep(source, [b.mul(row, x_pitch_)])
                    lines.append(load_where(b, place, across, vector, size))
                for j, line in enumerate(exchanged(lines)):
                    with b.if_then(b.icmp_signed("<", integer(j), columns_)):
                        place = b.gep(target, [b.mul(integer(j), pitch_)])
                        store_where(b, line, place, down, size)
        return context.get_dummy_value()

    i = types.intp
    return types.void(x, i, i, out, i, i, i, i), codegen
