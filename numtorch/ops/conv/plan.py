"""How a convolution is laid out in memory, so that a kernel tap is an offset.

The input of one image is copied once into *planes*: zero-padded, and, for strides above one, split
by the remainder of the column and row number (the phase), so that what a tap reads at neighbouring
output pixels lies side by side. Then every convolution, with any stride, padding and dilation, in
one to three dimensions, is the same loop

out[pixel] = sum over taps k of weight[k] * planes[pixel + taps[k]]

and so is its input gradient: a convolution of the output's gradient with the taps in reverse, once
for each phase of the input. A large image is cut into pieces along its outermost axis, so that the
planes of a piece stay in the cache. All sizes have three axes (depth, height, width); a 2-D
convolution has depth 1. Plain NumPy: no kernels here.
"""

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

CACHE_BYTES = 448 * 1024  # for the planes of one piece: half of a 1 MB L2 cache


class Axis(NamedTuple):
    """One axis of a convolution over planes.

    Plane element `a` of phase `f` holds input element `begin[f] + a * step`; the outputs are 0 ...
    count - 1, and output `o` reads, for the i-th of its taps (tap number `used[i]` of the kernel),
    element `o + shift[i]` of the planes of phase `phase[i]`.
    """

    size: int  # of the input
    step: int
    begin: tuple[int, ...]
    used: tuple[int, ...]
    phase: tuple[int, ...]
    shift: tuple[int, ...]
    outputs: int


