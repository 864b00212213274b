"""Philox4x32-10 on the GPU, and how torch and cuRAND turn its words into samples.

Thread t of a kernel reads the blocks of four words with the counters (offset / 4 + call, t) under
the key `seed`: no state but the seed and the offset, which the generator moves on with each launch.

Source: J. K. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

import math

import numpy as np

from ...backends.cuda.jit import inline

U = np.uint32
U64 = np.uint64
LOW = 0xFFFFFFFF
INV32 = 2.0**-32
INV53 = 2.0**-53


@inline
def low(x):
    """The lower 32 bits of a 64-bit word."""
    return U(x & U64(LOW))


@inline
def high(x):
    """The upper 32 bits of a 64-bit word."""
    return U(x >> U64(32))


@inline
def philox(seed_low, seed_high, counter, thread):
    """Four words: ten rounds on the counter (counter, thread) under the key."""
    k0, k1 = U64(seed_low), U64(seed_high)
    c0, c1, c2, c3 = low(U64(counter)), high(U64(counter)), low(U64(thread)), high(U64(thread))
    for _ in range(10):
        p0 = U64(0xD2511F53) * U64(c0)
        p1 = U64(0xCD9E8D57) * U64(c2)
        c0 = U(high(p1) ^ c1 ^ low(k0))
        c1 = low(p1)
        c2 = U(high(p0) ^ c3 ^ low(k1))
        c3 = low(p0)
        k0 = U64(low(k0 + U64(0x9E3779B9)))
        k1 = U64(low(k1 + U64(0xBB67AE85)))
    return c0, c1, c2, c3


@inline
def join(a, b):
    """Two words as one of 64 bits, the first one above."""
    return U64((U64(a) << U64(32)) | U64(b))


@inline
def unit32(word):
    """A float32 in (0, 1]."""
    return np.float32(word) * np.float32(INV32) + np.float32(INV32 / 2)


@inline
def unit64(a, b):
    """A float64 in (0, 1), of 53 bits."""
    return np.float64(U64(a) ^ (U64(b) << U64(21))) * INV53 + INV53 / 2


@inline
def normal32(a, b):
    """Two float32 normal numbers (Box-Muller: sine first)."""
    radius = np.float32(math.sqrt(np.float32(-2) * np.float32(math.log(unit32(a)))))
    angle = np.float32(b) * np.float32(INV32 * 2 * math.pi) + np.float32(INV32 * math.pi)
    return radius * np.float32(math.sin(angle)), radius * np.float32(math.cos(angle))


@inline
def normal64(a, b, c, d):
    """Two float64 normal numbers (Box-Muller: sine first)."""
    radius = math.sqrt(-2.0 * math.log(unit64(a, b)))
    angle = 2.0 * math.pi * (np.float64(U64(c) ^ (U64(d) << U64(21))) * INV53 + INV53 / 2)
    return radius * math.sin(angle), radius * math.cos(angle)
