"""`rearrange`: reshaping and permuting by a pattern of named axes.

Source of the notation: Rogozhnikov, "Einops: Clear and Reliable Tensor Manipulations", ICLR 2022.
"""

import math
import re

from ..core.tensor import Tensor
from ..ops.join import stack

ELLIPSIS = "…"  # one character, so that "..." is a name like others
_TOKEN = re.compile(r"\s+|[A-Za-z_][A-Za-z0-9_]*|\d+|[()…]|(.)")


def rearrange(tensor, pattern, **axes_lengths):
    """A tensor (or a list of tensors, stacked) with its axes in another order, split or joined.

    `pattern`: "b c (h w) -> b h w c" splits the last axis into h and w and moves c behind them;
    `axes_lengths` give the sizes that do not follow, all of a group but one; "..." stands for any
    axes. Raises ValueError for patterns that are wrong, RuntimeError for sizes that do not fit.
    """
    if not isinstance(tensor, Tensor):
        tensor = stack(list(tensor))
    left, right = _sides(pattern)
    names = {n for group in left for n in group}
    unknown = set(axes_lengths) - names
    if unknown:
        raise ValueError(f"Identifiers not found in rearrange expression: {unknown}")
    shape = tuple(tensor.shape)
    count = sum(group != [ELLIPSIS] for group in left)
    if count > len(shape) or (count < len(shape) and [ELLIPSIS] not in left):
        raise ValueError(
            f"Number of dimensions in pattern ({count}) must be equal to the number of dimensions "
            f"in the tensor ({len(shape)})"
        )
    sizes: dict = {}
    names_in_order: list = []
    position = 0
    for group in left:
        if group == [ELLIPSIS]:
            width = len(shape) - count
            sizes[ELLIPSIS] = shape[position : position + width]
            names_in_order += [(ELLIPSIS, i) for i in range(width)]
            position += width
            continue
        _measure(group, shape[position], axes_lengths, sizes)
        names_in_order += [(n, 0) for n in group]
        position += 1
    split = tensor.reshape([_size(sizes, *key) for key in names_in_order])
    order, final = [], []
    for group in right:
        keys = [
            key
            for n in group
            for key in ([(n, i) for i in range(len(sizes[n]))] if n == ELLIPSIS else [(n, 0)])
        ]
        order += [names_in_order.index(key) for key in keys]
        if group == [ELLIPSIS]:
            final += sizes[ELLIPSIS]
        else:
            final.append(math.prod(_size(sizes, *key) for key in keys))
    return split.permute(order).reshape(final)


def _size(sizes, name, index):
    found = sizes[name]
    return found[index] if name == ELLIPSIS else found


def _measure(group, size: int, given: dict, sizes: dict) -> None:
    """The sizes of the axes that one dimension consists of."""
    open_names = [n for n in group if n not in given]
    known = math.prod(given[n] for n in group if n in given)
    if len(open_names) > 1:
        raise RuntimeError(
            f"rearrange: cannot infer the sizes of {' and '.join(open_names)} at once; give one by "
            f"keyword (their dimension has size {size})"
        )
    if (size != known and not open_names) or (open_names and (not known or size % known)):
        raise RuntimeError(
            f"rearrange: inferred dimension does not evenly fit into larger dimension: {size} vs "
            f"{tuple(given.get(n, '?') for n in group)}"
        )
    for n in group:
        sizes[n] = given[n] if n in given else size // known


def _sides(pattern: str):
    """Both sides of a pattern as lists of groups of names."""
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError("Pattern must contain a single '->' separator")
    left, right = (_groups(side) for side in sides)
    names = [{n for g in side for n in g} for side in (left, right)]
    if (ELLIPSIS in names[0]) != (ELLIPSIS in names[1]):
        have, lack = ("left", "right") if ELLIPSIS in names[0] else ("right", "left")
        raise ValueError(
            f"Ellipsis found in {have} side, but not {lack} side of a pattern {pattern}"
        )
    if names[0] != names[1]:
        raise ValueError(
            "Identifiers only on one side of rearrange expression (should be on both): "
            f"{names[0] ^ names[1]}"
        )
    if any(ELLIPSIS in g and len(g) > 1 for g in left):
        raise ValueError(f"Ellipsis inside parenthesis in the left side is not allowed: {pattern}")
    return left, right


def _groups(side: str) -> list:
    text = side.replace("...", ELLIPSIS)
    if "." in text or text.count(ELLIPSIS) > 1:
        raise ValueError(
            "Expression may contain dots only inside ellipsis (...); only one ellipsis for tensor"
        )
    groups: list = []
    inside, seen = False, set()
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.group(1):
            raise ValueError(f"Unknown character '{token}'")
        if token.isspace():
            continue
        if token == "(":
            if inside:
                raise ValueError(
                    "Axis composition is one-level (brackets inside brackets not allowed)"
                )
            inside = True
            groups.append([])
        elif token == ")":
            if not inside:
                raise ValueError("Brackets are not balanced")
            inside = False
        elif token.isdigit():
            if token != "1":
                raise ValueError("rearrange only supports unnamed axes of size 1")
            if not inside:
                groups.append([])
        else:
            if token in seen:
                raise ValueError(f"Indexing expression contains duplicate dimension '{token}'")
            seen.add(token)
            if inside:
                groups[-1].append(token)
            else:
                groups.append([token])
    if inside:
        raise ValueError(f"Imbalanced parentheses in expression: '{side.strip()}'")
    return groups
