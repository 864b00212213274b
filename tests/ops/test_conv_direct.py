"""Direct convolution kernels on the CPU against float64, over drawn sizes and settings."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numtorch as nt
from numtorch.backends.cpu.simd import lanes_of
from numtorch.ops.conv import choice, depthwise, depthwise_tile, plan
from tests.ops.test_conv import run_once
from tests.samples.conv import conv

RNG = np.random.default_rng(5)


def gradients(x, w, g, stride, padding, dilation, groups):
    """The gradients of `(conv(x, w) * g).sum()`, tap by tap, in float64."""
    gx, gw = np.zeros(x.shape), np.zeros(w.shape)
    wide = np.pad(gx, [(0, 0), (0, 0), *[(p, p) for p in padding]])
    source = np.pad(x, [(0, 0), (0, 0), *[(p, p) for p in padding]]).astype("f8")
    o, c = w.shape[0] // groups, w.shape[1]
    for i, j in np.ndindex(*w.shape[2:]):
        rows, columns = (
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip((i, j), dilation, g.shape[2:], stride, strict=True)
        )
        for k in range(groups):
            mine, its = slice(k * o, k * o + o), slice(k * c, k * c + c)
            part = source[:, its, rows, columns]
            gw[mine, :, i, j] = np.einsum("nohw,nchw->oc", g[:, mine], part)
            wide[:, its, rows, columns] += np.einsum("nohw,oc->nchw", g[:, mine], w[mine, :, i, j])
    h, v = (slice(p, p + n) for p, n in zip(padding, x.shape[2:], strict=True))
    return wide[:, :, h, v], gw


def check(n, groups, c, o, size, kernel_size, stride, padding, dilation, dtype="float32"):
    """Forward with bias and both gradients of a convolution with `groups` groups of c -> o."""
    values = lambda *shape: RNG.uniform(-1, 1, shape).astype(dtype)  # noqa: E731
    x, w, b = (
        values(n, groups * c, *size), values(groups * o, c, *kernel_size), values(groups * o)
    )  # fmt: skip
    tx, tw, tb = (nt.from_numpy(a).requires_grad_() for a in (x, w, b))
    y = nt.conv2d(tx, tw, tb, stride, padding, dilation, groups)
    wide = [a.astype("f8") for a in (x, w, b)]
    want = conv(*wide, stride, padding, dilation, groups)
    g = values(*want.shape)
    got = [y.detach(), *nt.autograd.grad(y, (tx, tw), nt.from_numpy(g))]
    wanted = [want, *gradients(*wide[:2], g.astype("f8"), stride, padding, dilation, groups)]
    error = 3e-6 if dtype == "float32" else 1e-13
    for a, e in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a.numpy(), e, 0, error * max(1, np.abs(e).max()))


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def settings_of(draw, kernels):
    """(size, kernel, stride, padding, dilation) of a convolution that has an output."""
    k = draw(st.sampled_from(kernels))
    s, p, d = (draw(pairs(*r)) for r in ((1, 3), (0, 4), (1, 3)))
    if draw(st.booleans()):  # the fast cases are square
        s, p, d = ((a[0],) * 2 for a in (s, p, d))
    extra = draw(pairs(0, 40))
    least = [max(1, d_ * (k_ - 1) + 1 - 2 * p_) for d_, k_, p_ in zip(d, k, p, strict=True)]
    return tuple(n + e for n, e in zip(least, extra, strict=True)), k, s, p, d


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), settings_of([(3, 3), (1, 2)]))
def test_depthwise(n, channels, multiplier, how):
    check(n, channels, 1, multiplier, *how)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 5), st.sampled_from([1, 3, 17, 33, 70]),
    settings_of([(1, 1), (3, 3), (5, 4)]),
)  # fmt: skip
def test_any_channels_and_groups(n, groups, c, o, how):
    check(n, groups, c + 1, o, *how)


@pytest.mark.parametrize(
    "how",
    [
        (3, 1, 17, 50, (9, 13), (1, 1), (0, 0)),  # a product for each image
        (2, 3, 5, 9, (30, 31), (1, 1), (0, 0)),
        (1, 1, 70, 66, (1, 1), (1, 1), (0, 0)),  # linear layers
        (5, 1, 3, 7, (4, 6), (4, 6), (0, 0)),
        (5, 1, 3, 7, (4, 6), (4, 6), (1, 0)),  # almost one
        (2, 1, 3, 18, (15, 8), (5, 2), (0, 0), (5, 2)),  # patches
        (2, 2, 3, 5, (15, 7), (3, 1), (0, 0), (3, 1)),
        (2, 1, 3, 5, (16, 9), (5, 2), (0, 0), (5, 2)),  # and a rest
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products(how, dtype):
    n, groups, c, o, size, k, padding, *stride = how
    check(n, groups, c, o, size, k, *(stride or [(1, 1)]), padding, (1, 1), dtype)


@pytest.mark.parametrize(
    "how",
    [
        (3, 1, 40, 2, (19, 33), (3, 3), (1, 1), (1, 1), (1, 1)),  # weight gradients by planes
        (2, 1, 33, 1, (20, 41), (5, 4), (2, 2), (2, 0), (1, 1)),
        (2, 1, 40, 1, (12, 32), (1, 3), (1, 1), (0, 1), (1, 1)),
    ],
)
def test_few_output_channels(how):
    counts = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(*how[4:8], strict=True)]
    assert choice.planes_win(4, how[2], how[3], counts, how[5], how[6])
    check(*how)


@pytest.mark.parametrize(("dtype", "k"), [("float32", 5), ("float32", 7), ("float64", 5)])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 7), (16, 35)])
def test_depthwise_with_larger_kernels(dtype, k, stride, size):
    check(2, 3, 1, 1, size, (k, k), (stride,) * 2, (k // 2,) * 2, (1, 1), dtype)


def test_depthwise_reads_no_neighbours():
    x = np.full((1, 3, 9, 20), np.nan, "f4")
    x[0, 1] = RNG.uniform(-1, 1, (9, 20))
    w, g = np.ones((3, 1, 3, 3), "f4"), np.ones((1, 3, 9, 20), "f4")
    tx, tw = nt.from_numpy(x).requires_grad_(), nt.from_numpy(w).requires_grad_()
    y = nt.conv2d(tx, tw, None, 1, 1, 1, 3)
    (gw,) = nt.autograd.grad(y, (tw,), nt.from_numpy(g))
    assert np.isfinite(y.detach().numpy()[0, 1]).all() and np.isfinite(gw.numpy()[1]).all()
    assert np.isnan(y.detach().numpy()[0, ::2]).all() and np.isnan(gw.numpy()[::2]).all()


@pytest.mark.parametrize("how", [(1, 1), (2, 1), (1, 2), (3, 1)])
def test_plane_and_taps_tiles_are_their_twins(how):
    stride, dilation = how
    lanes = lanes_of(4)
    axis = (23, (23 + 2 - 2 * dilation - 1) // stride + 1, 3, stride, 1, dilation)
    rows, unit, step = depthwise.shape_of([None, axis, axis])
    lines, left = depthwise.row_lines(axis, rows, 23, axis[1], True)
    columns = depthwise.column_lines(axis, step, lanes, False)
    tables = depthwise.flat_table(lines), len(lines), depthwise.flat_table(columns), len(columns)
    x, w, z = (RNG.integers(-9, 9, n).astype("f4") for n in (2 * 529, 18, 23))
    z[:] = 0
    plane = (3, 3, rows, unit, step)
    found = {"plane": [], "taps": []}
    for run, tiles in (
        (run_once, (depthwise_tile.plane_tile(*plane, True), depthwise_tile.taps_tile(*plane))),
        (
            lambda f, *a: f(*a),
            [
                functools.partial(t, *plane)
                for t in (depthwise_tile.plain_plane_tile, depthwise_tile.plain_taps_tile)
            ],
        ),
    ):
        out, sums = np.zeros(axis[1] ** 2 + 2, "f4"), np.ones(9 * lanes, "f4")
        start = np.float32(0.5) if run is not run_once else 0.5
        run(tiles[0], x, 0, 529, 2, z, w, 0, 1, start, out, 2, 0, *tables, stride, dilation)
        run(tiles[1], x, 1, 0, x, 529, 0, z, sums, 0, *tables, stride, dilation)
        found["plane"].append(out)
        found["taps"].append(sums)
    for pair in found.values():
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_the_shifts_of_stride_2_reach_every_tap(k, padding):
    low, high = depthwise_tile.reach_of(k, padding % 2)
    shifts = {
        (e + padding % 2 - j) // 2 for e in range(2) for j in range(k) if (e + padding - j) % 2 == 0
    }
    assert min(shifts) == low and max(shifts) == high


@pytest.mark.parametrize(
    "how",
    [
        ((3, 40, 33, 29), (70, 40, 3, 3), (2, 2), 1),  # channels in lanes, images in pieces
        ((1, 96, 14, 14), (130, 96, 1, 1), (1, 1), 1),  # one image: panels are shared out
        ((4, 6, 60, 60), (12, 3, 5, 5), (1, 1), 2),  # pixels in lanes
        ((3, 24, 40, 40), (24, 1, 3, 3), (2, 2), 24),  # depthwise
    ],
)
def test_the_number_of_threads_changes_no_bit(how):
    x_shape, w_shape, stride, groups = how
    x, w = (RNG.uniform(-1, 1, s).astype("f4") for s in (x_shape, w_shape))
    threads, found = nt.get_num_threads(), []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            tx, tw = nt.from_numpy(x).requires_grad_(), nt.from_numpy(w).requires_grad_()
            y = nt.conv2d(tx, tw, None, stride, 1, 1, groups)
            gradients = nt.autograd.grad(y, (tx, tw), y.detach())
            found.append([t.detach().numpy() for t in (y, *gradients)])
    finally:
        nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_form_follows_from_the_shape():
    def wins(c, o, size, k, s=1, d=1):
        count = (size + d * (k - 1) // 2 * 2 - d * (k - 1) - 1) // s + 1
        line = plan.forward_axis(size, count, k, s, d * (k - 1) // 2, d)
        return choice.channels_win(4, c, o, [plan.forward_axis(1, 1, 1, 1, 0, 1), line, line])

    assert wins(256, 256, 14, 3, s=2) and wins(64, 64, 28, 3, d=3)  # gaps between rows, phases
    assert not wins(64, 3, 56, 3) and not wins(256, 64, 28, 1)  # few channels; from memory
