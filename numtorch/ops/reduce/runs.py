"""Extremes, sums and products of floats that lie next to each other, as LLVM vector code.

The last vector is masked: LLVM's own loops end with scalars, which take longer than a short row.
"""

import functools

import numpy as np

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


def _sweep(b, place, n, vector, size, take, join):
    """take(vectors, mask) of `n` elements from `place` on: CHAINS vectors at a time, single ones
    after join(), then those that `mask` keeps of a last one.
    """
    lanes, zero = vector.count, integer(0)

    def some(begin, count):
        places = [b.gep(begin, [integer(k * lanes)]) for k in range(count)]
        take([load(b, p, vector, size) for p in places], None)

    stride = integer(CHAINS * lanes)
    many = b.sdiv(n, stride)
    with b.if_then(b.icmp_signed(">", many, zero)):
        i, _, close = loop(b, many, [])
        some(b.gep(place, [b.mul(i, stride)]), CHAINS)
        close([])
        join()
    done = b.mul(many, stride)
    few = b.sdiv(b.sub(n, done), integer(lanes))
    with b.if_then(b.icmp_signed(">", few, zero)):
        i, _, close = loop(b, few, [])
        some(b.gep(place, [b.add(done, b.mul(i, integer(lanes)))]), 1)
        close([])
    done = b.add(done, b.mul(few, integer(lanes)))
    rest = b.sub(n, done)
    with b.if_then(b.icmp_signed(">", rest, zero)):
        kept = as_mask(b, b.sub(b.shl(integer(1), rest), integer(1)), lanes)
        take([load_where(b, b.gep(place, [done]), kept, vector, size)], kept)


def _run(largest: bool):
    """The intrinsic of `plain_run`.

    A CPU's maximum drops NaN, so NaN is looked for beside it: one comparison for every two vectors.
    """
    sign, worst = (">", "-inf") if largest else ("<", "inf")

    @vectorized(functools.partial(plain_run, largest))
    def run(_, x, at, n):
        def codegen(context, b, signature, args):
            x_, at_, n_ = args
            vector, size = vector_of(x)
            lanes = vector.count
            nothing = ir.Constant(vector, [float(worst)] * lanes)
            held = [cgutils.alloca_once_value(b, nothing) for _ in range(CHAINS)]
            none = ir.Constant(ir.VectorType(ir.IntType(1), lanes), None)
            unordered = cgutils.alloca_once_value(b, none)

            def join(place, value):
                old = b.load(place)
                b.store(b.select(b.fcmp_ordered(sign, value, old), value, old), place)

            def note(value, other):
                b.store(b.or_(b.load(unordered), b.fcmp_unordered("uno", value, other)), unordered)

            def take(found, kept):
                for place, value in zip(held, found, strict=False):
                    join(place, value if kept is None else b.select(kept, value, nothing))
                for value, other in zip(found[::2], found[1::2] or found, strict=True):
                    note(value, other)

            def join_all():
                for place in held[1:]:
                    join(held[0], b.load(place))

            _sweep(b, b.gep(x_, [at_]), n_, vector, size, take, join_all)
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


def plain_fold(product, x, at, n):
    """The sum, or product, of x[at], ..., x[at + n - 1]; products are float64."""
    total = np.float64(1) if product else x.dtype.type(0)
    for i in range(at, at + n):
        total = total * x[i] if product else total + x[i]
    return total


def _fold(product: bool):
    """The intrinsic of `plain_fold`."""
    name, start = ("fmul", 1.0) if product else ("fadd", 0.0)

    @vectorized(functools.partial(plain_fold, product))
    def fold(_, x, at, n):
        result = types.float64 if product else x.dtype

        def codegen(context, b, signature, args):
            x_, at_, n_ = args
            vector, size = vector_of(x)
            element = context.get_value_type(result)
            wide = ir.VectorType(element, vector.count)
            neutral = ir.Constant(wide, [start] * vector.count)
            held = [cgutils.alloca_once_value(b, neutral) for _ in range(CHAINS)]

            def join(place, value):
                b.store(getattr(b, name)(b.load(place), value), place)

            def take(found, kept):
                for place, value in zip(held, found, strict=False):
                    value = value if wide == vector else b.fpext(value, wide)
                    join(place, value if kept is None else b.select(kept, value, neutral))

            def join_all():
                for place in held[1:]:
                    join(held[0], b.load(place))

            _sweep(b, b.gep(x_, [at_]), n_, vector, size, take, join_all)
            whole = f"llvm.vector.reduce.{name}.{suffix(wide)}"
            first = ir.Constant(element, start)
            return call(b, whole, element, first, b.load(held[0]), fastmath=("reassoc",))

        return result(x, types.intp, types.intp), codegen

    return fold


sum_run, product_run = _fold(product=False), _fold(product=True)
