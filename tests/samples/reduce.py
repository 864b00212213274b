"""Samples of reductions."""

import math

import numpy as np

from .model import ALL, INTEGERS, NUMBERS, case, error, op, t

X = t(3, 4)
D = t(3, 4, distinct=True)
DIMS = (
    case(X),
    case(X, 1),
    case(X, 0, keepdim=True),
    case(t(2, 3, 4), (0, 2)),
    case(t(2, 3, 4), (-1, 1), keepdim=True),
    case(t()),
    case(t(), -1),
    case(t(5, 1), 1),
)
EMPTY = (case(t(0)), case(t(0, 3), 0), case(t(3, 0), 0))
ONE = (case(D), case(t(5, distinct=True)), case(t()))
ONE_DIM = (case(D, 1), case(D, 0, keepdim=True), case(t(2, 3, 4, distinct=True), 1), case(t(), 0))
BIG = (case(t(70, 3), 0), case(t(2, 600), 1))  # eight rows at a time; several columns of a block


def numpy_reduction(function, integers=None):
    """A reference with torch's arguments; `integers` is the result's dtype for integers."""

    def ref(x, dim=None, keepdim=False, **kwargs):
        if integers is not None and x.dtype.kind != "f":
            x = x.astype(integers)
        if x.ndim == 0:
            return np.asarray(function(x.reshape(1), 0, False)).reshape(())
        axes = tuple(range(x.ndim)) if dim is None or dim == () else dim
        return np.asarray(function(x, axes, keepdim, **kwargs))

    return ref


def logsumexp(x, dim, keepdim=False):
    axes = dim if isinstance(dim, tuple) else (dim,) if x.ndim else ()
    return np.log(np.exp(x).sum(axes, keepdims=keepdim))


def with_index(function, index):
    def ref(x, dim, keepdim=False):
        if x.ndim == 0:
            return x, np.int64(0)
        values, indices = function(x, dim), index(x, dim)
        return (
            (np.expand_dims(values, dim), np.expand_dims(indices, dim))
            if keepdim
            else (values, indices)
        )

    return ref


def moment(power):
    def ref(x, dim=None, unbiased=True, keepdim=False, correction=None):
        correction = correction if correction is not None else int(unbiased)
        axes = tuple(range(x.ndim)) if dim is None else dim
        distances = ((x - x.mean(axes, keepdims=True)) ** 2).sum(axes, keepdims=keepdim)
        n = x.size // max(x.mean(axes).size, 1)
        return (distances / (n - correction)) ** power

    return ref


def norm(x, p="fro", dim=None, keepdim=False):
    p = 2 if p == "fro" else p
    axes = tuple(range(x.ndim)) if dim is None else dim
    a = abs(x)
    if p == 0:
        return (x != 0).sum(axes, keepdims=keepdim).astype(x.dtype)
    if math.isinf(p):
        return (a.max if p > 0 else a.min)(axes, keepdims=keepdim)
    return (a**p).sum(axes, keepdims=keepdim) ** (1 / p)


