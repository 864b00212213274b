"""What a profile consists of: events, their averages, and the tables that are made of them."""

import json
import math
from collections import defaultdict
from dataclasses import InitVar, dataclass, field
from enum import Enum
from operator import attrgetter
from typing import Any, NamedTuple

__all__ = [
    "DeviceType",
    "EventList",
    "FormattedTimesMixin",
    "FunctionEvent",
    "FunctionEventAvg",
    "Interval",
    "Kernel",
]

NAME_WIDTH, SHAPES_WIDTH, SOURCE_WIDTH, WIDTH = 55, 80, 75, 12  # columns of a table
FLOPS_UNITS = ("FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs")
STACK_METRICS = [f"self_{device}_time_total" for device in ("cpu", "cuda", "xpu", "privateuse1")]
MEMORY = "[memory]"  # an event for memory that was allocated or freed outside of all others


class DeviceType(Enum):
    """Where an event happened."""

    CPU = 0
    CUDA = 1


class Kernel(NamedTuple):
    """The work of an operator on a device; microseconds."""

    name: str
    device: int
    duration: float


class Interval:
    """A range of time in microseconds since the profile began."""

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        """The length."""
        return self.end - self.start


def format_time(us: float) -> str:
    """Microseconds as text, in the unit that fits."""
    if us >= 1e6:
        return f"{us / 1e6:.3f}s"
    return f"{us / 1e3:.3f}ms" if us >= 1e3 else f"{us:.3f}us"


def format_share(us: float, total: float) -> str:
    """A part of a total, in percent."""
    return f"{us * 100.0 / total:.2f}%" if total else "NaN"


def format_memory(count: int) -> str:
    """Bytes as text, in the unit that fits."""
    for power, unit in ((30, "GB"), (20, "MB"), (10, "KB")):
        if abs(count) >= 1 << power:
            return f"{count / (1 << power):.2f} {unit}"
    return f"{count} B"


def _as_text(name: str):
    return property(lambda event: format_time(getattr(event, name)))


class FormattedTimesMixin:
    """Averages, and times as text, of what has `*_time_total` and `count`."""

    count: int
    cpu_time_total: float
    device_time_total: float

    cpu_time_str = _as_text("cpu_time")
    device_time_str = _as_text("device_time")
    cpu_time_total_str = _as_text("cpu_time_total")
    device_time_total_str = _as_text("device_time_total")
    self_cpu_time_total_str = _as_text("self_cpu_time_total")
    self_device_time_total_str = _as_text("self_device_time_total")

    @property
    def cpu_time(self) -> float:
        """Microseconds of a call, on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def device_time(self) -> float:
        """Microseconds of a call on the device, on average."""
        return self.device_time_total / self.count if self.count else 0.0


@dataclass(eq=False, repr=False)
class FunctionEvent(FormattedTimesMixin):
    """One run of an operator, of a derivative or of a range that the user named.

    Times are in microseconds; "self" means without what happened inside of it in other events.
    """

    id: int
    name: str
    thread: int
    start_us: InitVar[float]
    end_us: InitVar[float]
    overload_name: str = ""
    fwd_thread: int | None = None
    input_shapes: Any = None
    stack: list | None = None
    scope: int = 0  # 0: forward, 1: a derivative, 7: a range of the user
    use_device: str | None = None
    cpu_memory_usage: int = 0
    device_memory_usage: int = 0
    is_async: bool = False
    is_remote: bool = False
    sequence_nr: int = -1
    node_id: int = -1
    device_type: DeviceType = DeviceType.CPU
    device_index: int = 0
    device_resource_id: int | None = None
    is_legacy: bool = False
    flops: int = 0
    trace_name: str | None = None
    concrete_inputs: list | None = None
    kwinputs: dict | None = None
    is_user_annotation: bool = False
    count: int = field(default=1, init=False)
    cpu_parent: "FunctionEvent | None" = field(default=None, init=False)

    def __post_init__(self, start_us, end_us) -> None:
        self.time_range = Interval(start_us, end_us)
        self.kernels: list[Kernel] = []
        self.cpu_children: list[FunctionEvent] = []
        if self.device_resource_id is None:
            self.device_resource_id = self.thread

    def append_kernel(self, name: str, device: int, duration: float) -> None:
        """Add work on a device."""
        self.kernels.append(Kernel(name, device, duration))

    def append_cpu_child(self, child: "FunctionEvent") -> None:
        """Add an event that happened directly inside of this one."""
        self.cpu_children.append(child)

    def set_cpu_parent(self, parent: "FunctionEvent") -> None:
        """Say in which event this one happened."""
        self.cpu_parent = parent

    def _own(self, name: str):
        """A total, without that of the events inside."""
        return getattr(self, name) - sum(getattr(child, name) for child in self.cpu_children)

    @property
    def key(self) -> str:
        """What events are grouped by."""
        return self.name

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        """Microseconds from begin to end."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds outside of the events inside."""
        return 0 if self.is_async else self._own("cpu_time_total")

    @property
    def device_time_total(self) -> float:  # type: ignore[override]
        """Microseconds of work on the device."""
        if self.is_async or not self.use_device:
            return 0
        inside = 0 if self.is_legacy else sum(c.device_time_total for c in self.cpu_children)
        return sum(k.duration for k in self.kernels) + inside

    @property
    def self_device_time_total(self) -> float:
        """Microseconds of work on the device that no event inside has started."""
        return 0 if self.is_async or not self.use_device else self._own("device_time_total")

    @property
    def self_cpu_memory_usage(self) -> int:
        """Bytes allocated less bytes freed, outside of the events inside."""
        return 0 if self.is_async else self._own("cpu_memory_usage")

    @property
    def self_device_memory_usage(self) -> int:
        """Bytes allocated on the device less bytes freed, outside of the events inside."""
        return 0 if self.is_async else self._own("device_memory_usage")

    def __repr__(self) -> str:
        device = self.use_device
        return (
            f"<FunctionEvent id={self.id} name={self.name} overload_name={self.overload_name} "
            f"device_type={self.device_type} node_id={self.node_id} cpu_time={self.cpu_time_str} "
            f"start_us={self.time_range.start} end_us={self.time_range.end} "
            f"cpu_children={[child.id for child in self.cpu_children]} "
            f"{device}_time={self.device_time_str} name={self.name} thread={self.thread} "
            f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} "
            f"{device}_memory_usage={self.device_memory_usage} is_async={self.is_async} "
            f"is_remote={self.is_remote} seq_nr={self.sequence_nr} is_legacy={self.is_legacy}>"
        )


