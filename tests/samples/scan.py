"""Samples of scans and differences."""

import numpy as np

from .model import case, error, op, t

X = t(3, 4)
CASES = (
    case(X, 1), case(X, 0), case(t(2, 3, 4), 1), case(t(), 0), case(t(6, 3), -1),
)  # fmt: skip
EMPTY = (case(t(0, 3), 0), case(t(3, 0), 0))
SOME = ("bool", "int64", "float32")


def running(function):
    def ref(x, dim, dtype=None):
        x = x.astype(np.int64) if x.dtype.kind != "f" else x
        return function(x, dim) if x.ndim else x

    return ref


def logcumsumexp(x, dim):
    return np.log(np.cumsum(np.exp(x), dim)) if x.ndim else x


def extreme(function):
    def ref(x, dim):
        if not x.ndim:
            return x, np.int64(0)
        values = function.accumulate(x, dim)
        where = np.arange(x.shape[dim]).reshape(-1, *(1,) * (x.ndim - 1 - dim % x.ndim))
        return values, np.maximum.accumulate(np.where(x == values, where, 0), dim)

    return ref


SAMPLES = [
    op("cumsum", *CASES, ref=running(np.cumsum), dtypes=SOME),
    op("cumsum", *CASES[:2], out=True, inplace=True),
    op("cumprod", *CASES, ref=running(np.cumprod), dtypes=SOME),
    op("cumprod", *CASES[:2], out=True, inplace=True),
    op("cumsum", *EMPTY, grad=False, dtypes=SOME[2:]),
    op("cumprod", *EMPTY, grad=False, dtypes=SOME[2:]),
    op("cummax", *EMPTY, grad=False, dtypes=SOME[2:]),
    op("cummax", *CASES, ref=extreme(np.maximum), dtypes=("int64", "float32")),
    op("cummin", *CASES, ref=extreme(np.minimum), dtypes=("int64", "float32")),
    op("logcumsumexp", *CASES, ref=logcumsumexp, out=True),
    op("logcumsumexp", *EMPTY, grad=False, dtypes=SOME[2:]),
    op("diff", case(X), case(X, 2, 0), case(X, 0), case(X, 5), case(t(2, 3, 4), dim=1),
       case(X, 1, -1, t(3, 2), t(3, 1)), out=True),
    op("diff", case(X), dtypes=("bool", "int32"), grad=False),
    op("trapezoid", case(X), case(X, dx=0.5, dim=0), case(X, t(4)), case(X, t(3, 4), dim=0),
       method=False),
    op("trapz", case(X, t(3), dim=0), method=False),
    op("cumulative_trapezoid", case(X), case(X, t(4)), case(X, dx=2.0, dim=0), method=False),
]  # fmt: skip
ERRORS = [
    error("cumsum", case(X, 2), IndexError, "Dimension out of range"),
    error("cumprod", case(X, -3), IndexError, "Dimension out of range"),
    error("logcumsumexp", case(X, 0), NotImplementedError, "not implemented for 'Long'", "int64"),
    error("diff", case(t()), RuntimeError, "at least one-dimensional"),
    error("diff", case(X, -1), RuntimeError, "order must be non-negative but got -1"),
    error("diff", case(X, prepend=t(3)), RuntimeError, "same dimension as input"),
    error("trapezoid", case(X, t(3)), RuntimeError, "one `x` value for each sample point"),
]
