"""Normal samples from uniform ones, by the two ways torch's CPU generator knows.

Contiguous tensors of 16 elements or more: a block of 16 uniforms gives 8 radii and 8 angles, hence
8 cosines and 8 sines. float32 uses the Cephes polynomials for log, sin and cos, with the
multiplications and additions that torch's AVX2 build fuses: equal to the last bit on CPUs with FMA,
in 0.4 ns an element. float64 uses the C library. Everything else: pairs of doubles, of which the
generator keeps the second one for the next call.

Source: Cephes (S. L. Moshier), logf, sinf and cosf; G. E. P. Box, M. E. Muller, Ann. Math. Statist.
29 (1958).
"""

import math

import numpy as np

from ...backends.cpu.jit import inline, kernel, prange
from .mt19937 import next_unit

F = np.float32
I32 = np.int32
BLOCK = 16
TWO_PI = 2.0 * math.pi


@inline
def log_cephes(x):
    """log(x) for a normal float32 x in (0, 1], by a polynomial around 1."""
    bits = np.float32(x).view(np.int32)
    exponent = F(I32(bits >> I32(23)) - I32(126))
    m = I32((bits & I32(0x7FFFFF)) | I32(0x3F000000)).view(np.float32)  # mantissa in [0.5, 1)
    below = m < F(0.707106781186547524)
    exponent = exponent - (F(1) if below else F(0))
    x = (m - F(1)) + (m if below else F(0))
    z = x * x
    y = F(7.0376836292e-2)
    y = y * x + F(-1.1514610310e-1)
    y = y * x + F(1.1676998740e-1)
    y = y * x + F(-1.2420140846e-1)
    y = y * x + F(1.4249322787e-1)
    y = y * x + F(-1.6668057665e-1)
    y = y * x + F(2.0000714765e-1)
    y = y * x + F(-2.4999993993e-1)
    y = y * x + F(3.3333331174e-1)
    y = y * x * z
    y = y + exponent * F(-2.12194440e-4)
    y = y - z * F(0.5)
    return x + y + exponent * F(0.693359375)


@inline
def octant_cephes(x):
    """The even octant of a float32 angle x in [0, 2 pi), and the rest of x around its middle."""
    octant = I32(I32(x * F(1.27323954473516)) + I32(1)) & I32(-2)
    y = F(octant)
    x = x + y * F(-0.78515625)
    x = x + y * F(-2.4187564849853515625e-4)
    x = x + y * F(-3.77489497744594108e-8)
    return I32(octant), x


@inline
def cos_rest(z):
    """cos(x) for |x| <= pi / 4, z = x * x."""
    y = F(2.443315711809948e-5)
    y = y * z + F(-1.388731625493765e-3)
    y = y * z + F(4.166664568298827e-2)
    y = y * z * z
    return y - z * F(0.5) + F(1)


@inline
def sin_rest(x, z):
    """sin(x) for |x| <= pi / 4, z = x * x."""
    y = F(-1.9515295891e-4)
    y = y * z + F(8.3321608736e-3)
    y = y * z + F(-1.6666654611e-1)
    return y * z * x + x


@inline
def block_float32(data, start, mean, std):
    """Box-Muller on 16 float32 uniforms, in place."""
    for j in range(start, start + 8):
        radius = F(math.sqrt(F(-2) * log_cephes(F(1) - data[j])))
        octant, x = octant_cephes(F(TWO_PI) * data[j + 8])
        z = x * x
        c, s = cos_rest(z), sin_rest(x, z)
        swap = (octant & I32(2)) != 0
        cosine = s if swap else c
        sine = c if swap else s
        cosine = -cosine if ((octant + I32(2)) & I32(4)) != 0 else cosine
        sine = -sine if (octant & I32(4)) != 0 else sine
        data[j] = radius * cosine * F(std) + F(mean)
        data[j + 8] = radius * sine * F(std) + F(mean)


@inline
def block_float64(data, start, mean, std):
    """Box-Muller on 16 float64 uniforms, in place."""
    for j in range(start, start + 8):
        radius = math.sqrt(-2.0 * math.log(1.0 - data[j]))
        angle = TWO_PI * data[j + 8]
        data[j] = radius * math.cos(angle) * std + mean
        data[j + 8] = radius * math.sin(angle) * std + mean


@kernel
def normal_float32(data, blocks, mean, std):
    """Uniform float32 numbers become normal ones. One iteration owns a block of 16."""
    for b in prange(blocks):
        block_float32(data, BLOCK * b, mean, std)


@kernel
def normal_float64(data, blocks, mean, std):
    """Uniform float64 numbers become normal ones. One iteration owns a block of 16."""
    for b in prange(blocks):
        block_float64(data, BLOCK * b, mean, std)


@kernel
def normal_pairs(state, spare, out, n, mean, std, exponentiate):
    """Normal (or log-normal) samples one by one; `spare` holds whether a number is left over, and
    which.
    """
    T = out.dtype.type
    for i in range(n):
        if spare[0] != 0.0:
            sample = spare[1]
            spare[0] = 0.0
            spare[1] = 0.0
        else:
            angle = TWO_PI * next_unit(state)
            radius = math.sqrt(-2.0 * math.log1p(-next_unit(state)))
            spare[0] = 1.0
            spare[1] = radius * math.sin(angle)
            sample = radius * math.cos(angle)
        sample = sample * std + mean
        out[i] = T(math.exp(sample)) if exponentiate != 0 else T(sample)
