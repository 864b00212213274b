"""Several tensors in one (cat.py: cat and stack; here their relatives), and one in several
(parts.py: split, chunk, unbind; here what splits by their names).
"""

import warnings

from ...core import dtype as dtypes
from ...core.tensor import Tensor
from ..create import arange
from ..index.masks import masked_select
from ..view.basic import expand, reshape, transpose, unsqueeze
from ..view.primitives import view_op
from .cat import cat, checked_list, concat, concatenate, stack
from .parts import chunk, split, split_with_sizes, tensor_split, unbind

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "cat", "chunk",
    "column_stack", "combinations", "concat", "concatenate", "dsplit", "dstack", "hsplit", "hstack",
    "meshgrid", "row_stack", "split", "split_with_sizes", "stack", "tensor_split", "unbind",
    "vsplit", "vstack",
]  # fmt: skip


# -- at least so many dimensions -------------------------------------------------------------------
def _each(tensors, widen):
    """One tensor for one argument, else a tuple."""
    if len(tensors) == 1:
        (given,) = tensors
        if not isinstance(given, (tuple, list)):
            return widen(given)
        tensors = given
    return tuple(widen(t) for t in checked_list(tensors, "atleast"))


def _one(t):
    return t if t._spec.ndim else reshape(t, 1)


def _two(t):
    return t if t._spec.ndim > 1 else unsqueeze(_one(t), 0)


def _three(t):
    return t if t._spec.ndim > 2 else unsqueeze(_two(t), -1)


def atleast_1d(*tensors):
    """Tensors as vectors, if they have no dimension. () -> (1,)"""
    return _each(tensors, _one)


def atleast_2d(*tensors):
    """Tensors with two dimensions or more, new ones first. (N,) -> (1, N)"""
    return _each(tensors, _two)


def atleast_3d(*tensors):
    """Tensors with three dimensions or more. (N,) -> (1, N, 1), (N, M) -> (N, M, 1)"""
    return _each(tensors, _three)


def hstack(tensors, *, out=None):
    """Tensors side by side: along the second dimension, vectors along their one."""
    if not checked_list(tensors, "hstack"):
        raise RuntimeError("hstack expects a non-empty TensorList")
    wide = [_one(t) for t in tensors]
    return cat(wide, 0 if wide[0]._spec.ndim == 1 else 1, out=out)


def vstack(tensors, *, out=None):
    """Tensors below each other: along the first dimension, vectors as rows."""
    if not checked_list(tensors, "vstack"):
        raise RuntimeError("vstack expects a non-empty TensorList")
    return cat([_two(t) for t in tensors], 0, out=out)


def row_stack(tensors, *, out=None):
    """An alias of vstack."""
    return vstack(tensors, out=out)


def dstack(tensors, *, out=None):
    """Tensors behind each other: along the third dimension."""
    if not checked_list(tensors, "dstack"):
        raise RuntimeError("dstack expects a non-empty TensorList")
    return cat([_three(t) for t in tensors], 2, out=out)


def column_stack(tensors, *, out=None):
    """`hstack` with vectors as columns."""
    if not checked_list(tensors, "column_stack"):
        raise RuntimeError("column_stack expects a non-empty TensorList")
    return hstack(
        [t if t._spec.ndim > 1 else reshape(t, t._spec.numel, 1) for t in tensors], out=out
    )


# -- splits ----------------------------------------------------------------------------------------
def _split_evenly(input, sections, dim, name, least):
    """`tensor_split`, refusing a number of sections that does not divide the dimension."""
    ndim = input._spec.ndim
    if ndim < least:
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor "
            f"with {ndim} dimensions!"
        )
    n = input._spec.shape[dim]
    if isinstance(sections, int) and (sections == 0 or n % sections):
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension "
            f"{n} is not divisible by the split_size {sections}!"
        )
    return tensor_split(input, sections, dim)


def _sections(given):
    return given[0] if len(given) == 1 else given


def hsplit(input, *indices_or_sections):
    """Equal parts of the second dimension (of a vector: its one), or parts between indices."""
    return _split_evenly(
        input, _sections(indices_or_sections), int(input._spec.ndim > 1), "hsplit", 1
    )


def vsplit(input, *indices_or_sections):
    """Equal parts of the first dimension, or parts between indices."""
    return _split_evenly(input, _sections(indices_or_sections), 0, "vsplit", 2)


def dsplit(input, *indices_or_sections):
    """Equal parts of the third dimension, or parts between indices."""
    return _split_evenly(input, _sections(indices_or_sections), 2, "dsplit", 3)


# -- products --------------------------------------------------------------------------------------
def block_diag(*tensors):
    """Matrices along the diagonal of a matrix of zeros; vectors count as rows."""
    if not tensors:
        raise RuntimeError("torch.block_diag: expected at least one tensor")
    for k, t in enumerate(checked_list(tensors, "block_diag")):
        if t._spec.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {k} has "
                f"{t._spec.ndim} dimensions"
            )
    blocks = [_two(t) for t in tensors]
    width, at, rows = sum(b._spec.shape[1] for b in blocks), 0, []
    for b in blocks:
        n, m = b._spec.shape
        rows.append(cat([b.new_zeros((n, at)), b, b.new_zeros((n, width - at - m))], 1))
        at += m
    return cat(rows, 0)


def meshgrid(*tensors, indexing=None):
    """Vectors expanded to the grid of their combinations. (N,), (M,) -> (N, M), (N, M); "xy": (M,
    N), (M, N)
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if not checked_list(tensors, "meshgrid"):
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing is None:
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
            "argument.",
            stacklevel=2,
        )
        indexing = "ij"
    for t in tensors:
        if t._spec.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t}"
            )
        if t._spec.dtype is not tensors[0]._spec.dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    size = [t._spec.numel for t in tensors]
    swap = indexing == "xy" and len(tensors) > 1
    found = []
    for k, t in enumerate(tensors):
        sides = [1] * len(size)
        sides[k] = size[k]
        grid = expand(view_op(t, tuple(sides)), *size)
        found.append(transpose(grid, 0, 1) if swap else grid)
    return tuple(found)


def cartesian_prod(*tensors):
    """All combinations of the elements of vectors, as rows. (N,), (M,) -> (N M, 2)"""
    for t in checked_list(tensors, "cartesian_prod"):
        if t._spec.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t._spec.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(g, -1) for g in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input, r=2, with_replacement=False):
    """All combinations of `r` elements of a vector, in order, as rows. (N,) -> (K, r)"""
    if input._spec.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input._spec.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    n = input._spec.numel
    order = arange(n, device=input._spec.device)
    places = meshgrid(*[order] * r, indexing="ij")
    mask = input.new_ones((n,) * r, dtype=dtypes.bool_)
    for a, b in zip(places, places[1:], strict=False):
        mask = mask & ((a <= b) if with_replacement else (a < b))
    return stack([masked_select(g, mask) for g in meshgrid(*[input] * r, indexing="ij")], 1)


_METHODS = (chunk, dsplit, hsplit, split, split_with_sizes, tensor_split, unbind, vsplit)
METHODS = {f.__name__: f for f in _METHODS}
