"""Sums, means and counts."""

import math

from ...core import dtype as dtypes
from ...core.batching import Call, along, run, whole
from ...core.interp import runtime
from ...core.op import primitive, view_primitive
from ...core.out import to_out
from ...core.tangents import linear
from .geometry import dims_of, hashable, reduced_shape

ROOM = "numtorch.ops.reduce"
__all__ = ["count_nonzero", "mean", "nanmean", "nansum", "sum"]


def _spread_batch(call: Call):
    size = call.attrs["size"]
    if not size:
        return run("alias_op", call.tensors[0])
    dims = tuple(d + 1 for d in dims_of(call.attrs["dim"], len(size)))
    return call.run(call.tensors[0], dim=dims, size=(call.size, *size))


# -- the derivative of a sum ---------------------------------------------------------------------
@view_primitive(
    vmap=_spread_batch,
    vjp={"input": lambda g, dim, keepdim: add_up(g, dim, keepdim)},
    node_name="ExpandBackward0",
    module=ROOM,
)
def spread_op(input, *, dim, keepdim, size):
    """A result of a reduction over `dim`, repeated over the elements that it came from: a view with
    strides 0.
    """
    dims = dims_of(dim, len(size))
    strides = list(input.strides)
    if not keepdim:
        for d in sorted(dims):
            strides.insert(d, 0)
    return input.strided(
        size, [0 if d in dims else s for d, s in enumerate(strides[: len(size)])]
    ), 0


def spread(g, spec, dim, keepdim):
    """The gradient of a sum over `dim` of a tensor of `spec`."""
    g = spread_op(g, dim, keepdim, spec.shape)
    return g if g._spec.dtype is spec.dtype else runtime["to_dtype"](g, spec.dtype)


# -- sum -----------------------------------------------------------------------------------------
def reduced(input, dim, keepdim, name: str, dtype=None):
    """The output's Spec."""
    return input.like(reduced_shape(input.shape, dims_of(dim, input.ndim, name), keepdim), dtype)


def sum_dtype(input, dtype):
    """Sums of integers are int64."""
    return dtype or (input.dtype if input.dtype.is_floating_point else dtypes.int64)


@primitive(
    jvp=linear,
    vmap=whole("sum_dim_op", "dtype", dim=(1,)),
    vjp={"input": lambda g, _input: spread(g, _input, None, False)},
    module=ROOM,
)
def sum_op(input, *, dtype):
    """The sum of all elements. (...) -> ()"""
    return input.like((), sum_dtype(input, dtype))


