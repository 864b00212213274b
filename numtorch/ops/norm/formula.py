"""The derivative of normalization, written in differentiable operations, and layouts.

The derivative serves `create_graph=True`; otherwise the fused kernels of the room compute the same.
"""

import math

from ...core.shape import is_contiguous


def channels_last(spec) -> bool:
    """Whether images (N, C, H, W) or (N, C, D, H, W) lie in memory as rows of channels."""
    if spec.contiguous or spec.ndim not in (4, 5):
        return False
    order = (0, *range(2, spec.ndim), 1)
    return is_contiguous([spec.shape[d] for d in order], [spec.strides[d] for d in order])


def in_its_layout(input):
    """The Spec of a result: its channels come last if those of the input do."""
    return input if channels_last(input) else input.like()


def lines_of(shape, dim: int) -> tuple[int, int, int]:
    """A shape as (outer, n, inner) around the dimension `dim`."""
    dim %= len(shape)
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def gradients(g, input, weight, bias, needs, dims, eps, kept):
    """Gradients for input, weight and bias of (input - mean) / sqrt(var + eps) * weight + bias.

    Statistics are taken over `dims`; weight and bias belong to the other dimensions, or to the
    dimensions `kept`.
    """
    mean = input.mean(dims, True)
    centred = input - mean
    invstd = ((centred * centred).mean(dims, True) + eps).rsqrt()
    normal = centred * invstd
    shape = [n if d in kept else 1 for d, n in enumerate(input._spec.shape)]
    rest = [d for d in range(len(shape)) if d not in kept]
    grad_weight = grad_bias = grad_input = None
    if weight is not None and needs[1]:
        grad_weight = _summed(g * normal, rest).reshape(weight._spec.shape)
    if bias is not None and needs[2]:
        grad_bias = _summed(g, rest).reshape(bias.shape)
    if needs[0]:
        if weight is not None:
            g = g * weight.reshape(shape)
        grad_input = invstd * (g - g.mean(dims, True) - normal * (g * normal).mean(dims, True))
    return grad_input, grad_weight, grad_bias


def _summed(t, dims):
    return t.sum(dims) if dims else t
