"""Einstein summation: operands brought to common dimensions, contracted from left to right as
batched products.
"""

import math

from ...core.out import to_out
from ...core.tensor import Tensor
from .product import C_NAMES, matmul_op, mm_op, scalar_type, tensors

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ELLIPSIS = "..."


# -- the equation --------------------------------------------------------------------------------
def subscripts(text: str, whose: str, start: int = 0) -> list[str]:
    """One operand's part of an equation as a list of letters, with `...` as one item.

    `start` is for messages.
    """
    found: list[str] = []
    i = 0
    output = whose == "output"
    while i < len(text):
        c = text[i]
        if c == ".":
            if ELLIPSIS in found:
                tail = (
                    "but an ellipsis (...) was already found"
                    if output
                    else "for which an ellipsis was already found"
                )
                raise RuntimeError(f"einsum(): found '.' for {whose} {tail}")
            if text[i : i + 3] != ELLIPSIS:
                tail = " (...)" if output else ""
                raise RuntimeError(
                    f"einsum(): found '.' for {whose} that is not part of any ellipsis{tail}"
                )
            found.append(ELLIPSIS)
            i += 2
        elif c in LETTERS:
            if output and c in found:
                raise RuntimeError(
                    f"einsum(): output subscript {c} appears more than once in the output"
                )
            found.append(c)
        elif c != " ":
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + i} in the equation string, "
                "subscripts must be in "
                "[a-zA-Z]"
            )
        i += 1
    return found


def parse(equation: str) -> tuple[list[list[str]], list[str] | None]:
    """The subscripts of each operand, and of the output if the equation names them."""
    left, arrow, right = equation.partition("->")
    labels, start = [], 0
    for k, part in enumerate(left.split(",")):
        labels.append(subscripts(part, f"operand {k}", start))
        start += len(part) + 1
    return labels, subscripts(right, "output", len(left) + 2) if arrow else None


def from_sublists(arguments) -> tuple[list[list[str]], list[str] | None, list]:
    """The form `einsum(x, [0, 1], y, [1, 2], [0, 2])` as labels and operands."""
    count = len(arguments) // 2
    operands = list(arguments[: 2 * count : 2])
    labels = [_letters(s, f"operand {k}") for k, s in enumerate(arguments[1 : 2 * count : 2])]
    return labels, _letters(arguments[-1], "output") if len(arguments) % 2 else None, operands


def _letters(sublist, whose: str) -> list[str]:
    text = []
    for s in sublist:
        if s is Ellipsis:
            text.append(ELLIPSIS)
        elif not 0 <= s < len(LETTERS):
            raise ValueError(
                "einsum(): subscript in subscript list is not within the valid range [0, "
                f"{len(LETTERS)})"
            )
        else:
            text.append(LETTERS[s])
    return subscripts("".join(text), whose)


def implicit_output(labels) -> list[str]:
    """The ellipsis, then every letter that occurs once, upper case first."""
    every = [c for one in labels for c in one if c != ELLIPSIS]
    once = sorted(c for c in set(every) if every.count(c) == 1)
    return [*([ELLIPSIS] if any(ELLIPSIS in one for one in labels) else []), *once]


def plan(labels, output, shapes):
    """The letters of the result and of the summed dimensions, and each operand's own dimensions by
    letter.

    An ellipsis becomes dimensions named by numbers, -1 for the last.
    """
    if len(shapes) != len(labels):
        which = "fewer" if len(shapes) < len(labels) else "more"
        raise RuntimeError(
            f"einsum(): {which} operands were provided than specified in the equation"
        )
    hidden, named = 0, []
    for k, (one, shape) in enumerate(zip(labels, shapes, strict=True)):
        letters = len(one) - (ELLIPSIS in one)
        extra = len(shape) - letters
        if extra < 0 or (extra and ELLIPSIS not in one):
            tail = "but no" if extra < 0 and ELLIPSIS in one else "and no"
            given = (
                "and no ellipsis was given"
                if ELLIPSIS not in one
                else f"{tail} dimensions are left for it"
            )
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({letters}) does not match "
                "the number of dimensions "
                f"({len(shape)}) for operand {k} {given}"
            )
        hidden = max(hidden, extra)
        dims: list = []
        for c in one:
            dims.extend(range(-extra, 0) if c == ELLIPSIS else [c])
        named.append(dims)
    sizes = _sizes(named, shapes)
    result: list = []
    for c in implicit_output(labels) if output is None else output:
        if c == ELLIPSIS:
            result.extend(range(-hidden, 0))
        elif c not in sizes:
            raise RuntimeError(
                f"einsum(): output subscript {c} does not appear in the equation for any input "
                "operand"
            )
        else:
            result.append(c)
    return result, [c for c in sizes if c not in result], named


