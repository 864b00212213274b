"""Checks of what transforms are called with, and of what the functions return."""

from ..core import tree
from ..core.tensor import Tensor


def checked_argnums(argnums, count: int):
    """`argnums` as non-negative numbers of existing arguments; RuntimeError as torch's."""
    if isinstance(argnums, tuple):
        if not argnums:
            raise RuntimeError("argnums must be non-empty")
        found = tuple(_argnum(a, count) for a in argnums)
        if len(set(found)) != len(found):
            raise RuntimeError(f"argnums elements must be unique, got {argnums}")
        return found
    if isinstance(argnums, int):
        return _argnum(argnums, count)
    raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")


def _argnum(argnum, count: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -count <= argnum < count:
        raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
    return argnum % count


def picked(args, argnums):
    """The arguments that are differentiated."""
    return args[argnums] if isinstance(argnums, int) else tuple(args[a] for a in argnums)


def replaced(args, argnums, given):
    """All arguments, with others in the places `argnums`."""
    args = list(args)
    if isinstance(argnums, int):
        args[argnums] = given
    else:
        for a, value in zip(argnums, given, strict=True):
            args[a] = value
    return args


def tensors_of(values, structure_of: str) -> list:
    """The leaves of an input; ValueError where one is no tensor."""
    leaves = tree.flatten(values)[0]
    for t in leaves:
        if not isinstance(t, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(t)}")
        if not t._spec.dtype.is_floating_point:
            raise RuntimeError(
                f"{structure_of}: only Tensors of floating point and complex dtype can require "
                f"gradients, but got {t.dtype}"
            )
    return leaves


def outputs_of(api: str, output) -> list:
    """The leaves of an output: at least one, all tensors; RuntimeError as torch's."""
    if isinstance(output, (tuple, list)) and not output:
        raise RuntimeError(
            f"{api}: Expected f to be a function that has non-empty output (got output = {output})"
        )
    leaves = tree.flatten(output)[0]
    for t in leaves:
        if not isinstance(t, Tensor):
            raise RuntimeError(
                f"{api}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(t)}"
            )
    return leaves


def with_aux(api: str, output, has_aux: bool):
    """(output, aux) of a function's result."""
    if not has_aux:
        return output, None
    if not (isinstance(output, tuple) and len(output) == 2):
        raise RuntimeError(
            f"{api}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return output
