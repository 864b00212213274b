"""Backward: walk the tape from its newest node to its leaves.

A consumer is newer than its producers, so a node that is the newest of those waiting has its
complete gradient: a heap by age replaces the topological pass (1.5 us a node against 1.9), and a
chain never touches it.
"""

import itertools
import sys
from _thread import RLock  # threading takes 0.7 ms to import
from contextvars import ContextVar
from heapq import heappop, heappush, heappushpop
from operator import attrgetter

from ..core.generate import reaches_twice
from ..core.profiling import recorder
from ..core.shape import is_dense
from ..core.tape import AccumulateGrad, OutputNode, grad_mode
from ..ops.create import empty_strided
from . import anomaly_mode, hooks

_lock = RLock()  # nodes hold gradients while backward runs: one thread at a time walks the tape
_tasks: list["Task"] = []  # the walks that are under way: a hook may start another one
enforce_layout: ContextVar[bool] = ContextVar("enforce_grad_layout", default=True)


class _Undefined:
    """The gradient of a node whose consumers have sent None."""

    __slots__ = ()

    def __add__(self, other):
        return other


UNDEFINED = _Undefined()
_numbers = itertools.count(1).__next__
_age = attrgetter("seq")


class Task:
    """One walk.

    `roots`, `retain`: the arguments of `run`. `accumulate`: whether leaves' `.grad` are changed.
    `touched`: the nodes that may hold a gradient. With inputs, `wanted` holds their places in
    `found` by node and output, `active` the nodes between them and the roots (and they), `executed`
    those of which `back` is called. `number` tells walks apart.
    """

    active: set | None = None
    executed: set | None = None
    reached: set | None = None
    found: list
    wanted: dict | None = None

    def __init__(self, roots, inputs, accumulate: bool, retain: bool) -> None:
        self.roots, self.accumulate, self.retain = roots, accumulate, retain
        self.touched: list = []
        self.number = _numbers()
        if inputs is not None:
            self._find(inputs)

    def _find(self, inputs) -> None:
        """Where the inputs are in the graph, and the nodes that lead to them."""
        self.found, self.wanted = [None] * len(inputs), {}
        for place, node in enumerate(inputs):
            self.wanted.setdefault(_owner(node), []).append((node.output_nr, place))
        executed: set = set()
        active = set(self.wanted)
        for node in sorted(_reachable(self.roots), key=_age):  # producers before consumers
            for edge in node.edges:
                if edge in active:
                    active.add(node)
                    executed.add(node)
                    break
        active.add(None)  # an edge that leads nowhere
        self.active = active
        self.executed = executed | set(self.wanted) if self.accumulate else executed

    def executes(self, node) -> bool:
        """Whether the walk comes to a node."""
        if self.active is not None:
            return node in self.active
        if self.reached is None:
            self.reached = _reachable(self.roots)
        return node in self.reached


def _owner(node):
    """The node that runs: for one output of several, the common one."""
    return node.parent if node.__class__ is OutputNode else node


def _reachable(roots) -> set:
    """All nodes behind the roots (without recursion: graphs may be 100,000 nodes deep)."""
    seen: set = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            stack.extend(node.edges)
    return seen


def current() -> Task | None:
    """The walk in which a hook or a derivative is called."""
    return _tasks[-1] if _tasks else None


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
        held = _set_aside(_tasks[-1]) if _tasks else ()
        task = None
        try:
            task = Task(roots, inputs, accumulate, retain_graph)
            _tasks.append(task)
            return _finish(task, _walk(task, gradients))
        finally:
            if task is not None:
                _tasks.pop()
                for node in task.touched:
                    node.g = None
            for node, g in held:
                node.g = g
            grad_mode.reset(token)


def _set_aside(outer: Task) -> list:
    """Take the gradients of the walk that this one interrupts from the nodes."""
    held = [(node, node.g) for node in outer.touched if node.g is not None]
    for node, _ in held:
        node.g = None
    return held


def _walk(task: Task, gradients) -> list:
    """Run the nodes, newest first; the leaves with their gradients remain."""
    touched, retain_graph = task.touched, task.retain
    slow = (
        task.active is not None or anomaly_mode.is_anomaly_enabled() or recorder.get() is not None
    )
    heap: list = []
    leaves: list = []
    edges, grads = task.roots, gradients
    if task.active is not None:
        edges = [e if e in task.active else None for e in edges]
    while True:
        ready = None  # one edge goes on without touching the heap
        for edge, grad in zip(edges, grads):  # noqa: B905 (strict costs 100 ns a node)
            if edge is None:
                continue
            if grad is None:
                if edge.g is not None:
                    continue
                grad, slow = UNDEFINED, True
            elif edge.g is not None:
                edge.g = edge.g + grad
                continue
            kind = edge.__class__
            if kind is OutputNode:
                index, edge = edge.index, edge.parent
                have = edge.g
                fresh = have is None
                if fresh:
                    have = edge.g = [None] * edge.outputs
                if grad is not UNDEFINED:
                    have[index] = grad if have[index] is None else have[index] + grad
                if not fresh:
                    continue
            else:
                edge.g = grad
            touched.append(edge)
            if kind is AccumulateGrad:
                leaves.append(edge)
            elif ready is None:
                ready = edge
            else:
                heappush(heap, (-edge.seq, edge))
        if heap:
            node = heappop(heap)[1] if ready is None else heappushpop(heap, (-ready.seq, ready))[1]
        elif ready is None:
            return leaves
        else:
            node = ready
        if slow or node.hooks is not None:
            edges, grads = _visit(task, node)
        else:
            edges, grads = node.edges, node.back(node.g)
            if not retain_graph and node.saved:
                node.saved = None
        node.g = have = grad = None  # a leaf's gradient must have no other holder, or is copied


