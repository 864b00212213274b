"""`Module`: registration, attributes, calls, modes, printing."""

from ....tensors import Tensor
from ...naming import typename
from ...parameter import Buffer, Parameter, clear_grad
from . import hooks
from .convert import Convert
from .hooks import Hooked
from .registry import Registry
from .state import StateDict
from .trace import LAYER_ERRORS, note_layer
from .tree import Tree

REGISTRIES = ("_parameters", "_buffers", "_modules")


class Module(Hooked, Tree, Convert, StateDict):
    """Base class of all layers and models.

    Assign parameters, buffers and other modules as attributes in `__init__` (after calling
    `super().__init__()`), and define `forward`.
    """

    dump_patches = False
    training: bool
    call_super_init = False
    _version = 1  # of the state_dict's format, for layers whose keys changed over time
    _compiled_call_impl = None

    def __init__(self, *args, **kwargs):
        if not self.call_super_init:
            name = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
            if args:
                raise TypeError(
                    f"{name} takes 1 positional argument but {len(args) + 1} were given"
                )
        # past __setattr__, which needs these dictionaries to exist
        self.__dict__.update(
            training=True,
            _parameters=Registry(self),
            _buffers=Registry(self),
            _non_persistent_buffers_set=set(),
            _modules=Registry(self),
            **hooks.empty(),
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input):
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args, **kwargs):
        state = self.__dict__  # an attribute of a class with __getattr__ costs 50 ns, an entry 20
        try:
            if (
                state["_forward_hooks"]
                or state["_forward_pre_hooks"]
                or state["_backward_hooks"]
                or state["_backward_pre_hooks"]
                or hooks.any_global
                or "_compiled_call_impl" in state
            ):
                return self._call_with_hooks(*args, **kwargs)
            return self.forward(*args, **kwargs)
        except LAYER_ERRORS as error:
            note_layer(error, self)
            raise

    # ------------------------------------------------------------------------- registration
    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that is state but no parameter; `persistent` ones are in the state_dict."""
        self._check_new_name("buffer", name, self.__dict__.get("_buffers"))
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = hooks.registered(hooks.BUFFER_HOOKS, self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name, param):
        """Add a parameter under a name; it is then an attribute of the module."""
        self._check_new_name("parameter", name, self.__dict__.get("_parameters"))
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
        self._parameters[name] = hooks.registered(hooks.PARAMETER_HOOKS, self, name, param)

    def add_module(self, name, module):
        """Add a child module under a name; it is then an attribute of the module."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_new_name("module", name, self.__dict__.get("_modules"))
        self._modules[name] = hooks.registered(hooks.MODULE_HOOKS, self, name, module)

    def register_module(self, name, module):
        """Another name of `add_module`."""
        self.add_module(name, module)

    def _check_new_name(self, kind, name, owner):
        if owner is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in owner:
            raise KeyError(f"attribute '{name}' already exists")

    # --------------------------------------------------------------------------- attributes
    def __getattr__(self, name):
        # only reached when normal look-up fails, which it does not for what a Registry holds
        state = self.__dict__
        if "_parameters" in state:
            owner = state["_parameters"]
            if name in owner:
                return owner[name]
            owner = state["_buffers"]
            if name in owner:
                return owner[name]
            owner = state["_modules"]
            if name in owner:
                return owner[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name, value):
        state = self.__dict__
        parameters = state.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, "_parameters")
            self.register_parameter(name, value)
            return
        if parameters is None:
            if isinstance(value, Module):
                raise AttributeError("cannot assign module before Module.__init__() call")
            object.__setattr__(self, name, value)
            return
        if name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
            return
        modules = state["_modules"]
        if isinstance(value, Module):
            self._forget(name, "_modules")
            modules[name] = hooks.registered(hooks.MODULE_HOOKS, self, name, value)
        elif name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            modules[name] = hooks.registered(hooks.MODULE_HOOKS, self, name, value)
        elif name in state["_buffers"] or (isinstance(value, Tensor) and isinstance(value, Buffer)):
            self._set_buffer(name, value)
        elif name in REGISTRIES:
            entries = dict(value)  # a copy, as `value` may be the registry itself (after `|=`)
            state[name].clear()
            state[name] = Registry(self, entries)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name, value):
        """Assign to a buffer; a `Buffer` says itself whether it is persistent."""
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            self._forget(name, "_buffers")
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        # by way of register_buffer, which subclasses override
        if persistent:
            self.register_buffer(name, value)
        else:
            self.register_buffer(name, value, persistent=False)

    def _forget(self, name, keep):
        """Drop a name from the instance and all registries but `keep`, before it moves there."""
        state = self.__dict__
        state.pop(name, None)
        for registry in REGISTRIES:
            if registry != keep:
                state[registry].pop(name, None)
        if keep != "_buffers":
            self._non_persistent_buffers_set.discard(name)

    def __delattr__(self, name):
        for registry in REGISTRIES:
            if name in self.__dict__[registry]:
                del self.__dict__[registry][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self):
        names = {*dir(type(self)), *self.__dict__, *self._parameters, *self._modules}
        return sorted(name for name in names | {*self._buffers} if not name[:1].isdigit())

    def __getstate__(self):
        registered = {*self._parameters, *self._buffers, *self._modules, "_compiled_call_impl"}
        return {key: value for key, value in self.__dict__.items() if key not in registered}

    def __setstate__(self, state):
        # what an older pickle lacks
        self.__dict__.update(_non_persistent_buffers_set=set(), **hooks.empty())
        self.__dict__.update(state)
        for name in REGISTRIES:
            self.__dict__[name] = Registry(self, state[name])

    # ------------------------------------------------------------------------------- modes
    def train(self, mode=True):
        """Set training mode (dropout, batch norm) here and in all children; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self):
        """Set evaluation mode; the same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad=True):
        """Say whether autograd records operations on the parameters; returns the module."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for param in self.parameters():
            clear_grad(param, set_to_none)

    # ----------------------------------------------------------------------------- printing
    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What stands between the parentheses of the module's printed form."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(m))}" for name, m in self._modules.items()]
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({extra})"
        body = "".join(f"  {line}\n" for line in lines + children)
        return f"{self._get_name()}({body and chr(10) + body})"


def indented(text):
    """The text with all lines but the first moved two columns to the right."""
    return text.replace("\n", "\n  ")
