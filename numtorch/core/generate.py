"""Writes the Python functions that an op's definition stands for.

Each op gets a function with everything inlined (a generic `*args` path costs 2.8 us more per call).
Writing and compiling one takes 0.2 ms, so a function starts as a stub with the right signature, and
turns into the real one at its first call by exchanging its code object: importing numtorch
generates nothing, and `Tensor.add is numtorch.add` holds. `numtorch ops NAME --source` prints what
is generated.
"""

import types
import weakref
from typing import Any

import numpy as np

from . import errors, inplace
from .derive import Lines, compiled
from .interp import runtime
from .plans import LIMIT, register
from .spec import Spec, weak
from .tape import UNRECORDED, SavingNode, grad_mode, inference_mode, sequence
from .tensor import Storage, Tensor, View

# Names of locals in generated functions, which parameters of ops must not have.
RESERVED = frozenset(
    [
        "array",
        "arrays",
        "base",
        "before",
        "element",
        "fn",
        "interp",
        "new",
        "node",
        "creation",
        "parent",
        "parts",
        "recording",
        "result",
        "results",
        "run",
        "seq",
        "spec",
        "specs",
        "origin",
        "storage",
        "track",
        "view",
        "viewer",
        "views",
    ]
)
NO_STORAGE = object.__new__(
    Storage
)  # stands for a Python number among saved operands: its version never changes
NO_STORAGE.array, NO_STORAGE.version = None, 0


def number(value):
    """A Python number operand as it goes to the kernel; TypeError for what is not one."""
    if isinstance(value, np.generic):
        return value.item()
    weak(value)
    return value


def reaches_twice(spec: Spec) -> bool:
    """Whether a tensor of this spec surely has elements that share memory: an expanded one. Of
    others, as windows of `unfold`, torch does not ask, and lets them be written to.
    """
    if spec.contiguous:
        return False
    found = _expanded.get(spec)
    if found is None:
        if len(_expanded) >= LIMIT:
            _expanded.clear()
        pairs = zip(spec.shape, spec.strides, strict=True)
        found = _expanded[spec] = spec.numel > 0 and any(s == 0 and n > 1 for n, s in pairs)
    return found


_expanded: dict = register({})  # Spec -> what reaches_twice says, which takes 0.5 us to find


runtime.update(
    new=object.__new__,
    Tensor=Tensor,
    Storage=Storage,
    View=View,
    seq=sequence,
    grad_on=grad_mode.get,
    inferring=inference_mode.get,
    UNRECORDED=UNRECORDED,
    touched=inplace.touched,
    Views=inplace.Views,
    number=number,
    weak=weak,
    forget_dead=inplace.forget_dead,
    ref=weakref.ref,
    ndarray=np.ndarray,
    NO_STORAGE=NO_STORAGE,
    errors=errors,
    finish=inplace.finish,
    check_in_place=inplace.check,
    saved_copy=inplace.saved_copy,
    new_output=inplace.new_output,
)


# -- source text -----------------------------------------------------------------------------------
def parameters(op, form: str) -> str:
    """The parameter list: tensors, then attributes; defaults where the rule has them."""
    tensors, attrs = (
        list(op.tensors),
        [a + (f"={op.defaults[a]!r}" if a in op.defaults else "") for a in op.attrs],
    )
    extra = []
    if op.keyword and form in ("function", "in_place"):
        extra = [f"{op.keyword[0]}={op.keyword[1]!r}"]
    if op.takes_out and form == "function":
        extra.append("out=None")
    return ", ".join(tensors + attrs + (["*", *extra] if extra else []))


