"""Batching rules of views: the same view of the physical tensor, whose first dimension stays."""

from ...core.batching import Call, reshaped, run, samples


def resized(call: Call):
    """view and expand: `size` gets the batch."""
    size = call.attrs["size"]
    t = call.tensors[0]
    if call.op.name == "expand_op":
        missing = len(size) - call.rank()
        if missing > 0:
            t = run("view_op", t, (call.size, *([1] * missing), *call.logical[0].shape))
        size = tuple(n if n != -1 else t._spec.shape[i + 1] for i, n in enumerate(size))
    else:
        size = call.op.infer(call.logical, tuple(call.attrs.values()))[0].shape
    return call.run(t, size=(call.size, *size))


def permuted(call: Call):
    """permute: the batch stays first."""
    return call.run(call.tensors[0], dims=(0, *(d + 1 for d in call.attrs["dims"])))


def exchanged(call: Call):
    """transpose and t: two dimensions of the sample."""
    if call.rank() < 2:
        return run("alias_op", call.tensors[0])
    rank = call.rank()
    dims = (d % rank + 1 for d in (call.attrs.get("dim0", 0), call.attrs.get("dim1", 1)))
    return run("transpose_op", call.tensors[0], *dims)


def squeezed(call: Call):
    """squeeze: the batch is no dimension of the sample, of whatever size."""
    dims = call.attrs["dims"]
    return call.run(call.tensors[0], dims=tuple(d + 1 for d in dims))


def inserted(call: Call):
    """unsqueeze: the new dimension is counted behind the batch."""
    return call.run(call.tensors[0], dim=call.attrs["dim"] + 1)


def strided(call: Call):
    """as_strided: in each sample's memory."""
    t, size, stride = call.tensors[0], call.attrs["size"], call.attrs["stride"]
    step = t._spec.strides[0]
    return call.run(t, size=(call.size, *size), stride=(step, *stride))


def windows(call: Call):
    """unfold of a dimension of the sample; a 0-d sample becomes one window."""
    if call.rank():
        return call.run(call.tensors[0], dim=call.attrs["dim"] + 1)
    return run("unsqueeze_op", call.tensors[0], 1)


def placed(call: Call):
    """slice_backward: zeros of each sample's size with a gradient in them."""
    size, dim = call.attrs["size"], call.attrs["dim"]
    return call.run(call.tensors[0], size=(call.size, *size), dim=dim + 1)


def strided_back(call: Call):
    """as_strided_backward: the memory of all samples lies in one row."""
    a = call.attrs
    found = call.run(
        call.tensors[0],
        numel=call.size * a["numel"],
        size=(call.size, *a["size"]),
        stride=(a["numel"], *a["stride"]),
    )
    return reshaped(found, (call.size, a["numel"]))


def strided_scatter(call: Call):
    """as_strided_scatter: into dense copies of the samples."""
    spec, a = call.logical[0], call.attrs
    if not spec.contiguous:
        return samples(call)
    given = call.every()
    return call.run(
        given[0].contiguous(),
        given[1],
        size=(call.size, *a["size"]),
        stride=(spec.numel, *a["stride"]),
    )
