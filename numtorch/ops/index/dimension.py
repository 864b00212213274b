"""Indexing one dimension, or the flattened tensor, by a tensor of indices."""

from ...core import dtype as dtypes
from ...core.generate import stub
from ...core.inplace import known_as, replace
from ...core.op import primitive
from ...core.shape import wrap_dim
from ...core.tangents import linear
from ...core.tensor import Tensor
from . import batching
from .rows import LONG_OR_INT, apart, before, deliver, fresh, index_backward_op, type_word

__all__ = ["index_add", "index_copy", "index_fill", "index_reduce", "index_select", "put", "take"]
ROOM = "numtorch.ops.index"


def _without(shape, dim):
    return [n for d, n in enumerate(shape) if d != dim]


@primitive(jvp=linear, vmap=batching.index_select,
    vjp={"input": lambda g, _input, index, dim: index_select_backward_op(g, index,
    tuple(_input.shape), dim)}, module=ROOM,
)  # fmt: skip
def index_select_op(input, index, *, dim):
    """The rows of one dimension that a vector of indices names. (.., N, ..), (J,) -> (.., J, ..)"""
    if index.dtype not in LONG_OR_INT:
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    if index.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if not input.ndim:
        if index.numel != 1:
            raise RuntimeError(
                f"index_select(): Index to scalar can have only 1 value, got {index.numel} value(s)"
            )
        return input.like()
    return input.like(shape=(*input.shape[:dim], index.numel, *input.shape[dim + 1 :]))


@primitive(
    jvp=linear,
    vmap=batching.index_select_backward,
    vjp={"grad": lambda g, index, dim: index_select_op(g, index, dim)},
    module=ROOM,
)
def index_select_backward_op(grad, index, *, size, dim):
    """Zeros to which rows are added. (.., J, ..), (J,) -> size"""
    return grad.like(shape=size)


def index_select(input, dim, index, *, out=None):
    """The rows of one dimension that a vector of indices names. (.., N, ..), (J,) -> (.., J, ..)

    Raises IndexError for indices outside of [0, N).
    """
    result = index_select_op(input, index, wrap_dim(dim, input._spec.ndim))
    return deliver(result, out, "index_select", input, index)


def _check_add(input, index, source, dim) -> None:
    if index.ndim > 1:
        raise IndexError(
            f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with "
            f"type: {type_word(index)} and "
            f"size: {list(index.shape)}"
        )
    if index.dtype not in LONG_OR_INT:
        raise RuntimeError(
            f"index_add_(): Expected dtype int32/int64 for index but got: {type_word(index)}"
        )
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"index_add_(): self ({type_word(input)}) and source ({type_word(source)}) must have "
            f"the same scalar type"
        )
    have = source.shape[dim] if dim < source.ndim else 1
    if index.numel != have:
        raise RuntimeError(
            f"index_add_(): Number of indices ({index.numel}) should be equal to "
            f"source.size(dim): ({have}), for dim: {dim}"
        )
    if _without(input.shape, dim) != _without(source.shape, dim):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. "
            "Got self.shape = "
            f"{list(input.shape)} source.shape = {list(source.shape)}"
        )


def _rows_of(g, index, source, dim):
    """The gradient of rows that were written at indices."""
    return index_select_op(g, index, dim).reshape(tuple(source.shape))


def _add_source(g, index, _source, dim, alpha):
    part = _rows_of(g, index, _source, dim)
    return part if alpha == 1 else part * alpha


@primitive(
    jvp=linear,
    vmap=batching.index_rows,
    vjp={"input": lambda g: g, "source": _add_source},
    aliasing=True,
    module=ROOM,
)
def index_add_op(input, index, source, *, dim, alpha):
    """A copy to whose rows those of `source` are added. (.., N, ..), (J,), (.., J, ..) -> (.., N,
    ..)
    """
    _check_add(input, index, source, dim)
    return fresh(input)


def index_add(input, dim, index, source, *, alpha=1, out=None):
    """input[.., index[j], ..] += alpha * source[.., j, ..] in a copy; repeated indices add up, in
    order.
    """
    result = index_add_op(input, index, source, wrap_dim(dim, input._spec.ndim), alpha)
    return deliver(result, out, "index_add", input, index, source)


def index_add_(input, dim, index, source, *, alpha=1):
    """`index_add` in place."""
    return _add_in_place(input, index, apart(input, source), wrap_dim(dim, input._spec.ndim), alpha)


