"""Products on the CPU: the tile against its twin, blocks of any shape, strides, threads."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numtorch as nt
from numtorch.backends.cpu.jit import kernel, prange
from numtorch.backends.cpu.simd import lanes_of
from numtorch.core.plans import clear_plans
from numtorch.core.spec import Spec
from numtorch.ops.matmul import gemm, rows
from numtorch.ops.matmul.tile import (
    GROUP,
    PAD,
    ROWS,
    VECTORS,
    packed,
    plain_packed,
    plain_product_tile,
    product_tile,
)

RNG = np.random.default_rng(11)
DTYPES = ["float32", "float64", "int32", "int64"]


def numbers(shape, dtype="float32"):
    """Small whole numbers, whose products and sums are exact in any order."""
    return RNG.integers(-4, 5, shape).astype(dtype)


# -- the tile --------------------------------------------------------------------------------------
def tile_kernel(vectors, height):
    tile = product_tile(vectors, height)

    @kernel
    def run(a, b, first, out, at, am, ak, used, base, bk, k, begin, step, to, pitch, width):
        for _ in prange(1):
            tile(
                a, at, am, ak, used, b, base, bk, k, first, begin, step, out, to, pitch, width
            )  # fmt: skip

    return run


TILES = [(1, ROWS), (2, ROWS), (3, ROWS), (2, ROWS // 2), (3, ROWS // 2)]


@pytest.mark.parametrize(("vectors", "height"), TILES)
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_tile_is_its_twin_and_writes_nothing_else(vectors, height, dtype):
    lanes, run = lanes_of(np.dtype(dtype).itemsize), tile_kernel(vectors, height)
    a, b, first = (numbers(4000, dtype) for _ in range(3))
    for used, k, last in itertools.product({1, height - 1, height}, (1, 7), {1, lanes - 1, lanes}):
        width = (vectors - 1) * lanes + last
        for am, ak in ((k + 2, 1), (1, ROWS + 3)):
            out = numbers(ROWS * 100, dtype)
            wanted = out.copy()
            plain_product_tile(
                vectors, a, 3, am, ak, used, b, 5, 97, k, first, 2, 61, wanted, 9, 90, width
            )
            facts = (3, am, ak, used, 5, 97, k, 2, 61, 9, 90, width)
            run.compile(a, b, first, out, *facts)(a, b, first, out, *facts)
            assert np.array_equal(out, wanted)


@pytest.mark.parametrize("whole", [True, False], ids=["panel", "strips"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8"])
def test_packing_is_its_twin_and_writes_nothing_else(whole, dtype):
    chunks, vectors, pad = (1, VECTORS, 0) if whole else (GROUP, 0, PAD)
    width = vectors * lanes_of(np.dtype(dtype).itemsize) or ROWS
    pack = packed(chunks, vectors)

    @kernel
    def run(x, out, at, pitch, to, count, used):
        for _ in prange(1):
            pack(x, at, pitch, out, to, count, used)

    x = numbers(2000, dtype)
    for count, used in itertools.product((1, 5), {1, width - 1, width, chunks * width}):
        size = chunks * (count * width + pad)
        out = numbers(size + 40, dtype)
        wanted = out.copy()
        plain_packed(chunks, width, pad, x, 3, 131, wanted, 9, count, used)
        facts = (3, 131, 9, count, used)
        run.compile(x, out, *facts)(x, out, *facts)
        for c in range(chunks):  # what lies between chunks is not used
            between = slice(
                9 + (c + 1) * (count * width + pad) - pad, 9 + (c + 1) * (count * width + pad)
            )
            out[between] = wanted[between]
        assert np.array_equal(out, wanted)


@pytest.mark.parametrize("height", [1, 2, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_the_tile_of_a_few_rows_is_its_twin_and_writes_nothing_else(height, dtype):
    lanes, tile = lanes_of(np.dtype(dtype).itemsize), rows.row_tile(height)
    most = rows.columns_of(height, lanes)

    @kernel
    def run(x, w, first, out, at, down, used, base, pitch, columns, n, begin, step, to, width):
        for _ in prange(1):
            tile(
                x, at, down, used, w, base, pitch, columns, n, first, begin, step, out, to, width
            )  # fmt: skip

    x, w, first = (numbers(2000, dtype) for _ in range(3))
    for used, columns in itertools.product({1, height}, {1, most - 1, most}):
        for n, step in itertools.product((1, lanes - 1, lanes, lanes + 1, 3 * lanes), (0, 40)):
            out = numbers(4 * 90, dtype)
            wanted = out.copy()
            rows.plain_row_tile(
                height, x, 3, 71, used, w, 5, 61, columns, n, first, 2, step, wanted, 9, 80
            )
            facts = (3, 71, used, 5, 61, columns, n, 2, step, 9, 80)
            run.compile(x, w, first, out, *facts)(x, w, first, out, *facts)
            assert np.array_equal(out, wanted)


# -- products --------------------------------------------------------------------------------------
@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 40), st.integers(0, 70), st.integers(1, 110),
    st.tuples(st.booleans(), st.booleans(), st.booleans()), st.sampled_from(DTYPES),
)  # fmt: skip
def test_products_of_any_shape(batch, m, k, n, flags, dtype):
    ta, tb, biased = flags
    a = numbers((batch, k, m) if ta else (batch, m, k), dtype)
    b = numbers((batch, n, k) if tb else (batch, k, n), dtype)
    bias, out = numbers(n, dtype), numbers((batch, m, n), dtype)
    kind = getattr(nt, dtype)
    specs = [Spec.of(x.shape, kind) for x in (a, b, out, bias)]
    run = gemm.products(*specs[:3], ta, tb, specs[3] if biased else None)
    run(a, b, *([bias] if biased else []), out)
    wanted = np.matmul(a.swapaxes(1, 2) if ta else a, b.swapaxes(1, 2) if tb else b)
    assert np.array_equal(out, wanted + (bias if biased else 0))


BLOCKS = [(300, 100, 70), (70, 801, 100), (65, 400, 330), (5, 70, 1000), (129, 17, 257)]
LIMITS = {
    "packed": {
        "DEPTH": 64,
        "WIDE": 2,
        "TALL": 0,
        "LARGE": 0,
        "PACK": 0,
        "STRIPS": 0,
        "STRIP_BYTES": 0,
        "STRIP_DEPTH": 64,
        "STRIP_WIDE": 2,
    },
    "in turn": {"DEPTH": 64, "LARGE": 0, "PACK": 0, "SCRATCH": 0},
    "in place": {"SHALLOW": 32, "WIDE": 2, "LARGE": 0, "PACK": 1 << 60},
}


@pytest.mark.parametrize("shape", BLOCKS, ids=str)
@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_join_without_seams(monkeypatch, shape, limits, dtype):
    for name, value in LIMITS[limits].items():
        monkeypatch.setattr(gemm, name, value)
    clear_plans()
    m, k, n = shape
    for ta, tb in itertools.product((False, True), repeat=2):
        a, b = numbers((k, m) if ta else (m, k), dtype), numbers((n, k) if tb else (k, n), dtype)
        x, y = nt.from_numpy(a), nt.from_numpy(b)
        found = (x.t() if ta else x) @ (y.t() if tb else y)
        assert np.array_equal(found.numpy(), (a.T if ta else a) @ (b.T if tb else b))
    clear_plans()


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("sizes", [(1, 90, 33), (33, 90, 1), (7, 6, 300), (90, 5, 5)], ids=str)
def test_strided_operands(step, sizes):
    m, k, n = sizes
    a, b = numbers((step * m, step * k)), numbers((step * k, step * n))
    x, y = nt.from_numpy(a)[::step, ::step], nt.from_numpy(b)[::step, ::step]
    wanted = a[::step, ::step] @ b[::step, ::step]
    assert np.array_equal((x @ y).numpy(), wanted)
    assert np.array_equal((x @ y[:, 0]).numpy(), wanted[:, 0])
    assert np.array_equal((x.t().contiguous().t() @ y[:, 0]).numpy(), wanted[:, 0])
    assert np.array_equal((x[0] @ y).numpy(), wanted[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_of_tiny_matrices(dtype):
    a, b = numbers((7, 6, 10), dtype), numbers((7, 10, 8), dtype)
    x, y = nt.from_numpy(a), nt.from_numpy(b)
    for m, k, n in ((1, 1, 1), (3, 3, 3), (2, 5, 4), (3, 5, 1)):
        one, other = np.s_[:, : 2 * m : 2, : 2 * k : 2], np.s_[:, : 2 * k : 2, : 2 * n : 2]
        assert np.array_equal((x[one] @ y[other]).numpy(), a[one] @ b[other])
        one, other = np.s_[:, :m, :k], np.s_[:, :n, :k]
        found = x[one] @ y[other].transpose(1, 2)
        assert np.array_equal(found.numpy(), a[one] @ b[other].swapaxes(1, 2))


def test_rows_of_expanded_and_permuted_tensors():
    a, w = numbers((3, 5, 20)), numbers((7, 20))
    x = nt.from_numpy(a)
    for seen, wanted in (
        (x.transpose(0, 1), a.swapaxes(0, 1) @ w.T),
        (x[:, :1].expand(3, 4, 20), np.broadcast_to(a[:, :1], (3, 4, 20)) @ w.T),
        (x[:, :, :1].expand(3, 5, 20), np.broadcast_to(a[:, :, :1], (3, 5, 20)) @ w.T),
    ):
        found = nt.nn.functional.linear(seen, nt.from_numpy(w))
        assert np.array_equal(found.numpy(), wanted)


FEW_ROWS = [
    *[(1, 200, 33), (1, 64, 1), (1, 5, 7), (1, 50, 9), (2, 200, 33), (4, 64, 16), (3, 129, 1)],
    *[(5, 61, 70), (6, 1025, 9), (7, 2500, 3), (14, 169, 40), (70, 33, 1)],
]


@pytest.mark.parametrize("sizes", FEW_ROWS, ids=str)
@pytest.mark.parametrize("order", ["row", "column"])
def test_linear_layers_of_few_rows(sizes, order):
    m, k, n = sizes
    x, w, b = numbers((m, k)), numbers((n, k)), numbers(n)
    weight = nt.from_numpy(w) if order == "row" else nt.from_numpy(w.T.copy()).t()
    found = nt.nn.functional.linear(nt.from_numpy(x), weight, nt.from_numpy(b))
    assert np.array_equal(found.numpy(), x @ w.T + b)
    found = nt.addmm(nt.from_numpy(b), nt.from_numpy(x), weight.t())
    assert np.array_equal(found.numpy(), x @ w.T + b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batches_of_few_rows(dtype):
    for m, k, n in ((1, 64, 65), (2, 24, 1), (5, 1500, 9), (40, 33, 1), (1, 12, 1)):
        a, b = numbers((3, 1, m, k), dtype), numbers((2, n, k), dtype)
        x, y = nt.from_numpy(a), nt.from_numpy(b)
        wanted = a @ b.swapaxes(1, 2)
        assert np.array_equal((x @ y.transpose(1, 2)).numpy(), wanted)
        assert np.array_equal((x @ y.transpose(1, 2).contiguous()).numpy(), wanted)
        x = x.transpose(2, 3).contiguous().transpose(2, 3)
        assert np.array_equal((x @ y.transpose(1, 2)).numpy(), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_several_rows_at_once(dtype):
    for m, n in itertools.product((0, 1, 2, 15, 16, 17, 130), (0, 1, 7, 8, 9, 16, 17, 33, 63, 100)):
        a, v = numbers((m, n + 3), dtype), numbers(n, dtype)
        found = nt.from_numpy(a)[:, 1 : n + 1] @ nt.from_numpy(v)
        assert np.array_equal(found.numpy(), a[:, 1 : n + 1] @ v)


@pytest.mark.parametrize("n", [0, 1, 63, 70_000, 200_003])
def test_inner_products(n):
    a, b = numbers(n, "int64"), numbers(n, "int64")
    assert nt.dot(nt.from_numpy(a), nt.from_numpy(b)).item() == a @ b


def test_products_wrap_around_as_integers_do():
    a = np.array([[2**30, 3]], np.int32)
    b = np.array([[4, 5], [6, 2**31 - 1]], np.int32)
    assert np.array_equal((nt.from_numpy(a) @ nt.from_numpy(b)).numpy(), a @ b)


def test_no_number_of_threads_changes_a_bit():
    normal = lambda *shape: nt.from_numpy(RNG.standard_normal(shape).astype("float32"))  # noqa: E731
    a, b, v = normal(300, 410), normal(410, 290), normal(410)
    batch, before, found = normal(30, 40, 410), nt.get_num_threads(), []
    few, weight = normal(7, 2000), normal(300, 2000)
    for threads in (1, 2):
        nt.set_num_threads(threads)
        results = (a @ b, batch @ b, a @ v, b.t() @ v, batch.reshape(-1) @ batch.reshape(-1))
        results += few @ weight.t(), batch[:, :1] @ batch.transpose(1, 2)
        found.append([r.numpy().tobytes() for r in results])
    nt.set_num_threads(before)
    assert found[0] == found[1]
