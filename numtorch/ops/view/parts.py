"""Views of parts: split, chunk, unbind."""

from ...core import shape as shapes
from ...core.tape import grad_mode
from ...core.tensor import Tensor
from .basic import select_op, slice_op, slice_view

__all__ = ["chunk", "split", "split_with_sizes", "tensor_split", "unbind"]


def _several(views):
    """Mark views that one call returned together: torch forbids changing them in place."""
    for v in views:
        if grad_mode.get() and v._view.creation == "":
            v._view.creation = "multi"
    return tuple(views)


def split_with_sizes(input, split_sizes, dim=0):
    """Parts of the given sizes along a dimension."""
    if input._spec.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = shapes.wrap_dim(dim, input._spec.ndim, "split")
    n = input._spec.shape[dim]
    if any(s < 0 for s in split_sizes):
        raise RuntimeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(split_sizes)}"
        )
    if sum(split_sizes) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at "
            f"dimension {dim}), but got split_sizes={list(split_sizes)}"
        )
    starts = [sum(split_sizes[:i]) for i in range(len(split_sizes))]
    return _several(
        [slice_op(input, dim, a, s, 1) for a, s in zip(starts, split_sizes, strict=True)]
    )


def split(tensor, split_size_or_sections, dim=0):
    """Parts of one size (the last may be smaller), or of the given sizes, along a dimension."""
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(tensor, list(split_size_or_sections), dim)
    if tensor._spec.ndim == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = shapes.wrap_dim(dim, tensor._spec.ndim, "split")
    n, size = tensor._spec.shape[dim], split_size_or_sections
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    if size == 0:
        if n:
            raise RuntimeError(
                f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
            )
        return split_with_sizes(tensor, [0], dim)
    count = max(1, -(-n // size))
    return split_with_sizes(tensor, [min(size, n - i * size) for i in range(count)], dim)


def chunk(input, chunks, dim=0):
    """At most `chunks` parts of equal size (the last may be smaller)."""
    if input._spec.ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = shapes.wrap_dim(dim, input._spec.ndim, "chunk")
    n = input._spec.shape[dim]
    size = -(-n // chunks)
    return split(input, size, dim) if size else split_with_sizes(input, [0] * chunks, dim)


def tensor_split(input, indices_or_sections, dim=0):
    """Parts as equal as possible, or between the given indices."""
    if input._spec.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = shapes.wrap_dim(dim, input._spec.ndim, "tensor_split")
    n = input._spec.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        k = indices_or_sections
        if k <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {k}")
        cuts = [n // k * i + min(i, n % k) for i in range(1, k)]
    else:
        cuts = list(indices_or_sections)
    edges = [0, *cuts, n]
    return _several([slice_view(input, dim, a, b) for a, b in zip(edges, edges[1:], strict=False)])


def unbind(input, dim=0):
    """All indices of a dimension, each as a tensor."""
    if input._spec.ndim == 0:
        raise RuntimeError("Dimension specified as 0 but tensor has no dimensions")
    dim = shapes.wrap_dim(dim, input._spec.ndim, "unbind")
    return _several([select_op(input, dim, i) for i in range(input._spec.shape[dim])])
