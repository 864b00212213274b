"""CUDA kernels of random numbers: every distribution on Philox4x32-10.

For the fills, the numbers are torch's for the same seed on the same GPU: thread t owns the elements
t, t + threads, ... and takes them from its own sequence, so they depend on the number of threads
only where a tensor has more elements than that. Permutations, categories, dropout and slopes
have torch's distributions, but not its numbers.
"""

import functools
import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.jit import MODE, THREADS, cuda, grid, inline, kernel
from ...backends.registry import contiguous
from ...core.dtype import int64
from ...core.interp import runtime
from ...core.shape import contiguous_strides, is_dense
from ...core.spec import Spec
from .categories import multinomial_error
from .philox import philox, unit32, unit64
from .philox_fill import FILLS


@functools.cache
def most_blocks(index: int) -> int:
    """As many blocks as the GPU holds at once: torch's limit for these kernels."""
    if MODE != "device":
        return 2
    gpu = cuda.gpus[index]
    return gpu.MULTIPROCESSOR_COUNT * (gpu.MAX_THREADS_PER_MULTI_PROCESSOR // THREADS)


def halves(seed: int) -> tuple[int, int]:
    """A seed as its two 32-bit words."""
    return seed & 0xFFFFFFFF, seed >> 32


def launcher_of(name: str, wide: bool, out, a, b, generator):
    """A function of a flat array that fills it with the next samples."""
    n = max(out.numel, 1)
    blocks = min(most_blocks(out.device.index), -(-n // THREADS))
    calls = (n - 1) // (THREADS * blocks * (2 if wide else 4)) + 1
    launch = FILLS[name, wide].compile(out, n, 0, 0, 0, a, b)[blocks, THREADS]

    def draw(y):
        seed, offset = generator.take(calls)
        launch(y, n, *halves(seed), offset // 4, a, b)

    return draw


def stream(name: str, out, a, b, generator, wide=None):
    """The in-place fill of one distribution, in the order of the elements' addresses."""
    draw = launcher_of(
        name, out.dtype.itemsize == 8 if wide is None else wide, out, a, b, generator
    )
    if is_dense(out.shape, out.strides):
        return lambda _, y: draw(y)
    order = sorted(range(out.ndim), key=lambda d: -out.strides[d])
    packed = contiguous_strides([out.shape[d] for d in order])
    samples = out.strided(out.shape, [packed[order.index(d)] for d in range(out.ndim)])
    make = memory.allocator(samples)
    scatter = runtime["OPS"]["copy_op"].kernel((samples,), (), (out,))

    def fill_and_scatter(_, y):
        drawn = make()
        draw(drawn)
        scatter(drawn, y)

    return fill_and_scatter


def double(dtype) -> bool:
    """Whether torch computes in float64 to fill a tensor of this dtype."""
    return dtype.is_floating_point and dtype.itemsize == 8


def uniform_op(input, out, *, low, high, generator):
    return stream("uniform", out, low, high, generator)


def normal_op(input, out, *, mean, std, generator):
    return stream("normal", out, mean, std, generator)


def log_normal_op(input, out, *, mean, std, generator):
    return stream("log_normal", out, mean, std, generator)


def integers_op(input, out, *, low, bound, wide, generator):
    signed = bound - (1 << 64) if bound >= 1 << 63 else bound  # the kernel reads it as unsigned
    return stream("integers", out, low, signed, generator, wide)


def bernoulli_op(input, out, *, p, generator):
    return stream("bernoulli", out, p, 0.0, generator, double(out.dtype))


def exponential_op(input, out, *, rate, generator):
    return stream("exponential", out, rate, 0.0, generator)


def cauchy_op(input, out, *, median, sigma, generator):
    return stream("cauchy", out, median, sigma, generator)


def geometric_op(input, out, *, p, generator):
    return stream("geometric", out, 0.0, math.log1p(-p), generator, double(out.dtype))


# -- one number for each element, on its own sequence ----------------------------------------------
@kernel
def bernoulli_each(p, out, n, seed_low, seed_high, counter):
    """out = a uniform number is below p. A thread owns every gridsize-th element."""
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        k, _, _, _ = philox(seed_low, seed_high, counter, i)
        out[i] = T(unit32(k) <= p[i])


@contiguous
def bernoulli_tensor_op(input, p, out, *, generator):
    n = out.numel
    launch = bernoulli_each.compile(p, out, n, 0, 0, 0)[grid(n)]

    def run(x, probabilities, y):
        seed, offset = generator.take(1)
        launch(probabilities, y, n, *halves(seed), offset // 4)

    return run


@kernel
def slope_each(x, out, n, lower, upper, seed_low, seed_high, counter):
    """out = a uniform number in [lower, upper) where x <= 0, else 1. A thread owns every
    gridsize-th element.
    """
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        k, _, _, _ = philox(seed_low, seed_high, counter, i)
        out[i] = T(upper) - T(unit32(k)) * (T(upper) - T(lower)) if x[i] <= T(0) else T(1)


@contiguous
def rrelu_slopes_op(input, out, *, lower, upper, generator):
    n = out.numel
    launch = slope_each.compile(input, out, n, lower, upper, 0, 0, 0)[grid(n)]

    def run(x, y):
        seed, offset = generator.take(1)
        launch(x, y, n, lower, upper, *halves(seed), offset // 4)

    return run


@kernel
def dropout_each(x, out, mask, n, p, scale, seed_low, seed_high, counter):
    """mask = a uniform number is above p; out = x * scale or x * 0. A thread owns every gridsize-th
    element.
    """
    T = x.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        k, _, _, _ = philox(seed_low, seed_high, counter, i)
        keep = unit32(k) > np.float32(p)
        mask[i] = keep
        out[i] = x[i] * (T(scale) if keep else T(0))


@kernel
def masked(x, mask, out, n, scale):
    """out = x * (scale where mask is set, else 0). A thread owns every gridsize-th element."""
    T = x.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = x[i] * (T(scale) if mask[i] else T(0))


@contiguous
def dropout_op(input, out, out1, *, p, generator):
    n, scale = out.numel, 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    launch = dropout_each.compile(input, out, out1, n, p, scale, 0, 0, 0)[grid(n)]

    def run(x, y, mask):
        seed, offset = generator.take(1)
        launch(x, y, mask, n, p, scale, *halves(seed), offset // 4)

    return run


@contiguous
def dropout_mask_op(g, mask, out, *, p):
    n, scale = out.numel, 0.0 if p == 1.0 else 1.0 / (1.0 - p)
    launch = masked.compile(g, mask, out, n, scale)[grid(n)]
    return lambda x, m, y: launch(x, m, y, n, scale)


# -- permutations and categories -------------------------------------------------------------------
@contiguous
def randperm_op(input, out, *, generator):
    n = out.numel
    keys_spec = Spec.of((n,), int64, out.device)
    draw = launcher_of("integers", True, keys_spec, 0, 0, generator)
    make = memory.allocator(keys_spec)

    def run(_, y):
        keys = make()
        draw(keys)
        order = np.argsort(memory.to_numpy(keys, keys_spec), kind="stable")
        memory.copy(memory.from_host(order.astype(out.dtype.np), out.device.index), y, n)

    return run


@inline
def slot(cumulative, start, n, sample):
    """The first category whose cumulative probability is not below `sample`."""
    left, right = 0, n
    while left < right:
        middle = left + (right - left) // 2
        if cumulative[start + middle] < sample:
            left = middle + 1
        else:
            right = middle
    return left


@kernel
def sum_categories(p, cumulative, failure, rows, n):
    """cumulative = the running sums of p[r, :] over their total. A thread owns every gridsize-th
    row.
    """
    T = p.dtype.type
    for r in range(cuda.grid(1), rows, cuda.gridsize(1)):
        total = T(0)
        bad = 0
        for j in range(n):
            value = p[r * n + j]
            if not value >= T(0):
                bad = 1
            elif math.isinf(value):
                bad = 2
            total += value
            cumulative[r * n + j] = total
        if bad == 0 and not total > T(0):
            bad = 3
        if bad != 0:
            failure[0] = bad
        for j in range(n - 1):
            cumulative[r * n + j] /= total
        cumulative[r * n + n - 1] = T(1)


@kernel
def draw_with(cumulative, out, rows, n, samples, seed_low, seed_high, counter):
    """out[r, s] = a category of row r. A thread owns every gridsize-th sample."""
    T = cumulative.dtype.type
    for i in range(cuda.grid(1), rows * samples, cuda.gridsize(1)):
        k, m, _, _ = philox(seed_low, seed_high, counter, i)
        out[i] = slot(cumulative, (i // samples) * n, n, T(unit64(k, m)))


@kernel
def draw_without(p, race, out, rows, n, samples, seed_low, seed_high, counter):
    """out[r, :] = the winners of an exponential race. A thread owns every gridsize-th row."""
    T = p.dtype.type
    for r in range(cuda.grid(1), rows, cuda.gridsize(1)):
        for j in range(n):
            k, m, _, _ = philox(seed_low, seed_high, counter, r * n + j)
            race[r * n + j] = T(p[r * n + j] / T(-math.log(unit64(k, m))))
        for s in range(samples):
            best = 0
            for j in range(1, n):
                if race[r * n + j] > race[r * n + best]:
                    best = j
            out[r * samples + s] = best
            race[r * n + best] = T(-1)


@contiguous
def multinomial_op(input, out, *, samples, replacement, generator):
    n, device = input.shape[-1], out.device
    rows = input.numel // n
    status_spec = Spec.of((1,), int64, device)
    clean = np.zeros(1, np.int64)
    check = sum_categories.compile(input, input, clean, rows, n)[grid(rows)]
    if replacement and samples > 1:
        draw = draw_with.compile(input, out, rows, n, samples, 0, 0, 0)[grid(rows * samples)]
    else:
        draw = draw_without.compile(input, input, out, rows, n, samples, 0, 0, 0)[grid(rows)]

    def run(p, y):
        seed, offset = generator.take(1)
        status = memory.from_host(clean, device.index)
        scratch = memory.block(rows * n, input.dtype.np, device.index)
        check(p, scratch, status, rows, n)
        code = int(memory.to_numpy(status, status_spec)[0])
        if code:
            raise RuntimeError(multinomial_error(code, replacement and samples > 1))
        arrays = (scratch,) if replacement and samples > 1 else (p, scratch)
        draw(*arrays, y, rows, n, samples, *halves(seed), offset // 4)

    return run
