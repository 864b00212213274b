"""Hooks of modules: functions called before and after `forward`, and during the backward pass.

A hook lives in an ordered dictionary, of one module or of all; its handle removes it from there.
"""

import warnings
from collections import OrderedDict
from itertools import chain

from ....autograd.hooks import RemovableHandle
from ....tensors import Tensor
from .backward_hooks import BackwardHooks, hook_graph_node

# Hooks of every module, by kind.
_forward_pre = OrderedDict()
_forward = OrderedDict()
_forward_with_kwargs = OrderedDict()
_forward_always_called = OrderedDict()
_backward_pre = OrderedDict()
_backward = OrderedDict()
_backward_is_full = None

# Called with (module, name, object) when something is registered; may return a replacement.
BUFFER_HOOKS = OrderedDict()
MODULE_HOOKS = OrderedDict()
PARAMETER_HOOKS = OrderedDict()

# Turns true with the first hook of all modules, so that calls without any test one name only.
any_global = False

# The ordered dictionaries of a module, for its hooks and for marks on them.
_OWN = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)

ONE_KIND = (
    "Cannot use both regular backward hooks and full backward hooks {}. "
    "Please use only one of them."
)


def empty():
    """The attributes of a module that has no hooks."""
    return {"_is_full_backward_hook": None, **{name: OrderedDict() for name in _OWN}}


def add(registry, hook, *, prepend=False, marks=()):
    """Store a hook in a registry, and its id in the `marks` that apply; returns its handle."""
    handle = RemovableHandle(registry, extra_dict=list(marks))
    registry[handle.id] = hook
    if prepend:
        registry.move_to_end(handle.id, last=False)
    for mark in marks:
        mark[handle.id] = True
    return handle


def add_global(registry, hook, *, marks=()):
    """Store a hook of all modules; returns its handle."""
    global any_global
    any_global = True
    return add(registry, hook, marks=marks)


def registered(registry, module, name, thing):
    """What the registration hooks make of a thing that is about to be registered."""
    for hook in registry.values():
        replacement = hook(module, name, thing)
        if replacement is not None:
            thing = replacement
    return thing


# ----------------------------------------------------------------------- hooks of all modules
def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` whenever a buffer is registered; may replace it."""
    return add(BUFFER_HOOKS, hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` whenever a child is registered; may replace it."""
    return add(MODULE_HOOKS, hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, param)` whenever a parameter is registered; may replace it."""
    return add(PARAMETER_HOOKS, hook)


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module; may replace the arguments."""
    return add_global(_forward_pre, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)` after the forward of every module; may replace output.

    With `with_kwargs` it is `hook(module, args, kwargs, output)`; with `always_call` it is called
    even if the forward raises.
    """
    marks = [_forward_with_kwargs] * with_kwargs + [_forward_always_called] * always_call
    return add_global(_forward, hook, marks=marks)


