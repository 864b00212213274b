"""Layers without structure in space: `Linear`, `Identity`."""

import math

from ...ops.create import empty
from .. import functional, init
from ..parameter import Parameter
from .module import Module

__all__ = ["Identity", "Linear"]


class Identity(Module):
    """Gives back its input; takes and ignores any arguments, to stand in for other layers."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """Give back the input."""
        return input


class Linear(Module):
    """y = x @ weight.T + bias.

    (*, in_features) -> (*, out_features)
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty((out_features, in_features), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw weight and bias uniformly within +-1/sqrt(in_features)."""
        # a = sqrt(5) turns the bound of kaiming_uniform_ into 1/sqrt(fan_in)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input):
        """(*, in_features) -> (*, out_features)."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self):
        """The sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
