"""Samples of padding."""

import numpy as np

from .model import case, error, op, t

X = t(2, 3, 5)
MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap", "constant": "constant"}


def reference(x, pad, mode="constant", value=None):
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    pairs = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    options = {"constant_values": value or 0} if mode == "constant" else {}
    grown = [(max(a, 0), max(b, 0)) for a, b in pairs]
    cut = [slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(pairs, x.shape, strict=True)]
    return np.pad(x[tuple(cut)], grown, MODES[mode], **options)


SAMPLES = [
    op(
        "nn.functional.pad",
        case(X, (1, 2)), case(X, (0, 1, 2, 0, 1, 1), value=1.5), case(X, (-1, 2, 1, -1)),
        case(t(4), (3, 0), "constant", -2.0), case(X, (1, 2), "reflect"),
        case(t(3, 5), (4, 0), "reflect"), case(t(1, 2, 3, 4), (1, 3, 2, 0), "reflect"),
        case(t(1, 2, 3, 2, 3), (1, 2, 0, 1, 2, 1), "reflect"), case(X, (3, 6), "replicate"),
        case(t(2, 3, 4), (1, 0, 2, 3), "replicate"), case(t(2, 2, 2, 3), (1, 1, 1, 1, 1, 1),
        "replicate"), case(X, (5, 1), "circular"), case(t(1, 2, 3, 4), (1, 3, 2, 0), "circular"),
        case(t(2, 3, 2, 3), (1, 2, 0, 1, 2, 1), "circular"), case(X, (-1, 2), "replicate"),
        ref=reference, dtypes=("int64", "float32"), method=False,
    ),
    op("nn.functional.pad", case(X, (-2, 2), "reflect"), case(X, (-1, 2), "circular"),
       case(t(), ()), case(t(0, 3, 4), (1, 1), "reflect"), case(t(3, 4), (-4, 0)),
       dtypes=("float32",), grad=False, method=False),
]  # fmt: skip
ERRORS = [
    error("nn.functional.pad", case(X, (1,)), RuntimeError, "must be divisible by 2"),
    error("nn.functional.pad", case(t(2), (1,) * 4), RuntimeError, "less than or equal to two"),
    error("nn.functional.pad", case(X, (1, 1), "foo"), NotImplementedError, "Unrecognised padding"),
    error("nn.functional.pad", case(X, (1, 1), "reflect", 2.0), RuntimeError, "doesn't take in"),
    error(
        "nn.functional.pad",
        case(X, (5, 0), "reflect"),
        RuntimeError,
        r"Padding size should be less than the corresponding input dimension.*\(5, 0\)",
    ),
    error("nn.functional.pad", case(X, (6, 0), "circular"), RuntimeError, "more than once"),
    error("nn.functional.pad", case(X, (1,) * 6, "reflect"), NotImplementedError, "not supported"),
    error("nn.functional.pad", case(X, (-3, -3)), RuntimeError, "negative output size"),
]
