"""Distances between vectors: `cosine_similarity`, `pairwise_distance`."""

from ...core.shape import broadcast_shapes
from ...core.tensor import Tensor

__all__ = ["cosine_similarity", "pairwise_distance"]


def _check_tensors(name, *inputs):
    for i, x in enumerate(inputs, 1):
        if not isinstance(x, Tensor):
            raise TypeError(f"{name}(): argument 'x{i}' must be Tensor, not {type(x).__name__}")


def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """The cosine of the angle between vectors along `dim`; lengths count as at least `eps`.
    (..., n, ...), (..., n, ...) -> (..., ...)
    """
    _check_tensors("cosine_similarity", x1, x2)
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{x1.dtype} and {x2.dtype}"
        )
    size = broadcast_shapes(x1._spec.shape, x2._spec.shape)
    x1, x2 = (x if x._spec.shape == size else x.expand(*size) for x in (x1, x2))
    lengths = [(x * x).sum(dim, keepdim=True).sqrt().clamp_min(eps) for x in (x1, x2)]
    return ((x1 / lengths[0]) * (x2 / lengths[1])).sum(dim)


def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps over the last dimension. (..., n), (..., n) -> (...)"""
    _check_tensors("pairwise_distance", x1, x2)
    return (x1 - x2 + eps).norm(p, -1, keepdim)
