"""In-place changes under autograd: what is allowed, and how views and their base keep one history.

A view's base knows its differentiable views (weakly, through the storage). When a view is changed
in place, the base's new history is `as_strided_scatter(base, changed view)`, and each view's is
`as_strided` of the new base. So every tensor's `_node` is right at once, and the fast path of an op
never asks whether its inputs are views. Views that torch gives no new history (made in no_grad
mode, one of several, ...) become a StaleView.
"""

import weakref

from . import errors, inference
from .inference import FRESH, InferenceStorage, check_saved
from .interp import runtime
from .shape import extent, is_dense
from .spec import weak
from .tape import UNRECORDED, Hooks, OutputNode, grad_mode, inference_mode, named, sequence
from .tensor import Storage, Tensor, View, offset_of


def view_base(t: Tensor) -> Tensor:
    """The tensor that a view of `t` is a view of."""
    view = getattr(t, "_view", None)
    return t if view is None or view.base is None else view.base


MANY_VIEWS = 64


class Views(list):
    """Weak references to the views of a storage. `recorded`: whether any of them, or the base, has
    had a history, so that changes of the memory concern them.
    """

    recorded = False


def register_view(storage: Storage, view: Tensor) -> None:
    """Let the storage know a view; forgets dead ones now and then."""
    views = getattr(storage, "views", None)
    if views is None:
        views = storage.views = Views()
    if view._node is not None:
        views.recorded = True
    views.append(weakref.ref(view))
    if len(views) >= MANY_VIEWS:
        forget_dead(views)


def forget_dead(views: list) -> None:
    """Drop dead references, at each power of two: constant time for each view."""
    n = len(views)
    if n & (n - 1) == 0:
        views[:] = [r for r in views if r() is not None]


def new_output(parent, index: int) -> OutputNode:
    """The node of one output of an op with several differentiable ones."""
    node = object.__new__(OutputNode)
    node.seq, node.edges, node.g, node.hooks, node.parent, node.index = (
        sequence(),
        (parent,),
        None,
        None,
        parent,
        index,
    )
    return node


def check(op, target: Tensor, track: bool, others):
    """Raise torch's error where `target` may not be changed in place; changes nothing. Gives the
    views of its memory whose histories an unrecorded change touches.
    """
    storage = target._memory
    if storage is None:
        storage = target._storage
    if storage.__class__ is InferenceStorage:
        if not inference_mode.get():
            raise errors.inference_in_place()
    elif track:
        name = op.name.removesuffix("_op") + "_"
        view = getattr(target, "_view", None)
        if view is not None and view.base is not None:
            check_view(name, target, view)
        if target._node is not None and target._node.leaf is not None:
            raise errors.leaf_in_place(name)
        if inference.used:
            for other in others:
                if isinstance(other, Tensor) and other._storage.__class__ is InferenceStorage:
                    check_saved(op)
    for other in others:
        if isinstance(other, Tensor):
            memory = other._memory
            shared = memory is not None and (memory is storage or memory.array is storage.array)
            if shared and partly_overlaps(target, other, op.exclusive):
                raise errors.partial_overlap(op.name.removesuffix("_op"))
    if track:
        return None
    views = getattr(storage, "views", None)
    return views if views and views.recorded else None


def check_view(name: str, target: Tensor, view: View) -> None:
    """Raise torch's error where a view may not be changed in place."""
    if view.creation:
        raise errors.forbidden_view(target._node, view.creation, "is being")
    base = view.base._node
    if target._node is not None and (base is None or base.leaf is not None):
        raise errors.leaf_view_in_place(name)


history = Tensor.__dict__["_node"]  # the slot, past what StaleView makes of it


