"""From scores to weights and their gradients, in place, as LLVM vector code.

A block of scores has a row of QUERIES numbers for each key. The functions here walk down its
columns two vectors at a time, with each query's maximum and sum in registers: one pass for the
maximum, one for the powers of two (0.2 ns for a score; 0.55 as loops for Numba's vectorizer, on a
core with AVX-512).
"""

import numpy as np

from ...backends.cpu.simd import (
    call,
    integer,
    ir,
    lanes_of,
    load,
    load_strided,
    loop,
    multiply_add,
    splat,
    store,
    suffix,
    types,
    vector_of,
    vectorized,
)
from .tile import QUERIES, row_offsets

LN2 = 0.6931471805599453
# exp as in Cephes, as a polynomial of the exponent to the base 2
EXP32 = tuple(
    c * LN2 ** (7 - i)
    for i, c in enumerate(
        (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
         5.0000001201e-1, 1.0, 1.0)
    )
)  # fmt: skip
EXP64_ODD = 1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1
EXP64_EVEN = (3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1,
              2.00000000000000000005)  # fmt: skip


def power_of_two(b, x):
    """2 ** x of a vector, for x at most a little above 0: about 1 ulp; denormals are 0; NaN stays.

    Scores are taken to the base 2, so that x splits into a whole number and a rest without error.
    """
    vector = x.type
    single = str(vector.element) == "float"
    bits = ir.VectorType(ir.IntType(32 if single else 64), vector.count)
    bias, shift = (127, 23) if single else (1023, 52)

    def all_(value, kind=vector):
        return ir.Constant(kind, [value] * vector.count)

    def polynomial(variable, coefficients):
        value = all_(coefficients[0])
        for c in coefficients[1:]:
            value = multiply_add(b, value, variable, all_(c))
        return value

    low = all_(float(-bias))  # its power is the number whose bits are 0
    y = b.select(b.fcmp_ordered(">", low, x), low, x)
    n = call(b, f"llvm.rint.{suffix(vector)}", vector, y)
    rest = b.fsub(y, n)
    if single:
        power = polynomial(rest, EXP32)
    else:
        rest = b.fmul(rest, all_(LN2))
        square = b.fmul(rest, rest)
        odd = b.fmul(polynomial(square, EXP64_ODD), rest)
        ratio = b.fdiv(odd, b.fsub(polynomial(square, EXP64_EVEN), odd))
        power = multiply_add(b, all_(2.0), ratio, all_(1.0))
    whole = b.add(b.fptosi(n, bits), all_(bias, bits))
    return b.fmul(power, b.bitcast(b.shl(whole, all_(shift, bits)), vector))


def whole_pairs(w, queries) -> int:
    """So many queries or more, as pairs of vectors hold."""
    step = 2 * lanes_of(w.dtype.itemsize)
    return -(-queries // step) * step


def plain_weigh(w, scores, most, total, shrink, queries, keys):
    """Turn a block of scores into 2 ** (score - largest), and keep each query's running softmax.

    w[most:], w[total:] are the largest score so far and the sum of the powers so far, taken up to
    this block; w[shrink:] gets what earlier powers must be multiplied by.
    """
    zero = w.dtype.type(0)
    for i in range(whole_pairs(w, queries)):
        high = w[most + i]
        for j in range(keys):
            x = w[scores + j * QUERIES + i]
            high = x if x > high else high
        level = zero if high == -np.inf else high
        factor = np.exp2(w[most + i] - level)
        w[most + i], w[shrink + i] = high, factor
        w[total + i] *= factor
        for j in range(keys):
            x = np.exp2(w[scores + j * QUERIES + i] - level)
            w[scores + j * QUERIES + i] = x
            w[total + i] += x


def pairs(b, vector, queries, body):
    """Emit `body(offset)` for each pair of vectors that holds one of the queries (an int64 > 0)."""
    step = 2 * vector.count
    v, _, close = loop(b, b.udiv(b.add(queries, integer(step - 1)), integer(step)), [])
    body(b.mul(v, integer(step)))
    close([])


def places(b, w, vector, start, offset, row=None):
    """Pointers to the pair of vectors at `offset` of the numbers from w[start] on, or of a row."""
    at = b.add(start, offset)
    if row is not None:
        at = b.add(at, b.mul(row, integer(QUERIES)))
    return [b.gep(w, [b.add(at, integer(n * vector.count))]) for n in (0, 1)]


@vectorized(plain_weigh)
def weigh(_, w, scores, most, total, shrink, queries, keys):
    """See `plain_weigh`; queries > 0, keys > 0."""

    def codegen(context, b, signature, args):
        w_, scores_, most_, total_, shrink_, queries_, keys_ = args
        vector, size = vector_of(w)
        nothing = ir.Constant(vector, [float("-inf")] * vector.count)
        zero = ir.Constant(vector, None)

        def read(*where):
            return [load(b, p, vector, size) for p in places(b, w_, vector, *where)]

        def write(values, *where):
            for value, p in zip(values, places(b, w_, vector, *where), strict=True):
                store(b, value, p, size)

        def largest(x, y):
            return b.select(b.fcmp_ordered(">", x, y), x, y)

        def body(offset):
            old = read(most_, offset)
            j, high, close = loop(b, keys_, old)
            high = close(list(map(largest, read(scores_, offset, j), high)))
            level = [b.select(b.fcmp_ordered("==", h, nothing), zero, h) for h in high]
            factor = [power_of_two(b, b.fsub(*x)) for x in zip(old, level, strict=True)]
            write(high, most_, offset)
            write(factor, shrink_, offset)
            sums = list(map(b.fmul, read(total_, offset), factor))
            j, sums, close = loop(b, keys_, sums)
            scores = zip(read(scores_, offset, j), level, strict=True)
            powers = [power_of_two(b, b.fsub(*x)) for x in scores]
            write(powers, scores_, offset, j)
            write(close(list(map(b.fadd, sums, powers))), total_, offset)

        pairs(b, vector, queries_, body)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, i, i, i, i, i), codegen


