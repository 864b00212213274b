"""embedding_bag: against embedding and sums, its layer, its options, bits for any threads."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.nn import functional as F  # noqa: N812


def gradients(bag, *leaves):
    """A result, its gradients, and those of their squares."""
    result = bag(*leaves)
    weight = nt.arange(result.numel(), dtype=result.dtype).reshape(tuple(result.shape)).cos()
    first = nt.autograd.grad(result, leaves, weight.requires_grad_(), create_graph=True)
    second = nt.autograd.grad(sum((g * g).sum() for g in first), [*leaves, weight])
    return [t.detach().numpy() for t in (result, *first, *second)]


@pytest.mark.parametrize("by_freq", [False, True])
def test_factors_and_frequencies(by_freq):
    generator = np.random.default_rng(0)
    table = nt.from_numpy(generator.standard_normal((5, 7))).requires_grad_()
    factors = nt.from_numpy(generator.standard_normal((3, 4))).requires_grad_()
    indices = nt.from_numpy(generator.integers(0, 5, (3, 4)))
    options = {"padding_idx": 2, "scale_grad_by_freq": by_freq}

    def bags(table, factors):
        return F.embedding_bag(indices, table, mode="sum", per_sample_weights=factors, **options)

    def rows(table, factors):
        kept = (indices != 2).to(table.dtype) * factors
        return (F.embedding(indices, table, **options) * kept.unsqueeze(-1)).sum(1)

    if by_freq:  # its gradient is not that of its function: only the first order is comparable
        got, want = (gradients(f, table, factors)[:2] for f in (bags, rows))
    else:
        got, want = (gradients(f, table, factors) for f in (bags, rows))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, 1e-10, 1e-10)


def test_the_layer():
    bag = nt.nn.EmbeddingBag(6, 3, mode="sum", include_last_offset=True, padding_idx=-1)
    assert repr(bag) == "EmbeddingBag(6, 3, mode='sum', padding_idx=5)"
    assert not bag.weight[5].any()
    found = bag(nt.tensor([0, 1, 5, 2]), nt.tensor([0, 0, 3]))
    np.testing.assert_allclose(found[1].tolist(), (bag.weight[0] + bag.weight[1]).tolist(), 1e-6)
    assert found.shape == (2, 3) and not found[0].any()
    frozen = nt.nn.EmbeddingBag.from_pretrained(nt.eye(4), mode="max")
    assert not frozen.weight.requires_grad
    assert frozen(nt.tensor([[0, 3]])).tolist() == [[1, 0, 0, 1]]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_thread_count_does_not_change_a_bit(mode):
    table, indices = nt.randn(300, 40).requires_grad_(), nt.randint(0, 300, (200, 30))
    threads, found = nt.get_num_threads(), []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            result = F.embedding_bag(indices, table, mode=mode)
            (grad,) = nt.autograd.grad(result.cos().sum(), table)
            found.append((result.detach().numpy(), grad.numpy()))
    finally:
        nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_offsets_must_not_decrease():
    with pytest.raises(RuntimeError, match="offsets must not decrease"):
        F.embedding_bag(nt.tensor([0, 1, 0]), nt.eye(2), nt.tensor([0, 2, 1]))
    with pytest.raises(RuntimeError, match="input's length 3 but got"):
        F.embedding_bag(nt.tensor([0, 1, 0]), nt.eye(2), nt.tensor([0, 4]))