def source(op, form: str) -> str:
    """The text of an op's function. `form` is "function", "in_place", "operator" (the function
    without its keywords: `a + b`) or "direct" (past the interpreter).
    """
    names = dict(op=f"{op.name}__op", plans=f"{op.name}__plans", node=f"{op.name}__node")
    code = Lines([f"def {op.name}__{form}({parameters(op, form)}):"])
    doc = op.doc.strip()
    if doc:
        code.add(f'"""{doc}"""' if "\n" not in doc else f'"""{doc}\n"""')
    tensors, attrs = ", ".join(op.tensors) + ",", "".join(f"{a}, " for a in op.attrs)
    if form != "direct":
        target = op.tensors[0] if form == "in_place" else "None"
        if op.keyword and form != "operator":
            name, default, other = op.keyword
            given = f"{', '.join(op.tensors)}, {name}" + (", out" if form == "function" else "")
            code.add(
                f"if {name} != {default!r}:\n    return "
                f"{other}{'_' if form == 'in_place' else ''}({given})"
            )
        code.add(
            f"if interp is not None:\n    return interp({names['op']}, ({tensors}), ({attrs}), "
            f"{target})"
        )
        if op.takes_out and form == "function":
            code.add(
                f"if out is not None:\n    return write_out({names['op']}, out, ({tensors}), "
                f"({attrs}))"
            )
    _read_operands(op, code, names, form)
    key = ", ".join([f"s{i}" for i in range(len(op.tensors))] + list(op.attrs))
    if op.is_view:
        _view_body(op, code, names, key)
    elif form == "in_place":
        _in_place_body(op, code, names, key)
    else:
        _body(op, code, names, key)
    return "\n".join(code) + "\n"


def _read_operands(op, code: Lines, names, form: str) -> None:
    """s0, a0, n0: spec, array and node of the first tensor; and so on."""
    plain = Lines()
    for i, t in enumerate(op.tensors):
        take = f"s{i} = {t}._spec\na{i} = {t}._array\nn{i} = {t}._node"
        if t in op.optional:
            plain.add(f"if {t} is None:\n    s{i} = a{i} = n{i} = None\nelse:", 2)
            plain.add(take, 3)
        elif op.numbers and len(op.tensors) > 1 and (i > 0 or form != "in_place"):
            plain.add(f"if {t}.__class__ is Tensor or isinstance({t}, Tensor):", 2)
            plain.add(take, 3)
            plain.add(
                f"else:\n    {t} = a{i} = number({t})\n    s{i} = weak(a{i})\n    n{i} = None", 2
            )
        else:
            plain.add(take, 2)
    code.add("try:")
    code.extend(plain)
    caught = "(AttributeError, TypeError)" if op.numbers else "AttributeError"
    code.add(
        f"except {caught}:\n    raise {names['op']}.bad_argument(({', '.join(op.tensors)},)) from "
        f"None"
    )


def changed(name: str) -> str:
    """Lines that count an in-place change of a tensor."""
    return (
        f"storage = {name}._memory\nif storage is None:\n    storage = {name}._storage\n"
        f"storage.version += 1"
    )


def _no_node(op, count: int) -> str:
    return " and ".join(f"n{i} is None" for i in range(count))


