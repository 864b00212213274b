"""Sorting along one dimension: `sort`, `argsort`, `msort`. Every sort is stable; NaN is last."""

from ...core import dtype as dtypes
from ...core.batching import along
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import wrap_dim
from ..index.lines import gather_backward_op, gather_op
from ..reduce.results import named_results

__all__ = ["argsort", "msort", "sort"]
ROOM = "numtorch.ops.sort"
SortResult = named_results("sort", "values indices")


def _unsorted(g, _input, out1, dim):
    return gather_backward_op(g, out1, _input.shape, dim)


def at_indices(op, tangents, tensors, attrs, results, k):
    """The tangent of elements that were picked along `dim`."""
    return gather_op(tangents[0], results[1], attrs[op.attrs.index("dim")])


@primitive(jvp=at_indices, vmap=along("dim"), vjp={"input": _unsorted}, outputs=2, module=ROOM)
def sort_op(input, *, dim, descending):
    """The elements in order along `dim`, and where they were. (..., n, ...) -> twice (..., n, ...)

    Equal elements (-0.0 and 0.0 are) keep their order; NaN counts as the largest.
    """
    return input.like(), input.like(dtype=dtypes.int64)


def write_pair(values, indices, out, name: str):
    """(values, indices), written to the two tensors of out= where it is given."""
    if out is None:
        return values, indices
    return to_out(values, out[0], name, exact=True), to_out(indices, out[1], name, exact=True)


def sort(input, dim=-1, descending=False, *, stable=False, out=None):
    """The elements in order along `dim`, and their indices. (..., n, ...) -> twice (..., n, ...)

    Always stable, whatever `stable` says; NaN is last, or first if `descending`.
    """
    found = sort_op(input, wrap_dim(dim, input._spec.ndim), bool(descending))
    return SortResult(write_pair(*found, out, "sort"))


def argsort(input, dim=-1, descending=False, *, stable=False):
    """The indices that sort along `dim`. (..., n, ...) -> (..., n, ...)"""
    return sort(input.detach(), dim, descending)[1]


def msort(input, *, out=None):
    """The elements in order along the first dimension. (n, ...) -> (n, ...)"""
    values = sort(input, 0)[0]
    return values if out is None else to_out(values, out, "msort", exact=True)


METHODS = {"argsort": argsort, "msort": msort, "sort": sort}
