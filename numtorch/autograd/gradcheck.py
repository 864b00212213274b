"""gradcheck and gradgradcheck: derivatives against central differences."""

import warnings
from types import SimpleNamespace

from ..core.random import Generator
from ..core.tensor import Tensor
from ..ops.create import arange, zeros
from ..ops.random.create import rand
from . import api, derivative_rules, jacobians
from .jacobians import GradcheckError, as_tuple, floating, moving, requires_grad


class Options(SimpleNamespace):
    """gradcheck's arguments. (Making a dataclass would take 0.8 ms of every import.)"""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    check_grad_dtypes: bool
    check_batched_grad: bool
    check_batched_forward_grad: bool
    check_forward_ad: bool
    check_backward_ad: bool
    fast_mode: bool
    masked: bool | None


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
    """Compare the derivatives of `func` at `inputs` with central differences.

    Checked are the inputs that require grad, which should be float64, and the outputs that do.
    Each element of both Jacobians must agree within atol + rtol * |numerical|; with `fast_mode`
    only their products with random vectors are compared, at a cost that does not grow with the
    number of elements. Besides: backward gives the same twice (within `nondet_tol`), it is zero for
    a zero gradient and bears missing ones (`check_undefined_grad`), gradients have their inputs'
    dtypes (`check_grad_dtypes`), and computing several at once by vmap gives what computing them
    one by one does (`check_batched_grad`, `check_batched_forward_grad`). `check_forward_ad` and
    `check_backward_ad` say which modes are checked. `masked` concerns sparse inputs alone.

    Raises GradcheckError where a check fails, or returns False if `raise_exception` is off;
    ValueError if no input requires grad, RuntimeError for inputs whose memory overlaps.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
    options = Options(
        eps=eps,
        atol=atol,
        rtol=rtol,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
        check_backward_ad=check_backward_ad,
        fast_mode=fast_mode,
        masked=masked,
    )
    try:
        _check(func, as_tuple(inputs), options)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check(func, inputs, options: Options) -> None:
    _check_inputs(inputs)
    result = as_tuple(func(*inputs))
    outputs = [t for t in result if requires_grad(t)]
    compare = _fast if options.fast_mode else _slow
    if options.check_backward_ad:
        compare(func, inputs, result, options, False)
    if options.check_forward_ad:
        compare(func, inputs, result, options, True)
        if options.check_undefined_grad:
            derivative_rules.undefined_tangents(func, inputs)
    if options.check_batched_forward_grad:
        derivative_rules.batched_forward(func, inputs)
    if options.check_backward_ad and outputs:
        if options.check_batched_grad:
            for k, out in enumerate(outputs):
                derivative_rules.batched_backward(inputs, out, k)
        derivative_rules.zero_gradients(inputs, outputs, options.masked)
        if options.check_undefined_grad:
            derivative_rules.undefined_gradients(func, inputs)


def _check_inputs(inputs) -> None:
    for i, x in enumerate(inputs):
        if not requires_grad(x):
            continue
        if x.dtype.itemsize < 8:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=4,
            )
        if any(step == 0 and n > 1 for step, n in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients correctly. "
                "You should call .contiguous on the input before passing it to gradcheck."
            )
    if not moving(inputs):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )


def _agree(a: Tensor, n: Tensor, options: Options, atol: float) -> bool:
    return bool(((a - n).abs() <= atol + options.rtol * n.abs()).all())


def _mismatch(analytical, numerical, output: int, position: int, forward: bool) -> str:
    mode = "computed with forward mode " if forward else ""
    return (
        f"Jacobian {mode}mismatch for output {output} with respect to input {position},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


# -- every element ---------------------------------------------------------------------------------
def _slow(func, inputs, result, options: Options, forward: bool) -> None:
    """Compare whole Jacobians."""
    wanted = [t.requires_grad for t in floating(result)]
    exact = [jacobians.numerical(func, inputs, x, result, options.eps) for x in moving(inputs)]
    if not any(wanted):
        if any(bool((m != 0).any()) for matrices in exact for m in matrices):
            raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    if forward:
        found = [jacobians.by_forward(func, inputs, x, result, options) for x in moving(inputs)]
    else:
        columns = [
            jacobians.by_backward(inputs, t, options) for t in floating(result) if t.requires_grad
        ]
        found = [list(row) for row in zip(*columns, strict=True)]
    for j, (of_input, numerical) in enumerate(zip(found, exact, strict=True)):
        numerical = [m for m, w in zip(numerical, wanted, strict=True) if w]
        if forward:
            of_input = [m for m, w in zip(of_input, wanted, strict=True) if w]
        for k, (a, n) in enumerate(zip(of_input, numerical, strict=True)):
            if not _agree(a, n, options, options.atol):
                raise GradcheckError(_mismatch(a, n, k, j, forward))


# -- random directions -----------------------------------------------------------------------------
def _direction(x: Tensor, generator) -> Tensor:
    """A random vector of length 1 with an element for each of `x`."""
    u = rand(x.numel(), generator=generator, dtype=x.dtype).to(x.device)
    return u / u.norm()


def _fast(func, inputs, result, options: Options, forward: bool) -> None:
    """Compare v . (J u), or in forward mode J u, for random u and v."""
    generator = Generator()  # the user's random numbers stay as they are
    xs, outs = moving(inputs), [t for t in floating(result) if t.requires_grad]
    wanted = [t.requires_grad for t in floating(result)]
    us, vs = ([_direction(t, generator) for t in group] for group in (xs, outs))
    exact = [
        jacobians.numerical_along(func, inputs, x, u, options.eps)
        for x, u in zip(xs, us, strict=True)
    ]
    if not outs:
        if any(bool((d.abs() > options.nondet_tol).any()) for row in exact for d in row):
            raise GradcheckError("Numerical gradient for function expected to be zero")
        return
    rows = (
        []
        if forward
        else [jacobians.by_backward(inputs, t, options, v) for t, v in zip(outs, vs, strict=True)]
    )
    for j, (x, u) in enumerate(zip(xs, us, strict=True)):
        numerical = [d for d, w in zip(exact[j], wanted, strict=True) if w]
        if forward:
            found = jacobians.pushed(func, inputs, x, u, options)
            found = [d for d, w in zip(found, wanted, strict=True) if w]
        else:
            found = [row[j][:, 0].dot(u) for row in rows]
            numerical = [d.to(v.dtype).dot(v) for d, v in zip(numerical, vs, strict=True)]
        for k, (a, n) in enumerate(zip(found, numerical, strict=True)):
            # one element may be off by atol: these sums by atol for each that they are made of
            atol = options.atol * float(u.sum()) * (1.0 if forward else float(vs[k].sum()))
            if not _agree(a, n, options, atol):
                explained = _by_elements(func, inputs, result, x, j, k, options, forward)
                raise GradcheckError(_mismatch(a, n, k, j, forward) + explained)


def _by_elements(func, inputs, result, x, j, k, options: Options, forward) -> str:
    """What slow mode says of output k and input j."""
    wanted = [t.requires_grad for t in floating(result)]
    place = [i for i, w in enumerate(wanted) if w][k]
    numerical = jacobians.numerical(func, inputs, x, result, options.eps)[place]
    if forward:
        analytical = jacobians.by_forward(func, inputs, x, result, options)[place]
    else:
        analytical = jacobians.by_backward(inputs, floating(result)[place], options)[j]
    text = (
        "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
        "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
        "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
        f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
        "The max per-element difference (slow mode) is: "
        f"{(numerical - analytical).abs().max()}.\n"
    )
    if _agree(analytical, numerical, options, options.atol):
        text += (
            "Fast gradcheck failed but element-wise differences are small. This means that the\n"
            "test might've passed in slow_mode!\n\nCall gradcheck or gradgradcheck with "
            "`fast_mode=False` to compare element by element."
        )
    return text


# -- second derivatives ----------------------------------------------------------------------------
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
    """gradcheck of the gradients of `func`, as functions of `inputs` and `grad_outputs`: of its
    second derivatives.

    `grad_outputs` are by default values between -1 and 1, not contiguous with
    `gen_non_contig_grad_outputs`. `check_rev_over_rev` and `check_fwd_over_rev` say in which modes
    the gradients are differentiated; all else is gradcheck's.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError(
            "Setting check_undefined_grad=True requires check_rev_over_rev to be True"
        )
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_rev_over_rev to be True"
        )
    inputs = as_tuple(inputs)
    if grad_outputs is None:
        outputs = [t for t in as_tuple(func(*inputs)) if requires_grad(t)]
        grad_outputs = tuple(_cotangent(t, gen_non_contig_grad_outputs) for t in outputs)
    else:
        grad_outputs = as_tuple(grad_outputs)
    count = len(inputs)
    everything = (*inputs, *grad_outputs)
    wanted = [requires_grad(t) for t in everything]

    def first(*given):
        given = [t.requires_grad_() if w else t for t, w in zip(given, wanted, strict=True)]
        outputs = [t for t in as_tuple(func(*given[:count])) if requires_grad(t)]
        xs = [t for t, w in zip(given[:count], wanted, strict=False) if w]
        found = api.grad(outputs, xs, given[count:], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    if not moving(inputs) or not any(requires_grad(g) for g in first(*everything)):
        return True  # a function without derivatives has no second ones
    return gradcheck(
        first,
        everything,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


def _cotangent(out: Tensor, spread: bool) -> Tensor:
    """Values between -1 and 1 that do not repeat, without drawing random numbers."""
    g = (arange(out.numel(), dtype=out.dtype) * 0.7548776662466927 + 0.31).frac() * 2 - 1
    g = g.to(out.device)
    if spread and out.dim():
        wide = zeros(out.numel(), 2, dtype=out.dtype, device=out.device)
        wide[:, 0] = g
        return wide.view(*out.shape, 2)[..., 0].detach().requires_grad_()
    return g.view(out.shape).detach().requires_grad_()