def _record(op, names, inputs: dict[str, str] | None = None, result: str = "result") -> Lines:
    """Lines that fill `node`. `inputs` renames saved inputs (in-place forms save a copy)."""
    inputs = inputs or {}
    code = Lines()
    edges = "".join(f"n{i}, " for i in range(len(op.tensors)))
    code.add(
        f"node = new({names['node']})\nnode.seq = seq()\nnode.edges = ({edges})\nnode.g = "
        f"None\nnode.hooks = None",
        0,
    )
    cls = op.node_class
    if not issubclass(cls, SavingNode):
        return code
    values, versions = [], []
    for kind, index, name, wanted in cls.saved_plan:
        if kind == "tensor":
            used = inputs.get(name, name)
            store = (
                f"{used}._memory"
                if not op.numbers
                else f"(NO_STORAGE if s{index}.weak else {used}._memory)"
            )
            if name in op.optional:
                store = f"(NO_STORAGE if {name} is None else {name}._memory)"
            if len(wanted) < len(op.tensors):
                test = " or ".join(f"n{i} is not None" for i in wanted)
                values.append(f"{used} if {test} else None")
                store = f"({store} if {test} else NO_STORAGE)"
            else:
                values.append(used)
            made = store.replace("._memory", "._storage")
            code.add(f"t{index} = {store}\nif t{index} is None:\n    t{index} = {made}", 0)
            # an operand that lies in the memory just changed is not what it was
            before = "" if result == "result" else f" - (t{index} is storage)"
            versions.append(f"t{index}, t{index}.version{before}")
        elif kind == "spec":
            values.append(f"s{index}")
        elif kind == "out":
            which = result if index == 0 else f"{result}{index}"
            keep = Lines()
            if result == "result":  # fresh
                keep.add(f"{which}._memory = memory{index} = new(Storage)", 0)
                keep.add(f"memory{index}.array = {which}._array\nmemory{index}.version = 0", 0)
            else:
                keep.add(f"memory{index} = {which}._storage", 0)
            triple = f"({which}._array, {which}._spec, memory{index})"
            if len(wanted) < len(op.tensors):
                test = " or ".join(f"n{i} is not None" for i in wanted)
                code.add(f"o{index}, memory{index} = None, NO_STORAGE\nif {test}:", 0)
                code.extend("    " + line for line in (*keep, f"o{index} = {triple}"))
                triple = f"o{index}"
            else:
                code.extend(keep)
            values.append(triple)
            versions.append(f"memory{index}, memory{index}.version")
        else:
            values.append(name)
    code.add(f"node.saved = ({''.join(v + ', ' for v in values)})", 0)
    code.add(f"node.versions = ({''.join(v + ', ' for v in versions)})", 0)
    return code


def _differentiable(op) -> bool:
    return op.vjp is None or bool(op.vjp)


def _body(op, code: Lines, names, key: str) -> None:
    arrays = ", ".join(f"a{i}" for i in range(len(op.tensors)))
    many = op.many
    if not many:
        code.add(
            f"spec, fn = {names['plans']}[{key}]\nresult = new(Tensor)\nresult._array = "
            f"fn({arrays})"
        )
        code.add("result._spec = spec\nresult._memory = None")
    else:
        code.add(f"specs, fn = {names['plans']}[{key}]\narrays = fn({arrays})")
        for k in range(many):
            code.add(
                f"result{k} = new(Tensor)\nresult{k}._array = arrays[{k}]\nresult{k}._spec = "
                f"specs[{k}]"
            )
            code.add(f"result{k}._memory = result{k}._node = None")
        code.add("result = result0")
    if not _differentiable(op):
        code.add("result._node = None")
    else:
        test = f"({_no_node(op, len(op.tensors))}) or not grad_on()"
        if op.vjp is None:
            test += " or not result._spec.dtype.is_floating_point"
        code.add(f"if {test}:\n    result._node = None\nelse:")
        code.extend("    " * 2 + line for line in _record(op, names))
        if op.differentiable == (0,):
            code.add("result._node = node", 2)
        else:
            for k in op.differentiable:
                code.add(f"result{k}._node = new_output(node, {k})", 2)
    code.add(f"return {', '.join(f'result{k}' for k in range(many))}" if many else "return result")


