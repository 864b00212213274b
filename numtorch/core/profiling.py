"""Who listens: the profiler's recorder of this thread, and ranges of time that it is told of.

Ops reach the recorder as an interpreter (interp.py); named ranges, the engine's nodes and the
compilation of kernels find it here. Without a profiler each of them costs one look at a ContextVar.
"""

from contextvars import ContextVar
from typing import Any

recorder: ContextVar[Any] = ContextVar("profiler", default=None)
FUNCTION, BACKWARD, USER = 0, 1, 7  # torch's numbers of what an event is


class span:  # noqa: N801 (used like a function)
    """A named range of the profiler's timeline, around a block."""

    __slots__ = ("listener", "name", "record", "scope")

    def __init__(self, name: str, scope: int = USER) -> None:
        self.name, self.scope = name, scope

    def __enter__(self) -> "span":
        self.listener = recorder.get()
        if self.listener is not None:
            self.record = self.listener.open(self.name, self.scope)
        return self

    def rename(self, name: str) -> None:
        """Call the range something else, as it turned out to be."""
        if self.listener is not None:
            self.record.name = name

    def __exit__(self, *exc) -> None:
        if self.listener is not None:
            self.listener.close(self.record)
