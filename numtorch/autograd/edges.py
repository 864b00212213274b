"""Edges of the recorded graph: where a tensor's gradient arrives."""

from typing import Any, NamedTuple

from ..core.tape import Node, OutputNode
from ..core.tensor import Tensor


class _Edge(NamedTuple):
    node: Node
    output_nr: int
    ownership_token: Any = None


class GradientEdge(_Edge):
    """The place in the graph where the gradient of an output of a node arrives: `grad` and
    `backward` take it in place of the tensor, which need not be alive any more.
    """

    spec: Any = None  # of the tensor, where the edge was made from one

    def like(self) -> Tensor:
        """A tensor of this edge's spec for the *_like functions, which read no values."""
        t = object.__new__(Tensor)
        t._spec, t._node, t._array = self.spec, None, None
        return t


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge that stands for a tensor in `grad` and `backward`."""
    node = tensor._node
    if node is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    owner = node.parent if node.__class__ is OutputNode else node
    edge = GradientEdge(owner, node.output_nr)
    edge.spec = tensor._spec
    return edge


def node_of(t) -> Node | None:
    """The node that computes a tensor's, or an edge's, gradient."""
    if isinstance(t, GradientEdge):
        return t.node
    node = t._node
    return node.parent if node.__class__ is OutputNode else node
