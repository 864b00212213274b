"""Backward: walk the tape from its newest node to its leaves.

A consumer is newer than its producers, so a node that is the newest of those waiting has its
complete gradient: a heap by age replaces the topological pass (1.5 us a node against 1.9), and a
chain never touches it.
"""

import sys
from _thread import RLock  # threading takes 0.7 ms to import
from heapq import heappop, heappush, heappushpop

from ..core.profiling import recorder
from ..core.tape import AccumulateGrad, OutputNode, grad_mode
from ..core.tensor import Tensor

_lock = RLock()  # nodes hold gradients while backward runs: one thread at a time walks the tape


def run(
    roots, gradients, retain_graph: bool, create_graph: bool, inputs=None, accumulate: bool = True
):
    """Send `gradients` from the `roots` (nodes) down the tape.

    Without `inputs`, every leaf's `.grad` is added to. With `inputs` (nodes), only their gradients
    are computed: added to `.grad` if `accumulate`, else returned, in order, None where the graph
    does not reach one.
    """
    with _lock:
        token = grad_mode.set(create_graph)
        touched: list = []
        try:
            return _run(roots, gradients, retain_graph, inputs, accumulate, touched)
        finally:
            for node in touched:
                node.g = None
            grad_mode.reset(token)


def _needed(roots, inputs) -> set:
    """The nodes on a path from a root to one of `inputs` (iterative: graphs may be 100,000 nodes
    deep).
    """
    targets, needed, seen = set(inputs), set(), set()
    stack = [(r, False) for r in roots]
    while stack:
        node, done = stack.pop()
        if done:
            if node in targets or any(e is not None and e in needed for e in node.edges):
                needed.add(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((e, False) for e in node.edges if e is not None and e not in seen)
    return needed


def _run(roots, gradients, retain_graph, inputs, accumulate, touched):
    needed = None if inputs is None else _needed(roots, inputs)
    wanted = {} if inputs is None else dict.fromkeys(inputs)
    listener = recorder.get()  # the profiler, or None
    heap: list = []
    leaves: list = []
    for node, g in zip(roots, gradients, strict=True):
        if needed is not None and node not in needed:
            continue
        if node.g is not None:
            node.g = node.g + g
            continue
        node.g = g
        touched.append(node)
        if node.__class__ is AccumulateGrad:
            leaves.append(node)
        else:
            heappush(heap, (-node.seq, node))
    node = heappop(heap)[1] if heap else None
    while node is not None:
        g = node.g
        if node.hooks is not None:
            g = _before(node, g)
        if node in wanted:
            wanted[node] = g
        if node.__class__ is OutputNode:
            grads = ()
        else:
            grads = node.back(g) if listener is None else listener.evaluate(node, g)
        if node.hooks is not None and node.hooks.whole:
            grads = _after(node, grads, g)
        node.g = None
        ready = None  # one edge goes on without touching the heap
        if node.__class__ is OutputNode:
            parent = node.parent
            if parent.g is None:
                parent.g = [None] * parent.outputs
                touched.append(parent)
                if needed is None or parent in needed:
                    ready = parent
            have = parent.g[node.index]
            parent.g[node.index] = g if have is None else have + g
        else:
            for edge, grad in zip(node.edges, grads):  # noqa: B905 (strict costs 100 ns a node)
                if edge is None or grad is None or (needed is not None and edge not in needed):
                    continue
                if edge.g is not None:
                    edge.g = edge.g + grad
                    continue
                edge.g = grad
                touched.append(edge)
                if edge.__class__ is AccumulateGrad:
                    leaves.append(edge)
                elif ready is None:
                    ready = edge
                else:
                    heappush(heap, (-edge.seq, edge))
            if not retain_graph and node.saved:
                node.saved = None
        if heap:
            node = heappop(heap)[1] if ready is None else heappushpop(heap, (-ready.seq, ready))[1]
        else:
            node = ready
        g = grad = grads = None  # a leaf's gradient must have no other holder, or it is copied
    return _finish(leaves, wanted, accumulate and inputs is not None, inputs)


def _baseline() -> int:
    x = object()
    return sys.getrefcount(x)


_ALONE = _baseline()  # what getrefcount says of an object that one local variable holds


def _finish(leaves, wanted, into_grad, inputs):
    """Only now, when nothing can fail in a derivative any more, do leaves change."""
    ready = []
    for node in leaves:
        g, node.g = node.g, None
        if node.hooks is not None:
            g = _before(node, g)
        if node in wanted:
            wanted[node] = g
        ready.append([node, g])
    g = None
    if inputs is not None and not into_grad:
        return [wanted[n] for n in inputs]
    if into_grad:
        ready = [[n, g] for n, g in wanted.items() if g is not None and _takes_grad(n)]
        wanted.clear()
        g = None
    listener = recorder.get()
    for pair in ready:
        node, g = pair
        pair[1] = None  # a gradient that nobody else holds becomes `.grad` without a copy
        alone = sys.getrefcount(g) <= _ALONE
        leaf = node.leaf()
        if leaf is not None:
            if listener is None:
                _accumulate(leaf, g, alone)
            else:
                listener.accumulate(_accumulate, leaf, g, alone)
            for hook in tuple((node.post_hooks or {}).values()):
                hook(leaf)
        g = None
    return None


def _takes_grad(node) -> bool:
    if node.__class__ is AccumulateGrad:
        return True
    if node.hooks is None or node.hooks.retain is None:
        raise RuntimeError(
            "backward(inputs=...): a non-leaf input must have retain_grad() called on it first"
        )
    return False  # retain_grad has stored it


def _accumulate(leaf, g, alone: bool) -> None:
    have = getattr(leaf, "_grad", None)
    if have is not None:
        if grad_mode.get():
            leaf._grad = have + g
        else:
            have.add_(g)
    elif grad_mode.get() or (
        alone
        and g._spec.strides == leaf._spec.strides
        and (g._memory is None or _sole(g, getattr(g, "_view", None)))
    ):
        leaf._grad = g
    else:
        leaf._grad = g.clone()


def _sole(g, view) -> bool:
    """Whether nothing but `g` reaches its memory: it is no view, or all of a tensor of which only
    it knows (the gradient of a permuted leaf, say). torch keeps any view, so that two gradients may
    be one memory.
    """
    if view is None:
        return True
    base = view.base
    if base is None or base._spec.numel != g._spec.numel:
        return False
    storage, array = base._memory, base._array
    return (
        sys.getrefcount(base) <= _ALONE + 1  # and the View
        and sys.getrefcount(storage) <= _ALONE + 2  # and two tensors
        and sys.getrefcount(array) <= _ALONE + 3  # and base, storage, the view's array
    )


def _before(node, g):
    """Run hooks on the gradient that a node is about to use."""
    hooks = node.hooks
    for hook in tuple(hooks.tensor.values()):
        replaced = hook(g)
        if replaced is not None:
            if not isinstance(replaced, Tensor):
                raise TypeError(f"expected Variable, but hook returned '{type(replaced).__name__}'")
            g = replaced
    for hook in tuple(hooks.pre.values()):
        replaced = hook((g,))
        if replaced is not None:
            g = replaced[0] if isinstance(replaced, tuple) else replaced
    if hooks.retain is not None:
        tensor = hooks.retain()
        if tensor is not None:
            tensor._grad = g if getattr(tensor, "_grad", None) is None else tensor._grad + g
    return g


def _after(node, grads, g):
    for hook in tuple(node.hooks.whole.values()):
        replaced = hook(tuple(grads), (g,) if not isinstance(g, list) else tuple(g))
        if replaced is not None:
            grads = replaced if isinstance(replaced, tuple) else (replaced,)
    return grads
