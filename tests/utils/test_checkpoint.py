"""Checkpointed calls against plain ones: values, gradients, random numbers, memory, errors."""

import contextlib
import functools
import gc
import importlib
import warnings
import weakref

import pytest

import numtorch
from numtorch import func, nn
from numtorch.backends.cpu import memory
from numtorch.compiler import capture
from numtorch.core.interp import dispatch, interpreting
from numtorch.core.op import Op
from numtorch.nn import functional as F
from numtorch.utils import checkpoint as module
from numtorch.utils.checkpoint import CheckpointError, CheckpointPolicy, checkpoint
from tests.autograd.parity import agree, outcome


def library(lib):
    """torch.utils.checkpoint of a library, and its `checkpoint`, not reentrant."""
    found = importlib.import_module(f"{lib.__name__}.utils.checkpoint")
    return found, functools.partial(found.checkpoint, use_reentrant=False)


@pytest.fixture(scope="module")
def model():
    numtorch.manual_seed(0)
    layers = [nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 6), nn.GELU()]
    return nn.Sequential(*layers, nn.LayerNorm(6))


once = functools.partial(checkpoint, use_reentrant=False)
FORMS = {
    "reentrant": lambda m, x: checkpoint(m, x, use_reentrant=True),
    "not reentrant": once,
    "to the end": lambda m, x: once(m, x, early_stop=False),
    "nested": lambda m, x: once(lambda y: once(m[3:], once(m[:3], y)), x),
    "nested twice": lambda m, x: once(once, once, m, x),
    "sequential": lambda m, x: module.checkpoint_sequential(m, 3, x, use_reentrant=False),
    "sequential, reentrant": lambda m, x: module.checkpoint_sequential(
        list(m), 2, x, use_reentrant=True
    ),
    "nothing saved": lambda m, x: once(m, x, context_fn=selective([])),
    "linear saved": lambda m, x: once(m, x, context_fn=selective(["aten::linear"])),
    "everything saved": lambda m, x: once(m, x, context_fn=selective(lambda *_: True)),
    "reentrant inside": lambda m, x: once(
        lambda y: checkpoint(m[1:], m[0](y), use_reentrant=True), x
    ),
}


def selective(policy):
    return functools.partial(module.create_selective_checkpoint_contexts, policy)


def gradients(function, model, x):
    """The output, its gradients, and the next random number."""
    numtorch.manual_seed(1)
    x = x.detach().requires_grad_()
    model.zero_grad()
    out = function(model, x)
    out.square().sum().backward()
    return [out, x.grad, *(p.grad for p in model.parameters()), numtorch.rand(3)]


@pytest.mark.parametrize("form", FORMS)
def test_checkpointed_equals_plain(model, form):
    x = numtorch.rand(4, 6)
    got, want = (gradients(f, model, x) for f in (FORMS[form], lambda m, x: m(x)))
    for a, b in zip(got, want, strict=True):
        assert numtorch.equal(a, b)


def test_other_random_numbers_without_the_state():
    x = numtorch.ones(64, requires_grad=True)
    out = once(lambda a: F.dropout(a, 0.5) * a, x, preserve_rng_state=False)
    out.sum().backward()
    assert not numtorch.equal(out != 0, x.grad != 0)


def test_double_backward_and_two_backward_passes():
    x = numtorch.rand(5, requires_grad=True)

    def f(a):
        return (a.sin() * a.exp()).cos()

    def second(out):
        (g,) = numtorch.autograd.grad(out.sum(), x, create_graph=True)
        return g, *numtorch.autograd.grad(g.square().sum(), x)

    for a, b in zip(second(once(f, x)), second(f(x)), strict=True):
        assert numtorch.equal(a, b)
    out = once(f, x)
    first, again = (numtorch.autograd.grad(out.sum(), x, retain_graph=True) for _ in range(2))
    assert numtorch.equal(*first, *again)


def test_keywords_nested_arguments_and_no_grad():
    x = numtorch.rand(3, requires_grad=True)
    out = once(lambda pair, *, s: (pair[0] * s).sin(), [x, 2], s=3.0)
    out.sum().backward()
    assert numtorch.equal(x.grad, (x.detach() * 3.0).cos() * 3.0)
    with numtorch.no_grad():
        assert not once(numtorch.sin, x).requires_grad


class Computed:
    """An interpreter that lists the ops that run."""

    def __init__(self):
        self.names = []

    def process(self, op, tensors, attrs, target):
        if isinstance(op, Op) and not op.is_view:  # else its result is known
            self.names.append(op.name.removesuffix("_op"))
        return dispatch(op, tensors, attrs, target)


REPEATED = {
    "early stop": ({}, ["mm", "exp", "mm", "exp"]),
    "to the end": ({"early_stop": False}, ["mm", "exp", "mm", "exp", "add"]),
    "selective": ({"context_fn": selective(["aten::mm"])}, ["exp", "exp"]),
    "all known": ({"context_fn": selective(["aten::mm", "aten::exp"])}, []),
}


