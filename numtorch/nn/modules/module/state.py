"""state_dict and load_state_dict: a module's tensors as a flat dictionary, and back."""

import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Mapping

from ....autograd import no_grad
from ....tensors import Tensor
from ...parameter import Parameter
from .hooks import add
from .trace import LAYER_ERRORS

EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What load_state_dict returns: the keys that only one side had."""

    __slots__ = ()

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class Checkpoint(OrderedDict):
    """A copy of a state_dict while it is loaded, with the changes to make if all checks pass."""

    def __init__(self, items, changes):
        super().__init__(items)
        self.changes = changes

    def below(self, prefix):
        """The entries under a prefix; their changes go to the same list."""
        return Checkpoint(((k, v) for k, v in self.items() if k.startswith(prefix)), self.changes)


class Loading:
    """What one load_state_dict call has found so far."""

    def __init__(self, metadata, assign):
        self.metadata, self.assign = metadata, assign
        self.missing, self.unexpected, self.errors, self.changes = [], [], [], []

    def visit(self, module, entries, prefix=""):
        """Check a module and its children against the entries under its prefix."""
        metadata = self.metadata.get(prefix[:-1], {})
        if self.assign:
            metadata["assign_to_params_buffers"] = self.assign
        module._load_from_state_dict(
            entries, prefix, metadata, True, self.missing, self.unexpected, self.errors
        )
        for name, child in module._modules.items():
            if child is not None:
                path = f"{prefix}{name}."
                self.visit(child, entries.below(path), path)
        if module._load_state_dict_post_hooks:
            # they may look at the loaded values
            self.apply_changes()
            keys = _IncompatibleKeys(self.missing, self.unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values, if incompatible_keys need to be modified, "
                        "it should be done inplace."
                    )

    def apply_changes(self):
        """Change the module, unless something was found wrong; what fails now is an error too."""
        if not self.errors:
            for change in self.changes:
                change(self.errors)
            self.changes.clear()


class StateDict:
    """The part of `Module` that saves and loads its state."""

    # --------------------------------------------------------------------------- extra state
    def get_extra_state(self):
        """What else to store in the state_dict; a module that overrides it stores it."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: override get_extra_state()")

    def set_extra_state(self, state):
        """Take back what `get_extra_state` gave."""
        raise RuntimeError(f"{type(self).__name__} has no extra state: override set_extra_state()")

    # -------------------------------------------------------------------------------- hooks
    def _register_state_dict_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)`; it may return another one."""
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return add(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` after state_dict() was filled."""
        hook._from_public_api = True
        return add(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` before state_dict() reads the module."""
        return add(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """Call `hook([module,] state_dict, prefix, ...)` before the module is loaded."""
        bound = _WrappedHook(hook, self if with_module else None)
        return add(self._load_state_dict_pre_hooks, bound)

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before the module is loaded; it may change them all.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` after the module and its children were loaded."""
        return add(self._load_state_dict_post_hooks, hook)

    # ------------------------------------------------------------------------------- saving
    def _own_state(self):
        """(name, tensor) of the parameters and persistent buffers of this module alone."""
        for name, param in self._parameters.items():
            if param is not None:
                yield name, param
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Store this module's own state; layers with other state override it."""
        for name, tensor in self._own_state():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """The parameters and persistent buffers of this module and all below it, by path.

        The tensors share memory with the module and are detached, unless `keep_vars`.
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            destination = args[0] if destination is None else destination
            prefix = args[1] if len(args) > 1 and prefix == "" else prefix
            keep_vars = args[2] if len(args) > 2 and keep_vars is False else keep_vars
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            replacement = hook(self, destination, prefix, local_metadata)
            if not getattr(hook, "_from_public_api", False):
                destination = destination if replacement is None else replacement
            elif replacement is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return destination

    # ------------------------------------------------------------------------------ loading
    def _load_from_state_dict(
        self,
        state_dict,
        prefix,
        local_metadata,
        strict,
        missing_keys,
        unexpected_keys,
        error_msgs,
    ):
        """Check this module's own entries and note the changes; the lists collect what is wrong.

        Given a `Checkpoint`, the changes wait there; given a plain dictionary, they happen now.
        """
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = dict(self._own_state())
        changes = []
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                value = matching(key, tensor, state_dict[key], error_msgs)
                if value is not None:
                    changes.append(Replace(self, name, key, tensor, value, assign))
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        if type(self).set_extra_state is not StateDict.set_extra_state:
            if extra in state_dict:
                state = state_dict[extra]
                changes.append(lambda errors: self.set_extra_state(state))
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    head, dot, _ = key[len(prefix) :].partition(".")
                    if head not in (self._modules if dot else own):
                        unexpected_keys.append(key)
        if isinstance(state_dict, Checkpoint):
            state_dict.changes.extend(changes)
        else:
            for change in changes:
                change(error_msgs)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the values of a state_dict into the module; returns the keys only one side had.

        Everything is checked before the first value changes. With `strict` the keys must be the
        module's; with `assign` the module takes the given tensors instead of their values.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        loading = Loading(getattr(state_dict, "_metadata", None) or {}, assign)
        entries = Checkpoint(state_dict, loading.changes)
        if loading.metadata:
            entries._metadata = loading.metadata
        loading.visit(self, entries)
        missing, unexpected, errors = loading.missing, loading.unexpected, loading.errors
        if strict:
            for title, keys in (("Unexpected", unexpected), ("Missing", missing)):
                if keys:
                    names = ", ".join(f'"{key}"' for key in keys)
                    errors.insert(0, f"{title} key(s) in state_dict: {names}. ")
        loading.apply_changes()
        if errors:
            lines = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{lines}"
            )
        return _IncompatibleKeys(missing, unexpected)


def matching(key, current, value, errors):
    """The checkpoint's tensor in the shape of the current one, or None and an error."""
    if not isinstance(value, Tensor):
        errors.append(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(value)}"
        )
        return None
    if current.ndim == 0 and value.shape == (1,):  # how scalars were stored before torch 0.4
        value = value[0]
    if value.shape != current.shape:
        errors.append(
            f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
            f"the shape in current model is {current.shape}."
        )
        return None
    return value


class Replace:
    """The change of one parameter or buffer to the checkpoint's value."""

    __slots__ = ("assign", "current", "key", "module", "name", "value")

    def __init__(self, module, name, key, current, value, assign):
        self.module, self.name, self.key = module, name, key
        self.current, self.value, self.assign = current, value, assign

    def __call__(self, errors):
        current, value = self.current, self.value
        try:
            with no_grad():
                if not self.assign:
                    current.copy_(value)
                    return
                if isinstance(current, Parameter):
                    if isinstance(value, Parameter):
                        value.requires_grad_(current.requires_grad)
                    else:
                        value = Parameter(value, requires_grad=current.requires_grad)
                setattr(self.module, self.name, value)
        except LAYER_ERRORS as error:
            errors.append(
                f'While copying the parameter named "{self.key}", whose dimensions in the model '
                f"are {current.size()} and whose dimensions in the checkpoint are {value.size()}, "
                f"an exception occurred : {error.args}."
            )


class _WrappedHook:
    """A hook together with the module it takes as its first argument, if it takes one."""

    def __init__(self, hook, module=None):
        self.hook, self.module = hook, module

    def __call__(self, *args, **kwargs):
        if self.module is not None:
            args = (self.module, *args)
        return self.hook(*args, **kwargs)
