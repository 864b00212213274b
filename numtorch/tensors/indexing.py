"""`x[...]` and `x[...] = value`, and what else Python asks of a container.

Integers, slices, None and `...` give a view (see views.py); index tensors and masks are left for
one op behind that.
"""

import operator
import warnings

import numpy as np

from ..core import dtype as dtypes
from ..core import errors
from ..core.generate import reaches_twice
from ..core.inplace import rename
from ..core.spec import Spec
from ..core.tensor import Tensor, wrap
from ..ops.create import from_array
from ..ops.index.masks import positions
from ..ops.index.rows import apart, check_mask, index_op, index_put_op
from ..ops.pointwise.compare import fill_op, masked_fill_op
from ..ops.pointwise.public import _fill_, fill_, refuse_expanded
from ..ops.view.basic import expand
from ..ops.view.primitives import unsqueeze_op, view_op
from .views import Walk, basic, rows_of, select_first, slice_first


# -- items -----------------------------------------------------------------------------------------
def _sequence(item):
    """A list, range, tuple or array as an index tensor: bool stays a mask, other numbers become
    int64.
    """
    if item.__class__ is list and item and all(v.__class__ is int for v in item):
        return wrap(np.array(item, np.int64), Spec.of((len(item),), dtypes.int64))
    if not isinstance(item, np.ndarray):
        plain = _unwrapped(item)
        if isinstance(plain, str):
            raise TypeError("new(): invalid data type 'str'")
        try:
            item = np.array(plain)
        except ValueError:
            raise ValueError(
                f"expected sequences of equal lengths as an index, but got {plain}"
            ) from None
        if item.dtype.kind in "USO":
            raise TypeError(f"new(): invalid data type '{_innermost(plain)}'")
    if item.dtype != np.bool_ and item.dtype != np.uint8:
        item = item.astype(np.int64)
    return from_array(np.ascontiguousarray(item).reshape(item.shape))


def _unwrapped(item):
    """Tensors in nested sequences as numbers and lists."""
    if isinstance(item, Tensor):
        return item.tolist()
    return [_unwrapped(v) for v in item] if isinstance(item, (list, tuple, range)) else item


def _innermost(value) -> str:
    while isinstance(value, list) and value:
        value = next((v for v in value if isinstance(v, (list, str))), value[0])
    return type(value).__name__


def _is_tuple(item) -> bool:
    """Whether a list stands for a tuple of indices: if it is short and holds slices, None, `...`,
    lists or tensors.
    """
    if item.__class__ is not list or len(item) >= 32:
        return False
    for v in item:
        if v.__class__ is not int and (v is None or v is Ellipsis or isinstance(v, NESTED)):
            break
    else:
        return False
    if any(v != [] if isinstance(v, list) else True for v in item):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will "
            "be interpreted as tensor index, x[torch.tensor(seq)], which will result either in an "
            "error or a different result",
            stacklevel=4,
        )
    return True


def _normal(item):
    """An item that is none of int, slice, None, `...`, bool, Tensor as one of those."""
    if isinstance(item, (list, tuple, range, np.ndarray, str)):
        return _sequence(item)
    if not isinstance(item, (int, np.bool_)) and hasattr(item, "__index__"):
        return operator.index(item)
    if isinstance(item, int):
        return int(item)
    kind = type(item)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid "
        "indices "
        f"(got {name})"
    )


NESTED = (Tensor, slice, list, tuple, range)
PLAIN = (int, slice, type(None), type(Ellipsis), bool)
MASKS = (dtypes.bool_, dtypes.uint8)
FAST = (dtypes.int64, dtypes.bool_)  # index tensors that need no look at their kind


def _walk(t, index) -> Walk:
    """Go through an index's items."""
    given = index if isinstance(index, tuple) else tuple(index) if _is_tuple(index) else (index,)
    walk, ndim, items = Walk(t), t._spec.ndim, []
    used = 0
    for i in given:
        kind = i.__class__
        if kind not in PLAIN and kind is not Tensor and not isinstance(i, Tensor):
            i = _normal(i)
            kind = i.__class__
        items.append(i)
        if kind is int or kind is slice:
            used += 1
        elif kind not in PLAIN:
            used += i._spec.ndim if i._spec.dtype in MASKS else 1
    if used > ndim:
        if ndim == 0 and len(items) == 1 and items[0].__class__ is slice:
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    for position, i in enumerate(items):
        kind = i.__class__
        if kind is int:
            walk.select(i, position)
        elif kind is slice:
            walk.slice(i)
        elif i is None:
            walk.new_axis()
            walk.dim += 1
        elif i is Ellipsis:
            walk.dim += ndim - used
        elif kind is bool:
            walk.truth(i, t)
        else:
            _tensor_item(walk, t, i, position)
    return walk


def _tensor_item(walk: Walk, t, index, position: int) -> None:
    spec = index._spec
    if not spec.ndim:
        if spec.dtype in MASKS:
            walk.truth(bool(index.item()), t)
            return
        if not spec.dtype.is_floating_point:
            walk.select(index.item(), position)
            return
    if spec.dtype.is_floating_point:
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    walk.tensors.append((walk.dim, index))
    walk.dim += spec.ndim if spec.dtype in MASKS else 1