MOMENTS = (
    case(X),
    case(X, 1),
    case(X, 0, keepdim=True),
    case(t(2, 3, 4), (0, 2)),
    case(X, 1, correction=0),
)
SAMPLES = [
    op(
        "sum",
        *DIMS,
        *BIG,
        ref=numpy_reduction(lambda x, a, k: x.sum(a, keepdims=k), np.int64),
        dtypes=ALL,
    ),
    op(
        "sum",
        *EMPTY,
        ref=numpy_reduction(lambda x, a, k: x.sum(a, keepdims=k), np.int64),
        grad=False,
    ),
    op("sum", case(X, 1), ref=lambda x, dim: x.sum(dim), out=True),
    op("mean", *DIMS, *BIG, ref=numpy_reduction(lambda x, a, k: x.mean(a, keepdims=k)), out=True),
    op(
        "prod",
        case(X),
        case(X, 1),
        case(t(2, 3, 4), 1, keepdim=True),
        case(t()),
        case(t(6, low=1, high=2)),
        ref=numpy_reduction(lambda x, a, k: x.prod(a, keepdims=k), np.int64),
        dtypes=NUMBERS,
        out=True,
    ),
    op(
        "nansum",
        case(X),
        case(X, 1),
        ref=numpy_reduction(lambda x, a, k: np.nansum(x, a, keepdims=k)),
    ),
    op(
        "nanmean",
        case(X),
        case(X, 1),
        ref=numpy_reduction(lambda x, a, k: np.nanmean(x, a, keepdims=k)),
    ),
    op(
        "count_nonzero",
        case(X),
        case(X, 1),
        case(t(2, 3, 4), (0, 2)),
        grad=False,
        dtypes=("float32", "int64", "bool"),
        ref=numpy_reduction(lambda x, a, k: (x != 0).sum(a)),
    ),
    op(
        "any",
        *DIMS,
        *EMPTY,
        grad=False,
        dtypes=("float32", "int64", "bool"),
        ref=numpy_reduction(lambda x, a, k: (x != 0).any(a, keepdims=k)),
    ),
    op(
        "all",
        *DIMS,
        *EMPTY,
        grad=False,
        dtypes=("float32", "int64", "bool"),
        ref=numpy_reduction(lambda x, a, k: (x != 0).all(a, keepdims=k)),
    ),
    op(
        "amax",
        *DIMS,
        *BIG,
        ref=numpy_reduction(lambda x, a, k: x.max(a, keepdims=k)),
        dtypes=ALL,
        out=True,
        grad=False,
    ),
    op(
        "amin",
        *DIMS,
        *BIG,
        ref=numpy_reduction(lambda x, a, k: x.min(a, keepdims=k)),
        dtypes=ALL,
        out=True,
        grad=False,
    ),
    op("amax", *ONE_DIM[:3], case(t(2, 3, 4, distinct=True), (0, 2)), gradgrad=False),
    op("amin", *ONE_DIM[:3], case(t(2, 3, 4, distinct=True), (0, 2)), gradgrad=False),
    op(
        "aminmax",
        case(D),
        case(D, dim=1),
        case(D, dim=0, keepdim=True),
        gradgrad=False,
        dtypes=("float32", "float64", "int64"),
    ),
    op("max", *ONE, ref=lambda x: x.max(), gradgrad=False),
    op("min", *ONE, ref=lambda x: x.min(), gradgrad=False),
    op("max", *ONE_DIM, ref=with_index(np.max, np.argmax), dtypes=("float32", "float64", "int64")),
    op("min", *ONE_DIM, ref=with_index(np.min, np.argmin), dtypes=("float32", "float64", "int64")),
    op("max", case(X, t(3, 4)), case(X, t(4)), ref=np.maximum),
    op("min", case(X, t(3, 4)), case(X, t(4)), ref=np.minimum),
    op(
        "argmax",
        case(X),
        case(X, 0),
        case(X, 1, keepdim=True),
        case(t(2, 3, 4), 1),
        grad=False,
        ref=lambda x, dim=None, keepdim=False: np.argmax(x, dim, keepdims=keepdim),
        dtypes=NUMBERS,
    ),
    op(
        "argmin",
        case(X),
        case(X, 0),
        case(X, 1, keepdim=True),
        case(t(2, 3, 4), 1),
        grad=False,
        ref=lambda x, dim=None, keepdim=False: np.argmin(x, dim, keepdims=keepdim),
        dtypes=NUMBERS,
    ),
    op("var", *MOMENTS, case(t(2, 600), 1), ref=moment(1), out=True),
    op("std", *MOMENTS, ref=moment(0.5), out=True),
    op("var_mean", case(X), case(X, 1), case(X, 0, keepdim=True, correction=0), method=False),
    op("std_mean", case(X), case(X, 1), method=False),
    op(
        "norm",
        case(X),
        case(X, 2, 1),
        case(X, 1, 0),
        case(X, 3, (0, 1), True),
        case(X, 1.5),
        case(X, math.inf, 1),
        case(X, -math.inf, 0),
        case(X, -1),
        ref=norm,
    ),
    op("norm", case(X, 0), ref=norm, grad=False),
    op(
        "logsumexp",
        case(X, 0),
        case(X, (0, 1)),
        case(t(2, 3, 4), 1, keepdim=True),
        case(t(), 0),
        ref=logsumexp,
        out=True,
    ),
    op(
        "Tensor.sum_to_size",
        case(X, (1, 4)),
        case(t(2, 3, 4), (3, 1)),
        case(X, ()),
        case(X, (3, 4)),
    ),
]
ERRORS = [
    error(
        "sum",
        case(X, 2),
        IndexError,
        r"Dimension out of range \(expected to be in range of \[-2, 1\], but got 2\)",
    ),
    error("sum", case(X, (0, 0)), RuntimeError, "dim 0 appears multiple times in the list of dims"),
    error("sum", case(X, 1.5), TypeError, "must be int"),
    error("sum", case([1.0]), TypeError, "argument 'input' .*must be Tensor, not list"),
    error("Tensor.sum_to_size", case(X, (2, 4)), RuntimeError, "is not expandable to size"),
    *[
        error(
            "mean", case(X), RuntimeError, r"mean\(\): could not infer output dtype.*Got: ", dtype=d
        )
        for d in INTEGERS
    ],
    error(
        "max",
        case(t(0)),
        RuntimeError,
        r"max\(\): Expected reduction dim to be specified for input.numel\(\) == 0",
    ),
    error(
        "max",
        case(t(0, 3), 0),
        IndexError,
        r"max\(\): Expected reduction dim 0 to have non-zero size",
    ),
    error(
        "amin",
        case(t(3, 0), 1),
        IndexError,
        r"amin\(\): Expected reduction dim 1 to have non-zero size",
    ),
    error("argmax", case(t(0)), IndexError, r"argmax\(\): Expected reduction dim to be specified"),
    error("argmax", case(X), RuntimeError, "does not support bool input", dtype="bool"),
    error("aminmax", case(t(0)), RuntimeError, "cannot compute aminmax over an empty dimension"),
    error("var", case(X), RuntimeError, "std and var only support floating point", dtype="int64"),
    error(
        "norm",
        case(X),
        RuntimeError,
        "Expected a floating point or complex tensor as input. Got Long",
        dtype="int64",
    ),
    error(
        "norm", case(t(0), math.inf), RuntimeError, "cannot compute the inf norm on an empty tensor"
    ),
    error("norm", case(X, "x"), RuntimeError, "Order x not supported"),
    error("prod", case(X, (0, 1)), TypeError, "must be int, not tuple"),
]
