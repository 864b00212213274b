"""Remainders and rounded quotients, for pairs whose quotient is not `far_quotient`.

a - q b with q = trunc(a / b) is a fused multiply-add, and exact: q has fewer bits than a float. The
rounded division may give an integer where a / b is just below one; the remainder then has the other
sign, and gets b back. Larger quotients need the C library's loop.
"""

import math

import numpy as np

from ..jit import by_width, exact
from .pieces import copysign, fabs, floor, fma, select, trunc


def _functions(T, limit):
    """The functions for one type; `limit`: of the quotient."""
    limit, zero, half, one, inf = map(T, (limit, 0, 0.5, 1, math.inf))

    @exact
    def far_quotient(a, b):
        return fabs(a) > limit * fabs(b)

    @exact
    def c_modulo_near(a, b):
        r = fma(-trunc(a / b), b, a)
        r = select((r != zero) & ((r < zero) != (a < zero)), r + copysign(b, a), r)
        return copysign(select((fabs(b) == inf) & (fabs(a) < inf), a, r), a)

    @exact
    def modulo_near(a, b):
        r = c_modulo_near(a, b)
        return select((r != zero) & ((r < zero) != (b < zero)), r + b, r)

    @exact
    def floor_division_near(a, b):
        r = c_modulo_near(a, b)
        q = (a - r) / b
        q = select((r != zero) & ((b < zero) != (r < zero)), q - one, q)
        down = floor(q)
        down = select(q - down > half, down + one, down)
        ratio = a / b
        return select(b == zero, ratio, select(q != zero, down, copysign(q * zero, ratio)))

    return far_quotient, c_modulo_near, modulo_near, floor_division_near


far_quotient, c_modulo_near, modulo_near, floor_division_near = map(
    by_width, _functions(np.float32, 2.0**22), _functions(np.float64, 2.0**51)
)
