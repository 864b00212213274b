"""The recorded graph: its nodes and edges, and what they save.

`saved_tensors_hooks` is an interpreter (core/interp.py): ops run as usual, then the nodes that they
have recorded exchange their saved tensors for what the hooks make of them.
"""

import weakref
from _thread import allocate_lock  # threading takes 0.5 ms to import

from ..core import saved
from ..core.interp import dispatch, interpreting
from ..core.tape import Node, SavingNode, sequence
from ..core.tensor import Tensor
from ..ops.create import empty
from . import engine
from .edges import GradientEdge, get_gradient_edge, node_of
from .hooks import RemovableHandle


class saved_tensors_hooks:  # noqa: N801
    """While the block runs, nodes keep `pack_hook(tensor)` in place of each tensor that they save
    for backward, and backward calls `unpack_hook` on it to have the tensor again.

    `unpack_hook` must return a tensor with the values, shape, dtype and device of the packed one.
    Of nested blocks, the innermost hooks apply. To avoid a reference cycle, `pack_hook` should
    return something else than its argument: `x.detach()`, for instance.
    """

    def __init__(self, pack_hook, unpack_hook) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook
        self._entered: list = []

    def __enter__(self) -> None:
        for hook in (self.pack_hook, self.unpack_hook):
            if not callable(hook):
                raise TypeError(
                    f"saved_tensors_hooks: hooks must be callable, but got {type(hook).__name__}"
                )
        _check_enabled()
        entered = interpreting(_Packing(self.pack_hook, self.unpack_hook))
        entered.__enter__()
        token = saved.hooks.set((*saved.hooks.get(), entered.interpreter.pair))
        self._entered.append((entered, token))

    def __exit__(self, *exc) -> None:
        entered, token = self._entered.pop()
        saved.hooks.reset(token)
        entered.__exit__(*exc)


def _check_enabled() -> None:
    message = saved.disabled.get()
    if message is not None:
        raise RuntimeError(message)


class _Packing:
    """The interpreter of one saved_tensors_hooks block."""

    def __init__(self, pack_hook, unpack_hook) -> None:
        self.pair = (pack_hook, unpack_hook)

    def process(self, op, tensors, attrs, target):
        """Run an op, then pack what its nodes save, unless hooks further inside do that."""
        before = sequence()
        result = dispatch(op, tensors, attrs, target)
        if result is not None and saved.hooks.get()[-1] is self.pair:
            outputs = result if isinstance(result, tuple) else (result,)
            for node in saved.recorded_since(result, before):
                if isinstance(node, SavingNode):
                    saved.pack(node, outputs, self.pair)
        return result


class save_on_cpu(saved_tensors_hooks):  # noqa: N801
    """While the block runs, saved tensors are moved to the CPU, and back for backward.

    `pin_memory`: into page-locked memory, without waiting for the copy. Tensors that are on the CPU
    are not copied.
    """

    def __init__(self, pin_memory=False, device_type="cuda") -> None:
        def pack(tensor):
            if not pin_memory or tensor.device.type == "cpu":
                return tensor.device, tensor.detach().cpu()
            copy = empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            return tensor.device, copy.copy_(tensor, non_blocking=True)

        def unpack(content):
            device, tensor = content
            return tensor.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


