"""Scalar expression -> kernel source. One template per device; the loops here are those of every
pointwise op.

An expression is Python over the letters a, b, c, ... (its operands), e.g. `a * (1 - out * out)`.
Constants and operands are converted to the type that the op computes in, `where(condition, x, y)`
becomes a conditional expression, and any other function is looked up in the device's scalar library
(backends/cpu/scalar.py, backends/cuda/scalar.py). The templates' own variables are words, as
operands may be called by any letter.
"""

import ast
import copy
import functools

# Functions that differ between integers and floating-point numbers: the library has NAME_int and
# NAME_float.
BY_KIND = frozenset(
    (
        "floor_division",
        "trunc_division",
        "modulo",
        "c_modulo",
        "power",
        "floor",
        "ceil",
        "trunc",
        "rint",
        "negative",
        "invert",
    )
)


class _Scalarize(ast.NodeTransformer):
    """Typed constants, and conditionals for `where`."""

    def __init__(self, compute: str) -> None:
        self.compute = compute

    def visit_Constant(self, node):
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            return node
        return ast.parse(f"{self.compute}({node.value!r})", mode="eval").body

    def visit_Name(self, node):
        if node.id in ("inf", "nan"):
            return ast.parse(f"{self.compute}({node.id})", mode="eval").body
        return node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "where":
            test, yes, no = node.args
            return ast.IfExp(test, yes, no)
        if isinstance(node.func, ast.Name) and node.func.id in BY_KIND:
            kind = (
                "float"
                if self.compute.startswith("float")
                else "bool"
                if self.compute == "bool"
                else "int"
            )
            node.func = ast.Name(f"{node.func.id}_{kind}", ast.Load())
        return node


@functools.cache
def scalar_code(expression: str, compute: str) -> str:
    """An expression as scalar code that computes in the type called `compute`."""
    tree = _Scalarize(compute).visit(ast.parse(expression.strip(), mode="eval"))
    return ast.unparse(ast.fix_missing_locations(tree))


# Functions with a vectorizable form, NAME_near, for arguments of which this is false; the latter
# for floating-point numbers only.
RANGED = {"cos": "far", "sin": "far", "tan": "far"}
DIVISIONS = dict.fromkeys(("c_modulo", "modulo", "floor_division"), "far_quotient")
PIECE = 128  # elements that are asked for, and tested, together
GROUP = 2048  # elements that are written past the caches before other threads may see them


def _ranged_calls(expression: str, compute: str):
    """An expression's tree, and its calls of functions of which it is asked whether an argument is
    far: pairs with the name of that test.
    """
    tree = ast.parse(expression.strip(), mode="eval")
    tests = RANGED | DIVISIONS if compute.startswith("float") else {}
    calls = (n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))
    return tree, [(c, tests[c.func.id]) for c in calls if c.func.id in tests]  # type: ignore[attr-defined]


