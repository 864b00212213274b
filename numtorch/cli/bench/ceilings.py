"""What the machine can do, measured in the same run: copies through the caches or past them,
whichever are faster, and multiply-adds in registers.

Measured on one core of a Zen 5 EPYC: 240 GFLOP/s, which is 64 operations per cycle at 3.75 GHz.
"""

import time

import numpy as np
from llvmlite import ir
from numba.core import types

from ...backends.cpu import threads
from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.simd import lanes_of, load, loop, multiply_add, splat, store, vectorized
from ...ops.copy.layout import stream

COPY_BYTES = 1 << 28  # beyond the last-level cache
LANES = lanes_of(4)
CHAINS = 12  # two multiply-adds start per cycle and take 4: 8 hide the latency, 14 fit in registers
STEPS = 200_000


@kernel
def copy_all(x, out, n):
    """out = x. One iteration of the parallel loop owns one element."""
    for i in prange(n):
        out[i] = x[i]


def plain_chains(x, at, steps):
    """x[at + k] = x[at + k] * x[at] + x[at], `steps` times, for CHAINS * LANES numbers."""
    factor = x[at]
    for k in range(CHAINS * LANES):
        for _ in range(steps):
            x[at + k] = x[at + k] * factor + factor


@vectorized(plain_chains)
def chains(_, x, at, steps):
    """`plain_chains` with the numbers in vector registers."""

    def codegen(context, b, signature, args):
        pointer, at_, steps_ = args
        vector = ir.VectorType(ir.FloatType(), LANES)
        first = b.gep(pointer, [at_])
        places = [b.gep(first, [ir.Constant(ir.IntType(64), k * LANES)]) for k in range(CHAINS)]
        factor = splat(b, b.load(first), vector)
        _, sums, close = loop(b, steps_, [load(b, p, vector, 4) for p in places])
        for place, value in zip(
            places, close([multiply_add(b, s, factor, factor) for s in sums]), strict=True
        ):
            store(b, value, place, 4)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp), codegen


@kernel
def multiply_add_all(x, workers, steps):
    """One iteration of the parallel loop owns one worker's chains."""
    for w in prange(workers):
        chains(x, w * CHAINS * LANES, steps)


def seconds(function, repeat: int = 9, total: float = 0.3) -> float:
    """The shortest time of a call: a ceiling is what the machine does when nothing disturbs it."""
    function()
    times: list[float] = []
    while len(times) < repeat or sum(times) < total:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(device: str = "cpu") -> dict:
    """Bytes and operations per second that nothing on this device exceeds by much."""
    if device == "cuda":
        return _cuda()
    n, count = COPY_BYTES // 8, threads.get_num_threads()
    x, y = np.ones(n, np.float32), np.empty(n, np.float32)
    copies = [kernel.compile(x, y, n, work=n) for kernel in (copy_all, stream)]
    workers = count * 4
    numbers = np.linspace(0.1, 0.9, workers * CHAINS * LANES, dtype=np.float32)
    fma = multiply_add_all.compile(numbers, workers, STEPS, work=1 << 30)
    operations = 2 * CHAINS * LANES * STEPS * workers
    return {
        "threads": count,
        "bandwidth": 2 * x.nbytes / min(seconds(lambda c=c: c(x, y, n)) for c in copies),
        "flops": operations / seconds(lambda: fma(numbers, workers, STEPS)),
    }


def _cuda() -> dict:
    from ... import cuda, empty  # noqa: PLC0415 (imports numba.cuda)

    a, b = empty(COPY_BYTES // 4, device="cuda"), empty(COPY_BYTES // 4, device="cuda")

    def copy():
        a.copy_(b)
        cuda.synchronize()

    m = empty(4096, 4096, device="cuda").zero_()

    def multiply():
        m @ m
        cuda.synchronize()

    return {
        "threads": 0,
        "bandwidth": 2 * COPY_BYTES / seconds(copy),
        "flops": 2 * 4096**3 / seconds(multiply, 3),
    }
