"""Launches generated kernels on the CPU: flat where every operand lies element by element, else row
by row.
"""

import ast
import functools
import re

import numpy as np

from ...backends.codegen import Loop
from ...backends.cpu import memory
from ...backends.cpu.jit import bind
from ...backends.cpu.scalar import kernel_for, prelude
from ...core.shape import is_dense
from ..copy.layout import LINE, STREAM, moved, transposes
from .define import LETTERS, geometry_of, scalar_kinds, type_name

FAR = 1 << 14  # elements from which operands that lie in another order are copied first
_EXPENSIVE = re.compile(r"(a(sin|cos|tan)h?|atan2|lgamma|sqrt|division|modulo|hypot)\w*\(")


def launcher_of(op):
    """The launcher of one op of the tables."""
    count = len(op.tensors)
    return lambda *specs: launch(op, specs[:count], specs[count:])


def launch(op, specs, outs):
    """The kernel of one op of the tables, for these operands."""
    compute = op.compute_dtype(specs)
    converts = op.converts(specs, compute)
    if op.name in BY_EXPONENT and specs[-1].weak and compute.is_floating_point:
        return _by_exponent(op, converts, type_name(compute), specs, outs)
    run = launch_loop(op.name, op.expressions, converts, type_name(compute), specs, outs)
    if op.divides and not compute.is_floating_point:
        return _checked_division(run)
    return run


POWERS = {
    -2.0: "1 / (a * a)",
    -1.0: "1 / a",
    -0.5: "1 / sqrt(a)",
    0.5: "sqrt(a)",
    2.0: "a * a",
    3.0: "a * a * a",
}


BY_EXPONENT = {
    "pow": POWERS,
    "pow_vjp0": {-1.0: "-a / (b * b)", 1.0: "a", 2.0: "a * (b + b)"},
}


def _by_exponent(op, converts, compute, specs, outs):
    """Powers with a number as exponent, and their derivatives: the usual ones are products and
    roots, as in torch. Kernels are made when the first such exponent comes.
    """
    table, (general,), last = BY_EXPONENT[op.name], op.expressions, len(specs) - 1

    @functools.cache
    def kernel(expression):
        count = last + 1 if expression == general else last
        return launch_loop(op.name, (expression,), converts[:count], compute, specs[:count], outs)

    def run(*arrays):
        expression = table.get(arrays[last])
        if expression is None:
            kernel(general)(*arrays)
        else:
            kernel(expression)(*arrays[:last], arrays[-1])

    return run


def _checked_division(run):
    def checked(a, b, out):
        if np.count_nonzero(b) != np.size(b):
            raise RuntimeError("ZeroDivisionError: an integer is divided by zero")
        run(a, b, out)

    return checked


def launch_loop(title, expressions, converts, compute, specs, outs):
    """A function of the operands' and outputs' arrays. Numbers come as Python numbers."""
    shape = outs[0].shape
    scalars = scalar_kinds(specs, shape)
    if outs[0].numel >= FAR and is_dense(shape, outs[0].strides):
        near = [_near(s, k, outs[0]) for s, k in zip(specs, scalars, strict=True)]
        if any(n is not s for n, s in zip(near, specs, strict=True)):
            run = launch_loop(title, expressions, converts, compute, near, outs)
            return _with_copies(run, specs, near)
    loop = Loop(title, tuple(LETTERS[: len(specs)]), converts, scalars, expressions, compute)
    sizes, strides = geometry_of(shape, specs, outs, scalars)
    examples = [_example(s, k) for s, k in zip(specs, scalars, strict=True)]
    vectorized = prelude(*expressions)  # 0.2 to 1 ns an element; an addition takes 0.1 ns
    factor = 4 if vectorized else 8 if _EXPENSIVE.search(expressions[0]) else 1
    wide = any(s.dtype.itemsize == 8 for s in (*specs, *outs) if not s.weak)
    work = outs[0].numel * (factor << wide)  # counted in additions of float32
    if all(s == [1] or not s for s in strides):
        count = len(specs) + len(outs), outs[0].numel

        def prepared(form):
            return bind(kernel_for(loop, form).compile(*examples, *outs, 1, work=work), *count)

        size = outs[0].numel * outs[0].dtype.itemsize
        if size < STREAM or len(outs) > 1 or not outs[0].dtype.is_floating_point:
            return prepared("flat")
        return _past_caches(functools.cache(prepared), _read(loop))
    if len(sizes) == 1:  # one row
        sizes, strides = [1, *sizes], [[0, *s] for s in strides]
    outer, n = len(sizes) - 1, sizes[-1]
    first_out = len(strides) - len(outs)  # an empty output may have stride 0
    steps = tuple(
        s[-1] if s[-1] == 1 or s[-1] == 0 and k < first_out else 2 for k, s in enumerate(strides)
    )
    table = []
    for d in range(outer):
        table += [sizes[d], *[s[d] for s in strides]]
    table += [s[-1] for s in strides]
    geometry = np.array(table, np.int64)
    rows = outs[0].numel // n if n else 0
    run = kernel_for(loop, "strided", steps).compile(*examples, *outs, geometry, 1, 1, 1, work=work)
    return bind(run, len(specs) + len(outs), geometry, outer, rows, n)


def _read(loop) -> list[int]:
    """The operands that the loop reads element by element."""
    names = {n.id for n in ast.walk(ast.parse(loop.expressions[0])) if isinstance(n, ast.Name)}
    operands = enumerate(zip(loop.names, loop.scalars, strict=True))
    return [i for i, (name, scalar) in operands if not scalar and name in names]


def _past_caches(prepared, read):
    """Write a large result past the caches, unless its memory is read: then it is there already.

    Memory is not read before it is written so, a third of the traffic of `relu`: at 64 MB it takes
    9.6 ms instead of 12, and an addition 12 instead of 17.
    """

    def run(*arrays):
        out = arrays[-1]
        whole_lines = out.ctypes.data % LINE == 0
        inside = any(np.may_share_memory(arrays[i], out) for i in read)
        prepared("streamed" if whole_lines and not inside else "flat")(*arrays)

    return run


def _near(spec, kind, out):
    """The Spec of an operand, or of its copy in the layout of `out` where the loop would read a
    cache line for every element: `a + b.t()` of 2048 x 2048 takes 40 ms so, 5 with the copy.
    """
    if kind or spec.shape != out.shape or spec.weak:
        return spec
    wanted = spec.strided(out.shape, out.strides)
    return wanted if transposes(spec, wanted) else spec


def _with_copies(run, specs, near):
    """`run` on copies of the operands that are not `near`."""
    copies = [
        (i, memory.allocator(to), moved(from_, to))
        for i, (from_, to) in enumerate(zip(specs, near, strict=True))
        if from_ is not to
    ]

    def copied(*arrays):
        given = list(arrays)
        for i, make, fill in copies:
            given[i] = make()
            fill(arrays[i], given[i])
        run(*given)

    return copied


def _example(spec, kind):
    """What a number or tensor operand looks like to the kernel."""
    if kind != "number":
        return spec
    return 1.0 if spec.dtype.is_floating_point else 1