ADDED = (
    "cpu_time_total",
    "device_time_total",
    "self_cpu_time_total",
    "self_device_time_total",
    "cpu_memory_usage",
    "device_memory_usage",
    "self_cpu_memory_usage",
    "self_device_memory_usage",
    "count",
    "flops",
)
TAKEN = (
    "key",
    "node_id",
    "is_async",
    "is_remote",
    "cpu_parent",
    "cpu_children",
    "overload_name",
    "input_shapes",
    "stack",
    "scope",
    "device_type",
    "is_legacy",
    "use_device",
    "is_user_annotation",
)


class FunctionEventAvg(FormattedTimesMixin):
    """The sums over several events of one key; what cannot be added is that of the first."""

    key: str | None

    def __init__(self) -> None:
        self.__dict__.update(dict.fromkeys(TAKEN))
        self.__dict__.update(dict.fromkeys(ADDED, 0))

    def add(self, other) -> "FunctionEventAvg":
        """Add a FunctionEvent, or another FunctionEventAvg."""
        if self.key is None:
            self.__dict__.update((name, getattr(other, name)) for name in TAKEN)
        assert isinstance(other, (FunctionEvent, FunctionEventAvg))
        assert other.key == self.key
        for name in ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        device = self.__dict__["use_device"] or "cuda"
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str}  self_{device}_time={self.self_device_time_total_str} "
            f"{device}_time={self.device_time_str} input_shapes={self.__dict__['input_shapes']} "
            f"cpu_memory_usage={self.__dict__['cpu_memory_usage']} "
            f"{device}_memory_usage={self.__dict__['device_memory_usage']}>"
        )


