"""Largest and smallest elements, and where they are."""

from ...core import dtype as dtypes
from ...core.batching import Call, along, any_true, reshaped, samples, whole
from ...core.op import primitive
from ...core.out import check_out, to_out
from ...core.shape import as_index, wrap_dim
from ...core.tangents import linear
from ...core.tensor import Tensor
from ..pointwise.arith import maximum, minimum
from .geometry import dims_of, hashable, reduced_shape
from .results import named_results
from .sums import ROOM, reduced, spread, sum_dim_op

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "min"]
MaxResult = named_results("max", "values indices")
MinResult = named_results("min", "values indices")
AminmaxResult = named_results("aminmax", "min max")


def check_not_empty(input, dim, name: str) -> None:
    """Raise torch's error for a reduction without identity over no elements."""
    if input.numel:
        return
    if dim is None or dim == ():
        kind = IndexError if name.startswith("arg") else RuntimeError
        raise kind(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
            "the reduction dim with "
            "the 'dim' argument."
        )
    given = dim if isinstance(dim, tuple) else (dim,)
    for said, d in zip(given, dims_of(dim, input.ndim), strict=True):
        if input.ndim and input.shape[d] == 0:
            shown = said if name.startswith("am") else d
            raise IndexError(f"{name}(): Expected reduction dim {shown} to have non-zero size.")


# -- whole tensors and amax, amin ----------------------------------------------------------------
def ties(input, out):
    """Which elements are `out`, NaN included."""
    mask, missing = input == out, out != out
    return mask | ((input != input) & missing) if any_true(missing) else mask


def _all_ties(g, input, out):
    """max() and min() send their gradient to all elements that tie, in equal parts."""
    mask = ties(input, out)
    return (g / mask.sum()).expand(input._spec.shape).where(mask, 0)


def _share(g, input, out, dim, keepdim):
    """amax() and amin(): the same, for each result."""
    mask = input == spread(out, input._spec, dim, keepdim)
    count = sum_dim_op(mask, dim, True, g._spec.dtype)
    return spread(g, input._spec, dim, keepdim) * mask / count


@primitive(
    vmap=whole("amax_op", dim=(1,)), vjp={"input": _all_ties}, module=ROOM, node_name="MaxBackward1"
)
def max_op(input):
    """The largest element. (...) -> ()"""
    check_not_empty(input, None, "max")
    return input.like(())


@primitive(
    vmap=whole("amin_op", dim=(1,)), vjp={"input": _all_ties}, module=ROOM, node_name="MinBackward1"
)
def min_op(input):
    """The smallest element. (...) -> ()"""
    check_not_empty(input, None, "min")
    return input.like(())


@primitive(vmap=along("dim"), vjp={"input": _share}, module=ROOM)
def amax_op(input, *, dim, keepdim):
    """The largest element over `dim`. (..., n, ...) -> (..., ...)"""
    check_not_empty(input, dim, "amax")
    return reduced(input, dim, keepdim, "amax")


@primitive(vmap=along("dim"), vjp={"input": _share}, module=ROOM)
def amin_op(input, *, dim, keepdim):
    """The smallest element over `dim`. (..., n, ...) -> (..., ...)"""
    check_not_empty(input, dim, "amin")
    return reduced(input, dim, keepdim, "amin")


def _write_same(result, out, name: str):
    check_out(name, out, (result,))
    if out._spec.dtype is not result._spec.dtype:
        mine, theirs = (t._spec.dtype.type_name.removesuffix("Tensor") for t in (result, out))
        raise RuntimeError(
            "Expected the dtype for input and out to match, but got "
            f"{mine} for input's dtype and {theirs} for out's dtype. ({name})"
        )
    return to_out(result, out, name)


def amax(input, dim=(), keepdim=False, *, out=None):
    """The largest element over all or some dimensions; ties share the gradient. (..., n, ...) ->
    (..., ...)
    """
    result = amax_op(input, hashable(dim, "amax"), keepdim)
    return result if out is None else _write_same(result, out, "amax")


def amin(input, dim=(), keepdim=False, *, out=None):
    """The smallest element over all or some dimensions; ties share the gradient. (..., n, ...) ->
    (..., ...)
    """
    result = amin_op(input, hashable(dim, "amin"), keepdim)
    return result if out is None else _write_same(result, out, "amin")


def aminmax(input, *, dim=None, keepdim=False, out=None):
    """The smallest and the largest element, as (min, max). (..., n, ...) -> (..., ...), (...,
    ...)
    """
    spec = input._spec
    if not spec.numel and dim is None:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    if not spec.numel and spec.ndim and spec.shape[wrap_dim(dim, spec.ndim)] == 0:
        raise IndexError(f"aminmax: Expected reduction dim {dim} to have non-zero size.")
    dim = hashable(dim, "aminmax")
    found = amin_op(input, dim, keepdim), amax_op(input, dim, keepdim)
    if out is not None:
        found = tuple(_write_same(r, o, "aminmax") for r, o in zip(found, out, strict=True))
    return AminmaxResult(found)


def _place_batch(call: Call):
    size, dim = call.attrs["size"], call.attrs["dim"]
    if not size:
        return samples(call)
    return call.run(*call.every(), dim=dim % len(size) + 1, size=(call.size, *size))


def _take_batch(call: Call):
    rank = call.rank()
    return call.run(*call.every(), dim=call.attrs["dim"] % rank + 1) if rank else samples(call)


def _argument_batch(call: Call):
    if call.attrs["dim"] is not None:
        return along("dim")(call)
    flat = reshaped(call.tensors[0], (call.size, call.logical[0].numel))
    found = call.run(flat, dim=1, keepdim=False)
    return reshaped(found, (call.size, *[1] * call.rank())) if call.attrs["keepdim"] else found


