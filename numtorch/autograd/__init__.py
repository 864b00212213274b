"""Automatic differentiation: the engine, `Function`, grad modes, hooks, gradcheck, forward mode."""

import importlib

from ..core.tensor import Tensor
from . import (
    forward_ad,
    function_levels,  # noqa: F401 (Functions below forward mode and vmap)
    graph,
    methods,
)
from .anomaly_mode import detect_anomaly, set_detect_anomaly
from .api import backward, grad
from .engine_modes import (
    enforce_grad_layout_policy,
    is_multithreading_enabled,
    set_multithreading_enabled,
)
from .function import Function
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .gradcheck import gradcheck, gradgradcheck
from .jacobians import GradcheckError
from .variable import Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "enforce_grad_layout_policy",
    "forward_ad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_multithreading_enabled",
    "methods",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


def __getattr__(name: str):
    """The profiler and functional are imported when first used: importing numtorch stays quick."""
    if name in ("functional", "profiler", "profiler_util"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


for _name, _function in methods.METHODS.items():  # the tensors below do not know autograd
    setattr(Tensor, _name, _function)
