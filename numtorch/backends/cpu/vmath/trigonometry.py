"""Sine, cosine, tangent and arctangent.

x = n * pi + r with |r| <= pi / 2, where pi is a sum of three floats; a minimax polynomial gives
sin(r), which is sin(x) or -sin(x); for the cosine, n is halfway between two integers. As n * pi is
subtracted by fused multiply-adds, r has one rounding, however close it is to 0. This holds up to
|x| = LIMIT (LIMIT32); beyond, the C library is called, element by element. Generated loops test a
block for such elements, and have a loop of `..._near` for blocks that have none
(backends/codegen.py). The tangent has sine and cosine of r with |r| <= pi / 4, in float64.
"""

import numpy as np

from ..jit import by_width, exact
from .pieces import copysign, fabs, fma, horner, polynomial, rounded, select, turned

F, D = np.float32, np.float64
LIMIT = D(2.0**30)
LIMIT32, TINY = F(2.0**18), D(2.0**-27)
ZERO, HALF, ONE = D(0), D(0.5), D(1)
MAGIC, TWO_OVER_PI = D(1.5 * 2**52), D(0.6366197723675814)
PI1, PI2, PI3 = D(1.5707963267948966), D(6.123233995736766e-17), D(-1.4973849048591698e-33)
# fmt: off
SIN32 = (
    D(-0.16666666643755834), D(0.008333329560710291), D(-0.00019839378079952746),
    D(2.71864410331089e-06),
)
COS32 = (D(0.04166665214578251), D(-0.0013887584957542644), D(2.44600859256881e-05))
SIN64 = (
    D(-0.16666666666666638), D(0.008333333333323523), D(-0.00019841269830525718),
    D(2.7557313902149184e-06), D(-2.5050786690849646e-08), D(1.5898261892543644e-10),
)
COS64 = (
    D(0.04166666666666666), D(-0.0013888888888883442), D(2.480158729490604e-05),
    D(-2.755731581999154e-07), D(2.0875911062012392e-09), D(-1.1368841654376015e-11),
)
# fmt: on


@exact
def parts32(x):
    """(n, sin(r), cos(r)), in float64."""
    n, k = rounded(x, TWO_OVER_PI, MAGIC)
    r = fma(n, -PI2, fma(n, -PI1, x))
    z = r * r
    s = r * fma(z, polynomial(z, SIN32), ONE)
    return k, s, fma(z, fma(z, polynomial(z, COS32), -HALF), ONE)


@exact
def parts64(x):
    """(n, sin(r), cos(r)); r is a sum of two floats."""
    n, k = rounded(x, TWO_OVER_PI, MAGIC)
    high = fma(n, -PI1, x)
    p = n * PI2
    r = high - p
    back = high - r
    low = (high - (r + back)) + (back - p)  # what high - p lost
    low = low - fma(n, PI2, -p) - n * PI3
    z = r * r
    half = HALF * z
    near = ONE - half
    s = r + fma(z * r, polynomial(z, SIN64), low * near)
    c = near + (((ONE - near) - half) + fma(z * z, polynomial(z, COS64), -r * low))
    return k, select(fabs(x) < TINY, x, s), c


@exact
def tan_of(k, s, c):
    """tan(k * pi / 2 + r)."""
    even = (k & 1) == 0
    return select(even, s, -c) / select(even, c, s)


def _near(parts, convert):
    """The tangent for |x| <= LIMIT."""

    @exact
    def near(x):
        k, s, c = parts(D(x))
        return convert(tan_of(k, s, c))

    return near


def _any(near, libm, limit, convert):
    """The same for any x."""

    @exact
    def anywhere(x):
        return near(x) if fabs(x) <= limit else convert(libm(D(x)))

    return anywhere


def _waves(T, magic, pi, table):
    """Sine and cosine of |x| <= LIMIT."""
    magic, inverse, half, one = T(magic), T(1 / np.pi), T(0.5), T(1)
    pi1, pi2, pi3 = map(T, pi)
    table = tuple(map(T, table))

    @exact
    def of(x, n, k):
        # all parts of pi are positive: n = 0.0 leaves x = -0.0 as it is
        r = fma(n, -pi3, fma(n, -pi2, fma(n, -pi1, x)))
        a, z = fabs(r), r * r
        y = fma(a * z, polynomial(z, table), a)
        return copysign(select(y > one, one, y), turned(r, k))

    @exact
    def sin(x):
        n, k = rounded(x, inverse, magic)
        return of(x, n, k)

    @exact
    def cos(x):
        n, k = rounded(fma(x, inverse, -half), one, magic)
        return of(x, n + half, k + 1)

    return sin, cos


