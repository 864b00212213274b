"""Pooling in one to three dimensions: maxima, means and p-norms, and adaptive forms of them.

Each forward op has its transpose as an op (`..._scatter`, `..._grad`), whose derivative is the
forward map again, so that derivatives of every order exist. All tensors are (.., *axes): what comes
before the pooled axes is planes.
"""

import math

from ...core import dtype as dtypes
from ...core.interp import runtime
from ...core.op import primitive
from ...core.tangents import linear
from ...core.tape import grad_mode
from . import batching
from .checks import (
    adaptive_size,
    check_average_dtype,
    check_maximum_dtype,
    pooled_size,
    window_of,
)
from .layout import laid_out

__all__ = [
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d", "max_pool2d",
    "max_pool3d",
]  # fmt: skip
FUNCTIONAL = (
    *__all__,
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool2d",
    "avg_pool3d",
)
METHODS: dict = {}


def _planar(like, shape, axes):
    """The Spec of a result laid out like a tensor; as torch's, those of volumes are contiguous."""
    return laid_out(like, shape, axes) if axes == 2 else like.like(shape=shape)


def _at_maximum(op, tangents, tensors, attrs, results, k):
    size = attrs[0] if op.attrs == ("output_size",) else attrs[0].kernel_size
    shape = tensors[0]._spec.shape
    return max_pool_gather(tangents[0], results[1], shape[len(shape) - len(size) :])


# -- maxima ----------------------------------------------------------------------------------------
@primitive(
    jvp=_at_maximum,
    vmap=batching.planes,
    outputs=2,
    node_name="MaxPool2DWithIndicesBackward0",
    vjp={
        "input": lambda g, out1, _input, window: max_pool_scatter(
            g, out1, _input.shape[_input.ndim - len(window.kernel_size) :]
        )
    },
)
def max_pool_op(input, *, window):
    """The maximum of each window and its index in the plane. (.., *size) -> (.., *size'), (..,
    *size')
    """
    return _pair(max_pool_values_op.op.rule(input, window=window))


@primitive(vmap=batching.planes, vjp={})
def max_pool_values_op(input, *, window):
    """The maximum of each window, where no derivative is wanted. (.., *size) -> (.., *size')"""
    check_maximum_dtype(input)
    return laid_out(input, pooled_size(input, window), len(window.kernel_size))


@primitive(
    jvp=_at_maximum,
    vmap=batching.planes,
    outputs=2,
    node_name="AdaptiveMaxPool2DBackward0",
    vjp={
        "input": lambda g, out1, _input, output_size: max_pool_scatter(
            g, out1, _input.shape[_input.ndim - len(output_size) :]
        )
    },
)
def adaptive_max_pool_op(input, *, output_size):
    """The maximum of each of `output_size` windows and its index. (.., *size) -> (.., *output_size)
    twice
    """
    check_maximum_dtype(input)
    shape = (*input.shape[: input.ndim - len(output_size)], *output_size)
    return _pair(_planar(input, shape, len(output_size)))


def _pair(values):
    """The Specs of maxima and their indices."""
    return values, values.of(values.shape, dtypes.int64, values.device, values.strides)


@primitive(
    jvp=linear,
    vmap=batching.planes,
    vjp={"grad": lambda g, indices, size: max_pool_gather(g, indices, size)},
)
def max_pool_scatter(grad, indices, *, size):
    """The gradient of a max pool: out[indices] += grad in every plane. (.., *size'), (.., *size')
    -> (.., *size)
    """
    return _like(grad, (*grad.shape[: grad.ndim - len(size)], *size), indices, len(size))


@primitive(
    jvp=linear,
    vmap=batching.planes,
    vjp={"input": lambda g, indices, size: max_pool_scatter(g, indices, size)},
)
def max_pool_gather(input, indices, *, size):
    """input[indices] in every plane. (.., *size), (.., *size') -> (.., *size')"""
    return _like(input, indices.shape, indices, len(size))


def _like(values, shape, indices, axes):
    """The Spec of values of this shape, laid out as the indices of a max pool are."""
    return values.of(shape, values.dtype, values.device, laid_out(indices, shape, axes).strides)


# -- means -----------------------------------------------------------------------------------------
@primitive(
    jvp=linear,
    vmap=batching.planes,
    node_name="AvgPool2DBackward0",
    vjp={
        "input": lambda g, _input, window: avg_pool_grad(
            g, _input.shape[_input.ndim - len(window.kernel_size) :], window
        )
    },
)
def avg_pool_op(input, *, window):
    """The mean of each window. (.., *size) -> (.., *size')"""
    check_average_dtype(input)
    return _planar(input, pooled_size(input, window), len(window.kernel_size))


@primitive(jvp=linear, vmap=batching.planes, vjp={"grad": lambda g, window: avg_pool_op(g, window)})
def avg_pool_grad(grad, *, size, window):
    """The gradient of avg_pool: the share of its windows. (.., *size') -> (.., *size)"""
    return _planar(grad, (*grad.shape[: grad.ndim - len(size)], *size), len(size))