def _check_copy(input, index, source, dim) -> None:
    if index.ndim > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if source.ndim == 0 and index.numel != 1:
        raise IndexError(
            f"index_copy_(): When source is scalar, index should have one element (got "
            f"{index.numel})"
        )
    if source.ndim and input.ndim and source.ndim != input.ndim:
        raise IndexError(
            "index_copy_(): When source and destination are not scalars, their dimensionality "
            "must match. Source "
            f"dimensionality ({source.ndim}), destination dimensionality ({input.ndim})"
        )
    if index.dtype is not dtypes.int64:
        raise RuntimeError(
            f"index_copy_(): Expected a long tensor for index, but got {type_word(index)}"
        )
    if input.dtype is not source.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{type_word(input)} and (source) {type_word(source)}"
        )
    if _without(input.shape, dim) != _without(source.shape, dim):
        there, here = (" ".join(map(str, _without(s.shape, dim))) for s in (input, source))
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination "
            "slice shape: "
            f"{there} at dimension {dim} and source slice shape: {here} at dimension 0."
        )
    if source.ndim and index.numel != source.shape[dim]:
        raise IndexError(
            f"index_copy_(): Number of indices ({index.numel}) should be equal to "
            f"source.size(dim) ({source.shape[dim]})"
        )


@primitive(jvp=linear, vmap=batching.index_rows,
    vjp={
        "input": lambda g, index, dim: index_fill_op(g, index, 0, dim),
        "source": lambda g, index, _source, dim: _rows_of(g, index, _source, dim),
    },
    aliasing=True, module=ROOM,
)  # fmt: skip
def index_copy_op(input, index, source, *, dim):
    """A copy whose rows at the indices are those of `source`. (.., N, ..), (J,), (.., J, ..) ->
    (.., N, ..)
    """
    _check_copy(input, index, source, dim)
    return fresh(input)


def index_copy(input, dim, index, source, *, out=None):
    """input[.., index[j], ..] = source[.., j, ..] in a copy; of repeated indices the last one
    counts.
    """
    result = index_copy_op(input, index, source, wrap_dim(dim, input._spec.ndim))
    return deliver(result, out, "index_copy", input, index, source)


def index_copy_(input, dim, index, source):
    """`index_copy` in place."""
    return _copy_in_place(input, index, apart(input, source), wrap_dim(dim, input._spec.ndim))


@primitive(jvp=linear, vmap=batching.index_rows,
    vjp={
        "input": lambda g, index, dim: index_fill_op(g, index, 0, dim),
        "value": lambda g, index, _value, dim: _filled_sum(g, index, dim),
    },
    aliasing=True, numbers=True, module=ROOM,
)  # fmt: skip
def index_fill_op(input, index, value, *, dim):
    """A copy whose rows at the indices are one value. (.., N, ..), (J,), () -> (.., N, ..)"""
    if index.dtype is not dtypes.int64 or index.weak:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise RuntimeError("Index has to be a vector/scalar")
    if value.ndim:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    return fresh(input)


def _filled_sum(g, index, dim):
    """The sum of the rows at the indices, each of them once."""
    size = [1] * g._spec.ndim
    if size:
        size[dim] = g._spec.shape[dim]
    others = index_fill_op(g.new_ones(tuple(size), dtype=dtypes.bool_), index, False, dim)
    return g.masked_fill(others, 0).sum()


def _fill_value(input, value):
    """A value in the tensor's dtype."""
    if isinstance(value, Tensor) and value._spec.dtype is not input._spec.dtype:
        return value.to(input._spec.dtype)
    return value


def index_fill(input, dim, index, value):
    """A copy whose rows at the indices are one value. (.., N, ..), (J,), () -> (.., N, ..)"""
    return index_fill_op(input, index, _fill_value(input, value), wrap_dim(dim, input._spec.ndim))


def index_fill_(input, dim, index, value):
    """`index_fill` in place."""
    return _fill_in_place(input, index, _fill_value(input, value), wrap_dim(dim, input._spec.ndim))


_add_in_place = stub(index_add_op.op, "in_place", "index_add_")
_copy_in_place = stub(index_copy_op.op, "in_place", "index_copy_")
_fill_in_place = stub(index_fill_op.op, "in_place", "index_fill_")


