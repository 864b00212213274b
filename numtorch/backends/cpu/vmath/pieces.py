"""What the vector functions are built from: LLVM instructions that Numba has no name for.

Each stands beside its plain twin, which says what it computes and runs under `NUMBA_DISABLE_JIT=1`.
None of them branches, so that LLVM vectorizes every loop that they are used in.
"""

import fractions
import math
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ...codegen import PIECE
from ..buffer import pointer_of
from ..simd import prefetch, registers

_config: Any = numba.config  # sets its names at run time
_INTEGERS = {types.float32: types.int32, types.float64: types.int64}
LINE = 64  # bytes of a cache line
_MANTISSA = {types.float32: 23, types.float64: 52}


def emitted(plain):
    """Make an intrinsic of a typing function; its twin `plain` runs under `NUMBA_DISABLE_JIT=1`."""

    def mark(typing):
        return plain if _config.DISABLE_JIT else intrinsic(typing)

    return mark


def _call(builder, name, *args):
    """Call the LLVM intrinsic `name` of numbers of one type."""
    kind = args[0].type
    width = "f32" if isinstance(kind, ir.FloatType) else "f64"
    signature = ir.FunctionType(kind, [kind] * len(args))
    function = cgutils.get_or_insert_function(builder.module, signature, f"llvm.{name}.{width}")
    return builder.call(function, args)


@emitted(lambda: None)
def wide(context):
    """Ask for vectors of 64 bytes in the function that this is called in; it does nothing.

    LLVM prefers 32 bytes on many CPUs with AVX-512: better for additions (operands are seldom
    aligned to 64 bytes), but `exp` takes 0.30 ns an element instead of 0.21.
    """

    def emit(context, builder, signature, args):
        # `add` of llvmlite's own class lets through only attributes that it knows
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), emit


AHEAD = 4096  # bytes from what a loop works on to what it asks for


def _fetch(write: bool):
    """The emitter of `fetch` or `fetch_result`."""

    def typing(context, x, at):
        def emit(context, builder, signature, args):
            octet = ir.IntType(8).as_pointer()
            first = pointer_of(builder, signature.args[0], args[0])
            place = builder.bitcast(builder.gep(first, [args[1]]), octet)
            size = context.get_abi_sizeof(first.type.pointee)
            for line in range(0, PIECE * size, LINE):
                offset = ir.Constant(ir.IntType(64), AHEAD + line)
                prefetch(builder, builder.gep(place, [offset]), write)
            return context.get_dummy_value()

        return types.none(x, types.intp), emit

    return typing


def _fetch_plain(x, at):
    """Nothing."""


# Ask for the PIECE elements that are AHEAD of x[at], which need not be memory. Elementary functions
# keep so many instructions in flight that the core sees the next loads too late: tanh of 4M
# elements takes 0.66 ns each without, 0.40 with, of which 0.35 are arithmetic.
fetch = emitted(_fetch_plain)(_fetch(write=False))
fetch_result = emitted(_fetch_plain)(_fetch(write=True))


def _fma_plain(a, b, c):
    if isinstance(a, np.float32):
        return np.float32(np.float64(a) * np.float64(b) + np.float64(c))
    near = a * b + c
    if near == 0 or not (math.isfinite(a) and math.isfinite(b) and math.isfinite(near)):
        return near
    exact = fractions.Fraction(float(a)) * fractions.Fraction(float(b))
    return np.float64(float(exact + fractions.Fraction(float(c))))


@emitted(_fma_plain)
def fma(context, a, b, c):
    """a * b + c, rounded once."""
    return a(a, a, a), lambda context, builder, signature, args: _call(builder, "fma", *args)


LONG = 11  # coefficients from which half as many steps are worth two more operations


def _horner_plain(x, coefficients):
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = _fma_plain(value, x, c)
    return value


def _polynomial_plain(x, coefficients):
    if len(coefficients) < LONG:
        return _horner_plain(x, coefficients)
    odd = _horner_plain(x * x, coefficients[1::2])
    return _fma_plain(odd, x, _horner_plain(x * x, coefficients[::2]))


