"""The weight gradient of 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3).

Inputs are transformed as for the convolution (`winograd.py`), gradients of the outputs in the same
tiles; at each of the 36 points, the products of (channels, tiles) with (tiles, output channels) are
the transformed gradient of the kernels.

A task has memory for a block of channels by a block of output channels, and adds to it the products
of one block of tiles after the other; all of this stays in the L2 cache. Where channels make few
blocks, the tiles are divided into chunks, too, whose gradients are added at the end: a fixed number
of them, so that threads change no bit of the result.
"""

import math

from ...backends import cpu as settings
from ...backends.cpu.jit import kernel, prange
from . import choice
from .plan import plane_pitch
from .planes import scratch
from .tile import turn
from .winograd import LANES, PANEL, stage_size, transform_inputs, transformer, workers_for
from .winograd_transform import (
    VECTORS,
    gradient_columns,
    gradient_rows,
    kernel_gradient,
    sum_tile,
)

transform_gradients = transformer(gradient_columns, gradient_rows, 4)
turned = turn(False)

ROWS = 8 if LANES == 16 else 4  # channels of a product's tile
multiply = sum_tile(ROWS)
BLOCK = 32  # tiles
CHANNELS, OUT_CHANNELS = 128, 64  # of a block: sums of 1.2 MB, and 0.9 MB of what is multiplied
CHUNKS = 8  # at most: enough for 8 threads
CHUNK = 3 * BLOCK  # tiles, at least: each chunk transforms its sums

# Cycles, measured at 8 to 512 channels, 3x3 to 56x56 pixels: a vector's multiply-add in a product,
# transforming a vector of channels in one tile, and a vector of kernels (or writing them directly).
PRODUCT, TILE, KERNEL, DIRECT_KERNEL = 0.85, 175, 280, 160
GAIN = 0.85  # of the direct gradient's time; what gains less is not worth the rounding


def blocks_of(channels: int, most: int, unit: int) -> int:
    """The size of equal blocks of at most `most` channels, in whole vectors or panels."""
    blocks = math.ceil(channels / most)
    return math.ceil(channels / blocks / unit) * unit


def chunks_of(tiles: int, blocks: int) -> tuple[int, int]:
    """How many chunks, and of how many tiles, if channels make `blocks` tasks of each."""
    chunks = min(math.ceil(tiles / CHUNK), math.ceil(CHUNKS / blocks))
    chunk = math.ceil(tiles / chunks / BLOCK) * BLOCK
    return math.ceil(tiles / chunk), chunk


def pays(images: int, channels: int, out_channels: int, height: int, width: int) -> bool:
    """Whether this is clearly faster than the direct gradient; sizes of the output."""
    tiles = images * math.ceil(height / 4) * math.ceil(width / 4)
    rows = math.ceil(channels / ROWS) * ROWS
    panels, groups, vectors = (
        math.ceil(n / unit)
        for n, unit in ((out_channels, PANEL), (channels, LANES), (out_channels, LANES))
    )
    blocks, out_blocks = math.ceil(channels / CHANNELS), math.ceil(out_channels / OUT_CHANNELS)
    chunks, chunk = chunks_of(tiles, blocks * out_blocks)
    again = out_blocks if chunk > BLOCK else 1
    winograd = PRODUCT * 36 * tiles * rows * panels * VECTORS
    winograd += TILE * tiles * (groups * again + vectors * blocks)
    winograd += KERNEL * chunks * channels * vectors
    direct = choice.channels_in_lanes(4, out_channels, images * height * width, 9 * channels)
    return winograd < GAIN * (direct.cycles + DIRECT_KERNEL * channels * vectors)


def fits(dtype, sizes, groups: int, images: int, channels: int, out_channels: int) -> bool:
    """Whether a weight gradient with these sizes (see `planes.geometry`) is to be done here."""
    deep, rows, columns = sizes
    return (
        settings.winograd_enabled()
        and dtype.name == "float32"
        and groups == 1
        and tuple(deep[:3]) == (1, 1, 1)
        and all((a[2], a[3], a[5]) == (3, 1, 1) for a in (rows, columns))
        and pays(images, channels, out_channels, rows[1], columns[1])
    )


