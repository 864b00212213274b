"""In-place changes under autograd: what is allowed, and how views and their base keep one history.

A view's base knows its differentiable views (weakly, through the storage). When a view is changed
in place, the base's new history is `as_strided_scatter(base, changed view)`, and each view's is
`as_strided` of the new base. So every tensor's `_node` is right at once, and the fast path of an op
never asks whether its inputs are views.
"""

import weakref

from . import errors
from .interp import runtime
from .shape import extent, is_dense
from .spec import weak
from .tape import OutputNode, sequence
from .tensor import Storage, Tensor, View, offset_of


def view_base(t: Tensor) -> Tensor:
    """The tensor that a view of `t` is a view of."""
    view = getattr(t, "_view", None)
    return t if view is None or view.base is None else view.base


MANY_VIEWS = 64


def register_view(storage: Storage, view: Tensor) -> None:
    """Let the storage know a differentiable view; forgets dead ones now and then."""
    views = getattr(storage, "views", None)
    if views is None:
        storage.views = [weakref.ref(view)]
        return
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


def check(op, target: Tensor, track: bool, others) -> None:
    """Raise torch's error where `target` may not be changed in place. Changes nothing."""
    storage = target._storage
    for other in others:
        if (
            other is not target
            and getattr(other, "_storage", None) is storage
            and _partly_overlaps(target, other)
        ):
            raise errors.partial_overlap(op.name.removesuffix("_op"))
    if not track:
        return
    name = op.name.removesuffix("_op") + "_"
    view = getattr(target, "_view", None)
    if view is not None and view.base is not None:
        _check_view(name, target, view)
    if target._node is not None and target._node.leaf is not None:
        raise errors.leaf_in_place(name)


def _check_view(name: str, target: Tensor, view: View) -> None:
    if view.creation == "no_grad":
        raise RuntimeError(
            f"A view was created in no_grad mode and is being modified inplace with grad mode "
            f"enabled. ({name}: use the "
            "out-of-place form, or make the view with grad mode enabled)"
        )
    if view.creation == "multi":
        raise RuntimeError(
            f"Output 0 of {name} is a view and is being modified inplace. This view is the output "
            f"of a function that "
            "returns multiple views. Such functions do not allow the output views to be modified "
            "inplace. You should "
            "replace the inplace operation by an out-of-place one."
        )
    if (
        target._node is not None
        and view.base._node is not None
        and view.base._node.leaf is not None
    ):
        raise errors.leaf_view_in_place(name)


def _partly_overlaps(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors of one storage share some elements without being the same ones."""
    sa, sb = a._spec, b._spec
    begin_a, begin_b = offset_of(a) * sa.dtype.itemsize, offset_of(b) * sb.dtype.itemsize
    if begin_a == begin_b and sa.strides == sb.strides and sa.shape == sb.shape:
        return False
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
        target._node = node
        if views:
            _refresh(target, views)
        return
    base = view.base
    scatter = runtime["OPS"]["as_strided_scatter_op"]
    base._node = scatter.make_node(
        (base._node, node),
        _input=base._spec,
        _src=target._spec,
        size=tuple(target._spec.shape),
        stride=target._spec.strides,
        offset=view.offset - offset_of(base),
    )
    if views:
        _refresh(base, views)


def _refresh(base: Tensor, views) -> None:
    as_strided = runtime["OPS"]["as_strided_op"]
    for ref in views:
        t = ref()
        if t is None or t is base:
            continue
        view = t._view
        if view.base is not base or view.creation == "no_grad":
            continue
        t._node = as_strided.make_node(
            (base._node,),
            _input=base._spec,
            size=tuple(t._spec.shape),
            stride=t._spec.strides,
            offset=view.offset - offset_of(base),
        )


def replace(target: Tensor, result: Tensor, op) -> Tensor:
    """Make `target` hold the values and the history of `result` (the general in-place form)."""
    track = result._node is not None
    check(op, target, track, ())
    run = runtime["OPS"]["copy_op"].kernel((result._spec,), (), (target._spec,))
    run(result._array, target._array)
    target._storage.version += 1
    if track:
        node = result._node
        if result._spec.dtype is not target._spec.dtype:
            node = runtime["OPS"]["to_dtype_op"].make_node((node,), _input=result._spec)
        finish(target, node)
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
