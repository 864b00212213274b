"""Einstein summation: operands contracted from left to right, as products of matrices, in steps
that are found once for an equation and shapes.
"""

import functools
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


@functools.lru_cache(1024)
def parse(equation: str) -> tuple[tuple, tuple | None]:
    """The subscripts of each operand, and of the output if the equation names them."""
    left, arrow, right = equation.partition("->")
    labels, start = [], 0
    for k, part in enumerate(left.split(",")):
        labels.append(tuple(subscripts(part, f"operand {k}", start)))
        start += len(part) + 1
    output = tuple(subscripts(right, "output", len(left) + 2)) if arrow else None
    return tuple(labels), output


def from_sublists(arguments) -> tuple[tuple, tuple | None, list]:
    """The form `einsum(x, [0, 1], y, [1, 2], [0, 2])` as labels and operands."""
    count = len(arguments) // 2
    operands = list(arguments[: 2 * count : 2])
    given = enumerate(arguments[1 : 2 * count : 2])
    labels = tuple([tuple(_letters(s, f"operand {k}")) for k, s in given])
    output = tuple(_letters(arguments[-1], "output")) if len(arguments) % 2 else None
    return labels, output, operands


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
# Steps are names of methods with their arguments; what changes nothing is left out.
Steps = list[tuple[str, tuple]]


def unrepeated(dims: list, shape: list) -> tuple[Steps, list, list]:
    """Diagonals of the letters that are repeated: the steps, letters and sizes that are left."""
    steps: Steps = []
    for c in dict.fromkeys(dims):
        while dims.count(c) > 1:
            first = dims.index(c)
            second = dims.index(c, first + 1)
            steps.append(("diagonal", (0, first, second)))  # its dimension comes last
            shape = [n for i, n in enumerate(shape) if i not in (first, second)] + [shape[first]]
            dims = [d for i, d in enumerate(dims) if i not in (first, second)] + [c]
    return steps, dims, shape


def grouped(dims: list, shape: list, groups: list[list], single: int = 0) -> Steps:
    """Bring dimensions into the order of groups of letters, and make one dimension of each group
    but the first `single`. Letters in no group have size 1, and vanish.
    """
    listed = [c for g in groups for c in g]
    order = [dims.index(c) for c in listed] + [d for d, c in enumerate(dims) if c not in listed]
    size = dict(zip(dims, shape, strict=True))
    wanted = [size[c] for g in groups[:single] for c in g]
    wanted += [math.prod(size[c] for c in g) for g in groups[single:]]
    steps: Steps = [("permute", (order,))] if order != sorted(order) else []
    return [*steps, ("reshape", (wanted,))] if wanted != [shape[d] for d in order] else steps


def pair(a, b, summed: list) -> tuple[tuple, list, list]:
    """How to multiply two operands, given as (letters, sizes), and to sum over some letters: the
    steps of either, whether they are matrices, and the steps of the product; its letters and sizes.
    """
    sizes = [dict(zip(*one, strict=True)) for one in (a, b)]
    every = list(dict.fromkeys([*a[0], *b[0]]))
    na, nb = ({c: size.get(c, 1) for c in every} for size in sizes)
    both = [c for c in every if c in summed and na[c] != 1 and nb[c] != 1]
    before: list[Steps] = []
    left = []
    for (dims, shape), other in ((a, nb), (b, na)):
        alone = [d for d, c in enumerate(dims) if c in summed and other[c] == 1 and shape[d] != 1]
        before.append([("sum", (alone,))] if alone else [])
        kept = [d for d in range(len(dims)) if d not in alone]
        left.append(([dims[d] for d in kept], [shape[d] for d in kept]))
    rest = [c for c in every if c not in summed and (na[c] != 1 or nb[c] != 1)]
    batch = [c for c in rest if na[c] != 1 and nb[c] != 1]
    rows, columns = [c for c in rest if nb[c] == 1], [c for c in rest if na[c] == 1]
    order = [*batch, *rows, *columns] if both else rest
    result = order, [max(na[c], nb[c]) if na[c] and nb[c] else 0 for c in order]
    after: Steps = []
    if both:
        n = len(batch)
        for steps, one, groups in zip(before, left, ([rows, both], [both, columns]), strict=True):
            steps += grouped(*one, [batch, *groups], single=1)
        if len(rows) != 1 or len(columns) != 1:
            after = [("reshape", (result[1],))]
        return (*before, "matmul" if n else "mm", after), *result
    for steps, (dims, shape), size in zip(before, left, (na, nb), strict=True):
        present = [c for c in rest if c in dims and size[c] != 1]
        steps += grouped(dims, shape, [present], single=1)
        if len(present) < len(rest):
            steps.append(("reshape", ([size[c] for c in rest],)))
    return (*before, "mul", after), *result


