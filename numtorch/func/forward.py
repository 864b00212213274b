"""Transforms by forward mode: jvp and jacfwd."""

import functools

from ..autograd.forward_ad import Dual, dual, primal
from ..autograd.leaves import close
from ..autograd.vmap import vmap
from ..core import tree
from ..core.interp import interpreting
from ..core.tensor import Tensor
from ..ops.create import zeros, zeros_like
from .arguments import checked_argnums, outputs_of, picked, replaced, tensors_of, with_aux


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(`func(*primals)`, the tangents of its outputs for `tangents` of the primals).

    With `strict`, an output that does not depend on the primals is a RuntimeError, else its tangent
    is zero. With `has_aux`, `func` returns (output, aux), and so there is a third result.
    """
    name = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{name}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    flat, structure = tree.flatten(primals)
    given, other = tree.flatten(tangents)
    if structure != other:
        raise RuntimeError(
            f"{name}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals "
            f"{primals} and tangents {tangents}"
        )
    _contains_tensors(name, "primals", flat)
    _contains_tensors(name, "tangents", given)
    level = Dual()
    with level, interpreting(level):
        duals = [dual(level, p, t) for p, t in zip(flat, given, strict=True)]
        output, aux = with_aux(name, func(*tree.unflatten(duals, structure)), has_aux)
        outputs = outputs_of(name, output)
        found = []
        for t in outputs:
            tangent = level.get(t)
            if tangent is None and strict:
                raise RuntimeError(
                    "jvp(f, primals, tangents, strict=True): The output of f is independent of "
                    "the inputs. This is not allowed with strict=True."
                )
            found.append(tangent)
    form = tree.flatten(output)[1]
    seen: dict = {}  # of the tangents' histories, those of transforms that have ended go
    moved = [
        zeros_like(t) if tangent is None else close(tangent, [], seen)
        for t, tangent in zip(outputs, found, strict=True)
    ]
    output = tree.map_leaves(lambda t: primal(t, level), output)
    result = output, tree.unflatten(moved, form)
    return (*result, aux) if has_aux else result


def _contains_tensors(name: str, argument: str, values) -> None:
    if not values:
        raise RuntimeError(f"{name}: Expected {argument} to contain at least one Tensor.")
    for t in values:
        if not isinstance(t, Tensor):
            raise RuntimeError(
                f"{name}: Expected {argument} to only contain Tensors, got {type(t)}"
            )


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """A function that gives the Jacobian of `func` by forward mode, all columns at once.

    For an output of shape (*out) and an argument of shape (*in) it is (*out, *in); outputs and
    arguments may be nested.
    """

    @functools.wraps(func)
    def wrapped(*args):
        which = checked_argnums(argnums, len(args))
        primals = picked(args, which)
        flat, structure = tree.flatten(primals)
        tensors_of(primals, "jacfwd")
        sizes = [t._spec.numel for t in flat]

        def push(*tangents):
            found = jvp(
                lambda given: func(*replaced(args, which, given)),
                (primals,),
                (tree.unflatten(tangents, structure),),
                has_aux=has_aux,
            )
            if has_aux:
                return found[1], found[2]
            return found[1]

        columns = vmap(push, randomness=randomness, out_dims=(0, None) if has_aux else 0)(
            *basis(flat, sizes)
        )
        aux = None
        if has_aux:
            columns, aux = columns
        leaves, form = tree.flatten(columns)
        outputs_of("jacfwd", columns)
        results = []
        for c in leaves:
            last, parts, start = c.movedim(0, -1), [], 0
            for t, n in zip(flat, sizes, strict=True):
                part = last.narrow(-1, start, n)
                parts.append(part.reshape((*part.shape[:-1], *t.shape)))
                start += n
            results.append(tree.unflatten(parts, structure))
        jacobian = tree.unflatten(results, form)
        return (jacobian, aux) if has_aux else jacobian

    return wrapped


def basis(values, sizes) -> list:
    """The unit vectors of the space of all elements of `values`: for each tensor, of shape (total,
    *shape).
    """
    total, found, start = sum(sizes), [], 0
    for t, n in zip(values, sizes, strict=True):
        unit = zeros(total, n, dtype=t._spec.dtype, device=t._spec.device)
        unit.diagonal(-start).fill_(1)
        found.append(unit.view((total, *t.shape)))
        start += n
    return found
