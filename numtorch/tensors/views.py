"""Views by integers, slices, None and `...`: the geometry of `x[...]`, and the tensors made of it.

A view that autograd need not record is made at once, from all items together; as ops, one for each
item, they have a history (x[i]: 0.9 us and 1.1).
"""

import operator

import numpy as np

from ..core import tape
from ..core.device import CPU
from ..core.inplace import register_view
from ..core.interp import runtime
from ..core.plans import register
from ..core.spec import Spec
from ..core.tensor import Storage, Tensor, View, offset_of
from ..ops.create import from_array
from ..ops.join.parts import unbind
from ..ops.view.primitives import alias_op, select_op, slice_op, unsqueeze_op

new, grad_on = object.__new__, tape.grad_mode.get
_rows: dict = register({})  # Spec -> what x[i] is
_views: dict = register({})  # (Spec, shape, byte strides) -> Spec of a view
LIMIT = 4096
SCALAR = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ "
    "to convert a 0-dim tensor to a number"
)


def recorded(t) -> bool:
    """Whether views of a tensor are ops: where autograd, or an interpreter, must know them."""
    return (t._node is not None and grad_on()) or runtime["interp"] is not None


def known(t, result, storage: Storage, first: int) -> Tensor:
    """Finish a view without history that begins `first` elements behind its parent: tell its base
    of it.
    """
    view = result._view = new(View)
    owner = t._array is storage.array and t._array.__class__ is np.ndarray
    parent = None if owner else getattr(t, "_view", None)
    if parent is None:
        view.offset, view.base = first, t
    else:
        view.offset, view.base = first + parent.offset, t if parent.base is None else parent.base
    view.creation = "" if parent is None else parent.creation
    if not grad_on() and view.creation != "inference":
        view.creation = "inference" if tape.inference_mode.get() else "no_grad"
    if t._node is not None and view.base._node is not None:
        result._node = tape.UNRECORDED
    register_view(storage, result)
    return result


def plain_view(t, spec, offset) -> Tensor:
    """A view that has no history."""
    result = new(Tensor)
    result._spec, result._node = spec, None
    storage = t._memory
    if storage is None:
        storage = t._storage
    result._memory = storage
    result._array = runtime["memory"](spec.device).view(storage.array, spec, offset + offset_of(t))
    return known(t, result, storage, offset)


def row_of(spec):
    """Spec, step and number of the indices of the first dimension, and what makes their arrays."""
    found = _rows.get(spec)
    if found is None:
        if not spec.shape:
            raise IndexError(SCALAR)
        if len(_rows) >= LIMIT:
            _rows.clear()
        row = spec.strided(spec.shape[1:], spec.strides[1:])
        viewer = runtime["memory"](spec.device).viewer(row)
        found = _rows[spec] = row, spec.strides[0], spec.shape[0], viewer
    return found


def select_first(t, index: int) -> Tensor:
    """x[i]."""
    spec, step, n, viewer = _rows.get(t._spec) or row_of(t._spec)
    at = index + n if index < 0 else index
    if not 0 <= at < n:
        raise outside(index, 0, n)
    if (t._node is not None and grad_on()) or runtime["interp"] is not None:
        return select_op(t, 0, at)
    result = new(Tensor)
    result._spec, result._node, result._array = spec, None, viewer(t._array, at * step)
    storage = t._memory
    if storage is None:
        storage = t._storage
    result._memory = storage
    return known(t, result, storage, at * step)


def outside(index, dim, n) -> Exception:
    """The error for an index that is not in a dimension of size n."""
    if not -(2**63) <= index < 2**63:
        return ValueError("Overflow when unpacking long long")
    return IndexError(f"index {index} is out of bounds for dimension {dim} with size {n}")


def slice_first(t, item):
    """x[a:b]; None where the long path must look."""
    spec = t._spec
    if item.step is not None or not spec.shape or recorded(t):
        return None
    n, start, stop = spec.shape[0], item.start, item.stop
    if start is None:
        start = 0
    elif start.__class__ is not int:
        return None
    elif start < 0:
        start = max(start + n, 0)
    if stop is None or stop.__class__ is int and stop > n:
        stop = n
    elif stop.__class__ is not int:
        return None
    elif stop < 0:
        stop += n
    length = stop - start if stop > start else 0
    key = spec, length
    found = _views.get(key)
    if found is None:
        part = spec.strided((length, *spec.shape[1:]), spec.strides)
        found = remember(key, (part, runtime["memory"](spec.device).viewer(part)))
    result, first = new(Tensor), start * spec.strides[0] if length else 0
    result._spec, viewer = found
    result._node, result._array = None, viewer(t._array, first)
    storage = t._memory
    if storage is None:
        storage = t._storage
    result._memory = storage
    return known(t, result, storage, first)


def remember(key, spec):
    """Keep what a short path has found out for the next time; the table never grows past LIMIT."""
    if len(_views) >= LIMIT:
        _views.clear()
    _views[key] = spec
    return spec


def chain(t, items):
    """x[items] for integers, slices, None and `...` of a tensor whose views are ops; None as in
    `basic`.
    """
    used = 0
    for i in items:
        kind = i.__class__
        if kind is int or kind is slice:
            used += 1
        elif i is not None and i is not Ellipsis:
            return None
    spec = t._spec
    ndim, dim, result = len(spec.shape), 0, t
    if used > ndim:
        return None
    for position, i in enumerate(items):
        kind = i.__class__
        if kind is int:
            n = result._spec.shape[dim]
            at = i + n if i < 0 else i
            if not 0 <= at < n:
                raise outside(i, position, n)
            result = select_op(result, dim, at)
            continue
        if kind is slice:
            n = result._spec.shape[dim]
            start, step, length = range_of(i, n)
            if step != 1 or start or i.stop not in (None, n):
                result = slice_op(result, dim, start if length else 0, length, step)
        elif i is None:
            result = unsqueeze_op(result, dim)
        else:
            dim += ndim - used
            continue
        dim += 1
    if result is t and len(items) == 1 and items[0].__class__ is slice:
        return slice_op(t, 0, 0, t._spec.shape[0], 1)
    return alias_op(t) if result is t else result


