"""Differences of neighbours, and areas by the trapezoidal rule."""

from ...core import dtype as dtypes
from ...core.batching import along
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import as_index, wrap_dim
from ...core.tangents import linear
from ...core.tensor import Tensor
from ..join import cat
from ..view.basic import slice_view
from .running import cumsum

ROOM = "numtorch.ops.scan"
__all__ = ["cumulative_trapezoid", "diff", "trapezoid", "trapz"]


@primitive(
    jvp=linear,
    vmap=along("dim"),
    vjp={"input": lambda g, dim, transposed: diff_op(g, dim, not transposed)},
    module=ROOM,
)
def diff_op(input, *, dim, transposed):
    """x[i + 1] - x[i] along dim; if `transposed`, the transposed map of this: x[i - 1] - x[i], with
    zeros around x. (..., n, ...) -> (..., n - 1, ...) or (..., n + 1, ...)
    """
    n = input.shape[dim] + (1 if transposed else -1)
    return input.like((*input.shape[:dim], n, *input.shape[dim + 1 :]))


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
    for _ in range(min(n, result._spec.shape[dim])):
        if result._spec.dtype is dtypes.bool_:
            before, after = _neighbours(result, dim)
            result = after != before
        elif result._spec.shape[dim]:
            result = diff_op(result, dim, False)
    result = input.clone() if result is input else result
    return result if out is None else to_out(result, out, "diff", exact=True)


def _areas(y, x, dx, dim, name):
    """Twice the areas between neighbouring points (over dx if x is None), and dim. (..., n, ...) ->
    (..., n - 1, ...)
    """
    dim = wrap_dim(dim, y._spec.ndim)
    if not y._spec.ndim:
        raise IndexError(f"{name}: expected at least one dimension, but got a 0-d tensor")
    n = y._spec.shape[dim]
    before, after = _neighbours(y, dim)
    if x is None:
        return before + after, dim
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
    return (before + after) * (right - left), dim


def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The area under points (x, y) along `dim`; without x they are `dx` apart. (..., n, ...) ->
    (..., ...)
    """
    if x is None and y._spec.numel and y._spec.ndim:
        return (y.sum(dim) - (y.select(dim, 0) + y.select(dim, -1)) * 0.5) * dx
    areas, dim = _areas(y, x, dx, dim, "trapezoid")
    return areas.sum(dim) * (0.5 if x is not None else dx * 0.5)


def trapz(y, x=None, *, dx=1, dim=-1):
    """`trapezoid`."""
    return trapezoid(y, x, dx=dx, dim=dim)


def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The running area under points (x, y) along `dim`. (..., n, ...) -> (..., n - 1, ...)"""
    areas, dim = _areas(y, x, dx, dim, "cumulative_trapezoid")
    return cumsum(areas, dim) * (0.5 if x is not None else dx * 0.5)


METHODS = {"diff": diff}
