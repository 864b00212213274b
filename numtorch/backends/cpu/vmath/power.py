"""a ** b = 2 ** (b * log2(a)).

The product must be exact to a few units below the result's precision, and it may be as large as the
largest exponent: so that of float32 is computed in float64, and that of float64 as a sum of two
floats.
"""

import math

import numpy as np

from ..jit import by_width, exact
from .exponential import q64
from .pieces import (
    copysign,
    fabs,
    fma,
    ldexp,
    polynomial,
    power_of_two,
    rint,
    rounded,
    select,
    split,
    sqrt,
)

D = np.float64
ZERO, HALF, ONE, TWO = D(0), D(0.5), D(1), D(2)
INF, NAN, MAGIC = D(math.inf), D(math.nan), D(1.5 * 2**52)


@exact
def signed(x, y, power):
    """x ** y for any sign of x, given |x| ** y: negative for odd y, NaN between the integers."""
    whole = rint(y) == y
    odd = whole & (rint(y * HALF) != y * HALF)
    power = select(odd & (copysign(ONE, x) < ZERO), -power, power)
    return select((x < ZERO) & (x > -INF) & (not whole), NAN, power)


# fmt: off
LOG2 = (  # log2(1 + f) / f
    D(1.4426950408865205), D(-0.7213475203252793), D(0.480898348836955), D(-0.3606737936877852),
    D(0.28853879261705473), D(-0.24044639555302527), D(0.2061072049116651), D(-0.1804378325197987),
    D(0.16021637415211593), D(-0.14248521727025507), D(0.1302635827034265), D(-0.1346874080108787),
    D(0.13261401375376428), D(-0.06976621260744204),
)
EXP2 = (
    D(1.0), D(0.6931471807075029), D(0.2402265107112578), D(0.05550410356924531),
    D(0.009618037392178718), D(0.001333394081289721), D(0.00015467012134611952),
    D(1.5195268164561674e-05),
)
# fmt: on
LARGEST = D(200)  # 2**200 and 2**-200 are inf and 0 as float32


@exact
def pow32(x, y):
    """x ** y of float32."""
    a, x, y = D(fabs(x)), D(x), D(y)
    k, m = split(a)
    f = m - ONE
    log = select(a > ZERO, fma(f, polynomial(f, LOG2), k), -INF)
    log = select(a < INF, log, a)
    trivial = (y == ZERO) | (a == ONE)  # also where the other operand is NaN
    e = select(trivial, ZERO, y * log)
    e = select(e > LARGEST, LARGEST, e)
    e = select(e < -LARGEST, -LARGEST, e)
    n, k = rounded(e, ONE, MAGIC)
    return np.float32(signed(x, y, polynomial(e - n, EXP2) * power_of_two(k, ONE)))


# fmt: off
ATANH = (  # (atanh(s) / s - 1 - z / 3) / z**2 for z = s**2
    D(0.2), D(0.14285714285710965), D(0.11111111112753044), D(0.09090908789563747),
    D(0.076923331030888), D(0.06665671369615078), D(0.058949720868914694), D(0.05462994708805731),
)
# fmt: on
THIRD, THIRD_LOW = D(1 / 3), D(1.850371707708594e-17)
TWO_LOG2E, TWO_LOG2E_LOW = D(2.8853900817779268), D(4.0710547481862066e-17)
LN2, SMALLEST, UP, SHIFT = D(0.6931471805599453), D(2.0**-1022), D(2.0**54), D(54)
HIGHEST, LOWEST = D(1100), D(-1100)


@exact
def log2_parts(x):
    """The binary logarithm of a positive number as a sum of two floats, to 2**-65 of its size."""
    small = x < SMALLEST
    k, m = split(select(small, x * UP, x))
    k = select(small, k - SHIFT, k)
    f = m - ONE
    d = f + TWO
    low = f - (d - TWO)
    inverse = ONE / d
    s = f * inverse  # s + sl = f / (2 + f), so that log(1 + f) = 2 * atanh(s + sl)
    sl = (fma(-s, d, f) - s * low) * inverse
    z = s * s
    zl = fma(s, s, -z) + TWO * s * sl
    q = z * polynomial(z, ATANH)
    u = THIRD + q
    ul = (THIRD - u) + q + THIRD_LOW
    w = z * u
    wl = fma(z, u, -w) + fma(z, ul, zl * u)
    t = ONE + w
    tl = ((ONE - t) + w) + wl
    g = s * t
    gl = fma(s, t, -g) + fma(s, tl, sl * t)
    h = g * TWO_LOG2E
    hl = fma(g, TWO_LOG2E, -h) + fma(g, TWO_LOG2E_LOW, gl * TWO_LOG2E)
    total = k + h
    return total, ((k - total) + h) + hl


@exact
def pow64(x, y):
    """x ** y of float64."""
    a = fabs(x)
    log, low = log2_parts(a)
    log = select(a > ZERO, log, -INF)
    log = select(a < INF, log, a)
    trivial = (y == ZERO) | (a == ONE)  # also where the other operand is NaN
    e = select(trivial, ZERO, y * log)
    e = select(e > HIGHEST, HIGHEST, e)
    e = select(e < LOWEST, LOWEST, e)
    n, k = rounded(e, ONE, MAGIC)
    rest = fma(y, log, -e) + y * low
    r = LN2 * ((e - n) + select(trivial | (fabs(e) == HIGHEST), ZERO, rest))
    return signed(x, y, ldexp(fma(r * r, polynomial(r, q64), r) + ONE, k))


pow = by_width(pow32, pow64)

HUGE, TINY, FACTOR = D(2.0**500), D(2.0**-500), D(2.0**600)


@exact
def hypot32(x, y):
    """The length of (x, y), in float64: no square overflows there."""
    length = np.float32(sqrt(D(x) * D(x) + D(y) * D(y)))
    infinite = (fabs(x) == np.float32(INF)) | (fabs(y) == np.float32(INF))
    return select(infinite, np.float32(INF), length)


@exact
def hypot64(x, y):
    """The length of (x, y), both scaled by a power of 2 where a square would not do."""
    a, b = fabs(x), fabs(y)
    largest = select(a > b, a, b)
    down = select(largest > HUGE, ONE / FACTOR, ONE)
    up = select(largest < TINY, FACTOR, ONE)
    a, b = a * down * up, b * down * up
    length = sqrt(fma(a, a, b * b)) / down / up
    return select((a == INF) | (b == INF), INF, length)


hypot = by_width(hypot32, hypot64)
