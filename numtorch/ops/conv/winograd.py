"""3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): a quarter of the multiplications.

An output is cut into tiles of 4x4. Inputs, kernels and outputs are transformed as
`winograd_transform.py` says; between lie 36 products, at each point one of (tiles, channels) with
(channels, output channels). There are two ways of blocking them for the L2 cache:

- many tiles: the kernels are transformed first. A task is a block of tiles, and has memory for its
  transformed inputs and for their products with a panel of output channels.
- few tiles (small images, small batches): the inputs are transformed first. A task is a panel of
  output channels, whose kernels it transforms when it needs them: the 36 points of 512 x 512
  kernels are 37 MB, and to write and read those takes longer than all the arithmetic.

Every output is the same sum in the same order either way, whatever the number of threads. The
gradient for the input is the same convolution, with transposed and rotated kernels. Only float32:
gradients are checked in float64, whose convolutions are all direct.
"""

import functools
import math

from ...backends import cpu as settings
from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, inline, kernel, prange
from ...backends.cpu.simd import lanes_of, registers
from .plan import plane_pitch
from .planes import scratch
from .winograd_transform import (
    VECTORS,
    input_columns,
    input_rows,
    kernel_points,
    output_rows,
    output_tile,
    product_tile,
)

LANES = lanes_of(4)
PANEL = VECTORS * LANES  # output channels that are computed together
# Rows of the products' tiles: 32 registers hold 24 sums, 16 hold 12.
MANY_ROWS, FEW_ROWS = (12, 8) if registers()[1] >= 32 else (6, 4)
many_product = product_tile(MANY_ROWS)
# Tiles that a worker takes at once: 24 to 132 take the same time with 64 to 256 channels.
BLOCK = 24
AHEAD = 12  # kernels that are asked for while one is transformed
DEPTH = 64  # channels whose kernels are transformed at once, where there are few tiles

# What one item costs, in multiply-adds of a product; measured at 1 to 1024 channels, 2x2 to 112x112
# pixels.
TILE_INPUT, TILE_OUTPUT = 450, 600  # a tile of one channel
KERNEL, PACKED_KERNEL = 400, 320  # transforming one, and packing one for the direct convolution
GAIN = 0.8  # of the direct convolution's time; what gains less is not worth the rounding


def rows_for(tiles: int) -> int:
    """Rows of the products' tiles where there are few: a last one costs as much as a full one."""
    return FEW_ROWS if tiles > 4 else 4


def pays(images: int, channels: int, out_channels: int, height: int, width: int) -> bool:
    """Whether Winograd's convolution is clearly faster than the direct one; sizes of the output."""
    tiles = images * math.ceil(height / 4) * math.ceil(width / 4)
    panels = math.ceil(out_channels / PANEL) * PANEL
    lanes = math.ceil(channels / LANES) * LANES
    rows = math.ceil(tiles / rows_for(tiles)) * rows_for(tiles)
    products = 36 * rows * channels * panels
    transforms = tiles * (TILE_INPUT * lanes + TILE_OUTPUT * panels)
    winograd = products + transforms + KERNEL * channels * out_channels
    direct = (9 * images * height * width + PACKED_KERNEL) * channels * out_channels
    return winograd < GAIN * direct


def fits(x, out_channels: int, axes, kernel_size, groups: int) -> bool:
    """Whether a convolution of planes along `axes` (see plan.py) is to be done here."""
    deep, rows, columns = axes
    return (
        settings.winograd_enabled()
        and x.dtype.name == "float32"
        and groups == 1
        and tuple(kernel_size) == (1, 3, 3)
        and (deep.size, deep.outputs) == (1, 1)
        and all(a.step == 1 and set(a.shift) == {0, 1, 2} for a in (rows, columns))
        and pays(x.shape[0], x.shape[1], out_channels, rows.outputs, columns.outputs)
    )


