"""Functions of functions (torch.func): derivatives and batches that compose to any depth."""

from ..autograd.vmap import vmap
from .debug import debug_unwrap, functionalize
from .forward import jacfwd, jvp
from .module import functional_call, replace_all_batch_norm_modules_, stack_module_state
from .rearrange import rearrange
from .reverse import grad, grad_and_value, hessian, jacrev, linearize, vjp

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "rearrange",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
