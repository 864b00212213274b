"""Differences of neighbours, and areas by the trapezoidal rule."""

from ...core import dtype as dtypes
from ...core.out import to_out
from ...core.shape import as_index, wrap_dim
from ...core.tensor import Tensor
from ..join import cat
from ..view.basic import slice_view
from .running import cumsum

__all__ = ["cumulative_trapezoid", "diff", "trapezoid", "trapz"]


def _neighbours(input, dim):
    """All but the last, and all but the first. (..., n, ...) -> twice (..., n - 1, ...)"""
    n = input._spec.shape[dim]
    return slice_view(input, dim, 0, max(n - 1, 0)), slice_view(input, dim, min(1, n), n)


def diff(input, n=1, dim=-1, prepend=None, append=None, *, out=None):
    """Differences of neighbours along `dim`, n times over. (..., m, ...) -> (..., m - n, ...)

    `prepend` and `append` are joined to the input first. Of bool: whether neighbours differ.
    """
    spec = input._spec
    n = as_index(n, "n", "diff")
    if not spec.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, spec.ndim)
    for other in (prepend, append):
        if other is not None and other._spec.ndim != spec.ndim:
            raise RuntimeError(
                "diff expects prepend or append to be the same dimension as input: input has "
                f"{spec.ndim}, got {other._spec.ndim}"
            )
    result = input
    if n and (prepend is not None or append is not None):
        result = cat([t for t in (prepend, input, append) if t is not None], dim)
    for _ in range(n):
        before, after = _neighbours(result, dim)
        result = after != before if result._spec.dtype is dtypes.bool_ else after - before
    result = result if n else input.clone()
    return result if out is None else to_out(result, out, "diff", exact=True)


def _areas(y, x, dx, dim, name):
    """The areas between neighbouring points, and dim. (..., n, ...) -> (..., n - 1, ...)"""
    dim = wrap_dim(dim, y._spec.ndim)
    if not y._spec.ndim:
        raise IndexError(f"{name}: expected at least one dimension, but got a 0-d tensor")
    n = y._spec.shape[dim]
    before, after = _neighbours(y, dim)
    if x is None:
        return (before + after) * (dx * 0.5), dim
    if isinstance(dx, Tensor) or not isinstance(x, Tensor):
        raise TypeError(f"{name}(): argument 'x' must be Tensor, not {type(x).__name__}")
    if x._spec.ndim == 0:
        raise IndexError(f"{name}: expected x to have at least one dimension")
    if x._spec.ndim == 1:
        if x._spec.shape[0] != n:
            raise RuntimeError(
                f"{name}: There must be one `x` value for each sample point: expected {n}, got "
                f"{x._spec.shape[0]}"
            )
        x = x.view(-1, *(1,) * (y._spec.ndim - 1 - dim))
    left, right = _neighbours(x, dim - y._spec.ndim + x._spec.ndim)
    return (before + after) * (right - left) * 0.5, dim


def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under points (x, y) along `dim`; without x they are `dx` apart. (..., n, ...) ->
    (..., ...)
    """
    areas, dim = _areas(y, x, dx, dim, "trapezoid")
    return areas.sum(dim)


def trapz(y, x=None, *, dx=1, dim=-1):
    """`trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The running area under points (x, y) along `dim`. (..., n, ...) -> (..., n - 1, ...)"""
    areas, dim = _areas(y, x, dx, dim, "cumulative_trapezoid")
    return cumsum(areas, dim)


METHODS = {"diff": diff}
