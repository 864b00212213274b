"""numtorch against torch, in processes of their own that take turns: medians over rounds.

    python bench/compare.py --against torch
    python bench/compare.py --against torch --ops 'conv2d|LeNet' --threads 1 --rounds 7

`numtorch bench` times both libraries in one process, which is quicker; here neither library's
threads and memory disturb the other, and slow drifts of the machine cancel. Every round measures
the machine's ceilings as well. Writes bench/results/NAME.json and, with matplotlib, NAME.png; NAME
is the date and the number of threads unless --name gives another.
"""

import argparse
import datetime
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

from numtorch.cli.bench import ceilings, plot, runner
from numtorch.cli.bench.command import pattern, positive
from numtorch.cli.text import table

RESULTS = pathlib.Path(__file__).parent / "results"
CEILINGS = "ceilings"  # stands among the cases in what a process prints


def times(library: str, cases: str, threads: int, quick: bool = False) -> dict[str, float]:
    """Seconds of each case, in this process."""
    importlib.import_module(library).set_num_threads(threads)
    chosen = runner.chosen_cases(cases, quick)
    return {
        c.name: runner.measure([runner.prepare(c, library, "cpu")], quick, "cpu")[0] for c in chosen
    }


def elsewhere(library: str, cases: str, threads: int, quick: bool = False) -> dict:
    """`times` in a fresh process; the machine's ceilings where `library` is CEILINGS."""
    command = [sys.executable, __file__, "--child", library, "--ops", cases]
    command += ["--threads", str(threads)]
    environment = os.environ | {"NUMBA_NUM_THREADS": str(max(threads, os.cpu_count() or 1))}
    done = subprocess.run(
        command + ["--quick"] * quick,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def compare(
    libraries, cases: str, threads: int, rounds: int, quick: bool = False
) -> dict[str, dict[str, float]]:
    """{case: {library: median seconds}}; the libraries take turns."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for library in libraries:
            for name, seconds in elsewhere(library, cases, threads, quick).items():
                found.setdefault(name, {n: [] for n in libraries})[library].append(seconds)
    return {
        name: {n: statistics.median(values) for n, values in by_library.items()}
        for name, by_library in found.items()
    }


def rows(found: dict, limits: dict) -> list[dict]:
    """What `numtorch bench --json` keeps of a case, from `compare`'s figures."""
    known = {c.name: c for c in runner.all_cases()}
    result = []
    for name, seconds in found.items():
        case, ours = known[name], seconds["numtorch"]
        row = {"case": name, "room": case.room, "seconds": ours} | case.rates(ours, limits)
        if "torch" in seconds:
            row |= {"torch": seconds["torch"], "ratio": ours / seconds["torch"]}
        result.append(row)
    return result


def child(library: str, options) -> dict:
    """What a process that takes its turn prints."""
    if library != CEILINGS:
        return times(library, options.ops, options.threads, options.quick)
    importlib.import_module("numtorch").set_num_threads(options.threads)
    return ceilings.measure()


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=("torch",))
    parser.add_argument("--ops", type=pattern, default="", metavar="REGEX")
    parser.add_argument("--threads", type=positive, default=os.cpu_count())
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--name", help="of the files that are written")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options)))
        return
    libraries = ["numtorch", *([options.against] if options.against else [])]
    limits = elsewhere(CEILINGS, options.ops, options.threads)
    found = compare(libraries, options.ops, options.threads, options.rounds, options.quick)
    cases = rows(found, limits)
    head = ["case", "time", "GB/s", "GFLOP/s", "of ceiling"]
    head += ["torch", "ours/torch"] if options.against else []
    print(table(head, [runner.cells(row) for row in cases]))
    if options.against and cases:
        print(runner.summary(cases))
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M")
    path = RESULTS / f"{options.name or f'{stamp}-{options.threads}-threads'}.json"
    result = {"threads": options.threads, "rounds": options.rounds, "ceilings": limits}
    path.write_text(json.dumps(result | {"cases": cases}, indent=1) + "\n")
    print(f"written to {path}")
    if plot.available():
        plot.draw({"cases": cases}, str(path.with_suffix(".png")))


if __name__ == "__main__":
    main()
