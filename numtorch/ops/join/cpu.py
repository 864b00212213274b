"""CPU kernels of the joins: each tensor is copied to its place, converted on the way."""

import functools
import math

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.moves import bits_of, move_run
from ..copy.cpu import launch_copy
from ..copy.layout import GROUP, ROW
from .cat import skipped


@kernel
def convert_rows(x, out, rows, n, width, start):
    """out[r * width + start + i] = x[r, i]. One iteration of the parallel loop owns one row."""
    for r in prange(rows):
        to, from_ = r * width + start, r * n
        for i in range(n):
            out[to + i] = x[from_ + i]


@kernel
def place_rows(x, out, rows, n, width, start, part, parts):
    """`convert_rows` for elements of one type: a row is moved in `parts` parts.

    One iteration of the parallel loop owns one part.
    """
    for piece in prange(rows * parts):
        item = np.int64(piece)
        r, first = item, 0
        if parts > 1:
            r = item // parts
            first = (item - r * parts) * part
        move_run(x, r * n + first, out, r * width + start + first, min(part, n - first))


def launcher_of(op):
    """The launcher of cat or stack of any number of tensors."""
    return {"cat": cat, "stack": stack}[op.family]


def cat(*tensors, dim):
    """out = the inputs behind each other in one dimension."""
    return _join(list(tensors[:-1]), tensors[-1], dim)


def stack(*tensors, dim):
    """out = the inputs along a new dimension."""
    return _join(list(tensors[:-1]), tensors[-1], dim, stacked=True)


def _join(inputs, out, dim, stacked=False):
    rows = math.prod(out.shape[:dim])
    width = math.prod(out.shape[dim:])
    steps, start = [], 0
    for k, s in enumerate(inputs):
        if s.numel == 0 or (not stacked and skipped(s)):
            continue
        n = s.numel // rows
        if s.contiguous and s.dtype is out.dtype and (n * s.dtype.itemsize >= ROW or rows == 1):
            bits, part = bits_of(s.dtype.np), min(n, GROUP)
            run = place_rows.compile(bits, bits, 1, 1, 1, 1, 1, 1, work=s.numel)
            steps.append((k, run, (rows, n, width, start, part, -(-n // part))))
        elif s.contiguous:
            run = convert_rows.compile(s, out, 1, 1, 1, 1, work=s.numel)
            steps.append((k, run, (rows, n, width, start)))
        else:
            steps.append((k, _strided(s, out, dim, start, stacked), ()))
        start += n
    return _in_turn(steps, len(inputs))


@functools.cache
def _code(text: str):
    return compile(text, "<numtorch join>", "exec")


def _in_turn(steps, count: int):
    """A function of `count` inputs and the result that takes the steps (input's number, kernel,
    numbers), spelled out: without lists of arguments a step takes 60 ns less.
    """
    lines = [f"def joined({''.join(f'x{k}, ' for k in range(count))}y):"]
    scope = {}
    for i, (k, run, numbers) in enumerate(steps):
        lines.append(f"    f{i}(x{k}, y{''.join(f', c{i}_{n}' for n in range(len(numbers)))})")
        scope[f"f{i}"] = run
        scope.update({f"c{i}_{n}": number for n, number in enumerate(numbers)})
    text = "\n".join(lines if steps else [*lines, "    pass"])
    exec(_code(text), scope)
    return scope["joined"]


def _strided(input, out, dim, start, stacked):
    """A copy of a tensor with any strides to its part of `out`."""
    strides = list(out.strides)
    if stacked:
        del strides[dim]
    part, item = out.strided(input.shape, strides), out.dtype.itemsize
    copy = launch_copy(input, part)
    shape, dtype, steps = tuple(part.shape), out.dtype.np, tuple(s * item for s in strides)
    return lambda x, y: copy(x, np.ndarray(shape, dtype, y, start * item, steps))
