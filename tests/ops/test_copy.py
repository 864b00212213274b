"""Copies on the CPU: layouts of any kind, moves against their twins, past the caches, threads."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import numtorch as nt
from numtorch.backends.cpu import moves
from numtorch.backends.cpu.jit import kernel, prange
from numtorch.backends.cpu.simd import lanes_of
from numtorch.core.plans import clear_plans
from numtorch.ops.copy import layout

DTYPES = ["uint8", "int16", "float32", "float64"]
RNG = np.random.default_rng(5)


def numbers(shape, dtype="float32"):
    return RNG.integers(0, 200, shape).astype(dtype)


# -- layouts ---------------------------------------------------------------------------------------
@st.composite
def layouts(draw):
    """A shape, a slice of each dimension and an order of dimensions."""
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
    cuts = [(draw(st.integers(0, n - 1)), draw(st.sampled_from([1, 1, 1, 2]))) for n in sizes]
    return sizes, cuts, draw(st.permutations(range(len(sizes))))


@settings(max_examples=60, deadline=None)
@given(layouts(), st.sampled_from(DTYPES))
def test_any_layout_is_copied_both_ways(given_layout, dtype):
    sizes, cuts, order = given_layout
    x = numbers(sizes, dtype)
    index = tuple(slice(first, None, step) for first, step in cuts)
    wanted = x[index].transpose(order)
    view = nt.from_numpy(x)[index].permute(*order)
    assert np.array_equal(view.contiguous().numpy(), wanted)
    target = numbers(sizes, dtype)
    around = target.copy()
    around[index] = np.transpose(wanted + 1, np.argsort(order))
    nt.from_numpy(target)[index].permute(*order).copy_(nt.from_numpy(wanted + np.array(1, dtype)))
    assert np.array_equal(target, around)  # the elements between are as they were


SHAPES = [(65, 130), (257, 300), (3, 400), (400, 3), (2, 64, 5000), (70, 2, 90), (5, 300, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_order_of_dimensions(shape, dtype):
    x = numbers(shape, dtype)
    for order in itertools.permutations(range(len(shape))):
        found = nt.from_numpy(x).permute(*order).contiguous()
        assert np.array_equal(found.numpy(), x.transpose(order))


@pytest.mark.parametrize("offset", [0, 1, 5, 16])
@pytest.mark.parametrize("shape", [(130, 67), (3, 5, 1000), (2, 100, 70)])
def test_copies_past_the_caches(monkeypatch, offset, shape):
    monkeypatch.setattr(layout, "STREAM", 0)
    monkeypatch.setattr(layout, "STREAM_BLOCKS", 0)
    clear_plans()
    size = int(np.prod(shape))
    x, target = numbers(shape), numbers(size + 40)
    before = target.copy()
    view = nt.from_numpy(target)[offset : offset + size]
    for order in itertools.permutations(range(len(shape))):
        wanted = x.transpose(order)
        view.view(wanted.shape).copy_(nt.from_numpy(x).permute(*order))
        assert np.array_equal(target[offset : offset + size].reshape(wanted.shape), wanted)
        assert np.array_equal(target[:offset], before[:offset])
        assert np.array_equal(target[offset + size :], before[offset + size :])
    clear_plans()


def test_expanded_tensors_become_dense():
    x = numbers((1, 70, 1, 33))
    found = nt.from_numpy(x).expand(5, 70, 40, 33).transpose(2, 3).contiguous()
    assert np.array_equal(found.numpy(), np.broadcast_to(x, (5, 70, 40, 33)).swapaxes(2, 3))


def test_copies_are_equal_with_any_number_of_threads():
    x = nt.from_numpy(numbers((700, 513)))
    before = nt.get_num_threads()
    for threads in (1, 2):
        nt.set_num_threads(threads)
        assert np.array_equal(x.t().contiguous().numpy(), x.numpy().T)
        assert np.array_equal(nt.cat([x, x], 1).numpy(), np.concatenate([x.numpy()] * 2, 1))
    nt.set_num_threads(before)


# -- moves -----------------------------------------------------------------------------------------
@kernel
def runs(x, out, at, to, n):
    for _ in prange(1):
        moves.move_run(x, at, out, to, n)


@kernel
def streams(x, out, at, to, n):
    for _ in prange(1):
        moves.stream_run(x, at, out, to, n)
        moves.release()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [runs, streams], ids=["moved", "streamed"])
def test_runs_write_exactly_their_elements(function, dtype):
    x = numbers(200, dtype)
    for n, to in itertools.product([0, 1, 2, 15, 16, 17, 33, 64, 100], [0, 1, 7]):
        out = numbers(200, dtype)
        wanted = out.copy()
        wanted[to : to + n] = x[3 : 3 + n]
        function.compile(x, out, 3, to, n)(x, out, 3, to, n)
        assert np.array_equal(out, wanted)


@kernel
def tiles(x, out, at, x_pitch, to, pitch, rows, columns):
    for _ in prange(1):
        moves.transposed_tile(x, at, x_pitch, out, to, pitch, rows, columns)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_transposed_tile_is_its_twin(dtype):
    lanes = lanes_of(np.dtype(dtype).itemsize)
    x = numbers(40 * 20, dtype)
    for rows, columns in itertools.product(range(1, lanes + 1), repeat=2):
        out = numbers(40 * 20, dtype)
        wanted = out.copy()
        numbers_of = (5, 21, 3, 19, rows, columns)
        at, x_pitch, to, pitch, *_ = numbers_of
        moves.plain_transposed_tile(x, at, x_pitch, wanted, to, pitch, rows, columns)
        tiles.compile(x, out, *numbers_of)(x, out, *numbers_of)
        assert np.array_equal(out, wanted)


# -- operands in another order ---------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(130, 150), (3, 90, 80), (2, 17, 30, 40)])
def test_operands_in_any_order_of_dimensions(shape):
    a = numbers(shape)
    for order in itertools.permutations(range(len(shape))):
        b = numbers([shape[d] for d in np.argsort(order)])
        x, y = nt.from_numpy(a), nt.from_numpy(b).permute(*order)
        assert np.array_equal((x + y).numpy(), a + b.transpose(order))
        assert np.array_equal((y * x - y).numpy(), b.transpose(order) * (a - 1))
        target = nt.from_numpy(b.copy()).permute(*order)
        target += x
        assert np.array_equal(target.numpy(), a + b.transpose(order))


def test_a_matrix_and_its_own_transpose():
    x = numbers((200, 200))
    found = nt.from_numpy(x.copy())
    assert np.array_equal((found + found.t()).numpy(), x + x.T)
    found.copy_(found.t().clone())
    assert np.array_equal(found.numpy(), x.T)
