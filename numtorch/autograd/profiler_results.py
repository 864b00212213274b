"""What becomes of a recording: events, linked to each other, and Chrome traces."""

import os
import socket

from ..core.profiling import BACKWARD, USER
from .profiler_recorder import EVALUATE, Record, Recorder
from .profiler_util import MEMORY, FunctionEvent


def events(recorder: Recorder, use_device) -> list[FunctionEvent]:
    """What was written down, in the order of time, linked to each other."""
    made: dict[Record, FunctionEvent] = {}
    threads: dict[int, int] = {}
    origins = _origins(recorder.records)
    for number, r in enumerate(recorder.records):
        thread = threads.setdefault(r.thread, len(threads) + 1)
        parent = made.get(r.parent) if r.parent is not None else None
        origin = origins.get(r)
        stack = r.stack
        if recorder.stack and _derivative(r) is not None:  # where the op was called instead
            stack = origin.stack if origin is not None else []
        event = made[r] = FunctionEvent(
            number,
            "ProfilerStep*" if r.name.startswith("ProfilerStep#") else r.name,
            thread,
            (r.start - recorder.began) / 1e3,
            ((r.end or recorder.ended) - recorder.began) / 1e3,
            trace_name=r.name,
            fwd_thread=0 if origin is None else threads[origin.thread],
            input_shapes=r.shapes,
            concrete_inputs=r.inputs,
            stack=stack,
            scope=r.scope,
            use_device=use_device,
            sequence_nr=r.sequence_nr,
            flops=r.flops,
            is_user_annotation=r.scope == USER,
        )
        if r.device_events is not None:
            first, last, index = r.device_events
            event.append_kernel(r.name, index, first.elapsed_time(last) * 1e3)
            event.is_legacy = True
        if parent is not None:
            event.set_cpu_parent(parent)
            parent.append_cpu_child(event)
    for r in recorder.records:
        at: Record | None = r
        while at is not None:
            made[at].cpu_memory_usage += r.cpu_memory
            made[at].device_memory_usage += r.device_memory
            at = at.parent
    events = [*made.values(), *_loose(recorder, len(made), threads, use_device)]
    return sorted(events, key=lambda event: event.time_range.start)


def _loose(recorder, number: int, threads: dict, use_device):
    for at, ident, device, count in recorder.loose:
        us, thread = (at - recorder.began) / 1e3, threads.setdefault(ident, len(threads) + 1)
        event = FunctionEvent(number, MEMORY, thread, us, us, use_device=use_device)
        event.input_shapes = event.stack = []
        event.cpu_memory_usage = count if device == "cpu" else 0
        event.device_memory_usage = count if device != "cpu" else 0
        yield event


def trace(recorder: Recorder, path: str, metadata: dict) -> dict:
    """The contents of a Chrome trace file; times are in microseconds since `start`."""
    process = os.getpid()
    rows: list[dict] = [_label("process_name", process, 0, {"name": "python"})]
    rows += [_label("process_labels", process, 0, {"labels": "CPU"})]
    rows += [
        _label("thread_name", process, t, {"name": f"thread {t} (python)"})
        for t in recorder.innermost
    ]
    origins = _origins(recorder.records)
    for number, r in enumerate(recorder.records):
        start, end = r.start - recorder.began, (r.end or recorder.ended) - recorder.began
        row = {
            "ph": "X",
            "cat": "user_annotation" if r.scope == USER else "cpu_op",
            "name": r.name,
            "pid": process,
            "tid": r.thread,
            "ts": start / 1e3,
            "dur": (end - start) / 1e3,
            "args": _arguments(recorder, number, r),
        }
        rows.append(row)
        if r.scope == BACKWARD and r in origins:
            rows += _flow(origins[r], r, process, recorder.began)
        if r.device_events is not None:
            rows.append(_kernel(recorder, number, r))
    for at, thread, device, count in recorder.loose:
        rows.append(
            {
                "ph": "i",
                "cat": "cpu_instant_event",
                "s": "t",
                "name": MEMORY,
                "pid": process,
                "tid": thread,
                "ts": (at - recorder.began) / 1e3,
                "args": {"Bytes": count, "Device Type": 0 if device == "cpu" else 1},
            }
        )
    facts = {"schemaVersion": 1, "deviceProperties": [], **metadata}
    facts.update(host_name=socket.gethostname(), displayTimeUnit="ms")
    return {**facts, "baseTimeNanoseconds": recorder.wall, "traceEvents": rows, "traceName": path}


def _arguments(recorder, number: int, r: Record) -> dict:
    found: dict = {"External id": number + 1, "Ev Idx": number}
    if r.sequence_nr > 0:
        found["Sequence number"] = r.sequence_nr
    if recorder.shapes and r.scope != USER:
        found["Input Dims"] = r.shapes
        found["Concrete Inputs"] = ["" if v == [] else str(v) for v in r.inputs]
    if r.stack:
        found["Call stack"] = ";\n".join(r.stack)
    if r.flops:
        found["flops"] = r.flops
    if recorder.memory:
        found["Bytes"] = r.cpu_memory + r.device_memory
    return found


def _kernel(recorder, number: int, r: Record) -> dict:
    assert r.device_events is not None
    first, last, index = r.device_events
    return {
        "ph": "X",
        "cat": "kernel",
        "name": r.name,
        "pid": index,
        "tid": 0,
        "ts": recorder.first_event.elapsed_time(first) * 1e3,
        "dur": first.elapsed_time(last) * 1e3,
        "args": {"External id": number + 1, "device": index, "stream": 0},
    }


def _derivative(record: Record) -> Record | None:
    """The derivative that a record is, or happened in."""
    at: Record | None = record
    while at is not None and at.scope != BACKWARD:
        at = at.parent
    return at


def _origins(records: list[Record]) -> dict[Record, Record]:
    """For each record of a derivative, and each inside of one, the op that it belongs to."""
    ops: dict[int, Record] = {}
    found: dict[Record, Record] = {}
    for r in records:
        derivative = r if r.name.startswith(EVALUATE) else _derivative(r)
        if derivative is not None:
            if derivative.sequence_nr in ops:
                found[r] = ops[derivative.sequence_nr]
        elif r.sequence_nr > 0:
            ops.setdefault(r.sequence_nr, r)
    return found


def _label(name: str, process: int, thread: int, args: dict) -> dict:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "ts": 0, "args": args}


def _flow(forward: Record, backward: Record, process: int, began: int) -> list[dict]:
    """An arrow from an op to its derivative."""
    link = {"id": backward.sequence_nr, "pid": process, "cat": "fwdbwd", "name": "fwdbwd"}
    start, end = (forward.start - began) / 1e3, (backward.start - began) / 1e3
    return [
        {"ph": "s", "tid": forward.thread, "ts": start, **link},
        {"ph": "f", "tid": backward.thread, "ts": end, "bp": "e", **link},
    ]
