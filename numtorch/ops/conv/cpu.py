"""CPU convolution: gather each image into planes (`plan.py`), then register tiles (`tile.py`) over
taps as offsets.
"""

import functools
import itertools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, kernel, prange
from ...backends.cpu.simd import lanes_of
from . import channel_lanes, choice, depthwise, depthwise_lanes, layout, plan, pointwise, winograd
from .planes import gather, geometry, scratch, three
from .tile import output_tile
from .weight_grad import convolution_weight_grad

__all__ = ["convolution_input_grad", "convolution_op", "convolution_weight_grad"]


@kernel
def pack_panels(weight, bias, panels, order, depth, groups, rows, height, group_step, row_step):
    """Weights in the order in which a tile reads them: a panel has `height` rows, their biases,
    then tap by tap.

    One iteration of the parallel loop owns one panel. The unused rows of a last panel are zero.
    """
    in_group = (rows + height - 1) // height
    for p in prange(groups * in_group):
        group, row = p // in_group, p % in_group * height
        to, start = p * (depth + 1) * height, group * group_step + row * row_step
        here = min(height, rows - row)
        for i in range(height):
            panels[to + i] = panels.dtype.type(0)
            if bias is not None:  # noqa: SIM102
                if i < here:
                    panels[to + i] = bias[group * rows + row + i]
        for k in range(depth):
            to += height
            for i in range(here):
                panels[to + i] = weight[start + i * row_step + order[k]]
            for i in range(here, height):
                panels[to + i] = panels.dtype.type(0)


