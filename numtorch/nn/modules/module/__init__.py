"""`Module`, the base class of layers and models, and the hooks of all modules.

base.py: registration, attributes, calls, printing. registry.py: where parameters live. tree.py:
walking. convert.py: devices and dtypes. state.py: state_dict. hooks.py and backward_hooks.py: hooks
and the calls that have some. trace.py: the layer's path in errors.
"""

from .base import Module
from .hooks import (
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from .state import _IncompatibleKeys

__all__ = [
    "Module",
    "_IncompatibleKeys",
    "register_module_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
