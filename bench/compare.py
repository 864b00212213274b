"""numtorch against torch, in processes of their own that take turns: medians over rounds.

    python bench/compare.py --against torch
    python bench/compare.py --against torch --ops 'conv2d|LeNet' --threads 1 --rounds 7

`numtorch bench` times both libraries in one process, which is quicker; here neither library's
threads and memory disturb the other, and slow drifts of the machine cancel. Writes
bench/results/DATE-THREADS.json.
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

from numtorch.cli.bench import runner
from numtorch.cli.bench.command import pattern, positive
from numtorch.cli.text import table

RESULTS = pathlib.Path(__file__).parent / "results"


def times(library: str, cases: str, threads: int, quick: bool = False) -> dict[str, float]:
    """Seconds of each case, in this process."""
    importlib.import_module(library).set_num_threads(threads)
    chosen = runner.chosen_cases(cases, quick)
    return {
        c.name: runner.measure([runner.prepare(c, library, "cpu")], quick, "cpu")[0] for c in chosen
    }


def times_elsewhere(
    library: str, cases: str, threads: int, quick: bool = False
) -> dict[str, float]:
    """`times`, in a fresh process."""
    command = [
        sys.executable,
        __file__,
        "--child",
        library,
        "--ops",
        cases,
        "--threads",
        str(threads),
    ]
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
            for name, seconds in times_elsewhere(library, cases, threads, quick).items():
                found.setdefault(name, {n: [] for n in libraries})[library].append(seconds)
    return {
        name: {n: statistics.median(values) for n, values in by_library.items()}
        for name, by_library in found.items()
    }


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", choices=("torch",))
    parser.add_argument("--ops", type=pattern, default="", metavar="REGEX")
    parser.add_argument("--threads", type=positive, default=os.cpu_count())
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(times(options.child, options.ops, options.threads, options.quick)))
        return
    libraries = ["numtorch", *([options.against] if options.against else [])]
    found = compare(libraries, options.ops, options.threads, options.rounds, options.quick)
    body = []
    for name, seconds in found.items():
        cells = [runner.duration(s) for s in seconds.values()]
        if options.against:
            cells.append(f"{seconds['numtorch'] / seconds[options.against]:.2f}")
        body.append([name, *cells])
    print(table(["case", *libraries, *(["ratio"] if options.against else [])], body))
    if options.against and found:
        ratios = [s["numtorch"] / s[options.against] for s in found.values()]
        print(f"\ngeometric mean {statistics.geometric_mean(ratios):.2f}, worst {max(ratios):.2f}")
    RESULTS.mkdir(exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y-%m-%d-%H%M")
    path = RESULTS / f"{stamp}-{options.threads}-threads.json"
    result = {"threads": options.threads, "rounds": options.rounds, "seconds": found}
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