def register_module_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` when the last step of a module is derived.

    Deprecated: a module of several steps gives the gradients of its last one only.
    """
    return _add_global_backward(hook, full=False)


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` when the gradients of a module's outputs are known."""
    return add_global(_backward_pre, hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` when a module's input gradients are known."""
    return _add_global_backward(hook, full=True)


def _add_global_backward(hook, full):
    global _backward_is_full
    if _backward_is_full is (not full):
        raise RuntimeError(ONE_KIND.format("as a global Module hook"))
    _backward_is_full = full
    return add_global(_backward, hook)


class Hooked:
    """The part of `Module` that keeps hooks and makes calls that have some."""

    # ------------------------------------------------------------------------- registration
    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before forward; it may return other arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, which may return a pair of both.
        """
        marks = [self._forward_pre_hooks_with_kwargs] * with_kwargs
        return add(self._forward_pre_hooks, hook, prepend=prepend, marks=marks)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after forward; it may return another output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`; with `always_call` it is
        called even if forward raises.
        """
        marks = [self._forward_hooks_with_kwargs] * with_kwargs
        marks += [self._forward_hooks_always_called] * always_call
        return add(self._forward_hooks, hook, prepend=prepend, marks=marks)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` when the gradients of the outputs are known.

        It may return other gradients.
        """
        return add(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when the input gradients are known.

        It may return other input gradients.
        """
        return self._add_backward(hook, True, prepend)

    def register_backward_hook(self, hook):
        """Call `hook(module, grad_input, grad_output)` when the module's last step is derived.

        Deprecated in favour of `register_full_backward_hook`.
        """
        return self._add_backward(hook, False, False)

    def _add_backward(self, hook, full, prepend):
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(ONE_KIND.format("on a single Module"))
        self._is_full_backward_hook = full
        return add(self._backward_hooks, hook, prepend=prepend)

    # ------------------------------------------------------------------------------ calling
    def _call_with_hooks(self, *args, **kwargs):
        """One call of the module with all its hooks."""
        call = Call(self, args, kwargs)
        try:
            return call.run()
        finally:
            # after a success this finds nothing left to do
            call.run_skipped()


class Call:
    """One call of a module that has hooks."""

    def __init__(self, module, args, kwargs):
        self.module, self.args, self.kwargs = module, args, kwargs
        self.result = None
        self.called = set()  # ids of the forward hooks that ran
        self.done = False

    def run(self):
        module = self.module
        full = [*self._backward_hooks(True)]
        pre = [*_backward_pre.values(), *module._backward_pre_hooks.values()]
        self._run_pre_hooks()
        gate = BackwardHooks(module, full, pre) if full or pre else None
        if gate:
            self.args = gate.watch_inputs(self.args)
        self.result = (module._compiled_call_impl or module.forward)(*self.args, **self.kwargs)
        for key, hook in chain(_forward.items(), module._forward_hooks.items()):
            self.called.add(key)
            self._run_forward_hook(key, hook)
        if gate:
            if not isinstance(self.result, (Tensor, tuple)):
                warnings.warn(
                    "For backward hooks to be called, module output should be a Tensor or a tuple "
                    f"of Tensors but received {type(self.result)}",
                    stacklevel=5,
                )
            self.result = gate.watch_outputs(self.result)
        for hook in self._backward_hooks(False):
            hook_graph_node(module, hook, self.result)
        self.done = True
        return self.result

    def _backward_hooks(self, full):
        module = self.module
        if _backward_is_full is full:
            yield from _backward.values()
        if module._is_full_backward_hook is full:
            yield from module._backward_hooks.values()

    def _run_pre_hooks(self):
        module = self.module
        for key, hook in chain(_forward_pre.items(), module._forward_pre_hooks.items()):
            if key in module._forward_pre_hooks_with_kwargs:
                changed = hook(module, self.args, self.kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                self.args, self.kwargs = changed
            else:
                changed = hook(module, self.args)
                if changed is not None:
                    self.args = changed if isinstance(changed, tuple) else (changed,)

    def _run_forward_hook(self, key, hook):
        module = self.module
        if key in module._forward_hooks_with_kwargs or key in _forward_with_kwargs:
            changed = hook(module, self.args, self.kwargs, self.result)
        else:
            changed = hook(module, self.args, self.result)
        if changed is not None:
            self.result = changed

    def run_skipped(self):
        """After an error: the always_call hooks that it kept from running."""
        if self.done:
            return
        module = self.module
        for kind, always, hooks in (
            ("global module", _forward_always_called, _forward),
            ("module", module._forward_hooks_always_called, module._forward_hooks),
        ):
            for key in [key for key in hooks if key in always and key not in self.called]:
                try:
                    self._run_forward_hook(key, hooks[key])
                except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError,
                        ValueError) as error:  # fmt: skip
                    # the error of forward is the one to show
                    warnings.warn(
                        f"{kind} forward hook with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {error}",
                        stacklevel=4,
                    )
