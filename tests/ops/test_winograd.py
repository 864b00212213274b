"""Winograd's convolution: transforms against their twins, values, rounding, threads, the choice."""

import functools
import threading

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cpu.simd import lanes_of
from numtorch.core.plans import clear_plans
from numtorch.ops.conv import cpu, plan, planes, winograd, winograd_grad
from numtorch.ops.conv import winograd_transform as transform
from tests.guards import guarded
from tests.ops.test_conv import run_once

L = lanes_of(4)


def normal(*shape):
    """The same numbers in every test."""
    return np.random.default_rng(shape).standard_normal(shape, "float32")


@pytest.fixture
def always(monkeypatch):
    """Winograd wherever it can compute, however slow it may be there; serial kernels."""
    for module in (winograd, winograd_grad):
        monkeypatch.setattr(module, "pays", lambda *sizes: True)
    threads = nt.get_num_threads()
    nt.set_num_threads(1)  # clears the plans, too
    yield
    nt.set_num_threads(threads)


@pytest.fixture
def switch():
    yield nt.backends.cpu.enable_winograd
    nt.backends.cpu.enable_winograd(True)


def results(x, w, b, padding):
    """The convolution, and its gradients for the input and for the weight."""
    dtype = x.dtype
    x, w, b = (a if a is None else nt.from_numpy(a) for a in (x, w, b))
    y = nt.conv2d(x.requires_grad_(), w.requires_grad_(), b, padding=padding)
    gx, gw = nt.autograd.grad(y, (x, w), nt.from_numpy(normal(*y.shape).astype(dtype)))
    return y.detach().numpy(), gx.numpy(), gw.numpy()


def error(found, exact):
    return np.abs(found - exact).max() / np.abs(exact).max()


# -- transforms ------------------------------------------------------------------------------------
def test_the_transforms_make_products_of_a_correlation():
    x, w = normal(6, 6).astype("f8"), normal(3, 3).astype("f8")
    points = (transform.INPUT @ x @ transform.INPUT.T) * (transform.KERNEL @ w @ transform.KERNEL.T)
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3))
    want = (views * w).sum((2, 3))
    np.testing.assert_allclose(transform.OUTPUT @ points @ transform.OUTPUT.T, want, 1e-12, 1e-12)


SMALL, LARGE = normal(40 * L), normal(40 * L * L)
COLUMNS = SMALL, 3, 40, 9, 1, 3, 0b1011, 3, LARGE, 2, (L + 1) * L
PIXELS = LARGE, 1, 11 * L, 2, normal(80 * L), 3, 2 * L
TWINS = {
    "input_columns": COLUMNS,
    "input_rows": PIXELS,
    "gradient_columns": COLUMNS,
    "gradient_rows": PIXELS,
    "kernel_points": (normal(20 * L), 2, 11, 3, 1, 4, normal(50 * L), 1, L + 1),
    "output_tile": (normal(80 * L), 5, 2 * L, SMALL, 1, LARGE, 2),
    "output_rows": (LARGE, 3, normal(50 * L), 4, 49, 11, 3, L - 1, 0b1101),
    "product_tile": (SMALL, 1, 8 * L, LARGE, 2, L + 1, normal(20 * L), 3, 8 * L, 1, 0),
    "sum_tile": (SMALL, 1, LARGE, 3, 5 * L, 4, normal(20 * L), 2, 3 * L, False),
    "kernel_gradient": (normal(80 * L), 5, 2 * L, LARGE, 2),
}
MATRICES = {"input": transform.INPUT, "gradient": transform.GRADIENT}


