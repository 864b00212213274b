"""Samples of pooling."""

import itertools

import numpy as np

from .model import FLOATS, case, error, op, t


def _windows(x, kernel, stride, padding, dilation, ceil_mode):
    """For each output position of the last two axes: (window values, padded element count, inside
    count).
    """
    pair = lambda v: (v, v) if isinstance(v, int) else tuple(v)  # noqa: E731
    kernel, padding, dilation = pair(kernel), pair(padding), pair(dilation)
    stride = kernel if stride is None else pair(stride)
    sizes = x.shape[-2:]
    counts = []
    for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        if (count - 1) * s >= n + p:
            count -= 1
        counts.append(count)
    for i, j in itertools.product(*map(range, counts)):
        at = [
            np.arange(k) * d + o * s - p
            for o, k, s, p, d in zip((i, j), kernel, stride, padding, dilation, strict=True)
        ]
        inside = [a[(a >= 0) & (a < n)] for a, n in zip(at, sizes, strict=True)]
        padded = [a[a < n + p] for a, n, p in zip(at, sizes, padding, strict=True)]
        yield i, j, counts, inside, padded[0].size * padded[1].size


def max_pool(
    x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    out = index = None
    for i, j, counts, (rows, columns), _ in _windows(
        x, kernel_size, stride, padding, dilation, ceil_mode
    ):
        if out is None:
            out, index = (
                np.zeros((*x.shape[:-2], *counts), x.dtype),
                np.zeros((*x.shape[:-2], *counts), np.int64),
            )
        values = x[..., rows[:, None], columns].reshape(*x.shape[:-2], rows.size * columns.size)
        places = (rows[:, None] * x.shape[-1] + columns).ravel()
        out[..., i, j], index[..., i, j] = values.max(-1), places[values.argmax(-1)]
    return (out, index) if return_indices else out


def avg_pool(
    x,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    out = None
    for i, j, counts, (rows, columns), padded in _windows(
        x, kernel_size, stride, padding, 1, ceil_mode
    ):
        if out is None:
            out = np.zeros((*x.shape[:-2], *counts), x.dtype)
        values = x[..., rows[:, None], columns]
        count = divisor_override or (padded if count_include_pad else rows.size * columns.size)
        out[..., i, j] = values.sum((-2, -1)) / count
    return out


def adaptive_avg(x, output_size):
    size = output_size if isinstance(output_size, tuple) else (output_size,) * 2
    size = [n if v is None else v for v, n in zip(size, x.shape[-2:], strict=True)]
    out = np.zeros((*x.shape[:-2], *size), x.dtype)
    for i, j in itertools.product(*map(range, size)):
        edges = [
            (o * n // m, -(-(o + 1) * n // m))
            for o, n, m in zip((i, j), x.shape[-2:], size, strict=True)
        ]
        out[..., i, j] = x[..., slice(*edges[0]), slice(*edges[1])].mean((-2, -1))
    return out


F = "nn.functional."
D = {"distinct": True}
SAMPLES = [
    op(
        F + "max_pool2d",
        case(t(2, 3, 6, 8, **D), 2),
        case(t(2, 3, 7, 5, **D), 3, stride=2, padding=1),
        case(t(1, 2, 7, 6, **D), (2, 3), stride=(2, 1), ceil_mode=True),
        case(t(1, 2, 9, 9, **D), 3, stride=2, padding=1, dilation=2, return_indices=True),
        case(t(3, 5, 5, **D), 3, stride=1),
        case(t(1, 1, 4, 40, **D), 2, stride=1, return_indices=True),
        case(t(0, 2, 4, 4), 2),
        ref=max_pool,
        dtypes=(*FLOATS, "int64", "uint8"),
        method=False,
    ),
    op(
        F + "max_pool1d",
        case(t(2, 3, 9, **D), 2),
        case(t(2, 9, **D), 3, 2, 1, ceil_mode=True),
        method=False,
    ),
    op(
        F + "max_pool3d",
        case(t(1, 2, 4, 5, 6, **D), 2),
        case(t(2, 4, 5, 5, **D), 3, 2, 1),
        method=False,
    ),
    op(
        F + "avg_pool2d",
        case(t(2, 3, 6, 8), 2),
        case(t(2, 2, 7, 5), 3, stride=2, padding=1),
        case(t(2, 2, 7, 5), 3, stride=2, padding=1, count_include_pad=False),
        case(t(1, 2, 7, 6), (2, 3), stride=(2, 2), ceil_mode=True),
        case(t(1, 2, 7, 6), 3, stride=2, padding=1, ceil_mode=True, divisor_override=5),
        case(t(3, 5, 5), 3, stride=1),
        case(t(0, 2, 4, 4), 2),
        ref=avg_pool,
        method=False,
    ),
    op(
        F + "avg_pool1d",
        case(t(2, 3, 9), 2),
        case(t(3, 9), 3, 2, 1, count_include_pad=False),
        method=False,
    ),
    op(F + "avg_pool3d", case(t(1, 2, 4, 5, 6), 2), case(t(2, 4, 5, 5), 3, 2, 1), method=False),
    op(
        F + "adaptive_avg_pool2d",
        case(t(2, 3, 6, 8), 2),
        case(t(2, 3, 7, 5), (3, None)),
        case(t(2, 4, 5), (1, 1)),
        case(t(1, 2, 3, 3), (5, 4)),
        ref=adaptive_avg,
        method=False,
    ),
    op(F + "adaptive_avg_pool1d", case(t(2, 3, 9), 4), method=False),
    op(F + "adaptive_avg_pool3d", case(t(1, 2, 3, 4, 5), (2, 3, 2)), method=False),
    op(
        F + "adaptive_max_pool2d",
        case(t(2, 3, 6, 8, **D), 2),
        case(t(2, 7, 5, **D), (3, None), True),
        method=False,
    ),
    op(F + "adaptive_max_pool1d", case(t(2, 3, 9, **D), 4), method=False),
    op(F + "adaptive_max_pool3d", case(t(1, 2, 3, 4, 5, **D), 2), method=False),
]
X = t(1, 1, 4, 4)
ERRORS = [
    error(
        F + "max_pool2d",
        case(t(4, 4), 2),
        RuntimeError,
        "non-empty 3D or 4D .batch mode. tensor expected",
    ),
    error(
        F + "max_pool2d",
        case(X, 2, padding=2),
        RuntimeError,
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and "
        "dilation=1",
    ),
    error(
        F + "max_pool2d",
        case(X, 2, padding=-1),
        RuntimeError,
        "pad must be non-negative, but got pad: -1",
    ),
    error(
        F + "max_pool2d",
        case(X, 5),
        RuntimeError,
        r"Given input size: \(1x4x4\). Calculated output size: "
        r"\(1x0x0\). Output size is too small",
    ),
    error(F + "max_pool2d", case(X, 2, stride=0), RuntimeError, "stride should not be zero"),
    error(
        F + "max_pool2d",
        case(X, 2, dilation=0),
        RuntimeError,
        "dilation should be greater than zero, but got dilationH: 0 dilationW: 0",
    ),
    error(
        F + "max_pool2d",
        case(t(1, 0, 4, 4), 2),
        RuntimeError,
        r"Expected 3D or 4D .* but got:\[1, 0, 4, 4\]",
    ),
    error(
        F + "max_pool2d",
        case(X, (2, 2, 2)),
        RuntimeError,
        "kernel_size must either be a single int, or a tuple of two ints",
    ),
    error(
        F + "max_pool2d",
        case(X, 2),
        NotImplementedError,
        "not implemented for 'Bool'",
        dtype="bool",
    ),
    error(F + "avg_pool2d", case(t(4, 4), 2), IndexError, "Dimension out of range"),
    error(
        F + "avg_pool2d", case(X, 2, divisor_override=0), RuntimeError, "divisor must be not zero"
    ),
    error(
        F + "avg_pool2d",
        case(X, 2),
        NotImplementedError,
        "not implemented for 'Int'",
        dtype="int32",
    ),
    error(
        F + "adaptive_avg_pool2d",
        case(t(4, 4), 2),
        RuntimeError,
        r"Expected 3D or 4D tensor, but got \[4, 4\]",
    ),
    error(
        F + "adaptive_avg_pool2d", case(t(1, 1, 0, 4), 2), RuntimeError, "dimension 2 being empty"
    ),
    error(F + "adaptive_avg_pool2d", case(X, (2, 2, 2)), RuntimeError, "output_size must be 2"),
    error(
        F + "adaptive_avg_pool2d",
        case(X, -1),
        RuntimeError,
        "greater than or equal to 0 but received {-1, -1}",
    ),
]