class EventList(list):
    """Events, with ways to sum them up and to show them."""

    def __init__(self, *args, use_device=None, profile_memory=False, with_flops=False) -> None:
        super().__init__(*args)
        self._use_device, self._profile_memory = use_device, profile_memory
        self._with_flops = with_flops

    def __str__(self) -> str:
        return self.table()

    def _like(self, events) -> "EventList":
        return EventList(
            events,
            use_device=self._use_device,
            profile_memory=self._profile_memory,
            with_flops=self._with_flops,
        )

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all events together."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(
        self, group_by_input_shapes=False, group_by_stack_n=0, group_by_overload_name=False
    ) -> "EventList":
        """A FunctionEventAvg for each name; if wanted, for each name and shapes of the inputs, or
        name and the top `group_by_stack_n` entries of the Python stack.
        """
        groups: dict = defaultdict(FunctionEventAvg)
        for event in self:
            key = [event.key, event.node_id, event.is_legacy, event.is_user_annotation]
            if group_by_overload_name:
                key.append(event.overload_name)
            if group_by_input_shapes:
                key.append(str(event.input_shapes))
            key += (event.stack or [])[:group_by_stack_n]
            groups[tuple(key)].add(event)
        for average in groups.values():
            average.stack = (average.stack or [])[:group_by_stack_n]
            if not group_by_input_shapes:
                average.input_shapes = ""
            if not group_by_overload_name:
                average.overload_name = ""
        return self._like(groups.values())

    def total_average(self) -> FunctionEventAvg:
        """The sum over all events, whatever their names; its key is "Total"."""
        total = FunctionEventAvg()
        for event in self:
            total += event
            total.key = None
        total.key = "Total"
        return total

    def table(
        self,
        sort_by=None,
        row_limit=100,
        max_src_column_width=SOURCE_WIDTH,
        max_name_column_width=NAME_WIDTH,
        max_shapes_column_width=SHAPES_WIDTH,
        header=None,
        top_level_events_only=False,
        time_unit=None,
    ) -> str:
        """The events as a table.

        `sort_by` is an attribute such as "self_cpu_time_total", "cpu_memory_usage" or "count",
        largest first (without it the order is that of recording); `top_level_events_only` leaves
        out what happened inside of another event; `time_unit` is "s", "ms", "us" or, by default,
        what fits each time.
        """
        if not self:
            return ""
        events = self
        if sort_by is not None:
            for device in ("cuda", "xpu", "privateuse1"):
                sort_by = sort_by.replace(device, "device")
            events = self._like(sorted(self, key=attrgetter(sort_by), reverse=True))
        table = _Table(events, max_src_column_width, time_unit)
        table.choose_columns(max_name_column_width, max_shapes_column_width)
        return table.text(header, row_limit, top_level_events_only)

    def export_chrome_trace(self, path) -> None:
        """Write the events as a list that chrome://tracing shows; `profile.export_chrome_trace`
        writes more.
        """
        events = [
            {
                "name": event.trace_name,
                "ph": "X",
                "ts": event.time_range.start,
                "dur": event.time_range.elapsed_us(),
                "tid": event.thread,
                "pid": "CPU functions",
                "args": {},
            }
            for event in self
            if event.trace_name is not None
        ]
        with open(path, "w") as file:
            json.dump(events, file)

    def supported_export_stacks_metrics(self) -> list[str]:
        """What `export_stacks` can be asked for."""
        return STACK_METRICS

    def export_stacks(self, path: str, metric: str) -> None:
        """Write one line for each event with a Python stack, outermost call first, and its metric:
        what flame graph programs read.
        """
        if metric not in STACK_METRICS:
            raise ValueError(f"metric should be one of: {STACK_METRICS}")
        for device in ("cuda", "xpu", "privateuse1"):
            metric = metric.replace(device, "device")
        clean = str.maketrans(" ;\t\n", "____")
        with open(path, "w") as file:
            for event in self:
                value = int(getattr(event, metric))
                if event.stack and value > 0:
                    stack = ";".join(entry.translate(clean) for entry in reversed(event.stack))
                    file.write(f"{stack} {value}\n")