# fmt: off
sin32, cos32 = _waves(
    F, 1.5 * 2**23, (3.141592502593994, 1.5099578831723193e-07, 1.078060505991553e-14),
    (-0.1666666, 0.008333069, -0.00019809768, 2.6060538e-06),
)
sin64, cos64 = _waves(
    D, MAGIC, (3.141592653589793, 1.224646799147353e-16, 2.1657133478438278e-32),
    (-0.16666666666666666, 0.008333333333333207, -0.0001984126984121248, 2.755731921157002e-06,
     -2.5052106904540246e-08, 1.6058941011581745e-10, -7.643019687773873e-13,
     2.721423479923919e-15),
)
# fmt: on
tan32, tan64 = _near(parts32, F), _near(parts64, D)


def _pair(single, double, libm):
    """(near, anywhere) for both types."""
    near = by_width(single, double)
    return near, by_width(_any(single, libm, LIMIT32, F), _any(double, libm, LIMIT, D))


sin_near, sin = _pair(sin32, sin64, np.sin)
cos_near, cos = _pair(cos32, cos64, np.cos)
tan_near, tan = _pair(tan32, tan64, np.tan)


@exact
def far32(x):
    """Whether x needs the C library."""
    return fabs(x) > LIMIT32


@exact
def far64(x):
    """Whether x needs the C library."""
    return fabs(x) > LIMIT


far = by_width(far32, far64)


def _atan(T, table, high, low):
    """The arctangent, of 1 / x, taken from pi / 2 = high + low, where |x| > 1; and atan2(y, x), the
    arctangent of the smaller by the larger, in the right one of eight places.
    """
    table, high, low = tuple(map(T, table)), T(high), T(low)
    zero, one, two, inf = map(T, (0, 1, 2, np.inf))

    @exact
    def atan(x):
        a = fabs(x)
        beyond = a > one
        t = select(beyond, one / a, a)
        z = t * t
        rest = t * z * horner(z, table)
        inside, outside = t + rest, high - (t + (rest - low))
        return copysign(select(beyond, outside, inside), x)

    @exact
    def atan2(y, x):
        a, b = fabs(y), fabs(x)
        steep, left = a > b, copysign(one, x) < zero
        top, bottom = select(steep, b, a), select(steep, a, b)
        t = select(bottom == zero, top, top / bottom)  # 0 or NaN
        t = select((top == inf) & (bottom == inf), one, t)
        z = t * t
        rest = t * z * horner(z, table)
        sign = select(steep != left, -one, one)
        turns = select(steep, one, select(left, two, zero))  # of pi / 2
        angle = fma(turns, high, fma(sign, t, fma(sign, rest, turns * low)))
        return copysign(angle, y)

    return atan, atan2


# fmt: off
_single, _double = (
    _atan(
        F,
        (-0.3333332, 0.19999123, -0.14270051, 0.1098134, -0.08485692, 0.05932393, -0.032504458,
         0.011610903, -0.0019462178),
        1.5707963705062866, -4.371138828673793e-08,
    ),
    _atan(
        D,
        (-0.33333333333333304, 0.19999999999986673, -0.14285714284451212, 0.11111111058613388,
         -0.09090907864033883, 0.07692289397372144, -0.06666478809857618, 0.058809559393799886,
         -0.05255362468914216, 0.04728403478003061, -0.04234715916550979, 0.03695130774271656,
         -0.030384544206694182, 0.022564882628201516, -0.014438197583473415, 0.007571761592855672,
         -0.0030756229585060632, 0.0008978929629665604, -0.0001664290078568925,
         1.4640265098129235e-05),
        1.5707963267948966, 6.123233995736766e-17,
    ),
)
# fmt: on
atan, atan2 = map(by_width, _single, _double)
