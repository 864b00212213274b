"""saved_tensors_hooks: what is packed, when it is unpacked, and that nothing outlives backward."""

import gc
import weakref

import pytest

import numtorch as nt
from numtorch.autograd import graph

from .parity import agree

saved_tensors_hooks = graph.saved_tensors_hooks


def leaf(*values):
    return nt.tensor(values, requires_grad=True)


class Scale(nt.autograd.Function):
    """2 x**2, by way of an input and an output that are saved."""

    @staticmethod
    def forward(ctx, x):
        out = 2 * x * x
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, g):
        x, out = ctx.saved_tensors
        return g * (2 * out / x)


FUNCTIONS = {
    "input": lambda x: (x * x).sum(),
    "output": lambda x: x.exp().sum(),
    "both": lambda x: (x.exp() / x.tanh()).sum(),
    "several outputs": lambda x: (x.max(0)[0] * x.std()).sum(),
    "in place": lambda x: ((x * 2).exp_() * x).sum(),
    "view in place": lambda x: _half_exp(x * 2).sum(),
    "norm": lambda x: (nt.nn.functional.layer_norm(x, (3,)) * x).sum(),
    "Function": lambda x: Scale.apply(x).sum(),
}


def _half_exp(y):
    y[1:].exp_()
    return y


@pytest.mark.parametrize("name", FUNCTIONS)
def test_packing_changes_no_derivative(name):
    x = nt.tensor([0.5, 1.5, 2.0], requires_grad=True, dtype=nt.float64)
    want = nt.autograd.grad(FUNCTIONS[name](x), x, create_graph=True)[0]
    second = nt.autograd.grad((want * want).sum(), x)[0]
    with saved_tensors_hooks(lambda t: t.detach().clone(), lambda t: t):
        y = FUNCTIONS[name](x)
    got = nt.autograd.grad(y, x, create_graph=True)[0]
    assert got.equal(want)
    assert (nt.autograd.grad((got * got).sum(), x)[0] - second).abs().max() < 1e-12


def test_what_is_packed_and_unpacked_in_which_order(torch):
    def program(lib):
        events = []

        def pack(t):
            which = "a" if t is a else "b" if t is b else "result"
            events.append((which, t.tolist(), t.requires_grad, lib.is_grad_enabled()))
            return t.detach()

        def unpack(t):
            events.append(("unpack", t.tolist(), lib.is_grad_enabled()))
            return t

        a = lib.tensor([1.0, 2.0], requires_grad=True)
        b = lib.tensor([2.0, 1.0], requires_grad=True) * 2
        with lib.autograd.graph.saved_tensors_hooks(pack, unpack):
            y = (a * b).relu().sum() + (a * 3).sum() + (a + b).sum()
        events.append("backward")
        y.backward(retain_graph=True)
        y.backward()
        return events, a.grad.tolist()

    agree(torch, program)


def test_innermost_hooks_apply_and_leaving_restores():
    x, seen = leaf(1.0), []

    def hooks(name):
        return saved_tensors_hooks(lambda t: (seen.append(name), t.detach())[1], lambda t: t)

    outer = hooks("outer")
    with outer:
        x * x
        with hooks("inner"):
            x * x
            with outer:
                x.exp()
        x.exp()
    x * x
    assert seen == ["outer"] * 2 + ["inner"] * 2 + ["outer"] * 2


def test_errors_of_hooks():
    a, b = leaf(1.0), leaf(2.0)
    with (
        saved_tensors_hooks(lambda t: t.add_(1), lambda t: t),
        pytest.raises(RuntimeError, match="A saved tensor pack hook is modifying its input"),
    ):
        a * b
    with saved_tensors_hooks(lambda t: t.detach(), lambda t: 3):
        y = a * b
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor but got result of"):
        y.backward()
    assert a.grad is None and b.grad is None
    with pytest.raises(TypeError, match="must be callable"), saved_tensors_hooks(3, print):
        pass


def test_disabled_hooks():
    with (
        graph.disable_saved_tensors_hooks("no hooks here"),
        graph.disable_saved_tensors_hooks("nor here"),
        pytest.raises(RuntimeError, match="nor here"),
        graph.save_on_cpu(),
    ):
        pass
    with (
        pytest.raises(RuntimeError, match="no hooks here"),
        graph.save_on_cpu(),
        graph.disable_saved_tensors_hooks("no hooks here"),
    ):
        pass
    with graph.save_on_cpu():
        y = leaf(1.0).exp()
    y.backward()


def test_save_on_cpu():
    x = leaf(1.0, 2.0)
    with graph.save_on_cpu(pin_memory=True):
        y = (x.exp() * x).sum()
    y.backward()
    assert x.grad.allclose(x.detach().exp() * (1 + x.detach()))


def test_packed_objects_die_with_backward():
    class Content:
        def __init__(self, tensor):
            self.tensor = tensor.detach()

    alive = []

    def pack(t):
        content = Content(t)
        alive.append(weakref.ref(content))
        return content

    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        with saved_tensors_hooks(pack, lambda c: c.tensor):
            y = Scale.apply(x.exp()).tanh().sum()
            dropped = x.exp()
        y.backward(retain_graph=True)
        assert all(r() is not None for r in alive) and len(alive) == 5
        y.backward()
        assert [r() is None for r in alive] == [True] * 4 + [False]
        del dropped
        assert alive[-1]() is None
    finally:
        gc.enable()
