"""Forward mode: dual tensors carry a tangent through every op.

A dual level is an interpreter (core/interp.py): each op runs as usual, then its tangent is
computed. A pointwise op's derivative is linear in the gradient and acts element by element, so it
maps tangents, too; other ops may define `jvp`, and for the rest the derivative of the derivative is
used: vjp(u) is linear in u, so its own vjp at t is the jvp.
"""

import weakref

from ..core import tape
from ..core.interp import interpreting
from ..core.tensor import Tensor
from ..ops.create import zeros_like
from ..ops.pointwise.define import Pointwise
from . import api

_levels: list["_Level"] = []


class _Level:
    """An interpreter that computes tangents."""

    def __init__(self) -> None:
        self.tangents: dict = {}

    def get(self, t):
        entry = self.tangents.get(id(t)) if isinstance(t, Tensor) else None
        return entry[1] if entry is not None and entry[0]() is t else None

    def set(self, t: Tensor, tangent) -> None:
        key = id(t)
        self.tangents[key] = (weakref.ref(t, lambda _: self.tangents.pop(key, None)), tangent)

    def process(self, op, tensors, attrs, target):
        """Run an op, then find its tangent."""
        tangents = [self.get(t) for t in tensors]
        if all(t is None for t in tangents) or isinstance(target, tuple):
            return op.direct(tensors, attrs, target)
        before = tensors
        if target is not None:
            before = (tensors[0].detach().clone(), *tensors[1:])
        result = op.direct(tensors, attrs, target)
        if op.is_view and op.several:
            for view, tangent in zip(result, op.direct(tuple(tangents), attrs), strict=True):
                self.set(view, tangent)
            return result
        for k in op.differentiable:
            out = result[k] if isinstance(result, tuple) else result
            if out._spec.dtype.is_floating_point:
                tangent = jvp(op, before, attrs, tangents, out, k)
                if tangent is not None:
                    self.set(out, tangent)
        return result


def jvp(op, tensors, attrs, tangents, out, k: int = 0):
    """The tangent of an op's output number k, which is `out`."""
    if isinstance(op, Pointwise):
        total = None
        for i, t in enumerate(tangents):
            part = None if t is None else op.tangent(i, t, tensors, out)
            if part is not None:
                total = part if total is None else total + part
        return None if total is None else total.expand(out.shape).to(out.dtype)
    if op.jvp is not None:
        return op.jvp(tangents, tensors, attrs, out)
    return _double_vjp(op, tensors, attrs, tangents, k)


def _double_vjp(op, tensors, attrs, tangents, k: int):
    """d/du of <vjp(u), t> at any u, as vjp is linear in u."""
    token = tape.grad_mode.set(True)
    try:
        moving = [i for i, t in enumerate(tangents) if t is not None]
        inputs = [
            x.detach().requires_grad_()
            if i in moving
            else x.detach()
            if isinstance(x, Tensor)
            else x
            for i, x in enumerate(tensors)
        ]
        result = op.direct(tuple(inputs), attrs)
        out = result[k] if isinstance(result, tuple) else result
        if out._node is None:
            return None
        u = zeros_like(out).requires_grad_()
        pulled = api.grad(
            [out], [inputs[i] for i in moving], [u], create_graph=True, allow_unused=True
        )
        pairs = [
            (p, tangents[i])
            for p, i in zip(pulled, moving, strict=True)
            if p is not None and p._node is not None
        ]
        if not pairs:
            return None
        return api.grad([p for p, _ in pairs], [u], [t for _, t in pairs], allow_unused=True)[0]
    finally:
        tape.grad_mode.reset(token)


class dual_level:  # noqa: N801
    """While the block runs, tensors from `make_dual` carry tangents."""

    def __enter__(self) -> int:
        if _levels:
            raise RuntimeError("Nested forward mode AD is not supported at the moment")
        level = _Level()
        self.interpreting = interpreting(level)
        self.interpreting.__enter__()
        _levels.append(level)
        return len(_levels) - 1

    def __exit__(self, *exc) -> None:
        _levels.pop()
        self.interpreting.__exit__(*exc)


def _level() -> _Level:
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    return _levels[-1]


def tangent_of(value):
    """The tangent of a tensor; None for tensors without one, and for other values."""
    return _levels[-1].get(value) if _levels else None


def set_tangent(tensor: Tensor, tangent: Tensor) -> None:
    """Let a tensor carry a tangent in the current level."""
    _level().set(tensor, tangent)


def make_dual(tensor, tangent, *, level=None):
    """A tensor with the same values that carries `tangent`."""
    current = _level()
    if not (tensor.is_floating_point() and tangent.is_floating_point()):
        raise ValueError(
            f"Expected primal and tangent to be floating point, got: {tensor.dtype} and "
            f"{tangent.dtype}"
        )
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            f"Expected tangent with the same shape as the primal: got {list(tangent.shape)} for "
            f"{list(tensor.shape)}"
        )
    dual = tensor.view_as(tensor)
    dual._view.base = None  # its own owner: ops that go by way of the base must find the tangent
    current.set(dual, tangent)
    return dual


class UnpackedDualTensor(tuple):
    """(primal, tangent)."""

    __slots__ = ()

    def __new__(cls, primal, tangent):
        return tuple.__new__(cls, (primal, tangent))

    @property
    def primal(self):
        return self[0]

    @property
    def tangent(self):
        return self[1]


def unpack_dual(tensor, *, level=None) -> UnpackedDualTensor:
    """The values and the tangent (None without one) of a tensor."""
    return UnpackedDualTensor(tensor, tangent_of(tensor))
