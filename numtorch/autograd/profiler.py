"""The profiler: what ran, when, for how long, and with how much memory.

While none is on, it costs nothing that can be measured: its recorder is an interpreter.
"""

import contextlib
import gzip
import importlib
import json
import os
import uuid
import warnings

from ..core.profiling import span
from . import profiler_results
from .profiler_recorder import Recorder
from .profiler_util import EventList, FunctionEvent, FunctionEventAvg, Kernel

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg", "Kernel", "profile", "record_function"]


class profile:  # noqa: N801 (torch's name)
    """Records what the block runs; afterwards gives events, tables and traces.

    `record_shapes`: the inputs' shapes. `profile_memory`: what ops allocate, and what is freed.
    `with_stack`: the Python calls that led to each op. `with_flops`: operations of products and
    convolutions. `use_device="cuda"`: also the time that each op took on the GPU.
    `acc_events`: keep events of earlier cycles. Each of them makes recording slower.

    Only ops of this thread (and backward passes that it starts) are recorded.
    """

    def __init__(
        self,
        enabled=True,
        *,
        use_cuda=False,
        use_device=None,
        record_shapes=False,
        with_flops=False,
        profile_memory=False,
        with_stack=False,
        with_modules=False,
        use_kineto=False,
        use_cpu=True,
        acc_events=False,
        custom_trace_id_callback=None,
    ) -> None:
        self.enabled = enabled
        if not enabled:
            return
        if use_cuda:
            warnings.warn(
                "The attribute `use_cuda` will be deprecated soon, please use "
                "``use_device = 'cuda'`` instead.",
                FutureWarning,
                stacklevel=2,
            )
            use_device = "cuda"
        if use_device not in (None, "cuda"):
            warnings.warn(f"The {use_device} is not a valid device option.", stacklevel=2)
            use_device = None
        if use_device == "cuda" and not cuda_available():
            warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
            use_device = None
        self.use_device, self.entered = use_device, False
        self.record_shapes, self.with_flops = record_shapes or with_flops, with_flops
        self.profile_memory, self.with_stack = profile_memory, with_stack
        self.with_modules, self.use_cpu, self.acc_events = with_modules, use_cpu, acc_events
        self._new_trace_id = custom_trace_id_callback or (lambda: f"{uuid.uuid4().int:032X}")
        self.trace_id = ""
        self._recorder: Recorder | None = None
        self._events: EventList | None = None
        self._earlier: list = []

    def __enter__(self):
        if not self.enabled:
            return None
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        self._prepare_trace()
        self._start_trace()
        return self

    def _prepare_trace(self) -> None:
        self.entered = True
        self.trace_id = self._new_trace_id()
        if self.acc_events and self._recorder is not None:
            self._earlier = list(self.function_events)
        self._events = None
        self._recorder = Recorder(
            self.record_shapes,
            self.profile_memory,
            self.with_stack,
            self.with_flops,
            self.use_device,
        )

    def _start_trace(self) -> None:
        assert self._recorder is not None
        self._recorder.start()

    def __exit__(self, *exc) -> None:
        if not self.enabled:
            return
        assert self._recorder is not None
        if self.use_device == "cuda":
            importlib.import_module("numtorch.backends.cuda.memory").synchronize()
        self._recorder.stop()

    @property
    def function_events(self) -> EventList:
        """All events, in the order in which they began."""
        if self._events is None:
            if self._recorder is None or self._recorder.running:
                raise AssertionError("Expected profiling results")
            self._events = EventList(
                [*profiler_results.events(self._recorder, self.use_device), *self._earlier],
                use_device=self.use_device,
                profile_memory=self.profile_memory,
                with_flops=self.with_flops,
            )
        return self._events

    def _finished(self) -> bool:
        return self._recorder is not None and not self._recorder.running

    def __repr__(self) -> str:
        done = self._finished()
        return repr(self.function_events) if done else "<unfinished torch.autograd.profile>"

    def __str__(self) -> str:
        done = self._finished()
        return str(self.function_events) if done else "<unfinished torch.autograd.profile>"

    def table(self, *args, **kwargs) -> str:
        """`EventList.table` of all events."""
        return self.function_events.table(*args, **kwargs)

    def key_averages(
        self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False
    ) -> EventList:
        """`EventList.key_averages` of all events."""
        return self.function_events.key_averages(
            group_by_input_shape, group_by_stack_n, group_by_overload_name
        )

    def total_average(self) -> FunctionEventAvg:
        """`EventList.total_average` of all events."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all events together."""
        return self.function_events.self_cpu_time_total

    def export_chrome_trace(self, path, metadata=None, use_python_export=False) -> None:
        """Write what chrome://tracing, Perfetto and TensorBoard show; compressed if the path ends
        with `.gz`. There is one exporter, whatever `use_python_export` says.
        """
        assert self._recorder is not None
        facts = {"trace_id": self.trace_id}
        for key, value in (metadata or {}).items():
            facts[key] = json.loads(value)
        name = os.fspath(path)
        opened = gzip.open if name.endswith(".gz") else open
        with opened(name, "wt", encoding="utf-8") as file:
            json.dump(profiler_results.trace(self._recorder, name, facts), file)

    def export_stacks(self, path, metric: str = "self_cpu_time_total") -> None:
        """`EventList.export_stacks` of all events; they need `with_stack=True`."""
        if not self.with_stack:
            raise AssertionError("export_stacks() requires with_stack=True")
        self.function_events.export_stacks(path, metric)


def cuda_available() -> bool:
    """Whether there is a GPU."""
    return importlib.import_module("numtorch.backends.cuda.memory").count() > 0


class record_function(contextlib.ContextDecorator):  # noqa: N801 (torch's name)
    """A named range of the profile, as a context manager or a decorator."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name, self.args = name, args

    def _recreate_cm(self):
        return type(self)(self.name, self.args)

    def __enter__(self) -> "record_function":
        self._span = span(self.name)
        self._span.__enter__()
        return self

    def __exit__(self, *exc) -> None:
        self._span.__exit__(*exc)
