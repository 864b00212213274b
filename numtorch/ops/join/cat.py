"""cat and stack.

cat of n tensors is the op `catn`, made when it is first needed (see ../index/counted.py), so that
it is an op like any other: recorded, captured, differentiated twice. Lists longer than `MOST` are
joined in groups, and the groups again.
"""

from ...core import dtype as dtypes
from ...core import errors
from ...core.batching import Call
from ...core.generate import reaches_twice
from ...core.interp import runtime
from ...core.out import check_out, to_out
from ...core.shape import wrap_dim
from ...core.tangents import linear
from ...core.tensor import Tensor
from ..copy import to_dtype
from ..index.counted import counted, derivative
from ..index.rows import overlap
from ..view.primitives import select_op, slice_op

__all__ = ["cat", "concat", "concatenate", "stack"]
ROOM = "numtorch.ops.join"
MOST = 256  # tensors of one op: its function and its tape node name each of them


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


def _stack_batch(call: Call):
    return call.run(*call.every(), dim=call.attrs["dim"] + 1)


def _cat_batch(call: Call):
    rank = max(len(s.shape) for s in call.logical)
    kept = [
        t
        for t, s in zip(call.every(), call.logical, strict=True)
        if not skipped(s) or rank == 1  # a vector without elements joins anything, its batch not
    ]
    return cat(kept, call.attrs["dim"] + 1)


cat_op = counted("cat", ROOM, (), "tensor", ("dim",), _cat_vjp, jvp=linear, vmap=_cat_batch)(_cat)
stack_op = counted(
    "stack", ROOM, (), "tensor", ("dim",), _stack_vjp, jvp=linear, vmap=_stack_batch
)(_stack)


def checked_list(tensors, name):
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
    checked_list(tensors, "cat")
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
    if not checked_list(tensors, "stack"):
        raise RuntimeError("stack expects a non-empty TensorList")
    dim = wrap_dim(dim, len(tensors[0]._spec.shape) + 1)
    count = len(tensors)
    if count <= MOST:
        result = stack_op[count](*tensors, dim)
    else:
        result = cat([stack(tensors[k : k + MOST], dim) for k in range(0, count, MOST)], dim)
    return result if out is None else _joined_out(result, out, "stack", tensors)


runtime["stack"] = stack  # for core/batching.py
