"""Scalar functions for generated CPU kernels, and the module in which those kernels live.

Names here are what expressions may call. A generated kernel is executed in this module's namespace,
so that Numba can find its globals again when another process loads it from the cache.
"""

import linecache
import math
import re

import numpy as np
from numpy import float32, float64, int8, int16, int32, int64, uint8

from ..codegen import Loop, flat_source, streamed_source, strided_source
from . import vmath
from .jit import Kernel, inline, prange
from .moves import release, scratch, stream_run
from .vmath import (
    atan,
    atan2,
    c_modulo_near,
    cos,
    cos_near,
    cosh,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    far,
    far_quotient,
    fetch,
    fetch_result,
    floor_division_near,
    hypot,
    log,
    log1p,
    log2,
    log10,
    modulo_near,
    pow,
    sigmoid,
    silu,
    sin,
    sin_near,
    sinh,
    tan,
    tan_near,
    tanh,
    wide,
)

__all__ = ["float32", "float64", "int8", "int16", "int32", "int64", "prange", "uint8"]
__all__ += ["cosh", "erf", "erfc", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10"]
__all__ += ["atan", "cos", "cos_near", "far", "pow", "sigmoid", "silu", "sin", "sin_near", "sinh"]
__all__ += ["fetch", "fetch_result", "tan", "tan_near", "tanh", "wide"]
__all__ += ["atan2", "c_modulo_near", "far_quotient", "floor_division_near", "hypot", "modulo_near"]
__all__ += ["release", "scratch", "stream_run"]

inf, nan = math.inf, math.nan

# NumPy's functions give nan and inf where those of math raise (without a compiler) or are
# undefined.
sqrt, floor_float, ceil_float, trunc_float, rint_float = (
    np.sqrt,
    np.floor,
    np.ceil,
    np.trunc,
    np.rint,
)
asin, acos = np.arcsin, np.arccos
asinh, acosh, atanh = np.arcsinh, np.arccosh, np.arctanh
lgamma, copysign = math.lgamma, math.copysign
c_modulo_float, fabs = np.fmod, np.fabs


@inline
def maximum(a, b):
    """The larger value; NaN if either is. The inner selection is one instruction."""
    return a if a != a else (a if a > b else b)


@inline
def minimum(a, b):
    """The smaller value; NaN if either is."""
    return a if a != a else (a if a < b else b)


@inline
def clamped(a, low, high):
    """minimum(maximum(a, low), high), with one look for NaN: bounds are mostly numbers."""
    top = low if low != low else high
    b = a if a > low else low
    b = b if b < top else top
    return a if a != a else b


@inline
def fmax(a, b):
    """The larger value; a NaN loses."""
    return a if a > b or b != b else b


@inline
def fmin(a, b):
    """The smaller value; a NaN loses."""
    return a if a < b or b != b else b


@inline
def same(a):
    """Rounding of an integer."""
    return a


floor_int = ceil_int = trunc_int = rint_int = floor_bool = ceil_bool = trunc_bool = rint_bool = same


@inline
def negative_float(a):
    """Whether the sign bit is set, -0.0 and NaN included."""
    return math.copysign(1.0, a) < 0


@inline
def negative_int(a):
    """Whether an integer is below zero."""
    return a < 0


@inline
def invert_int(a):
    """All bits inverted."""
    return ~a


@inline
def invert_bool(a):
    """The other truth value."""
    return not a


@inline
def floor_division_float(a, b):
    """floor(a / b), exact as Python's: the remainder decides, not the rounded quotient."""
    if b == 0:
        return a / b
    r = np.fmod(a, b)
    q = (a - r) / b
    if r != 0 and (b < 0) != (r < 0):
        q -= 1
    if q != 0:
        down = np.floor(q)
        return down + 1 if q - down > 0.5 else down
    return np.copysign(q * 0, a / b)


@inline
def trunc_division_float(a, b):
    """a / b rounded towards zero."""
    return np.trunc(a / b)


@inline
def modulo_float(a, b):
    """a - b * floor(a / b), with the sign of b."""
    r = np.fmod(a, b)
    if r != 0 and (r < 0) != (b < 0):
        r += b
    return r


@inline
def floor_division_int(a, b):
    """floor(a / b); division by zero is refused before the kernel runs."""
    return a // b


@inline
def trunc_division_int(a, b):
    """a / b rounded towards zero."""
    q = a // b
    return q + 1 if q < 0 and q * b != a else q


@inline
def modulo_int(a, b):
    """a - b * floor(a / b)."""
    return a % b


@inline
def c_modulo_int(a, b):
    """a - b * trunc(a / b), with the sign of a."""
    r = a % b
    return r - b if r != 0 and (a < 0) != (b < 0) else r


@inline
def power_float(a, b):
    """a ** b; squares without a call."""
    return a * a if b == 2 else pow(a, b)


@inline
def power_int(a, b):
    """a ** b by squaring; negative exponents give 0, except for the bases 1 and -1."""
    if b < 0:
        if a == 1:
            return 1
        if a == -1:
            return -1 if b % 2 else 1
        return 0
    result, base, n = 1, int(a), int(b)
    while n > 0:
        if n & 1:
            result *= base
        base *= base
        n >>= 1
    return result


power_bool, floor_division_bool, modulo_bool = power_int, floor_division_int, modulo_int


_made: dict = {}
_SOURCES: dict = {"flat": flat_source, "streamed": streamed_source, "strided": strided_source}
_divisions = "c_modulo|modulo|floor_division"
_called = re.compile(rf"\b({'|'.join(vmath.__all__)}|power|{_divisions})\(")


def prelude(*expressions: str) -> tuple[str, ...]:
    """Statements for the loop over expressions: those that call elementary functions are `wide`."""
    return ("wide()",) if any(_called.search(e) for e in expressions) else ()


def kernel_for(loop: Loop, form: str, *facts) -> Kernel:
    """The kernel of a loop, "flat", "streamed" or "strided" (with its `steps`); made once."""
    key = (form, *facts, *loop.key())
    found = _made.get(key)
    if found is None:
        name = f"{loop.title}_{form}"
        loop.first = prelude(*loop.expressions)
        text = _SOURCES[form](loop, name, *facts)
        filename = f"<numtorch kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope = dict(globals())
        exec(compile(text, filename, "exec"), globals(), scope)
        found = _made[key] = Kernel(scope[name], elementwise=True)
        found.source = text
    return found