# -- one dimension, with indices -----------------------------------------------------------------
@primitive(
    jvp=linear,
    vmap=_place_batch,
    vjp={"grad": lambda g, indices, dim, keepdim: take_at_op(g, indices, dim, keepdim)},
    module=ROOM,
)
def place_at_op(grad, indices, *, dim, keepdim, size):
    """Zeros of `size`, but for grad[...] at index indices[...] of `dim`. (..., ...), (..., ...) ->
    (..., n, ...)
    """
    return grad.like(size)


@primitive(
    jvp=linear,
    vmap=_take_batch,
    vjp={
        "input": lambda g, indices, _input, dim, keepdim: place_at_op(
            g, indices, dim, keepdim, _input.shape
        )
    },
    module=ROOM,
)
def take_at_op(input, indices, *, dim, keepdim):
    """input[..., indices[...], ...], with one index of `dim` for each result. (..., n, ...), (...,
    ...) -> (..., ...)
    """
    return input.like(indices.shape)


def _extreme(input, dim, keepdim, name):
    check_not_empty(input, dim, name)
    values = input.like(reduced_shape(input.shape, dims_of(dim, input.ndim, ""), keepdim))
    return values, values.like(dtype=dtypes.int64)


def _at_index(op, tangents, tensors, attrs, results, k):
    return take_at_op(tangents[0], results[1], *attrs)


def _to_index(g, _input, out1, dim, keepdim):
    return place_at_op(g, out1, dim, keepdim, _input.shape)


@primitive(
    jvp=_at_index,
    vmap=along("dim"),
    vjp={"input": _to_index},
    outputs=2,
    module=ROOM,
    node_name="MaxBackward0",
)
def max_dim_op(input, *, dim, keepdim):
    """The largest elements over one dimension and their first indices. (..., n, ...) -> (..., ...),
    (..., ...)
    """
    return _extreme(input, dim, keepdim, "max")


@primitive(
    jvp=_at_index,
    vmap=along("dim"),
    vjp={"input": _to_index},
    outputs=2,
    module=ROOM,
    node_name="MinBackward0",
)
def min_dim_op(input, *, dim, keepdim):
    """The smallest elements over one dimension and their first indices. (..., n, ...) -> (...,
    ...), (..., ...)
    """
    return _extreme(input, dim, keepdim, "min")


_missing = object()


def max(input, dim=_missing, keepdim=False, *, out=None, other=_missing):
    """max(input): the largest element; max(input, dim): (values, indices) over a dimension;
    max(input, other): the larger of two tensors, element by element.
    """
    if dim is _missing and other is _missing:
        result = max_op(input)
        return result if out is None else to_out(result, out, "max", exact=True)
    if other is not _missing or isinstance(dim, Tensor):
        return maximum(input, dim if other is _missing else other, out=out)
    values, indices = max_dim_op(input, as_index(dim, "dim", "max"), keepdim)
    return MaxResult((values, indices) if out is None else _write_both(values, indices, out, "max"))


def min(input, dim=_missing, keepdim=False, *, out=None, other=_missing):
    """min(input): the smallest element; min(input, dim): (values, indices) over a dimension;
    min(input, other): the smaller of two tensors, element by element.
    """
    if dim is _missing and other is _missing:
        result = min_op(input)
        return result if out is None else to_out(result, out, "min", exact=True)
    if other is not _missing or isinstance(dim, Tensor):
        return minimum(input, dim if other is _missing else other, out=out)
    values, indices = min_dim_op(input, as_index(dim, "dim", "min"), keepdim)
    return MinResult((values, indices) if out is None else _write_both(values, indices, out, "min"))


def _write_both(values, indices, out, name: str):
    return to_out(values, out[0], name, exact=True), to_out(indices, out[1], name, exact=True)


def _place(input, dim, keepdim, name):
    if input.dtype is dtypes.bool_:
        raise RuntimeError(f"{name}(): does not support bool input")
    check_not_empty(input, dim, name)
    return reduced(input, dim, keepdim, "", dtypes.int64)


@primitive(vmap=_argument_batch, vjp={}, module=ROOM)
def argmax_op(input, *, dim, keepdim):
    """The first indices of the largest elements over one dimension, or of all if these are
    contiguous. (..., n, ...) -> (..., ...)
    """
    return _place(input, dim, keepdim, "argmax")


@primitive(vmap=_argument_batch, vjp={}, module=ROOM)
def argmin_op(input, *, dim, keepdim):
    """The first indices of the smallest elements over one dimension, or of all if these are
    contiguous. (..., n, ...) -> (..., ...)
    """
    return _place(input, dim, keepdim, "argmin")


def _arg(op, input, dim, keepdim, out, name: str):
    if dim is not None:
        dim = as_index(dim, "dim", name)
    elif not input._spec.contiguous:
        input = input.contiguous()
    found = op(input, dim, keepdim)
    return found if out is None else to_out(found, out, name, exact=True)


def argmax(input, dim=None, keepdim=False, *, out=None):
    """The first index of the largest element, of the flattened tensor or over one dimension.
    (..., n, ...) -> (..., ...)
    """
    return _arg(argmax_op, input, dim, keepdim, out, "argmax")


def argmin(input, dim=None, keepdim=False, *, out=None):
    """The first index of the smallest element, of the flattened tensor or over one dimension.
    (..., n, ...) -> (..., ...)
    """
    return _arg(argmin_op, input, dim, keepdim, out, "argmin")


METHODS: dict = {
    "amax": amax,
    "amin": amin,
    "aminmax": aminmax,
    "argmax": argmax,
    "argmin": argmin,
    "max": max,
    "min": min,
}