def basic(t, items: tuple):
    """x[items] for integers, slices, None and `...` of a tensor without history on the host: NumPy
    finds the geometry. None where anything is unusual: the long path then says what.
    """
    spec = t._spec
    if (t._node is not None and grad_on()) or runtime["interp"] is not None:
        return chain(t, items)
    if spec.device is not CPU:
        return None
    shape, strides = spec.shape, spec.strides
    d, offset, whole = 0, 0, True
    for i in items:
        kind = i.__class__
        if kind is int:
            if d >= len(shape):
                return None
            n = shape[d]
            if i < 0:
                i += n
            if not 0 <= i < n:
                return None
            offset += i * strides[d]
            d += 1
        elif kind is slice:
            if d >= len(shape):
                return None
            start = i.start
            if start is not None or i.step is not None:
                if start.__class__ is int and 0 <= start <= shape[d] and i.step is None:
                    offset += start * strides[d]
                else:
                    start, step, length = range_of(i, shape[d])
                    offset += start * strides[d] if length else 0
            d += 1
        elif i is None:
            continue
        elif i is Ellipsis and whole:
            used = sum(1 for k in items if k is not None) - 1
            if used > len(shape):
                return None
            d, whole = d + len(shape) - used, False
        else:
            return None
    try:
        array = t._array[(*items, ...) if whole else items]
    except (IndexError, TypeError):
        return None
    key = spec, array.shape, array.strides
    found = _views.get(key)
    if found is None:
        item = array.itemsize
        found = remember(key, spec.strided(array.shape, [s // item for s in array.strides]))
    result = new(Tensor)
    result._spec, result._node, result._array = found, None, array
    storage = t._memory
    if storage is None:
        storage = t._storage
    result._memory = storage
    return known(t, result, storage, offset)


class Walk:
    """The items of an index, one after the other: the geometry of the view so far, and the ops that
    make it.
    """

    def __init__(self, t) -> None:
        spec = t._spec
        self.shape, self.strides, self.offset = list(spec.shape), list(spec.strides), 0
        self.dim = 0
        self.steps: list = []  # (op, attributes)
        self.tensors: list = []  # (dimension, index tensor)

    def select(self, index: int, position: int) -> None:
        n = self.shape[self.dim]
        at = index + n if index < 0 else index
        if not 0 <= at < n:
            raise outside(index, position, n)
        self.offset += at * self.strides[self.dim]
        del self.shape[self.dim], self.strides[self.dim]
        self.steps.append((select_op, (self.dim, at)))

    def slice(self, item) -> None:
        dim = self.dim
        n = self.shape[dim]
        start, step, length = range_of(item, n)
        if step != 1 or length != n:
            self.offset += start * self.strides[dim] if length else 0
            self.shape[dim] = length
            self.strides[dim] *= step
            self.steps.append((slice_op, (dim, start if length else 0, length, step)))
        self.dim += 1

    def new_axis(self) -> None:
        dim = self.dim
        step = self.shape[dim] * self.strides[dim] if dim < len(self.shape) else 1
        self.shape.insert(dim, 1)
        self.strides.insert(dim, step)
        self.steps.append((unsqueeze_op, (dim,)))

    def truth(self, value: bool, t) -> None:
        """True and False index a new dimension of size 1: keep it, or make it empty."""
        self.new_axis()
        found = from_array(np.zeros(int(value), np.int64))
        self.tensors.append(
            (self.dim, found if t._spec.device.type == "cpu" else found.to(t._spec.device))
        )
        self.dim += 1

    def view_of(self, t) -> Tensor:
        """The view that the items before index tensors make."""
        if recorded(t):
            for op, attrs in self.steps:
                t = op(t, *attrs)
            return t if self.steps else alias_op(t)
        spec = t._spec
        return plain_view(
            t, Spec.of(self.shape, spec.dtype, spec.device, tuple(self.strides)), self.offset
        )


def range_of(item, n: int):
    """(start, step, length) of a slice of a dimension of size n."""
    step = item.step
    if step is not None and not isinstance(step, int):
        step = operator.index(step)
    if step is not None and step <= 0:
        raise ValueError(
            "slice step cannot be zero" if step == 0 else "step must be greater than zero"
        )
    try:
        start, stop, step = item.indices(n)
    except TypeError:
        raise TypeError(
            "slice indices must be integers or None or have an __index__ method"
        ) from None
    return start, step, max(0, -(-(stop - start) // step))


def rows_of(t):
    """All indices of the first dimension: `unbind`, quickly where that is no op."""
    spec = t._spec
    if recorded(t) or spec.device is not CPU or spec.ndim < 2:
        return unbind(t, 0)
    row_spec, step, _, _ = row_of(spec)
    storage, found = t._storage, []
    for i, array in enumerate(t._array):
        row = new(Tensor)
        row._spec, row._node, row._array, row._memory = row_spec, None, array, storage
        found.append(known(t, row, storage, i * step))
        if row._view.creation != "inference":
            row._view.creation = (
                "multi" if grad_on() else "no_grad"
            )  # torch forbids changing one of several
    return found
