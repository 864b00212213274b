"""Attention beyond the samples: tiles, memory, threads, masks that hide everything, dropout."""

import tracemalloc

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cpu.jit import kernel
from numtorch.nn.functional import scaled_dot_product_attention as attention
from numtorch.ops.attention import cpu, tile, weights
from numtorch.ops.attention.product import attention_op

RNG = np.random.default_rng(0)


def number(*shape, dtype="float32"):
    return RNG.standard_normal(shape).astype(dtype)


def tensors(*shapes, dtype="float32"):
    return [nt.from_numpy(number(*s, dtype=dtype)).requires_grad_() for s in shapes]


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("columns", [32, 27, 3])
def test_tile_is_its_plain_twin(add, columns):
    rows, vectors = 4, 2
    whole = columns == vectors * tile.lanes_of(4)
    product = tile.product_tile(rows, vectors, add, whole)

    @kernel
    def run(a, b, out, used, columns, depth):
        product(a, 1, depth, 1, used, b, 2, 40, depth, out, 3, 40, columns)

    for used in (1, 3, 4):
        a, b, out = number(50), number(500), number(200)
        want = out.copy()
        run.compile(a, b, out, 1, 1, 1)(a, b, out, used, columns, 9)
        given = a, 1, 9, 1, used, b, 2, 40, 9, want, 3, 40, columns
        tile.plain_product_tile(rows, vectors, add, *given)
        np.testing.assert_allclose(out, want, 1e-5, 1e-6)  # and nothing else is written


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_their_plain_twins(dtype):
    q, keys = weights.QUERIES, 5
    end = keys * q

    @kernel
    def run(w, keys, end, queries):
        weights.weigh(w, 0, end, end + 64, end + 128, queries, keys)

    @kernel
    def run_backward(w, keys, end):
        weights.differentiate(w, 0, end, 2 * end, 2 * end + 64, keys, 0.3)

    w = number(end + 3 * q, dtype=dtype) * 9
    w[:end:7], w[3], w[end : end + 9] = -np.inf, np.nan, -np.inf
    w[5:end:q] = -np.inf  # a query that has seen nothing yet
    w[end + 5] = -np.inf
    slopes = number(2 * end + 2 * q, dtype=dtype)
    slopes[:end] -= 9
    tolerance = 1e-6 if dtype == "float32" else 1e-14
    with np.errstate(all="ignore"):
        forward = (run, weights.plain_weigh, w, (0, end, end + 64, end + 128))
        backward = (
            (run_backward, weights.plain_differentiate, slopes, (0, end, 2 * end, 2 * end + 64)),
            (keys, 0.3), (keys, end),
        )  # fmt: skip
        cases = [(forward, (queries, keys), (keys, end, queries)) for queries in (1, 17, q)]
        for (kernel_, plain, given, starts), rest, numbers in [*cases, backward]:
            got, want = given.copy(), given.copy()
            kernel_.compile(got, *numbers)(got, *numbers)
            plain(want, *starts, *rest)
            np.testing.assert_allclose(got, want, tolerance, tolerance)


@pytest.mark.parametrize("count", [1, 50, 64])
@pytest.mark.parametrize("kind", ["float32", "float64", "bool"])
def test_packing_and_masks_are_their_plain_twins(kind, count):
    dtype = "float64" if kind == "float64" else "float32"
    depth, pitch, q = 3, 5, tile.QUERIES

    @kernel
    def run_pack(x, w, count, depth, pitch):
        tile.pack(x, 2, pitch, count, depth, w, 4, 0.3)

    @kernel
    def run_hide(w, mask, count, keys, row):
        weights.hide(w, 4, mask, 2, row, 1, count, keys)

    x = number(2 + count * pitch, dtype=dtype)
    mask = number(2 + count * pitch, dtype=dtype)
    mask[5] = -np.inf
    if kind == "bool":
        mask = mask > 0
    got = number(depth * q + 8, dtype=dtype)
    want = got.copy()
    run_pack.compile(x, got, 1, 1, 1)(x, got, count, depth, pitch)
    tile.plain_pack(x, 2, pitch, count, depth, want, 4, 0.3)
    np.testing.assert_allclose(got, want, 1e-6)
    run_hide.compile(got, mask, 1, 1, 1)(got, mask, count, depth, pitch)
    weights.plain_hide(want, 4, mask, 2, pitch, 1, count, depth)
    np.testing.assert_allclose(got, want, 1e-6, 1e-6)


def run_all(q, k, v, **options):
    """The result, and the gradients of its weighted sum."""
    out = attention(q, k, v, **options)
    seed = nt.linspace(-1, 1, out.numel()).reshape(out.shape)
    return [out, *nt.autograd.grad(out, (q, k, v), seed)]