@pytest.mark.parametrize("name", TWINS)
def test_a_transform_is_its_twin(name):
    emitted, (first, _, last) = getattr(transform, name), name.partition("_")
    if first in MATRICES:
        plain = functools.partial(getattr(transform, f"plain_{last}"), MATRICES[first])
    else:
        plain = getattr(transform, f"plain_{name}")
    if name in ("product_tile", "sum_tile"):
        emitted, plain = emitted(4), functools.partial(plain, 4)
    found = []
    for run in (functools.partial(run_once, emitted), plain):
        arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in TWINS[name]]
        run(*arguments)
        found.append([a for a in arguments if isinstance(a, np.ndarray)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-5, 2e-5)


# -- values ----------------------------------------------------------------------------------------
CASES = {  # (N, C, H, W), O, padding: few and many tiles, tails of channels, odd and tiny images
    "whole tiles": ((2, 16, 8, 12), 32, 1),
    "few tiles": ((1, 70, 7, 7), 66, 1),
    "one pixel": ((3, 5, 3, 3), 9, 0),
    "channel tails": ((3, 17, 13, 30), 33, 0),
    "a row": ((2, 3, 1, 37), 6, 1),
    "wide": ((1, 4, 5, 131), 5, (0, 1)),
    "more padding than kernel": ((2, 6, 9, 5), 7, (4, 7)),
    "many blocks": ((5, 20, 11, 19), 18, 2),
}


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values(case, bias, monkeypatch):
    """In memory that held NaN: nothing that was not written is read."""

    def poisoned(elements, dtype):
        memory = planes.scratch(elements, dtype)
        memory.fill(np.nan)
        return memory

    for module in (winograd, winograd_grad):
        monkeypatch.setattr(module, "scratch", poisoned)
    shape, out_channels, padding = CASES[case]
    x, w = normal(*shape), normal(out_channels, shape[1], 3, 3)
    b = normal(out_channels) if bias else None
    exact = results(*(a if a is None else a.astype("f8") for a in (x, w, b)), padding)
    for found, want in zip(results(x, w, b, padding), exact, strict=True):
        assert error(found, want) < 5e-6


def specs(*arrays):
    return [nt.from_numpy(a)._spec for a in arrays]


@pytest.mark.parametrize("out_channels", [3, 70])
@pytest.mark.parametrize("side", ["before", "after"])
def test_nothing_outside_of_the_tensors_is_touched(out_channels, side):
    shapes = (2, 5, 9, 6), (out_channels, 5, 3, 3), (out_channels,), (2, out_channels, 9, 6)
    arrays = [guarded(shape, "f4", side) for shape in shapes]
    for a in arrays:
        a[...] = 1
    x, w, b, out = arrays
    facts = planes.geometry((9, 6), (9, 6), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    axes = [plan.forward_axis(*a) for a in facts]
    winograd.correlate(*specs(x, w, b), out_channels, axes, (0, 45, 9))(x, w, b, out)
    assert np.allclose(out[:, :, 4, 4], 46)


@pytest.mark.parametrize("shape", [(2, 64, 20, 20), (1, 256, 28, 28), (1, 512, 14, 14)])
def test_rounding(shape, switch):
    x, w = normal(*shape), normal(shape[1], shape[1], 3, 3)
    exact = results(x.astype("f8"), w.astype("f8"), None, 1)
    for enabled, most in ((True, 2e-5), (False, 2e-6)):
        switch(enabled)
        for found, want in zip(results(x, w, None, 1), exact, strict=True):
            assert error(found, want) < most


def test_the_weight_gradient_touches_nothing_outside_of_the_tensors():
    for side in ("before", "after"):
        shapes = (2, 5, 9, 6), (2, 3, 9, 6), (3, 5, 3, 3)
        x, g, out = arrays = [guarded(shape, "f4", side) for shape in shapes]
        for a in arrays:
            a[...] = 1
        sizes = planes.geometry((9, 6), (9, 6), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
        winograd_grad.weight_grad(*specs(g, x, out), sizes)(g, x, out)
        assert np.allclose(out[:, :, 1, 1], 2 * 54)


def test_a_nan_stays_in_its_tiles():
    x = np.zeros((2, 64, 16, 16), "f4")
    x[0, 3, 5, 5] = np.nan
    y = nt.conv2d(nt.from_numpy(x), nt.from_numpy(normal(64, 64, 3, 3)), padding=1).numpy()
    assert np.isnan(y[0, :, 4:7, 4:7]).all()
    y[0, :, 4:8, 4:8] = 0
    assert (y == 0).all()


# -- threads ---------------------------------------------------------------------------------------
THREADS = [((9, 33, 21, 20), 40), ((1, 48, 9, 9), 150)]  # many and few tiles; chunks and blocks


@pytest.mark.parametrize(("shape", "out_channels"), THREADS)
def test_thread_count_does_not_change_a_bit(shape, out_channels):
    x, w, b = normal(*shape), normal(out_channels, shape[1], 3, 3), normal(out_channels)
    threads, found = nt.get_num_threads(), []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            found.append(results(x, w, b, 1))
    finally:
        nt.set_num_threads(threads)
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_python_threads_have_their_own_memory():
    inputs = [normal(n, 64, 14, 14) for n in (4, 5)]
    w, b = normal(64, 64, 3, 3), normal(64)
    alone = [results(x, w, b, 1) for x in inputs]
    together = [[], []]

    def work(i):
        for _ in range(5):
            together[i].append(results(inputs[i], w, b, 1))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in workers:
        t.start()
    for t in workers:
        t.join()
    for want, runs in zip(alone, together, strict=True):
        assert len(runs) == 5
        for found in runs:
            for ours, alone_ in zip(found, want, strict=True):
                np.testing.assert_array_equal(ours, alone_)


# -- the choice ------------------------------------------------------------------------------------
WINOGRAD = [  # images, channels, output channels, height, width
    (16, 64, 64, 56, 56),
    (16, 128, 128, 28, 28),
    (16, 256, 256, 14, 14),
    (8, 512, 512, 7, 7),
    (1, 64, 64, 56, 56),
    (1, 512, 512, 7, 7),
    (32, 32, 32, 16, 16),
    (8, 96, 96, 35, 35),
]
DIRECT = [
    (16, 3, 64, 32, 32),
    (8, 3, 32, 224, 224),
    (64, 1, 32, 26, 26),
    (64, 6, 16, 10, 10),
    (1, 16, 8, 8, 8),
    (8, 8, 8, 28, 28),
    (8, 64, 3, 64, 64),
]
DIRECT_GRADIENTS = [  # with few output channels, these waste lanes, too
    *DIRECT[:-1],
    (32, 192, 192, 5, 5),
    (1, 64, 64, 3, 3),
]


def test_the_rule_takes_winograd_where_there_are_many_channels():
    assert [s for s in WINOGRAD if not winograd.pays(*s)] == []
    assert [s for s in DIRECT if winograd.pays(*s)] == []
    assert [s for s in WINOGRAD if not winograd_grad.pays(*s)] == []
    assert [s for s in DIRECT_GRADIENTS if winograd_grad.pays(*s)] == []


def taken(monkeypatch, x, w, **settings):
    """Whether a convolution of these shapes is Winograd's."""
    made = []
    original = winograd.correlate
    monkeypatch.setattr(cpu.winograd, "correlate", lambda *a: made.append(a) or original(*a))
    clear_plans()
    name = f"conv{len(x) - 2}d"
    dtype = settings.pop("dtype", nt.float32)
    getattr(nt, name)(nt.zeros(x, dtype=dtype), nt.zeros(w, dtype=dtype), **settings)
    clear_plans()
    return bool(made)


X, W = (1, 64, 14, 14), (64, 64, 3, 3)
OTHERS = {
    "stride": (X, W, {"stride": 2}),
    "dilation": (X, W, {"dilation": 2}),
    "groups": (X, (64, 32, 3, 3), {"groups": 2}),
    "kernel": (X, (64, 64, 3, 5), {"padding": (1, 2)}),
    "float64": (X, W, {"dtype": nt.float64}),
    "conv1d": ((1, 64, 99), (64, 64, 3), {}),
    "conv3d": ((1, 64, 3, 14, 14), (64, 64, 1, 3, 3), {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_convolutions_are_direct(name, monkeypatch):
    x, w, settings = OTHERS[name]
    assert not taken(monkeypatch, x, w, **settings)


def test_the_switch(switch, monkeypatch):
    assert nt.backends.cpu.winograd_enabled()
    assert taken(monkeypatch, X, W)
    x, w = nt.from_numpy(normal(*X)), nt.from_numpy(normal(*W))
    on = nt.conv2d(x, w).numpy()
    switch(False)
    assert not nt.backends.cpu.winograd_enabled()
    assert not taken(monkeypatch, X, W)
    off = nt.conv2d(x, w).numpy()
    assert 0 < error(on, off) < 1e-5
    switch(True)
    np.testing.assert_array_equal(nt.conv2d(x, w).numpy(), on)
