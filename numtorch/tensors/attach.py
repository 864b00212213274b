"""Gives Tensor its methods: those of every room of ops/, and those of this folder."""

import functools
import importlib

from ..core.tensor import Tensor
from ..ops import ROOMS
from . import convert, indexing, properties


@functools.cache
def rooms() -> list:
    """The modules of all rooms."""
    return [importlib.import_module(f"numtorch.ops.{name}") for name in ROOMS]


def attach() -> None:
    """Set every method and property. A public function and the method are one object."""
    for room in rooms():
        for name, function in (room.METHODS | getattr(room, "PROPERTIES", {})).items():
            setattr(Tensor, name, function)
    for module in (properties, convert, indexing):
        for name, function in module.METHODS.items():
            setattr(Tensor, name, function)
    for name, value in properties.PROPERTIES.items():
        setattr(Tensor, name, value)
    # __eq__ compares elements, so hashing is by identity
    Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]
    Tensor.__module__ = "torch"
    Tensor.__array_priority__ = 1000  # ndarray + tensor asks the tensor first


attach()
