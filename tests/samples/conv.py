"""Samples of convolutions."""

import itertools

import numpy as np

from .model import FLOATS, case, error, op, t


def conv(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation by loops over taps, in float64."""
    axes = w.ndim - 2
    full = lambda v: (v,) * axes if isinstance(v, int) else tuple(v)  # noqa: E731
    stride, dilation = full(stride), full(dilation)
    if x.ndim == axes + 1:
        return conv(x[None], w, b, stride, padding, dilation, groups)[0]
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
        sides = [(n // 2, n - n // 2) for n in total]
    else:
        sides = [(p, p) for p in full(0 if padding == "valid" else padding)]
    wide = np.float64 if x.dtype.kind == "f" else x.dtype
    padded = np.pad(x, [(0, 0), (0, 0), *sides]).astype(wide)
    axes_of = zip(padded.shape[2:], w.shape[2:], stride, dilation, strict=True)
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in axes_of]
    out = np.zeros((x.shape[0], w.shape[0], *counts), wide)
    o, c = w.shape[0] // groups, w.shape[1]
    for tap in itertools.product(*map(range, w.shape[2:])):
        at = tuple(
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, n, s in zip(tap, dilation, counts, stride, strict=True)
        )
        for g in range(groups):
            part = padded[:, g * c : (g + 1) * c][(slice(None), slice(None), *at)]
            weights = w[(slice(g * o, (g + 1) * o), slice(None), *tap)].astype(wide)
            out[:, g * o : (g + 1) * o] += np.einsum("nc...,oc->no...", part, weights)
    if b is not None:
        out += b.reshape(-1, *(1,) * axes)
    return out.astype(x.dtype)


SMALL = {"low": -1.0, "high": 1.0}
SAMPLES = [
    op(
        "conv2d",
        case(t(2, 3, 6, 7), t(4, 3, 3, 3), t(4)),
        case(t(1, 2, 5, 5), t(3, 2, 2, 3), stride=(2, 1), padding=(1, 2)),
        case(t(2, 4, 6, 6), t(6, 2, 3, 3), t(6), padding=2, dilation=2, groups=2),
        case(t(1, 3, 7, 8), t(3, 1, 3, 3), stride=2, padding=1, groups=3),
        case(t(2, 2, 5, 6), t(2, 2, 3, 5), padding="same"),
        case(t(2, 5, 6), t(2, 2, 3, 2), t(2), padding="valid"),
        case(t(1, 1, 9, 9), t(1, 1, 2, 2), stride=3, padding=1, dilation=3),
        case(t(1, 5, 4, 4), t(9, 5, 1, 1), t(9)),
        case(t(1, 3, 5, 5), t(2, 3, 1, 1), stride=2),
        case(t(0, 2, 4, 4), t(3, 2, 3, 3), t(3)),
        ref=conv,
        dtypes=(*FLOATS, "int64"),
        method=False,
    ),
    op(
        "conv1d",
        case(t(2, 3, 9), t(4, 3, 3), t(4), stride=2, padding=1),
        case(t(3, 9), t(2, 3, 5), padding="same"),
        ref=conv,
        method=False,
    ),
    op(
        "conv3d",
        case(t(1, 2, 4, 5, 4), t(3, 2, 2, 3, 2), t(3), stride=(1, 2, 1), padding=1),
        ref=conv,
        method=False,
    ),
    op(
        "conv_transpose2d",
        case(t(2, 3, 4, 5), t(3, 2, 3, 3), t(2)),
        case(t(1, 4, 3, 3), t(4, 1, 3, 2), stride=2, padding=1, output_padding=1, groups=2),
        case(t(2, 3, 3), t(2, 2, 3, 3), dilation=2, stride=3),
        case(t(1, 2, 3, 3), t(2, 2, 2, 2), output_padding=1, dilation=2),
        method=False,
    ),
    op("conv_transpose1d", case(t(2, 3, 5), t(3, 2, 4), t(2), stride=2, padding=1), method=False),
    op("conv_transpose3d", case(t(1, 2, 3, 2, 3), t(2, 2, 2, 3, 2), stride=2), method=False),
]
X, W = t(1, 3, 4, 4), t(2, 3, 3, 3)
ERRORS = [
    error(
        "conv2d",
        case(t(4, 4), W),
        RuntimeError,
        r"Expected 3D \(unbatched\) or 4D \(batched\) input to conv2d, but "
        r"got input of size: \[4, 4\]",
    ),
    error(
        "conv2d",
        case(t(1, 2, 4, 4), W),
        RuntimeError,
        r"Given groups=1, weight of size \[2, 3, 3, 3\], expected "
        r"input\[1, 2, 4, 4\] to have 3 channels, but got 2 channels instead",
    ),
    error(
        "conv2d",
        case(t(1, 4, 4, 3), W),
        RuntimeError,
        r"Hint: channels come second: input.permute\(0, 3, 1, 2\)",
    ),
    error(
        "conv2d",
        case(t(1, 3, 2, 2), W),
        RuntimeError,
        r"Calculated padded input size per channel: \(2 x 2\). Kernel "
        r"size: \(3 x 3\). Kernel size can't be greater than actual input size",
    ),
    error(
        "conv2d",
        case(X, W, t(3)),
        RuntimeError,
        r"Given weight of size \[2, 3, 3, 3\], expected bias to be "
        r"1-dimensional with 2 elements, but got bias of size \[3\] instead",
    ),
    error("conv2d", case(X, W, stride=0), RuntimeError, "non-positive stride is not supported"),
    error("conv2d", case(X, W, padding=-1), RuntimeError, "negative padding is not supported"),
    error(
        "conv2d",
        case(X, W, dilation=0),
        RuntimeError,
        r"dilation should be greater than zero, but got \[0, 0\]",
    ),
    error("conv2d", case(X, W, groups=0), RuntimeError, "non-positive groups is not supported"),
    error(
        "conv2d",
        case(t(1, 4, 4, 4), t(3, 2, 3, 3), groups=2),
        RuntimeError,
        "Given groups=2, expected weight to be divisible by 2 at dimension 0",
    ),
    error(
        "conv2d",
        case(X, W, stride=(1, 1, 1)),
        RuntimeError,
        "expected stride to be a single integer value or a list "
        r"of 2 values to match the convolution dimensions, but got stride=\[1, 1, 1\]",
    ),
    error(
        "conv2d",
        case(X, W, padding="same", stride=2),
        RuntimeError,
        "padding='same' is not supported for strided convolutions",
    ),
    error("conv2d", case(X, W, padding="around"), RuntimeError, "Invalid padding string: 'around'"),
    error(
        "conv2d",
        case(X, t(2, 3, 3, 3, dtype="float64")),
        RuntimeError,
        "expected scalar type Float but found Double",
    ),
    error(
        "conv2d",
        case(X, W, t(2, dtype="float64")),
        RuntimeError,
        r"Input type \(float\) and bias type \(double\) " "should be the same",
    ),
    error(
        "conv2d",
        case([1.0], W),
        TypeError,
        r"conv2d\(\): argument 'input' must be Tensor, not list",
    ),
    error(
        "conv2d",
        case(X, W, stride=1.5),
        TypeError,
        "argument 'stride' must be tuple of ints, not float",
    ),
    error("conv2d", case(X, W), NotImplementedError, "not implemented for 'Bool'", dtype="bool"),
    error(
        "conv_transpose2d",
        case(X, W),
        RuntimeError,
        r"Given transposed=1, weight of size \[2, 3, 3, 3\], expected "
        r"input\[1, 3, 4, 4\] to have 2 channels, but got 3 channels instead",
    ),
    error(
        "conv_transpose2d",
        case(X, t(3, 3, 3, 3), output_padding=1),
        RuntimeError,
        "output padding must be smaller than either stride or dilation",
    ),
]
