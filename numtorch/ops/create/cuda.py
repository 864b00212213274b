"""CUDA kernels of the ranges."""

from ...backends.cuda.jit import cuda, grid, kernel
from ...backends.registry import contiguous


@kernel
def ramp(out, start, step, n):
    """out[i] = start + i * step. A thread owns every grid-size-th element."""
    T = out.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = T(start + i * step)


@kernel
def spread(out, start, end, step, n):
    """Evenly from both ends, so that the last value is exact."""
    T = out.dtype.type
    half = n // 2
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = T(start + i * step) if i < half else T(end - (n - i - 1) * step)


@contiguous
def arange_op(input, out, *, start, step):
    """Fill `out`; whole numbers are computed as int64, others as float64."""
    n = out.numel
    if not (isinstance(start, int) and isinstance(step, int)):
        start, step = float(start), float(step)
    launch = ramp.compile(out, start, step, n)[grid(n)]
    return lambda x, y: launch(y, start, step, n)


@contiguous
def linspace_op(input, out, *, start, end):
    """Fill `out`."""
    n = out.numel
    step = (end - start) / (n - 1) if n > 1 else 0.0
    start, end = float(start), float(start if n == 1 else end)
    launch = spread.compile(out, start, end, step, n)[grid(n)]
    return lambda x, y: launch(y, start, end, step, n)
