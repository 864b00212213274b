"""Running sums, products, extremes and log-sums of exponentials."""

from ...core import dtype as dtypes
from ...core import errors
from ...core.batching import along
from ...core.generate import reaches_twice
from ...core.inplace import known_as, replace
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import wrap_dim
from ...core.tangents import linear
from ..copy import to_dtype
from ..index.lines import gather_backward_op
from ..index.rows import before
from ..join import cat
from ..reduce.results import named_results
from ..view.basic import slice_view

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]
ROOM = "numtorch.ops.scan"
CummaxResult = named_results("cummax", "values indices")
CumminResult = named_results("cummin", "values indices")


def _moved_on(x, dim, first):
    """x[i - 1] at i, and `first` at 0. (..., n, ...) -> (..., n, ...)"""
    n = x._spec.shape[dim]
    if n == 0:
        return x
    size = list(x._spec.shape)
    size[dim] = 1
    return cat([x.new_full(size, first), slice_view(x, dim, 0, n - 1)], dim)


# -- sums and products -----------------------------------------------------------------------------
@primitive(jvp=linear, vmap=along("dim"),
    vjp={"input": lambda g, dim, reverse: cumsum_op(g, dim, not reverse)}, module=ROOM
)  # fmt: skip
def cumsum_op(input, *, dim, reverse):
    """Running sums along dim, from the end if `reverse`. (..., n, ...) -> (..., n, ...)"""
    return input.like()


def _recurrence_vjp(g, needs, out, weight, dim, reverse):
    back = recurrence_op(g, weight, dim, not reverse)
    if not needs[1]:
        return back, None
    if reverse:
        return back, _moved_on(back, dim, 0) * out
    return back, back * _moved_on(out, dim, 0)


@primitive(vmap=along("dim"), vjp={("input", "weight"): _recurrence_vjp}, module=ROOM)
def recurrence_op(input, weight, *, dim, reverse):
    """y[i] = input[i] + weight[i] * y[i - 1]; if `reverse`, the transposed map of this:
    y[i] = input[i] + weight[i + 1] * y[i + 1]. (..., n, ...), (..., n, ...) -> (..., n, ...)
    """
    return input.like()


def _cumprod_vjp(g, input, out, dim):
    """sum over k >= i of g[k] times all input[j] with j <= k but input[i]; zeros are no trouble."""
    if not input._spec.ndim:
        return g
    return _moved_on(out, dim, 1) * recurrence_op(g, input, dim, True)


@primitive(vmap=along("dim"), vjp={"input": _cumprod_vjp}, module=ROOM)
def cumprod_op(input, *, dim):
    """Running products along dim. (..., n, ...) -> (..., n, ...)"""
    return input.like()


def _converted(input, dim, dtype):
    """The input in the dtype of the result, which is int64 for integers, and dim."""
    spec = input._spec
    if dtype is None:
        dtype = spec.dtype if spec.dtype.is_floating_point else dtypes.int64
    return to_dtype(input, dtype), wrap_dim(dim, spec.ndim)


def cumsum(input, dim, *, dtype=None, out=None):
    """Running sums along `dim`. (..., n, ...) -> (..., n, ...)

    `dtype`: what the input is converted to first; int64 for integers unless given.
    """
    input, dim = _converted(input, dim, dtype)
    result = cumsum_op(input, dim, False)
    return result if out is None else to_out(result, out, "cumsum")


def cumprod(input, dim, *, dtype=None, out=None):
    """Running products along `dim`. (..., n, ...) -> (..., n, ...)

    `dtype`: what the input is converted to first; int64 for integers unless given.
    """
    input, dim = _converted(input, dim, dtype)
    result = cumprod_op(input, dim)
    return result if out is None else to_out(result, out, "cumprod")


def _check_kept(input, dtype, name):
    if dtype is not None and dtype is not input._spec.dtype:
        raise RuntimeError(
            f"Bad in-place call: input tensor dtype {input._spec.dtype} and output tensor dtype "
            f"{dtype} should match ({name})"
        )