@kernel
def sum_kernels(
    x, g, out, memory, slot, h_at, m_at, stage_at, workers, chunks, chunk, tiles, channels, height,
    width, pad_h, pad_w, out_channels, out_height, out_width, block, out_block, v_step, h_step,
    m_step,
):  # fmt: skip
    """out[chunk, o, c, i, j]. One iteration of the parallel loop is one worker, with its own memory
    and its share of the tasks: a block of channels, of output channels, of a chunk.
    """
    down, across = (out_height + 3) // 4, (out_width + 3) // 4
    blocks, out_blocks = (
        (channels + block - 1) // block, (out_channels + out_block - 1) // out_block
    )  # fmt: skip
    tasks, group = chunks * blocks * out_blocks, BLOCK * LANES
    for worker in prange(workers):
        v, h, m = worker * slot, worker * slot + h_at, worker * slot + m_at
        stage, held = worker * slot + stage_at, -1
        for task in range(worker * tasks // workers, (worker + 1) * tasks // workers):
            c0, o0 = task // out_blocks % blocks * block, task % out_blocks * out_block
            here, out_here = min(block, channels - c0), min(out_block, out_channels - o0)
            begin = task // out_blocks // blocks * chunk
            end = min(begin + chunk, tiles)
            for first in range(begin, end, BLOCK):
                last = min(first + BLOCK, end)
                if task // out_blocks != held or chunk > BLOCK:  # else, they are there
                    for c in range(0, here, LANES):
                        transform_inputs(
                            x, channels, height, width, pad_h, pad_w, down, across, first, last, 0,
                            c0 + c, memory, v + c * BLOCK, v_step, memory, stage,
                        )  # fmt: skip
                    held = task // out_blocks
                for o in range(0, out_here, LANES):
                    transform_gradients(
                        g, out_channels, out_height, out_width, 0, 0, down, across, first, last, 0,
                        o0 + o, memory, h + o * BLOCK, h_step, memory, stage,
                    )  # fmt: skip
                for point in range(36):
                    for o in range(0, out_here, PANEL):
                        # The last vector of a panel may be none: the one before it is taken again.
                        other = group if o + LANES < out_here else 0
                        for c in range(0, here, ROWS):
                            multiply(
                                memory,
                                v + point * v_step + c // LANES * group + c % LANES,
                                memory, h + point * h_step + o * BLOCK, other, last - first,
                                memory, m + point * m_step + c * out_block + o, out_block,
                                first == begin,
                            )  # fmt: skip
            start = task // out_blocks // blocks * out_channels
            for o in range(0, out_here, LANES):
                for c in range(here):
                    kernel_gradient(
                        memory, m + c * out_block + o, m_step, memory, stage + c * 9 * LANES
                    )
                for i in range(0, 9 * here, LANES):
                    turned(
                        memory, stage + i * LANES, LANES, min(LANES, 9 * here - i),
                        min(LANES, out_here - o), out,
                        ((start + o0 + o) * channels + c0) * 9 + i, channels * 9,
                    )  # fmt: skip


@kernel
def add_chunks(parts, out, chunks, n):
    """The sum of the chunks, in order."""
    for i in prange(n):
        total = parts[i]
        for chunk in range(1, chunks):
            total += parts[chunk * n + i]
        out[i] = total


def weight_grad(grad, input, out, sizes):
    """A function of (output gradient, input, weight gradient)."""
    (images, channels), out_channels, dtype = input.shape[:2], grad.shape[1], out.dtype.np
    (height, out_height, _, _, pad_h, _), (width, out_width, _, _, pad_w, _) = sizes[1:]
    tiles = images * math.ceil(out_height / 4) * math.ceil(out_width / 4)
    block = blocks_of(channels, CHANNELS, LANES)
    out_block = blocks_of(out_channels, OUT_CHANNELS, PANEL)
    blocks = math.ceil(channels / block) * math.ceil(out_channels / out_block)
    chunks, chunk = chunks_of(tiles, blocks)
    v_step, h_step, m_step = (
        plane_pitch(n, 4) for n in (block * BLOCK, out_block * BLOCK, block * out_block)
    )
    h_at, m_at, stage_at = 36 * v_step, 36 * (v_step + h_step), 36 * (v_step + h_step + m_step)
    stage = max(stage_size(min(BLOCK, math.ceil(out_width / 4))), 9 * block * LANES)
    slot = plane_pitch(stage_at + stage, 4)
    work = 36 * tiles * channels * out_channels
    workers = min(workers_for(work), chunks * blocks)
    facts = (
        slot, h_at, m_at, stage_at, workers, chunks, chunk, tiles, channels, height, width, pad_h,
        pad_w, out_channels, out_height, out_width, block, out_block, v_step, h_step, m_step,
    )  # fmt: skip
    run = sum_kernels.compile(grad, input, out, out, *facts, work=work)
    if chunks == 1:
        return lambda g, x, dw: run(x, g, dw, scratch(workers * slot, dtype), *facts)
    join = add_chunks.compile(out, out, chunks, out.numel, work=out.numel * chunks)

    def launch(g, x, dw):
        parts = scratch(chunks * out.numel, dtype)
        run(x, g, parts, scratch(workers * slot, dtype), *facts)
        join(parts, dw, chunks, out.numel)

    return launch
