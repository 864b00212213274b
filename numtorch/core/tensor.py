"""The tensor's slots. Methods are attached by the layers above (`numtorch/tensors/`), from the ops
that define them.

An eager op is about half a microsecond, a slot store 12 ns of it and a new object 75. So a fresh
tensor gets only its array, spec and node. `_grad` and `_view` stay unset until they are needed
(read them with `getattr(t, "_grad", None)`). `_memory`, the Storage, is None until somebody asks
for it: `_storage` makes it then (a property: hot paths look at `_memory` first).
"""

from .spec import Spec

new = object.__new__


class Storage:
    """Memory shared by a tensor and its views, and how often it was changed in place.

    `array`: the whole memory, contiguous (CPU: an ndarray; CUDA: a flat device array).
    `version`: grows with each in-place change; autograd compares it with what it was when a tensor
    was saved.
    `views`: weak references to the differentiable views of this memory (unset or None while there
    are none).
    """

    __slots__ = ("__weakref__", "array", "version", "views")


class View:
    """Where a view begins in its storage, and which tensor it is a view of.

    `offset`: of the first element, in elements of the tensor's dtype.
    `base`: the tensor that autograd knows as the owner of the memory, None for detached views.
    `creation`: "" for a normal view; else why torch forbids changing it in place ("no_grad",
    "multi", ...).
    """

    __slots__ = ("base", "creation", "offset")

    def __init__(self, offset: int, base, creation: str = "") -> None:
        self.offset, self.base, self.creation = offset, base, creation


class Tensor:
    """A multi-dimensional array of one element type, with automatic differentiation.

    Made by `numtorch.tensor`, `zeros`, `rand`, ...; `Tensor(2, 3)` gives an uninitialized tensor of
    that shape and `Tensor([1, 2])` one with these values, both of the default dtype.
    """

    __slots__ = (
        "__dict__",
        "__weakref__",
        "_array",
        "_grad",
        "_memory",
        "_node",
        "_spec",
        "_view",
    )


def _get_storage(t: Tensor) -> Storage:
    storage = t._memory
    if storage is None:
        t._memory = storage = new(Storage)
        storage.array, storage.version, storage.views = t._array, 0, None
    return storage


def _set_storage(t: Tensor, storage: Storage) -> None:
    t._memory = storage


Tensor._storage = property(  # type: ignore[assignment, method-assign]
    _get_storage, _set_storage, doc="The memory, shared with views; made when it is asked for."
)


def wrap(array, spec: Spec, node=None) -> Tensor:
    """A tensor that owns fresh memory."""
    t = new(Tensor)
    t._array, t._spec, t._node, t._memory = array, spec, node, None
    return t


def wrap_view(array, spec: Spec, storage: Storage, view: View, node=None) -> Tensor:
    """A tensor that shares `storage`."""
    t = new(Tensor)
    t._array, t._spec, t._memory, t._view, t._node = array, spec, storage, view, node
    return t


def offset_of(t: Tensor) -> int:
    """Where the tensor's first element is in its storage, in elements."""
    storage = t._memory
    if storage is None or storage.array is t._array:
        return 0  # without asking for `_view`, as an unset slot takes 0.2 us
    view = getattr(t, "_view", None)
    return 0 if view is None else view.offset