class Loop:
    """What a pointwise kernel needs to know.

    `names`: letters of the operands; `converts`: the type that each is converted to; `scalar`:
    which operands are
    numbers or single elements; `expressions`: one per output; `compute`: the type that constants
    get.
    """

    def __init__(self, title, names, converts, scalars, expressions, compute) -> None:
        self.title, self.names, self.converts, self.scalars = title, names, converts, scalars
        self.expressions, self.compute = expressions, compute
        self.first: tuple[str, ...] = ()  # statements that each iteration begins with

    def key(self) -> tuple:
        return (self.title, self.names, self.converts, self.scalars, self.expressions, self.compute)

    @property
    def operands(self) -> list[str]:
        return [f"p{i}" for i in range(len(self.names))]

    @property
    def outs(self) -> list[str]:
        return [f"out{k}" for k in range(len(self.expressions))]

    def hoisted(self) -> list[str]:
        """Operands that are one value: read once, before the loop."""
        lines = []
        for n, p, t, s in zip(self.names, self.operands, self.converts, self.scalars, strict=True):
            if s:
                lines.append(f"{n} = {t}({p}{'' if s == 'number' else '[0]'})")
        return lines

    def read(self, index) -> list[str]:
        """Reads of the others; `index(i)` is the text of operand i's position."""
        pairs = enumerate(zip(self.names, self.operands, self.converts, self.scalars, strict=True))
        return [f"{n} = {t}({p}[{index(i)}])" for i, (n, p, t, s) in pairs if not s]

    def far(self) -> str:
        """Code for whether an element needs more than the forms for near arguments; mostly none."""
        found: dict[str, None] = {}
        for e in self.expressions:
            for call, test in _ranged_calls(e, self.compute)[1]:
                arguments = [scalar_code(ast.unparse(a), self.compute) for a in call.args]
                found[f"{test}({', '.join(arguments)})"] = None
        return " | ".join(found)

    def near(self) -> "Loop":
        """The loop over elements of which none is far."""
        made, texts = copy.copy(self), []
        for e in self.expressions:
            tree, calls = _ranged_calls(e, self.compute)
            for call, _ in calls:
                call.func = ast.Name(f"{call.func.id}_near", ast.Load())  # type: ignore[attr-defined]
            texts.append(ast.unparse(tree))
        made.expressions = tuple(texts)
        return made

    def lines(self, header: str, read_at, write_at) -> list[str]:
        """The innermost loop on the CPU; where it has a `far`, a test and two loops."""
        far = self.far()
        if not far:
            body = [*self.first, *self.read(read_at), *self.write(write_at)]
            return [header] + [f"    {t}" for t in body]
        lines = ["beyond = False", header, *(f"    {t}" for t in self.read(read_at))]
        lines += [f"    beyond |= {far}", "if beyond:", f"    {header}"]
        lines += [f"        {t}" for t in self.read(read_at) + self.write(write_at)]
        near = self.near().lines(header, read_at, write_at)
        return lines + ["else:", *(f"    {t}" for t in near)]

    def write(self, index) -> list[str]:
        """The results, all computed before any is stored: an output may be an input's memory."""
        code = [scalar_code(e, self.compute) for e in self.expressions]
        if len(code) == 1:
            return [f"out0[{index(0)}] = {code[0]}"]
        return [f"r{k} = {c}" for k, c in enumerate(code)] + [
            f"out{k}[{index(k)}] = r{k}" for k in range(len(code))
        ]


def flat_source(loop: Loop, name: str) -> str:
    """CPU: all operands lie element by element."""
    here = lambda i: "index"  # noqa: E731
    lines = [f"def {name}({', '.join(loop.operands + loop.outs)}, count):"]
    owned = f"{PIECE} elements" if loop.first else "one element"
    lines.append(f'    """{loop.title}. One iteration of the parallel loop owns {owned}."""')
    lines += [f"    {line}" for line in loop.hoisted()]
    if not loop.first:
        body = loop.lines("for index in prange(count):", here, here)
        return "\n".join(lines + [f"    {line}" for line in body]) + "\n"
    arrays = [p for p, s in zip(loop.operands, loop.scalars, strict=True) if not s]
    lines += [
        f"    for piece in prange(count // {PIECE}):",
        f"        first = int64(piece) * {PIECE}",
    ]
    lines += [f"        fetch({p}, first)" for p in arrays]
    lines += [f"        fetch_result({p}, first)" for p in loop.outs]
    whole = loop.lines(f"for index in range(first, first + {PIECE}):", here, here)
    lines += [f"        {line}" for line in whole]
    rest = loop.lines(f"for index in range(count // {PIECE} * {PIECE}, count):", here, here)
    return "\n".join(lines + [f"    {line}" for line in rest]) + "\n"


def streamed_source(loop: Loop, name: str) -> str:
    """CPU: one output, written past the caches; pieces of it are put together in the L1 cache."""
    lines = [f"def {name}({', '.join(loop.operands + loop.outs)}, count):"]
    title = f'"""{loop.title}, past the caches. One iteration of the parallel loop owns {GROUP}'
    lines += [f"    {title}", "    elements.", '    """']
    lines += [f"    {line}" for line in loop.hoisted()]
    lines += [
        f"    for group in prange((count + {GROUP - 1}) // {GROUP}):",
        f"        begin = int64(group) * {GROUP}",
        "        held = scratch(out0)",
        f"        for first in range(begin, min(begin + {GROUP}, count), {PIECE}):",
    ]
    arrays = [p for p, s in zip(loop.operands, loop.scalars, strict=True) if not s]
    inner = [f"fetch({p}, first)" for p in arrays]
    inner.append(f"size = min({PIECE}, count - first)")
    whole = loop.lines("for index in range(size):", lambda i: "first + index", lambda k: "index")
    inner += [line.replace("out0[", "held[") for line in whole]
    inner.append("stream_run(held, 0, out0, first, size)")
    lines += [f"            {line}" for line in inner]
    return "\n".join([*lines, "        release()"]) + "\n"


