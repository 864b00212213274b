"""An operator outside numtorch, with kernels for both devices: means over a sliding window.

`moving_average(x, 3)` works on Tensors, is differentiable to any order, and runs on both devices.
"""

from numtorch.core.op import primitive


@primitive(vjp={"input": lambda g, width: moving_average_op(g.flip(-1), width).flip(-1)})
def moving_average_op(input, *, width):
    """The mean of each element and the `width` - 1 before it, where zeros come before the first.

    (..., n) -> (..., n)
    """
    if input.ndim == 0:
        raise RuntimeError("moving_average: expected at least one dimension, but got a 0-d tensor")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"moving_average: expected floating point, but got {input.dtype}")
    return input.like()


def moving_average(input, width: int):
    """Means over windows of `width` elements along the last dimension. (..., n) -> (..., n)"""
    if width < 1:
        raise ValueError(f"moving_average: expected width >= 1, but got {width}")
    return moving_average_op(input, width)
