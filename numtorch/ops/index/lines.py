"""gather and scatter: an index tensor with as many dimensions as the input, read or written along
one of them.
"""

import warnings

from ...core import dtype as dtypes
from ...core.device import CPU
from ...core.generate import stub
from ...core.inplace import rename, replace
from ...core.interp import runtime
from ...core.op import primitive
from ...core.shape import broadcast_shapes, wrap_dim
from ...core.tangents import linear
from ...core.tensor import Tensor
from ..view.primitives import slice_backward_op
from . import batching
from .rows import LONG_OR_INT, apart, before, deliver, fresh, type_word

__all__ = ["gather", "scatter", "scatter_add", "scatter_reduce", "take_along_dim"]
ROOM = "numtorch.ops.index"


# -- gather ----------------------------------------------------------------------------------------
@primitive(jvp=linear, vmap=batching.lines,
    vjp={"input": lambda g, _input, index, dim: gather_backward_op(g, index, tuple(_input.shape),
    dim)}, module=ROOM
)  # fmt: skip
def gather_op(input, index, *, dim):
    """out[.., j, ..] = input[.., index[.., j, ..], ..]. (.., N, ..), (.., J, ..) -> (.., J, ..)"""
    if index.numel and index.dtype not in LONG_OR_INT:
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    if max(index.ndim, 1) != max(input.ndim, 1) and index.numel:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for d, n in enumerate(index.shape if index.numel else ()):
        if d != dim and d < input.ndim and n > input.shape[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be "
                f"no larger than self "
                f"{list(input.shape)} apart from dimension {dim}"
            )
    return input.like(shape=index.shape)


@primitive(
    jvp=linear,
    vmap=batching.lines,
    vjp={"grad": lambda g, index, dim: gather_op(g, index, dim)},
    module=ROOM,
)
def gather_backward_op(grad, index, *, size, dim):
    """Zeros to which values are added along a dimension. (.., J, ..), (.., J, ..) -> size"""
    return grad.like(shape=size)


def gather(input, dim, index, *, sparse_grad=False, out=None):
    """out[.., j, ..] = input[.., index[.., j, ..], ..]. (.., N, ..), (.., J, ..) -> (.., J, ..)

    Raises RuntimeError for indices outside of [0, N).
    """
    result = gather_op(input, index, wrap_dim(dim, input._spec.ndim))
    return deliver(result, out, "gather", input, index)


def take_along_dim(input, indices, dim=None, *, out=None):
    """`gather` in which input and indices broadcast beside `dim`; without `dim`, of the flattened
    tensors.
    """
    if not isinstance(indices, Tensor):
        raise TypeError(
            f"take_along_dim(): argument 'indices' must be Tensor, not {type(indices).__name__}"
        )
    if indices._spec.dtype is not dtypes.int64:
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got "
            f"{type_word(indices._spec)}"
        )
    if dim is None:
        result = gather(input.reshape(-1), 0, indices.reshape(-1))
        return deliver(result, out, "take_along_dim", input, indices)
    have, want = input._spec.ndim, indices._spec.ndim
    if have != want:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            "but got "
            f"{have} dimensions for input, and {want} dimensions for indices"
        )
    dim = wrap_dim(dim, have)
    sizes, wanted = list(input._spec.shape), list(indices._spec.shape)
    if sizes:
        n, k = sizes[dim], wanted[dim]
        sizes[dim] = wanted[dim] = 1
        if sizes != wanted:
            common = list(broadcast_shapes(sizes, wanted))
            input = input.expand(*common[:dim], n, *common[dim + 1 :])
            indices = indices.expand(*common[:dim], k, *common[dim + 1 :])
        if n and (runtime["interp"] is not None or input._spec.device is not CPU):
            indices = indices % n
    try:
        result = gather(input, dim, indices)
    except RuntimeError:
        if not input._spec.numel:
            raise
        # torch counts negative indices from the end here, and wraps all others
        result = gather(input, dim, indices % input._spec.shape[dim] if sizes else indices)
    return deliver(result, out, "take_along_dim", input, indices)


