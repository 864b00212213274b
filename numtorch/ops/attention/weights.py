"""From scores to weights and their gradients, in place, as LLVM vector code.

A block of scores has a row of QUERIES numbers for each key. The functions here walk down its
columns two vectors at a time, with each query's maximum and sum in registers: one pass for the
maximum, one for the exponentials. Written as loops for Numba's vectorizer, they took 0.55 ns for a
score on a Zen 5 core at 4 GHz.
"""

import numpy as np

from ...backends.cpu.simd import (
    call,
    integer,
    ir,
    load,
    loop,
    multiply_add,
    splat,
    store,
    suffix,
    types,
    vector_of,
    vectorized,
)
from ..reduce.exponential import exp32, exp64

QUERIES = 64  # of a block: whole vectors on every CPU
EXP32 = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
         5.0000001201e-1)  # fmt: skip
EXP64_ODD = 1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1
EXP64_EVEN = (3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1,
              2.00000000000000000005)  # fmt: skip


def exponential(b, x):
    """exp of a vector: `exp32` and `exp64` of reduce/exponential.py, lane by lane."""
    vector = x.type
    single = str(vector.element) == "float"

    def all_(value):
        return ir.Constant(vector, [value] * vector.count)

    def polynomial(variable, coefficients):
        value = all_(coefficients[0])
        for c in coefficients[1:]:
            value = multiply_add(b, value, variable, all_(c))
        return value

    low = all_(np.float32(-87.33654).item() if single else -708.3964185322641)
    below = b.fcmp_ordered("<", x, low)
    y = b.select(below, low, x)
    n = multiply_add(b, y, all_(1.4426950408889634), all_(0.5))
    n = call(b, f"llvm.floor.{suffix(vector)}", vector, n)
    high, rest = (
        (0.693359375, -2.12194440e-4)
        if single
        else (6.93145751953125e-1, 1.42860682030941723212e-6)
    )
    r = multiply_add(b, n, all_(-rest), multiply_add(b, n, all_(-high), y))
    square = b.fmul(r, r)
    if single:
        power = b.fadd(multiply_add(b, polynomial(r, EXP32), square, r), all_(1.0))
    else:
        odd = b.fmul(polynomial(square, EXP64_ODD), r)
        ratio = b.fdiv(odd, b.fsub(polynomial(square, EXP64_EVEN), odd))
        power = multiply_add(b, all_(2.0), ratio, all_(1.0))
    bits = ir.VectorType(ir.IntType(32 if single else 64), vector.count)
    bias, shift = (127, 23) if single else (1023, 52)
    whole = b.add(b.fptosi(n, bits), ir.Constant(bits, [bias] * vector.count))
    scale = b.bitcast(b.shl(whole, ir.Constant(bits, [shift] * vector.count)), vector)
    return b.select(below, ir.Constant(vector, None), b.fmul(power, scale))


def plain_weigh(w, scores, most, total, shrink, keys):
    """Turn a block of scores into exp(score - largest), and keep each query's running softmax.

    w[most:], w[total:] are the largest score so far and the sum of the exponentials so far, taken
    up to this block; w[shrink:] gets what earlier exponentials must be multiplied by.
    """
    exp = exp32 if w.dtype.itemsize == 4 else exp64
    zero = w.dtype.type(0)
    for i in range(QUERIES):
        high = w[most + i]
        for j in range(keys):
            x = w[scores + j * QUERIES + i]
            high = x if x > high else high
        level = zero if high == -np.inf else high
        factor = exp(w[most + i] - level)
        w[most + i], w[shrink + i] = high, factor
        w[total + i] *= factor
        for j in range(keys):
            x = exp(w[scores + j * QUERIES + i] - level)
            w[scores + j * QUERIES + i] = x
            w[total + i] += x


def columns(b, w_, vector, body):
    """Emit `body(offset)` for each pair of vectors of a block's columns."""
    pair = 2 * vector.count
    v, _, close = loop(b, integer(QUERIES // pair), [])
    body(b.mul(v, integer(pair)))
    close([])


@vectorized(plain_weigh)
def weigh(_, w, scores, most, total, shrink, keys):
    """See `plain_weigh`; keys > 0."""

    def codegen(context, b, signature, args):
        w_, scores_, most_, total_, shrink_, keys_ = args
        vector, size = vector_of(w)
        infinity = ir.Constant(vector, [float("-inf")] * vector.count)

        def pointers(start, offset, row=None):
            at = b.add(start, offset)
            if row is not None:
                at = b.add(at, b.mul(row, integer(QUERIES)))
            return [b.gep(w_, [b.add(at, integer(n * vector.count))]) for n in (0, 1)]

        def body(offset):
            mosts, totals = pointers(most_, offset), pointers(total_, offset)
            old = [load(b, p, vector, size) for p in mosts]
            j, high, close = loop(b, keys_, old)
            xs = [load(b, p, vector, size) for p in pointers(scores_, offset, j)]
            high = close(
                [b.select(b.fcmp_ordered(">", x, h), x, h) for x, h in zip(xs, high, strict=True)]
            )
            level = [
                b.select(b.fcmp_ordered("==", h, infinity), ir.Constant(vector, None), h)
                for h in high
            ]
            factor = [exponential(b, b.fsub(o, h)) for o, h in zip(old, level, strict=True)]
            sums = [
                b.fmul(load(b, p, vector, size), f) for p, f in zip(totals, factor, strict=True)
            ]
            j, sums, close = loop(b, keys_, sums)
            new = []
            for p, h, s in zip(pointers(scores_, offset, j), level, sums, strict=True):
                x = exponential(b, b.fsub(load(b, p, vector, size), h))
                store(b, x, p, size)
                new.append(b.fadd(s, x))
            results = zip(
                high, close(new), factor, mosts, totals, pointers(shrink_, offset), strict=True
            )
            for h, s, f, to_most, to_total, to_shrink in results:
                store(b, h, to_most, size)
                store(b, s, to_total, size)
                store(b, f, to_shrink, size)

        columns(b, w_, vector, body)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, i, i, i, i), codegen


def plain_differentiate(w, scores, grads, level, delta, keys, scale):
    """Turn scores into weights, exp(score - level), and the gradients of weights into those of the
    scaled products: weight * (grad - delta) * scale.
    """
    exp = exp32 if w.dtype.itemsize == 4 else exp64
    for i in range(QUERIES):
        for j in range(keys):
            at = j * QUERIES + i
            x = exp(w[scores + at] - w[level + i])
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

        def pointers(start, offset, row=None):
            at = b.add(start, offset)
            if row is not None:
                at = b.add(at, b.mul(row, integer(QUERIES)))
            return [b.gep(w_, [b.add(at, integer(n * vector.count))]) for n in (0, 1)]

        def body(offset):
            levels = [load(b, p, vector, size) for p in pointers(level_, offset)]
            deltas = [load(b, p, vector, size) for p in pointers(delta_, offset)]
            j, _, close = loop(b, keys_, [])
            places = zip(pointers(scores_, offset, j), pointers(grads_, offset, j), strict=True)
            for (s, d), lev, de in zip(places, levels, deltas, strict=True):
                x = exponential(b, b.fsub(load(b, s, vector, size), lev))
                store(b, x, s, size)
                g = b.fmul(b.fsub(load(b, d, vector, size), de), factor)
                store(b, b.fmul(x, g), d, size)
            close([])

        columns(b, w_, vector, body)
        return context.get_dummy_value()

    i = types.intp
    return types.void(w, i, i, i, i, i, types.float64), codegen
