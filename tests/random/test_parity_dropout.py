"""Dropout and normal samples with tensor parameters against torch: values, gradients, messages."""

import warnings

import numpy as np
import pytest

import numtorch as nt
from numtorch.ops import random as functional

torch = pytest.importorskip("torch")


def compare(run, seed: int = 3) -> None:
    """`run(library, functional)` gives a tensor, or a tuple of them, with the same numbers."""
    nt.manual_seed(seed)
    torch.manual_seed(seed)
    ours, theirs = run(nt, functional), run(torch, torch.nn.functional)
    if not isinstance(ours, tuple):
        ours, theirs = (ours,), (theirs,)
    for a, b in zip(ours, theirs, strict=True):
        assert str(a.dtype) == str(b.dtype) and a.stride() == b.stride()
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    np.testing.assert_array_equal(nt.get_rng_state().numpy(), torch.get_rng_state().numpy())


def gradient(m, f):
    x = m.ones(10, requires_grad=True)
    f.dropout(x, 0.4).sum().backward()
    return x.grad


def second_gradient(m, f):
    x = m.ones(6, requires_grad=True)
    (g,) = m.autograd.grad((f.dropout(x, 0.4) * x).sum(), x, create_graph=True)
    (g * g).sum().backward()
    return x.grad


def in_place_gradient(m, f):
    x = m.ones(10, requires_grad=True)
    f.dropout(x * 2, 0.4, inplace=True).sum().backward()
    return x.grad


def in_place(m, f):
    x = m.ones(9)
    assert f.dropout(x, 0.5, inplace=True) is x
    return x


@pytest.mark.parametrize("run", [gradient, second_gradient, in_place_gradient, in_place])
def test_dropout(run):
    compare(run)


def slopes_gradient(m, f):
    x = m.arange(-6.0, 6.0).requires_grad_()
    y = f.rrelu(x, training=True)
    y.square().sum().backward()
    return y.detach(), x.grad


def test_rrelu():
    compare(slopes_gradient)
    compare(lambda m, f: f.rrelu(m.arange(-6.0, 6.0).view(3, 4).t(), 0.1, 0.5, True))
    compare(lambda m, f: f.rrelu_(m.arange(-6.0, 6.0, dtype=m.float64), training=True))


def test_dropout_draws_in_memory_order():
    compare(lambda m, f: f.dropout(m.ones(3, 4).t(), 0.5))
    compare(lambda m, f: f.dropout(m.ones(2, 3, 4).permute(1, 2, 0), 0.5))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    "name, shape",
    [
        ("dropout1d", (2, 3, 4)),
        ("dropout1d", (3, 4)),
        ("dropout2d", (2, 3, 2, 2)),
        ("dropout2d", (2, 3, 2)),
        ("dropout2d", (5, 6)),
        ("dropout3d", (2, 3, 1, 2, 2)),
        ("dropout3d", (3, 1, 2, 2)),
    ],
)
@pytest.mark.parametrize("p", [0.5, 1.0])
def test_channels(name, shape, p, inplace):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compare(lambda m, f: getattr(f, name)(m.ones(*shape), p, inplace=inplace))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("name", ["alpha_dropout", "feature_alpha_dropout"])
def test_alpha(name, p, inplace):
    compare(lambda m, f: getattr(f, name)(m.randn(4, 5, 3), p, True, inplace))


def test_normal_with_tensors():
    compare(lambda m, f: m.normal(m.zeros(3), m.tensor([1.0, 2.0, 3.0])))
    compare(lambda m, f: m.normal(m.arange(20.0), 0.5))
    compare(lambda m, f: m.normal(2.0, m.tensor([1.0, 2.0, 3.0])))
    compare(lambda m, f: m.normal(m.zeros(3, 1), m.ones(20)))
    compare(lambda m, f: m.normal(1.0, 2.0, (3, 9)))


def test_creation_options():
    compare(lambda m, f: m.rand(2, 3, out=m.empty(0)))
    compare(lambda m, f: m.randn((2, 3), dtype=m.float64))
    compare(lambda m, f: m.rand(size=(2,), generator=m.Generator().manual_seed(2)))
    compare(lambda m, f: m.rand_like(m.zeros(2, 3).t()))
    compare(lambda m, f: m.randn_like(m.zeros(20, 3)[::2, 1:]))
    compare(lambda m, f: m.randint_like(m.zeros(4), 3, 9))
    compare(lambda m, f: m.rand(5).bernoulli(0.4))
    compare(lambda m, f: m.empty(2, 3).bernoulli_(m.tensor([1.0, 0.0, 0.5])))
    compare(lambda m, f: m.empty(3).uniform_(**{"from": 1, "to": 2}))
    assert nt.rand(2, requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype"):
        nt.randint(3, (2,), requires_grad=True)


def test_fills_under_autograd():
    for m in (nt, torch):
        leaf = m.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used"):
            leaf.uniform_()
        (leaf * 2).uniform_().sum().backward()
        assert leaf.grad.tolist() == [0, 0, 0]
        with pytest.raises(RuntimeError, match="refers to a single memory location"):
            m.zeros(1).expand(3).uniform_()
