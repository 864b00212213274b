"""Pooling of lines, images and volumes: maxima and means of windows, fixed or adaptive."""

from .. import functional
from .module import Module
from .sizes import repeated

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d", "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d",
    "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
]  # fmt: skip


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        dilation=1,
        return_indices=False,
        ceil_mode=False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self):
        """The window."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The maximum of each window, with its index in the line if `return_indices`.

    (N, C, L) -> (N, C, L'), or both without N
    """

    _pool = staticmethod(functional.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """The maximum of each window, with its index in the image if `return_indices`.

    (N, C, H, W) -> (N, C, H', W'), or both without N
    """

    _pool = staticmethod(functional.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """The maximum of each window, with its index in the volume if `return_indices`.

    (N, C, D, H, W) -> (N, C, D', H', W'), or both without N
    """

    _pool = staticmethod(functional.max_pool3d)


class AvgPool1d(Module):
    """The mean of each window.

    (N, C, L) -> (N, C, L'), or both without N
    """

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True
    ):
        super().__init__()
        self.kernel_size = repeated(kernel_size, 1)
        self.stride = repeated(kernel_size if stride is None else stride, 1)
        self.padding = repeated(padding, 1)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input):
        """(N, C, L) -> (N, C, L')."""
        return functional.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self):
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPoolNd(Module):
    def __init__(
        self,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding, self.ceil_mode = padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        return self._pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self):
        """The window."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPoolNd):
    """The mean of each window.

    (N, C, H, W) -> (N, C, H', W'), or both without N
    """

    _pool = staticmethod(functional.avg_pool2d)


class AvgPool3d(_AvgPoolNd):
    """The mean of each window.

    (N, C, D, H, W) -> (N, C, D', H', W'), or both without N
    """

    _pool = staticmethod(functional.avg_pool3d)


class _AdaptivePoolNd(Module):
    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        """(N, C, *) -> (N, C, *output_size)."""
        return self._pool(input, self.output_size)

    def extra_repr(self):
        """The output size."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptivePoolNd):
    """The means of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, L) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePoolNd):
    """The means of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, H, W) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptivePoolNd):
    """The means of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, D, H, W) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_avg_pool3d)


class _AdaptiveMaxPoolNd(_AdaptivePoolNd):
    def __init__(self, output_size, return_indices=False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def forward(self, input):
        """(N, C, *) -> (N, C, *output_size)."""
        return self._pool(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, L) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, H, W) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of as many windows as give the wanted output size; None keeps the input's size.

    (N, C, D, H, W) -> (N, C, *output_size), or both without N
    """

    _pool = staticmethod(functional.adaptive_max_pool3d)


class _LPPoolNd(Module):
    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__()
        self.norm_type, self.kernel_size = norm_type, kernel_size
        self.stride, self.ceil_mode = stride, ceil_mode

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        return self._pool(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self):
        """The window."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window.

    (N, C, L) -> (N, C, L'), or both without N
    """

    _pool = staticmethod(functional.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """The p-norm of each window.

    (N, C, H, W) -> (N, C, H', W'), or both without N
    """

    _pool = staticmethod(functional.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """The p-norm of each window.

    (N, C, D, H, W) -> (N, C, D', H', W'), or both without N
    """

    _pool = staticmethod(functional.lp_pool3d)