def _view_body(op, code: Lines, names, key: str) -> None:
    first = op.tensors[0]
    code.add(f"{'parts' if op.several else 'spec, element, viewer'} = {names['plans']}[{key}]")
    code.add(f"storage = {first}._memory\nif storage is None:\n    storage = {first}._storage")
    # an owner of memory: asking it for its `_view` takes 0.2 us, as CPython makes an error first
    code.add(f"origin, base, creation = 0, {first}, ''")
    code.add("if a0 is not storage.array or a0.__class__ is not ndarray:")
    code.add(f"parent = getattr({first}, '_view', None)\nif parent is not None:", 2)
    code.add("origin = parent.offset\nif parent.base is not None:", 3)
    code.add("base, creation = parent.base, parent.creation", 4)
    code.add("recording = grad_on()")
    code.add("if not recording and creation != 'inference':")
    code.add("creation = 'inference' if inferring() else 'no_grad'", 2)
    if op.several:
        code.add("elif creation != 'inference':\n    creation = 'multi'")
    code.add("views = getattr(storage, 'views', None)\nif views is None:")
    code.add("views = storage.views = Views()", 2)
    code.add("if n0 is None:\n    node = None")
    code.add("elif not recording:\n    node = None if base._node is None else UNRECORDED")
    code.add("    views.recorded = True\nelse:")
    code.extend("    " * 2 + line for line in _record(op, names))
    code.add("views.recorded = True", 2)
    if op.several:
        code.add("node.outputs = len(parts)", 2)
    each = Lines()
    each.add("element += origin\nresult = new(Tensor)\nresult._spec = spec", 0)
    each.add("result._array = viewer(storage.array, element)\nresult._memory = storage", 0)
    each.add("result._view = view = new(View)", 0)
    each.add("view.offset = element\nview.base = base\nview.creation = creation", 0)
    if op.several:
        each.add("result._node = new_output(node, len(results)) if recording and n0 else node", 0)
        each.add("results.append(result)", 0)
    else:
        each.add("result._node = node", 0)
    each.add(f"views.append(ref(result))\nif len(views) >= {inplace.MANY_VIEWS}:", 0)
    each.add("forget_dead(views)", 1)
    if op.several:
        code.add("results = []\nfor spec, element, viewer in parts:")
        code.extend("    " * 2 + line for line in each)
        code.add("return tuple(results)")
    else:
        code.extend("    " + line for line in each)
        code.add("return result")


def _in_place_body(op, code: Lines, names, key: str) -> None:
    first = op.tensors[0]
    arrays = ", ".join(f"a{i}" for i in range(len(op.tensors)))
    others = "".join(f"{t}, " for t in op.tensors[1:])
    code.add(f"track = not ({_no_node(op, len(op.tensors))}) and grad_on()")
    code.add(f"views = check_in_place({names['op']}, {first}, track, ({others}))")
    code.add(f"run = {op.name}__into_plans[s0, {key}]")
    inputs = {}
    saves = saves_first(op)
    if saves:
        wanted = next(item[3] for item in _plan_of(op) if item[:2] == ("tensor", 0))
        test = " or ".join(f"n{i} is not None" for i in wanted)
        code.add(f"before = saved_copy({first}) if track and ({test}) else None")
        inputs[first] = "before"
    code.add(f"run({arrays}, a0)\n{changed(first)}")
    if _differentiable(op):
        code.add("if track:")
        code.extend("    " * 2 + line for line in _record(op, names, inputs, first))
        code.add(f"finish({first}, node)", 2)
    code.add(f"{'elif' if _differentiable(op) else 'if'} views:\n    touched(views)")
    code.add(f"return {first}")


def saves_first(op) -> bool:
    """Whether the derivative of an op reads its first input, which an in-place form overwrites."""
    return _differentiable(op) and any(item[:2] == ("tensor", 0) for item in _plan_of(op))


def _plan_of(op):
    return getattr(op.node_class, "saved_plan", ())


# -- functions -------------------------------------------------------------------------------------
def compile_function(op, form: str):
    """Write and compile one of the op's functions."""
    runtime[f"{op.name}__op"], runtime[f"{op.name}__plans"] = op, op.plans
    runtime[f"{op.name}__into_plans"] = op.into_plans
    if _differentiable(op):
        op.node_class  # noqa: B018 (puts the node class among the generated functions' globals)
    exec(compiled(source(op, form), f"<numtorch {op.name} {form}>"), runtime)
    return runtime[f"{op.name}__{form}"]


def _placeholder():
    return _first_call("name", locals())  # noqa: F821 (a global of generated functions)


