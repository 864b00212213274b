"""CPU kernels of the ranges."""

from ...backends.cpu.jit import kernel, prange
from ...backends.registry import contiguous


@kernel
def ramp(out, start, step, n):
    """out[i] = start + i * step. One iteration of the parallel loop owns one element."""
    T = out.dtype.type
    for i in prange(n):
        out[i] = T(start + i * step)


@kernel
def spread(out, start, end, step, n):
    """Evenly from both ends, so that the last value is exact. One iteration of the parallel loop
    owns one element.
    """
    T = out.dtype.type
    half = n // 2
    for i in prange(n):
        out[i] = T(start + i * step) if i < half else T(end - (n - i - 1) * step)


@contiguous
def arange_op(input, out, *, start, step):
    """Fill `out`; whole numbers are computed as int64, others as float64."""
    n = out.numel
    if not (isinstance(start, int) and isinstance(step, int)):
        start, step = float(start), float(step)
    run = ramp.compile(out, start, step, n, work=n)
    return lambda x, y: run(y, start, step, n)


@contiguous
def linspace_op(input, out, *, start, end):
    """Fill `out`."""
    n = out.numel
    step = (end - start) / (n - 1) if n > 1 else 0.0
    start, end = float(start), float(start if n == 1 else end)
    run = spread.compile(out, start, end, step, n, work=n)
    return lambda x, y: run(y, start, end, step, n)
