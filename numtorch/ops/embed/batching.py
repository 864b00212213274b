"""Batching rules of look-ups: tables that differ from sample to sample lie one below the other."""

from ...core.batching import Call, run, samples


def _numbers(call: Call, rows: int, like):
    """The first row of each sample's table."""
    starts = run("arange_op", like.new_empty((call.size,), dtype=like.dtype), 0, rows)
    return starts.reshape((call.size, *[1] * (like._spec.ndim - 1)))


def look_up(call: Call):
    """embedding"""
    a = call.attrs
    weight, indices = call.tensors
    if a["scaled"] and (a["by_freq"] or a["padding_idx"] >= 0):
        return samples(call)
    if not call.batched[0]:
        return call.run(weight, indices)
    indices = call.every()[1]
    rows, width = call.logical[0].shape
    indices = indices.where(indices >= 0, rows * call.size) + _numbers(call, rows, indices)
    return call.run(weight.reshape((call.size * rows, width)), indices, padding_idx=-1)


def add_up(call: Call):
    """embedding_backward"""
    a = call.attrs
    if a["by_freq"]:
        return samples(call)
    grad, indices = call.every()
    if a["padding_idx"] >= 0:
        grad = grad.masked_fill((indices == a["padding_idx"]).unsqueeze(-1), 0)
    rows = a["rows"]
    indices = indices + _numbers(call, rows, indices)
    found = call.run(grad, indices, rows=rows * call.size, padding_idx=-1)
    return found.reshape((call.size, rows, found._spec.shape[-1]))
