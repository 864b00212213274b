"""Switches of the engine: its threads, and the layouts of the gradients that it keeps."""

from contextvars import ContextVar

from . import engine
from .grad_mode import _Decorator

_multithreading: ContextVar[bool] = ContextVar("multithreading_enabled", default=True)


class _Switch(_Decorator):
    """Sets a variable from the call on; as a context manager until the block ends."""

    variable: ContextVar

    def __init__(self, mode: bool) -> None:
        self.previous = self.variable.get()
        self.mode = mode
        self.variable.set(mode)

    def __call__(self, function):
        self.variable.set(self.previous)
        return super().__call__(function)

    def __enter__(self) -> None:
        self.variable.set(self.mode)

    def __exit__(self, *exc) -> None:
        self.variable.set(self.previous)

    def clone(self):
        return type(self)(self.mode)


class set_multithreading_enabled(_Switch):  # noqa: N801
    """Whether backward may use a thread for each device. It never does here: launching kernels on
    several GPUs takes one thread. Only `is_multithreading_enabled` sees this switch.
    """

    variable = _multithreading


class enforce_grad_layout_policy(_Switch):  # noqa: N801
    """Whether a gradient becomes a leaf's `.grad` only if it lies in memory as the leaf does (or is
    contiguous, where the leaf has gaps or overlaps itself), and is copied otherwise.
    """

    variable = engine.enforce_layout

    def __init__(self, enable: bool = True) -> None:
        super().__init__(enable)


def is_multithreading_enabled() -> bool:
    """What set_multithreading_enabled has set."""
    return _multithreading.get()
