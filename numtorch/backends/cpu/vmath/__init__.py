"""Elementary functions of float32 and float64 that LLVM vectorizes; Numba's call the C library.

None branches, and each is computed as written, whatever flags a kernel has: an element's result
depends neither on its place in the array nor on the loop around it. Errors and times are listed in
docs/kernels.md.
"""

from .division import c_modulo_near, far_quotient, floor_division_near, modulo_near
from .error import erf, erfc
from .exponential import cosh, exp, exp2, exp32, exp64, expm1, sigmoid, silu, sinh, tanh
from .logarithm import log, log1p, log2, log10
from .pieces import fetch, fetch_result, wide
from .power import hypot, pow
from .trigonometry import atan, atan2, cos, cos_near, far, sin, sin_near, tan, tan_near

__all__ = [
    "atan",
    "atan2",
    "c_modulo_near",
    "cos",
    "cos_near",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp32",
    "exp64",
    "expm1",
    "far",
    "far_quotient",
    "fetch",
    "fetch_result",
    "floor_division_near",
    "hypot",
    "log",
    "log10",
    "log1p",
    "log2",
    "modulo_near",
    "pow",
    "sigmoid",
    "silu",
    "sin",
    "sin_near",
    "sinh",
    "tan",
    "tan_near",
    "tanh",
    "wide",
]