def cumsum_(input, dim, *, dtype=None):
    """`cumsum` in place."""
    _check_kept(input, dtype, "cumsum_")
    if reaches_twice(input._spec):
        raise errors.internal_overlap("cumsum_")
    return replace(input, cumsum_op(input, wrap_dim(dim, input._spec.ndim), False), cumsum_op.op)


def cumprod_(input, dim, *, dtype=None):
    """`cumprod` in place."""
    _check_kept(input, dtype, "cumprod_")
    if reaches_twice(input._spec):
        raise errors.internal_overlap("cumprod_")
    result = cumprod_op(before(input), wrap_dim(dim, input._spec.ndim))
    return replace(input, result, cumprod_op.op)


# -- extremes --------------------------------------------------------------------------------------
def _to_index(g, out1, _input, dim):
    return gather_backward_op(g, out1, _input.shape, dim)


@primitive(vmap=along("dim"),
    vjp={"input": _to_index}, outputs=2, module=ROOM, node_name="CummaxBackward0"
)  # fmt: skip
def running_extreme_op(input, *, dim, largest):
    """The largest (or smallest) element so far along dim, and where it is last; a NaN stays.
    (..., n, ...) -> twice (..., n, ...)
    """
    return input.like(), input.like(dtype=dtypes.int64)


def _extreme(input, dim, largest, out, name):
    values, indices = running_extreme_op(input, wrap_dim(dim, input._spec.ndim), largest)
    if out is None:
        return values, indices
    return to_out(values, out[0], name, exact=True), to_out(indices, out[1], name, exact=True)


def cummax(input, dim, *, out=None):
    """The largest element so far along `dim`, and its last index; a NaN stays. (..., n, ...) ->
    twice (..., n, ...)
    """
    return CummaxResult(_extreme(input, dim, True, out, "cummax"))


def cummin(input, dim, *, out=None):
    """The smallest element so far along `dim`, and its last index; a NaN stays. (..., n, ...) ->
    twice (..., n, ...)
    """
    values, indices = _extreme(input, dim, False, out, "cummin")
    return CumminResult((known_as(values, "CumminBackward0"), indices))


# -- log-sums of exponentials ----------------------------------------------------------------------
def _logcumsumexp_vjp(g, input, out, dim):
    """sum over k >= i of g[k] * exp(input[i] - out[k]), in factors that are at most 1."""
    low = float("-inf")
    share = (input - out).exp().masked_fill(input == low, 0)
    if not input._spec.ndim:
        return g * share
    last = _moved_on(out, dim, low)
    weight = (last - out).exp().masked_fill(last == low, 0)
    return share * recurrence_op(g, weight, dim, True)


@primitive(
    vmap=along("dim"),
    vjp={"input": _logcumsumexp_vjp},
    module=ROOM,
    node_name="LogcumsumexpBackward0",
)
def logcumsumexp_op(input, *, dim):
    """The logarithm of running sums of exponentials. (..., n, ...) -> (..., n, ...)"""
    if not input.dtype.is_floating_point:
        kind = input.dtype.type_name.removesuffix("Tensor")
        raise NotImplementedError(f"\"logcumsumexp_out\" not implemented for '{kind}'")
    return input.like()


def logcumsumexp(input, dim, *, out=None):
    """log(cumsum(exp(input))) along `dim`, without overflow. (..., n, ...) -> (..., n, ...)"""
    result = logcumsumexp_op(input, wrap_dim(dim, input._spec.ndim))
    return result if out is None else to_out(result, out, "logcumsumexp", exact=True)


METHODS: dict = {
    "cummax": cummax, "cummin": cummin, "cumprod": cumprod, "cumprod_": cumprod_, "cumsum": cumsum,
    "cumsum_": cumsum_, "logcumsumexp": logcumsumexp,
}  # fmt: skip