class StaleView(Tensor):
    """A view whose memory has changed, and for which torch makes no new history: asking for it is
    an error while grad mode is on. A tensor becomes one by exchange of its class, so that no op
    needs to look.
    """

    __slots__ = ()

    @property
    def _node(self):
        node = history.__get__(self)
        if grad_mode.get():
            raise errors.forbidden_view(
                node, self._view.creation, "its base or another view of its base has been"
            )
        return node

    @_node.setter
    def _node(self, node):
        history.__set__(self, node)
        self.__class__ = Tensor

    @property  # type: ignore[misc]
    def requires_grad(self) -> bool:
        """As its base does."""
        return True


StaleView.__name__ = StaleView.__qualname__ = "Tensor"


def partly_overlaps(a: Tensor, b: Tensor, same_counts: bool = False) -> bool:
    """Whether two tensors of one storage share some elements without being the same ones, or (if
    `same_counts`) any elements.
    """
    if a is b:
        return same_counts
    sa, sb = a._spec, b._spec
    if not sa.numel or not sb.numel:
        return False
    begin_a, begin_b = offset_of(a) * sa.dtype.itemsize, offset_of(b) * sb.dtype.itemsize
    if begin_a == begin_b and sa.strides == sb.strides and sa.shape == sb.shape:
        return same_counts
    end_a = (
        begin_a + (sa.numel if sa.contiguous else extent(sa.shape, sa.strides)) * sa.dtype.itemsize
    )
    end_b = (
        begin_b + (sb.numel if sb.contiguous else extent(sb.shape, sb.strides)) * sb.dtype.itemsize
    )
    if begin_a >= end_b or begin_b >= end_a:
        return False
    # interleaved views may be disjoint: torch lets them pass, too
    return all(s.contiguous or is_dense(s.shape, s.strides) for s in (sa, sb))


def saved_copy(t: Tensor) -> Tensor:
    """What a derivative needs of a tensor that is about to be overwritten: a copy with the same
    history.
    """
    op = runtime["OPS"]["copy_op"]
    spec, fn = op.plans[t._spec]
    copy = object.__new__(Tensor)
    copy._array, copy._spec, copy._node = fn(t._array), spec, t._node
    copy._memory = storage = object.__new__(Storage)
    storage.array, storage.version = copy._array, 0
    return copy


def finish(target: Tensor, node) -> None:
    """Give a tensor that was changed in place its new history, and so its base and all their
    views.
    """
    view = getattr(target, "_view", None)
    views = getattr(target._storage, "views", None)
    if view is None or view.base is None:
        old = target._node
        if old is not None and (old.hooks is not None or old.__class__ is OutputNode):
            _move_retained(target, node)
        target._node = node
        if views:
            _refresh(target, views)
        return
    base = view.base
    if node.op is not None and node.op.overwrites:  # the base gets zeros by the scatter
        node.edges = (None, *node.edges[1:])
    scattered = runtime["OPS"]["as_strided_scatter_op"].make_node(
        (base._node, node),
        "CopySlices",
        _input=base._spec,
        _src=target._spec,
        size=tuple(target._spec.shape),
        stride=target._spec.strides,
        offset=view.offset - offset_of(base),
    )
    _move_retained(base, scattered)
    base._node = scattered
    _new_history(target, view, base)
    if views:
        _refresh(base, views, target)


def _move_retained(t: Tensor, node) -> None:
    """retain_grad() is about a tensor, whatever its history."""
    old = t._node
    if old is None:
        return
    owner = old.parent if old.__class__ is OutputNode else old
    if owner.hooks is not None and owner.hooks.retain.pop(old.output_nr, None) is not None:
        new, number = (node.parent, node.index) if node.__class__ is OutputNode else (node, 0)
        if new.hooks is None:
            new.hooks = Hooks()
        new.hooks.retain[number] = weakref.ref(t)


def _refresh(base: Tensor, views, done: Tensor | None = None) -> None:
    views.recorded = True
    for ref in views:
        t = ref()
        if t is None or t is base or t is done:
            continue
        owner = t._view.base
        if owner is base or (owner is not None and owner is not t and _has_history(t, owner)):
            _new_history(t, t._view, owner)


