"""Hooks: their handles, and what the engine does with them."""

import weakref

from ..core import tape
from ..core.tape import Hooks
from ..core.tensor import Tensor


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again, and so does leaving a
    `with` block.

    `extra_dict`: further dicts, or a list of them, that hold something under the same id.
    """

    _next_id = 0

    def __init__(self, hooks_dict: dict, *, extra_dict=()) -> None:
        self.hooks_dict = hooks_dict
        self.extra = (extra_dict,) if isinstance(extra_dict, dict) else tuple(extra_dict or ())
        self.id = RemovableHandle._next_id
        RemovableHandle._next_id += 1

    def remove(self) -> None:
        """Take the hook away."""
        for hooks in (self.hooks_dict, *self.extra):
            hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.remove()


def add(hooks: dict, hook) -> RemovableHandle:
    """Put a hook into a dict."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def of_node(node) -> Hooks:
    """A node's hooks, made when the first is registered."""
    if node.hooks is None:
        node.hooks = Hooks()
    return node.hooks


def register_hook(self, fn) -> RemovableHandle:
    """Call `fn(grad_inputs, grad_outputs)` after this node's derivative was computed; a tuple that
    it returns replaces `grad_inputs`.
    """
    return add(of_node(self).whole, fn)


def register_prehook(self, fn) -> RemovableHandle:
    """Call `fn(grad_outputs)` before this node's derivative is computed; a tuple that it returns
    replaces them.
    """
    return add(of_node(self).pre, fn)


def register_on_tensor(tensor: Tensor, hook) -> RemovableHandle:
    """Call `hook(gradient)` when a tensor's gradient is complete."""
    node = tensor._node
    owner = node.parent if node.__class__ is tape.OutputNode else node
    return add(of_node(owner).tensor.setdefault(node.output_nr, {}), hook)


def retain(tensor: Tensor) -> None:
    """Let a non-leaf keep its gradient."""
    node = tensor._node
    owner = node.parent if node.__class__ is tape.OutputNode else node
    of_node(owner).retain[node.output_nr] = weakref.ref(tensor)


# -- what the engine calls -------------------------------------------------------------------------
def before(node, g, executes: bool):
    """Run the hooks on the gradient that a node is about to use: a tensor, None, or a list of them
    for several outputs. Node's prehooks only if it `executes`.
    """
    hooks = node.hooks
    several = g.__class__ is list
    values = list(g) if several else [g]
    for index, of_tensor in hooks.tensor.items():
        for hook in tuple(of_tensor.values()):
            values[index] = _result(hook, values[index], hook(values[index]))
    for index, ref in hooks.retain.items():
        tensor = ref()
        if tensor is not None and values[index] is not None:
            have = getattr(tensor, "_grad", None)
            tensor._grad = values[index] if have is None else have + values[index]
    if executes:
        for hook in tuple(hooks.pre.values()):
            values = _results(hook, values, hook(tuple(values)))
    return values if several else values[0]


def after(node, grads, g):
    """Run the hooks on the gradients that a node has computed."""
    given = tuple(g) if g.__class__ is list else (g,)
    for hook in tuple(node.hooks.whole.values()):
        grads = _results(hook, grads, hook(tuple(grads), given))
    return grads


def check_nothing(returned) -> None:
    """What a hook after accumulation returns must be None."""
    if returned is not None:
        raise TypeError(f"expected Variable, but hook returned '{type(returned).__name__}'")


def _results(hook, old, new) -> list:
    if new is None:
        return old
    if not isinstance(new, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(new).__name__}'")
    if len(new) != len(old):
        raise RuntimeError(
            f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(new)}, but "
            f"expected {len(old)})"
        )
    return [None if n is None else _result(hook, o, n) for o, n in zip(old, new, strict=True)]


def _result(hook, old, new):
    """A hook's answer in the place of a gradient; torch's errors where it does not fit there."""
    if new is None:
        return old
    if old is None:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if not isinstance(new, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
    was, got = old._spec, new._spec
    if was is not got:
        what = f"hook '{_name(hook)}' has changed the"
        if was.dtype is not got.dtype or was.device is not got.device:
            raise RuntimeError(f"{what} type of value (was {_type(was)} got {_type(got)})")
        if was.shape != got.shape:
            raise RuntimeError(f"{what} size of value")
    return new


def _name(hook) -> str:
    return getattr(hook, "__name__", "<unknown>")


def _type(spec) -> str:
    prefix = "torch.cuda." if spec.device.type == "cuda" else "torch."
    return prefix + spec.dtype.type_name


tape.Node.register_hook = register_hook
tape.Node.register_prehook = register_prehook
