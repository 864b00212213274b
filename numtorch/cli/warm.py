"""`numtorch warm`: compile the common kernels, so that programs find them in the cache."""

import sys
import time

from ..backends.cpu import cache
from ..backends.cpu.jit import KERNELS
from .bench import training
from .bench.command import pattern
from .bench.runner import chosen_cases, prepare

HELP = "compile the common kernels into the cache"


def add_arguments(parser) -> None:
    """`--ops REGEX` warms fewer."""
    text = "only benchmark cases whose name matches; no training step"
    parser.add_argument("--ops", type=pattern, metavar="REGEX", help=text)


def run(options) -> int:
    """Run every benchmark case and a training step once."""
    start, before = time.perf_counter(), _ready()
    chosen = chosen_cases(options.ops or "", quick=False)
    if not chosen:
        print(f"numtorch warm: no case matches --ops {options.ops!r}", file=sys.stderr)
        return 2
    if options.ops is None:
        training.one_step()
    for case in chosen:
        prepare(case, "numtorch", "cpu")()
    seconds = time.perf_counter() - start
    print(f"{_ready() - before} kernels ready in {seconds:.1f} s; cache: {cache.folder()}")
    return 0


def _ready() -> int:
    return sum(len(k.variants) for k in KERNELS)
