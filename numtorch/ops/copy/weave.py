"""Copies on the CPU between a few long rows and their elements in turn: channels first and last.

With a constant number of rows LLVM makes shuffles of these loops, which run as fast as a copy; the
tiles of `layout.py`, of which 3 rows in 16 are used, take twice as long.
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange

WOVEN = (2, 3, 4)  # numbers of rows


@kernel
def weave(x, out, images, n, m, x_step, x_image, image, group):
    """out[image, j, i] = x[image, i, j] for i < n; the images of `out` are contiguous.

    One iteration of the parallel loop owns `group` columns of one image.
    """
    pieces = (m + group - 1) // group
    for piece in prange(images * pieces):
        item = np.int64(piece)
        k = item // pieces
        first = (item - k * pieces) * group
        width = min(group, m - first)
        at, to = k * x_image + first, k * image + first * n
        b, c, d = at + x_step, at + 2 * x_step, at + 3 * x_step
        if n == 2:
            for j in range(width):
                out[to + 2 * j] = x[at + j]
                out[to + 2 * j + 1] = x[b + j]
        elif n == 3:
            for j in range(width):
                out[to + 3 * j] = x[at + j]
                out[to + 3 * j + 1] = x[b + j]
                out[to + 3 * j + 2] = x[c + j]
        else:
            for j in range(width):
                out[to + 4 * j] = x[at + j]
                out[to + 4 * j + 1] = x[b + j]
                out[to + 4 * j + 2] = x[c + j]
                out[to + 4 * j + 3] = x[d + j]


@kernel
def unweave(x, out, images, m, n, step, x_image, image, group):
    """out[image, i, j] = x[image, j, i] for i < n; the images of `x` are contiguous.

    One iteration of the parallel loop owns `group` columns of one image.
    """
    pieces = (m + group - 1) // group
    for piece in prange(images * pieces):
        item = np.int64(piece)
        k = item // pieces
        first = (item - k * pieces) * group
        width = min(group, m - first)
        at, to = k * x_image + first * n, k * image + first
        b, c, d = to + step, to + 2 * step, to + 3 * step
        if n == 2:
            for j in range(width):
                out[to + j] = x[at + 2 * j]
                out[b + j] = x[at + 2 * j + 1]
        elif n == 3:
            for j in range(width):
                out[to + j] = x[at + 3 * j]
                out[b + j] = x[at + 3 * j + 1]
                out[c + j] = x[at + 3 * j + 2]
        else:
            for j in range(width):
                out[to + j] = x[at + 4 * j]
                out[b + j] = x[at + 4 * j + 1]
                out[c + j] = x[at + 4 * j + 2]
                out[d + j] = x[at + 4 * j + 3]
