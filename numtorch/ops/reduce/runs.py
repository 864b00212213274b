"""The extremes of floats that lie next to each other, as LLVM vector code.

A CPU's maximum drops NaN, so NaN is looked for beside it: one comparison for every two vectors.
"""

import functools

from ...backends.cpu.simd import (
    as_mask,
    call,
    cgutils,
    integer,
    ir,
    load,
    load_where,
    loop,
    suffix,
    types,
    vector_of,
    vectorized,
)

CHAINS = 8  # vectors in flight: a maximum takes 4 cycles, two start in each


def plain_run(largest, x, at, n):
    """The largest or smallest of x[at], ..., x[at + n - 1]; a NaN wins. n > 0"""
    best = x[at]
    for i in range(at + 1, at + n):
        v = x[i]
        if v != v or (v > best if largest else v < best):
            best = v
    return best


def _run(largest: bool):
    """The intrinsic of `plain_run`."""
    sign, worst = (">", "-inf") if largest else ("<", "inf")

    @vectorized(functools.partial(plain_run, largest))
    def run(_, x, at, n):
        def codegen(context, b, signature, args):
            x_, at_, n_ = args
            vector, size = vector_of(x)
            lanes, zero = vector.count, integer(0)
            nothing = ir.Constant(vector, [float(worst)] * lanes)
            first = b.gep(x_, [at_])
            held = [cgutils.alloca_once_value(b, nothing) for _ in range(CHAINS)]
            none = ir.Constant(ir.VectorType(ir.IntType(1), lanes), None)
            unordered = cgutils.alloca_once_value(b, none)

            def join(place, value):
                old = b.load(place)
                b.store(b.select(b.fcmp_ordered(sign, value, old), value, old), place)

            def note(value, other):
                b.store(b.or_(b.load(unordered), b.fcmp_unordered("uno", value, other)), unordered)

            def vectors(begin, count):
                places = [b.gep(begin, [integer(k * lanes)]) for k in range(count)]
                found = [load(b, p, vector, size) for p in places]
                for place, value in zip(held, found, strict=False):
                    join(place, value)
                for value, other in zip(found[::2], found[1::2] or found, strict=True):
                    note(value, other)

            stride = integer(CHAINS * lanes)
            many = b.sdiv(n_, stride)
            with b.if_then(b.icmp_signed(">", many, zero)):
                i, _, close = loop(b, many, [])
                vectors(b.gep(first, [b.mul(i, stride)]), CHAINS)
                close([])
                for place in held[1:]:
                    join(held[0], b.load(place))
            done = b.mul(many, stride)
            few = b.sdiv(b.sub(n_, done), integer(lanes))
            with b.if_then(b.icmp_signed(">", few, zero)):
                i, _, close = loop(b, few, [])
                vectors(b.gep(first, [b.add(done, b.mul(i, integer(lanes)))]), 1)
                close([])
            done = b.add(done, b.mul(few, integer(lanes)))
            rest = b.sub(n_, done)
            with b.if_then(b.icmp_signed(">", rest, zero)):
                kept = as_mask(b, b.sub(b.shl(integer(1), rest), integer(1)), lanes)
                value = load_where(b, b.gep(first, [done]), kept, vector, size)
                note(value, value)
                join(held[0], b.select(kept, value, nothing))
            kind = "fmax" if largest else "fmin"
            name = f"llvm.vector.reduce.{kind}.{suffix(vector)}"
            # without "nnan" LLVM compares lane after lane, as a maximum of NaN is to be right
            best = call(b, name, vector.element, b.load(held[0]), fastmath=("nnan",))
            bits = b.bitcast(b.load(unordered), ir.IntType(lanes))
            failed = b.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))
            return b.select(failed, ir.Constant(vector.element, float("nan")), best)

        return x.dtype(x, types.intp, types.intp), codegen

    return run


largest_run, smallest_run = _run(largest=True), _run(largest=False)
