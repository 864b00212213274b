"""Formulas of recurrent cells as vector code: one text for vectors and for single numbers.

A formula is a Python function of `Lanes` (or of NumPy's numbers, under `NUMBA_DISABLE_JIT=1`). It
is emitted once, with all its inputs and outputs in registers. Loops in Numba would not do: LLVM
vectorizes none that reads and writes as many arrays as a cell, as it would have to test at run time
which of them overlap. sigmoid and tanh are right to 4 units in the last place.
"""

import functools
import math

import numpy as np

from ...backends.cpu.simd import (
    as_mask,
    integer,
    ir,
    load,
    load_where,
    loop,
    store,
    store_where,
    types,
    vector_of,
    vectorized,
)

FUSED = ("contract",)  # products and sums may become multiply-adds


class Lanes:
    """The value of a formula in all lanes of a vector."""

    def __init__(self, builder, value) -> None:
        self.builder, self.value = builder, value

    def _of(self, other):
        if isinstance(other, Lanes):
            return other.value
        return ir.Constant(self.value.type, [float(other)] * self.value.type.count)

    def __add__(self, other):
        return Lanes(self.builder, self.builder.fadd(self.value, self._of(other), flags=FUSED))

    def __sub__(self, other):
        return Lanes(self.builder, self.builder.fsub(self.value, self._of(other), flags=FUSED))

    def __rsub__(self, other):
        return Lanes(self.builder, self.builder.fsub(self._of(other), self.value, flags=FUSED))

    def __mul__(self, other):
        return Lanes(self.builder, self.builder.fmul(self.value, self._of(other), flags=FUSED))

    def __truediv__(self, other):
        return Lanes(self.builder, self.builder.fdiv(self.value, self._of(other)))

    def __rtruediv__(self, other):
        return Lanes(self.builder, self.builder.fdiv(self._of(other), self.value))

    def _select(self, relation: str, bound, then):
        """`then` in the lanes where self `relation` bound, else self."""
        test = self.builder.fcmp_ordered(relation, self.value, self._of(bound))
        return Lanes(self.builder, self.builder.select(test, self._of(then), self.value))

    def clamp(self, limit: float):
        """Self within +-limit; NaN stays."""
        return self._select(">", limit, limit)._select("<", -limit, -limit)

    def positive(self):
        """Self where it is above 0, else 0; NaN stays."""
        return self._select("<=", 0, 0)

    def where_positive(self, other):
        """Self in the lanes where other > 0, else 0."""
        test = self.builder.fcmp_ordered(">", other.value, other._of(0))
        return Lanes(self.builder, self.builder.select(test, self.value, self._of(0)))

    def power_of_two(self, mantissa: int, bias: int):
        """2 ** n, where n is in the lowest bits of self, which is n + 1.5 * 2 ** mantissa."""
        b, count = self.builder, self.value.type.count
        whole = ir.VectorType(ir.IntType(32 if mantissa == 23 else 64), count)
        bits = b.add(b.bitcast(self.value, whole), ir.Constant(whole, [bias] * count))
        bits = b.shl(bits, ir.Constant(whole, [mantissa] * count))
        return Lanes(b, b.bitcast(bits, self.value.type))


# Of an element type: bits of the mantissa, bias of the exponent, ln 2 in two parts, the degree to
# which the series of exp is added up (for |r| <= ln 2 / 2 the rest is below half an ULP), and the
# arguments beyond which sigmoid counts as 0 (below 3e-19) and tanh is 1.
FLOAT = 23, 127, (0.693359375, -2.12194440054690583e-4), 7, 43.0, 9.02
DOUBLE = 52, 1023, (0.693145751953125, 1.42860682030941723e-6), 13, 350.0, 19.1


def _constants(x):
    return FLOAT if isinstance(x.value.type.element, ir.FloatType) else DOUBLE


