"""Kernels that are chosen by size, forced upon small tensors; the CPU gives the numbers."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cuda import compat
from numtorch.core.plans import clear_plans
from numtorch.ops.index import arrange, masks

pytestmark = pytest.mark.skipif(compat.MODE == "none", reason="needs a GPU, simulator or dry mode")
COMPUTES = compat.MODE in ("device", "simulator")


@pytest.fixture
def thresholds(monkeypatch):
    """Set module constants; plans made under other ones are forgotten before and after."""

    def change(module, **values):
        clear_plans()
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)

    yield change
    clear_plans()


def check(function, *tensors, rtol=1e-5):
    want = function(*tensors)
    got = function(*[t.to("cuda") for t in tensors])
    assert got.device.type == "cuda" and got.dtype is want.dtype and got.shape == want.shape
    if COMPUTES:
        np.testing.assert_allclose(got.cpu().numpy(), want.numpy(), rtol, 1e-5)


def values(*shape, dtype=nt.float32):
    x = np.random.default_rng(3).uniform(-4, 4, shape)
    return nt.from_numpy(x).to(dtype)


# -- reductions: a thread or a block for each result, and in chunks --------------------------------
REDUCTIONS = {
    "sum": lambda x, **k: x.sum(**k),
    "mean": lambda x, **k: x.mean(**k),
    "prod": lambda x, dim: (x / 3).prod(dim),
    "amax": lambda x, dim: x.amax(dim),
    "amin": lambda x, dim: x.amin(dim),
    "any": lambda x, dim: (x > 3).any(dim),
    "all": lambda x, dim: (x > -3).all(dim),
    "std": lambda x, dim: x.std(dim),
    "logsumexp": lambda x, dim: x.logsumexp(dim),
    "norm": lambda x, dim: x.norm(3, dim),
    "argmax": lambda x, dim: x.argmax(dim),
}


@pytest.mark.parametrize("short", [0, 1000])
@pytest.mark.parametrize("piece", [2, 1000])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(thresholds, name, piece, short):
    from numtorch.ops.reduce import cuda_loops  # needs numba.cuda, as those below

    thresholds(cuda_loops, SHORT=short, PIECE=piece, BUSY=64, MOST=8)
    for shape, dim in (((3, 41), 1), ((41, 3), 0), ((5, 4, 6), 1)):
        check(lambda x, dim=dim: REDUCTIONS[name](x, dim=dim), values(*shape), rtol=1e-4)


# -- writes at indices: in order, or at once -----------------------------------------------------
@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("dtype", [nt.float32, nt.float64, nt.int64, nt.int32, nt.uint8, nt.bool])
def test_writes_at_indices(thresholds, few, dtype):
    from numtorch.ops.index import lines_cuda, rows_cuda

    thresholds(rows_cuda, FEW=few)
    thresholds(lines_cuda, FEW=few)
    x, part = values(5, 4, 3).abs().to(dtype), values(4, 4, 3).abs().to(dtype)
    at = nt.tensor([0, 3, -1, 3])
    check(lambda x, i, v: x.index_put((i,), v), x, at, part)
    check(lambda x, i, v: x.index_put((i,), v, accumulate=True), x, at, part)
    check(lambda x, i, v: x.index_copy(0, i % 5, v), x, at, part)
    check(lambda x, i, v: x.index_add(0, i % 5, v), x, at, part)
    check(lambda x, i: x.index_fill(1, i % 4, 1), x, at)
    along, many = nt.tensor(np.random.default_rng(5).integers(0, 4, (5, 6, 3))), values(5, 6, 3)
    many = many.abs().to(dtype)
    check(lambda x, i, v: x.scatter(1, i, v), x, along, many)
    check(lambda x, i, v: x.scatter_add(1, i, v), x, along, many)
    check(lambda x, i: x.gather(1, i), x, along)


# -- places that depend on all elements before: several chunks -----------------------------------
@pytest.mark.skipif(
    compat.MODE != "simulator",
    reason="a compiled kernel keeps its chunk size, and counts are 0 in dry mode",
)
def test_masks_of_several_chunks(thresholds):
    from numtorch.ops.index import arrange_cuda, masks_cuda

    thresholds(masks_cuda, CHUNK=16)
    thresholds(arrange_cuda, CHUNK=16)
    x = values(5, 11)
    check(lambda x: x.nonzero(), (x > 1).to(nt.int64))
    check(lambda x: x.masked_select(x > 0), x)
    check(lambda x, v: x.masked_scatter(x > 0, v), x, values(60))
    counts = nt.tensor(np.random.default_rng(7).integers(0, 4, 37))
    check(lambda c: nt.arange(37, device=c.device).repeat_interleave(c), counts)


# -- errors that kernels find ---------------------------------------------------------------------
@pytest.mark.skipif(not COMPUTES, reason="the dry mode computes nothing")
def test_indices_out_of_bounds():
    x, wrong = values(5, 4).to("cuda"), nt.tensor([5], device="cuda")
    message = "index 5 is out of bounds for dimension 0 with size 5"
    with pytest.raises(IndexError, match=message):
        x[wrong].cpu()
    with pytest.raises(RuntimeError, match="index 5 is out of bounds for dimension 1 with size 4"):
        x.gather(1, nt.full((5, 1), 5, device="cuda")).cpu()
    with pytest.raises(IndexError, match=message):
        x[wrong] = 0
        nt.cuda.synchronize()
    assert x[nt.tensor([4], device="cuda")].shape == (1, 4)


def test_kernels_whose_sizes_depend_on_numbers_compile():
    """The dry mode finds no true element anywhere; here it is told how many to expect."""

    x = (values(5, 11) > 0).to("cuda")
    count = int(x.sum()) if COMPUTES else 20
    assert masks.nonzero_op(x, count).shape == (2, count)
    assert masks.true_positions_op(x, count).shape == (count,)
    repeats = nt.ones(7, dtype=nt.int64, device="cuda")
    assert arrange.repeat_index_op(repeats, 7).shape == (7,)


# -- pools: channels first and last ----------------------------------------------------------------
@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
def test_pools_of_channels_last_images(name):
    pool = lambda x: getattr(nt.nn.functional, name)(x.permute(0, 3, 1, 2), 2, 1, 1)  # noqa: E731
    check(pool, values(2, 4, 3, 5))
    x, given = values(2, 4, 3, 5).requires_grad_(), values(2, 4, 3, 5).to("cuda").requires_grad_()
    pool(x).square().sum().backward()
    pool(given).square().sum().backward()
    if COMPUTES:
        np.testing.assert_allclose(given.grad.cpu().numpy(), x.grad.numpy(), 1e-5, 1e-5)
