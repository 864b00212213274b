"""Batching rule of attention: the batch is one more dimension of heads."""

from ...core.batching import Call


def heads(call: Call):
    """attention and its derivative; a mask of fewer dimensions gets them behind the batch."""
    rank = call.rank(call.op.tensors.index("query"))
    given = []
    for name, t, b, s, every in zip(
        call.op.tensors, call.tensors, call.batched, call.logical, call.every(), strict=True
    ):
        if name == "sums":  # kernels know no strides of them
            given.append(every.contiguous())
        elif name != "mask":
            given.append(every)
        elif b and len(s.shape) < rank:
            given.append(t.reshape((call.size, *[1] * (rank - len(s.shape)), *s.shape)))
        else:
            given.append(t)
    return call.run(*given)
