"""Convolutions in one to three dimensions, and transposed ones.

Three ops, each the derivative of the others, so that every order of derivative exists: the
convolution is linear in its input and in its weight, and `convolution_input_grad` and
`convolution_weight_grad` are the two transposes. A transposed convolution is the input gradient.
Letters: n images, c input channels, o output channels, k taps.
"""

import functools

from ...core import errors
from ...core.op import primitive
from ...core.shape import as_index
from ...core.tangents import bilinear
from ...core.tensor import Tensor
from . import batching, layout
from .checks import check_bias, check_dtypes, check_sizes, check_weight, output_size

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]
FUNCTIONAL = tuple(__all__)
METHODS: dict = {}


@primitive(
    jvp=bilinear,
    vmap=batching.forward,
    node_name="ConvolutionBackward0",
    vjp={
        "input": lambda g, _input, weight, stride, padding, dilation, groups: (
            convolution_input_grad(g, weight, _input.shape[2:], stride, padding, dilation, groups)
        ),
        "weight": lambda g, input, _weight, stride, padding, dilation, groups: (
            convolution_weight_grad(g, input, _weight.shape[2:], stride, padding, dilation, groups)
        ),
        "bias": lambda g: g.sum((0, *range(2, g.ndim))),
    },
)
def convolution_op(input, weight, bias=None, *, stride, padding, dilation, groups):
    """Cross-correlation of `input` with `weight`; `padding` is a pair (before, after) for each
    axis. The result has channels last where `input` has, and a kernel for it (`layout.py`).

    (N, C, *size), (O, C / groups, *kernel), (O,) -> (N, O, *size')
    """
    check_weight(input, weight, groups)
    check_bias(weight, bias, weight.shape[0])
    check_dtypes(input, weight, bias)
    size = output_size(input, weight.shape[2:], stride, padding, dilation)
    shape = input.shape[0], weight.shape[0], *size
    return layout.result(input, shape, weight.shape, stride, padding, groups)


@primitive(
    jvp=bilinear,
    vmap=batching.forward,
    node_name="ConvolutionInputGradBackward0",
    vjp={
        "grad": lambda g, weight, stride, padding, dilation, groups: convolution_op(
            g, weight, None, stride, padding, dilation, groups
        ),
        "weight": lambda g, grad, _weight, stride, padding, dilation, groups: (
            convolution_weight_grad(grad, g, _weight.shape[2:], stride, padding, dilation, groups)
        ),
    },
)
def convolution_input_grad(grad, weight, *, size, stride, padding, dilation, groups):
    """The gradient of a convolution for its input, which had `size`.

    (N, O, *size'), (O, C / groups, *kernel) -> (N, C, *size)
    """
    shape = grad.shape[0], weight.shape[1] * groups, *size
    return layout.result(grad, shape, weight.shape, stride, padding, groups)


