"""The recorder: an interpreter (core/interp.py) that writes down which ops ran, and when.

It sees every op of its thread, those of backward passes and optimizers included. The engine tells
it of nodes, and the kernel compilers of kernels that are compiled or loaded (`numba::compile`,
`numba::load`), so that the time of a first call is not taken for that of its op.
"""

import functools
import importlib
import os
import sys
import weakref
from _thread import get_ident
from time import perf_counter_ns, time_ns
from typing import Any

from ..core import interp, profiling
from ..core.profiling import BACKWARD, FUNCTION
from ..core.tensor import Tensor
from .profiler_names import flops_of, name_of

EVALUATE = "autograd::engine::evaluate_function: "  # what torch calls the engine's work on a node
ACCUMULATE = "torch::autograd::AccumulateGrad"
HIDDEN = (__file__, interp.__file__, profiling.__file__)  # files that no stack shows


class Record:
    """One event, as it is written down while others run."""

    sequence_nr = -1
    flops = cpu_memory = device_memory = end = 0
    shapes: list = []  # noqa: RUF012 (an op's own list replaces it)
    inputs: list = []  # noqa: RUF012
    stack: list = []  # noqa: RUF012
    device_events: tuple | None = None

    def __init__(self, name: str, scope: int, thread: int, parent: "Record | None") -> None:
        self.name, self.scope, self.thread, self.parent = name, scope, thread, parent
        self.start = perf_counter_ns()

    def allocated(self, device: str, count: int) -> None:
        """Add bytes, or (if negative) take them off."""
        if device == "cpu":
            self.cpu_memory += count
        else:
            self.device_memory += count


