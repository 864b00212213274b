"""Initial values for parameters.

Every function fills a tensor in place, without autograd, and returns it.
"""

import math
import warnings

from ..autograd import no_grad
from ..ops.create import empty_like
from ..ops.pointwise import where
from ..ops.random import randperm

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

LINEAR = frozenset(f"{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3)) | {
    "linear",
    "sigmoid",
}


def calculate_gain(nonlinearity, param=None):
    """The factor by which a layer in front of a nonlinearity should widen its weights.

    `param` is the negative slope of leaky_relu.
    """
    if nonlinearity in LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4
    if nonlinearity != "leaky_relu":
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    if param is None:
        slope = 0.01
    elif isinstance(param, int | float) and not isinstance(param, bool):
        slope = param
    else:
        raise ValueError(f"negative_slope {param} not a valid number")
    return math.sqrt(2.0 / (1 + slope**2))


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Draw from the uniform distribution over [a, b)."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Draw from the normal distribution."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def constant_(tensor, val):
    """Set all elements to one value."""
    return tensor.fill_(val)


@no_grad()
def ones_(tensor):
    """Set all elements to 1."""
    return tensor.fill_(1.0)


@no_grad()
def zeros_(tensor):
    """Set all elements to 0."""
    return tensor.zero_()


@no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Draw from the normal distribution, restricted to [a, b].

    Draws in the same order as torch 2.13: what falls outside is drawn again together with the
    whole tensor; where [a, b] holds little of the distribution, uniform candidates are accepted
    with the probability of their density.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    if inside > 0.3:
        low, high = (tensor.new_tensor(bound, device="cpu").item() for bound in (a, b))
        tensor.normal_(mean, std, generator=generator)
        outside = (tensor < low) | (tensor > high)
        while outside.any():
            again = empty_like(tensor).normal_(mean, std, generator=generator)
            tensor.copy_(where(outside, again, tensor))
            outside = (tensor < low) | (tensor > high)
        return tensor
    log_peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    chance = empty_like(tensor)

    def refused(candidates):
        log_density = ((candidates - mean) / std).pow(2) * -0.5 - log_peak
        return chance.uniform_(generator=generator).log_() > log_density

    pending = refused(tensor.uniform_(a, b, generator=generator))
    while pending.any():
        candidates = empty_like(tensor).uniform_(a, b, generator=generator)
        tensor.copy_(where(pending, candidates, tensor))
        pending = pending & refused(candidates)
    return tensor


def _normal_cdf(x):
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


@no_grad()
def eye_(tensor):
    """Set a matrix to the identity: as many inputs as possible pass a linear layer unchanged."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    tensor.zero_()
    for i in range(min(tensor.shape)):
        tensor[i, i] = 1
    return tensor


@no_grad()
def dirac_(tensor, groups=1):
    """Set a convolution's weight so that as many channels as possible pass unchanged.

    With `groups`, each group of output channels passes the first channels of its inputs.
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    outputs //= groups
    center = tuple(size // 2 for size in kernel)
    tensor.zero_()
    for group in range(groups):
        for channel in range(min(outputs, inputs)):
            tensor[(group * outputs + channel, channel, *center)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor):
    """How many inputs each output of a layer with this weight has, and the reverse."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    outputs, inputs, *kernel = tensor.shape
    field = math.prod(kernel)
    return inputs * field, outputs * field


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return _calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"]


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Draw uniformly so that signals and gradients keep their variance (Glorot and Bengio, 2010).

    Bounds are +-gain * sqrt(6 / (fan_in + fan_out)).
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Draw normally so that signals and gradients keep their variance (Glorot and Bengio, 2010).

    The standard deviation is gain * sqrt(2 / (fan_in + fan_out)).
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw uniformly so that signals keep their variance past a rectifier (He et al., 2015).

    Bounds are +-gain * sqrt(3 / fan); `a` is the negative slope of leaky_relu.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw normally so that signals keep their variance past a rectifier (He et al., 2015).

    The standard deviation is gain / sqrt(fan); `a` is the negative slope of leaky_relu.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0, std, generator)


def _kaiming_std(tensor, a, mode, nonlinearity):
    """The standard deviation, or None for a tensor without elements."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Draw a matrix normally and set a share of each column to zero (Martens, 2010)."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[randperm(rows)[:zeros], column] = 0
    return tensor


def _deprecated(new):
    """The old name of a function, without the underscore, which warns."""
    old = new.__name__[:-1]

    def deprecated(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new.__name__}`.",
            FutureWarning,
            stacklevel=2,
        )
        return new(*args, **kwargs)

    deprecated.__name__ = old
    deprecated.__doc__ = f"The old name of `{new.__name__}`."
    return deprecated


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
sparse = _deprecated(sparse_)
