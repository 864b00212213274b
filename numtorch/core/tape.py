"""What autograd records: nodes and their edges, and the grad mode. The engine that walks them is in
autograd/.
"""

import itertools
import weakref
from contextvars import ContextVar
from typing import Any

sequence = itertools.count(1).__next__  # a consumer has a higher number than its producers

# One value per thread and asyncio task. Read only when an input has a node, as it costs 18 ns.
grad_mode: ContextVar[bool] = ContextVar("grad_mode", default=True)
inference_mode: ContextVar[bool] = ContextVar("inference_mode", default=False)


NEWEST = 2**64 - 1  # what torch gives nodes that accumulate: they are run first


class Node:
    """One step of the tape. Every op has a subclass of its own, named as torch names it
    (`AddBackward0`).

    `seq` orders nodes by age; `edges` holds the node (or None) of each tensor input; `g` collects
    the gradient while backward runs; `hooks` is None or a Hooks. `back(node, g)` returns one
    gradient, or None, for each edge.
    """

    __slots__ = ("__weakref__", "edges", "g", "hooks", "metadata_", "seq")
    edges: tuple
    g: Any
    hooks: "Hooks | None"
    metadata_: dict
    seq: int
    op: Any = None
    leaf: Any = None
    saved: tuple | None = ()
    spec: Any = None
    output_nr = 0
    register_hook: Any  # autograd/hooks.py
    register_prehook: Any

    def __init__(self) -> None:
        raise TypeError(f"cannot create '{type(self).__name__}' instances: operators record them")

    def name(self) -> str:
        """The node's type name, as torch prints it."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name in WRITTEN_BY_HAND else name

    @property
    def next_functions(self) -> tuple:
        """The nodes that this one sends gradients to, with the number of the output that each
        belongs to.
        """
        return tuple((None, 0) if e is None else (e.function, e.output_nr) for e in self.edges)

    @property
    def function(self):
        """The node that the user sees: for one output of several, the common node. Which overload
        of an operator it is torch's names tell; ours are found when somebody asks.
        """
        if self.op is not None and self.op.overload is not None and self.saved:
            saved = dict(zip(type(self).saved_names, self.saved, strict=True))
            name = self.op.overload(saved)
            if name is not None and type(self).__name__ == self.op.node_name:
                self.__class__ = named(type(self), name)
        return self

    @property
    def metadata(self) -> dict:
        """A dict for the user's own notes."""
        found = getattr(self, "metadata_", None)
        if found is None:  # in anomaly mode the number knows where the node was recorded
            found = self.metadata_ = dict(getattr(self.seq, "metadata", ()))
        return found

    def _sequence_nr(self) -> int:
        return int(self.seq) or NEWEST

    requires_grad = True

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"


# nodes that torch does not generate have their C++ namespace in their name
WRITTEN_BY_HAND = frozenset(["AccumulateGrad", "CopyBackwards", "CopySlices"])


_named: dict = {}


def named(cls, name: str):
    """A type of nodes under another name: that of an overload, or of what a node is a part of."""
    found = _named.get((cls, name))
    if found is None:
        found = _named[cls, name] = type(name, (cls,), {"__slots__": ()})
    return found


class SavingNode(Node):
    """A node that keeps tensors for its derivative, and the versions that they had."""

    __slots__ = ("saved", "versions")
    versions: tuple


class AccumulateGrad(Node):
    """The end of the tape: adds the gradient to a leaf's `.grad`. Knows the leaf weakly, for the
    leaf owns the node.
    """

    __slots__ = ("leaf", "post_hooks")
    post_hooks: dict | None

    @property
    def variable(self):
        """The leaf tensor."""
        return self.leaf()


class OutputNode(Node):
    """One differentiable output of a node with several: hands its gradient to the common node."""

    __slots__ = ("index", "parent")
    index: int
    parent: Node

    @property
    def function(self):
        return self.parent

    @property
    def output_nr(self) -> int:  # type: ignore[override]
        return self.index


class Unrecorded(Node):
    """What a view has for history whose base requires grad, but which was made in no_grad mode, or
    earlier than the base required grad: as in torch it requires grad, is a leaf, and takes none.
    """

    __slots__ = ()
    g = property(lambda self: None, lambda self, g: None)  # gradients of any shapes end here

    def __init__(self) -> None:
        self.seq, self.edges, self.hooks = sequence(), (), None

    @staticmethod
    def leaf():
        """No tensor accumulates here."""
        return

    @property
    def function(self):
        return None

    def back(self, g) -> tuple:
        """Nothing goes further."""
        return ()


UNRECORDED = Unrecorded()  # most views need none of their own


class Hooks:
    """What users registered on a node: functions of its gradient before and after it runs."""

    __slots__ = ("pre", "retain", "tensor", "whole")

    def __init__(self) -> None:
        self.tensor: dict[int, dict] = {}  # Tensor.register_hook: gradient -> gradient; by output
        self.retain: dict[int, weakref.ref] = {}  # retain_grad: the tensor; by output
        self.pre: dict = {}  # Node.register_prehook
        self.whole: dict = {}  # Node.register_hook


def new_leaf(tensor) -> AccumulateGrad:
    """The node of a tensor that starts to require gradients."""
    node = object.__new__(AccumulateGrad)
    node.seq, node.edges, node.g, node.hooks, node.post_hooks = 0, (), None, None, None
    node.leaf = weakref.ref(tensor)
    tensor._storage  # noqa: B018 (made here: two threads that save a weight must find the same one)
    return node


def retains_grad(node) -> bool:
    """Whether retain_grad() was called on the tensor, no leaf, that a node belongs to."""
    owner = node.parent if node.__class__ is OutputNode else node
    return owner is not None and owner.hooks is not None and node.output_nr in owner.hooks.retain


def requiring(tensor):
    """A new tensor that was asked for with `requires_grad=True`."""
    if not tensor._spec.dtype.is_floating_point:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    return tensor.requires_grad_()


def is_leaf(tensor) -> bool:
    """Whether the tensor was made by the user rather than recorded."""
    return tensor._node is None or tensor._node.leaf is not None