@primitive(
    jvp=linear,
    vmap=batching.planes,
    node_name="AdaptiveAvgPool2DBackward0",
    vjp={
        "input": lambda g, _input, output_size: adaptive_avg_pool_grad(
            g, _input.shape[_input.ndim - len(output_size) :]
        )
    },
)
def adaptive_avg_pool_op(input, *, output_size):
    """The mean of each of `output_size` windows. (.., *size) -> (.., *output_size)"""
    check_average_dtype(input, "adaptive_avg_pool")
    shape = (*input.shape[: input.ndim - len(output_size)], *output_size)
    return _planar(input, shape, len(output_size))


@primitive(
    jvp=linear,
    vmap=batching.planes,
    vjp={
        "grad": lambda g, _grad, size: adaptive_avg_pool_op(
            g, _grad.shape[_grad.ndim - len(size) :]
        )
    },
)
def adaptive_avg_pool_grad(grad, *, size):
    """The gradient of adaptive_avg_pool. (.., *output_size) -> (.., *size)"""
    return _planar(grad, (*grad.shape[: grad.ndim - len(size)], *size), len(size))


# -- public functions ------------------------------------------------------------------------------
def _max_pool(name, axes, input, return_indices, *given):
    window = window_of(name, axes, input, *given)
    if return_indices:
        return max_pool_op(input, window)
    if (input._node is None or not grad_mode.get()) and runtime["interp"] is None:
        return max_pool_values_op(input, window)
    return max_pool_op(input, window)[0]


def _adaptive_avg(name, axes, input, output_size):
    size = adaptive_size(name, axes, input, output_size)
    if size == (1,) * axes:
        return input.mean(tuple(range(-axes, 0)), keepdim=True)  # as torch: the same rounding
    return adaptive_avg_pool_op(input, size)


def _adaptive_max(name, axes, input, output_size, return_indices):
    found = adaptive_max_pool_op(input, adaptive_size(name, axes, input, output_size))
    return found if return_indices else found[0]


def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window of a sequence. (N, C, L) -> (N, C, L'), or both without N"""
    return _max_pool(
        "max_pool1d", 1, input, return_indices, kernel_size, stride, padding, dilation, ceil_mode
    )


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window of an image, with its index in the plane if `return_indices`.

    (N, C, H, W) -> (N, C, H', W'), or both without N
    """
    return _max_pool(
        "max_pool2d", 2, input, return_indices, kernel_size, stride, padding, dilation, ceil_mode
    )


def max_pool3d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window of a volume. (N, C, D, H, W) -> (N, C, D', H', W'), or both
    without N
    """
    return _max_pool(
        "max_pool3d", 3, input, return_indices, kernel_size, stride, padding, dilation, ceil_mode
    )


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of a sequence. (N, C, L) -> (N, C, L'), or both without N"""
    window = window_of(
        "avg_pool1d", 1, input, kernel_size, stride, padding, 1, ceil_mode, count_include_pad
    )
    return avg_pool_op(input, window)


def avg_pool2d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of an image. (N, C, H, W) -> (N, C, H', W'), or both without N

    The padding's zeros count if `count_include_pad`; `divisor_override` replaces the number of
    elements.
    """
    window = window_of(
        "avg_pool2d", 2, input, kernel_size, stride, padding, 1, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip
    return avg_pool_op(input, window)


def avg_pool3d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of a volume. (N, C, D, H, W) -> (N, C, D', H', W'), N optional"""
    window = window_of(
        "avg_pool3d", 3, input, kernel_size, stride, padding, 1, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip
    return avg_pool_op(input, window)


def adaptive_avg_pool1d(input, output_size):
    """The means of `output_size` windows of a sequence. (N, C, L) -> (N, C, output_size)"""
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input, output_size):
    """The means of windows that cover an image; None keeps a size. (N, C, H, W) -> (N, C,
    *output_size)
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input, output_size):
    """The means of windows that cover a volume. (N, C, D, H, W) -> (N, C, *output_size)"""
    return _adaptive_avg("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maxima of `output_size` windows of a sequence. (N, C, L) -> (N, C, output_size)"""
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The maxima of windows that cover an image; None keeps a size. (N, C, H, W) -> (N, C,
    *output_size)
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The maxima of windows that cover a volume. (N, C, D, H, W) -> (N, C, *output_size)"""
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)


def _lp_pool(axes, average, maximum, input, p, kernel_size, stride, ceil_mode):
    """(sum of x ** p) ** (1 / p) of each window, by way of the mean."""
    if math.isinf(p):
        found = maximum(
            input.abs() if p > 0 else -input.abs(), kernel_size, stride, 0, 1, ceil_mode
        )
        return found if p > 0 else -found
    sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * axes
    mean = average(input.pow(p), kernel_size, stride, 0, ceil_mode)
    return ((mean.sign() * mean.abs().relu()) * math.prod(sizes)).pow(1.0 / p)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window. (N, C, L) -> (N, C, L')"""
    return _lp_pool(1, avg_pool1d, max_pool1d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window. (N, C, H, W) -> (N, C, H', W')"""
    return _lp_pool(2, avg_pool2d, max_pool2d, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """The p-norm of each window. (N, C, D, H, W) -> (N, C, D', H', W')"""
    return _lp_pool(3, avg_pool3d, max_pool3d, input, norm_type, kernel_size, stride, ceil_mode)
