"""CUDA launchers of cat and stack: one launch copies one tensor to its part of the result."""

from ...backends.cuda import memory
from ..pointwise.cuda import launch_loop
from ..pointwise.define import type_name
from .cat import skipped


def launcher_of(op):
    """The launcher of a family of ops with a varying number of tensors."""
    return {"cat": cat, "stack": stack}[op.family]


def cat(*specs, dim):
    """out = the tensors behind each other."""
    *tensors, out = specs
    copies, at = [], 0
    for k, spec in enumerate(tensors):
        if not skipped(spec):
            copies.append(
                _copy(k, spec, out.strided(spec.shape, out.strides), at * out.strides[dim])
            )
            at += spec.shape[dim]
    return _in_turn(copies)


def stack(*specs, dim):
    """out = the tensors along a new dimension."""
    *tensors, out = specs
    strides = [s for d, s in enumerate(out.strides) if d != dim]
    return _in_turn(
        [
            _copy(k, spec, out.strided(spec.shape, strides), k * out.strides[dim])
            for k, spec in enumerate(tensors)
        ]
    )


def _copy(k: int, spec, part, offset: int) -> tuple:
    """Copy tensor `k` to `part` of the result, which begins at `offset`."""
    name = type_name(spec.dtype)
    run = launch_loop("copy", ("a",), (name,), name, (spec,), (part,)) if spec.numel else None
    return k, run, part, offset


def _in_turn(copies):
    copies = [c for c in copies if c[1] is not None]

    def run(*arrays):
        for k, copy, part, offset in copies:
            copy(arrays[k], memory.view(arrays[-1], part, offset))

    return run
