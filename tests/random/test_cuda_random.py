"""Philox on CUDA, in the simulator or compiled to PTX: the numbers are torch's on a GPU."""

import os
import subprocess
import sys

import numpy as np
import pytest

import numtorch.backends.registry  # noqa: F401 (gives numtorch.core its devices)
from numtorch.backends.cuda import compat, memory
from numtorch.core import dtype as dtypes
from numtorch.core import random
from numtorch.ops import random as nt

bare = pytest.mark.skipif(compat.MODE != "none", reason="for machines without a GPU")
here = pytest.mark.skipif(compat.MODE == "none", reason="needs a GPU, the simulator or ptx mode")
runs = pytest.mark.skipif(compat.MODE in ("none", "ptx"), reason="needs a GPU or the simulator")


def array(t) -> np.ndarray:
    return memory.to_numpy(t._array, t._spec)


@bare
@pytest.mark.parametrize("name, value", [("NUMBA_ENABLE_CUDASIM", "1"), ("NUMTORCH_CUDA", "ptx")])
def test_modes_in_a_process_of_their_own(name, value):
    if name == "NUMTORCH_CUDA":
        pytest.importorskip("numba_cuda")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, env=os.environ | {name: value}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@bare
def test_without_a_gpu():
    with pytest.raises(RuntimeError, match="No CUDA GPUs are available"):
        nt.rand(3, device="cuda")
    with pytest.raises(RuntimeError, match="No CUDA GPUs are available"):
        random.Generator("cuda")


@runs
def test_recorded():
    """What torch prints on a GPU after manual_seed(0)."""
    random.manual_seed(0)
    uniform = [0.3990, 0.5167, 0.0249, 0.9401, 0.9459]
    np.testing.assert_allclose(array(nt.rand(5, device="cuda")), uniform, atol=5e-5)
    random.manual_seed(0)
    normal = [-0.9247, -0.4253, -2.6438, 0.1452, -0.1209]
    np.testing.assert_allclose(array(nt.randn(5, device="cuda")), normal, atol=5e-5)


@runs
def test_known_answer():
    """Philox4x32-10 of counter 0 and key 0 begins so in its authors' test vectors."""
    generator = random.Generator("cuda").manual_seed(0)
    t = nt.randint(2, (1,), device="cuda")
    drawn = array(nt.random_(t, -(2**63), None, generator=generator))
    assert drawn[0] == 0x6627E8D5E169C58D


@runs
def test_state_moves_on_and_comes_back():
    generator = random.Generator("cuda").manual_seed(5)
    first = array(nt.rand(6, device="cuda", generator=generator))
    state = generator.get_state()
    assert generator.get_offset() == 4 and state._spec.shape == (16,)
    second = array(nt.rand(6, device="cuda", generator=generator))
    assert (first != second).all()
    generator.set_state(state)
    np.testing.assert_array_equal(array(nt.rand(6, device="cuda", generator=generator)), second)
    generator.manual_seed(5).set_offset(4)
    np.testing.assert_array_equal(array(nt.rand(6, device="cuda", generator=generator)), second)


@runs
def test_distributions():
    random.manual_seed(1)
    drawn = array(nt.rand(1500, device="cuda"))
    assert abs(drawn.mean() - 0.5) < 0.03 and drawn.min() >= 0 and drawn.max() < 1
    drawn = array(nt.randn(1500, device="cuda"))
    assert abs(drawn.mean()) < 0.1 and abs(drawn.std() - 1) < 0.1
    assert sorted(array(nt.randperm(50, device="cuda"))) == list(range(50))
    weights = nt.bernoulli_(nt.rand(2, 4, device="cuda"), 1.0)
    assert sorted(array(nt.multinomial(weights, 4))[0]) == [0, 1, 2, 3]
    assert set(array(nt.multinomial(weights, 40, True)).ravel()) == {0, 1, 2, 3}
    kept = array(nt.dropout(nt.rand(400, device="cuda"), 0.25)) != 0
    assert abs(kept.mean() - 0.75) < 0.1
    p = nt.uniform_(nt.rand(400, device="cuda"), 0.2, 0.4)
    assert abs(array(nt.bernoulli(p)).mean() - 0.3) < 0.1
    x = nt.uniform_(nt.rand(400, device="cuda"), -1, 1)
    slopes = array(nt.rrelu(x, 0.25, 0.5, True)) / array(x)
    negative = slopes[array(x) <= 0]
    assert (slopes[array(x) > 0] == 1).all() and abs(negative.mean() - 0.375) < 0.05
    assert negative.min() >= 0.249 and negative.max() <= 0.501


@here
@pytest.mark.parametrize("name", dtypes.BY_NAME)
def test_every_distribution_and_dtype(name):
    dtype = dtypes.BY_NAME[name]
    t = nt.randint(0, 2, (37,), dtype=dtype, device="cuda")
    fills = [("random_", ()), ("random_", (2,)), ("bernoulli_", (0.3,))]
    if name != "bool":
        fills += [("geometric_", (0.3,)), ("random_", (0, 100))]
        nt.randperm(20, dtype=dtype, device="cuda")
    if dtype.is_floating_point:
        fills += [(f, ()) for f in ("uniform_", "normal_", "log_normal_", "exponential_")]
        fills += [("cauchy_", ())]
        nt.dropout(t, 0.5)
        nt.rrelu(t, training=True)
        nt.bernoulli(t)
        ones = nt.uniform_(nt.rand(2, 3, dtype=dtype, device="cuda"), 1, 2)
        nt.multinomial(ones, 2)
        nt.multinomial(ones, 5, True)
    for method, args in fills:
        assert getattr(nt, method)(t, *args) is t
        assert np.isfinite(array(t).astype(np.float64)).all()


@runs
def test_probabilities_are_checked():
    zeros = nt.bernoulli_(nt.rand(3, device="cuda"), 0.0)
    with pytest.raises(RuntimeError, match="sum of probabilities <= 0"):
        nt.multinomial(zeros, 2, True)
    with pytest.raises(RuntimeError, match="contains either `inf`, `nan` or element < 0"):
        nt.multinomial(nt.uniform_(zeros, -2, -1), 1)
