"""Forward mode: dual tensors carry a tangent through every op.

A dual level is an interpreter (core/interp.py): each op runs as usual, then its tangent is
computed. A pointwise op's derivative is linear in the gradient and acts element by element, so it
maps tangents, too; views and other linear ops map them as they map values (core/tangents.py); for
the rest the derivative of the derivative is used: vjp(u) is linear in u, so its own vjp at t is the
jvp.

A level knows a tensor by its array, so that a result that the tape saved without its Tensor still
has its tangent when a derivative uses it: forward mode goes through backward passes.
"""

import weakref
from collections import namedtuple

from ..core import tape
from ..core.generate import saves_first
from ..core.inplace import view_base
from ..core.interp import dispatch, interpreting, runtime, stack
from ..core.tensor import Tensor, offset_of
from ..ops.create import zeros_like
from ..ops.pointwise.define import Pointwise
from ..ops.view.primitives import alias_op
from ..ops.view.strided import as_strided_op, as_strided_scatter_op, from_memory, in_memory_order
from . import api
from .leaves import close, differentiable


class Dual:
    """An interpreter that computes tangents."""

    def __init__(self) -> None:
        self.tangents: dict = {}

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        """Forget the tangents: the table and what watches its arrays refer to each other."""
        self.tangents.clear()

    def get(self, t):
        """The tangent of a tensor; None for tensors without one, and for other values."""
        if not isinstance(t, Tensor):
            return None
        entry = self.tangents.get(id(t._array))
        return entry[1] if entry is not None and entry[0]() is t._array else None

    def set(self, t: Tensor, tangent) -> None:
        """Let a tensor carry a tangent."""
        key, tangents = id(t._array), self.tangents
        tangents[key] = (weakref.ref(t._array, lambda _: tangents.pop(key, None)), tangent)

    def process(self, op, tensors, attrs, target):
        """Run an op, then find its tangent."""
        table, tangents, some = self.tangents, [], False
        for t in tensors:
            entry = table.get(id(t._array)) if isinstance(t, Tensor) else None
            if entry is not None and entry[0]() is t._array:
                tangents.append(entry[1])
                some = True
            else:
                tangents.append(None)
        if not some or isinstance(target, tuple):
            return dispatch(op, tensors, attrs, target)
        if isinstance(op, Pointwise) and op.definition is not None:
            with interpreting(self):
                return op.definition(*tensors)
        before = tensors
        if target is not None:
            with interpreting(self):
                before = (tensors[0].clone(), *tensors[1:])
                if saves_first(op):  # what the tape keeps must have a tangent, too
                    result = dispatch(op, before, attrs, None)
                    op.check_target(result._spec, target._spec)
                    return target.copy_(result)
        results = dispatch(op, tensors, attrs, target)
        if op.vjp == {}:
            if target is not None:
                self.changed(target, zeros_like(target))
            return results
        if op.several:
            for view, tangent in zip(
                results, dispatch(op, tuple(tangents), attrs, None), strict=True
            ):
                self.set(view, tangent)
            return results
        for k in op.differentiable:
            out = results[k] if isinstance(results, tuple) else results
            if out._spec.dtype.is_floating_point:
                tangent = jvp(op, before, attrs, tangents, results, k)
                if target is not None:
                    self.changed(target, zeros_like(target) if tangent is None else tangent)
                elif tangent is not None:
                    self.set(out, tangent)
        return results

    def changed(self, target: Tensor, tangent) -> None:
        """A tensor was changed in place: it, what it is a view of and the views of that have new
        tangents.
        """
        tangent = tangent.to(target._spec.dtype).expand(target._spec.shape)
        base = view_base(target)
        if base is not target:
            old = self.get(base)
            flat = in_memory_order(zeros_like(base) if old is None else old, base._spec).view(-1)
            spec, start = target._spec, offset_of(target) - offset_of(base)
            flat = as_strided_scatter_op(flat, tangent, tuple(spec.shape), spec.strides, start)
            whole = from_memory(flat, base._spec)
            self.set(base, whole)
        else:
            whole = tangent
        self.set(target, tangent)
        for ref in getattr(base._storage, "views", None) or ():
            t = ref()
            if t is None or t is target or t is base or view_base(t) is not base:
                continue
            start = offset_of(t) - offset_of(base)
            memory = in_memory_order(whole, base._spec)
            self.set(t, as_strided_op(memory, tuple(t._spec.shape), t._spec.strides, start))