class disable_saved_tensors_hooks:  # noqa: N801
    """While the block runs, saved_tensors_hooks raise a RuntimeError with `error_message`."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if saved.hooks.get():
            raise RuntimeError(self.error_message)
        self.token = saved.disabled.set(self.error_message)

    def __exit__(self, *exc) -> None:
        saved.disabled.reset(self.token)


class _Original:
    """What a node keeps of a tensor under allow_mutation_on_saved_tensors: a name for it."""

    __slots__ = ("__weakref__",)


class _Originals:
    """The saved tensors by their handles, and copies of those that were about to change."""

    def __init__(self) -> None:
        self.original: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self.cloned: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self.of_memory: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

    def pack(self, tensor: Tensor) -> _Original:
        """Remember a tensor as it is now."""
        handle = _Original()
        self.original[handle] = tensor.detach()
        self.of_memory.setdefault(tensor._storage, []).append(weakref.ref(handle))
        return handle

    def unpack(self, handle: _Original) -> Tensor:
        """The tensor as it was."""
        found = self.cloned.get(handle)
        if found is None:
            found = self.original.get(handle)
        if found is None:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context"
                "in which the graph was originally recorded."
            )
        return found

    def process(self, op, tensors, attrs, target):
        """As an interpreter: copy what is about to change."""
        for t in () if target is None else target if isinstance(target, tuple) else (target,):
            for ref in self.of_memory.pop(t._storage, ()):
                handle = ref()
                if handle is not None and handle in self.original:
                    self.cloned[handle] = self.original.pop(handle).clone()
        return dispatch(op, tensors, attrs, target)

    def clear(self) -> None:
        """Forget all."""
        for held in (self.original, self.cloned, self.of_memory):
            held.clear()


class allow_mutation_on_saved_tensors:  # noqa: N801
    """While the block runs, tensors that were saved for backward may be changed in place: they are
    copied first. Backward must run inside of the block, too.
    """

    _active = False

    def __enter__(self) -> _Originals:
        if allow_mutation_on_saved_tensors._active:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        self.originals = _Originals()
        self.hooks = saved_tensors_hooks(self.originals.pack, self.originals.unpack)
        self.hooks.__enter__()
        self.interpreting = interpreting(self.originals)
        self.interpreting.__enter__()
        allow_mutation_on_saved_tensors._active = True
        return self.originals

    def __exit__(self, *exc) -> None:
        allow_mutation_on_saved_tensors._active = False
        self.interpreting.__exit__(*exc)
        self.hooks.__exit__(*exc)
        self.originals.clear()


def increment_version(tensor) -> None:
    """Tell autograd that a tensor, or each of several, was changed in place by other means."""
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        t._storage.version += 1


class _Handles(RemovableHandle):
    """Several handles in one."""

    def __init__(self, handles) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all") -> RemovableHandle:
    """Call a function once in each backward pass that reaches some of the tensors.

    `mode` "all": `fn(gradients)` when all that this pass computes are there, None for the others.
    "any": `fn(gradient)` with the first one.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    if mode == "any":
        watched = _Any(fn)
        return _Handles(t.register_hook(watched) for t in tensors if t.requires_grad)
    if not all(t.requires_grad for t in tensors):
        raise AssertionError("Expected gradient function to be set")
    together = _All(fn, tensors)
    return _Handles(t.register_hook(together.at(i)) for i, t in enumerate(tensors))


def _walk() -> engine.Task:
    task = engine.current()
    if task is None:
        raise AssertionError("expected this hook to be called inside a backward call")
    return task


class _Any:
    """Lets the first gradient of each backward pass through."""

    def __init__(self, fn) -> None:
        self.fn, self.lock = fn, allocate_lock()
        self.last: int | None = None  # the number of the pass that was seen last

    def __call__(self, grad) -> None:
        number = _walk().number
        with self.lock:
            seen, self.last = self.last == number, number
        if not seen:
            self.fn(grad)


class _All:
    """Collects the gradients of a backward pass."""

    def __init__(self, fn, tensors) -> None:
        self.fn, self.nodes = fn, [node_of(t) for t in tensors]
        self.passes: dict = {}  # by number: gradients, and how many are still to come

    def at(self, index: int):
        """The hook of one tensor."""

        def hook(grad) -> None:
            task = _walk()
            if task.number not in self.passes:
                expected = sum(task.executes(node) for node in self.nodes)
                self.passes[task.number] = [None] * len(self.nodes), [expected]
            grads, remaining = self.passes[task.number]
            grads[index] = grad
            remaining[0] -= 1
            if not remaining[0]:
                del self.passes[task.number]
                self.fn(grads)

        return hook


__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]
