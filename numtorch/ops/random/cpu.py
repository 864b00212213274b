"""CPU kernels of random numbers: launchers over the streams of mt19937.py and boxmuller.py.

The in-place fills write the elements in the order of their addresses, as torch does: a transposed
tensor gets the numbers of its transpose. Every launcher takes the generator's lock while it draws.
"""

import math

import numpy as np

from ...backends.cpu.jit import inline, kernel, prange
from ...backends.registry import contiguous
from ...core.shape import is_dense
from . import boxmuller, mt19937
from .categories import multinomial_error
from .mt19937 import (
    WORDS,
    U,
    join,
    next_block,
    next_unit,
    next_word,
    position,
    temper,
    uniform64,
)

LARGE_RANDPERM = ((1 << 32) - 1) // 20  # from here on, torch has another algorithm


def memory_order(spec) -> list[int]:
    """Dimensions from the outermost to the innermost in memory."""
    return sorted(range(spec.ndim), key=lambda d: -spec.strides[d])


def in_memory_order(out, generator, draw):
    """A function of (input, out) that lets `draw(buffer)` write all elements in the order of their
    addresses.
    """
    lock = generator.lock
    if is_dense(out.shape, out.strides):

        def fill(_, y):
            with lock:
                draw(y)

        return fill
    order = memory_order(out)
    shape = [out.shape[d] for d in order]

    def fill_and_scatter(_, y):
        samples = np.empty(shape, y.dtype)
        with lock:
            draw(samples)
        y.transpose(order)[...] = samples

    return fill_and_scatter


def stream(fill, out, a, b, generator):
    """The fill by one of the kernels of mt19937.py, with its two parameters."""
    state, n = generator.state, out.numel
    draw = fill.compile(state, out, n, a, b)
    return in_memory_order(out, generator, lambda y: draw(state, y, n, a, b))


def uniform_op(input, out, *, low, high, generator):
    wide = out.dtype.itemsize == 8
    return stream(
        mt19937.fill_uniform64 if wide else mt19937.fill_uniform32, out, low, high, generator
    )


def integers_op(input, out, *, low, bound, wide, generator):
    if not wide:
        return stream(mt19937.fill_integer32, out, low, bound, generator)
    signed = bound - (1 << 64) if bound >= 1 << 63 else bound  # the kernel reads it as unsigned
    return stream(mt19937.fill_integer64, out, low, signed, generator)


def bernoulli_op(input, out, *, p, generator):
    return stream(mt19937.fill_bernoulli, out, p, 0.0, generator)


def exponential_op(input, out, *, rate, generator):
    return stream(mt19937.fill_exponential, out, rate, 0.0, generator)


def cauchy_op(input, out, *, median, sigma, generator):
    return stream(mt19937.fill_cauchy, out, median, sigma, generator)


def geometric_op(input, out, *, p, generator):
    return stream(mt19937.fill_geometric, out, 0.0, math.log1p(-p), generator)


def normal_op(input, out, *, mean, std, generator):
    if out.contiguous and out.numel >= boxmuller.BLOCK:
        return _normal_blocks(out, mean, std, generator)
    return _normal_pairs(out, mean, std, 0, generator)


def log_normal_op(input, out, *, mean, std, generator):
    return _normal_pairs(out, mean, std, 1, generator)


def _normal_pairs(out, mean, std, exponentiate, generator):
    state, spare, n = generator.state, generator.spare, out.numel
    draw = boxmuller.normal_pairs.compile(state, spare, out, n, mean, std, exponentiate)
    return in_memory_order(
        out, generator, lambda y: draw(state, spare, y, n, mean, std, exponentiate)
    )


