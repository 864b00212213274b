"""How often values occur: `bincount` of whole numbers, `histc` of numbers in equal bins."""

import math

from ...core import dtype as dtypes
from ...core import errors
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import as_index
from ...core.tensor import Tensor
from ..copy import to_dtype
from ..create import zeros
from .order import ROOM

__all__ = ["bincount", "histc"]


@primitive(vjp={}, module=ROOM)
def bincount_op(input, weights=None, *, size):
    """How often each whole number below `size` occurs, or the sum of its weights. (n,), (n,) ->
    (size,)
    """
    return input.like((size,), dtypes.int64 if weights is None else weights.dtype)


def bincount(input, weights=None, minlength=0):
    """How often each non-negative whole number occurs, or the sum of the weights at its places.
    (n,), (n,) -> (m,)

    m is one more than the largest number, at least `minlength`. Raises RuntimeError for negative
    numbers.
    """
    for argument, value in (("self", input), ("weights", weights)):
        if not isinstance(value, Tensor) and (argument == "self" or value is not None):
            raise errors.not_a_tensor("bincount", argument, value)
    size, spec = as_index(minlength, "minlength", "bincount"), input._spec
    if size < 0:
        raise RuntimeError("minlength should be >= 0")
    if spec.dtype.is_floating_point or spec.dtype is dtypes.bool_:
        word = spec.dtype.type_name.removesuffix("Tensor")
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{word}'")
    if spec.ndim == 1 and not spec.numel:
        return zeros(size, dtype=dtypes.int64, device=spec.device)
    if spec.ndim != 1 or input.min().item() < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None:
        if weights._spec.shape != spec.shape:
            raise RuntimeError("weights should be 1-d and have the same length as input")
        if not weights._spec.dtype.is_floating_point:
            weights = to_dtype(weights, dtypes.float64)
        weights = weights.detach()
    return bincount_op(input, weights, max(size, int(input.max()) + 1))


@primitive(vjp={}, module=ROOM)
def histc_op(input, *, bins, low, high):
    """How many elements are in each of the equal bins between two numbers. (...) -> (bins,)"""
    return input.like((bins,))


def histc(input, bins=100, min=0, max=0, *, out=None):
    """How many elements are in each of `bins` equal parts of [min, max]; the last one holds max.
    (...) -> (bins,)

    min = max = 0 stands for the least and the largest element. Others and NaN are not counted.
    """
    if not isinstance(input, Tensor):
        raise errors.not_a_tensor("histc", "self", input)
    bins = as_index(bins, "bins", "histc")
    if bins <= 0:
        raise RuntimeError(f"torch.histc(): bins must be > 0, but got {bins}")
    if not input._spec.dtype.is_floating_point:
        word = input._spec.dtype.type_name.removesuffix("Tensor")
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{word}'")
    low, high = float(min), float(max)
    if low == high and input._spec.numel:
        low, high = input.min().item(), input.max().item()
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError("torch.histc: max must be larger than min")
    found = histc_op(input.detach(), bins, low, high)
    return found if out is None else to_out(found, out, "histc", exact=True)


METHODS = {"bincount": bincount, "histc": histc}
