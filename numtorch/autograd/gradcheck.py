"""gradcheck and gradgradcheck: derivatives against central differences."""

from ..core.tensor import Tensor
from ..ops.create import arange, zeros
from ..ops.join import stack
from . import api, forward_ad


class GradcheckError(RuntimeError):
    """A derivative that differs from the finite difference."""


def _tensors(value) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [t for v in value for t in _tensors(v)] if isinstance(value, (tuple, list)) else []


def _outputs(function, inputs) -> list[Tensor]:
    return [t for t in _tensors(function(*inputs)) if t.is_floating_point()]


def _numerical(function, inputs, x: Tensor, count: int, eps: float) -> list[Tensor]:
    """d(each output)/dx as (x.numel(), output.numel()) matrices, by central differences."""
    flat = x.data.view(-1) if x.is_contiguous() else None
    if flat is None:
        raise ValueError(
            "gradcheck expects contiguous inputs (make them contiguous before requires_grad_())"
        )
    columns: list[list] = [[] for _ in range(count)]
    for i in range(flat.numel()):
        original = flat[i].item()
        values = []
        for value in (original + eps, original - eps):
            flat[i] = value
            values.append([o.detach().clone() for o in _outputs(function, inputs)])
        flat[i] = original
        for k in range(count):
            columns[k].append(((values[0][k] - values[1][k]) / (2 * eps)).reshape(-1))
    return [_matrix(c, x) for c in columns]


def _matrix(rows, x):
    return stack(rows) if rows else zeros(0, 0, dtype=x.dtype)


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
) -> bool:
    """Compare the derivatives of `func` at `inputs` (float64 tensors that require grad) with
    central differences: those of backward, and with `check_forward_ad` of forward mode.

    Raises GradcheckError with both Jacobians where they differ by more than atol + rtol *
    |numerical|, or where a second backward differs from the first by more than `nondet_tol`; or
    returns False if `raise_exception` is off. The checks of undefined and of batched gradients, of
    their dtypes, `fast_mode` and `masked` are torch's own concerns: here they change nothing.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    leaves = [t for t in _tensors(inputs) if t.requires_grad]
    if not leaves:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    try:
        _check(
            func, inputs, leaves, eps, atol, rtol, nondet_tol, check_backward_ad, check_forward_ad
        )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func, inputs, leaves, eps, atol, rtol, nondet_tol, backward, forward) -> None:
    outputs = _outputs(func, inputs)
    for j, x in enumerate(leaves):
        numerical = _numerical(func, inputs, x, len(outputs), eps)
        pushed = _by_forward(func, inputs, x, outputs) if forward else None
        for k, out in enumerate(outputs):
            if x.numel() == 0 or out.numel() == 0:
                continue
            place = f"for output {k} with respect to input {j}"
            if backward:
                pulled = _by_backward(x, out)
                _compare("Jacobian", place, numerical[k], pulled, atol, rtol)
                if bool(((_column(x, out, 0) - pulled[:, 0]).abs() > nondet_tol).any()):
                    raise GradcheckError(
                        f"Backward is not reentrant {place}, i.e., running backward with same "
                        "input and grad_output multiple times gives different values, although "
                        "analytical gradient matches numerical gradient."
                    )
            if pushed is not None:
                name = "Jacobian computed with forward mode"
                _compare(name, place, numerical[k], pushed[k], atol, rtol)


def _compare(name: str, place: str, numerical: Tensor, analytical: Tensor, atol, rtol) -> None:
    bad = (analytical - numerical).abs() > atol + rtol * numerical.abs()
    if bool((bad | (analytical.isnan() != numerical.isnan())).any()):
        raise GradcheckError(
            f"{name} mismatch {place},\nnumerical:{numerical}\nanalytical:{analytical}\n"
        )


def _by_backward(x: Tensor, out: Tensor) -> Tensor:
    """d(out)/dx as an (x.numel(), out.numel()) matrix."""
    return stack([_column(x, out, i) for i in range(out.numel())], 1)


def _column(x: Tensor, out: Tensor, i: int) -> Tensor:
    """The gradient of element i of `out`, by one backward pass."""
    start = zeros(out.numel(), dtype=out.dtype)
    start[i] = 1
    g = None
    if out.requires_grad:
        start = start.view(out.shape)
        (g,) = api.grad([out], [x], [start], retain_graph=True, allow_unused=True)
    return zeros(x.numel(), dtype=out.dtype) if g is None else g.detach().reshape(-1).to(out.dtype)


def _by_forward(func, inputs, x: Tensor, outputs) -> list[Tensor]:
    """d(each output)/dx as (x.numel(), output.numel()) matrices, a row for each call."""
    matrices = [zeros(x.numel(), out.numel(), dtype=out.dtype) for out in outputs]
    for i in range(x.numel()):
        tangent = zeros(x.numel(), dtype=x.dtype)
        tangent[i] = 1
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x.detach(), tangent.view(x.shape))
            found = _outputs(func, _replaced(inputs, x, dual))
            rows = [forward_ad.unpack_dual(out).tangent for out in found]
        for matrix, row in zip(matrices, rows, strict=True):
            if row is not None:
                matrix[i] = row.detach().reshape(-1)
    return matrices


def _replaced(value, old: Tensor, new: Tensor):
    """Nested arguments with one tensor exchanged."""
    if isinstance(value, (tuple, list)):
        return type(value)(_replaced(v, old, new) for v in value)
    return new if value is old else value


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
) -> bool:
    """gradcheck of the derivatives of `func`: its second derivatives."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    leaves = [t for t in _tensors(inputs) if t.requires_grad]
    outs = [o for o in _outputs(func, inputs) if o.requires_grad]
    if grad_outputs is None:
        grad_outputs = [_cotangent(o) for o in outs]
    else:
        grad_outputs = _tensors(grad_outputs)
    count = len(inputs)

    def first(*everything):
        outputs = [o for o in _outputs(func, everything[:count]) if o.requires_grad]
        given = [t for t in _tensors(everything[:count]) if t.requires_grad]
        found = api.grad(
            outputs, given, list(everything[count:]), create_graph=True, allow_unused=True
        )
        return tuple(g for g in found if g is not None and g.requires_grad)

    if not leaves or not first(*inputs, *grad_outputs):
        return True
    return gradcheck(
        first,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )


def _cotangent(out: Tensor) -> Tensor:
    """Values between -1 and 1 that do not repeat, without drawing random numbers."""
    g = (arange(out.numel(), dtype=out.dtype) * 0.7548776662466927 + 0.31).frac() * 2 - 1
    return g.view(out.shape).detach().requires_grad_()
