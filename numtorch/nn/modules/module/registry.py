"""`Registry`: the parameters, buffers or children of a module, kept where attribute access is fast.

torch keeps them in dictionaries that `__getattr__` searches after the normal look-up has failed:
600 ns for every `self.weight`. A registry also writes its entries to the module's `__dict__`,
where the normal look-up finds them in 24 ns. Every change of the dictionary changes both.
"""

import weakref


class Registry(dict):
    """A dictionary whose entries are attributes of a module, too."""

    __slots__ = ("owner",)

    def __init__(self, owner, items=()):
        super().__init__(items)
        self.owner = weakref.ref(owner)  # weakly: a cycle would keep dead models until the next gc
        owner.__dict__.update(self)

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        self.owner().__dict__[name] = value

    def __delitem__(self, name):
        super().__delitem__(name)
        self.owner().__dict__.pop(name, None)

    def pop(self, name, *default):
        """Remove an entry; returns its value."""
        if name in self:
            self.owner().__dict__.pop(name, None)
        return super().pop(name, *default)

    def popitem(self):
        """Remove the last entry; returns it."""
        name, value = super().popitem()
        self.owner().__dict__.pop(name, None)
        return name, value

    def clear(self):
        """Remove all entries."""
        for name in self:
            self.owner().__dict__.pop(name, None)
        super().clear()

    def update(self, *args, **kwargs):
        """Add the entries of a mapping or of pairs."""
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def setdefault(self, name, default=None):
        """The value of a name, which is set if it is absent."""
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other):
        self.update(other)
        return self

    def __reduce_ex__(self, protocol):
        # copies and pickles hold a plain dictionary; the module makes a registry of it again
        return dict, (dict(self),)
