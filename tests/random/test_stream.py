"""The CPU's random stream against numbers that torch 2.13 printed: runs without torch."""

import numpy as np
import pytest

import numtorch.backends.registry  # noqa: F401 (gives numtorch.core its devices)
from numtorch.core import dtype as dtypes
from numtorch.core.random import get_rng_state, manual_seed
from numtorch.core.spec import Spec
from numtorch.core.tensor import Tensor, wrap
from numtorch.ops import random as nt


def tensor(values, dtype="float32") -> Tensor:
    """A tensor with these values."""
    array = np.array(values, dtype)
    return wrap(array, Spec.of(array.shape, dtypes.BY_NAME[dtype]))


def zeros(n: int, dtype="float32") -> Tensor:
    return tensor([0] * n, dtype)


WEIGHTS = [0.1, 0.2, 0.3, 0.4]
RECORDED = {  # manual_seed(42) before each
    "rand": (
        lambda: nt.rand(5),
        [0.8822692632675171, 0.9150039553642273, 0.38286375999450684, 0.9593056440353394,
         0.3904482126235962],
    ),
    "rand float64": (
        lambda: nt.rand(3, dtype=dtypes.float64),
        [0.05815448596142969, 0.06291016742457756, 0.12358607277440903],
    ),
    "uniform_": (
        lambda: nt.uniform_(zeros(3), -0.3, 5),
        [4.3760271072387695, 4.549520969390869, 1.7291779518127441],
    ),
    "randn, fewer than 16": (
        lambda: nt.randn(3),
        [0.33669036626815796, 0.12880940735340118, 0.23446236550807953],
    ),
    "randn, a block of 16": (
        lambda: nt.randn(16)._array[[0, 1, 8, 15]],
        [1.9269152879714966, 1.4872840642929077, -0.7521352767944336, 0.7624453902244568],
    ),
    "randn, the last 16 anew": (
        lambda: nt.randn(21)._array[[0, 4, 5, 13, 20]],
        [1.9269152879714966, 0.6784184575080872, 1.078317642211914, 0.041759490966796875,
         -0.5920005440711975],
    ),
    "randn float64": (
        lambda: nt.randn(17, dtype=dtypes.float64)._array[[0, 1, 16]],
        [0.2995562877502637, 1.504572275678796, 0.2494118796915765],
    ),
    "randint": (lambda: nt.randint(0, 10, (8,)), [2, 7, 6, 4, 6, 5, 0, 4]),
    "randint, 64 bits": (lambda: nt.randint(0, 2**40, (2,)), [441507790259, 395924837646]),
    "randint, 64 bits from 2**28": (lambda: nt.randint(2**28, (2,)), [199900595, 250975502]),
    "random_ int64": (
        lambda: nt.random_(zeros(2, "int64")),
        [6909045637428952499, 8314211556539077902],
    ),
    "random_ float32": (lambda: nt.random_(zeros(2)), [14801927.0, 15351016.0]),
    "random_ uint8": (lambda: nt.random_(zeros(4, "uint8")), [102, 179, 92, 14]),
    "randperm": (lambda: nt.randperm(8), [6, 3, 0, 7, 2, 1, 4, 5]),
    "bernoulli_": (
        lambda: nt.bernoulli_(zeros(12), 0.3),
        [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0],
    ),
    "exponential_": (
        lambda: nt.exponential_(zeros(3), 2),
        [0.029957007616758347, 0.03248806297779083, 0.06595838814973831],
    ),
    "cauchy_": (
        lambda: nt.cauchy_(zeros(3)),
        [-5.412487506866455, -4.993700981140137, -2.4448742866516113],
    ),
    "log_normal_": (
        lambda: nt.log_normal_(zeros(3)),
        [5.330157279968262, 3.5170366764068604, 4.3445611000061035],
    ),
    "geometric_": (lambda: nt.geometric_(zeros(6), 0.3), [8, 8, 6, 9, 2, 3]),
    "multinomial": (lambda: nt.multinomial(tensor(WEIGHTS), 4), [3, 1, 2, 0]),
    "multinomial with replacement": (
        lambda: nt.multinomial(tensor(WEIGHTS), 6, True),
        [0, 0, 1, 0, 2, 2],
    ),
    "dropout": (
        lambda: nt.dropout(tensor([1.0] * 10), 0.3),
        [1.4285714626312256] * 6 + [0, 0] + [1.4285714626312256] * 2,
    ),
    "a second block of words": (
        lambda: (nt.rand(700), nt.randint(0, 1000, (3,)))[1],
        [785, 919, 840],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name):
    draw, expected = RECORDED[name]
    manual_seed(42)
    drawn = draw()
    found = drawn._array if isinstance(drawn, Tensor) else drawn
    np.testing.assert_allclose(found, expected, rtol=2e-7, atol=0)


@pytest.mark.parametrize(
    "seed, expected",
    [
        (2**40 + 5, [0.8302518725395203, 0.12611091136932373]),
        (-1, [0.9937993884086609, 0.5713063478469849]),
    ],
)
def test_seeds_are_taken_modulo_two_to_the_32(seed, expected):
    manual_seed(seed)
    np.testing.assert_array_equal(nt.rand(2)._array, np.float32(expected))


def test_one_call_or_several():
    manual_seed(3)
    whole = nt.rand(2000)._array
    manual_seed(3)
    parts = [nt.rand(n)._array for n in (1, 7, 616, 624, 700, 52)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_pairs_across_blocks():
    manual_seed(3)
    whole = nt.rand(2001)._array  # one word each
    manual_seed(3)
    nt.rand(1)  # the pairs of words begin at odd positions now
    pairs = nt.rand(1000, dtype=dtypes.float64)._array
    low_bits = (pairs * 2.0**53).astype(np.int64) & 0xFFFFFF
    np.testing.assert_array_equal(low_bits * np.float32(2.0**-24), whole[2::2])


@pytest.mark.parametrize("make", [nt.rand, nt.randn, nt.randperm])
def test_empty_tensors_draw_nothing(make):
    manual_seed(5)
    before = get_rng_state()._array
    assert make(0)._spec.shape == (0,)
    np.testing.assert_array_equal(get_rng_state()._array, before)


def test_distributions():
    manual_seed(0)
    n = 100_000
    uniform, normal = nt.rand(n)._array, nt.randn(n)._array
    assert abs(uniform.mean() - 0.5) < 0.01
    assert abs(normal.mean()) < 0.02 and abs(normal.std() - 1) < 0.02
    assert abs(nt.exponential_(zeros(n), 2.0)._array.mean() - 0.5) < 0.01
    assert abs(nt.geometric_(zeros(n), 0.25)._array.mean() - 4) < 0.1
    assert sorted(nt.randperm(1000)._array) == list(range(1000))
    counts = np.bincount(nt.multinomial(tensor(WEIGHTS), n, True)._array) / n
    np.testing.assert_allclose(counts, WEIGHTS, atol=0.01)


def test_randperm_of_the_large_kind(monkeypatch):
    """From 2**32 / 20 elements on, torch takes 64 bits a draw; here the limit is set lower."""
    n = 1237
    manual_seed(8)
    words = nt.random_(zeros(n, "int64"), -(2**63), None)._array.astype(np.uint64)
    expected = []
    for i, word in enumerate(words.tolist()):
        j = word % (i + 1)
        expected.append(i)
        expected[i], expected[j] = expected[j], i
    monkeypatch.setattr("numtorch.ops.random.cpu.LARGE_RANDPERM", n)
    manual_seed(8)
    assert nt.randperm(n)._array.tolist() == expected
