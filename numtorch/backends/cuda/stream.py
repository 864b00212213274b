"""Streams and events with torch's methods.

All kernels and copies are issued to the default stream, in program order. A `Stream` therefore only
exists so that code written for several streams runs: what it asks to wait for has always been
issued before. Events are real on a GPU; elsewhere they read the host's clock.
"""

import time

from . import memory
from .compat import MODE, cuda, require

REAL = MODE == "device"


class Event:
    """A point in the work of the device, for timing and waiting.

    `elapsed_time` between two events made with `enable_timing=True` is in milliseconds.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, **_interprocess):
        require()
        self.enable_timing = enable_timing
        self._event = cuda.event(timing=enable_timing) if REAL else None
        self._seconds = None

    def record(self, stream=None) -> None:
        """Put the event behind all work that was issued."""
        self._seconds = time.perf_counter()
        if REAL:
            self._event.record()

    def query(self) -> bool:
        """Whether the work before the event has finished."""
        return not REAL or self._seconds is None or bool(self._event.query())

    def synchronize(self) -> None:
        """Wait for the work before the event."""
        if REAL and self._seconds is not None:
            self._event.synchronize()

    def wait(self, stream=None) -> None:
        """Let later work of a stream wait for the event: it does, as there is one stream."""

    def elapsed_time(self, end_event: "Event") -> float:
        """Milliseconds from this event to another."""
        if not (self.enable_timing and end_event.enable_timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._seconds is None or end_event._seconds is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        if REAL:
            return float(cuda.event_elapsed_time(self._event, end_event._event))
        return (end_event._seconds - self._seconds) * 1e3


class Stream:
    """A queue of device work; here always the device's only one."""

    cuda_stream = 0

    def __init__(self, device=None, priority: int = 0, **_ids) -> None:
        require()
        self.device_index, self.priority = device, priority

    def query(self) -> bool:
        """Whether all work has finished (waits for it)."""
        self.synchronize()
        return True

    def synchronize(self) -> None:
        """Wait for all work."""
        memory.synchronize(self.device_index)

    def wait_stream(self, stream: "Stream") -> None:
        """Let later work wait for another stream: it does, as there is one stream."""

    def wait_event(self, event: Event) -> None:
        """Let later work wait for an event: it does, as there is one stream."""

    def record_event(self, event: Event | None = None) -> Event:
        """Record an event, a new one unless it is given."""
        event = event or Event()
        event.record(self)
        return event