def jvp(op, tensors, attrs, tangents, results, k: int = 0):
    """The tangent of an op's result number k; None where it is zero."""
    if isinstance(op, Pointwise):
        out, total = results[k] if isinstance(results, tuple) else results, None
        for i, t in enumerate(tangents):
            part = None if t is None else op.tangent(i, t, tensors, out)
            if part is not None:
                total = part if total is None else total + part
        return None if total is None else total.expand(out.shape).to(out.dtype)
    if op.jvp is not None:
        return op.jvp(op, tangents, tensors, attrs, results, k)
    if op.is_view:
        return dispatch(op, (tangents[0],), attrs, None)
    return _double_vjp(op, tensors, attrs, tangents, k)


def _double_vjp(op, tensors, attrs, tangents, k: int):
    """d/du of <vjp(u), t> at any u, as vjp is linear in u."""
    outer = tape.grad_mode.get()
    token = tape.grad_mode.set(True)
    leaves: list = []
    try:
        moving = [i for i, t in enumerate(tangents) if t is not None]
        inputs = list(tensors)
        for i in moving:
            inputs[i] = differentiable(tensors[i], leaves)
        result = dispatch(op, tuple(inputs), attrs, None)
        out = result[k] if isinstance(result, tuple) else result
        if out._node is None:
            return None
        u = differentiable(zeros_like(out), leaves)
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
        found = api.grad(
            [p for p, _ in pairs],
            [u],
            [t for _, t in pairs],
            create_graph=outer,
            allow_unused=True,
        )
    finally:
        tape.grad_mode.reset(token)
    return close(found[0], leaves)


def _shown_tangent(t: Tensor):
    """What is printed beside a tensor: its tangent in the newest level that has one."""
    found = (level.get(t) for level in reversed(stack()) if isinstance(level, Dual))
    return next((tangent for tangent in found if tangent is not None), None)


runtime["tangent_of"] = _shown_tangent  # for tensors/convert.py


# -- torch.autograd.forward_ad ---------------------------------------------------------------------
class dual_level:  # noqa: N801
    """While the block runs, tensors from `make_dual` carry tangents. Levels do not nest."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc) -> None:
        exit_dual_level()


_entered: list = []  # (Dual, interpreting) of this module's level


def enter_dual_level() -> int:
    """Enter the dual level; gives its number."""
    if _entered:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    block = interpreting(Dual())
    block.__enter__()
    _entered.append(block)
    return 0


def exit_dual_level(*, level=None) -> None:
    """Leave the dual level: its tangents are forgotten."""
    if not _entered:
        raise RuntimeError("Trying to exit a forward AD level that was never entered")
    if level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This is "
            "not supported."
        )
    block = _entered.pop()
    block.__exit__()
    block.interpreter.tangents.clear()


def _current(message: str) -> Dual:
    if not _entered:
        raise RuntimeError(message)
    return _entered[-1].interpreter


def is_entered(level: Dual) -> bool:
    """Whether a level is that of enter_dual_level, not a transform's."""
    return any(entered.interpreter is level for entered in _entered)


def make_dual(tensor, tangent, *, level=None):
    """A tensor with the same values that carries `tangent`."""
    current = _current(
        "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
        "enter_dual_level() first."
    )
    return dual(current, tensor, tangent)


def dual(level: Dual, tensor: Tensor, tangent: Tensor) -> Tensor:
    """A tensor with the same values that carries `tangent` in a level."""
    if not (tensor.is_floating_point() and tangent.is_floating_point()):
        which, found = (
            ("primal", tensor) if not tensor.is_floating_point() else ("tangent", tangent)
        )
        raise ValueError(
            f"Expected {which} to be floating point or complex, but got: {found.dtype}"
        )
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}."
        )
    if tensor.dtype is not tangent.dtype:
        raise RuntimeError(
            f"Trying to set a forward gradient of dtype {tangent.dtype} on a Tensor of dtype "
            f"{tensor.dtype}"
        )
    made = alias_op(tensor)
    made._view.base = None  # its own owner: ops that go by way of the base must find the tangent
    level.set(made, tangent)
    return made


UnpackedDualTensor = namedtuple("UnpackedDualTensor", ["primal", "tangent"])
UnpackedDualTensor.__doc__ = "The values and the tangent (None without one) of a dual tensor."


def unpack_dual(tensor, *, level=None) -> UnpackedDualTensor:
    """The values and the tangent (None without one) of a tensor."""
    if not _entered:
        return UnpackedDualTensor(tensor, None)
    tangent = _entered[-1].interpreter.get(tensor)
    if tangent is None:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(primal(tensor, _entered[-1].interpreter), tangent)


def primal(tensor: Tensor, level: Dual) -> Tensor:
    """The values of a dual tensor, without this level's tangent."""
    made = alias_op(tensor)
    made._view.base = None
    level.tangents.pop(id(made._array), None)
    return made
