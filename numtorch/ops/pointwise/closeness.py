"""Comparing whole tensors: isclose, allclose, equal."""

from ...core.tensor import Tensor
from . import compare


def _close(input, other, rtol, atol, equal_nan):
    if input._spec.dtype is not other._spec.dtype:
        raise RuntimeError(f"{input._spec.dtype} did not match {other._spec.dtype} (isclose)")
    if rtol < 0 or atol < 0:
        raise RuntimeError(
            f"rtol and atol must be greater than or equal to zero, but got {rtol} and {atol}"
        )
    close = compare.eq(input, other)
    if equal_nan:
        close = close | (compare.isnan(input) & compare.isnan(other))
    if rtol == 0 and atol == 0:
        return close
    difference = (
        (input - other).abs() if input._spec.dtype.name != "bool" else (input ^ other).int()
    )
    near = difference <= atol + (rtol * other).abs()
    return close | (compare.isfinite(difference) & near)


def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other|, element by element. (...), (...) -> (...)
    bool
    """
    return _close(input, other, rtol, atol, equal_nan)


def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False) -> bool:
    """Whether `isclose` holds everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input, other) -> bool:
    """Whether two tensors have one shape and the same elements."""
    if not isinstance(other, Tensor):
        raise TypeError(
            f"equal(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}"
        )
    if input._spec.shape != other._spec.shape:
        return False
    return bool(compare.eq(input, other).all())
