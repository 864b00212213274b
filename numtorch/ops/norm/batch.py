"""Batch and instance norm: statistics of each channel."""

import math

from ...core import inplace
from ...core.dtype import promote_types
from ...core.interp import differentiated
from ...core.op import primitive
from ...core.out import to_out
from ...core.tensor import Tensor
from ..pointwise.define import Pointwise
from . import batching
from .formula import gradients, in_its_layout
from .group import group_norm_op

ROOM = "numtorch.ops.norm"


def check_parameters(input, **parameters) -> None:
    """Raise torch's errors for vectors that do not have one number of the input's dtype for each
    channel.
    """
    channels = input.shape[1] if input.ndim > 1 else 0
    for name, s in parameters.items():
        if s is None:
            continue
        if s.numel != channels:
            raise RuntimeError(f"{name} should contain {channels} elements not {s.numel}")
    if not input.dtype.is_floating_point:
        kind = input.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(f"\"batch_norm\" not implemented for '{kind}'")
    for s in parameters.values():
        if s is not None and s.dtype is not input.dtype:
            if promote_types(s.dtype, input.dtype) is input.dtype:
                raise RuntimeError("mixed dtype (CPU): all inputs must share same datatype.")
            raise RuntimeError("mixed dtype (CPU): expect parameter to have scalar type of Float")


# -- with the statistics of the batch ------------------------------------------------------------
def _training_gradients(g, input, weight, _bias, out1, out2, eps, needs):
    if differentiated():
        dims = [0, *range(2, input._spec.ndim)]
        return gradients(g, input, weight, _bias, needs, dims, eps, (1,))
    grads = batch_norm_backward_op(g, input, weight, out1, out2)
    return grads[0], grads[1], None if _bias is None else grads[2]


@primitive(
    vmap=batching.channels,
    outputs=4,
    vjp={("input", "weight", "bias"): _training_gradients},
    node_name="NativeBatchNormBackward0",
    module=ROOM,
)
def batch_norm_op(input, weight=None, bias=None, *, eps):
    """Normalizes channels by the statistics of the batch. (N, C, ...), (C,), (C,) -> (N, C, ...)

    Further outputs, (C,) each: mean, 1 / sqrt(variance + eps), variance with Bessel's correction.
    """
    check_parameters(input, weight=weight, bias=bias)
    vector = input.like(shape=input.shape[1:2])
    return in_its_layout(input), vector, vector, vector


@primitive(vmap=batching.channels, outputs=3, vjp={}, module=ROOM)
def batch_norm_backward_op(grad, input, weight, mean, invstd):
    """The gradients of `batch_norm_op` for input, weight and bias.

    (N, C, ...), (N, C, ...), (C,), (C,), (C,) -> (N, C, ...), (C,), (C,)
    """
    return in_its_layout(input), mean.like(), mean.like()


batch_norm_backward_op.op.optional = frozenset(["weight"])

# both running statistics in one pass, not recorded
_running_op = Pointwise(
    "running_update",
    ["running_mean", "mean", "running_var", "var", "momentum"],
    ("e * b + (1 - e) * a", "e * d + (1 - e) * c"),
    "arith",
    {},
    compute=lambda specs: specs[0].dtype,
    doc="Running statistics moved towards those of a batch.",
)


def update_running(running_mean, running_var, mean, var, momentum: float) -> None:
    """running = momentum * batch + (1 - momentum) * running, in place."""
    inplace.update(
        _running_op,
        (running_mean, mean, running_var, var, float(momentum)),
        (running_mean, running_var),
    )


# -- with given statistics -----------------------------------------------------------------------
def _channel_sum(t):
    return t.sum([d for d in range(t._spec.ndim) if d != 1])


def _eval_gradients(g, input, mean, var, weight, _bias, eps, needs):
    for_input, _, _, for_weight, for_bias = needs
    if for_weight and mean is not None and not differentiated():
        grads = batch_norm_eval_backward_op(g, input, weight, mean, var, eps)
        return grads[0] if for_input else None, grads[1], grads[2] if for_bias else None
    grad_input = grad_weight = grad_bias = None
    if for_input:
        grad_input = batch_norm_eval_op(g, None, var, weight, None, eps)
    if for_weight:
        grad_weight = _channel_sum(g * batch_norm_eval_op(input, mean, var, None, None, eps))
    if for_bias:
        grad_bias = _channel_sum(g)
    return grad_input, grad_weight, grad_bias


@primitive(vmap=batching.channels, outputs=3, vjp={}, module=ROOM)
def batch_norm_eval_backward_op(grad, input, weight, mean, var, *, eps):
    """The gradients of `batch_norm_eval_op` for input, weight and bias.

    (N, C, ...), (N, C, ...), (C,), (C,), (C,) -> (N, C, ...), (C,), (C,)
    """
    return in_its_layout(input), var.like(), var.like()