@functools.lru_cache(1024)
def prepared(labels: tuple, output, shapes: tuple) -> tuple:
    """The steps of each operand, of the products from left to right, and of the result."""
    result, summed, named = plan(labels, output, shapes)
    first, found = [], []
    for dims, shape in zip(named, shapes, strict=True):
        steps, *one = unrepeated(dims, list(shape))
        first.append(steps)
        found.append(one)
    (dims, shape), products = found[0], []
    for k, one in enumerate(found[1:], 1):
        later = {
            c for ds, sizes in found[k + 1 :] for c, n in zip(ds, sizes, strict=True) if n != 1
        }
        now = [c for c in summed if c not in later]
        how, dims, shape = pair((dims, shape), one, now)
        products.append(how)
    rest = [d for d, c in enumerate(dims) if c in summed]
    last: Steps = [("sum", (rest,))] if rest else []
    size = {c: n for c, n in zip(dims, shape, strict=True) if c not in summed}
    present = [c for c in result if c in size]
    last += grouped(list(size), list(size.values()), [present], single=1)
    if len(present) < len(result):
        last.append(("reshape", ([size.get(c, 1) for c in result],)))
    if not products and not first[0] and not last:
        last.append(("permute", (list(range(len(result))),)))  # a view, not the operand itself
    return first, products, last


def applied(t, steps: Steps):
    """The tensor after some steps."""
    for name, arguments in steps:
        t = getattr(t, name)(*arguments)
    return t


def multiply(kind: str, a, b):
    """The product of two operands that are ready for it."""
    if a._spec.dtype is not b._spec.dtype:
        raise RuntimeError(
            f"expected scalar type {scalar_type(a._spec)} but found {scalar_type(b._spec)}"
        )
    return a * b if kind == "mul" else (mm_op if kind == "mm" else matmul_op)(a, b, False, False)


def contract(labels, output, operands):
    """The sum of products that the labels describe."""
    shapes = tuple([t._spec.shape for t in operands])
    first, products, last = prepared(labels, output, shapes)
    whole = applied(operands[0], first[0])
    for t, steps, (left, right, kind, after) in zip(operands[1:], first[1:], products, strict=True):
        whole = multiply(kind, applied(whole, left), applied(applied(t, steps), right))
        whole = applied(whole, after)
    return applied(whole, last)


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
    sa, sb = a._spec.shape, b._spec.shape
    first, second = _dimensions(dims, len(sa), len(sb))
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    if a._spec.dtype is not b._spec.dtype:
        raise RuntimeError("both inputs should have same dtype")
    left, right, after = contraction(sa, sb, tuple(first), tuple(second))
    result = applied(mm_op(applied(a, left), applied(b, right), False, False), after)
    if out is None:
        return result
    if out._spec.dtype is not result._spec.dtype:
        wanted, given = C_NAMES[result._spec.dtype.name], C_NAMES[out._spec.dtype.name]
        raise RuntimeError(
            f"tensordot(): expected out tensor to have dtype {wanted}, but got {given}"
        )
    return to_out(result, out, "tensordot", exact=True)


@functools.lru_cache(1024)
def contraction(sa: tuple, sb: tuple, first: tuple, second: tuple) -> tuple[Steps, Steps, Steps]:
    """The steps of both operands of `tensordot`, and of their product."""
    shapes = list(sa), list(sb)
    before: tuple[Steps, Steps] = [], []
    for x, y in zip(first, second, strict=True):
        if sa[x] == sb[y]:
            continue
        if sa[x] != 1 and sb[y] != 1:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {sa[x]} in dim {x} and "
                f"second has size {sb[y]} "
                f"in dim {y}"
            )
        of, d = (0, x) if sb[y] == 1 else (1, y)
        before[of].append(("sum", (d, True)))
        shapes[of][d] = 1
    first, second = (tuple([d % len(s) for d in ds]) for s, ds in ((sa, first), (sb, second)))
    rows = [d for d in range(len(sa)) if d not in first]
    columns = [d for d in range(len(sb)) if d not in second]
    left = grouped(list(range(len(sa))), shapes[0], [rows, list(first)])
    right = grouped(list(range(len(sb))), shapes[1], [list(second), columns])
    shape = [*(sa[d] for d in rows), *(sb[d] for d in columns)]
    matrix = len(rows) == len(columns) == 1
    return before[0] + left, before[1] + right, [] if matrix else [("reshape", (shape,))]


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
