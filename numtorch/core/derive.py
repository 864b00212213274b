"""Writes an op's `back(node, g)` from its `vjp`, and says what a node of it keeps."""

import linecache
from functools import partial
from typing import Any

from . import errors
from .inplace import new_output
from .interp import runtime
from .tape import Node, SavingNode, grad_mode
from .tensor import Tensor


class Lines(list):
    """Source lines with an indent."""

    def add(self, text: str, indent: int = 1) -> None:
        """Append text, each line of it indented."""
        self.extend("    " * indent + line for line in text.splitlines())


def compiled(text: str, filename: str):
    """The code of generated source, which tracebacks and debuggers can show."""
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
    return compile(text, filename, "exec")


def differentiate(op) -> None:
    """Make the op's node class: what it saves, and `back(node, g)`."""
    entries = _entries(op)
    plan, uses = _saved_plan(op, entries)
    saving = bool(plan)
    base = SavingNode if saving else Node
    scope: dict = {"__slots__": (), "op": op, "outputs": op.many or 1}
    if op.several:  # each node has as many as it made
        del scope["outputs"]
        scope["__slots__"] = ("outputs",)
    if saving:
        scope["saved_plan"] = plan
        scope["saved_names"] = tuple(
            {"spec": "_", "out": ""}.get(kind, "") + name for kind, _, name, _ in plan
        )
        scope.update(_attributes(op, plan))
    cls: Any = type(op.node_name, (base,), scope)
    if op.vjp is None:
        module, name = op.module, op.name

        def back(node, g):
            raise errors.no_derivative(name, module)

        cls.back = back
    else:
        namespace = {f"vjp{k}": fn for k, (_, fn) in enumerate(entries)}
        namespace.update(errors=errors, new=object.__new__, Tensor=Tensor, changed=changed)
        namespace.update(grad_on=grad_mode.get, new_output=new_output)
        text = _back_source(op, entries, plan, uses)
        exec(compiled(text, f"<numtorch {op.name} backward>"), namespace)
        cls.back = namespace["back"]
        cls.back_source = text
    op._node_class = cls
    runtime[f"{op.name}__node"] = cls


def _attributes(op, plan) -> dict:
    """torch's names for what a node keeps: `_saved_self`, `_saved_result`, `_raw_saved_other`."""
    found = {}
    for position, (kind, index, name, _) in enumerate(plan):
        names = [name]
        if kind == "out":
            names = [f"result{index}" if op.many else "result"]
        elif name == "input" == op.tensors[0]:
            names.append("self")
        if kind == "spec":
            names = [f"{n}_sym_sizes" for n in names]
        for n in names:
            found[f"_saved_{n}"] = property(partial(_saved_value, position))
            if kind in ("tensor", "out"):
                found[f"_raw_saved_{n}"] = property(partial(_raw_value, position))
    return found


def _saved_value(position: int, node):
    return runtime["saved_value"](node, position)


def _raw_value(position: int, node):
    return runtime["SavedTensor"](node, position)


def unpacking(cls):
    """The class for nodes of `cls` whose saved tensors are packed (core/saved.py): its `back`
    unpacks first.
    """
    op = cls.op
    found = cls.__dict__.get("unpacking_class")
    if found is None:
        found = type(cls.__name__, (cls,), {"__slots__": (), "unpacks": True})
        if op.vjp is not None:
            entries = _entries(op)
            text = _back_source(op, entries, *_saved_plan(op, entries), packed=True)
            namespace = dict(cls.back.__globals__, unpacked=runtime["unpacked"])
            exec(compiled(text, f"<numtorch {op.name} backward, unpacking>"), namespace)
            found.back = namespace["back"]
        cls.unpacking_class = found
    return found


def _entries(op) -> list:
    """[(indices of the inputs, function or None)]"""
    index = {t: i for i, t in enumerate(op.tensors)}
    found = []
    for names, fn in op.vjp_entries():
        names = (names,) if isinstance(names, str) else names
        found.append((tuple(index[n] for n in names), fn))
    return found