def _visit(task: Task, node):
    """Run a node with hooks, with inputs asked for, without gradient, in anomaly mode or under the
    profiler: the edges to follow and their gradients.
    """
    g = node.g
    if g is UNDEFINED:
        g = None
    executes = task.executed is None or node in task.executed
    if executes:
        _capture(task, node, g)
    if node.hooks is not None:
        g = hooks.before(node, g, executes)
    if not executes:
        _capture(task, node, g)
        return (), ()
    edges = node.edges
    active = task.active
    if active is not None and not active.issuperset(edges):
        # derivatives that nobody wants are not computed
        node.edges = tuple([e if e in active else None for e in edges])
    try:
        if node.op is not None and (g is None or g.__class__ is list and not _any_defined(g)):
            grads = (None,) * len(edges)
        elif anomaly_mode.is_anomaly_enabled():
            grads = anomaly_mode.evaluate(node, g)
        else:
            profiler = recorder.get()
            grads = node.back(g) if profiler is None else profiler.evaluate(node, g)
        if node.hooks is not None and node.hooks.whole:
            grads = hooks.after(node, grads, g)
    finally:
        followed, node.edges = node.edges, edges
    if not task.retain and node.saved:
        node.saved = None
    return followed, grads


def _any_defined(gradients: list) -> bool:
    return any(g is not None for g in gradients)


def _capture(task: Task, node, g) -> None:
    for index, place in task.wanted.get(node, ()) if task.wanted else ():
        task.found[place] = g[index] if g.__class__ is list else g


def _baseline() -> int:
    x = object()
    return sys.getrefcount(x)


_ALONE = _baseline()  # what getrefcount says of an object that one local variable holds


def _finish(task: Task, leaves: list):
    """Only now, when nothing can fail in a derivative any more, do leaves change."""
    ready = []
    for node in leaves:
        g, node.g = node.g, None
        if g is UNDEFINED:
            g = None
        if node.hooks is not None:
            g = hooks.before(node, g, task.accumulate)
        if task.wanted and not task.accumulate:
            _capture(task, node, g)
        elif g is not None:
            ready.append([node, g])
    g = None
    if not task.accumulate:
        return task.found
    profiler = recorder.get()
    for pair in ready:
        node, g = pair
        pair[1] = None  # a gradient that nobody else holds becomes `.grad` without a copy
        alone = sys.getrefcount(g) <= _ALONE
        leaf = node.leaf()
        if leaf is not None and leaf._node is not None:  # which detach_() may have taken
            if profiler is None:
                _accumulate(leaf, g, alone)
            else:
                profiler.accumulate(_accumulate, leaf, g, alone)
            for hook in tuple((node.post_hooks or {}).values()):
                hooks.check_nothing(hook(leaf))
        if node.hooks is not None:
            hooks.after(node, (), g)
        g = None
    return None


def _accumulate(leaf, g, alone: bool) -> None:
    have = getattr(leaf, "_grad", None)
    if have is not None:
        if grad_mode.get():
            leaf._grad = have + g
        else:
            have.add_(g)
    elif (
        alone
        and not grad_mode.get()
        and (g._spec.strides == leaf._spec.strides or _lies_well(g._spec, leaf._spec))
        and (g._memory is None or _sole(g, getattr(g, "_view", None)))
    ):
        leaf._grad = g
    else:
        leaf._grad = _laid_out(g, leaf._spec)


def _lies_well(given, wanted) -> bool:
    """Whether a gradient's strides are the leaf's, or row-major where those of the leaf have gaps
    or reach elements twice. Dimensions of size 1 do not matter.
    """
    if not enforce_layout.get():
        return not reaches_twice(given)
    if not (wanted.contiguous or is_dense(wanted.shape, wanted.strides)):
        return given.contiguous
    return all(
        s == w if n != 1 else s != 0
        for n, s, w in zip(given.shape, given.strides, wanted.strides, strict=True)
    )


def _laid_out(g, wanted):
    """A copy of a gradient that lies as its leaf does."""
    if wanted.contiguous or not is_dense(wanted.shape, wanted.strides):
        return g.contiguous() if not g._spec.contiguous else g.clone()
    if g._spec.strides == wanted.strides:
        return g.clone()
    made = empty_strided(wanted.shape, wanted.strides, dtype=g.dtype, device=g.device)
    return made.copy_(g)


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
