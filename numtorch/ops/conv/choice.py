"""Which form of a convolution takes the fewest cycles, and with which tile: a model, no trials.

A tile's inner loop does two multiply-adds or two loads in a cycle, and takes one cycle more. What
makes the forms differ is how much of the tiles is used, and how the memory is read:

- pixels in lanes (`cpu.py`): a run of `vectors * lanes` neighbouring pixels, gaps between the rows
  of the image included, by `rows` output channels. Vectors are loaded unaligned, two loads each.
- output channels in lanes (`channel_lanes.py`): no gaps between pixels, but unused lanes if there
  are few channels; sums go through memory every `BLOCK_BYTES` of weights, and are transposed.
- a product of matrices (`pointwise.py`) for 1x1 kernels: pixels in lanes, but nothing is packed.
- plane by plane (`depthwise.py`), for weight gradients of few output channels.

Depthwise convolutions and 3x3 with many channels (`winograd.py`) come before.
"""

import math
from typing import NamedTuple

from ...backends.cpu.simd import lanes_of, registers

# Tiles as (rows, vectors): 32 registers hold rows * vectors sums and a row of what is multiplied.
PIXELS_WIDE, PIXELS_NARROW = (
    ((8, 3), (6, 4), (4, 6), (2, 8), (1, 8)),
    ((6, 2), (4, 2), (2, 4), (1, 6)),
)
CHANNELS_WIDE, CHANNELS_NARROW = ((6, 4), (8, 3), (8, 2), (8, 1)), ((6, 2), (8, 1))
BLOCK_BYTES = 512 * registers()[0]  # of weights or gradients that stay in the L1 cache
STREAM_BYTES = 1 << 19  # an image above this comes from memory
GATHER_CYCLES = 3  # for an element that strided columns are split into phases by
# For a vector of neighbouring pixels and a tap of a plane's weight gradient, and for a vector of
# the output's gradient.
PLANE_CYCLES, ROW_CYCLES = 1.2, 6
TURN_CYCLES = 10  # for a vector of output channels of one pixel, which is transposed
PACK_CYCLES = 1.5  # for an element of the weights that is put into a tile's order


class Choice(NamedTuple):
    """The cycles for one image and group, and the tile."""

    cycles: float
    rows: int
    vectors: int


def pixels_in_lanes(itemsize: int, out_channels: int, depth: int, positions: int) -> Choice:
    """`depth` taps over `positions` pixels. An edge tile costs as much as a full one, so 6 channels
    want 6 rows.
    """
    lanes = lanes_of(itemsize)

    def cost(rows, vectors):
        tiles = -(-out_channels // rows) * -(-positions // (vectors * lanes))
        each = depth * (max(rows * vectors, rows + 2 * vectors) / 2 + 1) + 3 * rows * vectors
        return Choice(tiles * each, rows, vectors)

    return min(cost(*shape) for shape in (PIXELS_WIDE if registers()[1] >= 32 else PIXELS_NARROW))


def channels_in_lanes(itemsize: int, out_channels: int, depth: int, pixels: int) -> Choice:
    """`depth` taps at `pixels` pixels."""
    lanes = lanes_of(itemsize)

    def cost(rows, vectors):
        panels = -(-out_channels // (vectors * lanes))
        blocks = -(-depth * vectors * lanes * itemsize // BLOCK_BYTES)
        each = depth * (max(rows * vectors, rows + vectors + 1) / 2 + 1)
        each += blocks * 3 * rows * vectors
        turned = pixels * vectors * 8
        return Choice(panels * (-(-pixels // rows) * each + turned), rows, vectors)

    return min(
        cost(*shape) for shape in (CHANNELS_WIDE if registers()[1] >= 32 else CHANNELS_NARROW)
    )


def product_of_rows(itemsize: int, out_channels: int, depth: int, pixels: int) -> float:
    """The cycles of a product of matrices (`matmul/gemm.py`), whose last tiles are narrower."""
    lanes = lanes_of(itemsize)
    rows, widest = (8, 3) if registers()[1] >= 32 else (6, 2)
    whole, rest = divmod(-(-pixels // lanes), widest)

    def cost(vectors):
        return depth * (max(rows * vectors, rows + 2 * vectors) / 2 + 1) + 3 * rows * vectors

    return -(-out_channels // rows) * (whole * cost(widest) + (cost(rest) if rest else 0))


def product_wins(itemsize: int, images: int, channels: int, out_channels: int, axes) -> bool:
    """Whether a pointwise convolution is done as a product, for which nothing is packed."""
    pixels = math.prod(a.outputs for a in axes)
    others = [pixels_in_lanes(itemsize, out_channels, channels, pixels).cycles]
    if channels * pixels * itemsize <= STREAM_BYTES:
        others.append(channels_in_lanes(itemsize, out_channels, channels, pixels).cycles)
    packing = PACK_CYCLES * channels * out_channels / images
    return product_of_rows(itemsize, out_channels, channels, pixels) <= min(others) + packing


def channels_win(itemsize: int, channels: int, out_channels: int, axes) -> bool:
    """Whether output channels go into the lanes, for axes as in `plan.py`."""
    depth = channels * math.prod(len(a.used) for a in axes)
    counts = [a.outputs for a in axes]
    pitches = [a.outputs + max(a.shift) for a in axes]
    positions = ((counts[0] - 1) * pitches[1] + counts[1] - 1) * pitches[2] + counts[2]
    image = channels * math.prod(a.size for a in axes)
    if depth == channels and image * itemsize > STREAM_BYTES:
        return False  # a walk through memory, which pixels in lanes read in long runs
    by_pixels = pixels_in_lanes(itemsize, out_channels, depth, positions).cycles
    if axes[2].step > 1:
        by_pixels += image * GATHER_CYCLES
    by_channels = channels_in_lanes(itemsize, out_channels, depth, math.prod(counts)).cycles
    return by_channels < by_pixels


def planes_win(itemsize, channels: int, out_channels: int, counts, kernel_size, stride) -> bool:
    """Whether a weight gradient is summed plane by plane (`depthwise.py`), pixels in the lanes; of
    several input channels, if that takes half of the time, for it is one more kernel to compile.
    """
    taps, pixels = channels * math.prod(kernel_size), math.prod(counts)
    lanes = lanes_of(itemsize)
    by_channels = channels_in_lanes(itemsize, out_channels, pixels, taps).cycles
    by_channels += TURN_CYCLES * pixels * -(-out_channels // lanes)
    vectors = math.prod(counts[:-1]) * -(-counts[-1] // lanes)
    each = max(PLANE_CYCLES, ROW_CYCLES / math.prod(kernel_size))
    each *= 1 if stride[-1] == 1 else 2 if stride[-1] == 2 else 16
    return vectors * out_channels * taps * each * (2 if channels > 1 else 1) < by_channels
