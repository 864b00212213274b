"""Sine, cosine, tangent and arctangent.

x = n * pi / 2 + r with |r| <= pi / 4, where pi / 2 is a sum of floats; minimax polynomials give
sin(r) and cos(r). This holds up to |x| = LIMIT; beyond, the C library is called, element by
element. Generated loops test a block for such elements, and have a loop of `..._near` for blocks
that have none (backends/codegen.py). float32 is computed in float64.
"""

import numpy as np

from ..jit import by_width, exact
from .pieces import copysign, fabs, fma, polynomial, rounded, select

F, D = np.float32, np.float64
LIMIT = D(2.0**30)
LIMIT32, TINY = F(LIMIT), D(2.0**-27)
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
def sin_of(k, s, c):
    """sin(k * pi / 2 + r)."""
    y = select((k & 1) == 0, s, c)
    return select((k & 2) == 0, y, -y)


@exact
def tan_of(k, s, c):
    """tan(k * pi / 2 + r)."""
    even = (k & 1) == 0
    return select(even, s, -c) / select(even, c, s)


def _near(of, parts, convert, shift):
    """A function of (k + shift, sin(r), cos(r)) for |x| <= LIMIT."""

    @exact
    def near(x):
        k, s, c = parts(D(x))
        return convert(of(k + shift, s, c))

    return near


def _any(near, libm, limit, convert):
    """The same for any x."""

    @exact
    def anywhere(x):
        return near(x) if fabs(x) <= limit else convert(libm(D(x)))

    return anywhere


def _pair(of, shift, libm):
    """(near, anywhere) for both types."""
    near = by_width(_near(of, parts32, F, shift), _near(of, parts64, D, shift))
    return near, by_width(_any(near, libm, LIMIT32, F), _any(near, libm, LIMIT, D))


sin_near, sin = _pair(sin_of, 0, np.sin)
cos_near, cos = _pair(sin_of, 1, np.cos)
tan_near, tan = _pair(tan_of, 0, np.tan)


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
    """The arctangent: of 1 / x, taken from pi / 2 = high + low, where |x| > 1."""
    table, high, low, one = tuple(map(T, table)), T(high), T(low), T(1)

    @exact
    def atan(x):
        a = fabs(x)
        beyond = a > one
        t = select(beyond, one / a, a)
        z = t * t
        rest = t * z * polynomial(z, table)
        inside, outside = t + rest, high - (t + (rest - low))
        return copysign(select(beyond, outside, inside), x)

    return atan


# fmt: off
atan = by_width(
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
