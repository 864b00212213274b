"""How operators map tangents: the `jvp` of ops that are linear.

A `jvp` is called with the op, the tangents of its inputs (None where there is none), the inputs,
attributes and results, and the number of the result that is asked for.
"""

from .interp import dispatch, runtime
from .tensor import Tensor


def _inputs(op):
    """The positions of the inputs that have a derivative."""
    found = set()
    for names, derivative in op.vjp_entries():
        if derivative is not None:
            found.update((names,) if isinstance(names, str) else names)
    return {i for i, name in enumerate(op.tensors) if name in found}


def _result(value, k: int):
    return value[k] if isinstance(value, tuple) else value


def linear(op, tangents, tensors, attrs, results, k):
    """Ops that are linear in all their differentiable inputs together: the op of the tangents."""
    moving = _inputs(op)
    given = [
        x if i not in moving or x is None else _zero(x) if t is None else t
        for i, (x, t) in enumerate(zip(tensors, tangents, strict=True))
    ]
    return _result(dispatch(op, tuple(given), attrs, None), k)


def bilinear(op, tangents, tensors, attrs, results, k):
    """Products of the first two inputs, to which a third may be added: each factor's tangent with
    the other factor.
    """
    total = None
    for i in (0, 1):
        if tangents[i] is not None:
            given = [*tensors[:i], tangents[i], *tensors[i + 1 : 2], *(None for _ in tensors[2:])]
            part = dispatch(op, tuple(given), attrs, None)
            total = part if total is None else total + part
    bias = tangents[2] if len(tangents) > 2 else None
    if bias is not None:
        if total is None:
            zeros = _zero(results)
            total = zeros
        if op.name.startswith("convolution"):
            bias = bias.reshape(-1, *([1] * (results._spec.ndim - 2)))
        total = total + bias
    return total


def added_product(op, tangents, tensors, attrs, results, k):
    """beta * input + alpha * a @ b."""
    added, a, b = tensors
    of_added, of_a, of_b = tangents
    total = None
    for x, y in ((of_a, b), (a, of_b)):
        if x is not None and y is not None:
            start = _zero(results) if of_added is None else of_added
            given = (start, x, y) if total is None else (total, x, y)
            values = attrs if total is None else (1, attrs[1])
            total = dispatch(op, given, values, None)
    if total is None:
        return (of_added * attrs[0]).expand(results._spec.shape)
    return total


def _zero(t):
    return runtime["zeros_like"](t) if isinstance(t, Tensor) else 0
