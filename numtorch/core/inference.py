"""Tensors made in inference mode: they have no version, may not be saved for backward, nor changed
in place in normal mode.

What is one is known from its Storage, which views share. Ops do not look: while a thread is in
inference mode, the function that makes their results is another one, which marks a tensor by its
`_view`; and once that has happened, so is the function that makes Storages.
"""

from . import errors, tensor
from .interp import runtime
from .tape import inference_mode
from .tensor import Storage, Tensor, View

FRESH = View(0, None)  # the `_view` of a tensor made in inference mode that owns its memory
_make = object.__new__
_active = [0]
used = False  # whether any thread has ever been in inference mode


class InferenceStorage(Storage):
    """Memory whose changes are not counted. Reading the version is what an op does that saves."""

    __slots__ = ()

    @property
    def version(self) -> int:  # type: ignore[override]
        if not inference_mode.get():
            raise errors.inference_saved()
        return 0

    @version.setter
    def version(self, value) -> None:
        """Changes are not counted."""


def _marked(cls):
    made = _make(cls)
    if cls is Tensor and inference_mode.get():
        made._view = FRESH
    return made


def _get_storage(t: Tensor) -> Storage:
    storage = t._memory
    if storage is None:
        fresh = getattr(t, "_view", None) is FRESH
        t._memory = storage = _make(InferenceStorage if fresh else Storage)
        storage.array, storage.version, storage.views = t._array, 0, None
    return storage


_storage = Tensor._storage.getter(_get_storage)  # type: ignore[attr-defined]


def activate(count: int) -> None:
    """One thread more (1) or less (-1) is in inference mode."""
    global used  # noqa: PLW0603 (read by each recorded change in place)
    _active[0] += count
    runtime["new"] = tensor.new = _marked if _active[0] else _make
    if count > 0 and not used:
        used = True
        Tensor._storage = _storage  # type: ignore[assignment, method-assign]


def is_inference(t: Tensor) -> bool:
    """Whether a tensor, or what it is a view of, was made in inference mode."""
    return t._storage.__class__ is InferenceStorage


def check_saved(op) -> None:
    """The error of an op that would save an inference tensor after having changed another."""
    if not inference_mode.get() and any(
        kind == "tensor" for kind, *_ in getattr(op.node_class, "saved_plan", ())
    ):
        raise errors.inference_saved()
