"""The error function and its complement.

Below 1, erf(x) = x + x * p(x**2); above, 1 - exp(-b(x)). The complement is exp(-x**2) * erfcx(x),
and erfcx(x) * (x + c) is smooth in t = (x - c) / (x + c), which takes all positive x to [-1, 1]
(after Shepherd and Laframboise 1981). p, b and the last one are minimax polynomials.
"""

import numpy as np

from ..jit import by_width, exact
from .exponential import reduced32, reduced64
from .pieces import copysign, fabs, fma, ldexp, polynomial, power_of_two, select

F, D = np.float32, np.float64


def _functions(T, reduced, top, end, centre, near, far, complement):
    """The functions for one type: erf is 1 above `top`, erfc 0 above `end`; `centre` is c."""
    near, far, complement = (tuple(map(T, table)) for table in (near, far, complement))
    top, end, centre = map(T, (top, end, centre))
    zero, limit, one, two = map(T, (0, 0.7, 1, 2))

    @exact
    def erf(x):
        a = fabs(x)
        k, p = reduced(-polynomial(select(a > top, top, a), far))
        s = power_of_two(k, one)
        y = fma(-s, p, one - s)
        return copysign(select(a < one, fma(a, polynomial(a * a, near), a), y), x)

    @exact
    def erfc(x):
        a = fabs(x)
        a = select(a > end, end, a)
        square = a * a
        scale = one / (a + centre)
        k, p = reduced(-square)
        y = scale * polynomial((a - centre) * scale, complement)
        y = ldexp(fma(y, fma(fma(a, a, -square), -one - p, p), y), k)
        y = select(x < zero, two - y, y)
        return select(a < limit, one - fma(x, polynomial(x * x, near), x), y)

    return erf, erfc


# fmt: off
_single = _functions(
    F, reduced32, 4.0, 10.2, 3.0,
    (0.12837917, -0.37612626, 0.11283581, -0.026853547, 0.0051877405, -0.0008004633, 7.8346995e-05),
    (0.00034136226, 1.12709, 0.63814324, 0.103108436, -0.021839032, 0.0029479433, -0.00018641238),
    (1.0740069, -0.8833945, 0.59022796, -0.31046623, 0.11953189, -0.02683782, -0.0012341447,
     0.0030740397, -0.0004771376, -0.00032001146),
)
_double = _functions(
    D, reduced64, 6.0, 27.5, 5.0,
    (0.12837916709551256, -0.3761263890318337, 0.1128379167093876, -0.026866170642320986,
     0.005223977600122368, -0.0008548325661309883, 0.00012055286055139615, -1.4924575994830585e-05,
     1.6445538142714108e-06, -1.6194708815455462e-07, 1.3663088256686958e-08,
     -7.693929201278987e-10),
    (1.798786039210766e-07, 1.128377326658247, 0.6366285011713442, 0.10274721643089234,
     -0.019078082793886276, -0.00028059734147323884, 0.0017691242957788786, -0.0006412823265093319,
     4.48993126534422e-05, 7.032371063786745e-05, -4.501823119350661e-05, 1.65071434038956e-05,
     -4.32513884930471e-06, 8.501595976391499e-07, -1.2563620938797457e-07, 1.3618329818777355e-08,
     -1.0249945982021804e-09, 4.7923558047973167e-11, -1.0487282262017217e-12),
    (1.1070463773306862, -1.0262325991519448, 0.8811773333025111, -0.6996919595788705,
     0.5124334779619883, -0.3448138785667738, 0.21201689213396535, -0.11819633842755996,
     0.059064351079752817, -0.025995100994703868, 0.009781837207672454, -0.002968406563905294,
     0.0006206052345125949, -2.4826589543949285e-05, -4.4166137282525426e-05,
     1.9063408883664625e-05, -2.478563407999253e-06, -1.1403991625022213e-06,
     6.237833881617576e-07, -2.9882200784835225e-08, -6.606465353082717e-08, 8.41585003983226e-09,
     4.400935089361833e-09),
)
# fmt: on
erf, erfc = map(by_width, _single, _double)
