"""Functions of layers: torch.nn.functional. Each is defined in its room under `numtorch/ops/`.

A room lists the names that belong here in its `FUNCTIONAL`; this file holds no list of its own.
"""

from importlib import import_module

from ..ops import ROOMS

__all__ = []

for _room in ROOMS:
    _module = import_module(f"..ops.{_room}", __package__)
    for _name in getattr(_module, "FUNCTIONAL", ()):
        globals()[_name] = getattr(_module, _name)
        __all__.append(_name)
