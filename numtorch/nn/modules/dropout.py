"""Dropout: of elements, of whole channels, and of SELU networks."""

from .. import functional
from .module import Module

__all__ = [
    "AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout",
]  # fmt: skip


class _DropoutNd(Module):
    """A dropout with probability `p`, in training only."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self):
        """The probability."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training sets elements to zero with probability `p` and scales the others by 1/(1-p).

    (*) -> (*)
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """In training sets whole channels to zero with probability `p` (Tompson et al., 2015).

    (N, C, L) -> (N, C, L), or both without N
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """In training sets whole channels to zero with probability `p` (Tompson et al., 2015).

    (N, C, H, W) -> (N, C, H, W), or both without N
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """In training sets whole channels to zero with probability `p` (Tompson et al., 2015).

    (N, C, D, H, W) -> (N, C, D, H, W), or both without N
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """In training keeps mean and variance of what SELU gives (Klambauer et al., 2017).

    (*) -> (*)
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """In training as AlphaDropout, for whole channels.

    (N, C, *) -> (N, C, *)
    """

    def forward(self, input):
        """Drop, in training only."""
        return functional.feature_alpha_dropout(input, self.p, self.training)
