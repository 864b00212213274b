"""What gradcheck asks of derivatives besides their values: they are linear in the gradient, bear
missing ones, and may be computed several at once.
"""

import warnings

from ..core.random import Generator
from ..core.tensor import Tensor
from ..ops.create import zeros_like
from ..ops.join import stack
from ..ops.random.create import rand
from . import api, forward_ad
from .function import Function
from .jacobians import GradcheckError, as_tuple, floating, moving, pushed, requires_grad
from .vmap import vmap


def zero_gradients(inputs, outputs, masked) -> None:
    """Zero gradients of the outputs give zero gradients, of the inputs' dtype, device and shape."""
    starts = [zeros_like(t) for t in outputs]
    for g, x in zip(
        api.grad(outputs, moving(inputs), starts, allow_unused=True), moving(inputs), strict=True
    ):
        if g is None:
            continue
        if not bool(((g.abs() <= 1e-8) if masked else (g == 0)).all()):
            raise GradcheckError("backward not multiplied by grad_output")
        for what, a, b in (
            ("type", g.dtype, x.dtype),
            ("device", g.device, x.device),
            ("size", g.shape, x.shape),
        ):
            if a != b:
                raise GradcheckError(f"grad is incorrect {what}")


class _Undefined(Function):
    """Passes a tensor on, and no gradient back."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return None


def undefined_gradients(func, inputs) -> None:
    """Backward bears outputs without a gradient: all of them, and each by itself."""
    outputs = [t for t in as_tuple(func(*inputs)) if requires_grad(t)]
    _undefined(inputs, [_Undefined.apply(t) for t in outputs])
    if len(outputs) > 1:
        for k in range(len(outputs)):
            again = [t for t in as_tuple(func(*inputs)) if requires_grad(t)]
            _undefined(inputs, [_Undefined.apply(t) if i == k else t for i, t in enumerate(again)])


def _undefined(inputs, outputs) -> None:
    problem, cause = "", None
    try:
        grads = api.grad(
            outputs, moving(inputs), [zeros_like(t) for t in outputs], allow_unused=True
        )
        if any(g is not None and not bool((g == 0).all()) for g in grads):
            problem = (
                "Expected all input grads to be undefined or zero when all output grads are "
                "undefined or zero."
            )
    except (RuntimeError, AttributeError, TypeError) as error:  # None used as a tensor
        problem = "Expected backward function to handle undefined output grads."
        cause = error
    if problem:
        warnings.warn(
            "Backwards compatibility: New undefined gradient support checking feature is enabled "
            "by default, but it may break existing callers of this function. If this is true for "
            'you, you can call this function with "check_undefined_grad=False" to disable the '
            "feature",
            stacklevel=5,
        )
        raise GradcheckError(problem) from cause


def undefined_tangents(func, inputs) -> None:
    """An input without a tangent counts as one whose tangent is zero."""
    generator = Generator()
    tangents = [
        rand(x.numel(), generator=generator, dtype=x.dtype).to(x.device).view(x.shape)
        if requires_grad(x)
        else None
        for x in inputs
    ]
    for k, without in enumerate(tangents):
        if without is None:
            continue
        zero, none = (_tangents(func, inputs, tangents, k, kind) for kind in ("zero", "none"))
        for index, (a, b) in enumerate(zip(zero, none, strict=True)):
            if a is not None and b is not None and not a.allclose(b):
                raise GradcheckError(
                    f"Mismatch in tangent values for output with index: {index} when input: "
                    f"{inputs[k]} has an undefined tangent value.  Got: {a} but expected: {b}"
                )


def _tangents(func, inputs, tangents, k, kind) -> list[Tensor]:
    """The outputs' tangents where input k has a tangent of zeros, or none."""
    with forward_ad.dual_level():
        duals = []
        for i, (x, t) in enumerate(zip(inputs, tangents, strict=True)):
            if t is None:
                duals.append(x)
            elif i != k:
                duals.append(forward_ad.make_dual(x.detach(), t))
            elif kind == "zero":
                duals.append(forward_ad.make_dual(x.detach(), zeros_like(x)))
            else:
                duals.append(x.detach())
        return [forward_ad.unpack_dual(t).tangent for t in floating(as_tuple(func(*duals)))]


# -- several at once -------------------------------------------------------------------------------
def _pair(x: Tensor) -> Tensor:
    """Two random tensors like `x`, stacked."""
    g = rand(2 * x.numel(), generator=Generator(), dtype=x.dtype).to(x.device)
    return (2 * g - 1).view(2, *x.shape)


def _compare(got, want, output: int, position: int | None, option: str) -> None:
    for k, (a, b) in enumerate(zip(got, want, strict=True)):
        if not a.allclose(b):
            raise GradcheckError(
                f"For output {output if position is None else k} and input "
                f"{k if position is None else position}:\n\ngradcheck or gradgradcheck failed "
                "while testing batched gradient computation: the derivative's vmap gives other "
                f"values. Call it with `{option}=False` to do without this check.\n\nGot:\n{a}\n\n"
                f"Expected:\n{b}"
            )


def _failed(error, option: str) -> GradcheckError:
    return GradcheckError(
        f"While computing batched gradients, got: {error}\n\ngradcheck or gradgradcheck failed "
        f"while testing batched gradient computation. Call it with `{option}=False` to do without "
        "this check."
    )


def batched_backward(inputs, out: Tensor, index: int) -> None:
    """Two gradients by one call with is_grads_batched against two calls."""
    xs, starts = moving(inputs), _pair(out)

    def pull(g, batched):
        found = api.grad([out], xs, [g], True, allow_unused=True, is_grads_batched=batched)
        lead = (2,) if batched else ()
        return [
            zeros_like(x).expand(*lead, *x.shape) if g is None else g
            for g, x in zip(found, xs, strict=True)
        ]

    want = [stack(pair) for pair in zip(*(pull(g, False) for g in starts.unbind()), strict=True)]
    try:
        got = pull(starts, True)
    except RuntimeError as error:
        raise _failed(error, "check_batched_grad") from error
    _compare(got, want, index, None, "check_batched_grad")


def batched_forward(func, inputs) -> None:
    """Two tangents by vmap against two calls, for each input by itself."""
    for k, x in enumerate(inputs):
        if not requires_grad(x):
            continue
        fixed = [t.detach() if isinstance(t, Tensor) and t is not x else t for t in inputs]

        def push(tangent, x=x, fixed=fixed):
            return tuple(pushed(func, fixed, x, tangent))

        tangents = _pair(x)
        want = [stack(p) for p in zip(*(push(t) for t in tangents.unbind()), strict=True)]
        try:
            got = vmap(push)(tangents)
        except RuntimeError as error:
            raise _failed(error, "check_batched_forward_grad") from error
        _compare(got, want, 0, k, "check_batched_forward_grad")
