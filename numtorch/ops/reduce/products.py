"""Products, and the truth of any or all elements."""

from ...core import dtype as dtypes
from ...core.batching import along, whole
from ...core.op import primitive
from ...core.out import check_out, to_out
from ...core.shape import as_index
from ..create import arange
from .geometry import hashable
from .sums import ROOM, reduced, spread, sum_dtype

__all__ = ["all", "any", "prod"]


# -- prod ----------------------------------------------------------------------------------------
def _cross_backward(g, grad, input, dim):
    """By element k of the input: what prod_cross_op gives where element k is 1 and its gradients
    are zero. Row k of an (n, n) matrix holds these elements.
    """
    index = arange(input.shape[dim], device=input.device)
    same = index == index.unsqueeze(1)

    def rows(t, value):
        return t.movedim(dim, -1).unsqueeze(-2).masked_fill(same, value)

    cross = prod_cross_op(rows(grad, 0), rows(input, 1), input.ndim)
    return (rows(g, 0) * cross).sum(-1).movedim(-1, dim)


@primitive(
    vmap=along("dim"),
    vjp={"grad": lambda g, input, dim: prod_cross_op(g, input, dim), "input": _cross_backward},
    module=ROOM,
)
def prod_cross_op(grad, input, *, dim):
    """out[i] = the sum over j of grad[j] times all elements but i and j, along `dim`. (..., n, ...)
    -> (..., n, ...)
    """
    return input.like()


@primitive(
    vmap=along("dim"),
    vjp={"input": lambda g, input, dim: prod_cross_op(g, input, dim)},
    module=ROOM,
)
def prod_others_op(input, *, dim):
    """The product of all other elements along `dim`: no division, so zeros are right. (..., n, ...)
    -> (..., n, ...)
    """
    return input.like()


def _prod_backward(g, input, _input, dim, keepdim):
    if not _input.ndim:
        return g.reshape(())
    if dim is None:
        others = prod_others_op(input.reshape(-1), 0).reshape(_input.shape)
    else:
        others = prod_others_op(input, dim % _input.ndim)
    return spread(g, _input, dim, keepdim) * others


@primitive(
    vmap=whole("prod_dim_op", "dtype"),
    vjp={"input": lambda g, input, _input: _prod_backward(g, input, _input, None, False)},
    module=ROOM,
)
def prod_op(input, *, dtype):
    """The product of all elements. (...) -> ()"""
    return input.like((), sum_dtype(input, dtype))


@primitive(vmap=along("dim"), vjp={"input": _prod_backward}, module=ROOM, node_name="ProdBackward1")
def prod_dim_op(input, *, dim, keepdim, dtype):
    """The product over one dimension. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", sum_dtype(input, dtype))


def prod(input, dim=None, keepdim=False, *, dtype=None, out=None):
    """The product of all elements, or over the dimension `dim`. (..., n, ...) -> (..., ...)

    Integers are multiplied as int64.
    """
    if out is not None:
        dtype = dtype or out.dtype
    if dtype is not None and dtype.is_floating_point and input._spec.dtype is not dtype:
        input = input.to(dtype)
    if dim is None:
        result = prod_op(input, dtype)
    else:
        result = prod_dim_op(input, as_index(dim, "dim", "prod"), keepdim, dtype)
    return result if out is None else to_out(result, out, "prod", exact=True)


# -- any, all ------------------------------------------------------------------------------------
def _truth(input):
    return dtypes.uint8 if input.dtype is dtypes.uint8 else dtypes.bool_


@primitive(vmap=along("dim"), vjp={}, module=ROOM)
def any_op(input, *, dim, keepdim):
    """Whether an element is not zero. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", _truth(input))


@primitive(vmap=along("dim"), vjp={}, module=ROOM)
def all_op(input, *, dim, keepdim):
    """Whether no element is zero. (..., n, ...) -> (..., ...)"""
    return reduced(input, dim, keepdim, "", _truth(input))


def _write(result, out, name: str):
    check_out(name, out, ())
    dtype = out._spec.dtype
    if dtype not in (dtypes.bool_, dtypes.uint8):
        got = dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(f"{name} only supports bool tensor for result, got: {got}")
    return to_out(result, out, name)


def any(input, dim=None, keepdim=False, *, out=None):
    """Whether any element is true (not zero), over all or some dimensions. (..., n, ...) -> (...,
    ...)
    """
    if dim == () or dim == []:
        result = (input != 0).to(_truth(input._spec))
    else:
        result = any_op(input, hashable(dim, "any"), keepdim)
    return result if out is None else _write(result, out, "any")


def all(input, dim=None, keepdim=False, *, out=None):
    """Whether all elements are true (not zero), over all or some dimensions. (..., n, ...) -> (...,
    ...)
    """
    if dim == () or dim == []:
        result = (input != 0).to(_truth(input._spec))
    else:
        result = all_op(input, hashable(dim, "all"), keepdim)
    return result if out is None else _write(result, out, "all")


METHODS = {"all": all, "any": any, "prod": prod}