def forward_axis(
    size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
) -> Axis:
    """out[o] = sum_i w[i] * x[o * stride + i * dilation - padding], for `count` outputs."""
    reach = [i * dilation for i in range(kernel)]
    phases = sorted({r % stride for r in reach})
    phase = tuple(phases.index(r % stride) for r in reach)
    shift = tuple(r // stride for r in reach)
    return Axis(
        size, stride, tuple(f - padding for f in phases), tuple(range(kernel)), phase, shift, count
    )


def backward_axes(
    size: int, count: int, kernel: int, stride: int, padding: int, dilation: int
) -> list:
    """The input gradient of that, as (first input, Axis over the output's gradient) for every phase
    of the input.

    Input `first + a * stride` of a phase gets sum_i w[i] * g[q - i * dilation // stride], over the
    taps i that reach this phase; q counts the phase's inputs, beginning with those in the padding.
    """
    found = []
    for f in range(stride):
        used = tuple(i for i in range(kernel) if i * dilation % stride == f)
        first = -(-max(padding - f, 0) // stride)  # inputs in front of it lie in the padding
        start = first * stride + f - padding
        inputs = max(0, -(-(size - start) // stride))
        reach = max((i * dilation // stride for i in used), default=0)
        shift = tuple(reach - i * dilation // stride for i in used)
        found.append(
            (start, Axis(count, 1, (first - reach,), used, (0,) * len(used), shift, inputs))
        )
    return found


@dataclass(frozen=True)
class Layout:
    """The planes of one piece, and where its taps and outputs lie in them. Arrays are int64."""

    channels: int  # of the input, in one group
    size: np.ndarray  # (3,) of the input
    step: np.ndarray  # (3,)
    begin: (
        np.ndarray
    )  # (phases * 3,): the input element that plane element 0 holds, if the piece is the first
    extent: np.ndarray  # (3,) of one plane
    plane: int  # elements from one plane to the next
    taps: np.ndarray  # (channels * used taps,): offsets in the planes
    cut: np.ndarray  # (3,): one for the axis that is cut into pieces, else zero
    counts: tuple[int, int, int]  # outputs of the whole image
    rows: int  # outputs of a piece along the cut axis
    pieces: int
    direct: bool  # the planes are the image itself

    @property
    def phases(self) -> int:
        return len(self.begin) // 3

    @property
    def axis(self) -> int:
        return int(self.cut.argmax())

    @property
    def piece(self) -> tuple[int, ...]:
        """The outputs of one piece."""
        return tuple(self.rows if c else n for c, n in zip(self.cut, self.counts, strict=True))

    @property
    def last(self) -> int:
        """The first output, along the cut axis, of the last piece (pieces overlap rather than be
        shorter).
        """
        return self.counts[self.axis] - self.rows

    @property
    def positions(self) -> int:
        """Plane elements from a piece's first output to its last."""
        d, h, w = self.piece
        return ((d - 1) * int(self.extent[1]) + h - 1) * int(self.extent[2]) + w

    @property
    def elements(self) -> int:
        """Memory for the planes of one piece."""
        return self.channels * self.phases * self.plane

    def outputs(self) -> np.ndarray:
        """For every position the output that it is, within a piece; -1 between the rows."""
        d, h, w = self.piece
        found = np.full(d * int(self.extent[1]) * int(self.extent[2]), -1)
        grid = found.reshape(d, *self.extent[1:].tolist())
        _, height, width = self.counts
        offsets = (
            np.arange(d)[:, None, None] * height * width
            + np.arange(h)[:, None] * width
            + np.arange(w)
        )
        grid[:, :h, :w] = offsets
        return found[: self.positions]


def used_taps(axes, kernel) -> np.ndarray:
    """The numbers of the kernel's taps that these axes use."""
    return np.array(
        [
            (d * kernel[1] + h) * kernel[2] + w
            for d, h, w in itertools.product(*(a.used for a in axes))
        ],
        np.int64,
    )


def plane_pitch(elements: int, itemsize: int) -> int:
    """From one plane to the next: an odd number of cache lines, as planes a multiple of 4 KB apart
    share L1 sets.
    """
    line = 64 // itemsize
    return (-(-elements // line) | 1) * line


class Tiles(NamedTuple):
    """The runs of vectors that cover a piece's outputs, `vectors` at a time. Arrays are int64."""

    starts: np.ndarray  # (tiles,): the position of each tile's first lane
    outs: np.ndarray  # (tiles * vectors,): the output of each vector's first kept lane
    masks: np.ndarray  # (tiles * vectors,): one bit for every lane to keep


def tiles(plan: Layout, vectors: int, lanes: int) -> Tiles:
    """Cover the outputs of a piece with tiles of `vectors * lanes` neighbouring positions."""
    width = vectors * lanes
    outputs = plan.outputs()
    starts, position = [], 0
    valid = np.flatnonzero(outputs >= 0)
    while position < len(valid):
        start = int(valid[position])
        if plan.direct:  # there is no memory behind the image: the last tile repeats some outputs
            start = max(0, min(start, plan.positions - width))
        starts.append(start)
        position = int(np.searchsorted(valid, start + width))
    padded = np.concatenate([outputs, np.full(width, -1)])
    lane = padded[np.array(starts)[:, None] + np.arange(width)].reshape(-1, lanes)
    keep = lane >= 0
    return Tiles(
        np.array(starts),
        np.where(keep, lane, np.iinfo(np.int64).max).min(1) * keep.any(1),
        (keep << np.arange(lanes)).sum(1),
    )


def layout(
    axes,
    channels: int,
    itemsize: int,
    parallel: int = 1,
    direct: bool = True,
) -> Layout:
    """Lay out a convolution with these three axes, in at least `parallel` pieces where that is
    sensible.
    """
    counts = tuple(a.outputs for a in axes)
    axis = next((i for i, n in enumerate(counts) if n > 1), 2)
    reach = [max(a.shift, default=0) for a in axes]
    phases = list(itertools.product(*(a.begin for a in axes)))
    direct = (
        direct
        and len(phases) == 1
        and all(
            a.step == 1 and a.begin == (0,) and a.outputs + r == a.size
            for a, r in zip(axes, reach, strict=True)
        )
    )
    total = channels * len(phases) * math.prod(n + r for n, r in zip(counts, reach, strict=True))
    pieces = max(-(-total * itemsize // CACHE_BYTES), parallel)
    rows = -(-counts[axis] // min(pieces, max(1, counts[axis] // max(4, 2 * reach[axis]))))
    extent = [n + r for n, r in zip(counts, reach, strict=True)]
    if not direct:
        extent[axis] = rows + reach[axis]
    plane = math.prod(extent)
    if not direct:
        plane = plane_pitch(plane, itemsize)
    taps = []
    kinds = [list(zip(a.phase, a.shift, strict=True)) for a in axes]
    for c, d, h, w in itertools.product(range(channels), *kinds):
        phase = (d[0] * len(axes[1].begin) + h[0]) * len(axes[2].begin) + w[0]
        taps.append(
            (c * len(phases) + phase) * plane + (d[1] * extent[1] + h[1]) * extent[2] + w[1]
        )
    return Layout(
        channels,
        np.array([a.size for a in axes]),
        np.array([a.step for a in axes]),
        np.array(phases).ravel(),
        np.array(extent),
        plane,
        np.array(taps, np.int64),
        np.eye(3, dtype=np.int64)[axis],
        counts,
        rows,
        -(-counts[axis] // rows),
        direct,
    )


class Line(NamedTuple):
    """One axis of a convolution that reads an input as it lies: output `o` reads, for every tap,
    input begin + o * stride + (0 ... reach).
    """

    size: int  # of the input
    outputs: int
    stride: int
    begin: int
    reach: int


class Units(NamedTuple):
    """How a convolution is cut into units of work that fit the cache: some whole images, or a piece
    of one, `rows` outputs along `axis`.
    """

    direct: bool  # the input is read where it is, for nothing is padded
    axis: int
    rows: int
    pieces: int
    batch: int
    units: int
    extent: list[int]  # (3,) of what a unit reads of a channel


def units(lines, images: int, channels: int, beside: int, itemsize: int, wanted: int = 1) -> Units:
    """Cut up a convolution along these three lines, in at least `wanted` units if it has the rows.

    A unit has `channels` channels of input, and `beside` numbers for each output, in the cache.
    """
    size, counts, stride, begin, reach = zip(*lines, strict=True)
    span = [(n - 1) * s + r + 1 for n, s, r in zip(counts, stride, reach, strict=True)]
    direct = not any(begin) and all(n <= m for n, m in zip(span, size, strict=True))
    axis = next((i for i, n in enumerate(counts) if n > 1), 2)
    image = (beside * math.prod(counts) + channels * math.prod(span)) * itemsize
    least = min(counts[axis], max(4, 2 * reach[axis] // stride[axis]))  # most rows are read once
    pieces = max(-(-image // CACHE_BYTES), -(-wanted // images))
    rows = -(-counts[axis] // min(pieces, counts[axis] // least))
    pieces = -(-counts[axis] // rows)
    batch = max(1, min(2 * CACHE_BYTES // image, images // 8)) if pieces == 1 else 1
    extent = list(size if direct else span)
    if not direct:
        extent[axis] = (rows - 1) * stride[axis] + reach[axis] + 1
    return Units(direct, axis, rows, pieces, batch, -(-images // batch) * pieces, extent)


def offsets(lines, extent) -> np.ndarray:
    """Where the elements of a grid lie in a plane of this extent, row by row; `lines` has the
    numbers of each axis.
    """
    pitches = extent[1] * extent[2], extent[2], 1
    grid = np.zeros((1, 1, 1), np.int64)
    for axis, (line, pitch) in enumerate(zip(lines, pitches, strict=True)):
        grid = grid + np.expand_dims(np.array(line) * pitch, [i for i in range(3) if i != axis])
    return grid.ravel()
