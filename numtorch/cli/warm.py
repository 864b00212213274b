"""`numtorch warm`: compile the common kernels, so that programs find them in the cache."""

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from ..backends.cpu.cache import KernelCache, folder
from .bench import training
from .bench.command import pattern, positive
from .bench.runner import all_cases, chosen_cases, prepare

HELP = "compile the common kernels into the cache"


def add_arguments(parser) -> None:
    """`--ops REGEX` warms fewer."""
    text = "only benchmark cases whose name matches; no training step"
    parser.add_argument("--ops", type=pattern, metavar="REGEX", help=text)
    text = "how many compile at the same time (default: one for each core)"
    parser.add_argument(
        "--processes", type=positive, metavar="N", default=os.cpu_count(), help=text
    )


def run(options) -> int:
    """Run every benchmark case and a training step once, several at a time."""
    start = time.perf_counter()
    names = [c.name for c in chosen_cases(options.ops or "", quick=False)]
    if not names:
        print(f"numtorch warm: no case matches --ops {options.ops!r}", file=sys.stderr)
        return 2
    compiled = 0
    if options.ops is None:
        training.one_step()
        compiled = KernelCache.total_misses
    workers = min(options.processes, len(names))
    if workers == 1:
        compiled += sum(map(compile_case, names))
    else:
        spawn = multiprocessing.get_context("spawn")  # OpenMP does not survive a fork
        with ProcessPoolExecutor(workers, spawn) as pool:
            compiled += sum(pool.map(compile_case, names))
    seconds = time.perf_counter() - start
    print(f"{len(names)} cases, {compiled} kernels compiled in {seconds:.1f} s; cache: {folder()}")
    return 0


def compile_case(name: str) -> int:
    """Run a benchmark case once; how many kernels were not in the cache."""
    before = KernelCache.total_misses
    prepare(next(c for c in all_cases() if c.name == name), "numtorch", "cpu")()
    return KernelCache.total_misses - before
