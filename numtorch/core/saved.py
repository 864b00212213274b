"""Saved tensors under hooks: what a node keeps in place of the tensors, and how they come back.

Without hooks nothing here runs. With hooks an interpreter (autograd/graph.py) looks at the nodes
that an op has just recorded, and `pack` makes each of a class whose `back` unpacks first
(`derive.unpacking`), so that neither recording nor the engine asks whether there are hooks.
"""

from contextvars import ContextVar
from typing import Any

from . import derive, errors
from .inplace import new_output
from .interp import runtime
from .tape import SavingNode, grad_mode
from .tensor import Tensor, View, offset_of

# (pack, unpack) pairs of this thread, the innermost last; and why there must be none, or None.
hooks: ContextVar[tuple] = ContextVar("saved_tensors_hooks", default=())
disabled: ContextVar[str | None] = ContextVar("saved_tensors_hooks_disabled", default=None)


OWNER = -1


class Packed:
    """What `pack_hook` made of a saved tensor.

    `node` is an input's history. An output's is the node that saved it: `output` is its number
    there, or OWNER for the only output that has a derivative.
    """

    __slots__ = ("content", "node", "output", "unpack_hook")

    def __init__(self, tensor: Tensor, pair, output: int | None = None) -> None:
        pack_hook, self.unpack_hook = pair
        self.node, self.output = None if output is not None else tensor._node, output
        storage = tensor._storage
        version = storage.version
        token = grad_mode.set(False)
        try:
            self.content = pack_hook(tensor)
        finally:
            grad_mode.reset(token)
        if storage.version != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook cannot be modified by in-place operations as this can lead to "
                "unexpected side-effects. Please open an issue if you need to perform in-place "
                "operations on the input to a pack hook."
            )

    def unpack(self, owner) -> Tensor:
        """The tensor, with the history that it had."""
        data = self.unpack_hook(self.content)
        if not isinstance(data, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                f"type {type(data).__name__}"
            )
        node = self.node
        if self.output is not None and grad_mode.get():
            node = owner if self.output == OWNER else new_output(owner, self.output)
        result = object.__new__(Tensor)
        result._array, result._spec, result._memory = data._array, data._spec, data._storage
        result._node = node
        if getattr(data, "_view", None) is not None:
            result._view = View(offset_of(data), None)
        return result


def unpacked(value, owner):
    """A saved value as the derivative wants it: what is not Packed is a number, None, or a tensor
    whose node got hooks for another one.
    """
    if value.__class__ is Packed:
        return value.unpack(owner)
    return _restored(value, owner) if value.__class__ is tuple else value


def _restored(triple: tuple, owner) -> Tensor:
    """A saved output, with its history where it is the only output that has one."""
    result = object.__new__(Tensor)
    result._array, result._spec, result._memory = triple
    result._node = owner if grad_mode.get() and owner.op.differentiable == (0,) else None
    return result


def value(node: SavingNode, position: int):
    """What a node has saved, as its `_saved_...` attributes show it."""
    if node.saved is None:
        raise errors.backward_twice(node)
    if node.versions and any(
        storage.version != version
        for storage, version in zip(node.versions[::2], node.versions[1::2], strict=True)
    ):
        raise derive.changed(node)
    kind = type(node).saved_plan[position][0]  # type: ignore[attr-defined]
    found = node.saved[position]
    if kind == "spec":
        return None if found is None else tuple(found.shape)
    return unpacked(found, node) if kind != "attr" else found


class SavedTensor:
    """A tensor that a node has saved, before it is unpacked: the node's `_raw_saved_...`."""

    def __init__(self, node: SavingNode, position: int) -> None:
        self.node, self.position = node, position

    def register_hooks(self, pack_hook, unpack_hook) -> None:
        """Keep `pack_hook(tensor)` in place of the tensor, and let backward call `unpack_hook` on
        it.
        """
        node, position = self.node, self.position
        cls: Any = type(node)
        if node.saved is None:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor after it has been freed. Saved "
                "intermediate values of the graph are freed when you call .backward() or "
                "autograd.grad(). Specify retain_graph=True if you need to backward through the "
                "graph a second time or if you need to access saved variables after calling "
                "backward."
            )
        found = node.saved[position]
        if found is None:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor with value None is forbidden"
            )
        if found.__class__ is Packed:
            raise RuntimeError(
                "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: "
                "only one pair of hooks is allowed at a time."
            )
        for hook in (pack_hook, unpack_hook):
            if not callable(hook):
                raise TypeError(
                    f"register_hooks(): hooks must be callable, but got {type(hook).__name__}"
                )
        kind, index, _, _ = cls.saved_plan[position]
        tensor = unpacked(found, node)
        packed = Packed(tensor.detach(), (pack_hook, unpack_hook), _number(cls.op, kind, index))
        packed.node = tensor._node if kind == "tensor" else None
        values = list(node.saved)
        values[position] = packed
        node.saved = tuple(values)
        if cls.__dict__.get("unpacks") is None:
            node.versions = ()
            node.__class__ = derive.unpacking(cls)


runtime.update(unpacked=unpacked, saved_value=value, SavedTensor=SavedTensor)


def _number(op, kind: str, index: int) -> int | None:
    """Which output of its node a saved tensor is."""
    if kind == "tensor" or index not in op.differentiable:
        return None
    return OWNER if op.differentiable == (0,) else index


def pack(node: SavingNode, outputs: tuple, pair) -> None:
    """Exchange what a node has saved of its op's inputs and outputs for what `pair` makes of it."""
    cls: Any = type(node)
    values = list(node.saved or ())
    for position, (kind, index, _, _) in enumerate(cls.saved_plan):
        value = values[position]
        if kind == "tensor" and isinstance(value, Tensor):
            values[position] = Packed(value, pair)
        elif kind == "out" and value.__class__ is tuple:
            saved = _output(value, outputs)
            values[position] = Packed(saved, pair, _number(cls.op, kind, index))
    if any(value.__class__ is Packed for value in values):
        node.saved, node.versions = tuple(values), ()
        node.__class__ = derive.unpacking(cls)


def _output(triple: tuple, outputs: tuple) -> Tensor:
    """The output that a node has saved: the op's result, unless it was copied to another tensor."""
    array, spec, storage = triple
    for out in outputs:
        if isinstance(out, Tensor) and out._array is array:
            return out
    result = object.__new__(Tensor)
    result._array, result._spec, result._memory, result._node = array, spec, storage, None
    return result


def recorded_since(result, number: int) -> list:
    """The nodes behind an op's result that are younger than `number`, oldest first."""
    results = result if isinstance(result, (tuple, list)) else (result,)
    stack = [getattr(t, "_node", None) for t in results]
    found: dict = {}
    while stack:
        node = stack.pop()
        if node is not None and node.seq > number and node not in found:
            found[node] = None
            stack.extend(node.edges)
    return sorted(found, key=lambda node: node.seq)