# -- scatter ---------------------------------------------------------------------------------------
def _check(input, index, src, dim) -> None:
    if index.numel and index.dtype not in LONG_OR_INT:
        raise RuntimeError("scatter(): Expected dtype int32/int64 for index")
    if not src.weak and src.dtype is not input.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
    if not index.numel:
        return
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if not src.weak and max(index.ndim, 1) != max(src.ndim, 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    sizes, have, given = index.shape or (1,), input.shape or (1,), src.shape or (1,)
    small = all(n <= have[d] for d, n in enumerate(sizes) if d != dim)
    if small and (src.weak or all(n <= given[d] for d, n in enumerate(sizes))):
        return
    raise RuntimeError(
        f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart "
        f"from dimension {dim}"
        + ("" if src.weak else f" and to be no larger size than src {list(src.shape)}")
    )


def _of_src(g, index, src, dim):
    """The gradient of the part of `src` that was used, at its place in zeros of its shape."""
    part = gather_op(g, index, dim) if index._spec.numel else g.new_zeros(tuple(index._spec.shape))
    if not index._spec.numel:
        return g.new_zeros(tuple(src.shape))
    for d, n in enumerate(src.shape):
        if part._spec.shape[d] != n:
            size = (*part._spec.shape[:d], n, *part._spec.shape[d + 1 :])
            part = slice_backward_op(part, size, d, 0, 1)
    return part


def _of_input(g, index, dim, reduce):
    if not index._spec.numel or reduce == "add":
        return g
    if reduce != "":
        raise RuntimeError(
            "derivative for scatter with reduce='multiply' is not implemented: use scatter_reduce "
            "with 'prod'"
        )
    return scatter_op(g, index, 0, dim, "")


def _scatter_src(g, index, _src, dim, reduce):
    if reduce == "multiply":
        raise RuntimeError(
            "derivative for scatter with reduce='multiply' is not implemented: use scatter_reduce "
            "with 'prod'"
        )
    return _of_src(g, index, _src, dim)


@primitive(vmap=batching.lines,
    vjp={"input": _of_input, "src": _scatter_src}, aliasing=True, numbers=True, module=ROOM
)  # fmt: skip
def scatter_op(input, index, src, *, dim, reduce):
    """A copy with values written (or added, multiplied) along a dimension. (.., N, ..), (.., J,
    ..), (.., J, ..)
    """
    if index.weak:
        raise TypeError("scatter(): argument 'index' must be Tensor")
    _check(input, index, src, dim)
    return fresh(input)


_scatter_in_place = stub(scatter_op.op, "in_place", "scatter_")


def _arguments(input, src, value, reduce):
    """(values, reduce) of scatter: a tensor or a number, as `src` or `value`."""
    src = value if src is None else src
    if not isinstance(src, (Tensor, int, float)):
        raise TypeError(
            "scatter() received an invalid combination of arguments - got (int, Tensor, "
            f"{type(src).__name__}), but expected (int dim, Tensor index, Tensor src) or (int "
            f"dim, Tensor index, Number "
            "value)"
        )
    if reduce is None:
        return src, ""
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if isinstance(src, Tensor):
        warnings.warn(
            "The reduce argument of torch.scatter with Tensor src is deprecated and will be "
            "removed in a future PyTorch "
            "release. Use torch.scatter_reduce instead for more reduction options.",
            stacklevel=3,
        )
    return src, reduce


def _named(result, src) -> None:
    if result._node is not None and not isinstance(src, Tensor):
        rename(result, scatter_op, "ScatterBackward1")


def scatter(input, dim, index, src=None, *, value=None, reduce=None, out=None):
    """A copy with input[.., index[.., j, ..], ..] = src[.., j, ..]; `src` may be a number, here or
    as `value`.

    `reduce` "add" or "multiply" combines instead of replacing. Of repeated indices the last one
    counts.
    """
    src, reduce = _arguments(input, src, value, reduce)
    result = scatter_op(input, index, src, wrap_dim(dim, input._spec.ndim), reduce)
    _named(result, src)
    return deliver(result, out, "scatter", input, index)


def scatter_(input, dim, index, src=None, *, value=None, reduce=None):
    """`scatter` in place."""
    src, reduce = _arguments(input, src, value, reduce)
    _scatter_in_place(input, index, apart(input, src), wrap_dim(dim, input._spec.ndim), reduce)
    _named(input, src)
    return input


@primitive(jvp=linear, vmap=batching.lines,
    vjp={"input": lambda g: g, "src": lambda g, index, _src, dim: _of_src(g, index, _src, dim)},
    aliasing=True, module=ROOM,
)  # fmt: skip
def scatter_add_op(input, index, src, *, dim):
    """A copy with values added along a dimension, in the order of the indices."""
    _check(input, index, src, dim)
    return fresh(input)


_scatter_add_in_place = stub(scatter_add_op.op, "in_place", "scatter_add_")


def scatter_add(input, dim, index, src, *, out=None):
    """input[.., index[.., j, ..], ..] += src[.., j, ..] in a copy. (.., N, ..), (.., J, ..), (..,
    J, ..)
    """
    result = scatter_add_op(input, index, src, wrap_dim(dim, input._spec.ndim))
    return deliver(result, out, "scatter_add", input, index, src)


def scatter_add_(input, dim, index, src):
    """`scatter_add` in place."""
    return _scatter_add_in_place(input, index, apart(input, src), wrap_dim(dim, input._spec.ndim))


# -- scatter_reduce --------------------------------------------------------------------------------
def _extreme_vjp(g, out, input, index, src, dim):
    """amax, amin: elements that equal the result share its gradient evenly, as in torch."""
    own = input == out
    chosen = (src == out.gather(dim, index)).to(g.dtype)
    n = own.to(g.dtype).scatter_add(dim, index, chosen)
    share = g / n
    return share * own, share.gather(dim, index) * chosen


def _product_vjp(g, out, input, index, src, dim):
    """prod: the product of all other factors; single zeros are handled apart, as division would
    lose them.
    """
    one = input.masked_fill(input == 0, 1)
    of_input = g * one.scatter_reduce(dim, index, src, "prod") / one
    zero = src == 0
    zeros = (
        input.new_zeros(tuple(input.shape))
        .scatter_add(dim, index, zero.to(src.dtype))
        .gather(dim, index)
    )
    single = zero & (zeros == 1)
    others = input.scatter_reduce(dim, index, src.masked_fill(single, 1), "prod")
    of_single = (g * others).gather(dim, index)
    of_others = (g * out).gather(dim, index) / src.masked_fill(zero, 1)
    return of_input, of_single.where(single, of_others)


def _combine_vjp(g, out, input, index, src, dim, reduce):
    if index._spec.shape != src._spec.shape:
        raise RuntimeError(
            "scatter_reduce: the derivative is implemented only for src.shape == index.shape"
        )
    rule = _product_vjp if reduce == "multiply" else _extreme_vjp
    return rule(g, out, input, index, src, dim)


@primitive(
    vmap=batching.lines,
    vjp={("input", "src"): _combine_vjp},
    node_name="ScatterReduceBackward0",
    module=ROOM,
)
def scatter_combine_op(input, index, src, *, dim, reduce):
    """A copy with values multiplied in, or the extremes kept, along a dimension."""
    _check(input, index, src, dim)
    return fresh(input)


COMBINES = {"prod": "multiply", "amax": "amax", "amin": "amin"}


def _identity(dtype, reduce):
    """The number that a reduction starts from."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    high = reduce == "amin"
    if dtype.is_floating_point:
        return float("inf") if high else -float("inf")
    if dtype is dtypes.bool_:
        return int(high)
    bits = dtype.itemsize * 8 - dtype.is_signed
    return 2**bits - 1 if high else -(2**bits) if dtype.is_signed else 0


def scatter_reduce(input, dim, index, src, reduce, *, include_self=True, out=None):
    """Values of `src` reduced ("sum", "prod", "mean", "amax", "amin") into a copy along a
    dimension.

    Without `include_self`, the input's own values count only where no value of `src` goes.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    dim = wrap_dim(dim, input._spec.ndim)
    start = (
        input
        if include_self
        else scatter_op(input, index, _identity(input._spec.dtype, reduce), dim, "")
    )
    if reduce in COMBINES:
        result = scatter_combine_op(start, index, src, dim, COMBINES[reduce])
    else:
        result = scatter_add_op(start, index, src, dim)
    if reduce == "mean":
        number = input.new_ones if include_self else input.new_zeros
        count = number(tuple(input._spec.shape)).scatter_add(
            dim, index, src.new_ones(tuple(index._spec.shape))
        )
        count = count.masked_fill(count == 0, 1)
        integral = not input._spec.dtype.is_floating_point
        result = result.div(count, rounding_mode="floor") if integral else result / count
    return deliver(result, out, "scatter_reduce", input, index, src)


def scatter_reduce_(input, dim, index, src, reduce, *, include_self=True):
    """`scatter_reduce` in place."""
    result = scatter_reduce(before(input), dim, index, src, reduce, include_self=include_self)
    return replace(input, result, scatter_combine_op.op)


for _op in (scatter_op.op, scatter_add_op.op):
    _op.exclusive = True
METHODS = {
    "gather": gather, "scatter": scatter, "scatter_": scatter_, "scatter_add": scatter_add,
    "scatter_add_": scatter_add_, "scatter_reduce": scatter_reduce,
    "scatter_reduce_": scatter_reduce_, "take_along_dim": take_along_dim,
}  # fmt: skip
