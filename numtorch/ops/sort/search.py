"""Binary search in sorted sequences: `searchsorted`, `bucketize`."""

from ...core import dtype as dtypes
from ...core.batching import Call, reshaped
from ...core.op import primitive
from ...core.out import to_out
from ...core.tensor import Tensor
from ..copy import to_dtype
from ..create import tensor
from .order import ROOM

__all__ = ["bucketize", "searchsorted"]


def _batch(call: Call):
    if not call.batched[0] and call.rank(0) == 1:
        return call.run(*call.tensors)
    sequence, values = call.every()
    if call.rank(0) > 1:
        return call.run(sequence, values)
    found = call.run(sequence, reshaped(values, (call.size, -1)))
    return reshaped(found, values._spec.shape)


@primitive(vmap=_batch, vjp={}, module=ROOM)
def searchsorted_op(sequence, values, *, right, dtype):
    """How many elements of a sorted sequence come before each value (with `right`, or equal it).
    (n,), (...) -> (...), or (..., n), (..., m) -> (..., m)
    """
    return values.like(dtype=dtype)


def searchsorted(
    sorted_sequence, input, *, out_int32=False, right=False, side=None, out=None, sorter=None
):
    """Where values belong in sorted sequences: the first index at which one can be inserted, or
    with right=True the last. (n,), (...) -> (...), or (..., n), (..., m) -> (..., m)
    """
    name = "torch.searchsorted()"
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{name}: side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            f"{name}: side and right can't be set to opposites, got side of left while right was "
            "True"
        )
    spec = sorted_sequence._spec
    if not spec.ndim:
        raise RuntimeError(
            f"{name}: boundaries tensor should have positive dimension, but got 0 dimension"
        )
    if sorter is not None:
        sorted_sequence = _in_order(sorted_sequence, sorter, name)
    if not isinstance(input, Tensor):
        input = tensor(input, device=spec.device)
    values = input._spec
    if spec.ndim != 1 and not values.ndim:
        raise RuntimeError(
            f"{name}: input value can be a scalar only when boundaries tensor dimension is 1, but "
            f"we got boundaries tensor dim({spec.ndim}) and input value's dim({values.ndim}) "
            f"numel({values.numel})"
        )
    if spec.ndim != 1 and spec.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            f"{name}: boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            f"boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(spec.shape)} and input value tensor {list(values.shape)}"
        )
    return _search(sorted_sequence, input, out_int32, right or side == "right", out, "searchsorted")


def _in_order(sequence, sorter, name):
    """The sequence that a sorter puts in order."""
    spec, order = sequence._spec, sorter._spec
    if order.dtype is not dtypes.int64:
        raise RuntimeError(f"{name}: sorter must be a tensor of long dtype but got {order.dtype}")
    if order.shape != spec.shape:
        raise RuntimeError(
            f"{name}: boundary and sorter must have the same size, but got boundary tensor "
            f"{list(spec.shape)} and got sorter tensor {list(order.shape)}"
        )
    if order.numel and ((sorter < 0) | (sorter >= spec.shape[-1])).any():
        raise RuntimeError(f"{name}: sorter index out of range")
    return sequence.gather(-1, sorter)


def _search(sequence, input, out_int32, right, out, name):
    if sequence._spec.dtype is not input._spec.dtype:
        common = dtypes.promote_types(sequence._spec.dtype, input._spec.dtype)
        sequence, input = to_dtype(sequence, common), to_dtype(input, common)
    dtype = dtypes.int32 if out_int32 else dtypes.int64
    found = searchsorted_op(sequence, input, bool(right), dtype)
    return found if out is None else to_out(found, out, name, exact=True)


def bucketize(input, boundaries, *, out_int32=False, right=False, out=None):
    """Which of the buckets between sorted boundaries each value belongs to. (...), (n,) -> (...)

    Bucket i is boundaries[i - 1] < v <= boundaries[i], with right=True <= v <.
    """
    if boundaries._spec.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._spec.ndim})"
        )
    if not isinstance(input, Tensor):
        input = tensor(input, device=boundaries._spec.device)
    return _search(boundaries, input, out_int32, right, out, "bucketize")


METHODS = {"bucketize": bucketize}