def _new_history(t: Tensor, view: View, base: Tensor) -> None:
    """The history of a view of a base that has changed."""
    if view.creation:
        if history.__get__(t) is None:
            t._node = UNRECORDED
        if t.__class__ is Tensor:
            t.__class__ = StaleView
        return
    node = runtime["OPS"]["as_strided_op"].make_node(
        (base._node,),
        _input=base._spec,
        size=tuple(t._spec.shape),
        stride=t._spec.strides,
        offset=view.offset - offset_of(base),
    )
    _move_retained(t, node)
    t._node = node


def _has_history(t: Tensor, base: Tensor) -> bool:
    node = history.__get__(t)
    return base._node is not None or (node is not None and node.leaf is None)


def touched(views) -> None:
    """Memory has changed unrecorded: views with a history get it anew, as in torch."""
    for ref in views:
        t = ref()
        if t is None:
            continue
        base = t._view.base
        if base is not None and base is not t and _has_history(t, base):
            _new_history(t, t._view, base)


def change_view(op, target: Tensor, attrs: tuple, name: str) -> Tensor:
    """The in-place form of a view: `target` keeps its memory and gets another geometry. Its base
    keeps its history. `name` is that of the node.
    """
    track = target._node is not None and grad_mode.get()
    views = check(op, target, track, ())
    made = op.public(target, *attrs)
    node = made._node
    if name is not None and node is not None and node.leaf is None:
        node.__class__ = named(type(node), name)
    offset, storage = made._view.offset, target._storage
    target._array, target._spec = made._array, made._spec
    view = getattr(target, "_view", None)
    if view is None or view is FRESH:
        target._view = View(offset, None)
    else:
        view.offset = offset
    storage.version += 1
    if track:
        base = view_base(target)
        _move_retained(target, node)
        target._node = node
        _refresh(base, getattr(storage, "views", None) or Views(), target)
    elif views:
        touched(views)
    return target


def known_as(result: Tensor, name: str) -> Tensor:
    """The result of a function of several ops, whose last node is named as torch's one node is."""
    node = result._node
    if node is not None and node.leaf is None:
        node.__class__ = named(type(node), name)
    return result


def rename(result: Tensor, function, name: str) -> None:
    """Give the node of a function's result the name of another overload in torch. A view that was
    changed in place has none to name.
    """
    node = result._node
    if node.op is function.op:
        node.__class__ = named(type(node), name)


def replace(target: Tensor, result: Tensor, op) -> Tensor:
    """Make `target` hold the values and the history of `result` (the general in-place form)."""
    track = (result._node is not None or target._node is not None) and grad_mode.get()
    views = check(op, target, track, ())
    run = runtime["OPS"]["copy_op"].kernel((result._spec,), (), (target._spec,))
    run(result._array, target._array)
    target._storage.version += 1
    if track:
        node = result._node
        if node is not None and result._spec.dtype is not target._spec.dtype:
            node = runtime["OPS"]["to_dtype_op"].make_node((node,), _input=result._spec)
        finish(target, node)
    elif views:
        touched(views)
    return target


def update(op, operands: tuple, targets: tuple) -> None:
    """Run an op whose outputs overwrite some of its operands, without recording it (optimizers,
    running statistics).
    """
    interp = runtime["interp"]
    if interp is not None:
        interp(op, operands, (), targets)
    else:
        update_directly(op, operands, targets)


def update_directly(op, operands: tuple, targets: tuple) -> None:
    """`update`, past this moment's interpreter."""
    specs = [t._spec if isinstance(t, Tensor) else weak(t) for t in operands]
    key = (len(targets), *[t._spec for t in targets], *specs)
    run = op.update_plans[key]
    run(*[t._array if isinstance(t, Tensor) else t for t in operands], *[t._array for t in targets])
    for t in targets:
        t._storage.version += 1
