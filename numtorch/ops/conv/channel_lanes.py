"""Convolution on the CPU, output channels in the lanes of vectors.

out[q, o] = bias[o] + sum over taps k of x[places[q] + taps[k]] * weight[k, o]

It is the product of the weight gradient (`weight_grad.py`) with taps and pixels exchanged, by the
same tile: a pixel is a broadcast, so that small images fill the lanes, too, and strides and
dilations cost nothing. The results of a panel of channels are transposed into the output at the
end. `cpu.py` has the other form, pixels in lanes, for few output channels.
"""

import functools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, bind, kernel, prange
from ...backends.cpu.simd import lanes_of
from . import choice, plan
from .planes import gather, scratch
from .tile import outer_tile, pick, turn

filled, turned = turn(True), turn(False)


@kernel
def pack_channels(
    weight, panels, order, places, depths, taps, groups, rows, width, lanes, group_step, row_step,
    in_order,
):  # fmt: skip
    """Weights as panels of `width` output channels, which lie side by side for each tap.

    Tap order[k], for k < `taps`, goes to panels[places[k] + ...], whose panels have depths[k] taps.
    One iteration of the parallel loop owns a vector of channels, the last ones of which may be
    zeros. If the taps of a channel are `in_order` in the weight, blocks of them are transposed.
    """
    in_group = (rows + width - 1) // width * width
    for block in prange(groups * in_group // lanes):
        group, row = block * lanes // in_group, block * lanes % in_group
        start = group * group_step + row * row_step
        here = max(0, min(lanes, rows - row))
        if in_order:
            to = (group * in_group + row // width * width) * taps + row % width
            for k in range(0, taps, lanes):
                filled(
                    weight, start + k, row_step, here, min(lanes, taps - k), panels,
                    to + k * width, width,
                )  # fmt: skip
        else:
            for k in range(taps):
                to = (group * in_group + row // width * width) * depths[k] + row % width
                pick(weight, start + order[k], row_step, here, panels, places[k] + to)


@functools.cache
def convolve(rows, vectors):
    """The kernel with tiles of `rows` pixels by `vectors` vectors of output channels."""
    tile = outer_tile(rows, vectors)

    @kernel
    def convolve_channels(
        x, panels, bias, out, x_padded, sums, direct, workers, images, groups, splits, batch,
        pieces, piece_rows, cut_count, cut_slice, cut_stride, cut_step, out_channels, pixels,
        channels, in_image, size, step, begin, extent, cut, plane, x_image, places, taps, depth,
        block, n_panels, lanes, x_size, sums_size,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own work memory; a task is
        some panels of output channels of one unit of work.
        """
        width = vectors * lanes
        units = (images + batch - 1) // batch * pieces
        for worker in prange(workers):
            s0 = worker * sums_size
            for task in range(worker, units * groups * splits, workers):
                unit, group, split = (
                    task // splits // groups,
                    task // splits % groups,
                    task % splits,
                )
                at, first = unit // pieces * batch, unit % pieces * piece_rows
                count = min(batch, images - at)
                each = min(piece_rows, cut_count - first) * cut_slice
                base = worker * x_size
                if direct:
                    base = (at * groups + group) * channels * in_image + first * cut_step
                else:
                    for i in range(count):
                        gather(
                            x, ((at + i) * groups + group) * channels * in_image, x_padded,
                            base + i * x_image, channels, first * cut_stride, size, step, begin, 1,
                            extent, cut, plane,
                        )  # fmt: skip
                n_pixels = count * each
                for panel in range(split * n_panels // splits, (split + 1) * n_panels // splits):
                    here = min(width, out_channels - panel * width)
                    for o in range(width):
                        value = out.dtype.type(0)
                        if bias is not None:  # noqa: SIM102
                            if o < here:
                                value = bias[group * out_channels + panel * width + o]
                        sums[s0 + o] = value
                    for q in range(1, n_pixels):
                        for o in range(width):
                            sums[s0 + q * width + o] = sums[s0 + o]
                    for k in range(0, depth, block):
                        for q in range(0, n_pixels, rows):
                            tile(
                                x if direct else x_padded, base, places, q, n_pixels - 1, taps, k,
                                min(block, depth - k), panels,
                                ((group * n_panels + panel) * depth + k) * width, sums,
                                s0 + q * width, False,
                            )  # fmt: skip
                    for i in range(count):
                        where = (
                            ((at + i) * groups + group) * out_channels + panel * width
                        ) * pixels
                        for o in range(0, here, lanes):
                            for q in range(0, each, lanes):
                                turned(
                                    sums, s0 + (i * each + q) * width + o, width,
                                    min(lanes, each - q), min(lanes, here - o), out,
                                    where + o * pixels + first * cut_slice + q, pixels,
                                )  # fmt: skip

    return convolve_channels


def line_of(axis: plan.Axis) -> tuple[plan.Line, np.ndarray]:
    """An axis without phases, and where its taps are from the first one on."""
    taps = np.array(
        [axis.begin[f] + s * axis.step for f, s in zip(axis.phase, axis.shift, strict=True)]
    )
    begin = int(taps.min())
    reach = int(taps.max()) - begin
    return plan.Line(axis.size, axis.outputs, axis.step, begin, reach), taps - begin


def prepared(x, bias, out_channels, axes, groups, depth, tile):
    """A function of (input, panels, bias, output), and the elements of the panels."""
    images, channels = x.shape[0], x.shape[1] // groups
    dtype, lanes = x.dtype.np, lanes_of(x.dtype.itemsize)
    lines, axis_taps = zip(*map(line_of, axes), strict=True)
    size, counts, stride, begin, _ = zip(*lines, strict=True)
    pixels, in_image = math.prod(counts), math.prod(size)
    rows, vectors = tile
    width = vectors * lanes
    n_panels = -(-out_channels // width)
    work = images * groups * out_channels * pixels * depth
    workers = threads.get_num_threads() if work >= PARALLEL_WORK else 1
    lay = plan.units(lines, images, channels, width, dtype.itemsize, workers if workers > 1 else 1)
    splits = min(n_panels, -(-2 * workers // (lay.units * groups))) if workers > 1 else 1

    plane = in_image
    if not lay.direct:
        plane = plan.plane_pitch(math.prod(lay.extent) + lanes, dtype.itemsize)
    x_image = groups * channels * in_image if lay.direct else channels * plane
    piece = [lay.rows if i == lay.axis else n for i, n in enumerate(counts)]
    places = plan.offsets(
        [np.arange(n) * s for n, s in zip(piece, stride, strict=True)], lay.extent
    )
    places = np.add.outer(np.arange(lay.batch) * x_image, places).ravel()
    taps = np.add.outer(np.arange(channels) * plane, plan.offsets(axis_taps, lay.extent)).ravel()
    x_size = 0 if lay.direct else lay.batch * x_image + 64
    sums_size = (len(places) + rows) * width
    axis = lay.axis
    block = -(-depth // -(-depth * width * dtype.itemsize // choice.BLOCK_BYTES))
    facts = (
        int(lay.direct), workers, images, groups, splits, lay.batch, lay.pieces, lay.rows,
        counts[axis], math.prod(counts[axis + 1 :]), stride[axis],
        stride[axis] * math.prod(size[axis + 1 :]), out_channels, pixels, channels, in_image,
        np.array(size), np.ones(3, np.int64), np.array(begin), np.array(lay.extent),
        np.eye(3, dtype=np.int64)[axis], plane, x_image, places, taps, depth,
        block, n_panels, lanes, x_size, sums_size,
    )  # fmt: skip
    compiled = convolve(rows, vectors).compile(x, x, bias, x, x, x, *facts, work=work)

    def run(x, panels, bias, out):
        copies = scratch(workers * x_size, dtype), scratch(workers * sums_size, dtype)
        compiled(x, panels, bias, out, *copies, *facts)

    return run, groups * n_panels * depth * width


def packing(weight, orders, starts, out_channels, groups, width, steps):
    """A function of (weight, panels): the taps of `orders`, one after the other, become panels from
    `starts` on. The weight is read once.
    """
    order = np.concatenate(orders)
    places = [start + np.arange(len(o)) * width for start, o in zip(starts, orders, strict=True)]
    places, depths = (
        np.concatenate(places),
        np.repeat([len(o) for o in orders], list(map(len, orders))),
    )
    as_read = np.argsort(order, kind="stable")
    in_order = len(orders) == 1 and bool((order == np.arange(len(order))).all())
    facts = (
        order[as_read], places[as_read], depths[as_read], len(order), groups, out_channels, width,
        lanes_of(weight.dtype.itemsize), steps[0], steps[1], in_order,
    )  # fmt: skip
    pack = pack_channels.compile(weight, weight, *facts, work=weight.numel // 8)
    return bind(pack, 2, *facts)


def correlate(x, weight, bias, out_channels, cases, groups, steps):
    """A function of (input, weight, bias, outputs) for some convolutions of the same input, `cases`
    of (axes, order of the taps); their outputs follow each other. One is like that of `cpu.py`.
    """
    itemsize = x.dtype.itemsize
    axes, order = max(cases, key=lambda case: len(case[1]))
    pixels = math.prod(a.outputs for a in axes)
    tile = choice.channels_in_lanes(itemsize, out_channels, len(order), pixels)[1:]
    runs, starts, ends, size = [], [], [0], 0
    for axes, order in cases:
        run, elements = prepared(x, bias, out_channels, axes, groups, len(order), tile)
        outputs = x.shape[0] * groups * out_channels * math.prod(a.outputs for a in axes)
        runs.append(run)
        starts.append(size)
        ends.append(ends[-1] + outputs)
        size += elements
    orders, width = [order for _, order in cases], tile[1] * lanes_of(itemsize)
    pack = packing(weight, orders, starts, out_channels, groups, width, steps)
    pieces, dtype = list(zip(runs, starts, ends[:-1], ends[1:], strict=True)), x.dtype.np

    def launch(x, weight, bias, out):
        panels = scratch(size, dtype)
        pack(weight, panels)
        for run, start, begin, end in pieces:
            run(x, panels[start:], bias, out.reshape(-1)[begin:end])

    return launch
