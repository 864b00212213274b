"""The CPU generator's stream: MT19937 words, turned into samples the way torch does it.

A generator's state is a uint32 buffer of 625: the 624 words of the recurrence, and the position of
the next one (0 in a fresh state, whose words have not been through the recurrence yet). `words32`
and `words64` make fill kernels from a conversion: one sample takes one word, or two (high word
first). The recurrence and the tempering run as loops over what is left of a block, which vectorize:
0.5 ns a word, where a function that hands out single words takes 2.

Source: M. Matsumoto, T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998).
"""

import math

import numpy as np

from ...backends.cpu.jit import inline, kernel

U = np.uint32
U64 = np.uint64
WORDS = 624  # words of the recurrence; the position follows them
BITS53 = (1 << 53) - 1


@inline
def twist(high, low, far):
    """One step of the recurrence: the new word from its old neighbours and the one 397 further."""
    y = U((high & U(0x80000000)) | (low & U(0x7FFFFFFF)))
    return U(far ^ U(y >> U(1)) ^ U(U(y & U(1)) * U(0x9908B0DF)))


@inline
def next_block(state):
    """Replace all words by the next 624."""
    for i in range(227):
        state[i] = twist(state[i], state[i + 1], state[i + 397])
    for i in range(227, 623):
        state[i] = twist(state[i], state[i + 1], state[i - 227])
    state[623] = twist(state[623], state[0], state[396])


@inline
def temper(y):
    """The output that belongs to a word."""
    y = U(y ^ U(y >> U(11)))
    y = U(y ^ U(U(y << U(7)) & U(0x9D2C5680)))
    y = U(y ^ U(U(y << U(15)) & U(0xEFC60000)))
    return U(y ^ U(y >> U(18)))


@inline
def position(state):
    """Where the next word is; 624 when the block is used up."""
    at = np.int64(state[WORDS])
    return WORDS if at == 0 else at


@inline
def join(high, low):
    """Two words as one of 64 bits."""
    return U64((U64(high) << U64(32)) | U64(low))


@inline
def unit(word):
    """The double in [0, 1) that torch makes of 64 bits: the low 53."""
    return np.float64(np.int64(word & U64(BITS53))) * 2.0**-53


@inline
def next_word(state):
    """One word: for loops that cannot take a block at once."""
    at = position(state)
    if at == WORDS:
        next_block(state)
        at = 0
    state[WORDS] = U(at + 1)
    return temper(state[at])


@inline
def next_unit(state):
    """One double in [0, 1)."""
    high = next_word(state)
    return unit(join(high, next_word(state)))


def words32(convert):
    """A kernel that fills `out` with convert(T, word, a, b), one word a sample."""

    def fill(state, out, n, a, b):
        T = out.dtype.type
        at = position(state)
        done = 0
        while done < n:
            if at == WORDS:
                next_block(state)
                at = 0
            count = min(WORDS - at, n - done)
            for i in range(count):
                out[done + i] = convert(T, temper(state[at + i]), a, b)
            at += count
            done += count
        if n > 0:
            state[WORDS] = U(at)

    return _named(fill, convert)


def words64(convert):
    """A kernel that fills `out` with convert(T, word, a, b); a word is two, the high one first."""

    def fill(state, out, n, a, b):
        T = out.dtype.type
        at = position(state)
        done = 0
        while done < n:
            if at == WORDS:
                next_block(state)
                at = 0
            count = min((WORDS - at) // 2, n - done)
            for i in range(count):
                word = join(temper(state[at + 2 * i]), temper(state[at + 2 * i + 1]))
                out[done + i] = convert(T, word, a, b)
            at += 2 * count
            done += count
            if at == WORDS - 1 and done < n:  # the pair lies across two blocks
                high = temper(state[at])
                next_block(state)
                out[done] = convert(T, join(high, temper(state[0])), a, b)
                at = 1
                done += 1
        if n > 0:
            state[WORDS] = U(at)

    return _named(fill, convert)


def _named(fill, convert):
    name = getattr(convert, "__name__", None) or convert.py_func.__name__
    fill.__name__ = fill.__qualname__ = f"fill_{name}"
    return kernel(fill)


# -- conversions: what torch's CPU distributions do with a word ------------------------------------
@inline
def uniform32(T, word, a, b):
    """24 bits as a float32 in [a, b); what rounding lifts to b becomes a."""
    x = T(np.int32(word & U(0xFFFFFF))) * T(2.0**-24) * T(T(b) - T(a)) + T(a)
    return T(a) if x == T(b) else x


@inline
def uniform64(T, word, a, b):
    """53 bits as a float64 in [a, b)."""
    x = unit(word) * (b - a) + a
    return T(a) if x == b else T(x)


@inline
def integer32(T, word, a, b):
    """word % b + a, for b <= 2**28, by a multiplication with 1/b: exact, since it is off by one at
    most.
    """
    value = np.int64(word)
    rest = value - np.int64(np.float64(value) * (1.0 / np.float64(b))) * b
    if rest < 0:
        rest += b
    if rest >= b:
        rest -= b
    return T(rest + a)


@inline
def integer64(T, word, a, b):
    """word % b + a in 64-bit arithmetic; b is an unsigned number, and 0 stands for 2**64."""
    bound = U64(np.int64(b))
    rest = word if bound == U64(0) else U64(word % bound)
    return T(np.int64(rest) + np.int64(a))


@inline
def bernoulli64(T, word, a, b):
    """Whether a uniform double is below the probability a."""
    return T(unit(word) < a)


@inline
def exponential64(T, word, a, b):
    """The waiting time of rate a."""
    return T(-1.0 / a * math.log1p(-unit(word)))


@inline
def cauchy64(T, word, a, b):
    """Median a, scale b, by the inverse distribution function."""
    return T(a + b * math.tan(math.pi * (unit(word) - 0.5)))


@inline
def geometric64(T, word, a, b):
    """The number of trials up to the first success; b is log1p(-p)."""
    return T(math.ceil(math.log(unit(word)) / b))


fill_uniform32, fill_uniform64 = words32(uniform32), words64(uniform64)
fill_integer32, fill_integer64 = words32(integer32), words64(integer64)
fill_bernoulli, fill_exponential = words64(bernoulli64), words64(exponential64)
fill_cauchy, fill_geometric = words64(cauchy64), words64(geometric64)
