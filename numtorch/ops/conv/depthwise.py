"""Depthwise convolution on the CPU: every plane by itself, straight from memory to memory.

Each output plane reads one input plane (and each input plane is read by a few output planes, the
channel multiplier), so there is little to compute for each element moved: 3x3 needs 18 operations
for 8 bytes. So nothing is copied or padded first: `depthwise_tile.py` walks over a plane with the
rows of its image in registers, and the tables that are built here say where each row and column is.
"""

import functools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, kernel, prange
from ...backends.cpu.simd import lanes_of, registers
from .depthwise_tile import plane_tile, reach_of, spread_tile, sum_lanes, taps_tile
from .planes import scratch

MAX_TAPS = 49  # a tile is unrolled over them
ROWS = (4, 2, 1), (7, 4, 2, 1)  # of a tile, with 16 and 32 registers; 7 divides many images


def flat(sizes) -> bool:
    """Whether axes (depth, height, width), see `planes.geometry`, are of planes with few taps."""
    (depth, _, kd, sd, pd, _), *plane = sizes
    whole = kd == 1 and sd == 1 and pd == 0 and depth == 1
    return whole and math.prod(a[2] for a in plane) <= MAX_TAPS


def fits(sizes, groups_channels: int) -> bool:
    """Whether these kernels apply to a convolution along these axes."""
    return flat(sizes) and groups_channels == 1


def spreads(sizes) -> bool:
    """Whether the input gradient has a tile of its own: stride 1 is a convolution, 2 is spread."""
    return all(a[3] == 1 for a in sizes[1:]) or all(a[3] == 2 and a[5] == 1 for a in sizes[1:])


# -- tables ----------------------------------------------------------------------------------------
def row_lines(axis, rows: int, pitch: int, out_pitch: int, repeat: bool):
    """The lines of a row table, and the output rows that are left where `repeat` is not allowed.

    Rows that are `dilation` apart in the input share input rows, so they make a group.
    """
    size, count, k, stride, padding, dilation = axis
    apart, unit = dilation // math.gcd(stride, dilation), stride // math.gcd(stride, dilation)
    lines, left = [], []
    for first in range(min(apart, count)):
        ys = list(range(first, count, apart))
        whole = len(ys) // rows * rows
        starts = ys[:whole:rows]
        if whole < len(ys):
            if repeat:
                starts.append(ys[-rows])
            else:
                left += ys[whole:]
        for y in starts:
            ins = [y * stride - padding + a * dilation for a in range((rows - 1) * unit + k)]
            lines.append(
                [(y + r * apart) * out_pitch for r in range(rows)]
                + [i * pitch if 0 <= i < size else -1 for i in ins]
            )
    return lines, left


def bits(keep) -> int:
    """The booleans as a mask, first lane lowest."""
    return sum(1 << i for i, k in enumerate(keep) if k)