@pytest.mark.parametrize("case", REPEATED)
def test_what_is_computed_again(case):
    options, repeated = REPEATED[case]
    x, w = numtorch.rand(4, 4, requires_grad=True), numtorch.rand(4, 4)
    out = once(lambda a: ((a @ w).exp() @ w).exp() + 1, x, **options)
    with interpreting(Computed()) as computed:
        out.backward(out.detach())
    assert computed.names[: -len(["exp_vjp0", "mm"] * 2)] == repeated


def test_saved_tensors_are_not_kept():
    """Nothing that the call computes lives until backward, and no cycle keeps anything after it."""
    alive = []

    def f(a):
        b = a.exp()
        alive.append(weakref.ref(b._array))
        return b.sin()

    gc.collect()
    gc.disable()
    try:
        x = numtorch.rand(5, requires_grad=True)
        out = once(f, x)
        assert alive[0]() is None
        out.sum().backward()
        assert alive[1]() is None
    finally:
        gc.enable()


class Peak:
    """An interpreter that watches how much memory is in use after each op."""

    def __init__(self):
        self.start, self.most = memory.statistics()["in_use"], 0

    def process(self, op, tensors, attrs, target):
        result = dispatch(op, tensors, attrs, target)
        self.most = max(self.most, memory.statistics()["in_use"] - self.start)
        return result


def test_peak_memory():
    """Twelve blocks, each checkpointed, need less than 0.4 of what the plain ones need."""
    layers = [nn.Linear(64, 64), nn.GELU(), nn.Tanh(), nn.Linear(64, 64), nn.Sigmoid(), nn.Tanh()]
    blocks = [nn.Sequential(*layers)] * 12
    x = numtorch.rand(4200, 64, requires_grad=True)

    def train(run):
        out = x
        for block in blocks:
            out = run(block, out)
        out.mean().backward()
        x.grad = None

    peaks = []
    for run in (once, lambda block, out: block(out)):
        gc.collect()
        with interpreting(Peak()) as peak:
            train(run)
        peaks.append(peak.most)
    assert peaks[0] < 0.4 * peaks[1], peaks


def test_selective_policy_sees_each_call():
    seen = []

    def policy(context, op, *args):
        seen.append((op, context.op_output.shape, context.is_recompute))
        return CheckpointPolicy.PREFER_SAVE if op == "aten::exp" else False

    x = numtorch.rand(2, 3, requires_grad=True)
    once(lambda a: a.exp().sin(), x, context_fn=selective(policy)).sum().backward()
    assert seen == [("aten::exp", (2, 3), False), ("aten::sin", (2, 3), False)]


def test_selective_results_are_used_once_and_not_changed():
    x = numtorch.rand(3, requires_grad=True)
    out = once(lambda a: a.exp().sin(), x, context_fn=selective(["aten::exp"]))
    out.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="Trying to backward an extra time"):
        out.sum().backward()
    kept = []
    out = once(
        lambda a: kept.append(a.exp()) or kept[-1].sin(), x, context_fn=selective(["aten::exp"])
    )
    with numtorch.no_grad():
        kept[0].zero_()
    with pytest.raises(RuntimeError, match="has been mutated"):
        out.sum().backward()
    out = once(lambda a: a.exp().sin(), x, context_fn=selective(["aten::exp"]))
    with pytest.raises(ValueError, match="such as 'aten::mm'"):
        module.create_selective_checkpoint_contexts([numtorch.mm])


def oscillation(x):
    return (x.sin() * x).exp()


