"""Tools around training: torch.utils."""

import importlib

from . import data

__all__ = ["checkpoint", "data"]


def __getattr__(name: str):
    """Checkpointing needs `nn`, which `data` alone does not."""
    if name == "checkpoint":
        return importlib.import_module(f"{__name__}.checkpoint")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
