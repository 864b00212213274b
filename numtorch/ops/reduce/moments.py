"""Variances and standard deviations, in two passes: the mean first, then the squared distances from
it.
"""

import warnings

from ...core.batching import along
from ...core.op import primitive
from ...core.out import to_out
from .geometry import hashable
from .sums import ROOM, count_of, mean_dim_op, reduced, spread

__all__ = ["std", "std_mean", "var", "var_mean"]


def _check(input, dim, correction, name: str) -> None:
    if not input.dtype.is_floating_point:
        raise RuntimeError("std and var only support floating point and complex dtypes")
    if count_of(input, dim) <= correction or not input.numel:
        warnings.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
            "reduction factor (input "
            "numel divided by output numel).",
            stacklevel=4,
        )


def _var_backward(g, input, dim, keepdim, correction):
    """2 / (n - correction) * g * (input - mean); torch's 0 * inf where that is no number."""
    free = count_of(input._spec, dim) - correction
    center = mean_dim_op(input, dim, True, None)
    factor = 2.0 / free if free else float("inf")
    return spread(g * factor, input._spec, dim, keepdim) * (input - center)


def _std_backward(g, input, out, dim, keepdim, correction):
    return _var_backward((g / (out * 2)).masked_fill(out == 0, 0), input, dim, keepdim, correction)


@primitive(vmap=along("dim"), vjp={"input": _var_backward}, module=ROOM)
def var_op(input, *, dim, keepdim, correction):
    """The variance over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "var")


@primitive(vmap=along("dim"), vjp={"input": _std_backward}, module=ROOM)
def std_op(input, *, dim, keepdim, correction):
    """The standard deviation over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "std")


def _arguments(dim, unbiased, correction):
    """(dim, correction) of f(x, unbiased), f(x, dim, unbiased) and f(x, dim, correction=...)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None:
        correction = int(unbiased)
    return dim, 1 if correction is None else correction


def _spread_of(op, name, input, dim, unbiased, keepdim, correction, out=None):
    dim, correction = _arguments(dim, unbiased, correction)
    dim = hashable(dim, name)
    _check(input._spec, dim, correction, name)
    result = op(input, dim, keepdim, float(correction))
    return result if out is None else to_out(result, out, name)


def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None, out=None):
    """The variance: squared distances from the mean, summed and divided by n - correction.
    (..., n, ...) -> (..., ...)

    `correction` is 1 unless given; `unbiased=False` means 0.
    """
    return _spread_of(var_op, "var", input, dim, unbiased, keepdim, correction, out)


def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None, out=None):
    """The standard deviation, the root of `var`. (..., n, ...) -> (..., ...)"""
    return _spread_of(std_op, "std", input, dim, unbiased, keepdim, correction, out)


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None, out=None):
    """The variance and the mean. (..., n, ...) -> (..., ...), (..., ...)"""
    found = _spread_of(var_op, "var_mean", input, dim, unbiased, keepdim, correction)
    return found, mean_dim_op(
        input, hashable(_arguments(dim, unbiased, 0)[0], "var_mean"), keepdim, None
    )


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None, out=None):
    """The standard deviation and the mean. (..., n, ...) -> (..., ...), (..., ...)"""
    found = _spread_of(std_op, "std_mean", input, dim, unbiased, keepdim, correction)
    return found, mean_dim_op(
        input, hashable(_arguments(dim, unbiased, 0)[0], "std_mean"), keepdim, None
    )


METHODS = {"std": std, "var": var}
