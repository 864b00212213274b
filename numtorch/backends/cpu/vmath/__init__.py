"""Elementary functions of float32 and float64 that LLVM vectorizes; Numba's call the C library.

None branches, and each is computed as written, whatever flags a kernel has: an element's result
depends neither on its place in the array nor on the loop around it. Errors and times are listed in
docs/kernels.md.
"""

from .error import erf, erfc
from .exponential import cosh, exp, exp2, exp32, exp64, expm1, sigmoid, silu, sinh, tanh
from .logarithm import log, log1p, log2, log10
from .pieces import fetch, fetch_result, wide
from .power import pow
from .trigonometry import atan, cos, cos_near, far, sin, sin_near, tan, tan_near

__all__ = [
    "atan",
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
    "fetch",
    "fetch_result",
    "log",
    "log10",
    "log1p",
    "log2",
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
