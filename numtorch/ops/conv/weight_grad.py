"""The weight gradient on the CPU: products of two sets of planes, the output gradient's and the
input's.

dw[o, k] = sum over images and pixels of g[o, pixel] * planes[pixel + taps[k]]: the taps are offsets
here, too, so the forward pass's planes serve, and g is gathered into planes of the same pitch. A
task is a chunk of the images, or, if the weight is large, of a block of input channels; chunks have
their own partial sums, which are added in order at the end. How the work is cut depends on the
shapes alone, so the result does not depend on the number of threads.
"""

import functools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, kernel, prange
from ...backends.cpu.simd import lanes_of, registers
from ...backends.registry import contiguous
from . import depthwise, plan
from .planes import gather, geometry, scratch
from .tile import weight_tile

TASKS = 8  # at least, where there is so much to do: enough for 8 threads
PARTS_BYTES = 1 << 22  # for the partial sums of all chunks
TAPS_PER_TASK = (
    64  # with fewer, gathering g anew for every task costs more than an eighth of the time
)
WIDE_TILES = (6, 4), (1, 9)  # 32 registers hold rows * columns sums and a column of taps
NARROW_TILES = (4, 2), (1, 9)


@functools.cache
def multiply_planes(rows, columns):
    """The kernel with tiles of `rows` output channels by `columns` taps."""
    tile = weight_tile(rows, columns)

    @kernel
    def multiply_tiles(
        g, x, parts, g_planes, x_planes, workers, images, groups, chunks, chunk, blocks, block,
        batch, out_channels, g_size, g_step, g_begin, g_extent, g_plane, g_in_image, g_slice,
        channels, size, step, begin, phases, extent, cut, plane, in_image, pieces, last, piece_rows,
        taps, block_taps, pitch, starts, masks, vectors,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own planes; a task owns its
        partial sums.
        """
        zero = parts.dtype.type(0)
        g_image, x_image = out_channels * g_plane, block * phases * plane
        n_rows = (out_channels + rows - 1) // rows
        for worker in prange(workers):
            for task in range(worker, chunks * groups * blocks, workers):
                group, c0 = task // blocks % groups, task % blocks * block
                used = min(block, channels - c0)
                first_image = task // (groups * blocks) * chunk
                part = task * n_rows * rows * pitch
                for i in range(n_rows * rows * pitch):
                    parts[part + i] = zero
                g0, x0 = worker * batch * g_image, worker * (batch * x_image + 64)
                for at in range(first_image, min(first_image + chunk, images), batch):
                    count = min(batch, min(first_image + chunk, images) - at)
                    for piece in range(pieces):
                        first = min(piece * piece_rows, last)
                        done = (
                            piece * piece_rows - first
                        )  # outputs at the start that the last piece has had
                        for i in range(count):
                            source = (at + i) * groups + group
                            gather(
                                g, source * out_channels * g_in_image, g_planes, g0 + i * g_image,
                                out_channels, first, g_size, g_step, g_begin, 1, g_extent, cut,
                                g_plane,
                            )  # fmt: skip
                            for o in range(out_channels):
                                for j in range(done * g_slice):
                                    g_planes[g0 + i * g_image + o * g_plane + j] = zero
                            gather(
                                x, (source * channels + c0) * in_image, x_planes, x0 + i * x_image,
                                used, first, size, step, begin, phases, extent, cut, plane,
                            )  # fmt: skip
                        for r in range(n_rows):
                            for k in range(0, used * block_taps, columns):
                                tile(
                                    g_planes, g0, g_plane, r * rows, out_channels - 1, g_image,
                                    x_planes, x0, x_image, taps, k, starts, masks, vectors, count,
                                    parts, part + r * rows * pitch + k, pitch,
                                )  # fmt: skip

    return multiply_tiles


@kernel
def add_parts(
    parts,
    out,
    groups,
    out_channels,
    channels,
    kernel_taps,
    chunks,
    chunk_step,
    block,
    block_step,
    pitch,
):
    """dw = the sum of the chunks' partial sums, in order. One iteration of the parallel loop owns
    one output channel.
    """
    blocks = (channels + block - 1) // block
    for p in prange(groups * out_channels):
        group, o = p // out_channels, p % out_channels
        for c in range(channels):
            part = (group * blocks + c // block) * block_step + o * pitch + c % block * kernel_taps
            to = (p * channels + c) * kernel_taps
            for t in range(kernel_taps):
                total = parts[part + t]
                for i in range(1, chunks):
                    total += parts[part + t + i * chunk_step]
                out[to + t] = total


def choose_tile(out_channels: int, taps: int) -> tuple[int, int]:
    """The tile (rows, columns) that takes the fewest cycles; a load that crosses cache lines counts
    twice.
    """

    def cycles(shape):
        rows, columns = shape
        return (
            -(-out_channels // rows) * -(-taps // columns) * max(rows * columns, rows + 2 * columns)
        )

    return min(WIDE_TILES if registers()[1] >= 32 else NARROW_TILES, key=cycles)


@contiguous
def convolution_weight_grad(grad, input, out, *, kernel_size, stride, padding, dilation, groups):
    """The gradient for the weight: every tap's product sum over the images."""
    if not (grad.numel and input.numel):
        return lambda g, x, dw: dw.fill(0)
    facts = geometry(input.shape[2:], grad.shape[2:], kernel_size, stride, padding, dilation)
    if depthwise.fits(facts, input.shape[1] // groups):
        return depthwise.weight_grad(grad, input, out, facts)
    axes = [plan.forward_axis(*a) for a in facts]
    images, channels, out_channels = input.shape[0], out.shape[1], out.shape[0] // groups
    dtype, kernel_taps = out.dtype.np, math.prod(kernel_size)
    itemsize, lanes = dtype.itemsize, lanes_of(dtype.itemsize)
    pixels = math.prod(grad.shape[2:])

    chunks = max(1, min(images, TASKS // groups, PARTS_BYTES // max(1, out.numel * itemsize)))
    fitting = 2 * math.prod(input.shape[2:]) * channels * itemsize // plan.CACHE_BYTES + 1
    if 2 * pixels * out_channels * itemsize > plan.CACHE_BYTES:
        fitting = 1  # the image is cut into pieces anyway
    wanted = max(TASKS // (chunks * groups), fitting)
    blocks = max(1, min(wanted, channels, channels * kernel_taps // TAPS_PER_TASK))
    chunk, block = -(-images // chunks), -(-channels // blocks)
    chunks, blocks = -(-images // chunk), -(-channels // block)
    rows, columns = choose_tile(out_channels, block * kernel_taps)
    pitch = -(-block * kernel_taps // columns) * columns
    block_step = -(-out_channels // rows) * rows * pitch

    lay = plan.layout(
        axes, [a[2] for a in facts], block, itemsize, direct=False, beside=out_channels
    )
    starts, masks = plan.vectors(lay, lanes)
    piece, extent = lay.piece, lay.extent.tolist()
    g_extent = [
        piece[0],
        extent[1] if piece[0] > 1 else piece[1],
        extent[2] if max(piece[:2]) > 1 else piece[2],
    ]
    g_plane = plan.plane_pitch(math.prod(g_extent) + lanes, itemsize)
    one_image = (out_channels * g_plane + lay.elements) * itemsize
    batch = 1 if lay.pieces > 1 else max(1, min(chunk, plan.CACHE_BYTES // one_image))

    work = images * groups * out_channels * pixels * channels * kernel_taps
    workers = threads.get_num_threads() if work >= PARALLEL_WORK else 1
    padded = np.concatenate([lay.taps, np.repeat(lay.taps[-1:], columns)])
    facts = (
        workers, images, groups, chunks, chunk, blocks, block, batch, out_channels,
        np.array(lay.counts), np.ones(3, np.int64), np.zeros(3, np.int64), np.array(g_extent),
        g_plane, pixels, math.prod(g_extent[lay.axis + 1 :]), channels, lay.size, lay.step,
        lay.begin, lay.phases, lay.extent, lay.cut, lay.plane, math.prod(input.shape[2:]),
        lay.pieces, lay.last, lay.rows, padded, kernel_taps, pitch, starts, masks, len(starts),
    )  # fmt: skip
    multiply = multiply_planes(rows, columns).compile(grad, input, out, out, out, *facts, work=work)
    add_facts = (
        groups, out_channels, channels, kernel_taps, chunks, groups * blocks * block_step, block,
        block_step, pitch,
    )  # fmt: skip
    add = add_parts.compile(out, out, *add_facts, work=out.numel * chunks // 8)
    parts_size = chunks * groups * blocks * block_step
    g_size = workers * batch * out_channels * g_plane + 64
    x_size = workers * (batch * lay.elements + 64)

    def launch(g, x, dw):
        parts = scratch(parts_size, dtype)
        multiply(g, x, parts, scratch(g_size, dtype), scratch(x_size, dtype), *facts)
        add(parts, dw, *add_facts)

    return launch