def _sizes(named, shapes) -> dict:
    sizes: dict = {}
    for k, (dims, shape) in enumerate(zip(named, shapes, strict=True)):
        own: dict = {}
        for c, n in zip(dims, shape, strict=True):
            if own.setdefault(c, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {c} is repeated for operand {k} but the sizes don't "
                    f"match, {n} != {own[c]}"
                )
            if sizes.get(c, 1) not in (1, n) and n != 1:
                if isinstance(c, int):
                    raise RuntimeError(
                        f"einsum(): operands do not broadcast: dimension {c} of the ellipsis has "
                        f"size {n} for operand {k} "
                        f"and was seen with size {sizes[c]}"
                    )
                raise RuntimeError(
                    f"einsum(): subscript {c} has size {n} for operand {k} which does not "
                    "broadcast with previously seen "
                    f"size {sizes[c]}"
                )
            sizes[c] = n if sizes.get(c, 1) == 1 else sizes[c]
    return sizes


# -- the contraction -----------------------------------------------------------------------------
def unrepeated(t, dims: list):
    """The operand with one dimension for each letter: diagonals of those that are repeated."""
    dims = list(dims)
    for c in dict.fromkeys(dims):
        while dims.count(c) > 1:
            first = dims.index(c)
            second = dims.index(c, first + 1)
            t = t.diagonal(0, first, second)  # its dimension comes last
            dims = [d for i, d in enumerate(dims) if i not in (first, second)] + [c]
    return t, dims


def aligned(t, dims: list, order: list):
    """The operand with the dimensions `order`, of size 1 where it lacks them."""
    t = t.permute([dims.index(c) for c in order if c in dims])
    for position, c in enumerate(order):
        if c not in dims:
            t = t.unsqueeze(position)
    return t


def pair(a, b, summed: list[int]):
    """The product of two aligned operands, summed over some dimensions, which keep size 1."""
    sa, sb = a._spec.shape, b._spec.shape
    both = [d for d in summed if sa[d] != 1 and sb[d] != 1]
    only_a = [d for d in summed if sb[d] == 1]
    only_b = [d for d in summed if sa[d] == 1 and sb[d] != 1]
    if only_a and any(sa[d] != 1 for d in only_a):
        a = a.sum(only_a, True)
    if only_b:
        b = b.sum(only_b, True)
    rest = [d for d in range(len(sa)) if d not in summed]
    batch = [d for d in rest if sa[d] != 1 and sb[d] != 1]
    rows = [d for d in rest if sb[d] == 1]
    columns = [d for d in rest if sa[d] == 1 and sb[d] != 1]
    if a._spec.dtype is not b._spec.dtype:
        raise RuntimeError(
            f"expected scalar type {scalar_type(a._spec)} but found {scalar_type(b._spec)}"
        )
    if not both:
        return a * b
    gone = [d for d in summed if d not in both]

    def folded(t, shape, *groups):
        t = t.permute([d for g in groups for d in g] + _others(groups, len(shape)))
        return t.reshape([math.prod(shape[d] for d in g) for g in groups])

    n = len(sa)
    if batch:
        product = matmul_op(
            folded(a, sa, batch, rows, both), folded(b, sb, batch, both, columns), False, False
        )
    else:
        product = mm_op(folded(a, sa, rows, both), folded(b, sb, both, columns), False, False)
    order = [*batch, *rows, *columns]
    sizes = [sa[d] if sa[d] != 1 else sb[d] for d in order]
    product = product.reshape(sizes + [1] * len(both + gone))
    order = [*order, *both, *gone]
    return product.permute([order.index(d) for d in range(n)])


