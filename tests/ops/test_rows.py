"""Rows at index positions on the CPU: short, long, strided, along any dimension."""

import numpy as np
import pytest

import numtorch as nt

RNG = np.random.default_rng(23)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "bool"])
@pytest.mark.parametrize(
    "shape", [(40, 1), (40, 3), (9, 40, 2), (40, 33), (5, 40, 17), (3, 40, 4, 8)]
)
def test_any_dimension_is_selected_from(shape, dtype):
    x = RNG.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype)
    for dim, n in enumerate(shape):
        for count in (1, 7, 50):
            index = RNG.integers(0, n, count)
            wanted = x.take(index, dim)
            for view in (nt.from_numpy(x), nt.from_numpy(x.T.copy()).permute(*range(x.ndim)[::-1])):
                assert np.array_equal(view.index_select(dim, nt.from_numpy(index)).numpy(), wanted)
            out = nt.zeros(*wanted.T.shape, dtype=view.dtype).permute(*range(x.ndim)[::-1])
            nt.index_select(view, dim, nt.from_numpy(index), out=out)
            assert np.array_equal(out.numpy(), wanted)


@pytest.mark.parametrize("width", [1, 3, 4, 16, 33, 100])
def test_embeddings_of_any_width(width):
    weight, index = RNG.standard_normal((50, width)), RNG.integers(0, 50, (7, 9))
    found = nt.nn.functional.embedding(nt.from_numpy(index), nt.from_numpy(weight))
    assert np.array_equal(found.numpy(), weight[index])


@pytest.mark.parametrize("kind", ["scatter", "scatter_add"])
def test_scattering_along_any_dimension(kind):
    x, src = RNG.standard_normal((2, 20, 30))
    for dim in (0, 1):
        index = np.argsort(RNG.random(src.shape), dim)  # each place once
        wanted = x.copy()
        there = np.take_along_axis(x, index, dim) if kind == "scatter_add" else 0
        np.put_along_axis(wanted, index, there + src, dim)
        found = getattr(nt.from_numpy(x), kind)(dim, nt.from_numpy(index), nt.from_numpy(src))
        np.testing.assert_allclose(found.numpy(), wanted)
