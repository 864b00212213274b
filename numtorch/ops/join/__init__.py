"""Several tensors in one, cat and stack with their relatives, and splitting by the same names.

cat of n tensors is the op `catn`, made when it is first needed (see ../index/counted.py), so that
it is an op like any other: recorded, captured, differentiated twice. Lists longer than `MOST` are
joined in groups, and the groups again.
"""

import warnings

from ...core import dtype as dtypes
from ...core import errors
from ...core.generate import reaches_twice
from ...core.out import check_out, to_out
from ...core.shape import wrap_dim
from ...core.tensor import Tensor
from ..copy import to_dtype
from ..create import arange
from ..index.counted import counted, derivative
from ..index.masks import masked_select
from ..index.rows import overlap
from ..view.basic import expand, reshape, select_op, slice_op, transpose, unsqueeze, view_op
from ..view.parts import tensor_split

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "cartesian_prod", "cat",
    "column_stack", "combinations", "concat", "concatenate", "dsplit", "dstack", "hsplit", "hstack",
    "meshgrid", "row_stack", "stack", "vsplit", "vstack",
]  # fmt: skip
ROOM = "numtorch.ops.join"
MOST = 256  # tensors of one op: its function and its tape node name each of them


# -- cat, stack ------------------------------------------------------------------------------------
def _promoted(specs):
    found = specs[0].dtype
    for s in specs:
        found = dtypes.promote_types(found, s.dtype)
    return found


def skipped(spec) -> bool:
    """Whether cat ignores a tensor: an empty vector joins anything."""
    return spec.shape == (0,)


def _cat(*tensors, dim):
    """Tensors behind each other in one dimension. (.., N, ..), (.., M, ..), ... -> (.., N + M +
    ..., ..)
    """
    kept = [(k, s) for k, s in enumerate(tensors) if not skipped(s)]
    if not kept:
        return tensors[0].like(shape=(0,), dtype=_promoted(tensors))
    first = kept[0][1]
    for k, s in kept:
        if s.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {s.ndim}"
            )
        for d, n in enumerate(s.shape):
            if d != dim and n != first.shape[d]:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size "
                    f"{first.shape[d]} but got size "
                    f"{n} for tensor number {k} in the list."
                )
    size = list(first.shape)
    size[dim] = sum(s.shape[dim] for _, s in kept)
    return first.like(shape=size, dtype=_promoted(tensors))


def _parts(g, needs, specs, dim):
    """The gradient of each tensor: its range of the joined one."""
    found, at = [], 0
    for s, needed in zip(specs, needs, strict=True):
        n = 0 if skipped(s) else s.shape[dim]
        if not needed:
            found.append(None)
        elif skipped(s):
            found.append(g.new_zeros((0,), dtype=s.dtype))
        else:
            found.append(to_dtype(slice_op(g, dim, at, n, 1), s.dtype))
        at += n
    return tuple(found)


def _cat_vjp(names):
    specs = ", ".join("_" + n for n in names)
    one = "" if len(names) > 1 else "[0]"  # a single tensor's derivative is no tuple
    return {
        names: derivative(
            f"lambda g, needs, {specs}, dim: parts(g, needs, ({specs},), dim){one}", parts=_parts
        )
    }


def _stack(*tensors, dim):
    """Tensors of one shape along a new dimension. (..), (..), ... -> (.., K, ..)"""
    first = tensors[0]
    for k, s in enumerate(tensors):
        if s.shape != first.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first.shape)} at entry "
                f"0 and {list(s.shape)} at entry {k}"
            )
    return first.like(
        shape=(*first.shape[:dim], len(tensors), *first.shape[dim:]), dtype=_promoted(tensors)
    )


def _slices(g, needs, specs, dim):
    """The gradient of each tensor: its index of the new dimension."""
    pairs = enumerate(zip(specs, needs, strict=True))
    return tuple(
        to_dtype(select_op(g, dim, k), s.dtype) if needed else None for k, (s, needed) in pairs
    )


def _stack_vjp(names):
    specs = ", ".join("_" + n for n in names)
    one = "" if len(names) > 1 else "[0]"
    return {
        names: derivative(
            f"lambda g, needs, {specs}, dim: slices(g, needs, ({specs},), dim){one}", slices=_slices
        )
    }


cat_op = counted("cat", ROOM, (), "tensor", ("dim",), _cat_vjp)(_cat)
stack_op = counted("stack", ROOM, (), "tensor", ("dim",), _stack_vjp)(_stack)