@primitive(
    jvp=linear,
    vmap=along("dim"),
    vjp={"input": lambda g, _input, dim, keepdim: spread(g, _input, dim, keepdim)},
    module=ROOM,
    node_name="SumBackward1",
)
def sum_dim_op(input, *, dim, keepdim, dtype):
    """The sum over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", sum_dtype(input, dtype))


def add_up(input, dim, keepdim):
    """The sum over `dim`, an attribute of another op."""
    return sum_dim_op(input, dim, keepdim, None)


def sum(input, dim=None, keepdim=False, *, dtype=None, out=None, axis=None, keepdims=False):
    """The sum of all elements, or over the dimensions `dim`. (..., n, ...) -> (..., ...)

    Integers are summed as int64. `axis` and `keepdims` are NumPy's names.
    """
    if out is not None:
        dtype = dtype or out.dtype
    if axis is not None or keepdims:
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
    if dim is None and not keepdim:
        result = sum_op(input, dtype)
    else:
        result = sum_dim_op(
            input, dim if dim.__class__ is int else hashable(dim, "sum"), keepdim, dtype
        )
    return result if out is None else to_out(result, out, "sum", exact=True)


def sum_to_size(input, *size):
    """The sum over those dimensions in which `size` is smaller: what undoes broadcasting.
    (...) -> size
    """
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = size[0]
    shape = input._spec.shape
    missing = len(shape) - len(size)
    kept = tuple(size)
    if missing < 0 or any(n not in (s, 1) for n, s in zip(kept, shape[missing:], strict=True)):
        raise RuntimeError(f"size {{{list(kept)}}} is not expandable to size {{{list(shape)}}}.")
    if shape == kept:
        return input
    inner = tuple(d for d in range(missing, len(shape)) if shape[d] != 1 and kept[d - missing] == 1)
    if not kept:
        return sum_op(input, None)
    if not inner:
        return sum_dim_op(input, tuple(range(missing)), False, None)
    if missing:
        whole = sum_dim_op(input, (*range(missing), *inner), True, None)
        return whole.reshape(kept)
    return sum_dim_op(input, inner, True, None)


runtime["sum_to_size"] = sum_to_size


# -- mean ----------------------------------------------------------------------------------------
def _mean_dtype(input, dtype):
    found = dtype or input.dtype
    if not found.is_floating_point:
        whose = "Optional" if dtype else "Input"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {whose} dtype must be either a floating point "
            "or complex dtype. "
            f"Got: {found.type_name.removesuffix('Tensor')}"
        )
    return found


def count_of(spec, dim) -> int:
    """How many elements each result of a reduction over `dim` comes from."""
    return math.prod(spec.shape[d] for d in dims_of(dim, spec.ndim) if d < spec.ndim)


@primitive(
    jvp=linear,
    vmap=whole("mean_dim_op", "dtype", dim=(1,)),
    vjp={"input": lambda g, _input: spread(g / _input.numel, _input, None, False)},
    module=ROOM,
)
def mean_op(input, *, dtype):
    """The mean of all elements. (...) -> ()"""
    return input.like((), _mean_dtype(input, dtype))


@primitive(
    jvp=linear,
    vmap=along("dim"),
    vjp={
        "input": lambda g, _input, dim, keepdim: spread(
            g / count_of(_input, dim), _input, dim, keepdim
        )
    },
    module=ROOM,
    node_name="MeanBackward1",
)
def mean_dim_op(input, *, dim, keepdim, dtype):
    """The mean over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", _mean_dtype(input, dtype))


def mean(input, dim=None, keepdim=False, *, dtype=None, out=None, axis=None, keepdims=False):
    """The mean of all elements, or over the dimensions `dim`. (..., n, ...) -> (..., ...)"""
    if axis is not None or keepdims:
        dim, keepdim = dim if axis is None else axis, keepdim or keepdims
    if dim is None and not keepdim:
        result = mean_op(input, dtype)
    else:
        result = mean_dim_op(
            input, dim if dim.__class__ is int else hashable(dim, "mean"), keepdim, dtype
        )
    return result if out is None else to_out(result, out, "mean")


# -- without NaN, and counts ---------------------------------------------------------------------
@primitive(
    vmap=along("dim"),
    vjp={
        "input": lambda g, input, dim, keepdim: spread(g, input._spec, dim, keepdim).where(
            input == input, 0
        )
    },
    module=ROOM,
)
def nansum_op(input, *, dim, keepdim, dtype):
    """The sum of what is not NaN. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", sum_dtype(input, dtype))


def nansum(input, dim=None, keepdim=False, *, dtype=None, out=None):
    """The sum with NaN as zero. (..., n, ...) -> (..., ...)"""
    if not input._spec.dtype.is_floating_point:
        return sum(input, dim, keepdim, dtype=dtype, out=out)
    result = nansum_op(input, hashable(dim, "nansum"), keepdim, dtype)
    return result if out is None else to_out(result, out, "nansum")


def nanmean(input, dim=None, keepdim=False, *, dtype=None, out=None):
    """The mean of what is not NaN. (..., n, ...) -> (..., ...)"""
    if not input._spec.dtype.is_floating_point:
        got = input._spec.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {got}"
        )
    count = sum(input == input, dim, keepdim)
    result = nansum(input, dim, keepdim, dtype=dtype) / count
    return result if out is None else to_out(result, out, "nanmean")


@primitive(vmap=along("dim"), vjp={}, module=ROOM)
def count_nonzero_op(input, *, dim):
    """How many elements are not zero. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, False, "count_nonzero", dtypes.int64)


def count_nonzero(input, dim=None):
    """How many elements are not zero, over all or some dimensions. (..., n, ...) -> (..., ...)"""
    return count_nonzero_op(input, hashable(dim, "count_nonzero"))


METHODS = {
    "count_nonzero": count_nonzero,
    "mean": mean,
    "nanmean": nanmean,
    "nansum": nansum,
    "sum": sum,
    "sum_to_size": sum_to_size,
}