@functools.cache
def convolve(rows, vectors):
    """The kernel that convolves with tiles of `rows` output channels by `vectors` vectors of
    pixels.
    """
    tile = output_tile(rows, vectors)

    @kernel
    def convolve_tiles(
        x, panels, out, planes, slot, direct, workers, images, groups, channels, out_channels,
        size, step, begin, phases, extent, cut, plane, pieces, last, piece_rows, in_image, in_step,
        taps, depth, starts, outs, masks, n_tiles, panels_first, per_channel, out_step,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own planes; a task is one
        piece of one image.

        The tasks of all workers fill disjoint parts of `out` (or the same part with the same
        numbers, where the pieces of one image overlap).
        """
        n_panels = (out_channels + rows - 1) // rows
        for worker in prange(workers):
            for task in range(worker, images * groups * pieces, workers):
                image, first = task // pieces, min(task % pieces * piece_rows, last)
                group = image % groups
                if direct:
                    base = image * channels * in_image + first * in_step
                else:
                    base = worker * slot
                    gather(
                        x, image * channels * in_image, planes, base, channels, first,
                        size, step, begin, phases, extent, cut, plane,
                    )  # fmt: skip
                where = image * out_channels * per_channel + first * out_step
                for i in range(n_tiles * n_panels):
                    if panels_first:
                        panel, run = i // n_tiles, i % n_tiles
                    else:
                        run, panel = i // n_panels, i % n_panels
                    tile(
                        planes, base + starts[run], taps, depth,
                        panels, (group * n_panels + panel) * (depth + 1) * rows,
                        out, where + panel * rows * per_channel, per_channel,
                        min(rows, out_channels - panel * rows), outs, masks, run * vectors,
                    )  # fmt: skip

    return convolve_tiles


@kernel
def interleave(parts, out, planes, phases, table, depth, height, width, sd, sh, sw):
    """Spread each phase's results over the input: part[f][plane][q] -> out[plane][start + q * s].

    `table` has 8 numbers for each phase: first input (3), counts (3), where its part begins (-1:
    all zero), and from one plane of it to the next. One iteration of the parallel loop owns one
    plane.
    """
    zero = out.dtype.type(0)
    for p in prange(planes):
        for f in range(phases):
            d0, h0, w0 = table[8 * f], table[8 * f + 1], table[8 * f + 2]
            nd, nh, nw = table[8 * f + 3], table[8 * f + 4], table[8 * f + 5]
            part, pitch = table[8 * f + 6], table[8 * f + 7]
            for d in range(nd):
                for h in range(nh):
                    to = ((p * depth + d0 + d * sd) * height + h0 + h * sh) * width + w0
                    if part < 0:
                        for w in range(nw):
                            out[to + w * sw] = zero
                    else:
                        at = part + p * pitch + (d * nh + h) * nw
                        for w in range(nw):
                            out[to + w * sw] = parts[at + w]


PANELS_FIRST_BYTES = 1 << 19  # weights larger than this are read once per piece, not once per tile


def taps_in_order(channels: int, axes, kernel_size, steps) -> np.ndarray:
    """Where the taps that these axes use lie in the weights of an output channel."""
    order = np.arange(channels)[:, None] * steps[2] + plan.used_taps(axes, kernel_size)
    return order.ravel()


def correlate(x, weight, bias, out_channels, axes, kernel_size, groups, steps):
    """A function of (input, weight, bias, output) that correlates planes of the input with the
    taps.

    `steps` are the weight's strides for a group, an output channel and an input channel.
    """
    if winograd.fits(x, out_channels, axes, kernel_size, groups):
        return winograd.correlate(x, weight, bias, out_channels, axes, steps)
    images, channels = x.shape[0], x.shape[1] // groups
    if (
        pointwise.is_pointwise(axes, kernel_size)
        and (bias is None or groups == 1)
        and choice.product_wins(x.dtype.itemsize, images, channels, out_channels, axes)
    ):
        return pointwise.correlate(x, weight, bias, out_channels, groups, steps)
    order = taps_in_order(channels, axes, kernel_size, steps)
    if choice.channels_win(x.dtype.itemsize, channels, out_channels, axes):
        return channel_lanes.correlate(
            x, weight, bias, out_channels, [(axes, order)], groups, steps
        )
    dtype = x.dtype.np
    itemsize = dtype.itemsize
    counts = math.prod(a.outputs for a in axes)
    depth = channels * math.prod(len(a.used) for a in axes)
    work = images * groups * out_channels * counts * depth
    workers = threads.get_num_threads() if work >= PARALLEL_WORK else 1
    wanted = 1 if workers == 1 else -(-4 * workers // max(1, images * groups))
    lay = plan.layout(axes, channels, itemsize, wanted)
    _, rows, vectors = choice.pixels_in_lanes(itemsize, out_channels, depth, lay.positions)
    lanes = lanes_of(itemsize)
    if lay.direct and lay.positions < vectors * lanes:
        lay = plan.layout(axes, channels, itemsize, wanted, direct=False)
    runs = plan.tiles(lay, vectors, lanes)

    n_panels = -(-out_channels // rows)
    panels_size = groups * n_panels * (depth + 1) * rows
    slot = 0 if lay.direct else -(-(lay.elements + (vectors + 1) * lanes) // 64) * 64
    panels_first = n_panels * (depth + 1) * rows * itemsize > PANELS_FIRST_BYTES
    in_sizes, outer = [a.size for a in axes], lay.axis
    in_step, out_step = math.prod(in_sizes[outer + 1 :]), math.prod(lay.counts[outer + 1 :])
    pack_facts = (order, depth, groups, out_channels, rows, steps[0], steps[1])
    pack = pack_panels.compile(weight, bias, weight, *pack_facts, work=panels_size // 8)
    facts = (
        slot, int(lay.direct), workers, images, groups, channels, out_channels,
        lay.size, lay.step, lay.begin, lay.phases, lay.extent, lay.cut, lay.plane,
        lay.pieces, lay.last, lay.rows, math.prod(in_sizes), in_step,
        lay.taps, depth, *runs, len(runs.starts), int(panels_first), counts, out_step,
    )  # fmt: skip
    run = convolve(rows, vectors).compile(x, x, x, x, *facts, work=work)
    planes_size = workers * slot

    def launch(x, weight, bias, out):
        panels = scratch(panels_size, dtype)
        planes = scratch(planes_size, dtype) if planes_size else x
        # Lanes that are not stored compute with what no one wrote: with denormal numbers, in which
        # a multiply-add takes a hundred cycles, if that memory held integers before.
        if planes_size:
            planes.fill(0)
        pack(weight, bias, panels, *pack_facts)
        run(x, panels, out, planes, *facts)

    return launch


def channels_forward(input, weight, bias, out, *, stride, padding, dilation, groups):
    """The forward convolution of images with channels last, or None."""
    if not (out.numel and weight.numel):
        return None
    if layout.is_product(weight.shape[2:], stride, padding, groups):
        return pointwise.pixels(input, weight, bias, out)
    if not layout.is_depthwise(weight.shape, groups):
        return None
    facts = geometry(input.shape[2:], out.shape[2:], weight.shape[2:], stride, padding, dilation)
    return depthwise_lanes.forward(input, weight, bias, out, facts)


@layout.arranged((0, 3), channels_forward)
def convolution_op(input, weight, bias, out, *, stride, padding, dilation, groups):
    """The forward convolution: taps in order over the phases of the input."""
    if not (out.numel and weight.numel):
        return lambda x, w, b, y: (
            y.fill(0) if b is None else np.copyto(y, b.reshape(-1, *(1,) * (y.ndim - 2)))
        )
    facts = geometry(input.shape[2:], out.shape[2:], weight.shape[2:], stride, padding, dilation)
    if depthwise.fits(facts, input.shape[1] // groups):
        return depthwise.forward(input, weight, bias, out, facts)
    if pointwise.is_dense(facts, groups):
        return pointwise.dense(input, weight, bias, out)
    axes = [plan.forward_axis(*a) for a in facts]
    kernel_size = [a[2] for a in facts]
    taps, channels, rows = math.prod(kernel_size), weight.shape[1], weight.shape[0] // groups
    steps = rows * channels * taps, channels * taps, taps
    return correlate(input, weight, bias, rows, axes, kernel_size, groups, steps)


def channels_input_grad(grad, weight, out, *, size, stride, padding, dilation, groups):
    """The gradient for images with channels last, or None."""
    if not (grad.numel and weight.numel):
        return None
    if layout.is_product(weight.shape[2:], stride, padding, groups):
        return pointwise.pixels_input_grad(grad, weight, out)
    if not layout.is_depthwise(weight.shape, groups):
        return None
    facts = geometry(size, grad.shape[2:], weight.shape[2:], stride, padding, dilation)
    return depthwise_lanes.input_grad(grad, weight, out, facts)


@layout.arranged((0, 2), channels_input_grad)
def convolution_input_grad(grad, weight, out, *, size, stride, padding, dilation, groups):
    """The gradient for the input: for each of its phases, a convolution of the gradient."""
    if not (grad.numel and weight.numel):
        return lambda g, w, y: y.fill(0)
    facts = geometry(size, grad.shape[2:], weight.shape[2:], stride, padding, dilation)
    if depthwise.fits(facts, out.shape[1] // groups) and depthwise.spreads(facts):
        return depthwise.input_grad(grad, weight, out, facts)
    if pointwise.is_dense(facts, groups):
        return pointwise.dense_input_grad(grad, weight, out)
    phases = list(itertools.product(*(plan.backward_axes(*a) for a in facts)))
    kernel_size = [a[2] for a in facts]
    taps, channels, rows = math.prod(kernel_size), weight.shape[0] // groups, weight.shape[1]
    steps = channels * rows * taps, taps, rows * taps
    if len(phases) == 1:
        axes = [axis for _, axis in phases[0]]
        launch = correlate(grad, weight, None, rows, axes, kernel_size, groups, steps)
        return lambda g, w, y: launch(g, w, None, y)
    table, cases, end = [], [], 0
    patches = pointwise.are_patches(facts)
    for number, phase in enumerate(phases):
        axes = [axis for _, axis in phase]
        counts = [a.outputs for a in axes]
        plane = math.prod(counts)
        place, pitch = end, plane
        if patches:
            place, pitch = number * plane, taps * plane
        elif any(not a.used for a in axes):
            place = -1
        elif plane:
            cases.append((axes, end))
            end += out.shape[0] * out.shape[1] * plane
        table += [*(start for start, _ in phase), *counts, place, pitch]
    table = np.array(table)
    if patches:  # every phase has one tap, and all of them are one product
        end = grad.shape[0] * groups * rows * taps * math.prod(grad.shape[2:])
        jobs = [(pointwise.patches(grad, weight, groups), 0)]
    elif all(choice.channels_win(grad.dtype.itemsize, channels, rows, a) for a, _ in cases):
        ordered = [(a, taps_in_order(channels, a, kernel_size, steps)) for a, _ in cases]
        job = channel_lanes.correlate(grad, weight, None, rows, ordered, groups, steps)
        jobs = [(job, 0)]
    else:
        jobs = [
            (correlate(grad, weight, None, rows, a, kernel_size, groups, steps), start)
            for a, start in cases
        ]
    dtype = out.dtype.np
    spread_facts = (
        out.shape[0] * out.shape[1],
        len(phases),
        table,
        *three(size, 1),
        *three(stride, 1),
    )
    spread = interleave.compile(out, out, *spread_facts, work=out.numel)

    def launch_all(g, w, y):
        parts = scratch(end, dtype)
        for job, start in jobs:
            job(g, w, None, parts[start:])
        spread(parts, y, *spread_facts)

    return launch_all
