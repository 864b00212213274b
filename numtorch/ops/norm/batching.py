"""Batching rules of normalizations: the batch joins the images, or the channels, where statistics
are those of the channels. Parameters that differ from sample to sample are applied afterwards.
"""

from ...core.batching import Call, joined, parted, repeated, run, samples


def _scaled(call: Call, results, at: int):
    """The first of `results`, as made without parameters, times weight plus bias; `at`: how many
    dimensions behind the batch come before those of the parameters.
    """
    out, *rest = results
    ndim = out._spec.ndim
    for i, name in enumerate(call.op.tensors):
        t = call.tensors[i]
        if name in ("weight", "bias") and t is not None:
            own = call.logical[i].shape
            lead = (call.size, *[1] * at) if call.batched[i] else (1, *[1] * at)
            shape = (*lead, *own)
            t = t.reshape((*shape, *[1] * (ndim - len(shape))))
            out = out * t if name == "weight" else out + t
    return (out, *rest)


def _own_parameters(call: Call) -> bool:
    return any(
        b
        for name, b in zip(call.op.tensors, call.batched, strict=True)
        if name in ("weight", "bias")
    )


def rows(call: Call):
    """layer_norm and rms_norm: the dimensions before the normalized ones are free."""
    x = call.tensors[0] if call.batched[0] else repeated(call.tensors[0], call.size)
    if not _own_parameters(call):
        return call.run(x, *call.tensors[1:])
    bare = call.run(x, *(None for _ in call.tensors[1:]))
    return _scaled(call, bare, call.rank() - len(call.attrs["normalized_shape"]))


def rows_backward(call: Call):
    """The gradients for all samples' inputs at once; those of parameters per sample."""
    a, names = call.attrs, call.op.tensors
    given = dict(zip(names, call.tensors, strict=True))
    for i, name in enumerate(names):
        if name != "weight" and given[name] is not None and not call.batched[i]:
            given[name] = repeated(given[name], call.size)
    rank, width = call.rank(), len(a["normalized_shape"])
    first = rank - width
    empty = given["grad"].new_empty((call.size, 0))
    weight, at = given["weight"], names.index("weight")
    grad = given["grad"]
    results = []
    if a["for_input"]:
        if call.batched[at]:
            weight = weight.reshape((call.size, *[1] * first, *a["normalized_shape"]))
            scaled = {**given, "grad": grad * weight, "weight": None}
        else:
            scaled = given
        results.append(call.run(*scaled.values(), for_parameters=False)[0])
    else:
        results.append(empty)
    if not a["for_parameters"]:
        return (results[0], *(empty for _ in range(call.op.many - 1)))
    centred = given["input"] - given["mean"] if "mean" in given else given["input"]
    dims = tuple(range(1, first + 1))
    slope = grad * centred * given["rstd"]
    results.append(slope.sum(dims) if dims else slope)
    if call.op.many == 3:
        results.append(grad.sum(dims) if dims else grad)
    return tuple(results)


def groups(call: Call):
    """group_norm: each image by itself."""
    x = call.tensors[0] if call.batched[0] else repeated(call.tensors[0], call.size)
    n = call.logical[0].shape[0]
    if not _own_parameters(call):
        results = call.run(joined(x), *call.tensors[1:])
        return tuple(parted(r, call.size, n) for r in results)
    bare = [parted(r, call.size, n) for r in call.run(joined(x), None, None)]
    return _scaled(call, bare, 1)


def groups_backward(call: Call):
    """The gradients of group_norm."""
    if call.batched[2]:
        return samples(call)
    grad, x, _, mean, rstd = call.every()
    weight, n = call.tensors[2], call.logical[0].shape[0]
    found = parted(
        run("group_norm_backward_op", *map(joined, (grad, x)), weight, *map(joined, (mean, rstd)))[
            0
        ],
        call.size,
        n,
    )
    shape = x._spec.shape
    count = mean._spec.shape[2]
    flat = (call.size, n, count, -1)
    normal = (x.reshape(flat) - mean.unsqueeze(-1)) * rstd.unsqueeze(-1)
    dims = (1, *range(3, len(shape)))
    return found, (grad * normal.reshape(shape)).sum(dims), grad.sum(dims)


# -- batch_norm ------------------------------------------------------------------------------------
def _channels(t, size: int):
    """(B, N, C, ...) -> (N, B * C, ...)"""
    t = t.movedim(0, 1)
    shape = t._spec.shape
    return t.reshape((shape[0], size * shape[2], *shape[3:]))


def _back(t, size: int):
    """(N, B * C, ...) -> (B, N, C, ...)"""
    n, c = t._spec.shape[:2]
    return t.reshape((n, size, c // size, *t._spec.shape[2:])).movedim(1, 0)


def channels(call: Call):
    """batch_norm and its kin: the samples' channels are channels of one batch."""
    size = call.size
    given = [
        None if t is None else t if b else repeated(t, size)
        for t, b in zip(call.tensors, call.batched, strict=True)
    ]
    images = {"input", "grad"}
    flat = [
        None if t is None else _channels(t, size) if name in images else t.reshape((-1,))
        for name, t in zip(call.op.tensors, given, strict=True)
    ]
    results = call.run(*flat)
    if not isinstance(results, tuple):
        return _back(results, size)
    return (_back(results[0], size), *(r.reshape((size, -1)) for r in results[1:]))