def _horner(builder, at, numbers):
    """The value of the polynomial with the coefficients `numbers`."""
    value = numbers[-1]
    for c in numbers[-2::-1]:
        value = _call(builder, "fma", value, at, c)
    return value


def _polynomial(longest: int):
    """The emitter of `horner` or `polynomial`."""

    def typing(context, x, coefficients):
        def emit(context, builder, signature, args):
            at, table = args
            numbers = [builder.extract_value(table, i) for i in range(len(coefficients))]
            if len(numbers) < longest:
                return _horner(builder, at, numbers)
            square = builder.fmul(at, at)
            odd, even = (_horner(builder, square, numbers[i::2]) for i in (1, 0))
            return _call(builder, "fma", odd, at, even)

        return x(x, coefficients), emit

    return typing


# coefficients[0] + coefficients[1] * x + ..., by Horner's rule; `polynomial` sums odd and even
# powers apart where there are many, as a core cannot hide the latency of a long chain: erf of
# float64 takes 1.4 ns an element instead of 1.8. It rounds more where the two cancel.
horner = emitted(_horner_plain)(_polynomial(1 << 30))
polynomial = emitted(_polynomial_plain)(_polynomial(LONG))


@emitted(lambda condition, yes, no: yes if condition else no)
def select(context, condition, yes, no):
    """`yes if condition else no`, without a branch."""

    def emit(context, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    return yes(types.boolean, yes, yes), emit


@emitted(np.fabs)
def fabs(context, x):
    """|x|."""
    return x(x), lambda context, builder, signature, args: _call(builder, "fabs", *args)


@emitted(np.copysign)
def copysign(context, x, sign):
    """|x| with the sign of `sign`."""
    return x(x, x), lambda context, builder, signature, args: _call(builder, "copysign", *args)


@emitted(np.rint)
def rint(context, x):
    """The nearest integer, the even one of two."""
    return x(x), lambda context, builder, signature, args: _call(builder, "rint", *args)


@emitted(np.trunc)
def trunc(context, x):
    """x rounded towards zero."""
    return x(x), lambda context, builder, signature, args: _call(builder, "trunc", *args)


@emitted(np.floor)
def floor(context, x):
    """x rounded down."""
    return x(x), lambda context, builder, signature, args: _call(builder, "floor", *args)


@emitted(np.sqrt)
def sqrt(context, x):
    """The square root, rounded once."""
    return x(x), lambda context, builder, signature, args: _call(builder, "sqrt", *args)


def _rounded_plain(x, by, magic):
    n = np.rint(x * by)
    return n, int(n) if abs(n) < 1 << 22 else 0


@emitted(_rounded_plain)
def rounded(context, x, by, magic):
    """The integer nearest to x * by as a float and as an integer; garbage for NaN.

    It is at most 2**22 (2**51). `magic` is 1.5 * 2**23 (1.5 * 2**52): adding it leaves the integer
    in the lowest bits of the sum.
    """
    integer = _INTEGERS[x]

    def emit(context, builder, signature, args):
        total = _call(builder, "fma", *args)
        whole, shift = context.get_value_type(integer), args[2]
        k = builder.sub(builder.bitcast(total, whole), builder.bitcast(shift, whole))
        return context.make_tuple(builder, signature.return_type, (builder.fsub(total, shift), k))

    return types.Tuple((x, integer))(x, x, x), emit


def _narrow(builder, k, mantissa):
    """An exponent as wide as the float that it is for (Numba's sums of int32 are int64)."""
    return builder.trunc(k, ir.IntType(32)) if mantissa == 23 and k.type.width > 32 else k


def _turned_plain(y, k):
    return -y if k & 1 else y


@emitted(_turned_plain)
def turned(context, y, k):
    """-y if k is odd, else y."""
    bits = 32 if y is types.float32 else 64

    def emit(context, builder, signature, args):
        whole = ir.IntType(bits)
        k = _narrow(builder, args[1], _MANTISSA[y])
        sign = builder.shl(k, ir.Constant(whole, bits - 1))
        flipped = builder.xor(builder.bitcast(args[0], whole), sign)
        return builder.bitcast(flipped, args[0].type)

    return y(y, k), emit


def _power_of_two_plain(k, one):
    return np.ldexp(one, k)


@emitted(_power_of_two_plain)
def power_of_two(context, k, one):
    """2**k in the type of `one`, if that is a normal number."""
    mantissa, bias = _MANTISSA[one], 127 if one is types.float32 else 1023

    def emit(context, builder, signature, args):
        k = _narrow(builder, args[0], mantissa)
        whole = k.type
        bits = builder.add(k, ir.Constant(whole, bias))
        return builder.bitcast(builder.shl(bits, ir.Constant(whole, mantissa)), args[1].type)

    return one(k, one), emit


def _scales() -> bool:
    """Whether LLVM has an instruction for ldexp, AVX-512's vscalef; else it calls the C library."""
    return registers()[0] == 64 and llvmlite.binding.llvm_version_info >= (22,)


def _ldexp_plain(x, k):
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(x, k)


@emitted(_ldexp_plain)
def ldexp(context, x, k):
    """x * 2**k with one rounding, also where the result is subnormal.

    x * 2**(k / 2) is a normal number, 0, infinite or NaN; |k| is at most 1.9 times the largest
    exponent.
    """
    mantissa, bias = _MANTISSA[x], 127 if x is types.float32 else 1023

    def emit(context, builder, signature, args):
        value, exponent = args[0], _narrow(builder, args[1], mantissa)
        whole, kind = exponent.type, value.type
        if _scales():
            if whole.width > 32:
                exponent = builder.trunc(exponent, ir.IntType(32))
            name = f"llvm.ldexp.f{mantissa // 52 * 32 + 32}.i32"
            function = ir.FunctionType(kind, [kind, exponent.type])
            function = cgutils.get_or_insert_function(builder.module, function, name)
            return builder.call(function, [value, exponent])
        number = lambda n: ir.Constant(whole, n)  # noqa: E731
        # a logical shift of a positive number: AVX2 has no arithmetic one of 64 bits
        half = builder.lshr(builder.add(exponent, number(4 * bias)), number(1))
        half = builder.sub(half, number(2 * bias))
        for part in (half, builder.sub(exponent, half)):
            bits = builder.shl(builder.add(part, number(bias)), number(mantissa))
            value = builder.fmul(value, builder.bitcast(bits, kind))
        return value

    return x(x, k), emit


def _split_plain(x):
    T = type(x)
    if not (0 < x < math.inf):
        return T(0), T(1)
    m, k = np.frexp(x)
    return (T(k), m) if m >= math.sqrt(0.5) else (T(k - 1), m + m)


@emitted(_split_plain)
def split(context, x):
    """(k, m), both floats, with x == m * 2**k and m in [sqrt(1/2), sqrt(2)]; x > 0 and normal."""
    mantissa, bias = _MANTISSA[x], 127 if x is types.float32 else 1023
    root = int(
        np.array(math.sqrt(0.5), np.float32 if mantissa == 23 else np.float64).view(
            np.int32 if mantissa == 23 else np.int64
        )
    )

    def emit(context, builder, signature, args):
        kind = args[0].type
        whole = ir.IntType(32 if mantissa == 23 else 64)
        number = lambda n: ir.Constant(whole, n)  # noqa: E731
        bits = builder.bitcast(args[0], whole)
        above = builder.sub(bits, number(root))
        if mantissa == 23:
            power = builder.ashr(above, number(mantissa))
            m = builder.sub(bits, builder.shl(power, number(mantissa)))
            k = builder.sitofp(power, kind)
            return context.make_tuple(builder, signature.return_type, (k, builder.bitcast(m, kind)))
        above = builder.add(above, number(bias << mantissa))
        m = builder.add(builder.and_(above, number((1 << mantissa) - 1)), number(root))
        # the exponent in the lowest bits of the float 2**mantissa: few CPUs convert 64-bit integers
        k = builder.lshr(above, number(mantissa))
        k = builder.or_(k, number((bias + mantissa) << mantissa))
        k = builder.fsub(builder.bitcast(k, kind), ir.Constant(kind, float((1 << mantissa) + bias)))
        return context.make_tuple(builder, signature.return_type, (k, builder.bitcast(m, kind)))

    return types.UniTuple(x, 2)(x), emit
