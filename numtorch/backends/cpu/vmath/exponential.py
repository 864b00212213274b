"""The exponential and its kind.

exp(x) = 2**k * exp(r) with |r| <= ln(2) / 2, and exp(r) - 1 = r + r**2 * q(r), where q is a minimax
polynomial. As that is exp(r) without the 1, expm1 and tanh lose nothing near 0; tanh and sinh have
polynomials of their own there, which are closer still.
"""

import numpy as np

from ..jit import by_width, exact
from .pieces import copysign, fabs, fma, ldexp, polynomial, power_of_two, rounded, select

F, D = np.float32, np.float64
# fmt: off
TANH64 = tuple(map(D, (
    -0.3333333333333328, 0.13333333333318068, -0.05396825395707538, 0.021869488169187275,
    -0.008863228859995822, 0.003592053655513795, -0.0014552973395842374, 0.000587454490423502,
    -0.0002309346251610476, 7.992975946293366e-05, -1.748385635764831e-05,
)))
# fmt: on


def _functions(
    T, magic, ln2, ln2_low, highest, lowest, minus_one, flat, far, tiny, table, sinh_odd
):
    """The functions for one type of float.

    ln2 + ln2_low is ln(2) to twice the precision; above `highest` exp is infinite, below `lowest` 0
    and below `minus_one` expm1 is -1; above `flat` exp(-2 * x) is below half an ulp of 1, and below
    `tiny` exp(x) - 1 is x.
    """
    magic, ln2, low = T(magic), T(ln2), T(-ln2_low)
    log2e, minus = T(1.4426950408889634), T(-ln2)
    highest, lowest, minus_one, flat, far, tiny = map(
        T, (highest, lowest, minus_one, flat, far, tiny)
    )
    zero, quarter, half, one, two = map(T, (0, 0.25, 0.5, 1, 2))
    q, sinh_odd = tuple(map(T, table)), tuple(map(T, sinh_odd))

    @exact
    def reduced(x):
        """(k, exp(r) - 1)."""
        n, k = rounded(x, log2e, magic)
        r = fma(n, low, fma(n, minus, x))
        return k, fma(r * r, polynomial(r, q), r)

    @exact
    def exp(x):
        x = select(x > highest, highest, x)
        k, p = reduced(select(x < lowest, lowest, x))
        return ldexp(p + one, k)

    @exact
    def exp2(x):
        x = select(x > two * highest, two * highest, x)
        x = select(x < two * lowest, two * lowest, x)
        n, k = rounded(x, one, magic)
        r = (x - n) * ln2
        return ldexp(fma(r * r, polynomial(r, q), r) + one, k)

    @exact
    def expm1(x):
        y = select(x > highest, highest, x)
        k, p = reduced(select(y < minus_one, minus_one, y))
        s = power_of_two(k - 1, one)  # 2**k may be infinite where the result is not
        return select(fabs(x) < tiny, x, two * fma(s, p, s - half))

    @exact
    def sigmoid(x):
        e = exp(-fabs(x))
        left = x < zero
        y = select(left, e, one) / (one + e)
        return select(left, fma(-e, y, e), y)  # e / (1 + e) with one rounding less

    @exact
    def silu(x):
        a = fabs(x)
        k, p = reduced(-select(a > far, far, a))
        e, left = ldexp(p + one, k), x < zero
        y = select(left, fma(x, p, x), x)
        total = one + e
        part = one / total
        z = y * part
        lost = select(left, fma(x, p, x - y), zero)
        y = fma(part, fma(-z, total, y) + lost, z)  # y / total, rounded once
        y = select(a > far, select(left, zero * x, x), y)  # NaN at -inf
        # exp(x) may be subnormal where x * exp(x) is not
        return copysign(ldexp(y, select(left, k, k - k)), x)

    if T is F:
        near = T(0.34)

        @exact
        def tanh_near(a, t, y):
            h = half * t
            return fma(-h, y, h)  # y = t / (2 + t) with fewer roundings

    else:
        near = T(0.6)

        @exact
        def tanh_near(a, t, y):
            z = a * a
            return fma(a * z, polynomial(z, TANH64), a)

    @exact
    def tanh(x):
        a = fabs(x)
        k, p = reduced(two * select(a > flat, flat, a))
        s = power_of_two(k, one)
        t = fma(s, p, s - one)  # exp(2 * a) - 1
        y = t / (t + two)
        return copysign(select(a < near, tanh_near(a, t, y), y), x)

    @exact
    def sinh(x):
        a = fabs(x)
        k, p = reduced(select(a > highest + one, highest + one, a))
        e = ldexp(p + one, k - 1)
        z = x * x
        near = fma(a * z, polynomial(z, sinh_odd), a)
        return copysign(select(a < one, near, e - quarter / e), x)

    @exact
    def cosh(x):
        a = fabs(x)
        k, p = reduced(select(a > highest + one, highest + one, a))
        e = ldexp(p + one, k - 1)
        return e + quarter / e

    return q, reduced, exp, exp2, expm1, sigmoid, silu, tanh, sinh, cosh


# fmt: off
_single = _functions(
    F, 1.5 * 2**23, 0.6931471824645996, -1.9046542121259336e-09, 89, -104, -20, 10, 120, 2.0**-26,
    (0.49999997, 0.16666546, 0.04166751, 0.008366287, 0.0013863945),
    (0.16666667, 0.0083333105, 0.0001984288, 2.7823867e-06),
)
_double = _functions(
    D, 1.5 * 2**52, 0.6931471805599453, 2.3190468138462996e-17, 710, -746, -40, 20, 800, 2.0**-55,
    (0.5, 0.16666666666666674, 0.04166666666666659, 0.008333333333323279, 0.0013888888888938613,
     0.00019841269882539978, 2.4801587204922784e-05, 2.7557247389768114e-06, 2.755738228285085e-07,
     2.5108045463306224e-08, 2.0880160349516784e-09),
    (0.16666666666666669, 0.00833333333333288, 0.00019841269841622234, 2.755731909697966e-06,
     2.5052132556252827e-08, 1.6056540913202857e-10, 7.780058444819958e-13),
)
# fmt: on
(_, reduced32, exp32, *_), (q64, reduced64, exp64, *_) = _single, _double
exp, exp2, expm1, sigmoid, silu, tanh, sinh, cosh = map(by_width, _single[2:], _double[2:])
