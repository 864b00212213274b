"""Reductions on the CPU: extremes of runs against their twin, short rows, columns, threads."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numtorch as nt
from numtorch.backends.cpu import moves
from numtorch.backends.cpu.jit import kernel, prange
from numtorch.ops.reduce import runs

RNG = np.random.default_rng(17)


def normal(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


# -- runs ------------------------------------------------------------------------------------------
@kernel
def extremes(x, out, at, n):
    for _ in prange(1):
        out[0] = runs.largest_run(x, at, n)
        out[1] = runs.smallest_run(x, at, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("special", [None, np.nan, np.inf, -np.inf], ids=str)
def test_a_run_is_its_twin(dtype, special):
    out = np.zeros(2, dtype)
    for n, at in itertools.product([1, 2, 7, 8, 15, 16, 17, 64, 127, 128, 129, 300], [0, 3]):
        x = normal(at + n + 2, dtype=dtype)
        x[:at], x[at + n :] = np.nan, np.nan  # what lies outside does not count
        if special is not None:
            x[at + RNG.integers(n)] = special
        extremes.compile(x, out, at, n)(x, out, at, n)
        wanted = [runs.plain_run(largest, x, at, n) for largest in (True, False)]
        np.testing.assert_array_equal(out, wanted)


@kernel
def folds(x, out, at, n):
    for _ in prange(1):
        out[0] = runs.sum_run(x, at, n)
        out[1] = runs.product_run(x, at, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_and_products_of_a_run(dtype):
    out = np.zeros(2)
    for n, at in itertools.product([0, 1, 7, 8, 15, 16, 17, 128, 129, 300], [0, 3]):
        x = normal(at + n + 2, dtype=dtype)
        x[:at], x[at + n :] = np.nan, np.nan
        folds.compile(x, out, at, n)(x, out, at, n)
        wanted = [runs.plain_fold(product, x, at, n) for product in (False, True)]
        np.testing.assert_allclose(out, wanted, 1e-5, 1e-5)


@kernel
def picks(x, out, at, step, n):
    for _ in prange(1):
        moves.pick_run(x, at, step, out, 1, n)


@pytest.mark.parametrize("dtype", ["float32", "int64", "int16", "bool"])
@pytest.mark.parametrize("step", [-2, 1, 2, 3, 16])
def test_strided_elements_are_picked(dtype, step):
    x = (3 * normal(5000)).astype(dtype)
    for n in (1, 2, 15, 16, 17, 31, 32, 33, 100):
        out, wanted = np.zeros(120, dtype), np.zeros(120, dtype)
        at = 4900 if step < 0 else 4996 - (n - 1) * step
        moves.plain_pick_run(x, at, step, wanted, 1, n)
        picks.compile(x, out, at, step, n)(x, out, at, step, n)
        np.testing.assert_array_equal(out, wanted)


# -- any shape, any dimension ----------------------------------------------------------------------
def check(x, view, dim):
    """All kinds of reductions of a view of `x`, which has its values."""
    close = {"rtol": 1e-4, "atol": 1e-4}
    np.testing.assert_allclose(view.sum(dim).numpy(), x.sum(dim), **close)
    np.testing.assert_allclose(view.mean(dim).numpy(), x.mean(dim), **close)
    for function, index, reference in (("max", "argmax", np.max), ("min", "argmin", np.min)):
        np.testing.assert_array_equal(getattr(view, "a" + function)(dim).numpy(), reference(x, dim))
        values, indices = getattr(view, function)(dim)
        np.testing.assert_array_equal(values.numpy(), reference(x, dim))
        np.testing.assert_array_equal(indices.numpy(), getattr(np, index)(x, dim))
    np.testing.assert_array_equal((view > 1).any(dim).numpy(), (x > 1).any(dim))
    np.testing.assert_array_equal((view > -1).all(dim).numpy(), (x > -1).all(dim))


@settings(max_examples=40, deadline=None)
@given(st.data(), st.sampled_from(["float32", "float64", "int32"]), st.booleans())
def test_reductions_of_any_layout(data, dtype, bad):
    sizes = data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=3))
    order = data.draw(st.permutations(range(len(sizes))))
    x = (3 * normal(*sizes)).astype(dtype)
    if bad and dtype != "int32":
        x.flat[data.draw(st.integers(0, x.size - 1))] = np.nan
    step = data.draw(st.sampled_from([1, 2]))
    view = nt.from_numpy(x).permute(*order)[::step]
    seen = x.transpose(order)[::step]
    check(seen.astype("float64") if dtype == "int32" else seen, to_float(view), 0)
    check(seen.astype("float64") if dtype == "int32" else seen, to_float(view), len(sizes) - 1)


def to_float(view):
    """The mean is defined for floats only."""
    return view if view.dtype.is_floating_point else view.double()


@pytest.mark.parametrize(
    "shape", [(300, 2), (301, 8), (9, 257), (1030, 33), (5, 70, 517), (40, 13), (3, 2001, 3)]
)
def test_short_rows_and_long_columns(shape):
    x = normal(*shape)
    x[1, 1] = np.nan
    for dim in range(len(shape)):
        check(x, nt.from_numpy(x), dim)
        for part in (np.s_[..., ::2], np.s_[..., 1:]):
            check(x[part], nt.from_numpy(x)[part], dim)


def test_the_first_of_equal_elements_is_found():
    x = np.array([[1, 3, 3, 2], [3, 1, 3, 3], [3, 3, 1, 3]], "float32")
    for view, seen in ((nt.from_numpy(x), x), (nt.from_numpy(x.T.copy()).t(), x)):
        for dim in (0, 1):
            assert np.array_equal(view.max(dim)[1].numpy(), seen.argmax(dim))
            assert np.array_equal(view.min(dim)[1].numpy(), seen.argmin(dim))


# -- norms -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(1, 5), (7, 33), (700, 65), (90, 4099)])
def test_layer_norm_gradients_in_groups_of_rows(shape):
    arrays = [a.astype("float64") for a in (normal(*shape), normal(shape[1]), normal(*shape))]
    x, w, g = (nt.from_numpy(a) for a in arrays)
    b = nt.zeros(shape[1], dtype=nt.float64)
    leaves = [t.requires_grad_() for t in (x, w, b)]
    nt.nn.functional.layer_norm(x, shape[1:], w, b).backward(g)
    a, weight, up = arrays
    centre, spread = a.mean(1, keepdims=True), np.sqrt(a.var(1, keepdims=True) + 1e-5)
    normed, v = (a - centre) / spread, up * weight
    slope = (v * normed).mean(1, keepdims=True)
    wanted = ((v - v.mean(1, keepdims=True) - normed * slope) / spread, (up * normed).sum(0),
              up.sum(0))  # fmt: skip
    for leaf, reference in zip(leaves, wanted, strict=True):
        np.testing.assert_allclose(leaf.grad.numpy(), reference, rtol=1e-7, atol=1e-9)


def test_no_number_of_threads_changes_a_bit():
    x, w = nt.from_numpy(normal(900, 1001)), nt.from_numpy(normal(1001))
    before, found = nt.get_num_threads(), []
    for threads in (1, 2):
        nt.set_num_threads(threads)
        leaf, weight = x.clone().requires_grad_(), w.clone().requires_grad_()
        nt.nn.functional.layer_norm(leaf, (1001,), weight, w).backward(x)
        results = [x.sum(), x.sum(0), x.var(1), x.max(0)[1], x.amax(), leaf.grad, weight.grad]
        found.append([r.numpy().tobytes() for r in results])
    nt.set_num_threads(before)
    assert found[0] == found[1]
