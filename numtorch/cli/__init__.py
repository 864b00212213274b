"""The command line: `numtorch bench | info | warm | ops`."""

import argparse

from . import info, listing, warm
from .bench import command as bench

COMMANDS = {"bench": bench, "info": info, "warm": warm, "ops": listing}


def main(argv=None) -> int:
    """Run a command; gives the exit status."""
    parser = argparse.ArgumentParser(prog="numtorch", description="PyTorch's API on Numba kernels.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        sub = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    options = parser.parse_args(argv)
    return options.run(options)
