"""Scalar functions for generated CUDA kernels, and the module in which those kernels live.

Names here are what expressions may call: the same ones as in backends/cpu/scalar.py.
"""

import linecache
import math

from numpy import float32, float64, int8, int16, int32, int64, uint8, uint32

from ..codegen import Loop, cuda_flat_source, cuda_source
from .jit import Kernel, cuda, inline, like

__all__ = ["cuda", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32"]

inf, nan = math.inf, math.nan

exp, expm1, log, log1p = math.exp, math.expm1, math.log, math.log1p
log2, log10, exp2, sqrt = math.log2, math.log10, math.exp2, math.sqrt
sin, cos, tan, asin, acos, atan = math.sin, math.cos, math.tan, math.asin, math.acos, math.atan
sinh, cosh, tanh = math.sinh, math.cosh, math.tanh
asinh, acosh, atanh = math.asinh, math.acosh, math.atanh
erf, erfc, lgamma, atan2, hypot = math.erf, math.erfc, math.lgamma, math.atan2, math.hypot
copysign, fabs, c_modulo_float = math.copysign, math.fabs, math.fmod
floor_float, ceil_float = math.floor, math.ceil  # here they give floats


@inline
def maximum(a, b):
    """The larger value; NaN if either is."""
    return a if a > b or a != a else b


@inline
def minimum(a, b):
    """The smaller value; NaN if either is."""
    return a if a < b or a != a else b


@inline
def clamped(a, low, high):
    """At least `low` and at most `high`; NaN if one of the three is."""
    return minimum(maximum(a, low), high)


@inline
def fmax(a, b):
    """The larger value; a NaN loses."""
    return a if a > b or b != b else b


@inline
def fmin(a, b):
    """The smaller value; a NaN loses."""
    return a if a < b or b != b else b


@inline
def sigmoid(a):
    """The logistic function."""
    return like(a, 1) / (like(a, 1) + exp(-a))


@inline
def silu(a):
    """a * sigmoid(a)."""
    return a / (like(a, 1) + exp(-a))


@inline
def same(a):
    """Rounding of an integer."""
    return a


floor_int = ceil_int = trunc_int = rint_int = floor_bool = ceil_bool = trunc_bool = rint_bool = same


@inline
def trunc_float(a):
    """The integer next to `a` in the direction of 0 (math.trunc would go by way of int64)."""
    return ceil_float(a) if a < like(a, 0) else floor_float(a)


@inline
def rint_float(a):
    """The nearest integer, the even one of two; keeps -0.0, inf and NaN."""
    down = floor_float(a)
    rest = a - down
    half = like(a, 0.5)
    odd = down - like(a, 2) * floor_float(down * half) != like(a, 0)
    if rest > half or (rest == half and odd):
        return copysign(down + like(a, 1), a)
    return copysign(down, a) if rest == rest else a


@inline
def negative_float(a):
    """Whether the sign bit is set, -0.0 and NaN included."""
    return copysign(like(a, 1), a) < like(a, 0)


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
    zero, one = like(a, 0), like(a, 1)
    if b == zero:
        return a / b
    r = c_modulo_float(a, b)
    q = (a - r) / b
    if r != zero and (b < zero) != (r < zero):
        q -= one
    if q != zero:
        down = floor_float(q)
        return down + one if q - down > like(a, 0.5) else down
    return copysign(q * zero, a / b)


@inline
def trunc_division_float(a, b):
    """a / b rounded towards zero."""
    return trunc_float(a / b)


@inline
def modulo_float(a, b):
    """a - b * floor(a / b), with the sign of b."""
    zero = like(a, 0)
    r = c_modulo_float(a, b)
    if r != zero and (r < zero) != (b < zero):
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
    return a * a if b == like(b, 2) else a**b


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


def kernel_for(loop: Loop, form: str) -> Kernel:
    """The kernel of a loop, "flat" or the type of positions in a strided one; made once."""
    key = (form, *loop.key())
    found = _made.get(key)
    if found is None:
        name = f"{loop.title}_{'flat' if form == 'flat' else 'strided'}"
        text = cuda_flat_source(loop, name) if form == "flat" else cuda_source(loop, name, form)
        filename = f"<numtorch CUDA kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope: dict = {}
        exec(compile(text, filename, "exec"), globals(), scope)
        found = _made[key] = Kernel(scope[name])
        found.source = text
    return found
