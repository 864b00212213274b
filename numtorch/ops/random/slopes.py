"""The randomized leaky ReLU: negative elements times slopes that are drawn while training."""

import math

from ...core.batching import leading
from ...core.op import primitive
from ...core.random import resolve_generator
from ..pointwise.public import leaky_relu
from .fill import ROOM, not_implemented


@primitive(vmap=leading, vjp={}, module=ROOM)
def rrelu_slopes_op(input, *, lower, upper, generator):
    """A sample of the uniform distribution on [lower, upper) where input <= 0, else 1.

    (...) -> (...)
    """
    if not input.dtype.is_floating_point:
        raise not_implemented("rrelu_with_noise_out_cpu", input)
    return input.like()


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """input * slope where input <= 0, with a slope for each element, drawn from [lower, upper)
    while training and else the mean of the two. (...) -> (...)

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network",
    2015.
    """
    for value, name in ((lower, "lower"), (upper, "upper")):
        if not math.isfinite(value):
            raise RuntimeError(f"rrelu: {name} bound must be finite, got {value}")
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    generator = resolve_generator(None, input.device, "rrelu")
    slopes = rrelu_slopes_op(input, float(lower), float(upper), generator)
    return input.mul_(slopes) if inplace else slopes * input


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, True)