def stub(op, form: str, public_name: str | None = None):
    """A function with the op's signature, which becomes the generated one when it is first called.
    One per form.
    """
    key = f"{op.name}|{form}"
    if f"stub:{key}" in runtime:
        return runtime[f"stub:{key}"]
    names = (*op.tensors, *op.attrs)
    keywords = {op.keyword[0]: op.keyword[1]} if op.keyword and form != "operator" else {}
    if op.takes_out and form == "function":
        keywords["out"] = None
    names += tuple(keywords)
    keyword_only = len(keywords)
    code = _placeholder.__code__.replace(
        co_argcount=len(names) - keyword_only,
        co_kwonlyargcount=keyword_only,
        co_varnames=names,
        co_nlocals=len(names),
        co_consts=(None, key),
        co_name=op.name,
        co_qualname=op.name,
    )
    tail = [a for a in op.attrs if a in op.defaults]
    function: Any = types.FunctionType(
        code, runtime, public_name or op.name, tuple(op.defaults[a] for a in tail)
    )
    function.__kwdefaults__ = keywords or None
    function.__doc__, function.__module__ = op.doc, op.module
    function.op = op
    if form == "function":
        op.public = function
    runtime[f"stub:{key}"] = function
    return function


def _first_call(key: str, arguments: dict):
    function = runtime[f"stub:{key}"]
    name, _, form = key.partition("|")
    function.__code__ = compile_function(runtime["OPS"][name], form).__code__
    return function(**arguments)


runtime["_first_call"] = _first_call


def allocating(run, make: list, inputs: int, many: bool):
    """`fn(*inputs)`: allocate the outputs, run the kernel, return them. Spelled out and with the
    calls inlined that `bind` and small allocations leave open, because each Python call costs 40 to
    60 ns.
    """
    parts, fresh = getattr(run, "parts", None), [getattr(m, "parts", None) for m in make]
    key = (
        inputs,
        len(make),
        many,
        len(parts[1]) if parts else -1,
        tuple(f is not None for f in fresh),
    )
    code = _allocators.get(key)
    if code is None:
        given = "".join(f"a{i}, " for i in range(inputs))
        lines = [f"def fn({given}):"]
        for k, f in enumerate(fresh):
            lines.append(f"    out{k} = " + (f"make{k}(shape{k}, dtype{k})" if f else f"make{k}()"))
        outs = ", ".join(f"out{k}" for k in range(len(make)))
        constants = "".join(f", c{i}" for i in range(len(parts[1]))) if parts else ""
        lines += [f"    run({given}{outs}{constants})", f"    return {outs}{',' if many else ''}"]
        code = _allocators[key] = compile("\n".join(lines), f"<numtorch allocating {key}>", "exec")
    scope = {"run": parts[0] if parts else run}
    scope.update((f"c{i}", c) for i, c in enumerate(parts[1] if parts else ()))
    for k, (m, f) in enumerate(zip(make, fresh, strict=True)):
        scope.update(
            {f"make{k}": f[0], f"shape{k}": f[1], f"dtype{k}": f[2]} if f else {f"make{k}": m}
        )
    exec(code, scope)
    return scope["fn"]


_allocators: dict = {}


def update_function(op, operands: tuple, written: tuple):
    """`f(*operands)`: run an op of tensors and floats whose outputs are the operands at the
    positions `written`.
    """
    names = list(op.tensors)
    tensors = [n for n, v in zip(names, operands, strict=True) if isinstance(v, Tensor)]
    targets = [names[i] for i in written]
    specs = "".join(f"{n}._spec, " if n in tensors else "number_spec, " for n in names)
    arrays = ", ".join(
        [f"{n}._array" if n in tensors else n for n in names] + [f"{t}._array" for t in targets]
    )
    every = ", ".join(names)
    code = Lines([f"def {op.name}__update({every}):"])
    code.add(
        f"if globals_['interp'] is not None:\n    return globals_['interp'](op, ({every}), (), "
        f"({', '.join(targets)},))"
    )
    code.add(f"plans[{len(written)}, {''.join(t + '._spec, ' for t in targets)}{specs}]({arrays})")
    for t in targets:
        code.add(changed(t))
    scope = {"globals_": runtime, "op": op, "plans": op.update_plans, "number_spec": weak(1.0)}
    exec(compiled("\n".join(code) + "\n", f"<numtorch {op.name} update>"), scope)
    return scope[f"{op.name}__update"]


