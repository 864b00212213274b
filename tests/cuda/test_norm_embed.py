"""Normalization and look-up tables: sizes and options that the samples do not reach."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cuda import compat
from numtorch.core.plans import clear_plans
from numtorch.nn import functional as F

pytestmark = pytest.mark.skipif(compat.MODE == "none", reason="needs a GPU, simulator or dry mode")
COMPUTES = compat.MODE in ("device", "simulator")


def values(*shape):
    x = np.random.default_rng(3).uniform(-4, 4, shape)
    return nt.from_numpy(x).to(nt.float32)


def results(function, tensors, device):
    """Outputs and gradients of all floating-point tensors."""
    given = [t.detach().clone().to(device) for t in tensors]
    leaves = [t.requires_grad_() for t in given if t.is_floating_point()]
    out = function(*given)
    seed = nt.linspace(0.5, 1.5, out.numel()).view(out.shape).to(device)
    return [out, *nt.autograd.grad(out, leaves, seed)]


def check(function, *tensors):
    got, want = (results(function, tensors, device) for device in ("cuda", "cpu"))
    for a, b in zip(got, want, strict=True):
        assert a.device.type == "cuda" and a.dtype is b.dtype and a.shape == b.shape
        if COMPUTES:
            np.testing.assert_allclose(a.detach().cpu().numpy(), b.detach().numpy(), 1e-4, 1e-4)


# -- normalization: channels and rows of more elements than a block has threads --------------------
@pytest.mark.parametrize("shape", [(3, 2, 21), (2, 11, 3), (9, 11), (2, 3, 1)])
def test_batch_norm(shape):
    scale, shift = values(shape[1]), values(shape[1]) / 2
    check(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), values(*shape), scale, shift)


@pytest.mark.parametrize("shape", [(3, 21), (21, 3)])
def test_layer_norm(shape):
    scale, shift = values(shape[1]), values(shape[1]) / 2
    check(lambda x, w, b: F.layer_norm(x, shape[1:], w, b), values(*shape), scale, shift)


# -- look-up tables --------------------------------------------------------------------------------
@pytest.fixture(params=[0, 1000], ids=["atomic", "ordered"])
def either_way(request, monkeypatch):
    """Both ways to add gradients; plans made under another threshold are forgotten."""
    embed = pytest.importorskip("numtorch.ops.embed.rows_cuda")
    clear_plans()
    monkeypatch.setattr(embed, "ORDERED", request.param)
    yield
    clear_plans()


LOOK_UPS = [3, 1, 3, 0, 3, 1, 4, 2]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("by_freq", [False, True])
@pytest.mark.parametrize("padding", [None, 1])
def test_embedding(by_freq, padding):
    def look_up(weight, indices):
        return F.embedding(indices, weight, padding, scale_grad_by_freq=by_freq)

    def slope(weight, indices):
        out = look_up(weight, indices)
        grad = nt.autograd.grad((out**3).sum(), weight, create_graph=True)[0]
        return grad**2

    check(look_up, values(6, 3), nt.tensor(LOOK_UPS))
    check(slope, values(6, 3), nt.tensor(LOOK_UPS))


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5, float("inf")])
def test_embedding_renorm(p):
    indices, tables = nt.tensor([0, 2, 2]), []
    for device in ("cuda", "cpu"):
        table = values(4, 11).to(device)
        assert nt.embedding_renorm_(table, indices.to(device), 1.5, p) is table
        tables.append(table.cpu().numpy())
    if COMPUTES:
        np.testing.assert_allclose(*tables, 1e-5)


@pytest.mark.skipif(not COMPUTES, reason="the dry mode computes nothing")
@pytest.mark.parametrize("wrong", [-1, 6])
def test_indices_outside(either_way, wrong):
    table, indices = values(6, 3).to("cuda").requires_grad_(), nt.tensor([1, wrong], device="cuda")
    with pytest.raises(IndexError, match="index out of range in self"):
        F.embedding(indices, table).detach().cpu()
    with pytest.raises(IndexError, match="index out of range in self"):
        F.embedding(indices, table, max_norm=1.0).detach().cpu()
    message = "non-negative" if wrong < 0 else "smaller than num_classes"
    with pytest.raises(RuntimeError, match=message):
        F.one_hot(indices, 6).cpu()
