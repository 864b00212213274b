"""Logarithms.

x = 2**k * m with m in [sqrt(1/2), sqrt(2)], and log(1 + f) = f + tail(f) for f = m - 1. In float32
`tail` is f**2 times a minimax polynomial, in float64 rest(f) - f**2 / 2, with the series in s =
f / (2 + f), which needs fewer terms (as in Sun's fdlibm).
"""

import math

import numpy as np

from ..jit import by_width, exact
from .pieces import fma, polynomial, select, split

F, D = np.float32, np.float64


def _functions(T, table, smallest, shift, negligible, tiny, ln2, log2, log10):
    """The functions for one type of float.

    `smallest` is the smallest normal number, and subnormal ones become normal times 2**shift; from
    `negligible` on, x + 1 may be taken for x, and below `tiny` log(1 + x) is x. `ln2`: log(2) in
    two parts. `log2`, `log10`: 1 / log(2) and 1 / log(10) in two parts, then the logarithm of 2 in
    two parts, of which the first times k is exact.
    """
    table = tuple(map(T, table))
    smallest, up, shift = T(smallest), T(2.0**shift), T(shift)
    negligible, tiny = T(negligible), T(tiny)
    ln2, ln2_low = map(T, ln2)
    zero, half, one, two, inf, nan = map(T, (0, 0.5, 1, 2, math.inf, math.nan))

    @exact
    def parts(x):
        """(k, m) of any positive number."""
        small = x < smallest
        k, m = split(select(small, x * up, x))
        return select(small, k - shift, k), m

    if T is F:

        @exact
        def tail(f):
            return f * f * polynomial(f, table)

        @exact
        def total(k, f):
            y = fma(f * f, polynomial(f, table), fma(k, ln2_low, f))
            return fma(k, ln2, y)

    else:

        @exact
        def rest(f, square):
            s = f / (two + f)
            z = s * s
            return s * fma(z, polynomial(z, table), half * square)

        @exact
        def tail(f):
            square = f * f
            return rest(f, square) - half * square

        @exact
        def total(k, f):
            square = f * f
            y = fma(k, ln2_low, rest(f, square)) - half * square
            return fma(k, ln2, y + f)

    @exact
    def ends(x, y):
        """y, a logarithm, where x is positive and finite; else -inf, NaN or inf."""
        y = select(x > zero, y, select(x == zero, -inf, nan))
        return select(x == inf, inf, y)

    @exact
    def log(x):
        k, m = parts(x)
        return ends(x, total(k, m - one))

    @exact
    def log1p(x):
        u = one + x
        v = u - x
        lost = select(x < negligible, (one - v) + (x - (u - v)), zero)  # 1 + x - u
        k, m = parts(u)
        y = ends(u, total(k, (m - one) + lost * (m / u)))
        return select((x < tiny) & (x > -tiny), x, y)

    def scaled(factor, factor_low, unit, unit_low):
        """A logarithm to another base."""
        factor, factor_low, unit, unit_low = map(T, (factor, factor_low, unit, unit_low))

        @exact
        def log(x):
            k, m = parts(x)
            f = m - one
            y = fma(f, factor_low, tail(f) * factor)  # log(m) = f + tail(f)
            return ends(x, fma(k, unit, fma(f, factor, fma(k, unit_low, y))))

        return log

    return log, log1p, scaled(*log2), scaled(*log10)


# fmt: off
_single = _functions(
    F,
    (-0.49999988, 0.333336, -0.25001895, 0.19984515, -0.16585836, 0.14501877, -0.13762744,
     0.1110876, -0.041836936),
    2.0**-126, 25, 2.0**40, 2.0**-25, (0.6931471824645996, -1.9046542121259336e-09),
    (1.4426950216293335, 1.925963033500011e-08, 1.0, 0.0),
    (0.4342944920063019, -1.0103049952192578e-08, 0.301025390625, 4.605039066518657e-06),
)
_double = _functions(
    D,
    (0.6666666666666686, 0.39999999999692654, 0.2857142868712164, 0.22222203726321063,
     0.18183318237973864, 0.15319883264352388, 0.1474154918720625),
    2.0**-1022, 54, 2.0**80, 2.0**-54, (0.6931471805599453, 2.3190468138462996e-17),
    (1.4426950408889634, 2.0355273740931033e-17, 1.0, 0.0),
    (0.4342944819032518, 1.098319650216765e-17, 0.30102999566395283, 2.8363394551044964e-14),
)
# fmt: on
log, log1p, log2, log10 = map(by_width, _single, _double)
