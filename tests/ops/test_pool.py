"""Pooling: ties, NaN, infinities, overlapping windows, indices."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.nn import functional as F  # noqa: N812

INF, NAN = float("inf"), float("nan")


def pool(rows, *arguments, **options):
    x = nt.tensor(rows, dtype=nt.float32).reshape((1, 1, len(rows), len(rows[0])))
    return F.max_pool2d(x, *arguments, return_indices=True, **options)


def test_the_first_maximum_wins():
    values, indices = pool([[1, 3, 3, 3], [3, 3, 3, 3]], 2)
    assert values.tolist() == [[[[3, 3]]]] and indices.tolist() == [[[[1, 2]]]]


def test_nan_propagates_and_the_last_one_gives_the_index():
    values, indices = pool([[NAN, 1, 0, 0], [2, NAN, 0, 1]], 2)
    assert np.isnan(values.numpy()[0, 0, 0, 0]) and values.numpy()[0, 0, 0, 1] == 1
    assert indices.tolist() == [[[[5, 7]]]]


def test_a_window_of_minus_infinity():
    values, indices = pool([[-INF, -INF], [-INF, -INF]], 2)
    assert values.tolist() == [[[[-INF]]]] and indices.tolist() == [[[[0]]]]


def test_overlapping_windows_add_up():
    x = nt.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 5
    x.requires_grad_()
    F.max_pool2d(x, 2, stride=1).sum().backward()
    assert x.grad.tolist() == [[[[0, 0, 0], [0, 4, 0], [0, 0, 0]]]]


def test_padding_never_wins():
    x = -nt.ones(1, 1, 3, 3)
    assert (F.max_pool2d(x, 3, stride=2, padding=1) == -1).all()
    assert (F.max_pool2d(-nt.ones(1, 1, 3, 3, dtype=nt.int32), 3, stride=2, padding=1) == -1).all()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64", "float64"])
def test_extremes_of_dtypes(dtype):
    high = np.finfo(dtype).max if dtype == "float64" else np.iinfo(dtype).max
    x = np.arange(64).reshape(1, 1, 8, 8).astype(dtype)
    x[0, 0, 3, 3] = high
    y = F.max_pool2d(nt.from_numpy(x), 2).numpy()
    np.testing.assert_array_equal(y[0, 0], x[0, 0].reshape(4, 2, 4, 2).max((1, 3)))


def test_long_rows_and_many_planes():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((37, 5, 4, 131)).astype("float32")
    y, i = F.max_pool2d(nt.from_numpy(x), (2, 3), (2, 3), return_indices=True)
    want = x[..., :129].reshape(37, 5, 2, 2, 43, 3).max((3, 5))
    np.testing.assert_array_equal(y.numpy(), want)
    flat = x.reshape(37, 5, -1)
    np.testing.assert_array_equal(
        np.take_along_axis(flat, i.numpy().reshape(37, 5, -1), 2), want.reshape(37, 5, -1)
    )


def test_ceil_mode_drops_windows_that_begin_in_the_padding():
    x = nt.arange(5, dtype=nt.float32).reshape((1, 1, 5))
    assert F.max_pool1d(x, 2, 2, ceil_mode=True).tolist() == [[[1, 3, 4]]]
    assert F.max_pool1d(x, 2, 3, 1, ceil_mode=True).shape == (1, 1, 2)
    assert F.avg_pool1d(x, 2, 2, ceil_mode=True).tolist() == [[[0.5, 2.5, 4]]]


def test_thread_count_does_not_change_a_bit():
    x = nt.randn(8, 16, 40, 40)
    threads = nt.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            nt.set_num_threads(count)
            leaf = x.detach().clone().requires_grad_()
            y = F.max_pool2d(leaf, 3, 2, 1)
            z = F.avg_pool2d(leaf, 3, 2, 1)
            (grad,) = nt.autograd.grad([y, z], [leaf], [nt.ones_like(y), y.detach()])
            found.append([t.detach().numpy() for t in (y, z, grad)])
    finally:
        nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


POOLS = {
    "max": lambda x: F.max_pool2d(x, 3, 2, 1),
    "max of the places": lambda x: F.max_pool2d(x, (2, 9), (1, 8), dilation=(2, 1)),
    "mean": lambda x: F.avg_pool2d(x, 2, 3, 1, count_include_pad=False),
    "overlapping means": lambda x: F.avg_pool2d(x, 3, 1),
    "adaptive max": lambda x: F.adaptive_max_pool2d(x, (5, 2)),
    "adaptive mean": lambda x: F.adaptive_avg_pool2d(x, (4, 7)),
    "max of volumes": lambda x: F.max_pool3d(x, 2, 1),
    "means of volumes": lambda x: F.avg_pool3d(x, 2, 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POOLS)
def test_channels_last(name, dtype):
    """The same numbers as of a contiguous image; the results of images are channels-last, too."""
    size = (4, 5, 6) if "volumes" in name else (11, 19)
    axes = len(size)
    x = np.random.default_rng(0).standard_normal((2, *size, 37)).astype(dtype)
    turned = nt.from_numpy(x).movedim(-1, 1)
    plain, last = turned.clone(memory_format=nt.contiguous_format), turned.clone()
    assert plain.is_contiguous() and not last.is_contiguous()
    grads = []
    for leaf in (plain, last):
        y = POOLS[name](leaf.requires_grad_())
        weight = nt.arange(y.numel(), dtype=y.dtype).reshape(tuple(y.shape)).cos()
        (grad,) = nt.autograd.grad(y, leaf, weight.requires_grad_(), create_graph=True)
        (back,) = nt.autograd.grad(grad, weight, grad.detach())
        grads.append((y.detach().numpy(), grad.detach().numpy(), back.numpy()))
    if axes == 2 or "max" in name:
        assert y.stride(1) == 1
    for a, b in zip(*grads, strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


def test_wide_windows_keep_the_first_maximum_and_the_last_nan():
    x = nt.zeros(1, 1, 3, 20)
    x[0, 0, 1, 3] = x[0, 0, 2, 2] = x[0, 0, 0, 12] = x[0, 0, 2, 11] = 5
    _, indices = F.adaptive_max_pool2d(x, (1, 2), return_indices=True)
    assert indices.tolist() == [[[[23, 12]]]]
    x[0, 0, 1, 5] = x[0, 0, 2, 4] = x[0, 0, 1, 7] = NAN
    values, indices = F.adaptive_max_pool2d(x, (1, 2), return_indices=True)
    assert np.isnan(values.numpy()[0, 0, 0, 0]) and indices.tolist() == [[[[44, 12]]]]
