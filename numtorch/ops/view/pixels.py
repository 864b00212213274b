"""Channels exchanged for resolution, and among each other: a view, permuted and copied."""

from ...core.inplace import known_as
from ...core.shape import as_index
from .basic import permute, reshape

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def _checked(input, factor, name, argument):
    shape, r = tuple(input._spec.shape), as_index(factor, argument, name)
    if len(shape) < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{len(shape)} dimension(s)"
        )
    if r <= 0:
        raise RuntimeError(f"{name} expects a positive {argument}, but got {r}")
    return *shape[:-3], r, *shape[-3:]


def pixel_shuffle(input, upscale_factor):
    """Blocks of r * r channels as blocks of pixels. (..., C * r * r, H, W) -> (..., C, H * r, W *
    r)

    Source: Shi et al., 2016.
    """
    *batch, r, c, h, w = _checked(input, upscale_factor, "pixel_shuffle", "upscale_factor")
    if c % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {r * r}"
        )
    n, c = len(batch), c // (r * r)
    parts = reshape(input, (*batch, c, r, r, h, w))
    order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    result = reshape(permute(parts, order), (*batch, c, h * r, w * r))
    return known_as(result, "PixelShuffleBackward0")


def pixel_unshuffle(input, downscale_factor):
    """Blocks of r * r pixels as channels. (..., C, H * r, W * r) -> (..., C * r * r, H, W)"""
    *batch, r, c, h, w = _checked(input, downscale_factor, "pixel_unshuffle", "downscale_factor")
    for side, size, at in (("height", h, -2), ("width", w, -1)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {side} to be divisible by downscale_factor, but "
                f"input.size({at})={size} is not divisible by {r}"
            )
    n = len(batch)
    parts = reshape(input, (*batch, c, h // r, r, w // r, r))
    order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    result = reshape(permute(parts, order), (*batch, c * r * r, h // r, w // r))
    return known_as(result, "PixelUnshuffleBackward0")


def channel_shuffle(input, groups):
    """Channel j of group i becomes channel i of group j. (N, C, ...) -> (N, C, ...)

    Source: Zhang et al., ShuffleNet, 2017.
    """
    shape, groups = tuple(input._spec.shape), as_index(groups, "groups", "channel_shuffle")
    if len(shape) <= 2:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    n, c, *rest = shape
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if c % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {c} channels and {groups} groups."
        )
    parts = reshape(input, (n, groups, c // groups, *rest))
    result = reshape(permute(parts, (0, 2, 1, *range(3, len(shape) + 1))), shape)
    return known_as(result, "ChannelShuffleBackward0")
