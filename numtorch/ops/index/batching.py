"""Batching rules of indexing: batches of indices get an index of their own for the batch."""

from ...core.batching import Call, repeated, run, samples
from ...core.tensor import Tensor
from .geometry import index_shape

DYNAMIC = (
    "vmap: It looks like you're attempting to use an operation with dynamic shapes: {} gives as "
    "many elements as there are true ones, which may differ from sample to sample. Use where() or "
    "masked_fill() instead"
)


def dynamic(call: Call):
    """Ops whose result's size depends on values."""
    raise RuntimeError(DYNAMIC.format(call.op.name.removesuffix("_op")))


# -- index tensors ---------------------------------------------------------------------------------
def _indices(call: Call, first: int):
    """(indices, dims, where the sample's result has its index dimensions, how many they are), for
    inputs of which the first dimension is the batch; `first`: the number of the first index.
    """
    dims, shapes = call.attrs["dims"], [s.shape for s in call.logical[first:]]
    rank = max(len(s) for s in shapes)
    together = dims[-1] - dims[0] == len(dims) - 1
    place = dims[0] if together else 0
    moved = tuple(d + 1 for d in dims)
    given = list(call.tensors[first:])
    if not any(call.batched[first:]):
        return given, moved, (0 if not together else place + 1), place, rank
    found = []
    for t, b, shape in zip(given, call.batched[first:], shapes, strict=True):
        found.append(t.reshape((call.size, *[1] * (rank - len(shape)), *shape)) if b else t)
    like = found[0]
    numbers = run("arange_op", like.new_empty((call.size,)), 0, 1)
    return [numbers.view((call.size, *[1] * rank)), *found], (0, *moved), None, place, rank


def _moved(t: Tensor, start: int, to: int, count: int) -> Tensor:
    """`count` dimensions from `start` on, moved to begin at `to`."""
    if start == to:
        return t
    return t.movedim(tuple(range(start, start + count)), tuple(range(to, to + count)))


def index(call: Call):
    """input[indices]: the index dimensions stay where the sample has them, behind the batch."""
    indices, dims, at, place, rank = _indices(call, 1)
    source = call.tensors[0]
    if at is None:  # (B, *common, *rest)
        source = source if call.batched[0] else repeated(source, call.size)
        found = _family("index", len(indices))(source, *indices, dims)
        return _moved(found, 1, place + 1, rank)
    found = _family("index", len(indices))(source, *indices, dims)
    if at == 0:  # (*common, B, *rest)
        return found.movedim(rank, 0)
    return found


def index_backward(call: Call):
    """The transposed map of `index`."""
    indices, dims, at, place, rank = _indices(call, 1)
    grad = call.tensors[0] if call.batched[0] else repeated(call.tensors[0], call.size)
    if at is None:
        grad = _moved(grad, place + 1, 1, rank)
    elif at == 0:
        grad = grad.movedim(0, rank)
    size = (call.size, *call.attrs["size"])
    return _family("index_backward", len(indices))(grad, *indices, size, dims)


def index_put(call: Call):
    """A copy with values at the indices, which differ from sample to sample or not."""
    indices, dims, at, place, rank = _indices(call, 2)
    source = call.tensors[0] if call.batched[0] else repeated(call.tensors[0], call.size)
    values = call.tensors[1]
    if isinstance(values, Tensor):
        common = tuple(max(n) for n in zip(*_padded(call.logical[2:], rank), strict=True))
        shape, _ = index_shape(call.logical[0].shape, call.attrs["dims"], common)
        if call.batched[1]:
            own = call.logical[1].shape
            values = values.reshape((call.size, *[1] * (len(shape) - len(own)), *own))
        values = values.expand((call.size, *shape))
        if at is None:
            values = _moved(values, place + 1, 1, rank)
        elif at == 0:
            values = values.movedim(0, rank)
    put = _family("index_put", len(indices))
    return put(source, values, *indices, dims, call.attrs["accumulate"])


def _padded(specs, rank: int):
    return [(1,) * (rank - len(s.shape)) + tuple(s.shape) for s in specs]


def _family(name: str, count: int):
    from .rows import index_backward_op, index_op, index_put_op  # noqa: PLC0415 (rows needs these)

    table = {"index": index_op, "index_backward": index_backward_op, "index_put": index_put_op}
    return table[name][count]


# -- one dimension ---------------------------------------------------------------------------------
def _lines(call: Call, index: Tensor, like) -> Tensor:
    """A batch of vectors of indices as gather and scatter want it: one for each line."""
    dim = call.attrs["dim"]
    shape = [
        call.size,
        *([1] * len(like)),
    ]
    shape[dim + 1] = index._spec.shape[-1] if index._spec.ndim > 1 else 1
    wanted = [call.size, *like]
    wanted[dim + 1] = shape[dim + 1]
    return index.reshape(shape).expand(wanted)


def index_select(call: Call):
    """Rows by one vector of indices, or by one for each sample."""
    if not call.rank():
        return samples(call)
    dim = call.attrs["dim"] + 1
    if not call.batched[1]:
        return call.run(*call.tensors, dim=dim)
    source = call.every()[0]
    return run("gather_op", source, _lines(call, call.tensors[1], call.logical[0].shape), dim)


def index_select_backward(call: Call):
    """The transposed map of `index_select`."""
    size = call.attrs["size"]
    if not size:
        return samples(call)
    dim, grad = call.attrs["dim"] + 1, call.every()[0]
    if not call.batched[1]:
        return call.run(grad, call.tensors[1], size=(call.size, *size), dim=dim)
    index = _lines(call, call.tensors[1], size)
    return run("gather_backward_op", grad, index, (call.size, *size), dim)


def index_rows(call: Call):
    """index_add, index_copy, index_fill: rows of each sample, where all have the same indices."""
    if call.batched[1] or not call.rank():
        return samples(call)
    dim = call.attrs["dim"] + 1
    given = call.every()
    if call.op.name == "index_fill_op" and isinstance(given[2], Tensor):
        return samples(call)
    return call.run(given[0], call.tensors[1], given[2], dim=dim)


def lines(call: Call):
    """gather, scatter: index and values along one dimension of each sample."""
    given = call.every()
    if not call.rank() or any(
        isinstance(t, Tensor) and t._spec.ndim != call.rank() + 1 for t in given
    ):
        return samples(call)
    changed = {"dim": call.attrs["dim"] + 1}
    if "size" in call.attrs:
        changed["size"] = (call.size, *call.attrs["size"])
    return call.run(*given, **changed)


def diag_embed(call: Call):
    """The batch stays first."""
    a = call.attrs
    return call.run(call.tensors[0], dim1=a["dim1"] + 1, dim2=a["dim2"] + 1)


def take(call: Call):
    """Elements of each sample's vector."""
    source, index = call.every()
    flat = index.reshape((call.size, -1))
    n = call.logical[0].shape[0]
    flat = flat.where(flat >= 0, flat + n)
    return run("gather_op", source, flat, 1).reshape(index.shape)