def in_place(op, tensors: tuple, attrs: tuple):
    """The in-place form of any op: `tensors[0]` is changed."""
    if runtime["interp"] is not None:
        return runtime["interp"](op, tensors, attrs, tensors[0])
    return in_place_directly(op, tensors, attrs)


def in_place_directly(op, tensors: tuple, attrs: tuple):
    """`in_place`, past this moment's interpreter."""
    target = tensors[0]
    arrays = [
        t._array if isinstance(t, Tensor) else number(t) if t is not None else None for t in tensors
    ]
    specs = [
        t._spec if isinstance(t, Tensor) else weak(a) if a is not None else None
        for t, a in zip(tensors, arrays, strict=True)
    ]
    if op.aliasing:
        nodes = [getattr(t, "_node", None) for t in tensors]
        track = any(n is not None for n in nodes) and grad_mode.get()
        views = inplace.check(op, target, track, tensors[1:])
        run = op.into_plans[(target._spec, *specs, *attrs)]
        before = inplace.saved_copy(target) if track else target
        run(*arrays, target._array)
        target._storage.version += 1
        if track and _differentiable(op):
            node = record(op, (before, *tensors[1:]), attrs, target, nodes, target._storage)
            inplace.finish(target, node)
        elif views:
            inplace.touched(views)
        return target
    recorded = any(getattr(t, "_node", None) is not None for t in tensors)
    inplace.check(op, target, recorded and grad_mode.get(), ())
    result = op.direct(tensors, attrs)
    op.check_target(result._spec, target._spec)
    return inplace.replace(target, result, op)


def record(op, tensors: tuple, attrs: tuple, result, nodes, changed: Storage | None = None):
    """A tape node for an op that has run, and has changed the memory `changed`."""
    cls = op.node_class
    node = object.__new__(cls)
    node.seq, node.edges, node.g, node.hooks = runtime["seq"](), tuple(nodes), None, None
    values: list = []
    versions: list = []
    named = dict(zip(op.attrs, attrs, strict=True))
    for kind, index, name, wanted in _plan_of(op):
        value = tensors[index] if kind == "tensor" else None
        if kind == "tensor":
            needed = any(nodes[i] is not None for i in wanted)
            values.append(value if needed else None)
            store = value._storage if needed and isinstance(value, Tensor) else NO_STORAGE
            versions += [store, store.version - (store is changed)]
        elif kind == "spec":
            t = tensors[index]
            values.append(t._spec if isinstance(t, Tensor) else None if t is None else weak(t))
        elif kind == "out" and all(nodes[i] is None for i in wanted):
            values.append(None)
            versions += [NO_STORAGE, 0]
        elif kind == "out":
            out = result if isinstance(result, Tensor) else result[index]
            values.append((out._array, out._spec, out._storage))
            versions += [out._storage, out._storage.version]
        else:
            values.append(named[name])
    if _plan_of(op):
        node.saved, node.versions = tuple(values), tuple(versions)
    return node


def attach(op, tensors: tuple, attrs: tuple, results, nodes) -> None:
    """Give the results of an op that an interpreter has run the history that `nodes` of its inputs
    make.
    """
    if op.vjp == {}:
        return
    made = results if isinstance(results, (tuple, list)) else (results,)
    if op.vjp is None and not made[0]._spec.dtype.is_floating_point:
        return
    node = record(op, tensors, attrs, results, nodes)
    if op.several:
        node.outputs = len(made)
    for k in range(len(made)) if op.several else op.differentiable:
        alone = not op.several and op.differentiable == (0,)
        made[k]._node = node if alone else inplace.new_output(node, k)
