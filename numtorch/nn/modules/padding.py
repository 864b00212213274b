"""Margins around lines, images and volumes: constant, zero, reflected, replicated, circular."""

from collections.abc import Iterable

from .. import functional
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d",
    "ConstantPad3d", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d",
    "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """`padding`: one number for all sides, or (before, after) of each dimension, the last first."""

    mode: str
    ndim: int  # padded dimensions

    def __init__(self, padding):
        super().__init__()
        given = isinstance(padding, Iterable)
        self.padding = tuple(padding) if given else (padding,) * (2 * self.ndim)

    def forward(self, input):
        """Add the margins."""
        return functional.pad(input, self.padding, self.mode)

    def extra_repr(self):
        """The widths."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        """Add the margins."""
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        """The widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Margins of one value. (N, C, W) -> (N, C, W'), or both without N"""

    ndim = 1


class ConstantPad2d(_ConstantPad):
    """Margins of one value. (N, C, H, W) -> (N, C, H', W'), or both without N"""

    ndim = 2


class ConstantPad3d(_ConstantPad):
    """Margins of one value. (N, C, D, H, W) -> (N, C, D', H', W'), or both without N"""

    ndim = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        """The widths."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Margins of zeros. (N, C, W) -> (N, C, W'), or both without N"""

    ndim = 1


class ZeroPad2d(_ZeroPad):
    """Margins of zeros. (N, C, H, W) -> (N, C, H', W'), or both without N"""

    ndim = 2


class ZeroPad3d(_ZeroPad):
    """Margins of zeros. (N, C, D, H, W) -> (N, C, D', H', W'), or both without N"""

    ndim = 3


class ReflectionPad1d(_Pad):
    """Margins mirrored at the edges. (N, C, W) -> (N, C, W'), or both without N"""

    mode, ndim = "reflect", 1


class ReflectionPad2d(_Pad):
    """Margins mirrored at the edges. (N, C, H, W) -> (N, C, H', W'), or both without N"""

    mode, ndim = "reflect", 2


class ReflectionPad3d(_Pad):
    """Margins mirrored at the edges. (N, C, D, H, W) -> (N, C, D', H', W'), or both without N"""

    mode, ndim = "reflect", 3


class ReplicationPad1d(_Pad):
    """Margins that repeat the edges. (N, C, W) -> (N, C, W'), or both without N"""

    mode, ndim = "replicate", 1


class ReplicationPad2d(_Pad):
    """Margins that repeat the edges. (N, C, H, W) -> (N, C, H', W'), or both without N"""

    mode, ndim = "replicate", 2


class ReplicationPad3d(_Pad):
    """Margins that repeat the edges. (N, C, D, H, W) -> (N, C, D', H', W'), or both without N"""

    mode, ndim = "replicate", 3


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input):
        """Add the margins."""
        if input.ndim not in (self.ndim + 1, self.ndim + 2):
            raise ValueError(
                f"expected {self.ndim + 1}D or {self.ndim + 2}D input (got {input.ndim}D input)"
            )
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Margins from the other end. (N, C, W) -> (N, C, W'), or both without N"""

    ndim = 1


class CircularPad2d(_CircularPad):
    """Margins from the other end. (N, C, H, W) -> (N, C, H', W'), or both without N"""

    ndim = 2


class CircularPad3d(_CircularPad):
    """Margins from the other end. (N, C, D, H, W) -> (N, C, D', H', W'), or both without N"""

    ndim = 3
