"""Generators: seeds, states, what is shared and what is not; errors of the random functions."""

import numpy as np
import pytest

import numtorch.backends.registry  # noqa: F401 (gives numtorch.core its devices)
from numtorch.core import dtype as dtypes
from numtorch.core import random
from numtorch.core.spec import Spec
from numtorch.core.tensor import Tensor, wrap
from numtorch.ops import random as nt


def zeros(*shape: int, dtype="float32") -> Tensor:
    return wrap(np.zeros(shape, dtype), Spec.of(shape, dtypes.BY_NAME[dtype]))


def test_own_generator_leaves_the_default_alone():
    random.manual_seed(1)
    before = random.get_rng_state()._array
    generator = random.Generator().manual_seed(1)
    drawn = nt.rand(3, generator=generator)._array
    np.testing.assert_array_equal(random.get_rng_state()._array, before)
    np.testing.assert_array_equal(nt.rand(3)._array, drawn)


def test_seeds():
    generator = random.Generator()
    assert generator.initial_seed() == 67280421310721
    assert generator.manual_seed(5) is generator
    assert generator.manual_seed(-1).initial_seed() == 2**64 - 1
    assert generator.seed() == generator.initial_seed()
    assert str(generator.device) == "cpu"
    assert random.manual_seed(9) is random.default_generator
    assert random.initial_seed() == 9
    assert random.seed() == random.initial_seed()


def test_state_holds_the_spare_normal_number():
    generator = random.Generator().manual_seed(0)
    nt.randn(3, generator=generator)
    state = generator.get_state()
    assert state._spec.shape == (5056,)
    copy = generator.clone_state()
    rest = nt.randn(3, generator=generator)._array
    np.testing.assert_array_equal(nt.randn(3, generator=copy)._array, rest)
    np.testing.assert_array_equal(
        nt.randn(3, generator=random.Generator().set_state(state))._array, rest
    )


def test_state_of_a_fresh_seed_and_of_a_used_up_block():
    for n in (0, 1, 623, 624, 625):
        generator = random.Generator().manual_seed(4)
        nt.rand(n, generator=generator)
        copy = generator.clone_state()
        np.testing.assert_array_equal(
            nt.rand(9, generator=copy)._array, nt.rand(9, generator=generator)._array
        )


def test_fork_rng():
    random.manual_seed(2)
    with random.fork_rng():
        inside = nt.rand(2)._array
    np.testing.assert_array_equal(nt.rand(2)._array, inside)
    random.manual_seed(2)
    with random.fork_rng(enabled=False):
        nt.rand(2)
    assert (nt.rand(2)._array != inside).all()


def test_draws_in_the_order_of_addresses():
    random.manual_seed(6)
    flat = nt.rand(12)._array
    random.manual_seed(6)
    memory = np.zeros((4, 3), np.float32)
    nt.uniform_(wrap(memory.T, Spec.of((3, 4), dtypes.float32, strides=(1, 3))))
    np.testing.assert_array_equal(memory.ravel(), flat)
    random.manual_seed(6)
    wide = np.zeros((4, 6), np.float32)
    view = wide[:, ::2].T
    nt.uniform_(wrap(view, Spec.of((3, 4), dtypes.float32, strides=(2, 6))))
    np.testing.assert_array_equal(view.T.ravel(), flat)
    assert (wide[:, 1::2] == 0).all()


def test_version_counts_fills():
    t = zeros(3)
    nt.normal_(t)
    nt.uniform_(t, 2, 3)
    assert t._storage.version == 2
    assert ((t._array >= 2) & (t._array < 3)).all()


