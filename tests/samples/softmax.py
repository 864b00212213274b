"""Samples of softmax and log_softmax."""

import numpy as np

from .model import case, error, op, t

CASES = (
    case(t(3, 4), 1),
    case(t(3, 4), 0),
    case(t(2, 3, 4), 1),
    case(t(5), -1),
    case(t(), 0),
    case(t(2, 40), 1),
)


def softmax(x, dim):
    e = np.exp(x - x.max(dim, keepdims=True)) if x.ndim else np.ones_like(x)
    return e / e.sum(dim, keepdims=True) if x.ndim else e


SAMPLES = [
    op("softmax", *CASES, ref=softmax, out=True),
    op("log_softmax", *CASES, ref=lambda x, dim: np.log(softmax(x, dim)), out=True),
    op("softmax", case(t(0, 3), 1), case(t(3, 0), 1), grad=False),
    op(
        "nn.functional.softmin", case(t(3, 4), 1), ref=lambda x, dim: softmax(-x, dim), method=False
    ),
]
ERRORS = [
    error("softmax", case(t(3, 4), 2), IndexError, "Dimension out of range"),
    error(
        "softmax",
        case(t(3, 4), 1),
        RuntimeError,
        '"softmax_lastdim_kernel_impl" not implemented for',
        dtype="int64",
    ),
    error(
        "log_softmax",
        case(t(3, 4), 0),
        RuntimeError,
        '"log_softmax_kernel_impl" not implemented',
        dtype="bool",
    ),
]