def test_any_number_of_workers_gives_the_same_bits(monkeypatch):
    given = tensors((1, 2, 200, 20), (1, 2, 1100, 20), (1, 2, 1100, 20))  # keys in two pieces
    results = []
    for workers in (1, 3):
        monkeypatch.setattr(cpu, "workers_for", lambda work, tasks, n=workers: n)
        attention_op.op.plans.clear()
        nt.ops.attention.product.attention_backward_op.op.plans.clear()
        results.append([t.detach().numpy() for t in run_all(*given)])
    for a, b in zip(*results, strict=True):
        assert (a == b).all()


def test_memory_does_not_grow_with_the_product_of_lengths():
    length = 3000
    given = tensors(*[(1, 1, length, 16)] * 3)
    run_all(*given, is_causal=True)
    tracemalloc.start()
    run_all(*given, is_causal=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < length * length * 4 / 10


@pytest.mark.parametrize("bool_mask", [False, True])
def test_queries_that_may_look_at_nothing_get_zeros(bool_mask):
    q, k, v = tensors((3, 4), (150, 4), (150, 4))
    mask = np.ones((3, 150), bool)
    mask[1] = False
    mask[2, :140] = False  # the first block of keys is hidden
    if not bool_mask:
        mask = np.where(mask, 0, -np.inf).astype("float32")
    out, *grads = run_all(q, k, v, attn_mask=nt.from_numpy(mask))
    assert out[1].tolist() == grads[0][1].tolist() == [0.0] * 4
    want = attention(q[2:], k[140:], v[140:])
    np.testing.assert_allclose(out[2:].detach().numpy(), want.detach().numpy(), 1e-5, 1e-6)
    assert all(g.isfinite().all() for g in grads)


def test_not_a_number_stays():
    q, k, v = (t.detach() for t in tensors((3, 4), (5, 4), (5, 4)))
    q[1, 2] = float("nan")
    assert attention(q, k, v).isnan().all(1).tolist() == [False, True, False]


def test_views_are_read_where_they_lie():
    q, k, v = tensors((2, 5, 3, 8), (2, 7, 3, 8), (2, 7, 3, 8))
    turned = [t.transpose(1, 2) for t in (q, k, v)]
    got, want = attention(*turned), attention(*[t.contiguous() for t in turned])
    assert (got == want).all()
    assert got.transpose(1, 2).is_contiguous()  # joining the heads copies nothing
    columns = [t.transpose(-2, -1).contiguous().transpose(-2, -1) for t in turned]
    assert (attention(*columns) == want).all()


@pytest.mark.parametrize("kind", ["none", "bool", "float"])
@pytest.mark.parametrize("dtype", [nt.float32, nt.float64], ids=str)
def test_one_query_is_the_first_of_several(kind, dtype):
    q, k, v = (t.to(dtype) for t in tensors((2, 3, 2, 20), (2, 3, 35, 20), (2, 3, 35, 17)))
    mask = {"none": None, "bool": nt.rand(2, 1, 2, 35) > 0.4, "float": nt.randn(2, 35).to(dtype)}
    mask = mask[kind]
    if kind == "bool":
        mask[1, :, 0] = False  # a query that may look at nothing
    first = None if mask is None else mask[..., :1, :]
    wanted = attention(q, k, v, attn_mask=mask)[..., :1, :]
    found = attention(q[..., :1, :], k, v, attn_mask=first)
    assert nt.allclose(found, wanted, 1e-5, 1e-6)


def test_the_gradient_of_a_mask():
    given = tensors((1, 3, 4), (1, 5, 4), (1, 5, 4), (3, 5), dtype="float64")
    assert nt.autograd.gradcheck(attention, given)


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_of_several_blocks(torch, masked):
    shapes = (1, 70, 20), (1, 140, 20), (1, 140, 17), (1, 70, 17), (70, 140)
    *arrays, seed, mask = [number(*s) for s in shapes]

    def run(lib):
        given = [lib.from_numpy(a).requires_grad_() for a in arrays]
        options = {"attn_mask": lib.from_numpy(mask)} if masked else {"is_causal": True}
        out = lib.nn.functional.scaled_dot_product_attention(*given, **options)
        return lib.autograd.grad(out, given, lib.from_numpy(seed))

    for got, want in zip(run(nt), run(torch), strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), 1e-5, 1e-5)


def test_dropout_draws_torchs_numbers(torch):
    arrays = [number(*s) for s in ((2, 3, 4), (2, 5, 4), (2, 5, 4))]
    torch.manual_seed(4)
    function = torch.nn.functional.scaled_dot_product_attention
    want = function(*[torch.from_numpy(a) for a in arrays], dropout_p=0.4)
    nt.manual_seed(4)
    got = attention(*[nt.from_numpy(a) for a in arrays], dropout_p=0.4)
    np.testing.assert_allclose(got.numpy(), want.numpy(), 1e-5, 1e-6)
