"""Inputs of transforms: tensors that a derivative is taken with respect to, for a while.

All transforms share one tape. What is differentiated becomes an alias of itself, and derivatives
are taken with respect to the alias: a node of its own, whatever else is recorded. Where the tensor
has no history the alias is a leaf, which no one may reach any more when the transform has ended:
results whose history leads to such leaves only are cut off from it.
"""

from contextvars import ContextVar

from ..core import tape
from ..core.batching import Batch
from ..core.tape import AccumulateGrad, OutputNode
from ..core.tensor import Tensor
from ..ops.view.primitives import alias_op

inside: ContextVar[bool] = ContextVar("inside a transform", default=False)

CLOSED = -1  # the age of a leaf whose transform has ended; ordinary leaves have 0


def differentiable(t: Tensor, leaves: list) -> Tensor:
    """An alias to take a derivative with respect to; its node, if it is a new leaf, joins
    `leaves`.
    """
    made = alias_op(t)
    made._view.base = None
    if made._node is None or made._node is tape.UNRECORDED:
        made._node = node = tape.new_leaf(made)
        node.seq = tape.sequence()  # recorded by the vmap levels inside of which it was made
        leaves.append(node)
    return made


def reaches(node, seen: dict) -> bool:
    """Whether a node's history leads to a leaf that is still open. `seen`: what is known."""
    stack = [(node, False)]
    while stack:
        node, done = stack.pop()
        if done:
            seen[node] = any(e is not None and seen.get(e, False) for e in _edges(node))
        elif node not in seen:
            if node.__class__ is AccumulateGrad:
                seen[node] = node.seq != CLOSED
                continue
            seen[node] = False
            stack.append((node, True))
            stack.extend((e, False) for e in _edges(node) if e is not None and e not in seen)
    return seen[node]


def _edges(node):
    return (node.parent,) if node.__class__ is OutputNode else node.edges


def tracked(t, seen: dict) -> bool:
    """Whether a result depends, at any vmap level, on something outside that is recorded."""
    while isinstance(t, Tensor):
        if t._node is not None and reaches(t._node, seen):
            return True
        if t._array.__class__ is not Batch:
            return False
        t = t._array.tensor
    return False


def close(t, leaves: list, seen: dict | None = None, recording: bool = True):
    """A result of a transform that has ended: without the history that leads to its leaves only.
    Without `recording` (no_grad around the transform) it has none at all.
    """
    for node in leaves:
        node.seq = CLOSED
    if not isinstance(t, Tensor):
        return t
    seen = {} if seen is None else seen
    node = t._node
    if node is not None and not (recording and reaches(node, seen)):
        node = None
    array = t._array
    if array.__class__ is Batch:
        inner = close(array.tensor, [], seen, recording)
        if inner is not array.tensor:
            array = Batch(array.level, inner)
    if node is t._node and array is t._array:
        return t
    made = object.__new__(Tensor)
    made._spec, made._memory, made._array, made._node = t._spec, t._storage, array, node
    view = getattr(t, "_view", None)
    if view is not None:
        made._view = type(view)(view.offset, None)
    return made
