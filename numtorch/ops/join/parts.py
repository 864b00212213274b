"""Views of parts: split, chunk, unbind. Each is one op with many results, which remember how they
were made: torch forbids changing one of several views in place.
"""

from ...core import shape as shapes
from ...core.batching import along
from ...core.op import view_primitive
from ...core.tensor import Tensor
from ..view.basic import slice_view
from .cat import cat, stack

__all__ = ["chunk", "split", "split_with_sizes", "tensor_split", "unbind"]
ROOM = "numtorch.ops.join"


# -- primitives ------------------------------------------------------------------------------------
def _complete(g, _input, rule, *attrs):
    """The gradients of all parts, zeros where there is none."""
    like = next(x for x in g if x is not None)
    parts = rule(_input, *attrs)
    return [like.new_zeros(s.shape) if x is None else x for x, (s, _) in zip(g, parts, strict=True)]


def _split_backward(g, _input, split_size, dim):
    return _ranges_backward(g, _input, _equal(_input, split_size, dim), dim)


def _ranges_backward(g, _input, split_sizes, dim):
    return cat(_complete(g, _input, _ranges, split_sizes, dim), dim)


def _unbind_backward(g, _input, dim):
    return stack(_complete(g, _input, _indices, dim), dim)


def _equal(input, split_size, dim):
    """The lengths of ranges of one length; the last may be shorter."""
    n = input.shape[dim]
    count = max(1, -(-n // split_size)) if split_size else 1
    return [min(split_size, n - i * split_size) for i in range(count)]


def _ranges(input, sizes, dim):
    """(Spec, offset) of ranges of these lengths, one behind the other."""
    found, at, size, step = [], 0, list(input.shape), input.strides[dim]
    for n in sizes:
        size[dim] = n
        found.append((input.strided(tuple(size), input.strides), at * step))
        at += n
    return found


def _indices(input, dim):
    """(Spec, offset) of each index of a dimension."""
    size, strides = list(input.shape), list(input.strides)
    n, step = size.pop(dim), strides.pop(dim)
    spec = input.strided(tuple(size), strides)
    return [(spec, i * step) for i in range(n)]


@view_primitive(
    vmap=along("dim"),
    several=True,
    vjp={"input": _split_backward},
    node_name="SplitBackward0",
    module=ROOM,
)
def split_op(input, *, split_size, dim):
    """Ranges of one length, the last may be shorter. (.., N, ..) -> (.., split_size, ..), ..."""
    return _ranges(input, _equal(input, split_size, dim), dim)


@view_primitive(
    vmap=along("dim"),
    several=True,
    vjp={"input": _ranges_backward},
    node_name="SplitWithSizesBackward0",
    module=ROOM,
)
def split_with_sizes_op(input, *, split_sizes, dim):
    """Ranges of a dimension, one behind the other. (.., N + M + ..., ..) -> (.., N, ..), ..."""
    return _ranges(input, split_sizes, dim)


@view_primitive(
    vmap=along("dim"),
    several=True,
    vjp={"input": _unbind_backward},
    node_name="UnbindBackward0",
    module=ROOM,
)
def unbind_op(input, *, dim):
    """All indices of a dimension. (.., N, ..) -> N tensors of (.., ..)"""
    return _indices(input, dim)


# -- public functions ------------------------------------------------------------------------------
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
    return split_with_sizes_op(input, tuple(split_sizes), dim)


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
    if size == 0 and n:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
        )
    return split_op(tensor, size, dim)


def chunk(input, chunks, dim=0):
    """At most `chunks` parts of equal size (the last may be smaller)."""
    ndim = input._spec.ndim
    if ndim == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = shapes.wrap_dim(dim, ndim, "chunk")
    size = -(-input._spec.shape[dim] // chunks)
    return split_op(input, size, dim) if size else split_with_sizes_op(input, (0,) * chunks, dim)


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
    return tuple(slice_view(input, dim, a, b) for a, b in zip(edges, edges[1:], strict=False))


def unbind(input, dim=0):
    """All indices of a dimension, each as a tensor."""
    if input._spec.ndim == 0:
        raise RuntimeError("Dimension specified as 0 but tensor has no dimensions")
    dim = shapes.wrap_dim(dim, input._spec.ndim, "unbind")
    return unbind_op(input, dim)
