"""Times cases, alone or in turn with torch, and prints the table."""

import importlib
import importlib.util
import pkgutil
import re
import statistics
import time

from ... import cuda
from ...threads import get_num_threads
from ..text import table
from . import cases
from .case import Case

MIN_SECONDS = {True: 0.04, False: 0.25}  # of each measurement, quick or not
ROUNDS = {True: 5, False: 9}


def all_cases() -> list[Case]:
    """The cases of every room, in the order of the files' names."""
    names = sorted(m.name for m in pkgutil.iter_modules(cases.__path__))
    return [c for n in names for c in importlib.import_module(f"{cases.__name__}.{n}").CASES]


def chosen_cases(pattern: str, quick: bool) -> list[Case]:
    """Those whose name matches, only the quick ones of them if `quick`."""
    return [c for c in all_cases() if re.search(pattern, c.name) and (c.quick or not quick)]


def prepare(case: Case, library: str, device: str):
    """The function to time, for one library."""
    lib = importlib.import_module(library)
    return case.make(lib, lambda data: lib.from_numpy(data.array()).to(device))


def rival(device: str) -> str | None:
    """The library to compare with: torch if it is installed and can use the device, else None."""
    if importlib.util.find_spec("torch") is None:
        return None
    torch = importlib.import_module("torch")
    if device == "cuda" and not torch.cuda.is_available():
        return None
    torch.set_num_threads(get_num_threads())
    return "torch"


def once(function, number: int, device: str) -> float:
    """Seconds of one call, from `number` calls."""
    start = time.perf_counter()
    for _ in range(number):
        function()
    if device == "cuda":
        cuda.synchronize()
    return (time.perf_counter() - start) / number


def measure(functions: list, quick: bool, device: str) -> list[float]:
    """The median time of each function, measured in turn."""
    for f in functions:
        once(f, 2, device)
    shortest = max(once(functions[0], 1, device), 1e-7)
    number = max(1, int(MIN_SECONDS[quick] / ROUNDS[quick] / shortest))
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(ROUNDS[quick]):
        for f, t in zip(functions, times, strict=True):
            t.append(once(f, number, device))
    return [statistics.median(t) for t in times]


def run(
    chosen: list[Case], quick: bool, device: str, limits: dict, other: str | None
) -> list[dict]:
    """Time the cases and print them."""
    found, body, room = [], [], ""
    head = ["case", "time", "GB/s", "GFLOP/s", "of ceiling"]
    head += ["torch", "ours/torch"] if other else []
    for case in chosen:
        libraries = ["numtorch", *([other] if other else [])]
        seconds = measure([prepare(case, lib, device) for lib in libraries], quick, device)
        row = {"case": case.name, "room": case.room, "seconds": seconds[0]}
        row |= case.rates(seconds[0], limits)
        if other:
            row |= {"torch": seconds[1], "ratio": seconds[0] / seconds[1]}
        found.append(row)
        if case.room != room:
            room = case.room
            body.append([f"-- {room}"] + [""] * (len(head) - 1))
        body.append(cells(row))
    print(table(head, body))
    if other:
        print(summary(found))
    return found


def summary(found: list[dict]) -> str:
    """The ratios of all cases in one line, and those of each room."""
    rooms: dict[str, list[float]] = {}
    for row in found:
        rooms.setdefault(row["room"], []).append(row["ratio"])
    worst = max(found, key=lambda r: r["ratio"])
    mean = statistics.geometric_mean(r["ratio"] for r in found)
    text = f"\nours/torch: geometric mean {mean:.2f}, worst {worst['ratio']:.2f} ({worst['case']})"
    if len(rooms) > 1:
        means = [f"{room} {statistics.geometric_mean(r):.2f}" for room, r in rooms.items()]
        text += "\nby room: " + ", ".join(means)
    return text


def cells(row: dict) -> list[str]:
    """One line of the table."""
    parts = [
        row["case"],
        duration(row["seconds"]),
        f"{row['bytes_per_second'] / 1e9:.1f}" if row["bytes_per_second"] else "",
        f"{row['flops_per_second'] / 1e9:.1f}" if row["flops_per_second"] else "",
        f"{100 * row['share']:.0f}% {row['bound']}",
    ]
    return parts + ([duration(row["torch"]), f"{row['ratio']:.2f}"] if "ratio" in row else [])


def duration(seconds: float) -> str:
    """A time with three digits and a unit."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
