"""Batching rules of convolutions: the batch joins the images, or the groups where samples have
weights of their own.
"""

from ...core.batching import Call, joined, parted, repeated


def _channels(t, batched: bool, size: int):
    """(B, N, C, *size) -> (N, B * C, *size); without a batch each sample gets the same channels."""
    if not batched:
        t = repeated(t, size)
    t = t.movedim(0, 1)
    shape = t._spec.shape
    return t.reshape((shape[0], shape[1] * shape[2], *shape[3:]))


def _samples(t, size: int):
    """(N, B * C, *size) -> (B, N, C, *size)"""
    n, c = t._spec.shape[:2]
    return t.reshape((n, size, c // size, *t._spec.shape[2:])).movedim(1, 0)


def forward(call: Call):
    """convolution_op and, with gradients in the place of images, convolution_input_grad."""
    x, weight = call.tensors[:2]
    bias = call.tensors[2] if len(call.tensors) > 2 else None
    size = call.size
    shared = not any(call.batched[1:])
    if shared:
        n = call.logical[0].shape[0]
        return parted(call.run(joined(x), *call.tensors[1:]), size, n)
    if not call.batched[1]:  # only the bias differs
        if call.batched[0]:
            n = call.logical[0].shape[0]
            images = parted(call.run(*_without_bias(call, joined(x))), size, n)
        else:
            images = repeated(call.run(*_without_bias(call, x)), size)
    else:
        groups = call.attrs["groups"]
        if call.batched[0] or groups > 1 or call.op.name != "convolution_op":
            images = call.run(
                *_without_bias(call, _channels(x, call.batched[0], size), joined(weight)),
                groups=groups * size,
            )
        else:  # the same images for all: more output channels
            images = call.run(*_without_bias(call, x, joined(weight)))
        images = _samples(images, size)
    if bias is None:
        return images
    ones = [1] * (images._spec.ndim - 3)
    shape = (size, 1, -1, *ones) if call.batched[2] else (-1, *ones)
    return images + bias.reshape(shape)


def _without_bias(call: Call, x, weight=None):
    weight = call.tensors[1] if weight is None else weight
    return (x, weight, None) if len(call.tensors) > 2 else (x, weight)


def weight_grad(call: Call):
    """convolution_weight_grad: each sample is a group of its own."""
    grad, x = call.tensors
    size, groups = call.size, call.attrs["groups"]
    found = call.run(
        _channels(grad, call.batched[0], size),
        _channels(x, call.batched[1], size),
        groups=groups * size,
    )
    shape = found._spec.shape
    return found.reshape((size, shape[0] // size, *shape[1:]))
