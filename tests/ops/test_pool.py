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
