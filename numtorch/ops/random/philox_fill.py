"""Kernels that fill a tensor with samples of one distribution on the GPU, as torch's do.

A thread draws four words at a time, which are four float32 samples or two float64 ones; sample i of
a call belongs to the element i * threads further on. `FILLS[name, wide]` is the kernel of a
distribution in float32 or float64 arithmetic, called with (out, n, seed_low, seed_high, counter, a,
b), where a and b are its parameters.
"""

import math

import numpy as np

from ...backends.cuda.jit import cuda, inline, kernel
from .philox import join, normal32, normal64, philox, unit32, unit64

U64 = np.uint64


# -- from four words to samples --------------------------------------------------------------------
@inline
def units32(a, b, c, d):
    """Four uniform float32 numbers."""
    return unit32(a), unit32(b), unit32(c), unit32(d)


@inline
def units64(a, b, c, d):
    """Two uniform float64 numbers."""
    return unit64(a, b), unit64(c, d)


@inline
def normals32(a, b, c, d):
    """Four normal float32 numbers."""
    w, x = normal32(a, b)
    y, z = normal32(c, d)
    return w, x, y, z


@inline
def words32(a, b, c, d):
    """The words themselves."""
    return U64(a), U64(b), U64(c), U64(d)


@inline
def words64(a, b, c, d):
    """Two words of 64 bits."""
    return join(a, b), join(c, d)


# -- from a sample to an element -------------------------------------------------------------------
@inline
def integer(T, word, a, b):
    """word % b + a; b is unsigned, and 0 stands for 2**64."""
    bound = U64(np.int64(b))
    rest = word if bound == U64(0) else U64(word % bound)
    return T(np.int64(rest) + np.int64(a))


def conversions(F):
    """The conversions of uniform and normal numbers, in the arithmetic of F."""
    eps = F(np.finfo(F).eps)
    half = F(eps / 2)
    pi = F(math.pi)

    @inline
    def uniform(T, x, a, b):
        """x in (0, 1] as a number in [a, b): what reaches b becomes a."""
        y = F(x * F(F(b) - F(a)) + F(a))
        return T(a) if y == F(b) else T(y)

    @inline
    def affine(T, x, a, b):
        """A normal number with mean a and standard deviation b."""
        return T(x * F(b) + F(a))

    @inline
    def lognormal(T, x, a, b):
        """The exponential of a normal number."""
        return T(math.exp(F(x * F(b) + F(a))))

    @inline
    def bernoulli(T, x, a, b):
        """Whether x is below the probability a."""
        return T(x < F(a))

    @inline
    def exponential(T, x, a, b):
        """The waiting time of rate a; never 0."""
        log = -half if x >= F(1) - half else F(math.log(x))
        return T(F(F(-1) / F(a)) * log)

    @inline
    def cauchy(T, x, a, b):
        """Median a, scale b, by the inverse distribution function, whose poles are left out."""
        x = F(1) - eps if x > F(1) - eps else x
        x = eps if x < eps else x
        return T(F(a) + F(b) * F(math.tan(F(pi * (x - F(0.5))))))

    @inline
    def geometric(T, x, a, b):
        """The number of trials up to the first success; b is log1p(-p)."""
        return T(math.ceil(F(F(math.log(x)) / F(b))))

    return uniform, affine, lognormal, bernoulli, exponential, cauchy, geometric


# -- kernels ---------------------------------------------------------------------------------------
def fill_by_four(name, samples, convert):
    """A kernel for samples that come four at a time."""

    def fill(out, n, seed_low, seed_high, counter, a, b):
        T = out.dtype.type
        thread, threads = cuda.grid(1), cuda.gridsize(1)
        call = 0
        for i in range(thread, n, 4 * threads):
            k, l, m, o = philox(seed_low, seed_high, counter + call, thread)  # noqa: E741
            w, x, y, z = samples(k, l, m, o)
            call += 1
            out[i] = convert(T, w, a, b)
            if i + threads < n:
                out[i + threads] = convert(T, x, a, b)
            if i + 2 * threads < n:
                out[i + 2 * threads] = convert(T, y, a, b)
            if i + 3 * threads < n:
                out[i + 3 * threads] = convert(T, z, a, b)

    fill.__name__ = fill.__qualname__ = name
    return kernel(fill)


def fill_by_two(name, samples, convert):
    """A kernel for samples that come two at a time."""

    def fill(out, n, seed_low, seed_high, counter, a, b):
        T = out.dtype.type
        thread, threads = cuda.grid(1), cuda.gridsize(1)
        call = 0
        for i in range(thread, n, 2 * threads):
            k, l, m, o = philox(seed_low, seed_high, counter + call, thread)  # noqa: E741
            w, x = samples(k, l, m, o)
            call += 1
            out[i] = convert(T, w, a, b)
            if i + threads < n:
                out[i + threads] = convert(T, x, a, b)

    fill.__name__ = fill.__qualname__ = name
    return kernel(fill)


NAMES = ("uniform", "normal", "log_normal", "bernoulli", "exponential", "cauchy", "geometric")
FILLS = {
    ("integers", False): fill_by_four("integers32", words32, integer),
    ("integers", True): fill_by_two("integers64", words64, integer),
}
for _name, _narrow, _wide in zip(
    NAMES, conversions(np.float32), conversions(np.float64), strict=True
):
    _normal = _name.endswith("normal")
    FILLS[_name, False] = fill_by_four(f"{_name}32", normals32 if _normal else units32, _narrow)
    FILLS[_name, True] = fill_by_two(f"{_name}64", normal64 if _normal else units64, _wide)