class Recorder:
    """Writes down what its thread runs (and threads that share its context): an interpreter."""

    def __init__(self, shapes: bool, memory: bool, stack: bool, flops: bool, device) -> None:
        self.shapes, self.memory, self.stack, self.flops = shapes, memory, stack, flops
        self.new_event: Any = None
        if device == "cuda":
            stream = importlib.import_module("numtorch.backends.cuda.stream")
            self.new_event = functools.partial(stream.Event, enable_timing=True)
        self.records: list[Record] = []
        self.loose: list[tuple] = []  # memory outside of all records: (time, thread, device, bytes)
        self.innermost: dict[int, Record | None] = {}  # of each thread
        self.held: dict[int, Any] = {}  # arrays that were allocated, weakly
        self.running = False
        self.began = self.ended = self.wall = 0

    def start(self) -> None:
        """Begin to listen."""
        if profiling.recorder.get() is not None:
            raise RuntimeError("Profiler is already enabled on this thread")
        self.began, self.wall = perf_counter_ns(), time_ns()
        self.first_event = self._device_event()
        profiling.recorder.set(self)
        self.interpreting = interp.interpreting(self)
        self.interpreting.__enter__()
        self.running = True

    def stop(self) -> None:
        """Listen no more."""
        self.running = False
        self.interpreting.__exit__(None, None, None)
        profiling.recorder.set(None)
        self.ended = perf_counter_ns()
        self.held.clear()
        for record in self.innermost.values():  # ranges that are still open
            while record is not None:
                record.end, record = record.end or self.ended, record.parent

    # -- ranges ------------------------------------------------------------------------------------
    def open(self, name: str, scope: int = FUNCTION) -> Record:
        """A new event inside of the one that is open."""
        thread = get_ident()
        record = Record(name, scope, thread, self.innermost.get(thread))
        self.innermost[thread] = record
        self.records.append(record)
        if self.stack:
            record.stack = call_stack(2)
        return record

    def close(self, record: Record) -> None:
        """End an event."""
        record.end = perf_counter_ns()
        if self.running:
            self.innermost[record.thread] = record.parent

    def _device_event(self):
        if self.new_event is None:
            return None
        event = self.new_event()
        event.record()
        return event

    # -- ops ---------------------------------------------------------------------------------------
    def process(self, op, tensors: tuple, attrs: tuple, target):
        """Run an op, and write down that it ran."""
        gpu = None if self.new_event is None else _gpu(tensors)
        record = self.open(name_of(op, tensors, target))
        if self.shapes:
            record.shapes = [list(t.shape) if isinstance(t, Tensor) else [] for t in tensors]
            record.shapes += [[] for _ in attrs]
            record.inputs = [[] if isinstance(t, Tensor) else t for t in tensors] + list(attrs)
        before = None if gpu is None else self._device_event()
        record.start = perf_counter_ns()
        try:
            result = interp.dispatch(op, tensors, attrs, target)
        finally:
            self.close(record)
            if gpu is not None:
                record.device_events = before, self._device_event(), gpu
        outs = result if isinstance(result, tuple) else () if result is None else (result,)
        if outs:
            record.sequence_nr = _sequence_nr(outs[0])
            if self.flops:
                record.flops = flops_of(op, tensors, attrs, outs[0])
            if self.memory and target is None and not op.is_view:
                for out in outs:
                    self._allocated(record, out)
        return result

    def function(self, run, cls, args: tuple, kwargs: dict):
        """Run the forward of an autograd.Function: `run` gives its output and context."""
        record = self.open(cls.__name__)
        if self.shapes:
            record.shapes = [list(t.shape) if isinstance(t, Tensor) else [] for t in args]
        try:
            output, ctx = run(cls, args, kwargs)
        finally:
            self.close(record)
        record.sequence_nr = _sequence_nr(output[0] if isinstance(output, tuple) else output)
        return output, ctx

    # -- memory ------------------------------------------------------------------------------------
    def _allocated(self, record: Record, out: Tensor) -> None:
        array, key = out._array, id(out._array)
        if key in self.held:
            return
        device, count = out._spec.device.type, out._spec.numel * out._spec.dtype.itemsize
        record.allocated(device, count)

        def freed(_):
            if self.held.pop(key, None) is None or not self.running:
                return
            thread = get_ident()
            at = self.innermost.get(thread)
            if at is not None:
                at.allocated(device, -count)
            else:
                self.loose.append((perf_counter_ns(), thread, device, -count))

        self.held[key] = weakref.ref(array, freed)

    # -- the engine --------------------------------------------------------------------------------
    def evaluate(self, node, g):
        """Run a node's derivative, as an event inside of the event that torch has around it."""
        name, gradients = node.name(), g if isinstance(g, list) else [g]
        return self._nested(name, node.seq, gradients, node.back, g)

    def accumulate(self, function, leaf, g, *options):
        """Add to a leaf's gradient."""
        return self._nested(ACCUMULATE, -1, [g], function, leaf, g, *options)

    def _nested(self, name, sequence_nr, gradients, function, *args):
        outer = self.open(EVALUATE + name)
        inner = self.open(name, BACKWARD)
        outer.sequence_nr = inner.sequence_nr = sequence_nr
        if self.shapes:
            inner.shapes = [[] if g is None else list(g.shape) for g in gradients]
        del gradients
        try:
            return function(*args)
        finally:
            self.close(inner)
            self.close(outer)


def _sequence_nr(out) -> int:
    """The number of the node that recorded a result, or -1."""
    node = out._node if isinstance(out, Tensor) else None
    return -1 if node is None or node.leaf is not None else node.function.seq


def _gpu(tensors: tuple) -> int | None:
    """The number of the GPU that an op runs on, if it does."""
    devices = [t._spec.device for t in tensors if isinstance(t, Tensor)]
    return next((d.index or 0 for d in devices if d.type == "cuda"), None)


def call_stack(depth: int) -> list[str]:
    """The Python calls that led here, innermost first, as `file(line): function`."""
    entries, frame = [], sys._getframe(depth)
    while frame is not None:
        code = frame.f_code
        if not code.co_filename.startswith("<numtorch") and code.co_filename not in HIDDEN:
            entries.append(f"{_short(code.co_filename)}({frame.f_lineno}): {code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    return entries


@functools.cache
def _short(path: str) -> str:
    """A file's path, relative to the folder that Python imports it from."""
    found = [p for p in sys.path if p and path.startswith(p + os.sep)]
    return path[len(max(found, key=len)) + 1 :] if found else path