def plain_hide(w, scores, mask, at, row, column, queries, keys):
    """Add a mask, in units of the natural logarithm, to scores to the base 2; or set those to -inf
    where a mask of bools is False. Queries from `queries` on get the last one's mask.
    """
    for i in range(whole_pairs(w, queries)):
        for j in range(keys):
            value = mask[at + min(i, queries - 1) * row + j * column]
            if mask.dtype != np.bool_:
                w[scores + j * QUERIES + i] += value * w.dtype.type(1 / LN2)
            elif not value:
                w[scores + j * QUERIES + i] = w.dtype.type(-np.inf)


@vectorized(plain_hide)
def hide(_, w, scores, mask, at, row, column, queries, keys):
    """See `plain_hide`; queries > 0, keys > 0."""

    def codegen(context, b, signature, args):
        w_, scores_, mask_, at_, row_, column_, queries_, keys_ = args
        vector, size = vector_of(w)
        lanes = vector.count
        selects = mask.dtype == types.boolean
        given = ir.VectorType(ir.IntType(8), lanes) if selects else vector
        every = ir.Constant(ir.VectorType(ir.IntType(1), lanes), [1] * lanes)
        nothing = ir.Constant(vector, [float("-inf")] * lanes)
        unit = ir.Constant(vector, [1 / LN2] * lanes)

        def body(offset):
            firsts = offset, b.add(offset, integer(lanes))
            rows = [row_offsets(b, first, queries_, row_, lanes) for first in firsts]
            j, _, close = loop(b, keys_, [])
            key = b.gep(mask_, [b.add(at_, b.mul(j, column_))])
            for p, offsets in zip(places(b, w_, vector, scores_, offset, j), rows, strict=True):
                value = load_strided(b, key, offsets, every, given, 1 if selects else size)
                score = load(b, p, vector, size)
                if selects:
                    seen = b.icmp_unsigned("!=", value, ir.Constant(given, None))
                    score = b.select(seen, score, nothing)
                else:
                    score = multiply_add(b, value, unit, score)
                store(b, score, p, size)
            close([])

        pairs(b, vector, queries_, body)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, mask, i, i, i, i, i), codegen


def plain_differentiate(w, scores, grads, level, delta, keys, scale):
    """Turn scores into weights, 2 ** (score - level), and the weights' gradients into those of the
    products of queries and keys: weight * (grad - delta) * scale.
    """
    for i in range(QUERIES):
        for j in range(keys):
            at = j * QUERIES + i
            x = np.exp2(w[scores + at] - w[level + i])
            w[scores + at] = x
            w[grads + at] = x * (w[grads + at] - w[delta + i]) * w.dtype.type(scale)


@vectorized(plain_differentiate)
def differentiate(_, w, scores, grads, level, delta, keys, scale):
    """See `plain_differentiate`; keys > 0."""

    def codegen(context, b, signature, args):
        w_, scores_, grads_, level_, delta_, keys_, scale_ = args
        vector, size = vector_of(w)
        if size == 4:
            scale_ = b.fptrunc(scale_, vector.element)
        factor = splat(b, scale_, vector)

        def body(offset):
            at = [places(b, w_, vector, start, offset) for start in (level_, delta_)]
            levels, deltas = ([load(b, p, vector, size) for p in pair] for pair in at)
            j, _, close = loop(b, keys_, [])
            at = [places(b, w_, vector, start, offset, j) for start in (scores_, grads_)]
            for s, d, high, centre in zip(*at, levels, deltas, strict=True):
                weight = power_of_two(b, b.fsub(load(b, s, vector, size), high))
                slope = b.fmul(b.fsub(load(b, d, vector, size), centre), factor)
                store(b, weight, s, size)
                store(b, b.fmul(weight, slope), d, size)
            close([])

        pairs(b, vector, integer(QUERIES), body)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, i, i, i, i, types.float64), codegen
