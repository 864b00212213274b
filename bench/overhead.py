"""Where the nanoseconds of a small eager operation go, measured piece by piece.

    python bench/overhead.py

Each line is the shortest time of many repetitions, less that of an empty statement. torch's times
stand beside them where it is installed.
"""

import importlib.util
import timeit

import numtorch as nt
from numtorch.cli.text import table
from numtorch.core import tape
from numtorch.core.op import OPS
from numtorch.core.tensor import Storage, Tensor

SHAPE = 4, 4


def nanoseconds(statement: str, scope: dict, number: int = 20_000, repeat: int = 25) -> float:
    """The shortest time of a statement."""
    return min(timeit.repeat(statement, globals=scope, number=number, repeat=repeat)) / number * 1e9


def operands(lib) -> dict:
    """What the statements of WHOLE use."""
    lib.set_num_threads(1)
    a, b = lib.rand(SHAPE), lib.rand(SHAPE)
    return {"a": a, "b": b, "r": lib.rand(SHAPE, requires_grad=True), "lib": lib}


WHOLE = {
    "a + b": "a + b",
    "lib.add(a, b)": "add, by name",
    "a.add_(b)": "in place",
    "r + b": "recorded",
    "r * b": "recorded, one operand saved",
    "r.exp()": "recorded, the result saved",
    "a.view(16)": "a view",
    "a.sum()": "a reduction",
    "lib.zeros(4, 4)": "new memory, filled",
    "(r + b).sum().backward()": "three nodes and a leaf",
}


def pieces() -> list[tuple[str, str, dict]]:
    """(what, statement, names) of the parts of `a + b`, and of recording it."""
    a, b = nt.rand(SHAPE), nt.rand(SHAPE)
    a + b  # makes the plan
    op = OPS["add"]
    _, fn = op.plans[a._spec, b._spec]
    parts = fn.__globals__
    names = {"a": a, "b": b, "plans": op.plans, "fn": fn, "x": a._array, "y": b._array}
    names |= {"new": object.__new__, "Tensor": Tensor, "Storage": Storage, "Node": op.node_class}
    names |= {k: parts[k] for k in ("run", "make0", "shape0", "dtype0", "c0")}
    names |= {"out": parts["make0"](SHAPE, parts["dtype0"]), "grad_on": tape.grad_mode.get}
    return [
        ("the plan: two Specs, one look-up", "plans[a._spec, b._spec]", names),
        ("the result's memory (np.empty, and its release)", "make0(shape0, dtype0)", names),
        ("the kernel", "run(x, y, out, c0)", names),
        ("these two in one function", "fn(x, y)", names),
        ("a Tensor object (and its release)", "new(Tensor)", names),
        ("recording: is grad mode on?", "grad_on()", names),
        ("recording: a node (and its release)", "new(Node)", names),
        ("saving: a Storage (and its release)", "new(Storage)", names),
    ]


def main() -> None:
    """Measure and print."""
    libraries = ["numtorch", *(["torch"] if importlib.util.find_spec("torch") else [])]
    scopes = {name: operands(importlib.import_module(name)) for name in libraries}
    empty = nanoseconds("pass", {})
    rows = []
    for statement, what in WHOLE.items():
        times = [nanoseconds(statement, scopes[n], 5_000) - empty for n in libraries]
        ratio = [f"{times[0] / times[1]:.2f}"] if len(times) > 1 else []
        rows.append([statement, what, *(f"{t:.0f}" for t in times), *ratio])
    head = ["statement", "what", *(f"{n}, ns" for n in libraries)]
    print(table([*head, *(["ratio"] if len(libraries) > 1 else [])], rows))
    print()
    rows = [[what, s, f"{nanoseconds(s, names) - empty:.0f}"] for what, s, names in pieces()]
    print(table(["part of `a + b`", "measured as", "ns"], rows))


if __name__ == "__main__":
    main()