def transformer(columns_tile, rows_tile, reach):
    """The function that transforms tiles of `reach` x `reach` pixels, 4 apart."""

    @inline
    def transform_tiles(x, channels, height, width, pad_h, pad_w, down, across, first, last, padded,
                        c0, v, to, step, stage, at):  # fmt: skip
        """v[point, tile, channel] of the tiles first ... last, for the vector of channels from `c0`
        on; zero for tiles from there up to `padded`.

        `stage` holds the 6 rows of a row of tiles, whose columns are transformed.
        """
        tile = first
        while tile < last:
            row, column = tile // across % down, tile % across
            count = min(across - column, last - tile)
            h0, w0, columns = 4 * row - pad_h, 4 * column - pad_w, 4 * count + reach - 4
            begin, end = min(max(w0, 0), w0 + columns), min(w0 + columns, width)
            source = ((tile // (down * across) * channels + c0) * height + h0) * width
            pitch, done = (columns + LANES) * LANES, begin
            while done < end:
                columns_tile(
                    x, source + done, height * width, width, max(0, -h0), min(reach, height - h0),
                    (1 << min(LANES, end - done)) - 1, min(LANES, channels - c0),
                    stage, at + (done - w0) * LANES, pitch,
                )  # fmt: skip
                done += LANES
            for r in range(6):
                start = at + r * pitch
                for i in range(start, start + (begin - w0) * LANES):
                    stage[i] = 0
                for i in range(start + (done - w0) * LANES, start + columns * LANES):
                    stage[i] = 0
            rows_tile(stage, at, pitch, count, v, to + (tile - first) * LANES, step)
            tile += count
        for point in range(36):
            for i in range((last - first) * LANES, padded * LANES):
                v[to + point * step + i] = 0

    return transform_tiles


transform_inputs = transformer(input_columns, input_rows, 6)


@inline
def transform_outputs(m, at, step, biases, bias, o0, out_channels, out, height, width, down,
                      across, first, last, stage, stage_at):  # fmt: skip
    """The outputs of the tiles first ... last, for the vector of channels from `o0` on."""
    tile = first
    while tile < last:
        row, column = tile // across % down, tile % across
        count = min(across - column, last - tile, LANES // 4)
        for i in range(count):
            output_tile(
                m, at + (tile - first + i) * LANES, step, biases, bias,
                stage, stage_at + 4 * i * LANES,
            )  # fmt: skip
        image = (tile // (down * across) * out_channels + o0) * height * width
        output_rows(
            stage, stage_at, out, image + 4 * (row * width + column), height * width, width,
            min(4, height - 4 * row), min(LANES, out_channels - o0),
            (1 << min(4 * count, width - 4 * column)) - 1,
        )  # fmt: skip
        tile += count


@inline
def copy_biases(bias, o0, out_channels, biases, at):
    """The biases of the vector of channels from `o0` on; zero behind the last channel."""
    for lane in range(at, at + LANES):
        biases[lane] = 0
    if bias is not None:
        for lane in range(min(LANES, out_channels - o0)):
            biases[at + lane] = bias[o0 + lane]


@kernel
def transform_kernels(weight, bias, u, biases, channels, out_channels, step, out_step, flip, panels,
                      u_step):  # fmt: skip
    """u[panel, point, channel, lane] of all kernels, and the biases, for whole panels.

    One iteration of the parallel loop owns a vector of output channels.
    """
    for o in prange(panels * VECTORS):
        o0 = o * LANES
        copy_biases(bias, o0, out_channels, biases, o0)
        to = o // VECTORS * 36 * u_step + o % VECTORS * LANES
        for c in range(channels):
            kernel_points(
                weight, o0 * out_step + c * step, out_step, out_channels - o0, flip, AHEAD * step,
                u, to + c * PANEL, u_step,
            )  # fmt: skip


@kernel
def convolve_blocks(
    x, u, biases, out, memory, slot, m_at, stage_at, workers, tiles, channels, height, width, pad_h,
    pad_w, out_channels, out_height, out_width, panels, u_step, v_step, m_step,
):  # fmt: skip
    """Many tiles. One iteration of the parallel loop is one worker, with its own memory and its
    share of the tiles, which it takes block by block.
    """
    down, across = (out_height + 3) // 4, (out_width + 3) // 4
    rows, group = (tiles + MANY_ROWS - 1) // MANY_ROWS, BLOCK * LANES
    for worker in prange(workers):
        v, m, stage = worker * slot, worker * slot + m_at, worker * slot + stage_at
        end = min((worker + 1) * rows // workers * MANY_ROWS, tiles)
        for first in range(worker * rows // workers * MANY_ROWS, end, BLOCK):
            last = min(first + BLOCK, end)
            for g in range((channels + LANES - 1) // LANES):
                transform_inputs(
                    x, channels, height, width, pad_h, pad_w, down, across, first, last, BLOCK,
                    g * LANES, memory, v + g * group, v_step, memory, stage,
                )  # fmt: skip
            for panel in range(panels):
                for point in range(36):
                    weights = (panel * 36 + point) * u_step
                    for i in range(0, last - first, MANY_ROWS):
                        many_product(
                            memory, v + point * v_step + i * LANES, group, u, weights, channels,
                            memory, m + point * m_step + i * LANES, group, 0,
                            weights + u_step + i // MANY_ROWS * channels * LANES,
                        )  # fmt: skip
                for j in range(VECTORS):
                    o0 = panel * PANEL + j * LANES
                    if o0 < out_channels:
                        transform_outputs(
                            memory, m + j * group, m_step, biases, o0, o0, out_channels, out,
                            out_height, out_width, down, across, first, last, memory, stage,
                        )  # fmt: skip


@kernel
def transform_images(
    x, v, stages, stage, workers, tiles, padded, channels, height, width, pad_h, pad_w, down,
    across, v_step,
):  # fmt: skip
    """v[point, channels, tile, lane] of all tiles. One iteration of the parallel loop is one
    worker, with its own `stage` elements of `stages`; a task is a vector of channels.
    """
    for worker in prange(workers):
        for g in range(worker, (channels + LANES - 1) // LANES, workers):
            transform_inputs(
                x, channels, height, width, pad_h, pad_w, down, across, 0, tiles, padded, g * LANES,
                v, g * padded * LANES, v_step, stages, worker * stage,
            )  # fmt: skip


@functools.cache
def convolve_panels(rows):
    """The kernel for few tiles, whose products have tiles of `rows` rows."""
    product = product_tile(rows)

    @kernel
    def convolve_with_panels(
        v, weight, bias, out, memory, slot, m_at, stage_at, bias_at, workers, tiles, padded,
        channels, out_channels, out_height, out_width, step, out_step, flip, panels, u_step, v_step,
        m_step,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own memory; a task is a
        panel of output channels.
        """
        down, across = (out_height + 3) // 4, (out_width + 3) // 4
        group = padded * LANES
        for worker in prange(workers):
            u, m, stage = worker * slot, worker * slot + m_at, worker * slot + stage_at
            biases = worker * slot + bias_at
            for panel in range(worker, panels, workers):
                for c0 in range(0, channels, DEPTH):
                    depth = min(DEPTH, channels - c0)
                    for j in range(VECTORS):
                        o0 = panel * PANEL + j * LANES
                        for c in range(depth):
                            kernel_points(
                                weight, o0 * out_step + (c0 + c) * step, out_step,
                                out_channels - o0, flip, AHEAD * step,
                                memory, u + c * PANEL + j * LANES, u_step,
                            )  # fmt: skip
                    for point in range(36):
                        weights = u + point * u_step
                        for i in range(0, tiles, rows):
                            product(
                                v, point * v_step + c0 * padded + i * LANES, group, memory, weights,
                                depth, memory, m + point * m_step + i * LANES, group, c0,
                                weights + u_step,
                            )  # fmt: skip
                for j in range(VECTORS):
                    o0 = panel * PANEL + j * LANES
                    if o0 < out_channels:
                        copy_biases(bias, o0, out_channels, memory, biases)
                        transform_outputs(
                            memory, m + j * group, m_step, memory, biases, o0, out_channels, out,
                            out_height, out_width, down, across, 0, tiles, memory, stage,
                        )  # fmt: skip

    return convolve_with_panels


def correlate(x, weight, bias, out_channels, axes, steps):
    """A function of (input, weight, bias, output), like that of the general `correlate` in cpu.py;
    `steps` are the weight's strides for a group, an output channel and an input channel.
    """
    rows, columns = axes[1:]
    images, channels = x.shape[0], x.shape[1]
    tiles = images * math.ceil(rows.outputs / 4) * math.ceil(columns.outputs / 4)
    image = channels, rows.size, columns.size, -rows.begin[0], -columns.begin[0]
    output = out_channels, rows.outputs, columns.outputs
    kernels = steps[2], steps[1], int(rows.shift[0] > 0)  # reversed taps: the kernels are rotated
    make = few_tiles if 2 * tiles <= out_channels else many_tiles
    return make(x, weight, bias, tiles, image, output, kernels)


def stage_size(tiles: int) -> int:
    """Elements of the work memory for the rows of neighbouring tiles, inputs or outputs."""
    return max(6 * (4 * tiles + 2 + LANES), 4 * LANES) * LANES


def workers_for(work: int) -> int:
    """How many workers share this many multiply-adds."""
    return threads.get_num_threads() if work >= PARALLEL_WORK else 1


def many_tiles(x, weight, bias, tiles, image, output, kernels):
    """`correlate` with tasks that are blocks of tiles."""
    channels, out_channels, dtype = image[0], output[0], x.dtype.np
    groups, panels = math.ceil(channels / LANES), math.ceil(out_channels / PANEL)
    u_step, v_step, m_step = (
        plane_pitch(n * LANES, 4) for n in (channels * VECTORS, groups * BLOCK, VECTORS * BLOCK)
    )
    m_at, stage_at = 36 * v_step, 36 * (v_step + m_step)
    slot = plane_pitch(stage_at + stage_size(min(BLOCK, math.ceil(output[2] / 4))), 4)
    work = 36 * tiles * channels * out_channels
    workers = workers_for(work)
    facts = channels, out_channels, *kernels, panels, u_step
    transform = transform_kernels.compile(
        weight, bias, weight, weight, *facts, work=36 * channels * out_channels // 4
    )
    run_facts = (
        slot, m_at, stage_at, workers, tiles, *image, *output, panels, u_step, v_step, m_step
    )  # fmt: skip
    run = convolve_blocks.compile(x, x, x, x, x, *run_facts, work=work)

    def launch(x, weight, bias, out):
        u, biases = scratch(panels * 36 * u_step, dtype), scratch(panels * PANEL, dtype)
        transform(weight, bias, u, biases, *facts)
        run(x, u, biases, out, scratch(workers * slot, dtype), *run_facts)

    return launch


def few_tiles(x, weight, bias, tiles, image, output, kernels):
    """`correlate` with tasks that are panels of output channels."""
    channels, out_channels, dtype = image[0], output[0], x.dtype.np
    groups, panels = math.ceil(channels / LANES), math.ceil(out_channels / PANEL)
    down, across = math.ceil(output[1] / 4), math.ceil(output[2] / 4)
    rows = rows_for(tiles)
    padded = math.ceil(tiles / rows) * rows
    u_step, v_step, m_step = (
        plane_pitch(n * LANES, 4)
        for n in (min(channels, DEPTH) * VECTORS, groups * padded, VECTORS * padded)
    )
    m_at, stage_at = 36 * u_step, 36 * (u_step + m_step)
    bias_at = stage_at + stage_size(0)
    slot, stage = plane_pitch(bias_at + LANES, 4), plane_pitch(stage_size(across), 4)
    work = 36 * tiles * channels * out_channels
    workers = workers_for(work)
    facts = stage, workers, tiles, padded, *image, down, across, v_step
    transform = transform_images.compile(x, x, x, *facts, work=36 * tiles * channels // 4)
    run_facts = (
        slot, m_at, stage_at, bias_at, workers, tiles, padded, channels, *output, *kernels, panels,
        u_step, v_step, m_step,
    )  # fmt: skip
    run = convolve_panels(rows).compile(x, weight, bias, x, x, *run_facts, work=work)

    def launch(x, weight, bias, out):
        v = scratch(36 * v_step, dtype)
        transform(x, v, scratch(workers * stage, dtype), *facts)
        run(v, weight, bias, out, scratch(workers * slot, dtype), *run_facts)

    return launch
