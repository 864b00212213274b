"""numtorch: PyTorch's API as a small Python package whose hot loops are Numba kernels."""

import importlib as _importlib
import math as _math

# First, and from here: Python 3.11 and later keep frames in blocks of 16 KiB, and an import of
# NumPy from deep inside our own modules crosses the end of a block at every call of `typing`,
# which costs 30 ms (measured: 97 ms instead of 67).
import numpy as _numpy  # noqa: F401

from . import autograd
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .autograd.anomaly_mode import (
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_enabled,
)
from .autograd.vmap import vmap
from .backends import registry as _registry
from .core import dtype as _dtypes
from .core.device import device
from .core.dtype import (
    can_cast,
    dtype,
    get_default_dtype,
    promote_types,
    set_default_dtype,
)
from .core.random import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from .core.shape import Size, broadcast_shapes
from .ops.copy import clone, contiguous_format, memory_format, preserve_format
from .tensors import Tensor
from .tensors import attach as _attach
from .tensors.convert import from_dlpack
from .tensors.printing import set_printoptions
from .tensors.properties import is_complex, is_floating_point, is_inference, numel
from .threads import get_num_threads, set_num_threads
from .version import __version__

inf, nan, pi, e, newaxis = _math.inf, _math.nan, _math.pi, _math.e, None
globals().update(_dtypes.ALIASES)
for _room in _attach.rooms():
    globals().update((_name, getattr(_room, _name)) for _name in _room.__all__)

_LAZY = (
    "backends",
    "cli",
    "compiler",
    "cuda",
    "func",
    "nn",
    "optim",
    "profiler",
    "random",
    "serialization",
    "utils",
    "vision",
)


def __getattr__(name: str):
    """Subpackages are imported when they are first used: importing numtorch stays quick."""
    if name in _LAZY:
        return _importlib.import_module(f"{__name__}.{name}")
    if name in ("load", "save"):
        return getattr(_importlib.import_module(f"{__name__}.serialization"), name)
    raise AttributeError(f"module 'numtorch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


def is_tensor(obj) -> bool:
    """Whether an object is a Tensor."""
    return isinstance(obj, Tensor)


def result_type(tensor1, tensor2) -> dtype:
    """The dtype that an arithmetic operation of the two gives."""
    from .core.spec import weak  # noqa: PLC0415

    return _dtypes.result_type_of(
        [t._spec if isinstance(t, Tensor) else weak(t) for t in (tensor1, tensor2)]
    )
