"""Distances between vectors."""

from .. import functional
from .module import Module

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.

    (*, D, *), (*, D, *) -> (*, *)
    """

    def __init__(self, dim=1, eps=1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1, x2):
        """(*, D, *), (*, D, *) -> (*, *)."""
        return functional.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps.

    (N, D) or (D), the same -> (N) or ()
    """

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1, x2):
        """(N, D), (N, D) -> (N)."""
        return functional.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
