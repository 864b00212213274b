"""Batching rule of pools: all dimensions before the planes are alike."""

from ...core.batching import Call


def planes(call: Call):
    """(B, N, C, *size) as (B * N, C, *size), which the kernels know; (B, C, *size) as it is."""
    given = call.every()
    axes = _axes(call)
    lead = call.rank() - axes
    if lead < 2:
        return call.run(*given)
    shape = tuple(call.logical[0].shape[: lead - 1])
    flat = [
        t.reshape((-1, *t._spec.shape[lead:])) if t._spec.numel else _empty(t, lead) for t in given
    ]
    found = call.run(*flat)

    def back(t):
        return t.reshape((call.size, *shape, *t._spec.shape[1:]))

    return tuple(back(t) for t in found) if isinstance(found, tuple) else back(found)


def _empty(t, lead: int):
    count = 1
    for n in t._spec.shape[:lead]:
        count *= n
    return t.reshape((count, *t._spec.shape[lead:]))


def _axes(call: Call) -> int:
    a = call.attrs
    if "window" in a:
        return len(a["window"].kernel_size)
    return len(a["size"] if "size" in a else a["output_size"])