batch_norm_eval_backward_op.op.optional = frozenset(["weight"])


@primitive(
    vmap=batching.channels,
    vjp={("input", "weight", "bias"): _eval_gradients, "mean": None, "var": None},
    node_name="NativeBatchNormBackward0",
    module=ROOM,
)
def batch_norm_eval_op(input, mean, var, weight=None, bias=None, *, eps):
    """(input - mean) / sqrt(var + eps) * weight + bias, for each channel. (N, C, ...), (C,)...

    -> (N, C, ...)
    """
    check_parameters(input, running_mean=mean, running_var=var, weight=weight, bias=bias)
    return in_its_layout(input)


batch_norm_eval_op.op.optional = frozenset(["mean", "weight", "bias"])


# -- public functions ----------------------------------------------------------------------------
def _spec(t):
    return None if t is None else t._spec


def normalized(input, running_mean, running_var, weight, bias, training, momentum, eps):
    """(output, mean, invstd); the statistics are None where they were given."""
    if input._spec.ndim < 2:  # `check_parameters` lets only empty ones pass
        return input.clone(), None, None
    if not training:
        return batch_norm_eval_op(input, running_mean, running_var, weight, bias, eps), None, None
    out, mean, invstd, var = batch_norm_op(input, weight, bias, eps)
    if running_mean is not None and input._spec.numel:
        update_running(running_mean, running_var, mean, var, momentum)
    return out, mean, invstd


def _check(input, running_mean, running_var, weight, bias, training) -> None:
    if not training:
        for name, t in (("running_mean", running_mean), ("running_var", running_var)):
            if t is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    elif (running_mean is None) != (running_var is None):
        raise ValueError("running_mean and running_var must either both be None or neither be None")
    check_parameters(
        input._spec,
        running_mean=_spec(running_mean),
        running_var=_spec(running_var),
        weight=_spec(weight),
        bias=_spec(bias),
    )


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Normalize each channel, by the statistics of the batch in training, else by the running ones.

    (N, C, ...), (C,), (C,), (C,), (C,) -> (N, C, ...). Training updates the running statistics
    in place: running = momentum * batch + (1 - momentum) * running, with Bessel's correction of
    the variance. Source: Ioffe and Szegedy, 2015.
    """
    if not isinstance(input, Tensor):
        raise batch_norm_op.op.bad_argument((input, weight, bias))
    if training:
        shape = input._spec.shape
        if input._spec.numel and len(shape) > 1 and shape[0] * math.prod(shape[2:]) == 1:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {shape}"
            )
        if eps <= 0:
            raise ValueError(f"batch_norm eps must be positive during training, but got {eps}")
    elif eps < 0:
        raise ValueError(f"batch_norm eps must be non-negative, but got {eps}")
    _check(input, running_mean, running_var, weight, bias, training)
    return normalized(input, running_mean, running_var, weight, bias, training, momentum, eps)[0]


def native_batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, *, out=None
):
    """`batch_norm` with the mean and 1 / sqrt(variance + eps) that it used (empty without
    training).
    """
    _check(input, running_mean, running_var, weight, bias, training)
    output, mean, invstd = normalized(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )
    if mean is None:
        mean, invstd = input.new_zeros(0), input.new_zeros(0)
    results = output, mean, invstd
    if out is None:
        return results
    return tuple(to_out(r, o, "native_batch_norm") for r, o in zip(results, out, strict=True))


def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """Normalize each channel of each sample: group norm with C groups; where there are running
    statistics, batch norm of a batch of one with N * C channels.

    (N, C, ...), (C,)... -> (N, C, ...). Source: Ulyanov et al., 2016.
    """
    shape = input._spec.shape
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError(
            "Expected running_mean and running_var to be defined when use_input_stats is false"
        )
    if use_input_stats and math.prod(shape[2:]) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {shape}"
        )
    check_parameters(
        input._spec,
        running_mean=_spec(running_mean),
        running_var=_spec(running_var),
        weight=_spec(weight),
        bias=_spec(bias),
    )
    n, c = shape[:2]
    if use_input_stats and running_mean is None and input._spec.numel:
        return group_norm_op(input, weight, bias, c, eps)[0]
    means, variances, scales, shifts = (
        None if t is None else t.repeat(n) for t in (running_mean, running_var, weight, bias)
    )
    out = normalized(
        input.reshape(1, n * c, *shape[2:]), means, variances, scales, shifts, use_input_stats,
        momentum, eps,
    )[0]  # fmt: skip
    if use_input_stats and running_mean is not None:
        running_mean.copy_(means.view(n, c).mean(0))
        running_var.copy_(variances.view(n, c).mean(0))
    return out.view(shape)