def strided_source(loop: Loop, name: str, steps: tuple[int, ...]) -> str:
    """CPU: any strides. `geometry` holds, for each outer dimension, its size and the strides of
    operands and outputs; then the strides of the inner dimension, of which `steps` says which are
    1 and 0 (an operand that is the same along a row); those are known when the kernel is compiled.
    """
    inputs = [p for p, s in zip(loop.operands, loop.scalars, strict=True) if not s]
    arrays = inputs + loop.outs
    position = {p: k for k, p in enumerate(arrays)}
    width = len(arrays) + 1
    step = dict(zip(arrays, steps, strict=True))
    lines = [f"def {name}({', '.join(loop.operands + loop.outs)}, geometry, outer, rows, count):"]
    lines.append(
        f'    """{loop.title}, any strides. One iteration of the parallel loop owns one row."""'
    )
    lines += [f"    {line}" for line in loop.hoisted()]
    lines += [
        f"    q_{p} = geometry[outer * {width} + {k}]"
        for p, k in position.items()
        if step[p] not in (0, 1)
    ]
    lines.append("    for row in prange(rows):")
    # not `row`: Numba refuses to change a parallel loop's index
    lines.append("        rest = row + 0")
    lines += [f"        i_{p} = 0" for p in arrays]
    # the outermost dimension needs no division
    lines += [
        "        for axis in range(outer - 1):",
        f"            at = (outer - 1 - axis) * {width}",
    ]
    lines += ["            part = rest % geometry[at]", "            rest //= geometry[at]"]
    lines += [f"            i_{p} += part * geometry[at + {k + 1}]" for p, k in position.items()]
    lines += [f"        i_{p} += rest * geometry[{k + 1}]" for p, k in position.items()]
    inner = copy.copy(loop)
    same = [p in step and step[p] == 0 for p in loop.operands]
    inner.scalars = tuple("row" if r else s for r, s in zip(same, loop.scalars, strict=True))
    for n, p, t, r in zip(loop.names, loop.operands, loop.converts, same, strict=True):
        lines += [f"        {n} = {t}({p}[i_{p}])"] * r
    by = lambda p: "column" if step[p] == 1 else f"column * q_{p}"  # noqa: E731
    body = inner.lines(
        "for column in range(count):",
        lambda i: f"i_p{i} + {by(f'p{i}')}",
        lambda k: f"i_out{k} + {by(f'out{k}')}",
    )
    return "\n".join(lines + [f"        {line}" for line in body]) + "\n"


def cuda_source(loop: Loop, name: str, index: str = "int64") -> str:
    """CUDA: any strides; each thread walks the elements in steps of the grid. Geometry as in
    `strided_source`.

    `index`: the type that positions are divided in. With uint32 a kernel takes 40 registers instead
    of 64, and its divisions are 32 bits wide; it serves up to 2**31 elements.
    """
    arrays = [p for p, s in zip(loop.operands, loop.scalars, strict=True) if not s] + loop.outs
    position = {p: k for k, p in enumerate(arrays)}
    width = len(arrays) + 1
    lines = [f"def {name}({', '.join(loop.operands + loop.outs)}, geometry, ndim, count):"]
    lines.append(f'    """{loop.title}. A thread owns every grid-size-th element."""')
    lines += [f"    {line}" for line in loop.hoisted()]
    lines.append("    for index in range(cuda.grid(1), count, cuda.gridsize(1)):")
    lines.append(f"        rest = {index}(index)")
    lines += [f"        i_{p} = 0" for p in arrays]
    lines += [
        "        for axis in range(ndim):",
        f"            entry = (ndim - 1 - axis) * {width}",
    ]
    lines += [
        f"            size = {index}(geometry[entry])",
        f"            quotient = {index}(rest // size)",
    ]
    lines += [
        f"            step = int64({index}(rest - quotient * size))",
        "            rest = quotient",
    ]
    lines += [f"            i_{p} += step * geometry[entry + {k + 1}]" for p, k in position.items()]
    lines += [
        f"        {line}"
        for line in loop.read(lambda i: f"i_p{i}") + loop.write(lambda k: f"i_out{k}")
    ]
    return "\n".join(lines) + "\n"


def cuda_flat_source(loop: Loop, name: str) -> str:
    """CUDA: all operands lie element by element (no divisions to find an element's place)."""
    here = lambda i: "index"  # noqa: E731
    lines = [f"def {name}({', '.join(loop.operands + loop.outs)}, count):"]
    lines.append(f'    """{loop.title}. A thread owns every grid-size-th element."""')
    lines += [f"    {line}" for line in loop.hoisted()]
    lines.append("    for index in range(cuda.grid(1), count, cuda.gridsize(1)):")
    lines += [f"        {line}" for line in loop.read(here) + loop.write(here)]
    return "\n".join(lines) + "\n"