def _checked(tensors, name):
    """The tensors of a list or tuple."""
    kind = tensors.__class__
    if kind is not tuple and kind is not list and not isinstance(tensors, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{kind.__name__}"
        )
    for k, t in enumerate(tensors):
        if t.__class__ is not Tensor and not isinstance(t, Tensor):
            raise TypeError(
                f"expected Tensor as element {k} in argument 0, but got {type(t).__name__}"
            )
    return tensors


def cat(tensors, dim=0, *, out=None):
    """Tensors behind each other in one dimension; their dtypes are promoted. (.., N, ..), (.., M,
    ..) -> (.., N + M, ..)

    Raises RuntimeError where other sizes differ. Empty vectors are skipped.
    """
    _checked(tensors, "cat")
    count = len(tensors)
    if not count:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    ndim = 0
    for t in tensors:
        shape = t._spec.shape
        if not shape:
            k = next(k for k, t in enumerate(tensors) if not t._spec.shape)
            raise RuntimeError(f"zero-dimensional tensor (at position {k}) cannot be concatenated")
        if not ndim and shape != (0,):
            ndim = len(shape)
    if dim.__class__ is not int or not 0 <= dim < ndim:
        dim = wrap_dim(dim, ndim or 1)
    if count <= MOST:
        result = cat_op[count](*tensors, dim)
    else:
        result = cat([cat(tensors[k : k + MOST], dim) for k in range(0, count, MOST)], dim)
    return result if out is None else _joined_out(result, out, "cat", tensors)


def _joined_out(result, out, name, tensors):
    check_out(name, out, tensors)
    if reaches_twice(out._spec):
        raise errors.internal_overlap(name)
    if any(overlap(t, out) for t in tensors):
        raise errors.partial_overlap(name)
    if result._spec.dtype.category > out._spec.dtype.category:
        wanted = out._spec.dtype.type_name.removesuffix("Tensor")
        raise TypeError(
            f"torch.{name}(): input types can't be cast to the desired output type {wanted}"
        )
    return to_out(result, out, name)


def concat(tensors, dim=0, *, out=None):
    """An alias of cat."""
    return cat(tensors, dim, out=out)


def concatenate(tensors, dim=0, *, out=None):
    """An alias of cat."""
    return cat(tensors, dim, out=out)


def stack(tensors, dim=0, *, out=None):
    """Tensors of one shape along a new dimension. (..), (..), ... -> (.., K, ..)"""
    if not _checked(tensors, "stack"):
        raise RuntimeError("stack expects a non-empty TensorList")
    dim = wrap_dim(dim, len(tensors[0]._spec.shape) + 1)
    count = len(tensors)
    if count <= MOST:
        result = stack_op[count](*tensors, dim)
    else:
        result = cat([stack(tensors[k : k + MOST], dim) for k in range(0, count, MOST)], dim)
    return result if out is None else _joined_out(result, out, "stack", tensors)


# -- at least so many dimensions -------------------------------------------------------------------
def _each(tensors, widen):
    """One tensor for one argument, else a tuple."""
    if len(tensors) == 1:
        (given,) = tensors
        if not isinstance(given, (tuple, list)):
            return widen(given)
        tensors = given
    return tuple(widen(t) for t in _checked(tensors, "atleast"))


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
    if not _checked(tensors, "hstack"):
        raise RuntimeError("hstack expects a non-empty TensorList")
    wide = [_one(t) for t in tensors]
    return cat(wide, 0 if wide[0]._spec.ndim == 1 else 1, out=out)


def vstack(tensors, *, out=None):
    """Tensors below each other: along the first dimension, vectors as rows."""
    if not _checked(tensors, "vstack"):
        raise RuntimeError("vstack expects a non-empty TensorList")
    return cat([_two(t) for t in tensors], 0, out=out)


def row_stack(tensors, *, out=None):
    """An alias of vstack."""
    return vstack(tensors, out=out)


def dstack(tensors, *, out=None):
    """Tensors behind each other: along the third dimension."""
    if not _checked(tensors, "dstack"):
        raise RuntimeError("dstack expects a non-empty TensorList")
    return cat([_three(t) for t in tensors], 2, out=out)


def column_stack(tensors, *, out=None):
    """`hstack` with vectors as columns."""
    if not _checked(tensors, "column_stack"):
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
    for k, t in enumerate(_checked(tensors, "block_diag")):
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
    if not _checked(tensors, "meshgrid"):
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
    for t in _checked(tensors, "cartesian_prod"):
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


METHODS = {"hsplit": hsplit, "vsplit": vsplit, "dsplit": dsplit}
