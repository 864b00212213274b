"""CPU kernel of the moving average."""

from numtorch.backends.cpu.jit import bind, kernel, prange
from numtorch.backends.registry import contiguous


@kernel
def average_rows(x, out, rows, n, width):
    """out = means of the last `width` elements. One iteration of the parallel loop owns one row."""
    T = x.dtype.type
    for row in prange(rows):
        first = row * n
        for i in range(n):
            total = T(0)
            for j in range(max(i - width + 1, 0), i + 1):
                total += x[first + j]
            out[first + i] = total / T(width)


@contiguous
def moving_average_op(input, out, *, width):
    """Specs and attributes in, a function of the arrays out."""
    n = input.shape[-1]
    rows = input.numel // n if n else 0
    run = average_rows.compile(input, out, rows, n, width, work=input.numel * width)
    return bind(run, 2, rows, n, width)
