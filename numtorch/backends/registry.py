"""(op, device) -> kernel launcher, found on first use, and each device's memory.

The launcher of `conv2d_op` on the CPU is the function `conv2d_op` of `numtorch.ops.conv.cpu`. A
room's `__init__` never imports its device files, so importing numtorch compiles and imports no
kernels.
"""

import importlib
import importlib.util

from ..core import op as contract
from ..core.device import device
from ..core.errors import no_kernel
from ..core.interp import runtime

_backends: dict = {}
_launchers: dict = {}
KNOWN = {"cpu": "numtorch.backends.cpu.memory", "cuda": "numtorch.backends.cuda.memory"}


def memory(dev: device):
    """The module that owns a device's memory: `empty(spec)`, `view`, `from_numpy`, `to_numpy`."""
    found = _backends.get(dev.type)
    if found is None:
        found = _backends[dev.type] = importlib.import_module(KNOWN[dev.type])
    return found


def launcher(op, dev: device):
    """The function that plans a kernel: Specs and attributes in, a function of arrays out."""
    key = op, dev.type
    found = _launchers.get(key)
    if found is None:
        name = f"{op.module}.{dev.type}"
        if importlib.util.find_spec(name) is None:
            raise no_kernel(op.name, dev, name)
        module = importlib.import_module(name)
        found = module.launcher_of(op) if op.generated else getattr(module, op.name, None)
        if found is None:
            raise no_kernel(op.name, dev, name)
        _launchers[key] = found
    return found


def contiguous(parameters=None):
    """Mark a launcher that handles only contiguous tensors: all, or those named. Others are copied
    before the call.
    """
    if callable(parameters):
        parameters.contiguous = True
        return parameters

    def mark(launch):
        launch.contiguous = frozenset(parameters.split()) if parameters else True
        return launch

    return mark


contract.backend.update(launcher=launcher, memory=memory)
runtime["memory"] = memory
