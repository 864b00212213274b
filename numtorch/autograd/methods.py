"""backward, hooks and retain_grad: what autograd adds to tensors."""

from ..core.inplace import history
from ..core.tape import UNRECORDED, AccumulateGrad, Unrecorded, inference_mode
from ..tensors.properties import requires_as_base
from . import api, hooks


def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Add the gradients of this tensor to the `.grad` of the leaves (or `inputs`) that it was
    computed from.

    `gradient`: the gradient of the final quantity with respect to this tensor, of its shape; it may
    be left out for tensors with one element. `create_graph=True` records the computation, for
    higher derivatives.
    """
    api.backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def register_hook(self, hook):
    """Call `hook(gradient)` when this tensor's gradient is computed; a tensor that it returns
    replaces the gradient.
    """
    if self._node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._node is UNRECORDED:
        self._node = Unrecorded()
    return hooks.register_on_tensor(self, hook)


def register_post_accumulate_grad_hook(self, hook):
    """Call `hook(tensor)` after this leaf's `.grad` was added to."""
    if self._node is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._node.__class__ is not AccumulateGrad:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    if self._node.post_hooks is None:
        self._node.post_hooks = {}
    return hooks.add(self._node.post_hooks, hook)


def retain_grad(self) -> None:
    """Keep this non-leaf's gradient in `.grad`."""
    node = history.__get__(self)
    if node is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if node.leaf is None:
        hooks.retain(self)


def detach_(self):
    """Cut this tensor off from what computed it, in place."""
    if inference_mode.get():
        return self
    view = getattr(self, "_view", None)
    if view is not None and view.base is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients."
        )
    self._node = None
    requires_as_base(self)
    return self


METHODS = {
    "backward": backward,
    "register_hook": register_hook,
    "retain_grad": retain_grad,
    "detach_": detach_,
    "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
}
