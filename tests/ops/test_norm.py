"""Batch norm of images whose channels come last, against the same images with channels first."""

import numpy as np
import pytest

import numtorch as nt
import numtorch.nn.functional as F

RNG = np.random.default_rng(5)
SHAPES = [(2, 6, 5, 5), (3, 64, 7, 9), (2, 300, 4, 3), (2, 3, 4, 5, 6)]


def last(x):
    """`x` with its channels last in memory."""
    order = (0, *range(2, x.ndim), 1)
    back = (0, x.ndim - 1, *range(1, x.ndim - 1))
    return nt.from_numpy(np.ascontiguousarray(x.transpose(order))).permute(*back)


def step(x, given, weights, training):
    """The result of batch norm, and all gradients."""
    x.requires_grad_()
    weight, bias = (nt.tensor(w, requires_grad=True) for w in weights)
    mean, var = nt.tensor(weights[0]), nt.tensor(abs(weights[1]) + 0.5)
    out = F.batch_norm(x, mean, var, weight, bias, training)
    return out, nt.autograd.grad(out, (x, weight, bias), given)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_channels_may_come_last(shape, training):
    x, g, *weights = (
        RNG.standard_normal(s).astype("float32") for s in (shape, shape, shape[1], shape[1])
    )
    out, grads = step(nt.from_numpy(x), nt.from_numpy(g), weights, training)
    for given in (last(g), nt.from_numpy(g)):
        mine, mine_grads = step(last(x), given, weights, training)
        assert mine.stride() == last(x).stride()
        for a, b in zip((out, *grads), (mine, *mine_grads), strict=True):
            np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 1e-4, 1e-4)


@pytest.mark.parametrize("n, c", [(7, 5), (300, 5), (2000, 3), (9, 700)])
def test_rows_of_any_width(n, c):
    x = RNG.standard_normal((n, c)).astype("float32")
    wanted = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
    out = F.batch_norm(nt.from_numpy(x), None, None, training=True)
    np.testing.assert_allclose(out.numpy(), wanted, 1e-4, 1e-5)