def column_lines(axis, step: int, lanes: int, repeat: bool):
    """The lines of a column table: see `depthwise_tile`. With `repeat` the last vector overlaps."""
    size, count, k, stride, padding, dilation = axis
    lines = []
    for q in range(0, count, lanes):
        if repeat:
            q = max(0, min(q, count - lanes))
        used, left = min(lanes, count - q), q * stride - padding
        if step == 2:
            masks = [
                [i < 2 * used and 0 <= left + 2 * pair + i < size for i in range(2 * lanes)]
                for pair in range(-(-k // 2))
            ]
        else:
            masks = [
                [i < used and 0 <= left + j * dilation + i * stride < size for i in range(lanes)]
                for j in range(k)
            ]
        lines.append([left, q, bits(i < used for i in range(lanes)), *map(bits, masks)])
    return lines


def spread_row_lines(axis, rows: int, pitch: int, out_pitch: int):
    """The row table of an input gradient of stride 2: pairs of input rows, then rows of g."""
    size, count, k, _, padding, _ = axis
    low, high = reach_of(k, padding % 2)
    lines = []
    for b in range(0, -(-size // 2), rows):
        ys = range(2 * b, 2 * (b + rows))
        ins = range(b + padding // 2 + low, b + rows + padding // 2 + high)
        lines.append(
            [y * out_pitch if y < size else -1 for y in ys]
            + [i * pitch if 0 <= i < count else -1 for i in ins]
        )
    return lines


def spread_column_lines(axis, lanes: int):
    """The column table of an input gradient of stride 2: pairs of input columns."""
    size, count, k, _, padding, _ = axis
    low, high = reach_of(k, padding % 2)
    lines = []
    for a in range(0, -(-size // 2), lanes):
        if size % 2 == 0:  # so that the last vector is a whole one, too
            a = max(0, min(a, size // 2 - lanes))
        left = a + padding // 2 + low
        masks = [[0 <= left + s + i < count for i in range(lanes)] for s in range(high - low + 1)]
        whole = bits(2 * a + i < size for i in range(2 * lanes))
        lines.append([left, 2 * a, whole, *map(bits, masks)])
    return lines


def flat_table(lines) -> np.ndarray:
    """Lines as the int64 table that a tile reads."""
    return np.array(lines, np.int64).ravel()


def shape_of(axes):
    """(rows, unit, step) of a tile for these axes. Output rows are done again where they do not
    divide, and fewer than four take the time of four: the multiply-adds wait for each other.
    """
    _, count, _, sh, _, dh = axes[1]
    _, _, _, sw, _, dw = axes[2]
    apart = dh // math.gcd(sh, dh)
    fitting = [r for r in ROWS[registers()[1] >= 32] if r <= max(1, count // apart)]
    rows = min(fitting, key=lambda r: (-(-count // r) * max(4, r), -r))
    return rows, sh // math.gcd(sh, dh), 1 if sw == 1 else 2 if sw == 2 and dw == 1 else 0


# -- kernels ---------------------------------------------------------------------------------------
@functools.cache
def convolve_planes(kh, kw, rows, unit, step, summed):
    """The kernel that makes output planes by tiles of `rows` rows."""
    tile = plane_tile(kh, kw, rows, unit, step, summed)

    @kernel
    def depthwise(
        x, weight, bias, zeros, out, planes, out_planes, x_planes, divide, channels, x_size,
        out_size, first, w_step, row_table, groups, column_table, columns, stride, dilation,
    ):  # fmt: skip
        """Output plane q of an image reads the `channels` planes from q // divide * channels on.

        One iteration of the parallel loop owns one output plane.
        """
        for p in prange(planes):
            q = p % out_planes
            source = (p // out_planes * x_planes + q // divide * channels) * x_size
            start = out.dtype.type(0) if bias is None else bias[q]
            tile(
                x, source, x_size, channels, zeros, weight, q * channels * kh * kw + first, w_step,
                start, out, p * out_size, out_size, row_table, groups, column_table, columns,
                stride, dilation,
            )  # fmt: skip

    return depthwise


@functools.cache
def spread_planes(kh, kw, rows, odd_h, odd_w):
    """The kernel for the input gradient of stride 2."""
    tile = spread_tile(kh, kw, rows, odd_h, odd_w)

    @kernel
    def depthwise_spread(
        g, weight, zeros, out, planes, out_planes, channels, g_size, out_size, row_table, groups,
        column_table, columns,
    ):  # fmt: skip
        """One iteration of the parallel loop owns one plane of the input's gradient."""
        for p in prange(planes):
            tile(
                g, p * channels * g_size, g_size, channels, zeros, weight,
                p % out_planes * channels * kh * kw, out, p * out_size, out_size, row_table,
                groups, column_table, columns,
            )  # fmt: skip

    return depthwise_spread


@functools.cache
def sum_planes(kh, kw, rows, unit, step):
    """The kernel for the weight gradient: groups of `rows` rows, then single rows."""
    many = taps_tile(kh, kw, rows, unit, step)
    single = taps_tile(kh, kw, 1, unit, step)

    @kernel
    def depthwise_weight(
        g, x, zeros, sums, out, workers, images, planes, g_planes, g_divide, x_planes, x_divide,
        g_size, x_size, lanes, row_table, groups, rest_table, rest, column_table, columns, stride,
        dilation,
    ):  # fmt: skip
        """out[p] is summed from plane p // g_divide of the gradient and plane p // x_divide of the
        input, which begin again after the last one. Each p keeps a vector of partial sums for each
        tap, added up at the end.

        One iteration of the parallel loop owns a block of the `planes` of results.
        """
        taps = kh * kw
        for worker in prange(workers):
            begin, end = worker * planes // workers, (worker + 1) * planes // workers
            for i in range(begin * taps * lanes, end * taps * lanes):
                sums[i] = out.dtype.type(0)
            for n in range(images):
                for p in range(begin, end):
                    g_at = (n * g_planes + p // g_divide) * g_size
                    at = (n * x_planes + p // x_divide % x_planes) * x_size
                    if groups > 0:
                        many(
                            g, g_at, g_size, x, at, x_size, zeros, sums, p * taps * lanes,
                            row_table, groups, column_table, columns, stride, dilation,
                        )  # fmt: skip
                    if rest > 0:
                        single(
                            g, g_at, g_size, x, at, x_size, zeros, sums, p * taps * lanes,
                            rest_table, rest, column_table, columns, stride, dilation,
                        )  # fmt: skip
            for t in range(begin * taps, end * taps):
                out[t] = sum_lanes(sums, t * lanes)

    return depthwise_weight


# -- launchers -------------------------------------------------------------------------------------
def correlate(x, weight, bias, out, axes, channels: int, divide: int, flipped: bool):
    """A function of (input, weight, bias, output): planes of `out`, each from `channels` of `x`."""
    kh, kw = axes[1][2], axes[2][2]
    dtype, lanes = out.dtype.np, lanes_of(out.dtype.itemsize)
    rows, unit, step = shape_of(axes)
    lines, _ = row_lines(axes[1], rows, axes[2][0], axes[2][1], True)
    columns = column_lines(axes[2], step, lanes, True)
    planes, out_planes, out_size = (
        out.shape[0] * out.shape[1],
        out.shape[1],
        math.prod(out.shape[2:]),
    )
    zeros = np.zeros(axes[2][0], dtype)
    facts = (
        planes, out_planes, x.shape[1], divide, channels, math.prod(x.shape[2:]), out_size,
        kh * kw - 1 if flipped else 0, -1 if flipped else 1, flat_table(lines), len(lines),
        flat_table(columns), len(columns), axes[2][3], axes[2][5],
    )  # fmt: skip
    run = convolve_planes(kh, kw, rows, unit, step, channels > 1).compile(
        x, weight, bias, zeros, out, *facts, work=out.numel * channels * kh * kw
    )
    return lambda x, weight, bias, out: run(x, weight, bias, zeros, out, *facts)


def forward(input, weight, bias, out, axes):
    """The launcher of a depthwise convolution."""
    return correlate(input, weight, bias, out, axes, 1, weight.shape[0] // input.shape[1], False)


def input_grad(grad, weight, out, axes):
    """The launcher of a depthwise input gradient of stride 1 or 2."""
    multiplier = weight.shape[0] // out.shape[1]
    if all(a[3] == 1 for a in axes[1:]):
        turned = [axes[0]] + [
            (a[1], a[0], a[2], 1, a[5] * (a[2] - 1) - a[4], a[5]) for a in axes[1:]
        ]
        run = correlate(grad, weight, None, out, turned, multiplier, 1, True)
        return lambda g, w, y: run(g, w, None, y)
    (_, _, kh, _, ph, _), (_, _, kw, _, pw, _) = axes[1:]
    dtype, lanes, rows = out.dtype.np, lanes_of(out.dtype.itemsize), 2
    lines = spread_row_lines(axes[1], rows, axes[2][1], axes[2][0])
    columns = spread_column_lines(axes[2], lanes)
    zeros = np.zeros(axes[2][1], dtype)
    facts = (
        out.shape[0] * out.shape[1], out.shape[1], multiplier, math.prod(grad.shape[2:]),
        math.prod(out.shape[2:]), flat_table(lines), len(lines), flat_table(columns), len(columns),
    )  # fmt: skip
    run = spread_planes(kh, kw, rows, ph % 2, pw % 2).compile(
        grad, weight, zeros, out, *facts, work=grad.numel * kh * kw
    )
    return lambda g, w, y: run(g, w, zeros, y, *facts)


def weight_grad(grad, input, out, axes):
    """The launcher of a weight gradient, plane by plane: a depthwise one, or of few channels."""
    kh, kw = axes[1][2], axes[2][2]
    dtype, lanes = out.dtype.np, lanes_of(out.dtype.itemsize)
    rows, unit, step = shape_of(axes)
    lines, left = row_lines(axes[1], rows, axes[2][0], axes[2][1], False)
    size, _, k, stride, padding, dilation = axes[1]
    rest = [
        row_lines((size, 1, k, stride, padding - y * stride, dilation), 1, axes[2][0], 0, True)[0][
            0
        ]
        for y in left
    ]
    for line, y in zip(rest, left, strict=True):
        line[0] = y * axes[2][1]
    columns = column_lines(axes[2], step, lanes, False)
    zeros = np.zeros(axes[2][0], dtype)
    (images, out_channels), channels = grad.shape[:2], input.shape[1]
    planes = out.shape[0] * out.shape[1]
    divide = (out.shape[1], 1) if out.shape[1] > 1 else (1, out_channels // channels)
    work = images * planes * math.prod(grad.shape[2:]) * kh * kw
    workers = min(planes, threads.get_num_threads() if work >= PARALLEL_WORK else 1)
    facts = (
        workers, images, planes, out_channels, divide[0], channels, divide[1],
        math.prod(grad.shape[2:]), math.prod(input.shape[2:]), lanes, flat_table(lines), len(lines),
        flat_table(rest), len(rest), flat_table(columns), len(columns), axes[2][3], axes[2][5],
    )  # fmt: skip
    run = sum_planes(kh, kw, rows, unit, step).compile(
        grad, input, zeros, out, out, *facts, work=work
    )
    return lambda g, x, dw: run(g, x, zeros, scratch(out.numel * lanes, dtype), dw, *facts)