def _saved_plan(op, entries):
    """What a node keeps: (kind, index, name, inputs whose derivative needs it); and each entry's
    arguments.
    """
    wanted: dict = {}
    uses = []
    for inputs, fn in entries:
        arguments = []
        if fn is None:
            uses.append(arguments)
            continue
        code = fn.__code__
        for p in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            if p in ("g", "needs"):
                arguments.append(p)
                continue
            if p in op.tensors:
                item = ("tensor", op.tensors.index(p), p)
            elif p[0] == "_" and p[1:] in op.tensors:
                item = ("spec", op.tensors.index(p[1:]), p[1:])
            elif p == "out" or (p.startswith("out") and p[3:].isdigit()):
                item = ("out", int(p[3:] or 0), p)
            elif p in op.attrs:
                item = ("attr", 0, p)
            else:
                raise TypeError(
                    f"{op.module}: the derivative of {op.name} asks for {p!r}, which is no "
                    f"parameter"
                )
            wanted.setdefault(item, set()).update(inputs)
            arguments.append(p)
        uses.append(arguments)
    return [(*item, tuple(sorted(who))) for item, who in wanted.items()], uses


def _back_source(op, entries, plan, uses, packed: bool = False) -> str:
    code = Lines(["def back(node, g):"])
    n = len(op.tensors)
    if plan:
        code.add("saved = node.saved\nif saved is None:\n    raise errors.backward_twice(node)")
        names = [("_" if kind == "spec" else "") + name for kind, _, name, _ in plan]
        code.add(f"({''.join(x + ', ' for x in names)}) = saved")
        kept = [name for kind, _, name, _ in plan if kind in ("tensor", "out")]
        if packed:
            code.add("\n".join(f"{k} = unpacked({k}, node)" for k in kept))
        elif kept:
            code.add(f"({''.join(f's_{k}, v_{k}, ' for k in kept)}) = node.versions")
            code.add(
                f"if {' or '.join(f's_{k}.version != v_{k}' for k in kept)}:\n    raise "
                f"changed(node)"
            )
        for kind, index, name, wanted in plan:
            if kind == "out" and not packed:
                always = len(wanted) == n
                if not always:
                    code.add(f"if {name} is not None:")
                indent = 1 if always else 2
                code.add(f"triple = {name}\n{name} = new(Tensor)", indent)
                code.add(f"{name}._array, {name}._spec, {name}._memory = triple", indent)
                owner = "node" if op.differentiable == (0,) else f"new_output(node, {index})"
                if index in op.differentiable:
                    owner += " if grad_on() else None"
                else:
                    owner = "None"
                code.add(f"{name}._node = {owner}", indent)
    code.add("".join(f"n{i}, " for i in range(n)) + "= node.edges")
    if any("needs" in u for u in uses):
        code.add(f"needs = ({''.join(f'n{i} is not None, ' for i in range(n))})")
    results = ["None"] * n
    for k, ((inputs, fn), arguments) in enumerate(zip(entries, uses, strict=True)):
        if fn is None:
            continue
        call = f"vjp{k}({', '.join(arguments)})"
        if len(inputs) == 1:
            results[inputs[0]] = f"None if n{inputs[0]} is None else {call}"
            continue
        test = " or ".join(f"n{i} is not None" for i in inputs)
        targets = ", ".join(f"r{i}" for i in inputs)
        code.add(f"{targets} = {call} if {test} else ({'None, ' * len(inputs)})")
        for i in inputs:
            results[i] = f"r{i}"
    code.add(f"return ({''.join(r + ', ' for r in results)})")
    return "\n".join(code) + "\n"


def changed(node) -> RuntimeError:
    """The error for the first saved tensor whose version is not what it was."""
    values = [
        v
        for (kind, *_), v in zip(node.saved_plan, node.saved, strict=True)
        if kind in ("tensor", "out")
    ]
    pairs = zip(node.versions[::2], node.versions[1::2], strict=True)
    for value, (storage, version) in zip(values, pairs, strict=True):
        if storage.version != version:
            is_out = isinstance(value, tuple)
            spec, source = (value[1], node) if is_out else (value._spec, value._node)
            return errors.modified_in_place(
                node,
                spec,
                storage.version,
                version,
                None if source is None or source.leaf is not None else source,
            )
    raise AssertionError("no saved tensor has changed")
