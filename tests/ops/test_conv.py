"""Convolution on the CPU: layouts, tiles against their twins, threads, odd shapes and values."""

import functools
import itertools
import math

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cpu.jit import kernel, prange
from numtorch.backends.cpu.simd import lanes_of
from numtorch.ops.conv import plan, tile
from tests.samples.conv import conv

RNG = np.random.default_rng(3)


def random(*shape, dtype="float32"):
    return RNG.uniform(-1, 1, shape).astype(dtype)


# -- layouts ---------------------------------------------------------------------------------------
AXES = [
    (7, 3, 1, 0, 1),
    (8, 3, 2, 1, 1),
    (9, 2, 3, 0, 2),
    (5, 5, 1, 2, 1),
    (6, 1, 2, 0, 1),
    (11, 3, 2, 2, 3),
]


def outputs(size, k, s, p, d):
    return (size + 2 * p - d * (k - 1) - 1) // s + 1


@pytest.mark.parametrize(("size", "k", "s", "p", "d"), AXES)
def test_a_tap_is_an_offset_in_the_planes_of_an_axis(size, k, s, p, d):
    axis = plan.forward_axis(size, outputs(size, k, s, p, d), k, s, p, d)
    for o in range(axis.outputs):
        for i, phase, shift in zip(axis.used, axis.phase, axis.shift, strict=True):
            assert axis.begin[phase] + (o + shift) * axis.step == o * s + i * d - p


@pytest.mark.parametrize(("size", "k", "s", "p", "d"), AXES)
def test_the_backward_axes_reach_every_input_with_the_same_taps(size, k, s, p, d):
    count = outputs(size, k, s, p, d)
    forward = {(o * s + i * d - p, i, o) for o in range(count) for i in range(k)}
    backward, inputs = set(), []
    for start, axis in plan.backward_axes(size, count, k, s, p, d):
        for q in range(axis.outputs):
            inputs.append(start + q * s)
            for i, shift in zip(axis.used, axis.shift, strict=True):
                backward.add((start + q * s, i, axis.begin[0] + q + shift))
    assert sorted(inputs) == list(range(size))
    assert {t for t in backward if 0 <= t[2] < count} == {t for t in forward if 0 <= t[0] < size}


def two_axes(size, k, s, p, d):
    one = plan.forward_axis(1, 1, 1, 1, 0, 1)
    axis = plan.forward_axis(size, outputs(size, k, s, p, d), k, s, p, d)
    return [one, axis, axis]


