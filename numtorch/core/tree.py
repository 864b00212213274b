"""Nested tuples, lists and dicts of values, flattened and put together again (torch calls them
pytrees).
"""

from collections import defaultdict, deque
from typing import Any


def is_namedtuple(value) -> bool:
    """Whether a value is an instance of a collections.namedtuple."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def flatten(tree) -> tuple[list, Any]:
    """The leaves of a tree, and its structure: what `unflatten` needs."""
    make: Any
    if isinstance(tree, (tuple, list, deque)):
        children, make = list(tree), type(tree)
        keys = None
    elif isinstance(tree, dict):
        keys = list(tree)
        children, make = [tree[k] for k in keys], type(tree)
    else:
        return [tree], None
    leaves, structures = [], []
    for child in children:
        found, structure = flatten(child)
        leaves += found
        structures.append(structure)
    factory = tree.default_factory if isinstance(tree, defaultdict) else None
    return leaves, (make, keys, tuple(structures), factory)


def unflatten(leaves, structure):
    """The tree of this structure with other leaves."""
    return _build(iter(leaves), structure)


def _build(leaves, structure):
    if structure is None:
        return next(leaves)
    make, keys, structures, factory = structure
    children = [_build(leaves, s) for s in structures]
    if keys is None:
        if issubclass(make, tuple) and hasattr(make, "_fields"):
            return make(*children)
        try:
            return make(children)
        except TypeError:  # torch's kind of result with named fields
            return make(*children)
    pairs = zip(keys, children, strict=True)
    if issubclass(make, defaultdict):
        return make(factory, pairs)
    return make(pairs)


def map_leaves(f, tree):
    """The tree with `f` of each leaf."""
    leaves, structure = flatten(tree)
    return unflatten([f(x) for x in leaves], structure)


def broadcast(prefix, tree) -> list | None:
    """For each leaf of `tree` the leaf of `prefix` that stands above it; None where they do not
    fit.
    """
    leaves, structure = flatten(tree)
    found = _spread(prefix, structure)
    return found if found is not None and len(found) == len(leaves) else None


def _spread(prefix, structure):
    if structure is None:
        return None if isinstance(prefix, (tuple, list, dict)) else [prefix]
    if not isinstance(prefix, (tuple, list, dict, deque)):
        return [prefix] * _count(structure)
    make, keys, structures, _ = structure
    if keys is not None:
        if not isinstance(prefix, dict) or list(prefix) != keys:
            return None
        children = [prefix[k] for k in keys]
    else:
        if isinstance(prefix, dict) or isinstance(prefix, tuple) != issubclass(make, tuple):
            return None
        children = list(prefix)
    if len(children) != len(structures):
        return None
    out = []
    for child, inner in zip(children, structures, strict=True):
        part = _spread(child, inner)
        if part is None:
            return None
        out += part
    return out


def _count(structure) -> int:
    return 1 if structure is None else sum(_count(s) for s in structure[2])
