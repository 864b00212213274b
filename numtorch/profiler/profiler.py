"""`profile` with a schedule: which steps of a loop are left out, warmed up, recorded and saved."""

import json
import os
import socket
import time
import warnings
from enum import Enum

from ..autograd import profiler
from ..autograd.profiler import record_function
from ..autograd.profiler_util import EventList


class ProfilerActivity(Enum):
    """What is recorded: operators as the CPU runs them, and their time on a GPU."""

    CPU = 0
    CUDA = 2

    def __str__(self) -> str:
        return f"ProfilerActivity.{self.name}"


class ProfilerAction(Enum):
    """What the profiler does in a step; a schedule says which."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


NONE, WARMUP, RECORD, SAVE = ProfilerAction
FINISHED = None  # the action "after" the last step


def supported_activities() -> set[ProfilerActivity]:
    """What can be recorded on this machine."""
    cuda = {ProfilerActivity.CUDA} if profiler.cuda_available() else set()
    return {ProfilerActivity.CPU} | cuda


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
):
    """A schedule for `profile`: after `skip_first` steps, cycles of `wait` steps that are left out,
    `warmup` steps that are run but not shown and `active` steps that are recorded, `repeat` times
    (0: until the end). With `skip_first_wait` the first cycle does not wait.
    """
    if wait < 0 or warmup < 0 or active <= 0 or repeat < 0 or skip_first < 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments. Got wait={wait} (need >= 0), "
            f"warmup={warmup} (need >= 0), active={active} (need > 0), "
            f"repeat={repeat} (need >= 0), skip_first={skip_first} (need >= 0)."
        )
    if warmup == 0:
        warnings.warn(
            "Profiler won't be using warmup, this can skew profiler results", stacklevel=2
        )

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        if step < skip_first:
            return NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        cycle, at = divmod(step, wait + warmup + active)
        if (repeat and cycle >= repeat) or at < wait:
            return NONE
        if at < wait + warmup:
            return WARMUP
        return RECORD if at < wait + warmup + active - 1 else SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str,
    worker_name: str | None = None,
    use_gzip: bool = False,
    use_python_export: bool = False,
):
    """An `on_trace_ready` that writes each trace to a file of its own in `dir_name`, as
    TensorBoard's plugin expects.
    """

    def handle(prof) -> None:
        try:
            os.makedirs(dir_name, exist_ok=True)
        except OSError as error:
            raise RuntimeError("Can't create directory: " + dir_name) from error
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handle


class profile:  # noqa: N801 (torch's name)
    """Records what the block runs.

    `activities`: ProfilerActivity.CPU, and CUDA for the time that ops take on the GPU (the ops
    themselves are recorded in any case). `schedule` says for each step, which `step()` ends, what
    to do; without it all is one step. `on_trace_ready(profile)` is called at the end of each cycle.
    `record_shapes`, `profile_memory`, `with_stack`, `with_flops`: see autograd.profiler.profile.
    `acc_events` keeps the events of earlier cycles.

        with profile(schedule=schedule(wait=1, warmup=1, active=3)) as prof:
            for batch in loader:
                train(batch)
                prof.step()
        print(prof.key_averages().table(sort_by="self_cpu_time_total"))
    """

    def __init__(
        self,
        *,
        activities=None,
        schedule=None,
        on_trace_ready=None,
        record_shapes=False,
        profile_memory=False,
        with_stack=False,
        with_flops=False,
        with_modules=False,
        acc_events=False,
        use_cuda=None,
        custom_trace_id_callback=None,
    ) -> None:
        chosen = set(supported_activities() if activities is None else _checked(activities))
        if use_cuda is not None:
            warnings.warn(
                "`use_cuda` is deprecated, use `activities` argument instead",
                FutureWarning,
                stacklevel=2,
            )
            (chosen.add if use_cuda else chosen.discard)(ProfilerActivity.CUDA)
        if not chosen:
            raise AssertionError("No valid profiler activities found")
        self.activities = chosen
        self.use_device = "cuda" if ProfilerActivity.CUDA in chosen else None
        self.record_shapes, self.profile_memory = record_shapes, profile_memory
        self.with_stack, self.with_flops, self.with_modules = with_stack, with_flops, with_modules
        self.acc_events, self.custom_trace_id_callback = acc_events, custom_trace_id_callback
        self.record_steps = schedule is not None
        self.schedule = schedule or (lambda _: RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.current_action = self.schedule(0)
        self.profiler: profiler.profile | None = None
        self._step_range: record_function | None = None
        self._metadata: dict[str, str] = {}
        self._preset: dict[str, str] = {}

    # -- the schedule ------------------------------------------------------------------------------
    def __enter__(self) -> "profile":
        self.start()
        return self

    def __exit__(self, *exc) -> None:
        self.stop()

    def start(self) -> None:
        """Begin with the first step."""
        self._go(NONE, self.current_action)
        self._open_step()

    def stop(self) -> None:
        """End; what is being recorded is ready now."""
        self._close_step()
        self._go(self.current_action, FINISHED)

    def step(self) -> None:
        """Say that a step of the loop has ended."""
        self._close_step()
        previous = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        self._go(previous, self.current_action)
        self._open_step()

    def _open_step(self) -> None:
        if self.record_steps:
            self._step_range = record_function(f"ProfilerStep#{self.step_num}")
            self._step_range.__enter__()

    def _close_step(self) -> None:
        if self._step_range is not None:
            self._step_range.__exit__(None, None, None)
            self._step_range = None

    def _go(self, previous: ProfilerAction, current: ProfilerAction | None) -> None:
        """From the action of one step to that of the next."""
        records, recorded = current in (RECORD, SAVE), previous in (RECORD, SAVE)
        if previous is SAVE or (recorded and current is FINISHED):
            self.stop_trace()
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)
            recorded, previous = False, NONE
        elif (recorded or previous is WARMUP) and current is NONE or (
            recorded and current is WARMUP
        ):  # fmt: skip
            assert current is not None
            warnings.warn(
                f"Incorrect schedule: {previous.name} followed by {current.name}", stacklevel=4
            )
            if recorded:
                self.stop_trace()
                recorded = False
        if not recorded and previous is not WARMUP and current not in (NONE, FINISHED):
            self.prepare_trace()
        if records and not recorded:
            self.start_trace()

    # -- recording ---------------------------------------------------------------------------------
    def prepare_trace(self) -> None:
        """Forget earlier events, unless `acc_events` keeps them."""
        if self.profiler is None or not self.acc_events:
            self.profiler = profiler.profile(
                use_device=self.use_device,
                record_shapes=self.record_shapes,
                with_flops=self.with_flops,
                profile_memory=self.profile_memory,
                with_stack=self.with_stack,
                with_modules=self.with_modules,
                acc_events=self.acc_events,
                custom_trace_id_callback=self.custom_trace_id_callback,
            )
        self.profiler._prepare_trace()

    def start_trace(self) -> None:
        """Begin to record."""
        self._profiler()._start_trace()
        options = ("profile_memory", "with_stack", "record_shapes", "with_modules", "with_flops")
        self._metadata.update((name, "1") for name in options if getattr(self, name))
        self._metadata.update(self._preset)

    def stop_trace(self) -> None:
        """End recording."""
        self._profiler().__exit__(None, None, None)

    def _profiler(self) -> profiler.profile:
        if self.profiler is None:
            raise AssertionError("Profiler must be initialized: nothing was recorded so far")
        return self.profiler

    # -- results -----------------------------------------------------------------------------------
    def events(self) -> EventList:
        """All events of the last cycle, in the order in which they began."""
        return self._profiler().function_events

    def key_averages(
        self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False
    ) -> EventList:
        """The events of the last cycle, summed up by name; if wanted, by name and shapes of the
        inputs, or the top `group_by_stack_n` entries of the Python stack.
        """
        return self._profiler().key_averages(
            group_by_input_shape, group_by_stack_n, group_by_overload_name
        )

    def export_chrome_trace(self, path, use_python_export: bool = False) -> None:
        """Write what chrome://tracing, Perfetto and TensorBoard show; compressed if the path ends
        with `.gz`.
        """
        self._profiler().export_chrome_trace(path, self._metadata)

    def export_stacks(self, path, metric: str = "self_cpu_time_total") -> None:
        """Write Python stacks with a metric, for flame graphs; they need `with_stack=True`."""
        self._profiler().export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Put a text into the trace file."""
        self._metadata[key] = json.dumps(value)

    def add_metadata_json(self, key: str, value: str) -> None:
        """Put a value, given as JSON, into the trace file."""
        self._metadata[key] = value

    def preset_metadata_json(self, key: str, value: str) -> None:
        """`add_metadata_json` for all traces that will be started."""
        self._preset[key] = value

    def set_custom_trace_id_callback(self, callback) -> None:
        """Have `callback()` name the traces from now on."""
        self.custom_trace_id_callback = callback

    def get_trace_id(self) -> str | None:
        """The name of the present trace: of `custom_trace_id_callback`, or random."""
        return None if self.profiler is None else self.profiler.trace_id


def _checked(activities):
    """The activities, if they are some."""
    seen: list[ProfilerActivity] = []
    for item in activities:
        if not isinstance(item, ProfilerActivity):
            raise TypeError(f"Expected ProfilerActivity or dict, got {type(item)}")
        if item in seen:
            raise ValueError(f"Activity {item} specified more than once")
        seen.append(item)
    return seen