@pytest.mark.parametrize("facts", AXES)
@pytest.mark.parametrize("vectors", [1, 3])
def test_tiles_cover_every_output(facts, vectors):
    axes = two_axes(*facts)
    layout = plan.layout(axes, 2, 4)
    if layout.direct and layout.positions < vectors * 4:
        layout = plan.layout(axes, 2, 4, direct=False)
    tiles = plan.tiles(layout, vectors, 4)
    places = layout.outputs()
    seen = set()
    for v, (out, mask) in enumerate(zip(tiles.outs, tiles.masks, strict=True)):
        start = tiles.starts[v // vectors] + v % vectors * 4
        for lane in range(4):
            if mask >> lane & 1:
                assert places[start + lane] == out  # kept lanes are neighbours in the output
                seen.add(out)
                out += 1
    assert seen == set(range(axes[1].outputs * axes[2].outputs))


def test_a_large_image_is_cut_so_that_its_planes_fit_the_cache():
    axes = two_axes(224, 3, 1, 1, 1)
    layout = plan.layout(axes, 64, 4)
    assert layout.pieces > 1 and layout.elements * 4 < 1.5 * plan.CACHE_BYTES
    assert layout.last + layout.rows == 224


# -- tiles and their twins -------------------------------------------------------------------------
def run_once(function, *arguments):
    """Compile a call of `function` with these arguments."""
    names = ", ".join(f"a{i}" for i in range(len(arguments)))
    space = {"prange": prange, "f": function}
    exec(f"def once({names}):\n    for i in prange(1):\n        f({names})", space)  # noqa: S102
    space["once"].__module__ = __name__
    kernel(space["once"]).compile(*arguments)(*arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("shape", [(8, 3), (1, 2)])
def test_output_tile_is_its_twin(dtype, shape):
    rows, vectors = shape
    lanes = lanes_of(np.dtype(dtype).itemsize)
    planes, panels = (RNG.integers(-9, 9, n).astype(dtype) for n in (400, 500))
    taps = RNG.integers(0, 50, 5)
    outs = np.arange(vectors) * lanes
    masks = RNG.integers(1, 1 << lanes, vectors)
    masks[0] = (1 << lanes) - 1
    results = []
    for run in (run_once, lambda f, *a: f(*a)):
        out = np.zeros(600, dtype)
        function = tile.output_tile(rows, vectors)
        if run is not run_once:
            function = functools.partial(tile.plain_output_tile, rows, vectors)
        run(function, planes, 3, taps, 5, panels, 2, out, 4, 60, min(rows, 5), outs, masks, 0)
        results.append(out)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_outer_tile_is_its_twin(dtype, fresh):
    width = 2 * lanes_of(np.dtype(dtype).itemsize)
    g, x = (RNG.integers(-9, 9, n).astype(dtype) for n in (30 * width, 900))
    taps, places = RNG.integers(0, 50, 12), RNG.integers(0, 400, 30)
    results = []
    for function in (tile.outer_tile(8, 2), functools.partial(tile.plain_outer_tile, 8, 2)):
        out = np.ones(8 * width + 3, dtype)
        run = run_once if function is tile.outer_tile(8, 2) else lambda f, *a: f(*a)
        run(function, x, 7, taps, 3, 8, places, 2, 20, g, 3 * width, out, 2, fresh)
        results.append(out)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_turn_is_its_twin(dtype, whole):
    x = RNG.integers(-9, 9, 900).astype(dtype)
    lanes = lanes_of(np.dtype(dtype).itemsize)
    results = []
    for function in (tile.turn(whole), functools.partial(tile.plain_turn, whole)):
        out = np.ones(400, dtype)
        run = run_once if function is tile.turn(whole) else lambda f, *a: f(*a)
        run(function, x, 5, 40, min(3, lanes), min(7, lanes), out, 2, 20)
        results.append(out)
    np.testing.assert_array_equal(*results)


def test_pick_is_its_twin():
    x, results = np.arange(1, 400).astype("float32"), []
    for run, function in ((run_once, tile.pick), (lambda f, *a: f(*a), tile.plain_pick)):
        out = np.full(40, -1).astype("float32")
        run(function, x, 5, 9, 3, out, 2)
        results.append(out[: 2 + lanes_of(4)])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_copy_rows_is_its_twin(step, dtype):
    x = np.arange(1, 400).astype(dtype)
    results = []
    for run, function in ((run_once, tile.copy_rows), (lambda f, *a: f(*a), tile.plain_copy_rows)):
        planes = np.full(300, -1).astype(dtype)
        run(function, x, 5, 40, step, planes, 2, 19, 3, 14, 1, 4, 6)
        results.append(planes[: 2 + 19 * 6])
    np.testing.assert_array_equal(*results)


# -- values ----------------------------------------------------------------------------------------
def test_random_shapes():
    for seed in range(40):
        rng = np.random.default_rng(seed)
        pick = lambda low, high: int(rng.integers(low, high))  # noqa: B023, E731
        groups = pick(1, 4)
        k, s, d = ([pick(1, 4) for _ in range(2)] for _ in range(3))
        p = [pick(0, 4) for _ in range(2)]
        least = [max(1, d_ * (k_ - 1) + 1 - 2 * p_) for d_, k_, p_ in zip(d, k, p, strict=True)]
        size = [n + pick(0, 40) for n in least]
        x = random(pick(1, 4), groups * pick(1, 4), *size)
        w = random(groups * pick(1, 10), x.shape[1] // groups, *k)
        tx, tw = (nt.from_numpy(a).requires_grad_() for a in (x, w))
        y = nt.conv2d(tx, tw, None, s, p, d, groups)
        want = conv(x.astype("f8"), w.astype("f8"), None, tuple(s), tuple(p), tuple(d), groups)
        np.testing.assert_allclose(y.detach().numpy(), want, 1e-5, 1e-5)
        g = random(*want.shape)
        gx, gw = nt.autograd.grad(y, (tx, tw), nt.from_numpy(g))
        u, v = (
            random(*x.shape),
            random(*w.shape),
        )  # <g, conv(u, w)> = <gx, u>: gradients are the transposes
        settings = (tuple(s), tuple(p), tuple(d), groups)
        for found, moved in (
            (gx, conv(u, w, None, *settings) * g),
            (gw, conv(x, v, None, *settings) * g),
        ):
            direction = u if found is gx else v
            scale = np.abs(moved).sum() + 1
            assert abs((found.numpy() * direction).sum() - moved.sum()) < 1e-5 * scale


@pytest.mark.parametrize("shape", [(2, 70, 60, 40, 80), (1, 3, 200, 200, 8), (3, 33, 9, 9, 65)])
def test_thread_count_does_not_change_a_bit(shape):
    n, c, h, w, o = shape
    x, k, g = random(n, c, h, w), random(o, c, 3, 3), random(n, o, h, w)
    threads = nt.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            tx, tk = (nt.from_numpy(a).requires_grad_() for a in (x, k))
            y = nt.conv2d(tx, tk, padding=1)
            found.append(
                [t.detach().numpy() for t in (y, *nt.autograd.grad(y, (tx, tk), nt.from_numpy(g)))]
            )
    finally:
        nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_infinity_and_nan_stay_where_they_belong():
    x = np.zeros((1, 1, 6, 6), "float32")
    x[0, 0, 0, 0], x[0, 0, 5, 5] = np.inf, np.nan
    w = np.ones((1, 1, 2, 2), "float32")
    y = nt.conv2d(nt.from_numpy(x), nt.from_numpy(w)).numpy()[0, 0]
    assert y[0, 0] == np.inf and np.isnan(y[4, 4]) and (np.delete(y.ravel(), [0, 24]) == 0).all()
    tw = nt.from_numpy(w).requires_grad_()
    nt.conv2d(nt.from_numpy(x), tw).sum().backward()
    grad = tw.grad.numpy()[0, 0]
    assert grad[0, 0] == np.inf and np.isnan(grad[1, 1]) and grad[0, 1] == grad[1, 0] == 0


def test_same_padding_of_an_even_kernel_adds_the_odd_element_behind():
    x, w = random(1, 1, 5), np.array([[[1.0, 0, 0, 0]]], "float32")
    y = nt.conv1d(nt.from_numpy(x), nt.from_numpy(w), padding="same").numpy()
    np.testing.assert_array_equal(y[0, 0], np.r_[0, x[0, 0, :4]])


def test_output_without_elements_and_bias_alone():
    x, w, b = nt.zeros(0, 3, 5, 5), nt.zeros(4, 3, 3, 3, requires_grad=True), nt.ones(4)
    y = nt.conv2d(x, w, b)
    assert y.shape == (0, 4, 3, 3)
    y.sum().backward()
    assert (w.grad == 0).all()
    y = nt.conv2d(nt.zeros(2, 0, 5, 5), nt.zeros(4, 0, 3, 3), b)
    assert y.shape == (2, 4, 3, 3) and (y == 1).all()


def test_transposed_is_the_adjoint():
    for s, p, e, d in itertools.product((1, 2, 3), (0, 1), (0, 1), (1, 2)):
        if e >= s and e >= d:
            continue
        x, w = random(2, 4, 5, 4, dtype="float64"), random(4, 3, 3, 2, dtype="float64")
        y = nt.conv_transpose2d(nt.from_numpy(x), nt.from_numpy(w), None, s, p, e, 1, d)
        u = random(*y.shape, dtype="float64")
        back = conv(u, w, None, s, p, d)[:, :, : x.shape[2], : x.shape[3]]
        assert math.isclose((y.numpy() * u).sum(), (back * x).sum(), abs_tol=1e-9)
