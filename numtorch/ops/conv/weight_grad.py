"""The weight gradient on the CPU, output channels in the lanes of vectors: sums of outer products.

dw[k, o] = sum over images and pixels q of x[places[q] + taps[k]] * g[q, o]

The output gradient is transposed, so that the channels of a pixel lie side by side; the input is
read where it is, or, if it is padded, from a padded copy. Nothing is summed across lanes, and the
pixels of all strides and sizes follow each other without gaps. A unit of work is some images, or a
piece of one, that fit the cache; a chunk is a fixed number of units with partial sums of its own,
which are added in order at the end. So the result does not depend on the number of threads.
"""

import functools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, kernel, prange
from ...backends.cpu.simd import lanes_of
from . import choice, depthwise, layout, plan, pointwise, winograd_grad
from .planes import gather, geometry, scratch
from .tile import outer_tile, turn

CHUNKS = 8  # at most: enough for 8 threads
PARTS_BYTES = 1 << 22  # for the partial sums of all chunks
turned = turn(False)


@functools.cache
def add_products(rows, vectors):
    """The kernel with tiles of `rows` taps by `vectors` vectors of output channels."""
    tile, transposed = outer_tile(rows, vectors), turn(True)

    @kernel
    def add_outer_products(
        g, x, parts, g_turned, x_padded, direct, workers, images, groups, chunks, chunk, blocks,
        block, batch, pieces, piece_rows, cut_count, cut_slice, cut_stride, cut_step, out_channels,
        pixels, channels, in_image, size, step, begin, extent, cut, plane, x_image, places, taps,
        block_taps, part_rows, panels, lanes, most, block_pixels,
        g_size, x_size,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own copies of g and x; a task
        owns its partial sums.
        """
        width = vectors * lanes
        units = (images + batch - 1) // batch * pieces
        for worker in prange(workers):
            g0, x0 = worker * g_size, worker * x_size
            for task in range(worker, chunks * groups * blocks, workers):
                group, c0 = task // blocks % groups, task % blocks * block
                used = min(block, channels - c0)
                begins = task // (groups * blocks) * chunk
                for unit in range(begins, min(begins + chunk, units)):
                    at = unit // pieces * batch
                    first = unit % pieces * piece_rows
                    count = min(batch, images - at)
                    each = min(piece_rows, cut_count - first) * cut_slice
                    for i in range(count):
                        source = (at + i) * groups + group
                        for o in range(0, panels * width, lanes):  # zeros behind the last channel
                            row = (source * out_channels + o) * pixels + first * cut_slice
                            to = g0 + (o // width * most + i * each) * width + o % width
                            for p in range(0, each, lanes):
                                transposed(
                                    g, row + p, pixels, max(0, min(lanes, out_channels - o)),
                                    min(lanes, each - p), g_turned, to + p * width, width,
                                )  # fmt: skip
                        if not direct:
                            gather(
                                x, (source * channels + c0) * in_image, x_padded, x0 + i * x_image,
                                used, first * cut_stride, size, step, begin, 1, extent, cut, plane,
                            )  # fmt: skip
                    base = x0
                    if direct:
                        base = ((at * groups + group) * channels + c0) * in_image + first * cut_step
                    n_pixels = count * each
                    n_blocks = (n_pixels - 1) // block_pixels + 1
                    n = (n_pixels + n_blocks - 1) // n_blocks
                    for panel in range(panels):
                        for q in range(0, n_pixels, n):
                            for k in range(0, used * block_taps, rows):
                                tile(
                                    x if direct else x_padded, base, taps, k,
                                    used * block_taps - 1, places, q,
                                    min(n, n_pixels - q), g_turned,
                                    g0 + (panel * most + q) * width, parts,
                                    ((task * panels + panel) * part_rows + k) * width,
                                    unit == begins and q == 0,
                                )  # fmt: skip

    return add_outer_products


@kernel
def join_parts(
    parts, out, groups, out_channels, channels, kernel_taps, chunks, blocks, block, part_rows,
    width, lanes,
):  # fmt: skip
    """dw = the sum of the chunks' partial sums, in order, transposed. One iteration of the parallel
    loop owns a block of input channels.
    """
    part_size = (out_channels + width - 1) // width * part_rows * width
    for task in prange(groups * blocks):
        group, c0 = task // blocks, task % blocks * block
        depth = min(block, channels - c0) * kernel_taps
        for c in range(1, chunks):
            more = (c * groups * blocks + task) * part_size
            for i in range(part_size):
                parts[task * part_size + i] += parts[more + i]
        for o in range(0, out_channels, lanes):
            part = task * part_size + o // width * part_rows * width + o % width
            to = ((group * out_channels + o) * channels + c0) * kernel_taps
            for k in range(0, depth, lanes):
                turned(
                    parts, part + k * width, width, min(lanes, depth - k),
                    min(lanes, out_channels - o), out, to + k, channels * kernel_taps,
                )  # fmt: skip


def channels_weight_grad(grad, input, out, *, kernel_size, stride, padding, dilation, groups):
    """The gradient from images with channels last, or None."""
    if grad.numel and input.numel and layout.is_product(kernel_size, stride, padding, groups):
        return pointwise.pixels_weight_grad(grad, input, out)
    return None


@layout.arranged((0, 1), channels_weight_grad)
def convolution_weight_grad(grad, input, out, *, kernel_size, stride, padding, dilation, groups):
    """The gradient for the weight: every tap's product sum over the images."""
    if not (grad.numel and input.numel):
        return lambda g, x, dw: dw.fill(0)
    sizes = geometry(input.shape[2:], grad.shape[2:], kernel_size, stride, padding, dilation)
    if groups > 1 and depthwise.fits(sizes, input.shape[1] // groups):
        return depthwise.weight_grad(grad, input, out, sizes)
    if pointwise.is_dense(sizes, groups):
        return pointwise.dense_weight_grad(grad, input, out)
    images, channels, out_channels = input.shape[0], out.shape[1], out.shape[0] // groups
    if winograd_grad.fits(out.dtype, sizes, groups, images, channels, out_channels):
        return winograd_grad.weight_grad(grad, input, out, sizes)
    dtype, lanes = out.dtype.np, lanes_of(out.dtype.itemsize)
    size, counts, kernel_size, stride, padding, dilation = zip(*sizes, strict=True)
    if (
        groups == 1
        and depthwise.flat(sizes)
        and choice.planes_win(dtype.itemsize, channels, out_channels, counts, kernel_size, stride)
    ):
        return depthwise.weight_grad(grad, input, out, sizes)
    pixels, in_image, kernel_taps = (math.prod(v) for v in (counts, size, kernel_size))
    lines = [plan.Line(n, m, s, -p, (k - 1) * d) for n, m, k, s, p, d in sizes]
    lay = plan.units(lines, images, channels, out_channels, dtype.itemsize)
    chunks = min(lay.units, CHUNKS // groups, PARTS_BYTES // max(1, out.numel * dtype.itemsize))
    chunk = -(-lay.units // max(1, chunks))
    chunks = -(-lay.units // chunk)

    # Threads only share out what is summed, not how: their number changes no bit of the result.
    work = images * groups * out_channels * pixels * channels * kernel_taps
    workers = threads.get_num_threads() if work >= PARALLEL_WORK else 1
    blocks = min(channels, max(1, CHUNKS // (chunks * groups))) if workers > 1 else 1
    block = -(-channels // blocks)
    blocks = -(-channels // block)

    _, rows, vectors = choice.channels_in_lanes(
        dtype.itemsize, out_channels, pixels, channels * kernel_taps
    )
    width = vectors * lanes
    plane = in_image
    if not lay.direct:
        plane = plan.plane_pitch(math.prod(lay.extent) + lanes, dtype.itemsize)
    x_image = groups * channels * in_image if lay.direct else block * plane
    piece = [lay.rows if i == lay.axis else n for i, n in enumerate(counts)]
    places = plan.offsets(
        [np.arange(n) * s for n, s in zip(piece, stride, strict=True)], lay.extent
    )
    places = np.add.outer(np.arange(lay.batch) * x_image, places).ravel()
    taps = [np.arange(k) * d for k, d in zip(kernel_size, dilation, strict=True)]
    taps = np.add.outer(np.arange(block) * plane, plan.offsets(taps, lay.extent)).ravel()
    part_rows, panels = -(-len(taps) // rows) * rows, -(-out_channels // width)
    g_size, x_size = len(places) * panels * width, 0 if lay.direct else lay.batch * x_image + 64
    axis = lay.axis
    facts = (
        int(lay.direct), workers, images, groups, chunks, chunk, blocks, block, lay.batch,
        lay.pieces, lay.rows, counts[axis], math.prod(counts[axis + 1 :]), stride[axis],
        stride[axis] * math.prod(size[axis + 1 :]), out_channels, pixels, channels, in_image,
        np.array(size), np.ones(3, np.int64), -np.array(padding), np.array(lay.extent),
        np.eye(3, dtype=np.int64)[axis], plane, x_image, places, taps, kernel_taps, part_rows,
        panels, lanes, len(places), choice.BLOCK_BYTES // (width * dtype.itemsize), g_size, x_size,
    )  # fmt: skip
    multiply = add_products(rows, vectors).compile(grad, input, out, out, out, *facts, work=work)
    join_facts = (
        groups, out_channels, channels, kernel_taps, chunks, blocks, block, part_rows, width, lanes
    )  # fmt: skip
    join = join_parts.compile(out, out, *join_facts, work=out.numel * chunks // 8)
    parts_size = chunks * groups * blocks * panels * part_rows * width

    def launch(g, x, dw):
        parts = scratch(parts_size, dtype)
        copies = scratch(workers * g_size, dtype), scratch(workers * x_size, dtype)
        multiply(g, x, parts, *copies, *facts)
        join(parts, dw, *join_facts)

    return launch