@primitive(
    jvp=bilinear,
    vmap=batching.weight_grad,
    node_name="ConvolutionWeightGradBackward0",
    vjp={
        "grad": lambda g, input, stride, padding, dilation, groups: convolution_op(
            input, g, None, stride, padding, dilation, groups
        ),
        "input": lambda g, grad, _input, stride, padding, dilation, groups: convolution_input_grad(
            grad, g, _input.shape[2:], stride, padding, dilation, groups
        ),
    },
)
def convolution_weight_grad(grad, input, *, kernel_size, stride, padding, dilation, groups):
    """The gradient of a convolution for its weight, which had `kernel_size`.

    (N, O, *size'), (N, C, *size) -> (O, C / groups, *kernel)
    """
    return grad.like(shape=(grad.shape[1], input.shape[1] // groups, *kernel_size))


# -- arguments -------------------------------------------------------------------------------------
@functools.lru_cache(4096)
def _settings(name, axes, stride, padding, dilation, groups, kernel_size):
    """(stride, padding, dilation, groups) in the form that the ops take."""
    stride = check_sizes(name, "stride", stride, axes)
    dilation = check_sizes(name, "dilation", dilation, axes)
    groups = as_index(groups, "groups", name)
    if padding == "same":
        if any(s != 1 for s in stride):
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        total = [d * (k - 1) for d, k in zip(dilation, kernel_size, strict=False)]
        padding = tuple((t // 2, t - t // 2) for t in total)
    elif padding == "valid":
        padding = ((0, 0),) * axes
    elif isinstance(padding, str):
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    else:
        padding = tuple((p, p) for p in check_sizes(name, "padding", padding, axes))
    if any(p < 0 for pair in padding for p in pair):
        raise RuntimeError("negative padding is not supported")
    if any(s <= 0 for s in stride):
        raise RuntimeError("non-positive stride is not supported")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if any(d <= 0 for d in dilation):
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")
    return stride, padding, dilation, groups


def _hashable(value):
    return tuple(value) if isinstance(value, list) else value


def _batched(name, axes, input, weight, bias):
    """Whether the input has a batch dimension; TypeError, RuntimeError for what is no input."""
    for argument, value in (("input", input), ("weight", weight), ("bias", bias)):
        if not isinstance(value, Tensor) and not (value is None and argument == "bias"):
            raise errors.not_a_tensor(name, argument, value)
    ndim = input._spec.ndim
    if ndim == axes + 2:
        return True
    if ndim != axes + 1:
        raise RuntimeError(
            f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input to {name}, but got "
            f"input of size: "
            f"{list(input.shape)}"
        )
    return False


def _conv(name, axes, input, weight, bias, stride, padding, dilation, groups):
    batched = _batched(name, axes, input, weight, bias)
    settings = _settings(
        name,
        axes,
        _hashable(stride),
        _hashable(padding),
        _hashable(dilation),
        groups,
        weight._spec.shape[2:],
    )
    if batched:
        return convolution_op(input, weight, bias, *settings)
    return convolution_op(input.unsqueeze(0), weight, bias, *settings).squeeze(0)


def _transposed(name, axes, input, weight, bias, stride, padding, output_padding, groups, dilation):
    batched = _batched(name, axes, input, weight, bias)
    kernel_size = weight._spec.shape[2:]
    stride, padding, dilation, groups = _settings(
        name, axes, _hashable(stride), _hashable(padding), _hashable(dilation), groups, kernel_size
    )
    extra = check_sizes(name, "output_padding", _hashable(output_padding), axes)
    if not batched:
        input = input.unsqueeze(0)
    specs = input._spec, weight._spec, None if bias is None else bias._spec
    check_weight(specs[0], specs[1], groups, transposed=True)
    check_bias(specs[1], specs[2], specs[1].shape[1] * groups, transposed=True)
    check_dtypes(*specs)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if e < 0 or (e >= s and e >= d):
            raise RuntimeError(
                f"output padding must be smaller than either stride or dilation, but got "
                f"output_padding="
                f"{list(extra)}, stride={list(stride)} and dilation={list(dilation)}"
            )
    size = tuple(
        (n - 1) * s - p[0] - p[1] + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(
            input._spec.shape[2:], stride, padding, dilation, kernel_size, extra, strict=True
        )
    )
    if min(size) <= 0:
        given = " x ".join(map(str, input._spec.shape[2:]))
        raise RuntimeError(
            f"Given input size per channel: ({given}). Calculated output size per channel: "
            f"({' x '.join(map(str, size))}). Output size is too small"
        )
    ends = tuple(
        (p[0], p[1] - e) for p, e in zip(padding, extra, strict=True)
    )  # so that the sizes match exactly
    out = convolution_input_grad(input, weight, size, stride, ends, dilation, groups)
    if bias is not None:
        out = out + bias.reshape((1, bias.shape[0], *(1,) * axes))
    return out if batched else out.squeeze(0)


# -- public functions ------------------------------------------------------------------------------
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of sequences with kernels; `padding` may be 'same' or 'valid'.

    (N, C, L), (O, C / groups, K), (O,) -> (N, O, L'), or both without N
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of images with kernels; `padding` may be 'same' or 'valid'.

    (N, C, H, W), (O, C / groups, kH, kW), (O,) -> (N, O, H', W'), or both without N
    """
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of volumes with kernels; `padding` may be 'same' or 'valid'.

    (N, C, D, H, W), (O, C / groups, kD, kH, kW), (O,) -> (N, O, D', H', W'), or both without N
    """
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The transpose of conv1d as a linear map, also called deconvolution.

    (N, C, L), (C, O / groups, K), (O,) -> (N, O, L'), or both without N
    """
    return _transposed(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The transpose of conv2d as a linear map, also called deconvolution.

    (N, C, H, W), (C, O / groups, kH, kW), (O,) -> (N, O, H', W'), or both without N
    """
    return _transposed(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The transpose of conv3d as a linear map, also called deconvolution.

    (N, C, D, H, W), (C, O / groups, kD, kH, kW), (O,) -> (N, O, D', H', W'), or both without N
    """
    return _transposed(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )
