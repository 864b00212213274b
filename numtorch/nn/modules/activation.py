"""Activations: layers that apply one function to every element, or along one dimension."""

from .. import functional
from .module import Module

__all__ = [
    "ELU",
    "GELU",
    "LeakyReLU",
    "LogSoftmax",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Tanh",
]


def inplace_text(module, first=""):
    """The settings with "inplace=True" behind them if it is set."""
    return ", ".join(text for text in (first, "inplace=True" if module.inplace else "") if text)


class ReLU(Module):
    """max(x, 0).

    (*) -> (*)
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply the function."""
        return functional.relu(input, inplace=self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self)


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


class SiLU(Module):
    """x * sigmoid(x).

    (*) -> (*)
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """Apply the function."""
        return functional.silu(input, inplace=self.inplace)

    def extra_repr(self):
        """The settings."""
        return inplace_text(self)


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
