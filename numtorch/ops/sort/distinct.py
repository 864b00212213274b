"""Distinct elements: `unique`, `unique_consecutive`. Sizes of results depend on the data."""

from ...core import dtype as dtypes
from ...core.op import primitive
from ...core.shape import wrap_dim
from ..create import arange, full, zeros
from ..index.masks import positions
from ..join import cat
from .order import ROOM, sort

__all__ = ["unique", "unique_consecutive"]


@primitive(vjp={}, module=ROOM)
def starts_op(values):
    """Where a row (or element) differs from the one before. (n, ...) -> (n,)"""
    return values.like(values.shape[:1], dtypes.bool_)


def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in order, or the distinct slices along `dim`. (...) -> (m,), or (...,
    n, ...) -> (..., m, ...)

    Then, where asked for: the index in the result of each element, and how often each occurs.
    Always sorted, whatever `sorted` says; each NaN is distinct.
    """
    if input._node is not None:
        input = input.detach()
    if dim is None:
        values, order = sort(input if input._spec.ndim == 1 else input.reshape(-1), 0)
        starts = starts_op(values)
        inverse_shape = tuple(input._spec.shape)
    else:
        rows, dim = _rows(input, dim, "unique")
        order = _lexicographic(rows)
        values = rows[order]
        starts = starts_op(values)
        inverse_shape = (rows._spec.shape[0],)
    result = _unpacked(values[positions(starts)], input, dim)
    inverse = counts = None
    if return_inverse:
        rank = starts.cumsum(0) - 1
        inverse = zeros(rank._spec.shape, dtype=dtypes.int64, device=rank._spec.device)
        inverse = inverse.scatter(0, order, rank).reshape(inverse_shape)
    if return_counts:
        counts = _lengths(starts)
    return _results(result, inverse, counts)


def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices along `dim`) without those that equal the one before. (...) -> (m,),
    or (..., n, ...) -> (..., m, ...)

    Then, where asked for: the index in the result of each element, and how often each repeats.
    """
    input = input.detach()
    if dim is None:
        values, inverse_shape = input.reshape(-1), tuple(input._spec.shape)
    else:
        values, dim = _rows(input, dim, "unique_consecutive")
        inverse_shape = (values._spec.shape[0],)
    starts = starts_op(values)
    result = _unpacked(values[positions(starts)], input, dim)
    inverse = (starts.cumsum(0) - 1).reshape(inverse_shape) if return_inverse else None
    return _results(result, inverse, _lengths(starts) if return_counts else None)


def _results(result, inverse, counts):
    """What was asked for: one tensor, or a tuple."""
    found = tuple(t for t in (result, inverse, counts) if t is not None)
    return found if len(found) > 1 else result


def _rows(input, dim, name):
    """The slices along `dim` as rows, and `dim` as a non-negative index."""
    shape = input._spec.shape
    dim = wrap_dim(dim, len(shape))
    if not shape:
        input, shape = input.reshape(1), (1,)
    n = shape[dim]
    if not input._spec.numel and (n or 0 in (*shape[:dim], *shape[dim + 1 :])):
        raise RuntimeError(
            f"There are 0 sized dimensions, and they aren't selected, so {name} cannot be applied"
        )
    return input.movedim(dim, 0).reshape(n, -1 if n else 0), dim


def _unpacked(rows, input, dim):
    """Distinct rows as slices along `dim` again."""
    shape = list(input._spec.shape)
    if dim is None or not shape:
        return rows if rows._spec.ndim == 1 else rows.reshape(-1)
    del shape[dim]
    return rows.reshape(rows._spec.shape[0], *shape).movedim(0, dim).contiguous()


def _lexicographic(rows):
    """The order of rows: a stable sort by each column, the last one first."""
    n, width = rows._spec.shape
    order = arange(n, device=rows._spec.device)
    for column in range(width - 1, -1, -1):
        order = order[sort(rows[:, column][order], 0)[1]]
    return order


def _lengths(starts):
    """How far it is from each start to the next. (n,) -> (m,)"""
    n = starts._spec.shape[0]
    begins = positions(starts)
    end = full((1,), n, dtype=dtypes.int64, device=starts._spec.device)
    return cat([begins, end])[1:] - begins if n else begins


METHODS = {"unique": unique, "unique_consecutive": unique_consecutive}