def _exponential(x):
    """(exp(r) - 1, 2 ** n) with x = n * ln 2 + r: their product, + 2 ** n, is exp(x)."""
    mantissa, bias, (high, low), degree = _constants(x)[:4]
    magic = 1.5 * 2.0**mantissa  # to add it rounds to a whole number
    shifted = x * (1 / math.log(2)) + magic
    n = shifted - magic
    r = (x - n * high) - n * low
    series = r * (1 / math.factorial(degree)) + 1 / math.factorial(degree - 1)
    for i in range(degree - 2, 1, -1):
        series = series * r + 1 / math.factorial(i)
    return series * r * r + r, shifted.power_of_two(mantissa, bias)


def _sigmoid(x):
    """1 / sigmoid(x)."""
    part, power = _exponential((0 - x).clamp(_constants(x)[4]))
    return part * power + power + 1


def _tanh(x):
    """(e, e + 2) with e = exp(2 x) - 1: their quotient keeps the precision of x near 0."""
    part, power = _exponential((x + x).clamp(2 * _constants(x)[5]))
    e = part * power + (power - 1)
    return e, e + 2


def sigmoids(x, y):
    """1 / (1 + exp(-x)), and the same of y.

    A division takes 16 cycles, as long as all the rest of a sigmoid: two share one.
    """
    if not isinstance(x, Lanes):
        return 1 / (1 + np.exp(-x)), 1 / (1 + np.exp(-y))
    a, b = _sigmoid(x), _sigmoid(y)
    both = 1 / (a * b)
    return b * both, a * both


def sigmoid_and_tanh(x, y):
    """sigmoid of x and tanh of y, with one division."""
    if not isinstance(x, Lanes):
        return 1 / (1 + np.exp(-x)), np.tanh(y)
    a, (e, b) = _sigmoid(x), _tanh(y)
    both = 1 / (a * b)
    return b * both, e * (a * both)


def tanh(x):
    """The hyperbolic tangent."""
    if not isinstance(x, Lanes):
        return np.tanh(x)
    e, below = _tanh(x)
    return e / below


def relu(x):
    """max(x, 0); NaN stays."""
    if not isinstance(x, Lanes):
        return x if x > 0 or x != x else x.dtype.type(0)
    return x.positive()


def where_positive(g, x):
    """`g` where x > 0, else 0."""
    if not isinstance(x, Lanes):
        return g if x > 0 else g.dtype.type(0)
    return g.where_positive(x)


@functools.cache
def elementwise(formula, inputs: int):
    """A function for kernels: `formula` of `count` elements of the first `inputs` buffers.

    Its results go to the others. Each buffer is given with the place where it begins.
    """

    def plain(count, buffers, places):
        for j in range(count):
            given = [b[p + j] for b, p in zip(buffers[:inputs], places[:inputs], strict=True)]
            results = zip(formula(*given), buffers[inputs:], places[inputs:], strict=True)
            for value, buffer, place in results:
                buffer[place + j] = value

    @vectorized(plain)
    def loop_over(_, count, buffers, places):
        def codegen(context, b, signature, args):
            vector, size = vector_of(buffers.dtype)
            lanes = vector.count
            starts = [
                b.gep(b.extract_value(args[1], i), [b.extract_value(args[2], i)])
                for i in range(len(buffers))
            ]

            def emit(at, read, write):
                here = [b.gep(s, [at]) for s in starts]
                results = formula(*[Lanes(b, read(p)) for p in here[:inputs]])
                for value, place in zip(results, here[inputs:], strict=True):
                    write(value.value, place)

            whole = b.lshr(args[0], integer(lanes.bit_length() - 1))
            with b.if_then(b.icmp_signed(">", whole, integer(0))):
                v, _, close = loop(b, whole, [])
                emit(
                    b.mul(v, integer(lanes)),
                    lambda place: load(b, place, vector, size),
                    lambda value, place: store(b, value, place, size),
                )
                close([])
            rest = b.and_(args[0], integer(lanes - 1))
            with b.if_then(b.icmp_signed(">", rest, integer(0))):
                bits = b.sub(b.shl(integer(1), rest), integer(1))
                mask = as_mask(b, bits, lanes)
                emit(
                    b.mul(whole, integer(lanes)),
                    lambda place: load_where(b, place, mask, vector, size),
                    lambda value, place: store_where(b, value, place, mask, size),
                )
            return context.get_dummy_value()

        return types.void(count, buffers, places), codegen

    return loop_over