def _indices(view, tensors):
    """(index tensors, their dimensions): masks as coordinates, everything on the view's device."""
    found, dims = [], []
    for dim, index in tensors:
        if index._spec.device is not view._spec.device:
            index = index.to(view._spec.device)
        if index._spec.dtype in MASKS:
            _check_mask(view, index, dim)
            parts = index.nonzero(as_tuple=True)
        else:
            parts = (index,)
        found += parts
        dims += range(dim, dim + len(parts))
    return found, tuple(dims)


def _check_mask(view, mask, dim) -> None:
    check_mask(view._spec, mask._spec, dim)
    if mask._spec.dtype is dtypes.uint8:
        warnings.warn(
            "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool "
            "instead.",
            stacklevel=5,
        )


# -- reading ---------------------------------------------------------------------------------------
def getitem(self, index):
    """Part of the tensor: a view for integers, slices, None and `...`, a copy for index tensors,
    lists and masks.

    Raises IndexError for indices outside of a dimension, too many of them, or of a wrong type.
    """
    kind = index.__class__
    if kind is int:
        return select_first(self, index)
    if kind is slice:
        found = slice_first(self, index)
        if found is None:
            found = basic(self, (index,))
        if found is not None:
            return found
    elif kind is tuple:
        found = basic(self, index)
        if found is not None:
            return found
        if len(index) <= len(self._spec.shape) and _all_indices(self, index):
            return index_op[len(index)](self, *index, tuple(range(len(index))))
    elif index is None:
        return unsqueeze_op(self, 0)
    elif index is Ellipsis:
        found = basic(self, (index,))
        if found is not None:
            return found
    elif kind is Tensor and index._spec.shape:
        spec, d = self._spec, index._spec.dtype
        if d is dtypes.int64 and spec.shape and index._spec.device is spec.device:
            return index_op[1](self, index, (0,))
        if d is dtypes.bool_ and len(index._spec.shape) <= len(spec.shape):
            return _read_mask(self, 0, index)
    walk = _walk(self, index)
    if not walk.tensors:
        return walk.view_of(self)
    return _read(walk.view_of(self) if walk.steps else self, walk.tensors)


def _all_indices(t, items) -> bool:
    """Whether all items are index tensors that the op takes as they are."""
    device = t._spec.device
    for i in items:
        if i.__class__ is not Tensor:
            return False
        spec = i._spec
        if spec.dtype is not dtypes.int64 or not spec.shape or spec.device is not device:
            return False
    return bool(items)


def _read(view, tensors):
    if len(tensors) == 1 and tensors[0][1]._spec.dtype in MASKS:
        return _read_mask(view, *tensors[0])
    found, dims = _indices(view, tensors)
    return index_op[len(found)](view, *found, dims)


def _read_mask(view, dim, mask):
    """The rows where one mask is true: its dimensions are merged where they lie evenly, so that one
    index does.
    """
    _check_mask(view, mask, dim)
    if mask._spec.device is not view._spec.device:
        mask = mask.to(view._spec.device)
    ndim, shape = mask._spec.ndim, view._spec.shape
    if ndim > 1:
        if not view._spec.contiguous:
            found, dims = _indices(view, [(dim, mask)])
            return index_op[len(found)](view, *found, dims)
        view = view_op(view, (*shape[:dim], mask._spec.numel, *shape[dim + ndim :]))
    return index_op[1](view, positions(mask), (dim,))


# -- writing ---------------------------------------------------------------------------------------
LIMITS = {
    d: (int(np.iinfo(d.np).min), int(np.iinfo(d.np).max))
    for d in dtypes.BY_NAME.values()
    if d.np.kind in "iu"
}
C_NAMES = {"float32": "float", "float64": "double", "int32": "int"}


def _number(spec, value):
    """A Python number in the tensor's dtype; RuntimeError where it does not fit."""
    d = spec.dtype
    if d is dtypes.bool_:
        return bool(value)
    if d.is_floating_point:
        value = float(value)
        fits = d is not dtypes.float32 or not 3.4028235677973366e38 <= abs(value) < float("inf")
    else:
        low, high = LIMITS[d]
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("Overflow when unpacking long long")
        fits = value == value and (-high if low == 0 else low) <= value <= high
        value = int(value) if fits else 0
        if low == 0 and value < 0:
            value += high + 1
    if not fits:
        raise RuntimeError(
            f"value cannot be converted to type {C_NAMES.get(d.name, d.name + '_t')} without "
            f"overflow"
        )
    return value


def _is(bound, number: int) -> bool:
    """Whether a bound of a slice is the number that it is by default."""
    return bound is None or (bound.__class__ is int and bound == number)


