"""Convolutions in one to three dimensions, and their transposes."""

import math

from ...ops.create import empty
from .. import functional, init
from ..parameter import Parameter
from .module import Module
from .sizes import repeated

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d",
]  # fmt: skip

PADDINGS = ("same", "valid")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions of all ranks share: sizes, weight and bias."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        groups,
        bias,
        padding_mode,
        device,
        dtype,
        output_padding=None,
    ):
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in PADDINGS:
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {PADDINGS}")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {PADDING_MODES}, but got padding_mode="
                f"'{padding_mode}'"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation = dilation
        self.transposed = output_padding is not None
        self.output_padding = output_padding or (0,) * len(kernel_size)
        self.groups, self.padding_mode = groups, padding_mode
        self._reversed_padding_repeated_twice = self._pad_widths()
        ends = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (ends[0], ends[1] // groups, *kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _pad_widths(self):
        """Padding before and after each dimension, the last one first: what pad() takes."""
        if self.padding == "valid":
            return [0] * (2 * len(self.kernel_size))
        widths = []
        for i in reversed(range(len(self.kernel_size))):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                widths += [total // 2, total - total // 2]
            else:
                widths += [self.padding[i]] * 2
        return widths

    def reset_parameters(self):
        """Draw weight and bias uniformly within +-1/sqrt(fan_in)."""
        # a = sqrt(5) turns the bound of kaiming_uniform_ into 1/sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        """The sizes, and what differs from the defaults."""
        n = len(self.kernel_size)
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"
        text += f", stride={self.stride}"
        if self.padding != (0,) * n:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * n:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * n:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    """Cross-correlation in `spatial` dimensions."""

    spatial = 0

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        n = self.spatial
        super().__init__(
            in_channels,
            out_channels,
            repeated(kernel_size, n),
            repeated(stride, n),
            padding if isinstance(padding, str) else repeated(padding, n),
            repeated(dilation, n),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input):
        """(N, C, *) -> (N, O, *)."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input, weight, bias):
        padding = self.padding
        if self.padding_mode != "zeros":
            widths = self._reversed_padding_repeated_twice
            input = functional.pad(input, widths, mode=self.padding_mode)
            padding = (0,) * self.spatial
        return self._convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """Cross-correlation of sequences with learned kernels.

    (N, in_channels, L) -> (N, out_channels, L'), or both without N
    """

    spatial = 1
    _convolve = staticmethod(functional.conv1d)


class Conv2d(_Conv):
    """Cross-correlation of images with learned kernels.

    (N, in_channels, H, W) -> (N, out_channels, H', W'), or both without N
    """

    spatial = 2
    _convolve = staticmethod(functional.conv2d)


class Conv3d(_Conv):
    """Cross-correlation of volumes with learned kernels.

    (N, in_channels, D, H, W) -> (N, out_channels, D', H', W'), or both without N
    """

    spatial = 3
    _convolve = staticmethod(functional.conv3d)


class _ConvTranspose(_ConvNd):
    """The transpose of a cross-correlation in `spatial` dimensions, also called deconvolution."""

    spatial = 0

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        n = self.spatial
        super().__init__(
            in_channels,
            out_channels,
            repeated(kernel_size, n),
            repeated(stride, n),
            repeated(padding, n),
            repeated(dilation, n),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
            repeated(output_padding, n),
        )

    def forward(self, input, output_size=None):
        """(N, C, *) -> (N, O, *)."""
        return self._convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._output_padding(input, output_size),
            self.groups,
            self.dilation,
        )

    def _output_padding(self, input, output_size):
        """How much each dimension is longer than the least size, of which the wanted one is."""
        if output_size is None:
            return self.output_padding
        n, wanted = self.spatial, list(output_size)
        first = input.ndim - n
        if len(wanted) == input.ndim:
            wanted = wanted[first:]
        if len(wanted) != n:
            raise ValueError(
                f"ConvTranspose{n}D: for {input.ndim}D input, output_size must have {n} or "
                f"{first + n} elements (got {len(wanted)})"
            )
        least = [
            (input.shape[first + d] - 1) * self.stride[d]
            - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(n)
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not a <= size <= b for a, size, b in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.shape[first:]})"
            )
        return [size - low for size, low in zip(wanted, least, strict=True)]


class ConvTranspose1d(_ConvTranspose):
    """The transpose of Conv1d as a linear map; `output_size` chooses among the possible sizes.

    (N, in_channels, L) -> (N, out_channels, L'), or both without N
    """

    spatial = 1
    _convolve = staticmethod(functional.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The transpose of Conv2d as a linear map; `output_size` chooses among the possible sizes.

    (N, in_channels, H, W) -> (N, out_channels, H', W'), or both without N
    """

    spatial = 2
    _convolve = staticmethod(functional.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The transpose of Conv3d as a linear map; `output_size` chooses among the possible sizes.

    (N, in_channels, D, H, W) -> (N, out_channels, D', H', W'), or both without N
    """

    spatial = 3
    _convolve = staticmethod(functional.conv_transpose3d)