TRANSFORMS = {
    "grad": lambda f, x: func.grad(lambda a: f(a).sum())(x),
    "vmap": lambda f, x: func.vmap(f)(x),
    "vmap of grad": lambda f, x: func.vmap(func.grad(lambda a: f(a).sum()))(x),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jvp": lambda f, x: func.jvp(f, (x,), (x,))[1],
    "hessian": lambda f, x: func.hessian(lambda a: f(a).sum())(x),
    "several cotangents": lambda f, x: numtorch.autograd.grad(
        f(x.requires_grad_()), x, numtorch.ones(2, *x.shape), is_grads_batched=True
    )[0],
    "capture": lambda f, x: capture(lambda a: func.grad(lambda b: f(b).sum())(a), x).replay(x),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_under_transforms(transform):
    """Also forward over reverse mode: what is recomputed has tangents and samples, too."""
    run, x = TRANSFORMS[transform], numtorch.rand(2, 3)
    want = run(oscillation, x)
    for options in ({}, {"context_fn": selective(["aten::sin", "aten::exp"])}):
        got = run(functools.partial(once, oscillation, **options), x)
        assert numtorch.allclose(got, want), options


def changing(first, then):
    """A function that does something else when it is called again."""
    calls = []

    def function(x):
        calls.append(0)
        return first(x) if len(calls) == 1 else then(x)

    return function


CHANGES = {
    "more": (lambda x: x.sin().cos(), lambda x: x.sin().cos().exp().sin()),
    "fewer": (lambda x: x.sin().cos(), lambda x: x.sin()),
    "other shape": (lambda x: x.sin().exp(), lambda x: x[:1].sin().exp()),
}
OPTIONS = {
    "default": {},
    "to the end": {"early_stop": False},
    "unchecked": {"determinism_check": "none"},
}


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("change", CHANGES)
def test_parity_of_recomputations_that_differ(torch, change, options):
    def program(lib):
        _, checkpoint = library(lib)
        x = lib.ones(2, 3, requires_grad=True)
        out = checkpoint(changing(*CHANGES[change]), x, **OPTIONS[options])
        out.sum().backward()
        return x.grad.tolist()

    got, want = outcome(program, numtorch), outcome(program, torch)
    assert type(got).__name__ == type(want).__name__
    if type(want).__name__ == "CheckpointError":
        assert str(got).partition("Tip:")[0] == str(want).partition("Tip:")[0]


def test_debug_lists_the_ops():
    x = numtorch.ones(2, 3, requires_grad=True)
    with module.set_checkpoint_debug_enabled(True):
        out = once(changing(*CHANGES["fewer"]), x)
    with pytest.raises(CheckpointError) as caught:
        out.sum().backward()
    text = str(caught.value)
    assert "aten::sin(float32[2, 3])\naten::cos(float32[2, 3])" in text
    assert "test_checkpoint.py" in text
    assert isinstance(caught.value.__cause__, CheckpointError)


def grad_through_reentrant(lib):
    module, _ = library(lib)
    x = lib.ones(3, requires_grad=True)
    return lib.autograd.grad(module.checkpoint(lib.sin, x, use_reentrant=True).sum(), x)


def unpacked_twice(lib):
    _, checkpoint = library(lib)

    class Square(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            (x,), (x,) = ctx.saved_tensors, ctx.saved_tensors
            return 2 * x * g

    x = lib.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError) as caught:
        checkpoint(Square.apply, x).sum().backward()
    return caught.typename, str(caught.value)


def suppressing(lib):
    _, checkpoint = library(lib)

    def contexts():
        return contextlib.suppress(ZeroDivisionError), contextlib.nullcontext()

    return checkpoint(lambda x: x / (1 // 0), lib.ones(3, requires_grad=True), context_fn=contexts)


def changed_input(lib):
    _, checkpoint = library(lib)
    x = lib.ones(3, requires_grad=True) * 1
    out = checkpoint(lambda a: a.sin().exp(), x)
    with lib.no_grad():
        x.mul_(2)
    out.sum().backward()


def grad_inside(lib, retain, early_stop):
    _, checkpoint = library(lib)

    def f(x):
        y = x.sin().cos()
        (g,) = lib.autograd.grad(y.sum(), x, retain_graph=retain)
        return x.cos() * g

    x = lib.ones(3, requires_grad=True) * 1
    x = x.detach().requires_grad_()
    checkpoint(f, x, early_stop=early_stop).sum().backward()
    return [round(v, 5) for v in x.grad.tolist()]


def one_recomputation(lib):
    module, checkpoint = library(lib)
    calls = []
    x = lib.ones(3, requires_grad=True)
    a, b = checkpoint(lambda x: calls.append(0) or (x.sin().exp(), x.cos().exp()), x)
    with module.GraphExecGroup():
        a.sum().backward(retain_graph=True)
        b.sum().backward()
    return len(calls), [round(v, 5) for v in x.grad.tolist()]


def call(**options):
    def program(lib):
        module, _ = library(lib)
        x = lib.ones(3, requires_grad=True)
        return module.checkpoint(lib.sin, x, **options).tolist()

    return program


PROGRAMS = {
    "autograd.grad of the reentrant form": grad_through_reentrant,
    "saved tensors unpacked twice": unpacked_twice,
    "a context that suppresses errors": suppressing,
    "an input that was changed": changed_input,
    "gradients inside": lambda lib: grad_inside(lib, False, True),
    "gradients inside, kept": lambda lib: grad_inside(lib, True, True),
    "gradients inside, to the end": lambda lib: grad_inside(lib, False, False),
    "several passes, one recomputation": one_recomputation,
    "keywords of the reentrant form": call(use_reentrant=True, foo=1, bar=2),
    "debug of the reentrant form": call(use_reentrant=True, debug=True),
    "no such check": call(use_reentrant=False, determinism_check="x"),
    "debug with contexts": call(use_reentrant=False, debug=True, context_fn=lambda: None),
    "detach_variable": lambda lib: library(lib)[0].detach_variable([1]),
    "no policy": lambda lib: library(lib)[0].create_selective_checkpoint_contexts(3),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_parity_of_programs(torch, name):
    agree(torch, PROGRAMS[name])


def warned(lib):
    module, _ = library(lib)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module.checkpoint(lib.sin, lib.ones(3))
        module.checkpoint_sequential([lib.sin, lib.cos], 2, lib.ones(3, requires_grad=True))
    return [(w.category.__name__, str(w.message)) for w in caught]


def test_parity_of_warnings(torch):
    agree(torch, warned)


def test_parity_of_names(torch):
    theirs, _ = library(torch)
    assert set(theirs.__all__) == set(module.__all__)
    assert [p.name for p in theirs.CheckpointPolicy] == [p.name for p in CheckpointPolicy]
