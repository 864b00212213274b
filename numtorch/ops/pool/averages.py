"""Launchers of average pools: the same for each device, given its kernels."""

from ...backends.registry import contiguous
from . import windows
from .windows import three


def average_launchers(launch, average, spread_average):
    """From `launch(kernel, source, target, sizes, counts, table)`, in the order of `return`."""

    @contiguous
    def avg_pool_op(input, out, *, kernel_size, stride, padding, ceil_mode, include_pad, divisor):
        """A function of (input, out)."""
        n = len(kernel_size)
        sizes, counts = input.shape[input.ndim - n :], out.shape[out.ndim - n :]
        table = windows.averaged(sizes, counts, kernel_size, stride, padding, include_pad, divisor)
        return launch(average, input, out, sizes, counts, table)

    @contiguous
    def avg_pool_grad(
        grad, out, *, size, kernel_size, stride, padding, ceil_mode, include_pad, divisor
    ):
        """A function of (gradient, out)."""
        counts = grad.shape[grad.ndim - len(size) :]
        table = windows.averaged(size, counts, kernel_size, stride, padding, include_pad, divisor)
        return launch(spread_average, grad, out, size, counts, table)

    @contiguous
    def adaptive_avg_pool_op(input, out, *, output_size):
        """A function of (input, out)."""
        sizes = input.shape[input.ndim - len(output_size) :]
        table = windows.adaptive(three(sizes, 1), three(output_size, 1))
        return launch(average, input, out, sizes, output_size, table)

    @contiguous
    def adaptive_avg_pool_grad(grad, out, *, size):
        """A function of (gradient, out)."""
        counts = grad.shape[grad.ndim - len(size) :]
        table = windows.adaptive(three(size, 1), three(counts, 1))
        return launch(spread_average, grad, out, size, counts, table)

    return avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad
