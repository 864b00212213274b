"""The command: options, and the order of things."""

import argparse
import json
import pathlib
import re
import sys

from ...threads import set_num_threads
from . import ceilings, plot, runner, training

HELP = "train a CNN on real digits, then time the kernels"


def pattern(text: str) -> str:
    """An option's value that is a regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        message = f"{text!r} is no regular expression: {error}"
        raise argparse.ArgumentTypeError(message) from None
    return text


def positive(text: str) -> int:
    """An option's value that is a positive number."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, but got {text!r}")
    return int(text)


def add_arguments(parser) -> None:
    """The options of `numtorch bench`."""
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer cases, fewer repetitions")
    add("--ops", type=pattern, metavar="REGEX", help="only cases whose name matches; no training")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--threads", type=positive, metavar="N", help="default: all cores")
    add("--against", choices=("torch",), help="insist on the comparison that is made if installed")
    add("--json", metavar="F", help="write the figures to this file")
    add("--plot", metavar="F.png", help="draw shares of the ceilings (needs the extra `bench`)")


def problem(options) -> str | None:
    """What stands in the way of the run, found before anything takes time."""
    if options.device == "cuda":
        from ... import cuda  # noqa: PLC0415 (imports numba.cuda)

        if not cuda.is_available():
            return "--device cuda, but no CUDA GPU is available (see `numtorch info`)"
    if options.against and not runner.rival(options.device):
        where = "not installed (extra `parity`)" if options.device == "cpu" else "not here for CUDA"
        return f"--against torch, but torch is {where}"
    if not runner.chosen_cases(options.ops or "", options.quick):
        return f"no case matches --ops {options.ops!r}" + (" --quick" if options.quick else "")
    if options.plot and not plot.available():
        return "--plot needs matplotlib: pip install 'numtorch[bench]'"
    for path in filter(None, (options.json, options.plot)):
        try:
            pathlib.Path(path).open("ab").close()
        except OSError as error:
            return f"cannot write to {path}: {error.strerror}"
    return None


def run(options) -> int:
    """Train, measure the ceilings, time the cases, print."""
    wrong = problem(options)
    if wrong:
        print(f"numtorch bench: {wrong}", file=sys.stderr)
        return 2
    if options.threads:
        set_num_threads(options.threads)
    result: dict = {"device": options.device}
    if options.ops is None:
        result["training"] = training.train(options.device)
        print()
    limits = result["ceilings"] = ceilings.measure(options.device)
    threads = f"{limits['threads']} threads: " if limits["threads"] else ""
    print(
        f"ceilings measured now, {threads}memory {limits['bandwidth'] / 1e9:.1f} GB/s (a = b), "
        f"FMA {limits['flops'] / 1e9:.0f} GFLOP/s (float32)\n"
    )
    chosen = runner.chosen_cases(options.ops or "", options.quick)
    other = runner.rival(options.device)
    result["cases"] = runner.run(chosen, options.quick, options.device, limits, other)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")
    if options.plot:
        plot.draw(result, options.plot)
    return 0
