"""`numtorch ops`: every op, its derivative and its kernels."""

import functools
import importlib
import pathlib
import re

from .. import nn  # noqa: F401 (imports every room)
from ..core.generate import source
from ..core.op import OPS, Op
from .text import table

HELP = "every op, its derivative and its kernels"


def add_arguments(parser) -> None:
    """`numtorch ops [NAME] [--source]`."""
    parser.add_argument("name", nargs="?", default="", help="only ops whose name contains this")
    parser.add_argument(
        "--source", action="store_true", help="print the generated function and its derivative"
    )


def has_kernel(op: Op, device: str) -> str:
    """Whether the room has a launcher for the op on a device."""
    if op.is_view:
        return "view"
    if op.generated:
        return "yes"
    if device == "cpu":
        return "yes" if hasattr(importlib.import_module(f"{op.module}.cpu"), op.name) else "-"
    return "yes" if re.search(rf"\b{op.name}\b", cuda_text(op.module)) else "-"


@functools.cache
def cuda_text(room: str) -> str:
    """The text of a room's CUDA files: importing them needs more than reading them."""
    folder = pathlib.Path(importlib.import_module(room).__file__).parent
    return "".join(path.read_text() for path in folder.glob("*cuda.py"))


def derivative(op: Op) -> str:
    """What the op's definition says of its derivative."""
    if op.vjp is None:
        return "missing"
    named = [n if isinstance(n, str) else "+".join(n) for n, d in op.vjp_entries() if d is not None]
    return " ".join(named) or "none"


def run(options) -> int:
    """Print the table, or sources."""
    chosen = [op for name, op in sorted(OPS.items()) if options.name in name]
    if options.source:
        for op in chosen:
            print(source(op, "function"))
            print(getattr(op.node_class, "back_source", "# no derivative\n"))
        return 0
    body = [
        [
            op.name,
            op.module.rpartition(".")[2],
            derivative(op),
            has_kernel(op, "cpu"),
            has_kernel(op, "cuda"),
        ]
        for op in chosen
    ]
    print(table(["op", "room", "derivative of", "cpu", "cuda"], body, left=3))
    print(f"{len(chosen)} ops")
    return 0
