"""Norms, and the logarithm of a sum of exponentials."""

import math

from ...core import dtype as dtypes
from ...core.batching import along
from ...core.op import primitive
from ...core.out import to_out
from .geometry import dims_of, hashable
from .sums import ROOM, reduced, spread, sum_dim_op

__all__ = ["logsumexp", "norm"]


# -- vector norms --------------------------------------------------------------------------------
def _norm_backward(g, input, out, p, dim, keepdim):
    """torch's subgradients: 0 where the norm, or an element of a norm below 2, is 0; equal parts
    for ties of inf.
    """
    spec = input._spec
    if p == 0:
        return input * 0
    if p == 1:
        return spread(g, spec, dim, keepdim) * input.sign()
    if p == 2:
        return input * spread((g / out).masked_fill(out == 0, 0), spec, dim, keepdim)
    size = input.abs()
    if math.isinf(p):
        mask = (size == spread(out, spec, dim, keepdim)) | (input != input)
        count = sum_dim_op(mask, dim, True, spec.dtype)
        return input.sign() * mask * (spread(g, spec, dim, keepdim) / count)
    if p < 1:
        part = (input.sign() * size.pow(p - 1)).masked_fill(input == 0, 0)
        return part * spread(g * out.pow(1 - p), spec, dim, keepdim)
    if p < 2:
        part = input.sign() * size.pow(p - 1)
        return part * spread((g / out.pow(p - 1)).masked_fill(out == 0, 0), spec, dim, keepdim)
    part = input * size.pow(p - 2)
    return part * spread((g / out.pow(p - 1)).masked_fill(out == 0, 0), spec, dim, keepdim)


@primitive(
    vmap=along("dim"),
    vjp={"input": _norm_backward},
    module=ROOM,
    node_name="LinalgVectorNormBackward0",
)
def norm_op(input, *, p, dim, keepdim):
    """The p-norm over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "norm")


def _check_norm(spec, p: float, dim, dtype) -> None:
    if not spec.dtype.is_floating_point:
        got = spec.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {got}"
        )
    if dtype is not None and not dtype.is_floating_point:
        got = dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"linalg.vector_norm: dtype should be floating point or complex, but got {got}"
        )
    if spec.numel or not (p < 0 or p == math.inf):
        return
    text = f"linalg.vector_norm cannot compute the {p:g} norm on "
    if dim is None or dim == ():
        raise RuntimeError(f"{text}an empty tensor because the operation does not have an identity")
    for d in dims_of(dim, spec.ndim):
        if spec.ndim and spec.shape[d] == 0:
            raise RuntimeError(
                f"{text}the dimension {d} because this dimension is empty and the operation does "
                "not have an identity"
            )


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None, out=None):
    """The p-norm of all elements, or over the dimensions `dim`. (..., n, ...) -> (..., ...)

    `ord` is p: 0 counts the elements that are not zero, inf and -inf give the largest and the
    smallest magnitude.
    """
    dim, p = hashable(dim, "vector_norm"), float(ord)
    _check_norm(x._spec, p, dim, dtype)
    if dtype is not None:
        x = x.to(dtype)
    result = norm_op(x, p, dim, keepdim)
    return result if out is None else to_out(result, out, "vector_norm", exact=True)


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The norm of all elements as a vector, or over the dimensions `dim`. (..., n, ...) -> (...,
    ...)

    `p` is a number or "fro", the 2-norm.
    """
    if p is None or p == "fro":
        p = 2.0
    if isinstance(p, str):
        if p == "nuc":
            raise RuntimeError(
                "norm: p='nuc' needs singular values, which numtorch does not compute yet"
            )
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    return vector_norm(input, p, dim, keepdim, dtype=dtype, out=out)


# -- logsumexp -----------------------------------------------------------------------------------
def _logsumexp_backward(g, input, out, dim, keepdim):
    spec = input._spec
    return spread(g, spec, dim, keepdim) * (input - spread(out, spec, dim, keepdim)).exp()


@primitive(vmap=along("dim"), vjp={"input": _logsumexp_backward}, module=ROOM)
def logsumexp_op(input, *, dim, keepdim):
    """log(sum(exp(input))) over `dim`. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "logsumexp")


def logsumexp(input, dim, keepdim=False, *, out=None):
    """log(sum(exp(input))) over the dimensions `dim`, without overflow. (..., n, ...) -> (...,
    ...)
    """
    if not input._spec.dtype.is_floating_point:
        input = input.to(dtypes.get_default_dtype())
    result = logsumexp_op(input, hashable(dim, "logsumexp"), keepdim)
    return result if out is None else to_out(result, out, "logsumexp")


METHODS = {"logsumexp": logsumexp, "norm": norm}