def _reduced(input, dim, index, source, reduce, include_self):
    dim = wrap_dim(dim, input._spec.ndim)
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    if index._spec.numel != (source._spec.shape[dim] if source._spec.ndim else 1):
        raise RuntimeError(
            f"index_reduce(): Number of indices ({index._spec.numel}) should be equal to "
            f"source.size(dim): "
            f"({source._spec.shape[dim] if source._spec.ndim else 1}), for dim: {dim}"
        )
    if input._spec.dtype is not source._spec.dtype:
        raise RuntimeError("index_reduce(): Expected self and source to have the same dtype")
    size = [1] * max(source._spec.ndim, 1)
    size[dim] = index._spec.numel
    full = (
        index.reshape(size).expand(tuple(source._spec.shape))
        if source._spec.ndim
        else index.reshape(())
    )
    return input.scatter_reduce(dim, full, source, reduce, include_self=include_self)


def index_reduce(input, dim, index, source, reduce, *, include_self=True, out=None):
    """Rows of `source` reduced ("prod", "mean", "amax", "amin") into a copy's rows at the
    indices.
    """
    result = known_as(
        _reduced(input, dim, index, source, reduce, include_self), "IndexReduceBackward0"
    )
    return deliver(result, out, "index_reduce", input, index, source)


def index_reduce_(input, dim, index, source, reduce, *, include_self=True):
    """`index_reduce` in place."""
    return replace(
        input, _reduced(before(input), dim, index, source, reduce, include_self), index_add_op.op
    )


# -- as if flat ------------------------------------------------------------------------------------
def _flat(input, index, name):
    if index._spec.dtype is not dtypes.int64:
        raise RuntimeError(
            f"{name}(): Expected a long tensor for index, but got {type_word(index._spec)}"
        )
    return input.reshape(-1)


@primitive(jvp=linear, vmap=batching.take,
    vjp={"input": lambda g, _input, index: index_backward_op[1](g, index, _input.shape, (0,))},
    module=ROOM,
)  # fmt: skip
def take_op(input, index):
    """Elements of a vector. (N,), (...) -> (...)"""
    if not input.numel and index.numel:
        raise IndexError("take(): tried to take from an empty tensor")
    return input.like(shape=index.shape)


def take(input, index, *, out=None):
    """Elements at indices of the flattened tensor; negative ones count from the end. (...), (J) ->
    (J)
    """
    result = take_op(_flat(input, index, "take"), index)
    return deliver(result, out, "take", input, index)


@primitive(
    vjp={ "input": lambda g, index, accumulate: g if accumulate else put_op(g, index,
    g.new_zeros(index.shape), False), "source": lambda g, index: take_op(g, index), },
    aliasing=True, module=ROOM,
)  # fmt: skip
def put_op(input, index, source, *, accumulate):
    """A copy of a vector with elements written at indices. (N,), (...), (...) -> (N,)"""
    return fresh(input)


def _check_put(input, index, source):
    if index._spec.dtype is not dtypes.int64:
        raise RuntimeError(
            f"put_(): Expected a long tensor for index, but got {type_word(index._spec)}"
        )
    if input._spec.dtype is not source._spec.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{type_word(input._spec)} and "
            f"source.dtype = {type_word(source._spec)}"
        )
    if index._spec.numel != source._spec.numel:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            "source.numel() = "
            f"{source._spec.numel}, index.numel() = {index._spec.numel}"
        )
    if not input._spec.numel and index._spec.numel:
        raise IndexError("put_(): Trying to put elements into an empty tensor")
    return source.reshape(tuple(index._spec.shape))


def put(input, index, source, accumulate=False):
    """A copy with `source` at indices of the flattened tensor (added, if `accumulate`)."""
    source = _check_put(input, index, source)
    result = put_op(input.reshape(-1), index, source, bool(accumulate))
    return known_as(result.reshape(tuple(input._spec.shape)), "PutBackward0")


def put_(input, index, source, accumulate=False):
    """`put` in place."""
    source = apart(input, _check_put(input, index, source))
    if not input._spec.contiguous:
        return replace(input, put(input, index, source, accumulate), put_op.op)
    _put_in_place(input.view(-1), index, source, bool(accumulate))
    return input


_put_in_place = stub(put_op.op, "in_place", "put_")
for _op in (index_add_op.op, index_copy_op.op):
    _op.exclusive = True
index_fill_op.op.expands = True
METHODS = {
    "index_add": index_add, "index_add_": index_add_, "index_copy": index_copy,
    "index_copy_": index_copy_, "index_fill": index_fill, "index_fill_": index_fill_,
    "index_reduce": index_reduce, "index_reduce_": index_reduce_, "index_select": index_select,
    "put": put, "put_": put_, "take": take,
}  # fmt: skip
