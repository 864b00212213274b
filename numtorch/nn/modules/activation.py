"""Activations: layers that apply one function to every element, or along one dimension."""

import warnings

from ...ops.create import empty
from .. import functional, init
from ..parameter import Parameter
from .module import Module

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
    "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU",
    "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh",
    "Tanhshrink", "Threshold",
]  # fmt: skip


def inplace_text(module, first=""):
    """The settings with "inplace=True" behind them if it is set."""
    return ", ".join(text for text in (first, "inplace=True" if module.inplace else "") if text)


class _Inplace(Module):
    """A function whose only setting is `inplace`."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply the function."""
        return self._function(input, inplace=self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self)


class ReLU(_Inplace):
    """max(x, 0).

    (*) -> (*)
    """

    _function = staticmethod(functional.relu)


class GELU(Module):
    """x times the normal distribution function of x, or its approximation by tanh.

    (*) -> (*)
    """

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """Apply the function."""
        return functional.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        """The settings."""
        return f"approximate={self.approximate!r}"


class SiLU(_Inplace):
    """x * sigmoid(x).

    (*) -> (*)
    """

    _function = staticmethod(functional.silu)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return input.sigmoid()


class Tanh(Module):
    """The hyperbolic tangent.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return input.tanh()


class LeakyReLU(Module):
    """x where it is positive, else negative_slope * x.

    (*) -> (*)
    """

    def __init__(self, negative_slope=1e-2, inplace=False):
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input):
        """Apply the function."""
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"negative_slope={self.negative_slope}")


class ELU(Module):
    """x where it is positive, else alpha * (exp(x) - 1).

    (*) -> (*)
    """

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input):
        """Apply the function."""
        return functional.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"alpha={self.alpha}")


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x is above the threshold.

    (*) -> (*)
    """

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input):
        """Apply the function."""
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        """The settings."""
        return f"beta={self.beta}, threshold={self.threshold}"


class _AlongDim(Module):
    """A function along one dimension."""

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__({"dim": None, **state})

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """exp(x), scaled to sum to 1 along a dimension.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.softmax(input, self.dim, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """The logarithm of softmax, computed without overflow.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.log_softmax(input, self.dim, _stacklevel=5)


class Softmin(_AlongDim):
    """The softmax of -x.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.softmin(input, self.dim, _stacklevel=5)


class ReLU6(_Inplace):
    """min(max(x, 0), 6).

    (*) -> (*)
    """

    _function = staticmethod(functional.relu6)


class Mish(_Inplace):
    """x * tanh(softplus(x)) (Misra, 2019).

    (*) -> (*)
    """

    _function = staticmethod(functional.mish)


class SELU(_Inplace):
    """Scaled ELU that keeps mean 0 and variance 1 (Klambauer et al., 2017).

    (*) -> (*)
    """

    _function = staticmethod(functional.selu)


class Hardswish(Module):
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al., 2019).

    (*) -> (*)
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply the function."""
        return functional.hardswish(input, self.inplace)


class Hardsigmoid(Module):
    """min(max(x + 3, 0), 6) / 6.

    (*) -> (*)
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply the function."""
        return functional.hardsigmoid(input, self.inplace)


class Softsign(Module):
    """x / (1 + |x|).

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.softsign(input)


class Tanhshrink(Module):
    """x - tanh(x).

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.tanhshrink(input)


class LogSigmoid(Module):
    """log(1 / (1 + exp(-x))).

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.logsigmoid(input)


class CELU(Module):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron, 2017).

    (*) -> (*)
    """

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input):
        """Apply the function."""
        return functional.celu(input, self.alpha, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"alpha={self.alpha}")


class Hardtanh(Module):
    """x, kept within [min_val, max_val].

    (*) -> (*)
    """

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        if min_value is not None:
            _renamed("min_value", "min_val")
            min_val = min_value
        if max_value is not None:
            _renamed("max_value", "max_val")
            max_val = max_value
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace
        if not max_val > min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")

    def forward(self, input):
        """Apply the function."""
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"min_val={self.min_val}, max_val={self.max_val}")


def _renamed(old, new):
    warnings.warn(
        f"keyword argument `{old}` is deprecated and rename to `{new}`", FutureWarning, stacklevel=3
    )


class _Shrink(Module):
    """A function that is zero within [-lambd, lambd]."""

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def extra_repr(self):
        """The bound."""
        return str(self.lambd)


class Softshrink(_Shrink):
    """x moved towards zero by lambd, zero within it.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.softshrink(input, self.lambd)


class Hardshrink(_Shrink):
    """x where it is beyond lambd, else zero.

    (*) -> (*)
    """

    def forward(self, input):
        """Apply the function."""
        return functional.hardshrink(input, self.lambd)


class Threshold(Module):
    """x where it is above the threshold, else a value.

    (*) -> (*)
    """

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace

    def forward(self, input):
        """Apply the function."""
        return functional.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"threshold={self.threshold}, value={self.value}")


class RReLU(Module):
    """x where it is positive, else x times a slope: random in training, else the mean of the bounds
    (Xu et al., 2015).

    (*) -> (*)
    """

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input):
        """Apply the function."""
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self, f"lower={self.lower}, upper={self.upper}")


class PReLU(Module):
    """x where it is positive, else a learned slope times x, one for all or each channel (He et al.,
    2015).

    (N, C, *) -> (N, C, *)
    """

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Set all slopes to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        """Apply the function."""
        return functional.prelu(input, self.weight)

    def extra_repr(self):
        """How many slopes."""
        return f"num_parameters={self.num_parameters}"


class GLU(Module):
    """The first half of a dimension times the sigmoid of the second (Dauphin et al., 2017).

    (*, N, *) -> (*, N / 2, *)
    """

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """Apply the function."""
        return functional.glu(input, self.dim)

    def extra_repr(self):
        """The dimension."""
        return f"dim={self.dim}"


class Softmax2d(Module):
    """Softmax over the channels of each pixel.

    (N, C, H, W) -> (N, C, H, W), or both without N
    """

    def forward(self, input):
        """Apply the function."""
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return functional.softmax(input, -3, _stacklevel=5)