INVALID = {
    "seed": (lambda: random.manual_seed(2**64), ValueError, "Overflow when unpacking long long"),
    "float seed": (
        lambda: random.Generator().manual_seed(1.5), RuntimeError,
        "manual_seed expected a long, but got float",
    ),
    "state size": (
        lambda: random.set_rng_state(zeros(10, dtype="uint8")), RuntimeError,
        "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10",
    ),
    "state dtype": (
        lambda: random.set_rng_state(zeros(5056)), TypeError,
        "RNG state must be a torch.ByteTensor",
    ),
    "state content": (
        lambda: random.set_rng_state(zeros(5056, dtype="uint8")), RuntimeError,
        "Invalid mt19937 state",
    ),
    "state type": (
        lambda: random.set_rng_state([1]), TypeError, "expected a torch.ByteTensor, but got list",
    ),
    "offset": (
        lambda: random.Generator().get_offset(), RuntimeError, "CPU Generator does not use offset",
    ),
    "generator": (
        lambda: nt.rand(2, generator=3), TypeError,
        "rand(): argument 'generator' must be torch.Generator, not int",
    ),
    "no size": (lambda: nt.rand(), TypeError, "rand() received an invalid combination"),
    "negative size": (
        lambda: nt.rand(-1), RuntimeError,
        "Trying to create tensor with negative dimension -1: [-1]",
    ),
    "rand int": (
        lambda: nt.rand(2, dtype=dtypes.int64), NotImplementedError,
        "\"check_uniform_bounds\" not implemented for 'Long'",
    ),
    "randn int": (
        lambda: nt.randn(2, dtype=dtypes.int32), NotImplementedError,
        "\"normal_kernel_cpu\" not implemented for 'Int'",
    ),
    "uniform order": (
        lambda: nt.uniform_(zeros(3), 2, 1), RuntimeError,
        "uniform_ expects to return a [from, to) range, but found from=2 > to=1",
    ),
    "uniform bound": (
        lambda: nt.uniform_(zeros(3), 0, 1e40), RuntimeError, "to is out of bounds for float",
    ),
    "uniform range": (
        lambda: nt.uniform_(zeros(3), -3e38, 3e38), RuntimeError,
        "uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=3e+38",
    ),
    "std": (
        lambda: nt.normal_(zeros(3), 0, -1), RuntimeError,
        "normal expects std >= 0.0, but found std -1",
    ),
    "rate": (
        lambda: nt.exponential_(zeros(3), 0), RuntimeError,
        "exponential_ expects lambda > 0.0, but found lambda=0",
    ),
    "exponential int": (
        lambda: nt.exponential_(zeros(3, dtype="int64")), RuntimeError,
        "Exponential distribution is a continuous probability distribution. dtype must be a "
        "floating point but you specified Long",
    ),
    "sigma": (
        lambda: nt.cauchy_(zeros(3), 0, -1), RuntimeError,
        "cauchy_ expects sigma > 0.0, but found sigma=-1",
    ),
    "geometric p": (
        lambda: nt.geometric_(zeros(3), 1), RuntimeError,
        "geometric_ expects p to be in (0, 1), but got p=1",
    ),
    "log_normal std": (
        lambda: nt.log_normal_(zeros(3), 0, 0), RuntimeError,
        "log_normal_ expects std > 0.0, but found std=0",
    ),
    "bernoulli p": (
        lambda: nt.bernoulli_(zeros(3), 1.5), RuntimeError,
        "bernoulli_ expects p to be in [0, 1], but got p=1.5",
    ),
    "random_ order": (
        lambda: nt.random_(zeros(3), 5, 5), RuntimeError,
        "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
    ),
    "random_ upper": (
        lambda: nt.random_(zeros(3, dtype="uint8"), 300), RuntimeError,
        "to - 1 is out of bounds for unsigned char",
    ),
    "random_ lower": (
        lambda: nt.random_(zeros(3, dtype="int8"), -300, 3), RuntimeError,
        "from is out of bounds for signed char",
    ),
    "random_ float": (lambda: nt.random_(zeros(3), 1.5), TypeError, "'to' must be int, not float"),
    "randint float": (
        lambda: nt.randint(2.5, (3,)), TypeError,
        "randint(): argument 'high' must be int, not float",
    ),
    "randperm uint8": (
        lambda: nt.randperm(257, dtype=dtypes.uint8), RuntimeError, "without overflow",
    ),
    "randperm bool": (
        lambda: nt.randperm(2, dtype=dtypes.bool_), NotImplementedError,
        "\"randperm\" not implemented for 'Bool'",
    ),
    "multinomial none": (
        lambda: nt.multinomial(zeros(2), 0), RuntimeError, "cannot sample n_sample <= 0 samples",
    ),
    "multinomial many": (
        lambda: nt.multinomial(zeros(2), 3), RuntimeError,
        "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
    ),
    "multinomial dim": (
        lambda: nt.multinomial(zeros(2, 2, 2), 1), RuntimeError, "prob_dist must be 1 or 2 dim",
    ),
    "multinomial sum": (
        lambda: nt.multinomial(zeros(2), 2, True), RuntimeError,
        "invalid multinomial distribution (sum of probabilities <= 0)",
    ),
    "dropout p": (
        lambda: nt.dropout(zeros(3), 1.5), ValueError,
        "dropout probability has to be between 0 and 1, but got 1.5",
    ),
    "dropout int": (
        lambda: nt.dropout(zeros(3, dtype="int64")), RuntimeError,
        "result type Float can't be cast to the desired output type Long",
    ),
    "dropout1d": (
        lambda: nt.dropout1d(zeros(1, 1, 1, 1)), RuntimeError, "dropout1d: Expected 2D or 3D input",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID)
def test_error(name):
    call, kind, message = INVALID[name]
    with pytest.raises(kind) as caught:
        call()
    assert message in str(caught.value)


def test_large_float_ranges_warn():
    with pytest.warns(UserWarning, match=r"to - 1 is out of bounds \[-\(2\^24\), 2\^24\]"):
        nt.random_(zeros(3), 0, 2**27 + 8)


def test_dropout_without_effect_returns_its_input():
    t = zeros(3)
    assert nt.dropout(t, 0.5, training=False) is t
    assert nt.dropout(t, 0.0) is t
    empty = zeros(0)
    assert nt.dropout(empty, 0.5) is empty
