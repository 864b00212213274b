"""The CPU's random stream against torch: the same bits, and the same generator state afterwards."""

import numpy as np
import pytest

import numtorch.backends.registry  # noqa: F401 (gives numtorch.core its devices)
from numtorch.core import dtype as dtypes
from numtorch.core import random
from numtorch.core.spec import Spec
from numtorch.core.tensor import Tensor, wrap
from numtorch.ops import random as nt

torch = pytest.importorskip("torch")
SIZES = (0, 1, 2, 5, 15, 16, 17, 100, 623, 624, 625, 5001)
FLOATS = ("float32", "float64")
ALL = tuple(dtypes.BY_NAME)


def tensor(array: np.ndarray) -> Tensor:
    strides = tuple(s // array.itemsize for s in array.strides)
    return wrap(array, Spec.of(array.shape, dtypes.BY_NUMPY[array.dtype], strides=strides))


def compare(ours, theirs, seed: int = 7) -> None:
    """Call both three times from the same seed: same bits, dtype, strides and state afterwards."""
    random.manual_seed(seed)
    torch.manual_seed(seed)
    for _ in range(3):
        a, b = ours(), theirs()
        assert str(a._spec.dtype) == str(b.dtype)
        assert a._spec.strides == b.stride()
        np.testing.assert_array_equal(a._array, b.numpy())
    np.testing.assert_array_equal(random.get_rng_state()._array, torch.get_rng_state().numpy())


def compare_fill(method: str, *args, array: np.ndarray, view=lambda x: x) -> None:
    """Compare an in-place fill of (a view of) an array."""
    compare(
        lambda: getattr(nt, method)(tensor(view(array.copy())), *args),
        lambda: getattr(view(torch.from_numpy(array.copy())), method)(*args),
    )


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", FLOATS)
def test_rand_and_randn(n, dtype):
    ours, theirs = dtypes.BY_NAME[dtype], getattr(torch, dtype)
    compare(lambda: nt.rand(n, dtype=ours), lambda: torch.rand(n, dtype=theirs))
    compare(lambda: nt.randn(n, dtype=ours), lambda: torch.randn(n, dtype=theirs))


@pytest.mark.parametrize("n", SIZES)
def test_randint_and_randperm(n):
    compare(lambda: nt.randint(0, 10, (n,)), lambda: torch.randint(0, 10, (n,)))
    compare(lambda: nt.randperm(n), lambda: torch.randperm(n))


@pytest.mark.parametrize("high", [1, 2, 1000, 2**24, 2**28 - 1, 2**28, 2**32, 2**33 + 7, 2**63 - 1])
def test_randint_ranges(high):
    compare(lambda: nt.randint(high, (40,)), lambda: torch.randint(high, (40,)))
    low = -(high // 2) - 1
    compare(lambda: nt.randint(low, high, (40,)), lambda: torch.randint(low, high, (40,)))


BOUNDS = [(), (2,), (1, 100), (3, None)]


@pytest.mark.parametrize(
    ("dtype", "args"), [(d, a) for d in ALL for a in BOUNDS[: 2 if d == "bool" else None]]
)
def test_random_(dtype, args):
    compare_fill("random_", *args, array=np.zeros((3, 7), dtype))


def test_random_over_all_64_bits():
    compare_fill("random_", -(2**63), None, array=np.zeros(50, np.int64))
    compare_fill("random_", -(2**63), 2**63 - 1, array=np.zeros(50, np.int64))


@pytest.mark.filterwarnings("ignore:.*out of bounds")
@pytest.mark.parametrize("low, high", [(0, 2**25), (0, 2**27 + 8), (-(2**26) - 3, 2**26 + 5)])
def test_random_rounded_ranges(low, high):
    compare_fill("random_", low, high, array=np.zeros(50, np.float32))


@pytest.mark.parametrize("dtype", ALL)
def test_bernoulli_and_geometric(dtype):
    compare_fill("bernoulli_", 0.3, array=np.zeros((4, 9), dtype))
    if dtype != "bool":
        compare_fill("geometric_", 0.3, array=np.zeros((4, 9), dtype))


CONTINUOUS = {
    "uniform_": [(), (-0.3, 0.7), (1e-3, 5)],
    "normal_": [(), (0.3, 2.7)],
    "log_normal_": [(), (0.1, 0.2)],
    "exponential_": [(), (0.7,)],
    "cauchy_": [(), (1, 0.5)],
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("method", CONTINUOUS)
def test_continuous(method, dtype):
    for args in CONTINUOUS[method]:
        for n in (3, 1000):
            compare_fill(method, *args, array=np.zeros(n, dtype))


VIEWS = {
    "transposed": lambda x: x.T,
    "gaps": lambda x: x[::2, ::3],
    "transposed with gaps": lambda x: x[::2, ::3].T,
    "one column": lambda x: x[:, 1],
    "no elements": lambda x: x[:0],
    "one element": lambda x: x[1:2, 1:2],
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    "method, args",
    [("uniform_", ()), ("normal_", ()), ("bernoulli_", (0.3,)), ("random_", (100,)),
     ("exponential_", ())],
)  # fmt: skip
def test_views_are_filled_in_memory_order(method, args, view):
    compare_fill(method, *args, array=np.zeros((20, 6), np.float32), view=VIEWS[view])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("view", ["transposed", "gaps"])
def test_bernoulli_with_a_tensor_of_probabilities(dtype, view):
    p = np.random.default_rng(0).random((20, 6)).astype(dtype)
    inputs = VIEWS[view](p)
    compare(
        lambda: nt.bernoulli(tensor(inputs)),
        lambda: torch.bernoulli(VIEWS[view](torch.from_numpy(p))),
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("samples", [1, 3, 6, 40])
def test_multinomial(dtype, samples, replacement):
    p = np.random.default_rng(1).random((5, 6)).astype(dtype)
    for ours, theirs in (
        (p, torch.from_numpy(p)),
        (p[0], torch.from_numpy(p[0])),
        (p.T, torch.from_numpy(p).T),
    ):
        if samples > ours.shape[-1] and not replacement:
            continue
        compare(
            lambda ours=ours: nt.multinomial(tensor(ours), samples, replacement),
            lambda theirs=theirs: torch.multinomial(theirs, samples, replacement),
        )


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout(p, dtype):
    x = np.random.default_rng(2).standard_normal((30, 17)).astype(dtype)
    x[0, :4] = [np.nan, np.inf, -np.inf, -0.0]
    compare(
        lambda: nt.dropout(tensor(x.copy()), p),
        lambda: torch.nn.functional.dropout(torch.from_numpy(x), p),
    )


def test_large_tensors():
    compare(lambda: nt.randn(300_007), lambda: torch.randn(300_007))
    compare(lambda: nt.rand(300_007), lambda: torch.rand(300_007))
    compare(lambda: nt.randperm(100_003), lambda: torch.randperm(100_003))


def test_states_are_exchanged_both_ways():
    torch.manual_seed(11)
    torch.randn(5)
    torch.rand(700)
    random.set_rng_state(tensor(torch.get_rng_state().numpy().copy()))
    np.testing.assert_array_equal(nt.randn(5)._array, torch.randn(5).numpy())
    torch.set_rng_state(torch.from_numpy(random.get_rng_state()._array.copy()))
    np.testing.assert_array_equal(nt.randn(9)._array, torch.randn(9).numpy())


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**32, 2**63 + 5, 2**64 - 1])
def test_seeds(seed):
    random.manual_seed(seed)
    torch.manual_seed(seed)
    np.testing.assert_array_equal(random.get_rng_state()._array, torch.get_rng_state().numpy())
    assert random.initial_seed() == torch.initial_seed()
