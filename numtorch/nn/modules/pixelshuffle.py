"""Channels exchanged for resolution, or among each other."""

from .. import functional
from .module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle"]


class PixelShuffle(Module):
    """Blocks of r * r channels as blocks of pixels (Shi et al., 2016).

    (*, C * r * r, H, W) -> (*, C, H * r, W * r)
    """

    def __init__(self, upscale_factor):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input):
        """(*, C * r * r, H, W) -> (*, C, H * r, W * r)."""
        return functional.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self):
        """The factor."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Blocks of r * r pixels as channels.

    (*, C, H * r, W * r) -> (*, C * r * r, H, W)
    """

    def __init__(self, downscale_factor):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input):
        """(*, C, H * r, W * r) -> (*, C * r * r, H, W)."""
        return functional.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self):
        """The factor."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channel j of group i becomes channel i of group j (Zhang et al., 2017).

    (N, C, *) -> (N, C, *)
    """

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        """(N, C, *) -> (N, C, *)."""
        return functional.channel_shuffle(input, self.groups)

    def extra_repr(self):
        """The groups."""
        return f"groups={self.groups}"
