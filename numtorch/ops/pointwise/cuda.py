"""Launches generated kernels on a GPU: flat where operands lie element by element, else strided."""

import numpy as np

from ...backends.codegen import Loop
from ...backends.cuda import memory
from ...backends.cuda.jit import bind, grid
from ...backends.cuda.scalar import kernel_for
from .define import LETTERS, geometry_of, scalar_kinds, type_name


def launcher_of(op):
    """The launcher of one op of the tables."""
    count = len(op.tensors)
    return lambda *specs: launch(op, specs[:count], specs[count:])


def launch(op, specs, outs):
    """The kernel of one op of the tables, for these operands."""
    compute = op.compute_dtype(specs)
    converts = op.converts(specs, compute)
    return launch_loop(op.name, op.expressions, converts, type_name(compute), specs, outs)


def launch_loop(title, expressions, converts, compute, specs, outs):
    """A function of the operands' and outputs' arrays. Numbers come as Python numbers."""
    shape, numel, device = outs[0].shape, outs[0].numel, outs[0].device
    on_host = [i for i, s in enumerate(specs) if s.device.type == "cpu" and not s.weak]  # 0-d
    kinds = scalar_kinds(specs, shape)
    kinds = tuple("number" if i in on_host else k for i, k in enumerate(kinds))
    loop = Loop(title, tuple(LETTERS[: len(specs)]), converts, kinds, expressions, compute)
    sizes, strides = geometry_of(shape, specs, outs, kinds)
    examples = [_example(s) if k == "number" else s for s, k in zip(specs, kinds, strict=True)]
    if all(s == [1] or not s for s in strides):
        compiled = kernel_for(loop, "flat").compile(*examples, *outs, 1)
        run = bind(compiled[grid(numel)], len(specs) + len(outs), numel)
    else:
        table = [number for d, n in enumerate(sizes) for number in (n, *[s[d] for s in strides])]
        geometry = memory.from_host(np.array(table, np.int64), device.index)
        position = "uint32" if numel < 2**31 else "int64"
        compiled = kernel_for(loop, position).compile(*examples, *outs, geometry, 1, 1)
        run = bind(compiled[grid(numel)], len(specs) + len(outs), geometry, len(sizes), numel)
    return _reading(run, on_host) if on_host else run


def _example(spec):
    """What a number operand looks like to the kernel."""
    return 1.0 if spec.dtype.is_floating_point else 1


def _reading(run, on_host: list[int]):
    """`run` with the operands that are 0-d CPU tensors given as numbers."""

    def reading(*arrays):
        run(*[a.item() if i in on_host else a for i, a in enumerate(arrays)])

    return reading
