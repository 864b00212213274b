"""Gradient clipping: limits on the norm or the values of the gradients of many parameters."""

import warnings
from types import GeneratorType

from ...autograd import no_grad
from ...ops.create import tensor
from ...ops.join import stack
from ...tensors import Tensor

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


def as_list(tensors):
    """One tensor or an iterable of tensors as a list."""
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def gradients(parameters):
    """The gradients of those parameters that have one."""
    return [p.grad for p in as_list(parameters) if p.grad is not None]


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors together, seen as one vector.

    `foreach` is accepted and does nothing.
    """
    tensors, norm_type = as_list(tensors), float(norm_type)
    if not tensors:
        return tensor(0.0)
    device = tensors[0].device
    total = stack([t.norm(norm_type).to(device) for t in tensors]).norm(norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, "
            "so it cannot be clipped. To disable this error and scale the gradients by the "
            "non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients by max_norm / total_norm where that makes them smaller.

    `foreach` is accepted and does nothing.
    """
    # no comparison in Python: on a GPU it would wait for the norm
    scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for grad in gradients(parameters):
        grad.mul_(scale.to(grad.device))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale the gradients of all parameters so that their common norm is at most `max_norm`.

    Returns the norm that they had.
    """
    generator = isinstance(parameters, GeneratorType)
    parameters = as_list(parameters)
    if generator and not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2
        )
    total = get_total_norm(gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The old name of `clip_grad_norm_`; warns."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of "
        "`torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Limit every element of the gradients to [-clip_value, clip_value].

    `foreach` is accepted and does nothing.
    """
    clip_value = float(clip_value)
    for grad in gradients(parameters):
        grad.clamp_(-clip_value, clip_value)
