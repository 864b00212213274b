"""Group norm: the statistics of groups of channels of each sample."""

import math

from ...core.interp import differentiated
from ...core.op import primitive
from ...core.tape import grad_mode
from . import batching
from .formula import gradients
from .layer import same_dtype

ROOM = "numtorch.ops.norm"


def _gradients(g, input, weight, _bias, out1, out2, num_groups, eps, needs):
    if differentiated():
        shape = input._spec.shape
        n, c = shape[:2]
        view = n, num_groups, c // num_groups, math.prod(shape[2:])
        given = g.reshape(view), input.reshape(view)
        grads = gradients(*given, weight, _bias, needs, (2, 3), eps, (1, 2))
        return None if grads[0] is None else grads[0].reshape(shape), *grads[1:]
    grads = group_norm_backward_op(g, input, weight, out1, out2)
    return tuple(r if wanted else None for r, wanted in zip(grads, needs, strict=True))


@primitive(
    vmap=batching.groups,
    outputs=3,
    vjp={("input", "weight", "bias"): _gradients},
    node_name="NativeGroupNormBackward0",
    module=ROOM,
)
def group_norm_op(input, weight=None, bias=None, *, num_groups, eps):
    """Normalizes groups of channels. (N, C, ...), (C,), (C,) -> (N, C, ...)

    Further outputs, (N, num_groups): mean and 1 / sqrt(variance + eps).
    """
    statistics = input.like(shape=(input.shape[0], num_groups))
    return input.like(), statistics, statistics


@primitive(vmap=batching.groups_backward, outputs=3, vjp={}, module=ROOM)
def group_norm_backward_op(grad, input, weight, mean, rstd):
    """The gradients of `group_norm_op` for input, weight and bias.

    (N, C, ...), (N, C, ...), (C,), (N, G), (N, G) -> (N, C, ...), (C,), (C,)
    """
    channels = input.like(shape=input.shape[1:2])
    return input.like(), channels, channels


group_norm_backward_op.op.optional = frozenset(["weight"])


def _check_groups(spec, num_groups: int, weight, bias) -> None:
    shape = spec.shape
    if shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(shape)} and num_groups={num_groups}"
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t._spec.shape) != shape[1:2]:
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, "
                "but "
                f"got {name} of shape {list(t._spec.shape)} and input of shape {list(shape)}"
            )
    same_dtype(spec, *[t._spec for t in (weight, bias) if t is not None])


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalize groups of channels of each sample. (N, C, ...), (C,), (C,) -> (N, C, ...)

    Source: Wu and He, 2018.
    """
    shape = input._spec.shape
    if len(shape) < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {len(shape)}"
        )
    if shape[0] * shape[1] // num_groups * math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    _check_groups(input._spec, num_groups, weight, bias)
    return group_norm_op(input, weight, bias, num_groups, eps)[0]


def native_group_norm(input, weight, bias, N, C, HxW, group, eps):  # noqa: N803 (torch's names)
    """`group_norm` with the mean and 1 / sqrt(variance + eps) of each group."""
    _check_groups(input._spec, group, weight, bias)
    out, mean, rstd = group_norm_op(input, weight, bias, group, eps)
    if input._node is not None and grad_mode.get():  # here statistics are differentiable, too
        flat = input.reshape(N, group, C // group * HxW)
        mean = flat.mean(2)
        centred = flat - mean.unsqueeze(2)
        rstd = ((centred * centred).mean(2) + eps).rsqrt()
    return out, mean, rstd
