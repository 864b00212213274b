"""Samples of sorting, order statistics, distinct values and binary search."""

import numpy as np

from .model import case, error, index, op, t

D = t(3, 5, distinct=True)
B = t(2, 6, 3, distinct=True)
SOME = ("bool", "uint8", "int64", "float64")
DISTINCT = ("int64", "float32")
MANY = t(2, 70, distinct=True, grad=False)  # more keys than are sorted by insertion


def sort(x, dim=-1, descending=False, stable=True):
    if x.ndim == 0:
        return x, np.int64(0)
    order = np.argsort(-x if descending else x, dim, kind="stable")
    return np.take_along_axis(x, order, dim), order


def topk(x, k, dim=-1, largest=True, sorted=True):
    if x.ndim == 0:
        return x, np.int64(0)
    values, order = sort(x, dim, largest)
    return tuple(np.take(a, range(k), dim) for a in (values, order))


def nth(x, k, dim=-1, keepdim=False):
    if x.ndim == 0:
        return x, np.int64(0)
    values, order = sort(x, dim)
    axis = [k - 1] if keepdim else k - 1
    return np.take(values, axis, dim), np.take(order, axis, dim)


def median(x, dim=None, keepdim=False):
    if dim is None:
        return np.sort(x, None)[(x.size - 1) // 2]
    return nth(x, (x.shape[dim] + 1) // 2 if x.ndim else 1, dim, keepdim)


def bincount(x, weights=None, minlength=0):
    found = np.bincount(x, weights, minlength)
    floating = weights is not None and weights.dtype.kind == "f"
    return found.astype(weights.dtype) if floating else found


SAMPLES = [
    op("sort", case(D), case(B, 1, True), case(t()), case(D, stable=True, dim=0), ref=sort,
       dtypes=DISTINCT),
    op("sort", case(MANY), case(MANY, -1, True), ref=sort, dtypes=DISTINCT, grad=False),
    op("sort", case(t(4, 7), stable=True), dtypes=SOME, grad=False),
    op("sort", case(t(0, 3), 0), case(t(3, 0), 1), grad=False, dtypes=("float32",)),
    op("argsort", case(D), case(B, dim=1, stable=True), dtypes=DISTINCT, grad=False,
       ref=lambda x, dim=-1, descending=False, stable=False: sort(x, dim, descending)[1]),
    op("msort", case(D), case(t()), dtypes=("float32",), out=True,
       ref=lambda x: np.sort(x, 0) if x.ndim else x),
    op("topk", case(D, 2), case(B, 4, 1, False), case(t(), 1), ref=topk, dtypes=DISTINCT),
    op("topk", case(MANY, 20), case(MANY, 60, -1, False), ref=topk, dtypes=DISTINCT, grad=False),
    op("topk", case(D, 0), case(t(0, 3), 2), ref=topk, dtypes=("float32",), grad=False),
    op("kthvalue", case(D, 3, 0, True), case(B, 6, 1), case(t(), 1), ref=nth, dtypes=DISTINCT),
    op("kthvalue", case(MANY, 31), ref=nth, dtypes=DISTINCT, grad=False),
    op("median", case(D), case(t()), case(B, 1), case(D, 0, keepdim=True), ref=median,
       dtypes=DISTINCT),
    op("nanmedian", case(D), case(B, 1, True), ref=median, dtypes=("float32",)),
    op("mode", case(B, 1), case(t()), case(D, 0, keepdim=True), dtypes=("float32",)),
    op("mode", case(t(3, 8, low=0, high=4)), dtypes=SOME, grad=False),
    op("unique", case(t(4, 5), return_inverse=True, return_counts=True), case(t(9)),
       case(t(8, 2), dim=0, return_inverse=True), case(t(0)),
       case(t(2, 3, 4, low=0, high=2), dim=-1), dtypes=DISTINCT, grad=False),
    op("unique_consecutive", case(t(3, 4), return_inverse=True, return_counts=True),
       case(t(9, 1), dim=0, return_counts=True, return_inverse=True), dtypes=DISTINCT, grad=False),
    op("searchsorted", case(t(1), t(5), right=True), case(t(0), t(5)),
       case(t(1), t(), out_int32=True), dtypes=("float32",), grad=False, method=False),
    op("bucketize", case(t(3, 4), t(1)), dtypes=DISTINCT, grad=False),
    op("bincount", case(index(9, high=5)), case(index(4, high=3), minlength=6),
       case(index(7, high=4, dtype="uint8")), case(index(0, high=2), minlength=2),
       case(index(9, high=5), t(9)), case(index(9, high=5), weights=index(9, high=7)),
       ref=bincount, grad=False),
    op("histc", case(t(50)), case(t(4, 9), bins=7), case(t(40), 5, -1.0, 1.5), case(t(3), 4, 2, 2),
       case(t(0), 3), grad=False, out=True),
]  # fmt: skip
ERRORS = [
    error("sort", case(t(3, 4), 2), IndexError, "Dimension out of range"),
    error("topk", case(t(3, 4), 5), RuntimeError, "selected index k out of range: k=5"),
    error("topk", case(t(3), 1), RuntimeError, "topk does not support bool", dtype="bool"),
    error("kthvalue", case(t(3, 4), 0), RuntimeError,
          r"kthvalue\(\): selected number k out of range for dimension 1"),
    error("kthvalue", case(t(3), 1), NotImplementedError, "not implemented for 'Bool'", "bool"),
    error("median", case(t(3, 0), 1), IndexError, "Expected reduction dim 1 to have non-zero size"),
    error("mode", case(t(0)), IndexError, r"mode\(\): Expected reduction dim 0 to have non-zero"),
    error("unique", case(t(0, 3), dim=1), RuntimeError, "There are 0 sized dimensions"),
    error("searchsorted", case(t(3), t(3), side="up"), RuntimeError, "side can only be 'left' or"),
    error("searchsorted", case(t(3), t(3), side="left", right=True), RuntimeError, "to opposites"),
    error("searchsorted", case(t(3, 4), t(2, 3)), RuntimeError, "first N-1 dimensions"),
    error("searchsorted", case(t(), t(3)), RuntimeError, "should have positive dimension"),
    error("searchsorted", case(t(3), t(2), sorter=t(3)), RuntimeError, "must be a tensor of long"),
    error("bincount", case(index(3, low=-2, high=-1)), RuntimeError, "1-d non-negative integral"),
    error("bincount", case(index(3, 2, high=4)), RuntimeError, "1-d non-negative integral inputs"),
    error("bincount", case(index(3, high=4), t(2)), RuntimeError, "same length as input"),
    error("bincount", case(index(3, high=4), None, -1), RuntimeError, "minlength should be >= 0"),
    error("bincount", case(t(3)), NotImplementedError, "not implemented for 'Float'"),
    error("histc", case(t(3), 0), RuntimeError, "bins must be > 0"),
    error("histc", case(t(3), 4, 2, 1), RuntimeError, "max must be larger than min"),
    error("histc", case(t(3), 4, 0, float("inf")), RuntimeError, "is not finite"),
    error("histc", case(t(3)), NotImplementedError, "not implemented for 'Int'", "int32"),
    error("bucketize", case(t(3), t(3, 4)), RuntimeError, "boundaries tensor must be 1 dimension"),
]  # fmt: skip
