"""Jacobians for gradcheck: by central differences, by backward, by forward mode.

A Jacobian is an (input.numel(), output.numel()) matrix. Fast mode takes a single number or row of
it: its product with a random vector on one side (`u`, input directions) or both (`v`, output
directions).
"""

from itertools import product

from ..core.tensor import Tensor
from ..ops.create import zeros, zeros_like
from ..ops.join import stack
from . import api, forward_ad


class GradcheckError(RuntimeError):
    """A derivative that differs from the finite difference, or breaks a rule of derivatives."""


def as_tuple(value) -> tuple:
    """What a function was given or has returned, as a tuple."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def requires_grad(value) -> bool:
    """Whether a value is a tensor that requires grad."""
    return isinstance(value, Tensor) and value.requires_grad


def moving(inputs) -> list[Tensor]:
    """The inputs whose derivatives are checked."""
    return [t for t in inputs if requires_grad(t)]


def floating(outputs) -> list[Tensor]:
    """The outputs that could have a derivative."""
    return [t for t in outputs if isinstance(t, Tensor) and t.is_floating_point()]


# -- central differences ---------------------------------------------------------------------------
def difference(func, inputs, entry: Tensor, step, eps: float, place="") -> list[Tensor]:
    """The derivative of each floating-point output, flat, while `entry`, memory of an input, moves
    by `step`; it is divided by 2 * eps.
    """
    before = entry.clone()
    entry.copy_(before - step)
    low = [t.detach().clone() for t in floating(as_tuple(func(*inputs)))]
    entry.copy_(before + step)
    high = [t.detach().clone() for t in floating(as_tuple(func(*inputs)))]
    entry.copy_(before)
    for a, b in zip(low, high, strict=True):
        for what, x, y in (("shape", a.shape, b.shape), ("dtype", a.dtype, b.dtype)):
            if x != y:
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are "
                    f"perturbed {place}by {eps}, but got: {what}s {x} and {y}."
                )
    return [((b - a) / (2 * eps)).reshape(-1) for a, b in zip(low, high, strict=True)]


def numerical(func, inputs, x: Tensor, outputs, eps: float) -> list[Tensor]:
    """The Jacobian of each floating-point output with respect to the input `x`."""
    data = x.data  # its changes in place are nobody's concern
    rows = [
        difference(func, inputs, data[index], eps, eps, f"on index {index} ")
        for index in product(*map(range, x.shape))
    ]
    if not rows:
        return [zeros(0, o.numel(), dtype=o.dtype, device=o.device) for o in floating(outputs)]
    return [stack(column) for column in zip(*rows, strict=True)]


def numerical_along(func, inputs, x: Tensor, u: Tensor, eps: float) -> list[Tensor]:
    """For each floating-point output the derivative with respect to `x` along `u`."""
    return difference(func, inputs, x.data, u.reshape(x.shape) * eps, eps)


# -- backward --------------------------------------------------------------------------------------
def pulled(inputs, out: Tensor, v: Tensor) -> list:
    """The gradient (or None) of every moving input, for `v` as that of `out`."""
    return list(
        api.grad(
            [out], moving(inputs), [v.reshape(out.shape)], retain_graph=True, allow_unused=True
        )
    )


def by_backward(inputs, out: Tensor, options, v: Tensor | None = None) -> list[Tensor]:
    """The Jacobian of `out` with respect to every moving input, or with `v` one column of it.

    Everything is computed twice, to find derivatives that are not the same each time. Raises
    GradcheckError for those, and for gradients of another shape or (where asked for) dtype.
    """
    starts = [v] if v is not None else list(_basis(out))
    first, second = (_columns(inputs, out, starts) for _ in range(2))
    wrong_dtype = any(
        g is not None and g.shape == x.shape and g.dtype != x.dtype
        for grads in first
        for g, x in zip(grads, moving(inputs), strict=True)
    )
    if wrong_dtype and options.check_grad_dtypes:
        raise GradcheckError("Gradient has dtype mismatch")
    if any(
        g is not None and g.shape != x.shape
        for grads in first
        for g, x in zip(grads, moving(inputs), strict=True)
    ):
        raise GradcheckError("Analytical gradient has incorrect size")
    matrices, again = (_matrices(inputs, out, columns) for columns in (first, second))
    for a, b in zip(matrices, again, strict=True):
        if a.numel() and bool(((a - b).abs() > options.nondet_tol).any()):
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                "matches numerical gradient.The tolerance for nondeterminism was "
                f"{options.nondet_tol}.\n\nNOTE: if the function is not deterministic, this may be "
                "expected: call gradcheck or gradgradcheck with `nondet_tol=<tol>`."
            )
    return matrices


def _basis(out: Tensor):
    for i in range(out.numel()):
        start = zeros(out.numel(), dtype=out.dtype, device=out.device)
        start[i] = 1
        yield start


def _columns(inputs, out, starts) -> list[list]:
    return [pulled(inputs, out, start) for start in starts]


def _matrices(inputs, out, columns) -> list[Tensor]:
    matrices = []
    for k, x in enumerate(moving(inputs)):
        if columns:
            flat = [zeros_like(x) if g[k] is None else g[k].detach() for g in columns]
            matrices.append(stack([g.reshape(-1).to(x.dtype) for g in flat], 1))
        else:
            matrices.append(zeros(x.numel(), 0, dtype=x.dtype, device=x.device))
    return matrices


# -- forward mode ----------------------------------------------------------------------------------
def pushed(func, inputs, x: Tensor, tangent: Tensor, options=None) -> list[Tensor]:
    """The tangent of each floating-point output, flat, for the one of `x`; zeros for the other
    inputs.
    """
    with forward_ad.dual_level():
        duals = [
            forward_ad.make_dual(t.detach(), tangent.view(x.shape) if t is x else zeros_like(t))
            if requires_grad(t)
            else t
            for t in inputs
        ]
        rows = []
        for out in floating(as_tuple(func(*duals))):
            primal, row = forward_ad.unpack_dual(out)
            if row is None:
                row = zeros_like(primal)
            elif options is not None and options.check_grad_dtypes and row.dtype != primal.dtype:
                raise GradcheckError("Forward AD gradient has dtype mismatch.")
            rows.append(row.detach().reshape(-1).clone())
    return rows


def by_forward(func, inputs, x: Tensor, outputs, options) -> list[Tensor]:
    """The Jacobian of each floating-point output with respect to the input `x`."""
    rows = [pushed(func, inputs, x, start, options) for start in _basis(x)]
    if not rows:
        return [zeros(0, o.numel(), dtype=o.dtype, device=o.device) for o in floating(outputs)]
    return [stack(column) for column in zip(*rows, strict=True)]
