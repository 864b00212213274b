"""Launchers of average pools: the same for each device, given its kernels."""

from . import windows
from .layout import arranged


def average_launchers(launch_mean, launch_spread):
    """From two functions of (source, target, planes, channels, sizes, counts, table), in the order
    of `return`.
    """

    @arranged(0)
    def avg_pool_op(input, out, *, planes, channels, window):
        """A function of (input, out)."""
        n = len(window.kernel_size)
        sizes, counts = input.shape[input.ndim - n :], out.shape[out.ndim - n :]
        table = windows.fixed(sizes, counts, window)
        return launch_mean(input, out, planes, channels, sizes, counts, table)

    @arranged(-1)
    def avg_pool_grad(grad, out, *, planes, channels, size, window):
        """A function of (gradient, out)."""
        counts = grad.shape[grad.ndim - len(size) :]
        table = windows.fixed(size, counts, window)
        return launch_spread(grad, out, planes, channels, size, counts, table)

    @arranged(0)
    def adaptive_avg_pool_op(input, out, *, planes, channels, output_size):
        """A function of (input, out)."""
        sizes = input.shape[input.ndim - len(output_size) :]
        table = windows.adaptive(sizes, output_size)
        return launch_mean(input, out, planes, channels, sizes, output_size, table)

    @arranged(-1)
    def adaptive_avg_pool_grad(grad, out, *, planes, channels, size):
        """A function of (gradient, out)."""
        counts = grad.shape[grad.ndim - len(size) :]
        table = windows.adaptive(size, counts)
        return launch_spread(grad, out, planes, channels, size, counts, table)

    return avg_pool_op, avg_pool_grad, adaptive_avg_pool_op, adaptive_avg_pool_grad
