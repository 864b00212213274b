"""CPU pooling of contiguous images: one iteration of the parallel loop owns one plane (one channel
of one image), so nothing is shared.

Where windows have several rows, the rows are joined first, column by column in vectors, and then
the columns of each window.
"""

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.moves import SCRATCH, scratch
from .channels import largest, total
from .rows import max_row

ROOM = SCRATCH // 8  # columns that a kernel holds


@kernel
def max_pool(
    x,
    out,
    indices,
    planes,
    depth,
    height,
    width,
    out_d,
    out_h,
    out_w,
    dd,
    dh,
    dw,
    first,
    end,
    offset,
    taps,
):
    """The maximum of each window, and its index in the plane (-1 where all of the window is
    padding).
    """
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    for p in prange(planes):
        to = p * out_d * out_h * out_w
        for d in range(out_d):
            for h in range(out_h):
                d0, h0 = first[at_d + d], first[at_h + h]
                slices, rows = (
                    (end[at_d + d] - d0 + dd - 1) // dd,
                    (end[at_h + h] - h0 + dh - 1) // dh,
                )
                some = slices > 0 and rows > 0
                max_row(
                    x, p * depth * height * width, (d0 * height + h0) * width, max(rows, 1),
                    dh * width, max(slices, 1), dd * height * width, out, indices, to, out_w, first,
                    end, at_w, dw, taps if some else 0,
                )  # fmt: skip
                to += out_w


@kernel
def max_pool_wide(
    x, out, indices, planes, depth, height, width, out_d, out_h, out_w, dd, dh, dw, first, end,
    offset, lowest,
):  # fmt: skip
    """`max_pool` for wide windows, which hardly overlap, of rows of less than SCRATCH / 8 columns:
    the maximum of each column, and of these, of which the first in the plane is wanted.
    """
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    values, found = scratch(out), scratch(first)
    for p in prange(planes):
        plane, to = p * depth * height * width, p * out_d * out_h * out_w
        for d in range(at_d, at_d + out_d):
            for h in range(at_h, at_h + out_h):
                rows = (end[h] - first[h] + dh - 1) // dh
                slices = (end[d] - first[d] + dd - 1) // dd
                some = rows > 0 and slices > 0
                if some:
                    largest(
                        x, plane, first[d] * height + first[h], (1, 1), rows, dh, slices,
                        dd * height, width, values, found, 0,
                    )  # fmt: skip
                for w in range(at_w, at_w + out_w):
                    best, place = out.dtype.type(lowest), -1
                    for c in range(first[w], end[w] if some else first[w], dw):
                        value, here = values[c], found[c] * width + c
                        if value != value:
                            better = best == best or here > place
                        else:
                            better = value > best or (value == best and here < place)
                        if better or place < 0:
                            best, place = value, here
                    out[to] = best
                    if indices is not None:
                        indices[to] = place
                    to += 1


@kernel
def scatter_planes(g, indices, out, planes, elements, windows):
    """out = 0; out[indices] += g in each plane, in the order of the windows."""
    for p in prange(planes):
        for i in range(elements):
            out[p * elements + i] = out.dtype.type(0)
        for i in range(windows):
            at = indices[p * windows + i]
            if at >= 0:
                out[p * elements + at] += g[p * windows + i]


@kernel
def gather_planes(x, indices, out, planes, elements, windows):
    """out = x[indices] in each plane."""
    for p in prange(planes):
        for i in range(windows):
            at = indices[p * windows + i]
            out[p * windows + i] = x[p * elements + at] if at >= 0 else out.dtype.type(0)


@kernel
def average(x, out, planes, depth, height, width, out_d, out_h, out_w, first, end, length, offset):
    """The sum of each window's elements over its divisor."""
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    T = x.dtype.type
    held = scratch(x)
    for p in prange(planes):
        to = p * out_d * out_h * out_w
        for d in range(at_d, at_d + out_d):
            for h in range(at_h, at_h + out_h):
                slices, rows = end[d] - first[d], end[h] - first[h]
                source, begin = x, ((p * depth + first[d]) * height + first[h]) * width
                if rows > 0 and slices > 0 and rows * slices > 1 and width <= ROOM:
                    total(x, begin, 1, rows, 1, slices, height, width, None, held, 0)
                    source, begin, slices, rows = held, 0, 1, 1
                over = length[d] * length[h]
                for w in range(at_w, at_w + out_w):
                    found = T(0)
                    for i in range(slices):
                        for j in range(rows):
                            row = begin + (i * height + j) * width
                            for k in range(row + first[w], row + end[w]):
                                found += source[k]
                    out[to] = T(found / T(over * length[w]))
                    to += 1


@kernel
def spread_average(
    g, out, planes, depth, height, width, out_d, out_h, out_w, first, end, length, offset
):
    """The transpose of `average`: every element gets its share of each window's gradient."""
    at_d, at_h, at_w = offset[0], offset[1], offset[2]
    T = out.dtype.type
    held = scratch(out)
    for p in prange(planes):
        for i in range(p * depth * height * width, (p + 1) * depth * height * width):
            out[i] = T(0)
        at = p * out_d * out_h * out_w
        for d in range(at_d, at_d + out_d):
            for h in range(at_h, at_h + out_h):
                over = length[d] * length[h]
                for left in range(0, width, ROOM):
                    right = min(left + ROOM, width)
                    for c in range(right - left):
                        held[c] = T(0)
                    for w in range(out_w):
                        share = T(g[at + w] / T(over * length[at_w + w]))
                        low, high = max(first[at_w + w], left), min(end[at_w + w], right)
                        for c in range(low - left, high - left):
                            held[c] += share
                    for i in range(first[d], end[d]):
                        for j in range(first[h], end[h]):
                            row = ((p * depth + i) * height + j) * width + left
                            for c in range(right - left):
                                out[row + c] += held[c]
                at += out_w
