"""Sorting and searching: ties, NaN, signed zeros, long lines; equal to torch where it says how."""

import numpy as np
import pytest

import numtorch as nt

NAN, INF = float("nan"), float("inf")
ODD = [0.0, -0.0, NAN, 1.0, -INF, INF, -0.0, 0.0, NAN, -1.0, 1.0, 5e-324]


def same(got, want):
    """Bitwise, but for the payload of NaN."""
    a, b = got.numpy(), np.asarray(want)
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)
    if a.dtype.kind == "f":
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("repeat", [1, 20])
def test_special_values(dtype, descending, repeat, torch):
    x = np.array(ODD * repeat, dtype)
    got = nt.from_numpy(x).sort(descending=descending)
    want = torch.from_numpy(x).sort(stable=True, descending=descending)
    same(got.values, want.values)
    same(got.indices, want.indices)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("n", [10, 300, 5000])
def test_integers(dtype, n, torch):
    info = np.iinfo(dtype) if dtype != "bool" else np.iinfo("uint8")
    x = np.random.default_rng(n).integers(info.min, info.max, n, info.dtype, endpoint=True)
    x = (x > 99) if dtype == "bool" else x
    for descending in (False, True):
        got = nt.from_numpy(x).sort(descending=descending)
        want = torch.from_numpy(x).sort(stable=True, descending=descending)
        same(got[0], want[0])
        same(got[1], want[1])


@pytest.mark.parametrize("shape,dim", [((5000,), 0), ((3, 200, 5), 1), ((37, 64), 0)])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_order_statistics(shape, dim, dtype, torch):
    x = np.random.default_rng(1).permutation(int(np.prod(shape))).reshape(shape).astype(dtype)
    a, b = nt.from_numpy(x), torch.from_numpy(x)
    n = shape[dim]
    for k in (1, 7, 17, n // 2, n):
        for largest in (True, False):
            got, want = a.topk(k, dim, largest), b.topk(k, dim, largest)
            same(got[0], want[0])
            same(got[1], want[1])
        got, want = a.kthvalue(k, dim), b.kthvalue(k, dim)
        same(got[0], want[0])
        same(got[1], want[1])
    same(a.median(), b.median())


@pytest.mark.parametrize("n", [5, 200])
@pytest.mark.parametrize("k", [2, 30])
def test_ties_take_the_first(n, k):
    for dtype in (nt.int64, nt.float32):
        x = nt.zeros(n, dtype=dtype)
        x[1] = 1
        k = min(k, n)
        assert x.topk(k).indices.tolist() == [1, 0, *range(2, k)]
        assert x.topk(k, largest=False).indices[0].item() == 0


@pytest.mark.parametrize("n", [6, 100])
def test_medians_and_nan(n, torch):
    x = np.random.default_rng(n).permutation(4 * n).reshape(4, n).astype(np.float32)
    x[1, 3], x[2], x[3, :2] = NAN, NAN, NAN
    a, b = nt.from_numpy(x), torch.from_numpy(x)
    for name in ("median", "nanmedian"):
        got, want = getattr(a, name)(1), getattr(b, name)(1)
        same(got.values, want.values)
        if name == "median":
            same(got.indices, want.indices)
        same(getattr(a, name)(), getattr(b, name)())
    assert a.topk(2).values[1, 0].isnan()


def test_median_of_nothing():
    assert nt.empty(0).median().isnan()
    assert nt.zeros(0, 3).median(1).values.shape == (0,)


@pytest.mark.parametrize("right", [False, True])
def test_search(right, torch):
    rng = np.random.default_rng(0)
    for n in (1, 2, 7, 100):
        s = np.sort(rng.integers(0, 40, (3, n)).astype(np.float32), 1)
        v = rng.integers(-2, 42, (3, 45)).astype(np.float32)
        v[0, 3] = NAN
        a, b = nt.from_numpy(s), torch.from_numpy(s)
        x, y = nt.from_numpy(v), torch.from_numpy(v)
        same(nt.searchsorted(a, x, right=right), torch.searchsorted(b, y, right=right))
        same(nt.bucketize(x, a[0], right=right), torch.bucketize(y, b[0], right=right))
        same(nt.searchsorted(a[0], 7.0, right=right), torch.searchsorted(b[0], 7.0, right=right))


def test_search_by_an_order():
    x = nt.tensor([3.0, 1.0, 2.0])
    assert nt.searchsorted(x, nt.tensor([2.5]), sorter=x.argsort()).tolist() == [2]
    with pytest.raises(RuntimeError, match="sorter index out of range"):
        nt.searchsorted(x, nt.tensor([2.5]), sorter=nt.tensor([0, 1, 3]))


def test_out():
    x, v, i = nt.tensor([2.0, 1.0]), nt.empty(2), nt.empty(2, dtype=nt.int64)
    result = nt.sort(x, out=(v, i))
    assert v.tolist() == [1.0, 2.0] and i.tolist() == [1, 0] and result.values is v
    with pytest.raises(RuntimeError, match="Expected out tensor to have dtype"):
        nt.sort(x, out=(v, nt.empty(2)))


def test_unique_with_nan():
    values, counts = nt.tensor([NAN, 1.0, NAN, 1.0]).unique(return_counts=True)
    assert counts.tolist() == [2, 1, 1] and values[0].item() == 1


def test_threads_change_nothing():
    x = nt.from_numpy(np.random.default_rng(3).integers(0, 50, (300, 600)).astype(np.float32))
    found = []
    for threads in (1, 2):
        before = nt.get_num_threads()
        nt.set_num_threads(threads)
        y = x + 0  # a new plan is not needed: the launcher looks at the number of threads
        found.append([*y.sort(), *y.topk(40)])
        nt.set_num_threads(before)
    for a, b in zip(*found, strict=True):
        assert a.equal(b)


def test_mode_of_long_lines(torch):
    x = np.random.default_rng(4).integers(0, 9, (5, 200)).astype(np.float32)
    got = nt.from_numpy(x).mode(1)
    same(got.values, torch.from_numpy(x).mode(1).values)
    for row, value, at in zip(x, got.values.tolist(), got.indices.tolist(), strict=True):
        assert at == np.flatnonzero(row == value)[-1]