class _Table:
    """The layout of a table: which columns, how wide, and what is in them."""

    def __init__(self, events: EventList, source_limit: int | None, time_unit: str | None) -> None:
        self.events, self.unit = events, time_unit
        self.cpu_total = sum(event.self_cpu_time_total for event in events)
        self.device_total = sum(event.self_device_time_total for event in events if event.is_legacy)
        self.columns: list = []  # (title, width, alignment, text of an event)
        stacks = [event.stack for event in events if event.stack]
        self.source_width = max((len(e) for stack in stacks for e in stack), default=0) + 4
        if source_limit is not None:
            self.source_width = min(self.source_width, source_limit)
        self.has_stack = bool(stacks)

    def time(self, us: float) -> str:
        """A time in the table's unit."""
        if self.unit in ("s", "ms", "us"):
            return f"{us / {'s': 1e6, 'ms': 1e3, 'us': 1}[self.unit]:.3f}{self.unit}"
        return format_time(us)

    def add(self, title: str, text, width: int = WIDTH, align: str = ">") -> None:
        """Append a column."""
        self.columns.append((title, width, align, text))

    def add_times(self, title: str, attribute: str) -> None:
        """Append a column of times."""
        self.add(title, lambda event: self.time(getattr(event, attribute)))

    def choose_columns(self, name_limit: int | None, shapes_limit: int | None) -> None:
        """The columns that torch shows for such events, in its order."""
        events, device = self.events, self.events[0].use_device
        device_name = "None" if device is None else device.upper()
        width = max(len(event.key) for event in events) + 4
        width = width if name_limit is None else min(width, name_limit)

        def cut(name: str) -> str:
            if name_limit is None or len(name) < name_limit - 3:
                return name
            return name[: name_limit - 3] + "..."

        self.add("Name", lambda event: cut(event.key), width)
        if any(event.overload_name for event in events):
            self.add("Overload Name", lambda event: cut(event.overload_name), width)
        cpu_total, device_total = self.cpu_total, self.device_total
        self.add("Self CPU %", lambda event: format_share(event.self_cpu_time_total, cpu_total))
        self.add_times("Self CPU", "self_cpu_time_total")
        self.add(
            "CPU total %",
            lambda event: 0 if event.is_async else format_share(event.cpu_time_total, cpu_total),
        )
        self.add_times("CPU total", "cpu_time_total")
        self.add_times("CPU time avg", "cpu_time")
        if any(event.self_device_time_total > 0 for event in events):
            self.add_times(f"Self {device_name}", "self_device_time_total")
            self.add(
                f"Self {device_name} %",
                lambda event: format_share(event.self_device_time_total, device_total),
            )
            self.add_times(f"{device_name} total", "device_time_total")
            self.add_times(f"{device_name} time avg", "device_time")
        if events._profile_memory:
            self.add("CPU Mem", lambda event: format_memory(event.cpu_memory_usage))
            self.add("Self CPU Mem", lambda event: format_memory(event.self_cpu_memory_usage))
            if device and any(event.self_device_memory_usage > 0 for event in events):
                self.add(
                    f"{device_name} Mem", lambda event: format_memory(event.device_memory_usage)
                )
                self.add(
                    f"Self {device_name} Mem",
                    lambda event: format_memory(event.self_device_memory_usage),
                )
        self.add("# of Calls", lambda event: event.count)
        if any(event.input_shapes for event in events):
            width = max(len(str(event.input_shapes)) for event in events) + 4
            width = width if shapes_limit is None else min(width, shapes_limit)
            self.add("Input Shapes", lambda event: str(event.input_shapes)[:width], width)
        if self.has_stack:
            self.add("Source Location", self.source, self.source_width, "<")
        if events._with_flops:
            self.add_flops()

    def add_flops(self) -> None:
        """Append the column of operations, in the unit of the smallest number."""
        counts = [event.flops for event in self.events if event.flops > 0]
        if not counts:
            return
        power = max(0, min(int(math.log10(min(counts)) / 3), len(FLOPS_UNITS) - 1))
        scale = 10 ** (-3.0 * power)
        self.add(
            f"Total {FLOPS_UNITS[power]}",
            lambda event: f"{event.flops * scale:8.3f}" if event.flops > 0 else "--",
        )

    def source(self, event, at: int = 0) -> str:
        """An entry of the event's stack; the end of it, where it is too long."""
        if at >= len(event.stack or ()):
            return ""
        entry, width = event.stack[at], self.source_width
        if len(entry) <= width:
            return entry
        entry = entry[len(entry) - width :]
        return "..." + entry[3:] if len(entry) > 3 else entry

    def text(self, header: str | None, row_limit: int, top_only: bool) -> str:
        """The whole table."""
        row = "".join(f"{{: {align}{width}}}  " for _, width, align, _ in self.columns)
        rule = "".join("-" * width + "  " for _, width, _, _ in self.columns)
        length = sum(width + 2 for _, width, _, _ in self.columns) - 2
        lines = ["=" * length, header] if header is not None else []
        if top_only:
            lines += ["=" * length, "This report only display top-level ops statistics"]
        lines += [rule, row.format(*(title for title, *_ in self.columns)), rule]
        shown = (e for e in self.events if not (top_only and e.cpu_parent is not None))
        for count, event in enumerate(shown):
            if count == row_limit:
                break
            lines.append(row.format(*(text(event) for *_, text in self.columns)))
            if self.has_stack:
                for at in range(1, max(len(event.stack or ()), 1) + 1):
                    only = (self.source(event, at) if t == "Source Location" else ""
                            for t, *_ in self.columns)  # fmt: skip
                    lines.append(row.format(*only))
        lines += [rule, f"Self CPU time total: {self.time(self.cpu_total)}"]
        if self.device_total:
            name = self.events[0].use_device.upper()
            lines.append(f"Self {name} time total: {self.time(self.device_total)}")
        return "".join(line + "\n" for line in lines)