def _normal_blocks(out, mean, std, generator):
    wide = out.dtype.itemsize == 8
    fill = mt19937.fill_uniform64 if wide else mt19937.fill_uniform32
    transform = boxmuller.normal_float64 if wide else boxmuller.normal_float32
    state, lock, n = generator.state, generator.lock, out.numel
    blocks = n // boxmuller.BLOCK
    uniform = fill.compile(state, out, n, 0.0, 1.0)
    # 0.5 ns an element (float64: 16): a second thread pays off from 0.1 ms on.
    normal = transform.compile(out, blocks, mean, std, work=4 * n if wide else n // 8)
    last = transform.compile(out, 1, mean, std)

    def run(_, y):
        with lock:
            uniform(state, y, n, 0.0, 1.0)
            normal(y, blocks, mean, std)
            if n % boxmuller.BLOCK:  # torch's rule: the last 16 are drawn anew
                tail = y.reshape(-1)[-boxmuller.BLOCK :]
                uniform(state, tail, boxmuller.BLOCK, 0.0, 1.0)
                last(tail, 1, mean, std)

    return run


# -- probabilities in a tensor ---------------------------------------------------------------------
@kernel
def below(uniform, p, out, n):
    """out = uniform < p. One iteration owns one element."""
    T = out.dtype.type
    for i in prange(n):
        out[i] = T(uniform[i] < p[i])


def bernoulli_tensor_op(input, p, out, *, generator):
    n, state, shape = out.numel, generator.state, out.shape
    wide = p.dtype.itemsize == 8
    fill = mt19937.fill_uniform64 if wide else mt19937.fill_uniform32
    uniform = fill.compile(state, p, n, 0.0, 1.0)
    compare = below.compile(p, p, out, n, work=n)
    order = memory_order(out)

    def run(_, probabilities, y):
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise RuntimeError(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false. (bernoulli: every "
                "probability must be in [0, 1])"
            )
        ordered = np.ascontiguousarray(np.broadcast_to(probabilities, shape).transpose(order))
        samples, drawn = np.empty_like(ordered), np.empty(ordered.shape, y.dtype)
        with generator.lock:
            uniform(state, samples, n, 0.0, 1.0)
        compare(samples, ordered, drawn, n)
        y.transpose(order)[...] = drawn

    return run


@kernel
def draw_slopes(state, x, out, n, lower, upper):
    """out = a uniform number in [lower, upper) where x <= 0, else 1. Serial: only negative elements
    take words from the stream.
    """
    T = out.dtype.type
    for i in range(n):
        if x[i] <= T(0):
            high = next_word(state)
            out[i] = uniform64(T, join(high, next_word(state)), lower, upper)
        else:
            out[i] = T(1)


@contiguous
def rrelu_slopes_op(input, out, *, lower, upper, generator):
    state, n = generator.state, out.numel
    draw = draw_slopes.compile(state, input, out, n, lower, upper)

    def run(x, y):
        with generator.lock:
            draw(state, x, y, n, lower, upper)

    return run


# -- permutations ----------------------------------------------------------------------------------
@kernel
def shuffle(state, out, n):
    """out = 0 ... n - 1 in random order (Fisher-Yates from the front). Serial: draws are swaps."""
    T = out.dtype.type
    for i in range(n):
        out[i] = T(i)
    at = position(state)
    for i in range(n - 1):
        if at == WORDS:
            next_block(state)
            at = 0
        j = i + np.int64(temper(state[at])) % (n - i)
        at += 1
        swapped = out[i]
        out[i] = out[j]
        out[j] = swapped
    if n > 1:
        state[WORDS] = U(at)


@kernel
def shuffle_large(state, out, n):
    """The same with 64 bits a draw, inserting each number into those before it. Serial."""
    T = out.dtype.type
    for i in range(n):
        high = next_word(state)
        word = join(high, next_word(state))
        j = np.int64(np.uint64(word % np.uint64(i + 1)))
        out[i] = out[j]
        out[j] = T(i)


def randperm_op(input, out, *, generator):
    state, n = generator.state, out.numel
    draw = (shuffle_large if n >= LARGE_RANDPERM else shuffle).compile(state, out, n)
    return in_memory_order(out, generator, lambda y: draw(state, y, n))


# -- categories ------------------------------------------------------------------------------------
@inline
def slot(cumulative, n, sample):
    """The first category whose cumulative probability is not below `sample`."""
    left, right = 0, n
    while left < right:
        middle = left + (right - left) // 2
        if cumulative[middle] < sample:
            left = middle + 1
        else:
            right = middle
    return left


@kernel
def draw_categories(state, p, cumulative, out, failure, rows, n, samples):
    """out[r, s] = a category with the probabilities p[r, :]. Serial: rows share the stream."""
    T = p.dtype.type
    for r in range(rows):
        total = T(0)
        for j in range(n):
            value = p[r * n + j]
            if not value >= T(0):
                failure[0] = 1
                return
            if not math.isfinite(value):
                failure[0] = 2
                return
            total = T(total + value)
            cumulative[j] = total
        if not total > T(0):
            failure[0] = 3
            return
        for j in range(n):
            cumulative[j] = T(cumulative[j] / total)
        cumulative[n - 1] = T(1)
        for s in range(samples):
            out[r * samples + s] = slot(cumulative, n, next_unit(state))


def multinomial_op(input, out, *, samples, replacement, generator):
    if not replacement or samples == 1:
        return exponential_race(input, out, samples, generator)
    n, state = input.shape[-1], generator.state
    rows = input.numel // n
    draw = draw_categories.compile(
        state, input, input, out, np.zeros(1, np.int64), rows, n, samples
    )

    def run(p, y):
        failure = np.zeros(1, np.int64)
        drawn = np.empty(y.shape, y.dtype)
        with generator.lock:
            draw(
                state,
                np.ascontiguousarray(p),
                np.empty(n, p.dtype),
                drawn,
                failure,
                rows,
                n,
                samples,
            )
        if failure[0]:
            raise RuntimeError(multinomial_error(int(failure[0]), True))
        y[...] = drawn

    return run


def exponential_race(input, out, samples, generator):
    """Draws without replacement: the categories with the largest p / q, q exponential, as torch
    does.
    """
    waiting = exponential_op(input, input, rate=1.0, generator=generator)

    def run(p, y):
        if not ((p >= 0) & (p < np.inf)).all():
            raise RuntimeError(multinomial_error(1, False))
        if (p.sum(-1) == 0).any():
            raise RuntimeError(multinomial_error(3, False))
        q = np.empty_like(
            p
        )  # keeps the order of dimensions in memory, which is the order of the draws
        waiting(p, q)
        with np.errstate(all="ignore"):
            q = np.negative(p / q)
        if samples == 1:
            y[...] = q.argmin(-1)[..., None]
            return
        first = np.argpartition(q, samples - 1, -1)[..., :samples]
        order = np.argsort(np.take_along_axis(q, first, -1), -1, kind="stable")
        y[...] = np.take_along_axis(first, order, -1)

    return run


# -- dropout ---------------------------------------------------------------------------------------
@kernel
def masked(x, mask, out, n, scale):
    """out = x * scale where mask is set, x * 0 elsewhere (a NaN stays). One iteration owns one
    element.
    """
    T = x.dtype.type
    for i in prange(n):
        out[i] = x[i] * (T(scale) if mask[i] else T(0))


def noise_scale(dtype, p: float) -> float:
    """What torch multiplies kept elements by: 1 / (1 - p), rounded to the dtype; 0 when nothing is
    kept.
    """
    return 0.0 if p == 1.0 else float(dtype.np.type(1) / dtype.np.type(1.0 - p))


@contiguous
def dropout_op(input, out, out1, *, p, generator):
    n, state, keep = out.numel, generator.state, 1.0 - p
    scale = noise_scale(out.dtype, p)
    draw = mt19937.fill_bernoulli.compile(state, out1, n, keep, 0.0)
    apply = masked.compile(input, out1, out, n, scale, work=n)
    lock = generator.lock

    def run(x, y, mask):
        if keep > 0.0:
            with lock:
                draw(state, mask, n, keep, 0.0)
        else:
            mask.fill(False)  # torch draws nothing either
        apply(x, mask, y, n, scale)

    return run


@contiguous
def dropout_mask_op(g, mask, out, *, p):
    n, scale = out.numel, noise_scale(out.dtype, p)
    apply = masked.compile(g, mask, out, n, scale, work=n)
    return lambda x, m, y: apply(x, m, y, n, scale)
