"""Parameters and buffers: tensors that a `Module` recognizes when they are assigned to it."""

from collections import OrderedDict

from ..ops.create import empty
from ..tensors import Tensor

__all__ = ["Buffer", "Parameter"]


class Parameter(Tensor):
    """A leaf tensor that becomes a parameter of the module it is assigned to.

    It shares the memory of `data`. Results computed from it are plain tensors.
    """

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = empty(0)
        param = data.detach()
        param.__class__ = cls
        return param.requires_grad_(requires_grad)

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__  # Tensor has one of its own

    def __reduce_ex__(self, protocol):
        arguments = self.data, self.requires_grad, OrderedDict()
        return _rebuild_parameter, arguments, self.__dict__ or None


def _rebuild_parameter(data, requires_grad, backward_hooks):
    """A parameter from what a pickle holds of it; hooks are never pickled."""
    return Parameter(data, requires_grad)


class _TaggedTensor(type(Tensor)):
    """Makes `isinstance(t, Buffer)` true for the plain tensors that `Buffer(...)` returns."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, Tensor) and getattr(instance, "_is_buffer", False)


class Buffer(Tensor, metaclass=_TaggedTensor):
    """A tensor that becomes a buffer of the module it is assigned to.

    The result is a plain tensor with a mark. `persistent` buffers are in the module's state_dict.
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = empty(0)
        tensor = data.detach().requires_grad_(data.requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


def clear_grad(param, set_to_none):
    """Drop a tensor's gradient, or cut it off from the tape and fill it with zeros."""
    grad = param.grad
    if grad is None:
        return
    if set_to_none:
        param.grad = None
        return
    if grad.grad_fn is not None:
        grad.detach_()
    else:
        grad.requires_grad_(False)
    grad.zero_()
