"""softmax and log_softmax: each one kernel, with a derivative that is an op itself."""

import warnings

from ...core.batching import along, whole
from ...core.dtype import dtype as dtype_class
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import as_index, wrap_dim
from ..copy import to_dtype
from ..reduce.sums import sum_dim_op


def _same(input, dim: int, name: str):
    wrap_dim(dim, input.ndim)
    if not input.dtype.is_floating_point:
        kind = input.dtype.type_name.removesuffix("Tensor")
        last = "lastdim_" if dim in (-1, input.ndim - 1) else ""
        raise RuntimeError(f"\"{name}_{last}kernel_impl\" not implemented for '{kind}'")
    return input.like()


def _total(values, dim):
    return sum_dim_op(values, dim, True, None)


def _softmax_tangent(op, tangents, tensors, attrs, out, k):
    return softmax_backward_op(tangents[0], out, *attrs)  # its Jacobian is symmetric


def _log_softmax_tangent(op, tangents, tensors, attrs, out, k):
    (t,) = tangents
    return t - (out.exp() * t).sum(*attrs, True)


@primitive(
    jvp=_softmax_tangent,
    vmap=along("dim"),
    vjp={"input": lambda g, out, dim: softmax_backward_op(g, out, dim)},
)
def softmax_op(input, *, dim):
    """exp(input) / sum(exp(input)) along dim. (..., n, ...) -> (..., n, ...)"""
    return _same(input, dim, "softmax")


@primitive(
    vmap=along("dim"),
    vjp={
        "grad": lambda g, output, dim: softmax_backward_op(g, output, dim),
        "output": lambda g, grad, output, dim: (
            g * (grad - _total(grad * output, dim)) - grad * _total(g * output, dim)
        ),
    },
)
def softmax_backward_op(grad, output, *, dim):
    """output * (grad - sum(grad * output)) along dim. (..., n, ...), (..., n, ...) -> (..., n,
    ...)
    """
    return output.like()


@primitive(
    jvp=_log_softmax_tangent,
    vmap=along("dim"),
    vjp={"input": lambda g, out, dim: log_softmax_backward_op(g, out, dim)},
)
def log_softmax_op(input, *, dim):
    """input - log(sum(exp(input))) along dim. (..., n, ...) -> (..., n, ...)"""
    return _same(input, dim, "log_softmax")


@primitive(
    vmap=along("dim"),
    vjp={
        "grad": lambda g, output, dim: g - _total(g * output.exp(), dim),
        "output": lambda g, grad, output, dim: -(g * output.exp() * _total(grad, dim)),
    },
)
def log_softmax_backward_op(grad, output, *, dim):
    """grad - exp(output) * sum(grad) along dim. (..., n, ...), (..., n, ...) -> (..., n, ...)"""
    return output.like()


def _arguments(name: str, input, dim, stacklevel, dtype):
    if isinstance(stacklevel, dtype_class):  # the method's second positional argument is dtype
        dtype = stacklevel
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. Change the call to "
            "include dim=X as an "
            "argument.",
            stacklevel=4,
        )
        dim = 0 if input.ndim in (0, 1, 3) else 1
    elif dim.__class__ is not int:
        dim = as_index(dim, "dim", name)
    return (input if dtype is None else to_dtype(input, dtype)), dim


def softmax(input, dim=None, _stacklevel=3, dtype=None, *, out=None):
    """exp(input) / sum(exp(input)) along `dim`. (..., n, ...) -> (..., n, ...)

    `dtype`: what the input is converted to first.
    """
    if dim.__class__ is not int or dtype is not None or _stacklevel != 3:
        input, dim = _arguments("softmax", input, dim, _stacklevel, dtype)
    result = softmax_op(input, dim)
    return result if out is None else to_out(result, out, "softmax", exact=True)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None, *, out=None):
    """log(softmax(input)) along `dim`, without overflow. (..., n, ...) -> (..., n, ...)

    `dtype`: what the input is converted to first.
    """
    if dim.__class__ is not int or dtype is not None or _stacklevel != 3:
        input, dim = _arguments("log_softmax", input, dim, _stacklevel, dtype)
    result = log_softmax_op(input, dim)
    return result if out is None else to_out(result, out, "log_softmax", exact=True)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-input) along `dim`. (..., n, ...) -> (..., n, ...)"""
    input, dim = _arguments("softmin", input, dim, _stacklevel, dtype)
    return softmax_op(-input, dim)


__all__ = ["log_softmax", "softmax"]
METHODS = {"log_softmax": log_softmax, "softmax": softmax}
FUNCTIONAL = ["log_softmax", "softmax", "softmin"]
