"""`Optimizer`, the base class: groups of parameters with options, state per parameter, hooks."""

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain

from ..autograd import enable_grad, set_grad_enabled
from ..autograd.hooks import RemovableHandle
from ..core.dtype import float32
from ..core.profiling import USER, recorder, span
from ..nn.naming import typename
from ..nn.parameter import clear_grad
from ..tensors import Tensor

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]


class _Required:
    """Marks an option without a default."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()

_pre_hooks_of_all = OrderedDict()
_post_hooks_of_all = OrderedDict()

# The hooks of one optimizer, by what they belong to.
_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def add(registry, hook, prepend=False):
    """Store a hook; returns its handle."""
    handle = RemovableHandle(registry)
    registry[handle.id] = hook
    if prepend:
        registry.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook):
    """Call `hook(optimizer, args, kwargs)` before each step of every optimizer."""
    return add(_pre_hooks_of_all, hook)


def register_optimizer_step_post_hook(hook):
    """Call `hook(optimizer, args, kwargs)` after each step of every optimizer."""
    return add(_post_hooks_of_all, hook)


def with_hooks(step):
    """The step method of a subclass, with hooks around it, and a mark that a step was made."""

    @functools.wraps(step)
    def hooked(self, *args, **kwargs):
        # schedulers ask whether a step came before theirs
        self._opt_called = True
        if not (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _pre_hooks_of_all
            or _post_hooks_of_all
            or recorder.get()
        ):
            return step(self, *args, **kwargs)
        with span(f"Optimizer.step#{type(self).__name__}.step"):
            return between_hooks(self, args, kwargs)

    def between_hooks(self, args, kwargs):
        for hook in chain(_pre_hooks_of_all.values(), self._optimizer_step_pre_hooks.values()):
            changed = hook(self, (self, *args), kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                (self, *args), kwargs = changed
        result = step(self, *args, **kwargs)
        for hook in chain(self._optimizer_step_post_hooks.values(), _post_hooks_of_all.values()):
            hook(self, (self, *args), kwargs)
        return result

    hooked.hooked = True
    return hooked


class Optimizer:
    """Base class of optimizers.

    `params` holds tensors, (name, tensor) pairs, or groups: dictionaries with "params" and options
    of their own. `defaults` holds the options of groups that do not set them.
    """

    _opt_called = False  # whether step() was called; see lr_scheduler
    _added_later: dict = {}  # options that old checkpoints do not have

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = with_hooks(cls.step)

    def __init__(self, params, defaults):
        self.defaults = defaults
        self._add_hook_registries()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {typename(params)}"
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _add_hook_registries(self):
        for name in _HOOKS:
            self.__dict__.setdefault(name, OrderedDict())

    def __getstate__(self):
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._add_hook_registries()
        self.defaults.setdefault("differentiable", False)
        for group in self.param_groups:
            for name, value in self._added_later.items():
                group.setdefault(name, value)

    def __repr__(self):
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    # -------------------------------------------------------------------------------- hooks
    def register_step_pre_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` before each step; it may return other arguments."""
        return add(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return add(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` before state_dict() is made."""
        return add(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` on the result of state_dict(); may replace it."""
        return add(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` before it is loaded; may replace it."""
        return add(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` after a state_dict was loaded."""
        return add(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # -------------------------------------------------------------------------------- state
    def state_dict(self):
        """The state and the options, with numbers in place of the parameters.

        The tensors are the optimizer's own, not copies.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        number = {}
        groups = []
        count = 0
        for group in self.param_groups:
            for i, param in enumerate(group["params"], count):
                number.setdefault(id(param), i)
            count += len(group["params"])
            packed = {key: value for key, value in group.items() if key != "params"}
            packed["params"] = [number[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {
            number[id(key)] if isinstance(key, Tensor) else key: value
            for key, value in self.state.items()
        }
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            replacement = hook(self, result)
            if replacement is not None:
                result = replacement
        return result

    def load_state_dict(self, state_dict):
        """Take over the state and options of a state_dict of the same kind and sizes.

        Floating point state is cast to each parameter's dtype and device.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            replacement = hook(self, state_dict)
            if replacement is not None:
                state_dict = replacement
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        param_of, options_of = {}, {}
        for group, own in zip(saved, self.param_groups, strict=True):
            if len(group["params"]) != len(own["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
            param_of.update(zip(group["params"], own["params"], strict=True))
            options_of.update((key, group) for key in group["params"])
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in param_of:
                state[param_of[key]] = cast(value, None, param_of[key], options_of[key])
            else:
                state[key] = value
        for group, own in zip(saved, self.param_groups, strict=True):
            group["params"] = own["params"]
            if "param_names" in own:
                group.setdefault("param_names", own["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    # ------------------------------------------------------------------------------ training
    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        profiler = recorder.get()
        if profiler is not None:
            record = profiler.open(f"Optimizer.zero_grad#{type(self).__name__}.zero_grad", USER)
        try:
            for group in self.param_groups:
                for param in group["params"]:
                    clear_grad(param, set_to_none)
        finally:
            if profiler is not None:
                profiler.close(record)

    def step(self, closure=None):
        """Change the parameters; every optimizer defines it.

        `closure` computes the loss and its gradients again; its result is returned.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def _run(self, closure, update_group):
        """One step: the closure with autograd, then `update_group(group)` of every group."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with set_grad_enabled(self.defaults["differentiable"]):
            for group in self.param_groups:
                update_group(group)
        return loss

    def add_param_group(self, param_group):
        """Add a group of parameters: a dictionary with "params" and any options of its own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        names = [param[0] for param in params if isinstance(param, tuple)]
        if names and len(names) != len(params):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        if names:
            params = [param for _, param in params]
            param_group["param_names"] = names
        for param in params:
            self._check_param(param)
        param_group["params"] = params
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        own = set(map(id, params))
        if len(own) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=3,
            )
        for group in self.param_groups:
            if ("param_names" in group) != ("param_names" in param_group):
                form = "with" if "param_names" in param_group else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {form} names to the optimizer"
                )
            if not own.isdisjoint(map(id, group["params"])):
                raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def _check_param(self, param):
        if not isinstance(param, Tensor):
            raise TypeError(
                f"optimizer can only optimize Tensors, but one of the params is {typename(param)}"
            )
        if not (self.defaults.get("differentiable") or param.is_leaf or param.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")


def cast(value, key, param, options):
    """A loaded piece of state on the device, and in the dtype, that the parameter needs."""
    if isinstance(value, Tensor):
        if key == "step":  # a counter: stays as it is unless kernels read it on the device
            if options.get("capturable") or options.get("fused"):
                return value.to(dtype=float32, device=param.device)
            return value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {k: cast(v, k, param, options) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(cast(v, None, param, options) for v in value)
    return value
