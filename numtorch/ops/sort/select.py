"""Order statistics without a full sort: `topk`, `kthvalue`, `median`, `nanmedian`; and `mode`."""

from ...core import dtype as dtypes
from ...core.batching import along, whole
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import as_index, wrap_dim
from ..index.lines import gather_backward_op
from ..reduce.extremes import place_at_op, take_at_op, ties
from ..reduce.geometry import reduced_shape
from ..reduce.results import named_results
from .order import ROOM, at_indices, write_pair

__all__ = ["kthvalue", "median", "mode", "nanmedian", "topk"]
TopkResult = named_results("topk", "values indices")
KthvalueResult = named_results("kthvalue", "values indices")
MedianResult = named_results("median", "values indices")
NanmedianResult = named_results("nanmedian", "values indices")
ModeResult = named_results("mode", "values indices")


def _pair(input, shape):
    values = input.like(shape)
    return values, values.like(dtype=dtypes.int64)


def _one_of(input, dim, keepdim, name):
    if input.ndim and input.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    return _pair(input, reduced_shape(input.shape, (dim,), keepdim))


def _no_bool(input, name):
    if input.dtype is dtypes.bool_:
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")


def _back_to(g, _input, out1, dim, keepdim):
    return place_at_op(g, out1, dim, keepdim, _input.shape)


def _at_kept_indices(op, tangents, tensors, attrs, results, k):
    named = dict(zip(op.attrs, attrs, strict=True))
    return take_at_op(tangents[0], results[1], named["dim"], named["keepdim"])


# -- topk, kthvalue --------------------------------------------------------------------------------
@primitive(jvp=at_indices, vmap=along("dim"),
    vjp={"input": lambda g, _input, out1, dim: gather_backward_op(g, out1, _input.shape, dim)},
    outputs=2, module=ROOM,
)  # fmt: skip
def topk_op(input, *, k, dim, largest):
    """The k largest or smallest elements along `dim`, in order, and where they are. (..., n, ...)
    -> twice (..., k, ...)
    """
    if not 0 <= k <= (input.shape[dim] if input.ndim else 1):
        raise RuntimeError(f"selected index k out of range: k={k}, shape {list(input.shape)}")
    if input.dtype is dtypes.bool_:
        raise RuntimeError("topk does not support bool dtypes")
    shape = list(input.shape)
    if shape:
        shape[dim] = k
    return _pair(input, shape)


def topk(input, k, dim=-1, largest=True, sorted=True, *, out=None):
    """The k largest (or smallest) elements along `dim`, and their indices. (..., n, ...) -> twice
    (..., k, ...)

    In order, whatever `sorted` says; of equal elements the first are taken.
    """
    dim = wrap_dim(-1 if dim is None else dim, input._spec.ndim)
    found = topk_op(input, as_index(k, "k", "topk"), dim, bool(largest))
    return TopkResult(write_pair(*found, out, "topk"))


@primitive(jvp=_at_kept_indices, vmap=along("dim"), vjp={"input": _back_to}, outputs=2, module=ROOM)
def kthvalue_op(input, *, k, dim, keepdim):
    """The k-th smallest element along `dim`, and where it is. (..., n, ...) -> twice (..., ...)"""
    shapes = _one_of(input, dim, keepdim, "kthvalue")
    _no_bool(input, "kthvalue")
    if not 1 <= k <= (input.shape[dim] if input.ndim else 1):
        raise RuntimeError(
            f"kthvalue(): selected number k out of range for dimension {dim}: k={k}, shape "
            f"{list(input.shape)}"
        )
    return shapes


def kthvalue(input, k, dim=-1, keepdim=False, *, out=None):
    """The k-th smallest element along `dim` (k counts from 1), and its index. (..., n, ...) ->
    twice (..., ...)
    """
    dim = wrap_dim(-1 if dim is None else dim, input._spec.ndim)
    found = kthvalue_op(input, as_index(k, "k", "kthvalue"), dim, bool(keepdim))
    return KthvalueResult(write_pair(*found, out, "kthvalue"))


# -- medians ---------------------------------------------------------------------------------------
def _all_equal(g, input, out):
    """The median of a whole tensor sends its gradient to all elements equal to it, in parts."""
    mask = ties(input, out)
    return (g / mask.sum()).expand(input._spec.shape).where(mask, 0)


@primitive(
    vmap=whole("median_dim_op", "skip_nan", pick=0),
    vjp={"input": _all_equal},
    module=ROOM,
    node_name="MedianBackward0",
)
def median_op(input, *, skip_nan):
    """The lower median of all elements, NaN if there are none. (...) -> ()"""
    _no_bool(input, "median")
    return input.like(())


@primitive(
    jvp=_at_kept_indices,
    vmap=along("dim"),
    vjp={"input": _back_to},
    outputs=2,
    module=ROOM,
    node_name="MedianBackward1",
)
def median_dim_op(input, *, dim, keepdim, skip_nan):
    """The lower median along `dim`, and where it is. (..., n, ...) -> twice (..., ...)

    A NaN is the median of what it is among, unless `skip_nan`.
    """
    shapes = _one_of(input, dim, keepdim, "median")
    _no_bool(input, "median")
    return shapes


def _median(input, dim, keepdim, out, skip_nan, name, result):
    if dim is None:
        found = median_op(input, skip_nan)
        return found if out is None else to_out(found, out, name, exact=True)
    pair = median_dim_op(input, wrap_dim(dim, input._spec.ndim), bool(keepdim), skip_nan)
    return result(write_pair(*pair, out, name))


def median(input, dim=None, keepdim=False, *, out=None):
    """The lower median of all elements, or along `dim` with its index; NaN where there is one.
    (...) -> (), or (..., n, ...) -> twice (..., ...)
    """
    return _median(input, dim, keepdim, out, False, "median", MedianResult)


def nanmedian(input, dim=None, keepdim=False, *, out=None):
    """The lower median of what is not NaN, of all elements, or along `dim` with its index.
    (...) -> (), or (..., n, ...) -> twice (..., ...)
    """
    return _median(input, dim, keepdim, out, True, "nanmedian", NanmedianResult)


# -- mode ------------------------------------------------------------------------------------------
@primitive(jvp=_at_kept_indices, vmap=along("dim"), vjp={"input": _back_to}, outputs=2, module=ROOM)
def mode_op(input, *, dim, keepdim):
    """The most frequent element along `dim`, and its last index. (..., n, ...) -> twice (..., ...)

    The smallest of several; each NaN counts by itself.
    """
    return _one_of(input, dim, keepdim, "mode")


def mode(input, dim=-1, keepdim=False, *, out=None):
    """The most frequent element along `dim`, the smallest of several, and its last index.
    (..., n, ...) -> twice (..., ...)
    """
    found = mode_op(input, wrap_dim(dim, input._spec.ndim), bool(keepdim))
    return ModeResult(write_pair(*found, out, "mode"))


METHODS = {
    "kthvalue": kthvalue, "median": median, "mode": mode, "nanmedian": nanmedian, "topk": topk,
}  # fmt: skip
