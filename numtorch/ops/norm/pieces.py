"""What the CPU kernels of normalization share.

Sums over a row are float32 in pieces, float64 over pieces and rows.
"""

import numpy as np

from ...backends.cpu.jit import exact, inline, kernel, prange

BLOCK = 64  # neighbouring channels that one iteration owns where a channel has stride C
PIECE = 4096  # elements that are added up in the element type


@inline
def spread(x, at, n, centre):
    """(sum of x, sum of (x - centre)^2) over one run of memory."""
    T = x.dtype.type
    total, squares = 0.0, 0.0
    for first in range(0, n, PIECE):
        part, square = T(0), T(0)
        for j in range(at + first, at + min(first + PIECE, n)):
            d = x[j] - centre
            part += x[j]
            square += d * d
        total += part
        squares += square
    return total, squares


@inline
def moments(x, at, n):
    """(mean, sum of squared distances from it) over one run of memory, which is read once: pieces
    stay in the L1 cache and are joined as Chan, Golub and LeVeque do (1983).
    """
    T = x.dtype.type
    mean, squares = 0.0, 0.0
    for first in range(0, n, PIECE):
        count = min(PIECE, n - first)
        here = spread(x, at + first, count, T(0))[0] / count
        squares += spread(x, at + first, count, T(here))[1]
        share, apart = count / (first + count), here - mean
        mean += apart * share
        squares += apart * apart * share * first
    return mean, squares


@inline
def products(g, weight, w_at, x, at, n, centre):
    """(sum of g * weight, sum of g * weight * (x - centre)) over one run of memory; the weight may
    be None.
    """
    T = x.dtype.type
    total, product = 0.0, 0.0
    for first in range(0, n, PIECE):
        part, both = T(0), T(0)
        for j in range(first, min(first + PIECE, n)):
            v = g[at + j] if weight is None else g[at + j] * weight[w_at + j]
            part += v
            both += v * (x[at + j] - centre)
        total += part
        product += both
    return total, product


@exact
def pulled(gradient, average, distance, slope, scale):
    """The gradient less its part along the mean and along x, in this order in every variant."""
    return ((gradient - average) - distance * slope) * scale


@kernel
def join_parameters(parts, gw, gb, groups, n):
    """The gradients for weight and bias (or None): the sums of the rows of `parts`, in float64.

    One iteration of the parallel loop owns BLOCK columns.
    """
    T = gw.dtype.type
    for block in prange((n + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        width = min(BLOCK, n - first)
        weights, biases = np.zeros(BLOCK, np.float64), np.zeros(BLOCK, np.float64)
        for i in range(groups):
            at = 2 * i * n + first
            for j in range(width):
                weights[j] += parts[at + j]
                if gb is not None:
                    biases[j] += parts[at + n + j]
        for j in range(width):
            gw[first + j] = T(weights[j])
            if gb is not None:
                gb[first + j] = T(biases[j])
