"""Convolutions of images with channels last: values, gradients, layouts as torch's, tiles."""

import functools

import numpy as np
import pytest

import numtorch as nt
from numtorch.autograd import forward_ad
from numtorch.backends.cpu.simd import lanes_of
from numtorch.compiler import capture
from numtorch.ops.conv import depthwise_lanes as lanes_module
from tests.ops.test_conv import run_once

RNG = np.random.default_rng(7)
F = nt.nn.functional


def last(values, make=nt.from_numpy):
    """A tensor of this (N, C, ...) array with channels last in memory."""
    axes = values.ndim
    kept = np.ascontiguousarray(np.moveaxis(values, 1, -1))
    return make(kept).permute(0, axes - 1, *range(1, axes - 1))


def random(*shape, dtype="float32"):
    return RNG.uniform(-1, 1, shape).astype(dtype)


# (channels, output channels, size, kernel, stride, padding, dilation, groups)
CASES = {
    "3x3": (37, 37, (9, 21), (3, 3), 1, 1, 1, 37),
    "3x3 narrow": (20, 20, (7, 3), (3, 3), 1, 1, 1, 20),
    "3x3 few channels": (5, 5, (9, 13), (3, 3), 1, 1, 1, 5),
    "3x3 stride 2": (20, 20, (9, 22), (3, 3), 2, 1, 1, 20),
    "3x3 dilation": (20, 20, (12, 23), (3, 3), 1, 2, 2, 20),
    "3x3 wide padding": (20, 20, (5, 6), (3, 3), (2, 1), 4, 1, 20),
    "2x5 stride 3": (20, 20, (8, 19), (2, 5), 3, (0, 2), (2, 1), 20),
    "volumes": (20, 20, (4, 5, 9), (3, 3, 3), (1, 2, 1), 1, 1, 20),
    "1x1": (19, 7, (5, 9), (1, 1), 1, 0, 1, 1),
    "1x1 volumes": (6, 20, (2, 3, 4), (1, 1, 1), 1, 0, 1, 1),
    "multiplier": (6, 12, (5, 9), (3, 3), 1, 1, 1, 6),
    "3x3 dense": (6, 5, (5, 9), (3, 3), 1, 1, 1, 1),
}
# those with kernels of their own; torch's layout of 1x1 volumes depends on its threads
LIKE_TORCH = [n for n in CASES if n not in ("multiplier", "3x3 dense", "1x1 volumes")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name, dtype):
    """The same as of contiguous images, to the second derivative; another layout of `grad`, too."""
    c, o, size, kernel, *how, groups = CASES[name]
    convolve = getattr(F, f"conv{len(size)}d")
    x, w, b = random(2, c, *size), random(o, c // groups, *kernel), random(o)
    x, w, b = (a.astype(dtype) for a in (x, w, b))
    results = []
    for images in (nt.from_numpy, last):
        tx, tw, tb = images(x).requires_grad_(), *(nt.tensor(a, requires_grad=True) for a in (w, b))
        y = convolve(tx, tw, tb, *how, groups)
        g = np.cos(np.arange(y.numel())).astype(dtype).reshape(tuple(y.shape))
        tg = images(g).requires_grad_()
        firsts = nt.autograd.grad(y, (tx, tw, tb), tg, create_graph=True)
        again = nt.autograd.grad(y, (tx, tw), nt.from_numpy(g), retain_graph=True)
        total = (firsts[0] * firsts[0]).sum() + (firsts[1] * firsts[1]).sum()
        results.append([y, *firsts, *again, *nt.autograd.grad(total, (tx, tw, tg))])
        with forward_ad.dual_level():
            pairs = (tx, images(x * x)), (tw, nt.from_numpy(w + 1))
            duals = [forward_ad.make_dual(leaf.detach(), tangent) for leaf, tangent in pairs]
            dual = convolve(*duals, tb.detach(), *how, groups)
            results[-1].append(forward_ad.unpack_dual(dual).tangent)
    error = 1e-5 if dtype == "float32" else 1e-13
    for ours, plain in zip(*reversed(results), strict=True):
        a, b = ours.detach().numpy(), plain.detach().numpy()
        np.testing.assert_allclose(a, b, 0, error * max(1, np.abs(b).max()))


@pytest.mark.parametrize("name", LIKE_TORCH)
def test_results_have_the_strides_of_torch(name, torch):
    c, o, size, kernel, *how, groups = CASES[name]
    x, w = random(2, c, *size), random(o, c // groups, *kernel)
    found = []
    for lib in (torch, nt):
        tx = last(x, lib.from_numpy).requires_grad_()
        tw = lib.from_numpy(w).requires_grad_()
        y = getattr(lib.nn.functional, f"conv{len(size)}d")(tx, tw, None, *how, groups)
        g = last(np.ones(tuple(y.shape), "float32"), lib.from_numpy)
        (gx,) = lib.autograd.grad(y, tx, g)
        found.append((y.stride(), gx.stride(), y.detach().numpy()))
    assert found[0][:2] == found[1][:2]
    np.testing.assert_allclose(found[0][2], found[1][2], 1e-4, 1e-5)


def test_sequences_are_contiguous(torch):
    x, w = random(2, 8, 12), random(8, 1, 3)
    for lib in (torch, nt):
        y = lib.nn.functional.conv1d(last(x, lib.from_numpy), lib.from_numpy(w), groups=8)
        assert y.is_contiguous()


def test_capture_replays():
    x, w = last(random(2, 20, 6, 9)), nt.from_numpy(random(20, 1, 3, 3))
    convolve = lambda a, v: F.conv2d(a, v, None, 1, 1, 1, 20).relu()  # noqa: E731
    recording = capture(convolve, x, w)
    want = convolve(x + 1, w)
    np.testing.assert_array_equal(recording.replay(x + 1, w).numpy(), want.numpy())


def test_slices_of_channels_and_nan_stay_apart():
    values = np.full((2, 40, 6, 11), np.nan, "float32")
    values[:, 3] = 1
    images = last(values)
    y = F.conv2d(images, nt.ones(40, 1, 3, 3), None, 1, 1, 1, 40).numpy()
    assert np.isfinite(y[:, 3]).all() and np.isnan(y[:, :3]).all() and np.isnan(y[:, 4:]).all()
    part = F.conv2d(images[:, 3:4].expand(2, 20, 6, 11), nt.ones(20, 1, 3, 3), None, 1, 1, 1, 20)
    np.testing.assert_array_equal(part.numpy(), np.repeat(y[:, 3:4], 20, 1))


def test_the_number_of_threads_changes_no_bit():
    x, w = last(random(4, 70, 30, 31)), nt.from_numpy(random(70, 1, 3, 3))
    x, w, threads, found = x.requires_grad_(), w.requires_grad_(), nt.get_num_threads(), []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            y = F.conv2d(x, w, None, 1, 1, 1, 70)
            gx, gw = nt.autograd.grad((y * y).sum(), (x, w))
            found.append((y.detach().numpy(), gx.numpy(), gw.numpy()))
    finally:
        nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def on_python(function, *arguments):
    function(*arguments)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tiles_are_their_twins(dtype, masked):
    lanes = lanes_of(np.dtype(dtype).itemsize)
    x, weight = (RNG.integers(-9, 9, 900).astype(dtype) for _ in range(2))
    row_taps, zeros = np.array([0, 0, 3, lanes, 90, 5 * lanes]), np.zeros(lanes, dtype)
    pairs, used = np.array([9, 9, 20, lanes, 7, 2 * lanes]), lanes - 1 if masked else lanes
    columns = np.array([9, 2 * lanes, lanes, 0, -1, *range(30, 430, 23), -1])
    results = []
    for run in (run_once, on_python):
        out = np.zeros(600, dtype)
        if run is run_once:
            pixel = lanes_module.pixel_tile(4, masked)
            line = [lanes_module.line_tile(4, 3, 2, edge, masked) for edge in (True, False)]
        else:
            pixel = functools.partial(lanes_module.plain_pixel_tile, 4, masked)
            line = [
                functools.partial(lanes_module.plain_line_tile, 4, 3, 2, edge, masked)
                for edge in (True, False)
            ]
        run(pixel, x, 5, 17, weight, 3, out, 2, 18, row_taps, 2, 2, pairs, 1, 2, used)
        for tile, first, to in zip(line, (1, 2), (150, 300), strict=True):
            columns[2 + 3] = 40 if first == 2 else -1
            run(
                tile, x, 5, zeros, 19, weight, 3, out, to, 18, row_taps, 0, 3, columns, first, used
            )  # fmt: skip
        results.append(out)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 26, 54])
def test_pieces_cover_all(n):
    for sizes in ((8, 4, 1), (8, 4))[: 2 if n >= 4 else 1]:
        found = list(lanes_module.pieces(n, sizes))
        assert {q for at, size in found for q in range(at, at + size)} == set(range(n))