def _is_everything(index, shape) -> bool:
    """Whether an index is `...`, or nothing but `:`, so that no view needs to be made."""
    items = index if index.__class__ is tuple else (index,)
    if len(items) > max(len(shape), 1) or not items:
        return False
    skipped = None  # how many dimensions `...` stands for, beyond one
    for d, i in enumerate(items):
        if i is Ellipsis and skipped is None:
            skipped = len(shape) - len(items)
        elif i.__class__ is not slice or not shape:
            return False
        elif i.stop is not None or i.start is not None or i.step is not None:
            n = shape[d + (skipped or 0)]
            if not (_is(i.start, 0) and _is(i.step, 1) and _is(i.stop, n)):
                return False
    return True


def setitem(self, index, value) -> None:
    """Write a number or a tensor, broadcast, into part of the tensor; repeated indices take the
    last value.
    """
    number = not isinstance(value, Tensor)
    if number:
        if not isinstance(value, (int, float)):
            kind = type(value)
            name = (
                kind.__name__
                if kind.__module__ == "builtins"
                else f"{kind.__module__}.{kind.__name__}"
            )
            raise TypeError(f"can't assign a {name} to a torch.{self._spec.dtype.type_name}")
        value = _number(self._spec, value)
    kind = index.__class__
    if kind is int:
        target = select_first(self, index)
    elif _is_everything(index, self._spec.shape):
        target = self
    elif (kind is slice and (found := slice_first(self, index)) is not None) or (
        (kind is slice or kind is tuple)
        and (found := basic(self, index if kind is tuple else (index,))) is not None
    ):
        target = found
    elif kind is Tensor and index._spec.dtype in FAST and index._spec.shape and self._spec.shape:
        _write_at(self, [(0, index)], value, number)
        return
    else:
        if index is False:
            return
        walk = _walk(self, index)
        target = walk.view_of(self) if walk.steps else self
        if walk.tensors:
            _write_at(target, walk.tensors, value, number)
            return
    if number:
        if reaches_twice(target._spec):
            refuse_expanded(target)
        _fill_(target, value)
        if target._node is not None:
            rename(target, fill_op, "FillBackward3" if target._spec.ndim else "CopyBackwards")
    else:
        _copy_into(target, value)


def _without_ones(value):
    """A tensor without leading dimensions of size 1."""
    shape = value._spec.shape
    ones = 0
    while ones < len(shape) and shape[ones] == 1:
        ones += 1
    return value.reshape(tuple(shape[ones:])) if ones else value


def _copy_into(target, value) -> None:
    if not value._spec.ndim and target._spec.ndim:
        fill_(target, value)
        return
    if value._spec.shape != target._spec.shape:
        value = _without_ones(value)
        if value._spec.shape != target._spec.shape:
            value = expand(value, *target._spec.shape)
    target.copy_(value)


def _write_at(target, tensors, value, number: bool) -> None:
    spec = target._spec
    if not number:
        if value._spec.device is not spec.device and not value._spec.ndim:
            value = value.to(spec.device)
        if value._spec.ndim and value._spec.shape[0] == 1:
            value = _without_ones(value)
        value = apart(target, value)
    scalar = number or not value._spec.ndim
    if len(tensors) == 1 and tensors[0][1]._spec.dtype in MASKS and scalar:
        dim, mask = tensors[0]
        _check_mask(target, mask, dim)
        mask = mask if mask._spec.dtype is dtypes.bool_ else mask != 0
        behind = spec.ndim - dim - mask._spec.ndim
        if behind:
            mask = mask.reshape((*mask._spec.shape, *(1,) * behind))
        if not number and value._spec.dtype is not spec.dtype:
            value = value.to(spec.dtype)  # one value is converted, several are refused
        target.masked_fill_(
            mask if mask._spec.device is spec.device else mask.to(spec.device), value
        )
        if target._node is not None:
            rename(target, masked_fill_op, "IndexPutBackward0")
        return
    found, dims = _indices(target, tensors)
    if reaches_twice(spec):
        errors.warn_expanded("index_put_")
    index_put_op.in_place[len(found)](target, value, *found, dims, False)


# -- containers ------------------------------------------------------------------------------------
def length(self) -> int:
    """The size of the first dimension."""
    if not self._spec.shape:
        raise TypeError("len() of a 0-d tensor")
    return self._spec.shape[0]


def iterate(self):
    """The indices of the first dimension, one after the other."""
    if not self._spec.shape:
        raise TypeError("iteration over a 0-d tensor")
    return iter(rows_of(self))


def contains(self, element) -> bool:
    """Whether any element equals a number, or any broadcast one a tensor's."""
    if isinstance(element, (Tensor, int, float)):
        return bool((self == element).any().item())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
    )


def backwards(self):
    """A copy with the first dimension in reverse order."""
    return self.flip(0) if self._spec.shape else self


def delete(self, index) -> None:
    """Elements cannot be deleted."""
    raise TypeError("Tensor does not support deleting items")


METHODS = {
    "__getitem__": getitem, "__setitem__": setitem, "__delitem__": delete, "__len__": length,
    "__iter__": iterate, "__contains__": contains, "__reversed__": backwards,
}  # fmt: skip
