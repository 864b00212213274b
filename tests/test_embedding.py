"""What embedding does besides looking up: gradients by frequency, padding, renormalization."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.nn import functional as F

OPTIONS = (
    {"padding_idx": 2},
    {"padding_idx": -5},
    {"scale_grad_by_freq": True},
    {"padding_idx": 1, "scale_grad_by_freq": True},
    {"max_norm": 0.5},
    {"max_norm": 1.0, "norm_type": float("inf")},
)
WEIGHT = np.random.default_rng(3).standard_normal((7, 3))
INDICES = np.array([[1, 2, 2], [0, 6, 1]])
FACTORS = np.linspace(-1, 1, 18).reshape(2, 3, 3)


def results(lib, functional, dtype, options):
    """The table, rows and gradient, and the gradient of the gradient."""
    weight = lib.from_numpy(WEIGHT.copy()).requires_grad_()
    factors = lib.from_numpy(FACTORS.copy()).requires_grad_()
    rows = functional.embedding(lib.from_numpy(INDICES.astype(dtype)), weight, **options)
    (grad,) = lib.autograd.grad((rows * factors).sum(), weight, create_graph=True)
    found = [weight, rows, grad]
    if "scale_grad_by_freq" not in options:  # torch has no second derivative then
        found += lib.autograd.grad((grad * grad).sum(), factors)
    return [t.detach().numpy() for t in found]


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_as_in_torch(options, dtype, torch):
    ours = results(nt, F, dtype, options)
    theirs = results(torch, torch.nn.functional, dtype, options)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, 1e-6, 1e-9)


def test_gradient_by_frequency_has_a_derivative():
    weight = nt.from_numpy(WEIGHT.copy()).requires_grad_()
    indices = nt.from_numpy(INDICES)

    def gradient(factors):
        rows = F.embedding(indices, weight, padding_idx=1, scale_grad_by_freq=True)
        return nt.autograd.grad((rows * factors).sum(), weight, create_graph=True)[0]

    assert nt.autograd.gradcheck(gradient, nt.from_numpy(FACTORS.copy()).requires_grad_())


def test_a_wrong_index_changes_nothing():
    weight = nt.from_numpy(WEIGHT.copy())
    with pytest.raises(IndexError):
        F.embedding(nt.tensor([0, 1, 7]), weight, max_norm=0.1)
    assert np.array_equal(weight.numpy(), WEIGHT) and weight._version == 0


def test_renormalization_counts_as_a_change():
    weight = nt.from_numpy(WEIGHT.copy())
    assert nt.embedding_renorm_(weight, nt.tensor([3, 3]), 0.1, 2.0) is weight
    assert weight._version == 1
    assert float(weight[3].norm()) == pytest.approx(0.1, rel=1e-5)
    assert np.array_equal(weight[4].numpy(), WEIGHT[4])