def _others(groups, n: int) -> list[int]:
    """The dimensions in no group: they have size 1 here."""
    used = {d for g in groups for d in g}
    return [d for d in range(n) if d not in used]


def contract(labels, output, operands):
    """The sum of products that the labels describe."""
    shapes = [tuple(t._spec.shape) for t in operands]
    result, summed, named = plan(labels, output, shapes)
    order = [*result, *summed]
    left = []
    for t, dims in zip(operands, named, strict=True):
        t, dims = unrepeated(t, dims)
        left.append(aligned(t, dims, order))
    whole = left[0]
    later = [[d for d in range(len(result), len(order)) if t._spec.shape[d] != 1] for t in left]
    done: set[int] = set()
    for k, t in enumerate(left[1:], 1):
        waiting = {d for dims in later[k + 1 :] for d in dims}
        now = [d for d in range(len(result), len(order)) if d not in waiting and d not in done]
        whole = pair(whole, t, now)
        done.update(now)
    rest = [d for d in range(len(result), len(order)) if d not in done]
    if rest:
        whole = whole.sum(rest, True)
    if summed:
        whole = whole.reshape(tuple(whole._spec.shape)[: len(result)])
    return whole


def einsum(*args):
    """Sums of products of elements, by Einstein's convention: `einsum("ij,jk->ik", a, b)`.

    Letters name dimensions; `...` stands for any leading ones, which broadcast; a letter missing
    in the output is summed over; without `->` the output has the letters that occur once. Also
    `einsum(a, [0, 1], b, [1, 2], [0, 2])`.
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its "
            "subscripts list"
        )
    if isinstance(args[0], Tensor):
        labels, output, operands = from_sublists(args)
    else:
        labels, output = parse(args[0])
        operands = list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
            operands = list(operands[0])
    for t in operands:
        tensors("einsum", operands=t)
    return contract(labels, output, operands)


# -- tensordot -----------------------------------------------------------------------------------
def tensordot(a, b, dims=2, out=None):
    """Products summed over the last `dims` dimensions of `a` and the first of `b`, or over two
    lists of dimensions.
    """
    tensors("tensordot", a=a, b=b)
    sa, sb = tuple(a._spec.shape), tuple(b._spec.shape)
    first, second = _dimensions(dims, len(sa), len(sb))
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    if a._spec.dtype is not b._spec.dtype:
        raise RuntimeError("both inputs should have same dtype")
    for x, y in zip(first, second, strict=True):
        if sa[x] == sb[y]:
            continue
        if sa[x] != 1 and sb[y] != 1:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {sa[x]} in dim {x} and "
                f"second has size {sb[y]} "
                f"in dim {y}"
            )
        a, b = (a.sum(x, True), b) if sb[y] == 1 else (a, b.sum(y, True))
    first, second = [d % len(sa) for d in first], [d % len(sb) for d in second]
    rows, columns = _others([first], len(sa)), _others([second], len(sb))
    shape = [*(sa[d] for d in rows), *(sb[d] for d in columns)]
    k = math.prod(a._spec.shape[d] for d in first)
    m, n = math.prod(sa[d] for d in rows), math.prod(sb[d] for d in columns)
    result = mm_op(
        a.permute(rows + first).reshape(m, k),
        b.permute(second + columns).reshape(k, n),
        False,
        False,
    ).reshape(shape)
    if out is None:
        return result
    if out._spec.dtype is not result._spec.dtype:
        wanted, given = C_NAMES[result._spec.dtype.name], C_NAMES[out._spec.dtype.name]
        raise RuntimeError(
            f"tensordot(): expected out tensor to have dtype {wanted}, but got {given}"
        )
    return to_out(result, out, "tensordot", exact=True)


def _dimensions(dims, na: int, nb: int):
    if isinstance(dims, Tensor):
        values = dims.tolist()
        dims = values if dims._spec.numel > 1 else int(dims.item())
    if not isinstance(dims, int):
        first, second = dims
        return list(first), list(second)
    if dims < 0:
        raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
    if dims > min(na, nb):
        raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
    return list(range(-dims, 0)), list(range(dims))
