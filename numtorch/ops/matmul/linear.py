"""The linear layer: one GEMM and a bias, and a derivative without transposed copies."""

from ...core.op import primitive
from ...core.out import to_out
from ...core.tangents import linear as linear_tangent
from ..pointwise.define import reduce_to
from . import batching
from .added import check_expands, same_dtype
from .einsum import einsum
from .product import ROOM, matmul, mm_op, product_shape, rows_op, scalar_type, tensors


@primitive(jvp=linear_tangent, vmap=batching.column_sum,
    vjp={"input": lambda g, _input: g.expand(_input.shape)}, node_name="SumBackward1", module=ROOM
)  # fmt: skip
def column_sum_op(input):
    """The sum over all dimensions but the last. (..., N) -> (N,)"""
    return input.like(shape=input.shape[-1:])


def _tangent(op, tangents, tensors, attrs, result, k):
    x, weight, _ = tensors
    of_x, of_weight, total = tangents
    for a, b in ((of_x, weight), (x, of_weight)):
        if a is not None and b is not None:
            part = rows_op(a, b, False, True)
            total = part if total is None else total + part
    return total.expand(result._spec.shape)


def bias_gradient(g, bias):
    """A gradient summed over rows, in the shape of the bias."""
    return column_sum_op(g) if bias.shape == g._spec.shape[-1:] else reduce_to(g, bias)


def _rule(input, weight, bias):
    if weight.ndim != 2:
        if weight.ndim > 2:
            raise RuntimeError(
                f"t() expects a tensor with <= 2 dimensions, but self is {weight.ndim}D"
            )
        raise RuntimeError("mat2 must be a matrix, got 1-D tensor")
    shape = product_shape(input, weight, False, True)
    rows = input.numel // input.shape[-1] if input.numel else 0
    check_expands(bias, (rows, shape[-1]) if bias.ndim < 2 and input.ndim != 2 else shape)
    if input.dtype is not weight.dtype:
        given = f"{scalar_type(input)} and {scalar_type(weight)}"
        raise RuntimeError(f"mat1 and mat2 must have the same dtype, but got {given}")
    same_dtype(bias, weight)
    return input.like(shape=shape)


@primitive(jvp=_tangent, vmap=batching.linear,
    vjp={
        "input": lambda g, weight: mm_op(g, weight, False, False),
        "weight": lambda g, input: mm_op(g, input, True, False),
        "bias": lambda g, _bias: bias_gradient(g, _bias),
    },
    node_name="AddmmBackward0", module=ROOM,
)  # fmt: skip
def linear_op(input, weight, bias):
    """input @ weight.T + bias. (M, K), (N, K), (N,) -> (M, N)"""
    return _rule(input, weight, bias)


@primitive(jvp=_tangent, vmap=batching.linear,
    vjp={
        "input": lambda g, weight: rows_op(g, weight, False, False),
        "weight": lambda g, input: rows_op(g, input, True, False),
        "bias": lambda g, _bias: bias_gradient(g, _bias),
    },
    node_name="ViewBackward0", module=ROOM,
)  # fmt: skip
def linear_rows_op(input, weight, bias):
    """`linear_op` for any leading dimensions. (..., K), (N, K), (N,) -> (..., N)"""
    return _rule(input, weight, bias)


def linear(input, weight, bias=None, *, out=None):
    """input @ weight.T + bias. (..., K), (N, K), (N,) -> (..., N)"""
    if out is not None:
        return to_out(linear(input, weight, bias), out, "linear", exact=True)
    try:
        ndim = len(input._spec.shape)
        if bias is not None:
            if ndim == 2:
                return linear_op(input, weight, bias)
            if ndim:
                return linear_rows_op(input, weight, bias)
        elif len(weight._spec.shape) == 2 and ndim:
            return (mm_op if ndim == 2 else rows_op)(input, weight, False, True)
    except AttributeError:
        tensors("linear", input=input, weight=weight)
        raise
    result = matmul(input, weight.t())
    return result if bias is None else result + bias


def bilinear(input1, input2, weight, bias=None):
    """input1 @ weight[n] @ input2 for each n, + bias.

    (..., I), (..., J), (N, I, J), (N,) -> (..., N)
    """
    tensors("bilinear", input1=input1, input2=input2, weight=weight)
    a, b, w = input1._spec.shape, input2._spec.shape, weight._spec.shape
    if len(a) != len(b):
        raise RuntimeError(f"bilinear(): input dimensions do not match: got {len(a)} and {len(b)}")
    for d, (n, m) in enumerate(zip(a[:-1], b[:-1], strict=True)):
        if n != m:
            raise RuntimeError(
                f"bilinear(): input batch dimensions do not match at dim {d}: got {n} and {m}"
            )
    for i, (n, m) in enumerate(((a[-1], w[1]), (b[-1], w[2])), 1):
        if n != m:
            raise RuntimeError(
                f"bilinear(): input{i} size does not match weight size: got {n} but expected {m}"
            )
    result = einsum("...i,nij,...j->...n", input1, weight, input2)
    return result if bias is None else result + bias
