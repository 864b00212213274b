"""Dropout: `Dropout`."""

from .. import functional
from .module import Module

__all__ = ["Dropout"]


class Dropout(Module):
    """In training sets elements to zero with probability `p` and scales the others by 1/(1-p).

    (*) -> (*)
    """

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        """Drop elements, in training only."""
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"
