"""Elementary functions of float32 and float64 that LLVM vectorizes; Numba's call the C library.

None branches, and each is computed as written, whatever flags a kernel has: an element's result
depends neither on its place in the array nor on the loop around it. Errors and times are listed in
docs/kernels.md.
"""

from .error import erf, erfc
from .exponential import cosh, exp, exp2, exp32, exp64, expm1, sigmoid, silu, sinh, tanh
from .logarithm import log, log1p, log2, log10

__all__ = [
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp32",
    "exp64",
    "expm1",
    "log",
    "log10",
    "log1p",
    "log2",
    "sigmoid",
    "silu",
    "sinh",
    "tanh",
]
