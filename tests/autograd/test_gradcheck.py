"""gradcheck and gradgradcheck: what they find, torch's answers and texts."""

import itertools
import warnings

import pytest

import numtorch as nt


def function(lib, backward, forward=None, tangent=None):
    """A Function of one tensor with these derivatives."""

    class Step(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.save_for_forward(x)
            return (forward or (lambda x: x * x))(x)

        @staticmethod
        def backward(ctx, *g):
            return backward(ctx.saved_tensors[0], *g)

    if tangent is not None:
        Step.jvp = staticmethod(lambda ctx, t: tangent(ctx.saved_tensors[0], t))
    return Step.apply


def random_factor(lib):
    factors = itertools.cycle((2.0, 2.0001))
    return function(lib, lambda x, g: next(factors) * x * g)


FUNCTIONS = {
    "right": lambda lib: lambda x: x.sin() * x,
    "two outputs": lambda lib: lambda x: (x.sin(), x.sum()),
    "an integer output": lambda lib: lambda x: (x * x, x.argmax()),
    "a detached output": lambda lib: lambda x: (x * x, (x + 1).detach()),
    "in place": lambda lib: lambda x: (x * 2).mul_(x),
    "no gradient": lambda lib: lambda x: x.sign().detach(),
    "hidden gradient": lambda lib: lambda x: (x * x).detach(),
    "wrong": lambda lib: function(lib, lambda x, g: x * g),
    "wrong, slightly": lambda lib: function(lib, lambda x, g: 2.0001 * x * g),
    "wrong tangent": lambda lib: function(lib, lambda x, g: 2 * x * g, tangent=lambda x, t: x * t),
    "not linear": lambda lib: function(lib, lambda x, g: 2 * x * g + 1e-7),
    "random": random_factor,
    "float32 gradient": lambda lib: lambda x: x.float().double() * x.detach(),
}
OPTIONS = (
    {},
    {"fast_mode": True},
    {"check_forward_ad": True, "fast_mode": True},
    {"check_forward_ad": True, "check_backward_ad": False},
    {"nondet_tol": 0.1, "check_undefined_grad": False},
    {"check_grad_dtypes": True, "masked": True, "atol": 1e-3},
    {"check_batched_grad": True},
)


def answer(lib, check, make, options, values=(0.5, -1.25, 2.0)):
    """(True,), or the exception's type and the text before its figures."""
    x = lib.tensor(values, dtype=lib.float64, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return (getattr(lib.autograd, check)(make(lib), (x,), **options),)
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            text = str(error).partition("\n")[0].partition(" Please look")[0]
            return type(error).__name__, text


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(o) or "default")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_torch_gives_the_same_answer(name, options, torch):
    ours, theirs = (answer(lib, "gradcheck", FUNCTIONS[name], options) for lib in (nt, torch))
    if theirs[0] == "IndexError":  # torch counts outputs without a gradient in forward mode
        theirs = (True,)
    assert ours == theirs


@pytest.mark.parametrize(
    "options",
    ({}, {"fast_mode": True}, {"check_fwd_over_rev": True}, {"gen_non_contig_grad_outputs": True}),
    ids=lambda o: ",".join(o) or "default",
)
@pytest.mark.parametrize("name", ("right", "two outputs", "wrong", "in place", "an integer output"))
def test_torch_gives_the_same_answer_on_second_derivatives(name, options, torch):
    ours, theirs = (answer(lib, "gradgradcheck", FUNCTIONS[name], options) for lib in (nt, torch))
    assert ours == theirs


def test_messages():
    x = nt.tensor([1.0, 2.0], dtype=nt.float64, requires_grad=True)
    wrong = FUNCTIONS["wrong"](nt)
    with pytest.raises(nt.autograd.GradcheckError) as caught:
        nt.autograd.gradcheck(wrong, x)
    text = "Jacobian mismatch for output 0 with respect to input 0,\nnumerical:tensor([[2.0000, 0."
    assert str(caught.value).startswith(text) and "\nanalytical:tensor([[1., 0.]" in str(
        caught.value
    )
    with pytest.raises(nt.autograd.GradcheckError) as caught:
        nt.autograd.gradcheck(wrong, x, fast_mode=True)
    assert "we recompute numerical and analytical jacobians in slow mode" in str(caught.value)
    assert "The max per-element difference (slow mode) is: 2.0" in str(caught.value)
    assert not nt.autograd.gradcheck(wrong, x, raise_exception=False)


def test_inputs():
    single = nt.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double precis"):
        nt.autograd.gradcheck(lambda x: x * 2, single, eps=1e-2)
    wide = nt.ones(1, dtype=nt.float64).expand(3).requires_grad_()
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        nt.autograd.gradcheck(lambda x: x * 2, wide)
    with pytest.raises(ValueError, match="expects at least one input tensor to require gradient"):
        nt.autograd.gradcheck(lambda x: x, nt.ones(2))
    fixed = nt.tensor([2.0, 3.0], dtype=nt.float64)
    moved = nt.ones(2, 3, dtype=nt.float64).t().requires_grad_()
    empty = nt.ones(0, 2, dtype=nt.float64, requires_grad=True)
    for fast in (False, True):
        options = {"fast_mode": fast, "check_forward_ad": True, "check_batched_forward_grad": True}
        assert nt.autograd.gradcheck(
            lambda a, b, c, n: (a @ b.diag(), c.sum() + n), (moved, fixed, empty, 2), **options
        )


def test_options_exclude_each_other():
    x = nt.ones(2, dtype=nt.float64, requires_grad=True)
    check, second = nt.autograd.gradcheck, nt.autograd.gradgradcheck
    off = {"check_backward_ad": False}
    for call, options, text in (
        (check, off, "Expected at least one of check_forward_ad or check_backward_ad"),
        (check, {**off, "check_forward_ad": True, "check_batched_grad": True}, "requires check_ba"),
        (check, {"check_batched_forward_grad": True}, "requires check_forward_ad to be True"),
        (second, {"check_rev_over_rev": False}, "Expected at least one of check_fwd_over_rev"),
        (second, {"check_rev_over_rev": False, "check_fwd_over_rev": True}, "check_undefined_grad"),
    ):
        with pytest.raises(AssertionError, match=text):
            call(lambda x: x, x, **options)


def test_outputs_must_not_change_their_kind():
    x = nt.tensor([1.0], dtype=nt.float64, requires_grad=True)
    with pytest.raises(AssertionError, match="outputs with the same shape when inputs are perturb"):
        nt.autograd.gradcheck(lambda x: x.expand(2 if x.item() > 1 else 1), x)
    with pytest.raises(AssertionError, match="outputs with the same dtype when inputs are perturb"):
        nt.autograd.gradcheck(lambda x: x.float() if x.item() > 1 else x * 2, x)


def test_the_users_random_numbers_stay():
    x = nt.ones(3, dtype=nt.float64, requires_grad=True)
    before = nt.random.get_rng_state()
    assert nt.autograd.gradgradcheck(lambda x: x**3, x, fast_mode=True, check_batched_grad=True)
    assert bool((before == nt.random.get_rng_state()).all())
