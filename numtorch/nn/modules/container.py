"""Modules that hold modules: `Sequential`, `ModuleList`, `ModuleDict`."""

import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain

from .module.base import Module, indented

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


def position(index, length):
    """The position that a possibly negative index means; IndexError outside."""
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range")
    return index % length


def pair(owner, number, element):
    """The (key, value) that an element of a sequence given to a dictionary's update holds."""
    if not isinstance(element, Iterable):
        kind = type(element).__name__
        raise TypeError(f"{owner} update sequence element #{number} should be Iterable; is {kind}")
    element = tuple(element)
    if len(element) != 2:
        raise ValueError(
            f"{owner} update sequence element #{number} has length {len(element)}; 2 is required"
        )
    return element


class _ModuleSequence(Module):
    """What `Sequential` and `ModuleList` share: modules that are found by their position."""

    def _name_at(self, index):
        return list(self._modules)[position(index, len(self))]

    def _set_all(self, modules):
        """Hold these modules, named by their positions."""
        self._modules = {str(i): module for i, module in enumerate(modules)}

    def __setitem__(self, idx, module):
        setattr(self, self._name_at(idx), module)

    def __delitem__(self, idx):
        names = list(self._modules)[idx] if isinstance(idx, slice) else [self._name_at(idx)]
        for name in names:
            delattr(self, name)
        self._set_all(self)

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, module):
        """Add a module at the end; returns the container."""
        self.add_module(str(len(self)), module)
        return self

    def pop(self, key):
        """Take a module, or a slice of them, out by its position; returns it."""
        module = self[key]
        del self[key]
        return module


class Sequential(_ModuleSequence):
    """Modules called one after the other, each with the output of the one before.

    Made of modules, or of one OrderedDict of named modules.
    """

    def __init__(self, *args):
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else enumerate(args):
            self.add_module(str(name), module)

    def forward(self, input):
        """Call the modules in order."""
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, idx):
        if isinstance(idx, slice):
            return type(self)(OrderedDict(list(self._modules.items())[idx]))
        return self._modules[self._name_at(idx)]

    def __add__(self, other):
        self._check_addend(other)
        return Sequential(*self, *other)

    def __iadd__(self, other):
        self._check_addend(other)
        return self.extend(list(other))

    def _check_addend(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(
                f"add operator supports only objects of Sequential class, but {type(other)} "
                "is given."
            )

    def __mul__(self, other):
        self._check_factor(other)
        return Sequential(*list(self) * other)

    __rmul__ = __mul__

    def __imul__(self, other):
        self._check_factor(other)
        return self.extend(list(self) * (other - 1))

    def _check_factor(self, other):
        if not isinstance(other, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ValueError(f"Non-positive multiplication factor {other} for {type(self)}")

    def extend(self, sequential):
        """Add modules at the end; returns the container."""
        for module in list(sequential):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before a position; returns the container."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        self._set_all(modules)
        return self


class ModuleList(_ModuleSequence):
    """A list of modules, which are children of the list."""

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, idx):
        if isinstance(idx, slice):
            return type(self)(list(self._modules.values())[idx])
        return self._modules[self._name_at(idx)]

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return ModuleList(chain(self, other))

    def __repr__(self):
        """Equal neighbours are printed once, as (0-2): 3 x ..."""
        runs = []  # [first, last, text]
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({first}): {text}"
            if first == last
            else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        ]
        body = "".join(f"  {indented(line)}\n" for line in lines)
        return f"{self._get_name()}(\n{body})"

    def extend(self, modules):
        """Add modules at the end; returns the list."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleList.extend should be called with an iterable, but got "
                + type(modules).__name__
            )
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index, module):
        """Put a module before a position."""
        modules = list(self)
        modules.insert(index, module)
        self._set_all(modules)


class ModuleDict(Module):
    """An ordered dictionary of modules, which are its children."""

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key):
        """Take a module out by its key; returns it."""
        return self._modules.pop(key)

    def keys(self):
        """The keys."""
        return self._modules.keys()

    def items(self):
        """The (key, module) pairs."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Add the modules of a mapping, or of (key, module) pairs; same keys are replaced."""
        if not isinstance(modules, Iterable):
            raise TypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                + type(modules).__name__
            )
        if isinstance(modules, ModuleDict | Mapping):
            pairs = list(modules.items())
        else:
            pairs = [pair("ModuleDict", i, element) for i, element in enumerate(modules)]
        for key, module in pairs:
            self[key] = module
