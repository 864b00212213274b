"""Recurrent layers on the CPU: tiles and formulas against plain loops, packed input, threads."""

import math

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cpu.jit import kernel
from numtorch.backends.cpu.simd import lanes_of
from numtorch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from numtorch.ops.rnn import lanes, tile

RNG = np.random.default_rng(7)


def numbers(*shape, dtype="float64"):
    return RNG.uniform(-1, 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vectors", [3, 4])
def test_tiles_are_what_the_plain_loop_says(vectors, dtype):
    multiply, n = tile.product(vectors), lanes_of(np.dtype(dtype).itemsize)

    @kernel
    def run(rows, a, depth, panel, start, out, pitch, step):
        multiply(rows, a, 0, depth, depth, panel, 0, start, 0, 0, out, 0, pitch, step)

    rows, depth, step = 2 * tile.HEIGHTS[0] + 3, 5, n + 1
    a, panel = numbers(rows * depth, dtype=dtype), numbers(depth * vectors * n, dtype=dtype)
    start, out = numbers(vectors * step, dtype=dtype), numbers(rows * vectors * step, dtype=dtype)
    want = out.copy()
    facts = rows, a, depth, panel, start, out, vectors * step, step
    run.compile(*facts)(*facts)
    tile.plain_tile(
        rows, vectors, a, 0, depth, depth, panel, 0, start, 0, 0, want, 0, vectors * step, step
    )
    np.testing.assert_allclose(out, want, 0, 1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize(("dtype", "wide"), [("float32", "float64"), ("float64", "longdouble")])
def test_gates_are_right_to_four_units(dtype, wide):
    edges = [0.0, math.inf, -math.inf, math.nan, 1e30, -1e30, 1e-30]
    x = np.concatenate([np.linspace(-40, 40, 4001), np.linspace(-0.01, 0.01, 501), edges])
    x = x.astype(dtype)
    pair = lanes.elementwise(lanes.sigmoid_and_tanh, 2)

    @kernel
    def run(x, first, second, n):
        pair(n, (x, x, first, second), (0, 0, 0, 0))

    got = np.empty_like(x), np.empty_like(x)
    run.compile(x, *got, len(x))(x, *got, len(x))
    exact = x.astype(wide)
    with np.errstate(over="ignore"):
        want = 1 / (1 + np.exp(-exact)), np.tanh(exact)
    for a, b in zip(got, want, strict=True):
        units = np.abs(a - b) / np.spacing(np.abs(b).astype(dtype))
        assert float(np.nanmax(units[np.abs(x) <= 40])) < 4
        np.testing.assert_allclose(a, b.astype(dtype), 1e-5, 1e-15)


def states(value):
    """A state as a list of tensors."""
    return list(value) if isinstance(value, tuple) else [value]


def same(got, want, tolerance=1e-12):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), tolerance, tolerance)


NETWORKS = [
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {}),
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu"}),
]
LENGTHS = [2, 5, 1, 5]


def packed_loss(net, x):
    """A number from packed sequences; and the padded output with the last states."""
    out, last = net(pack_padded_sequence(x, LENGTHS, enforce_sorted=False))
    out, lengths = pad_packed_sequence(out)
    assert lengths.tolist() == LENGTHS
    return sum(((s * s).sum() for s in states(last)), (out * out).sum()), out, states(last)


@pytest.mark.parametrize("two", [False, True])
@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_packed_sequences_are_what_each_alone_would_be(name, options, two):
    nt.manual_seed(0)
    net = getattr(nt.nn, name)(3, 5, 2, bidirectional=two, dtype=nt.float64, **options)
    x = nt.tensor(numbers(5, 4, 3)).requires_grad_()
    loss, out, last = packed_loss(net, x)
    got = nt.autograd.grad(loss, [x, *net.parameters()])
    total = 0
    for i, n in enumerate(LENGTHS):
        alone, state = net(x[:n, i])
        same([out[:n, i], *(s[:, i] for s in last)], [alone, *states(state)])
        assert out[n:, i].abs().sum().item() == 0
        total = sum(((s * s).sum() for s in states(state)), total + (alone * alone).sum())
    same(got, nt.autograd.grad(total, [x, *net.parameters()]))


@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_kernels_and_compositions_have_the_same_derivative(name, options):
    nt.manual_seed(1)
    net = getattr(nt.nn, name)(3, 5, bidirectional=True, dtype=nt.float64, **options)
    x = nt.tensor(numbers(5, 4, 3)).requires_grad_()
    inputs = [x, *net.parameters()]
    fast = nt.autograd.grad(packed_loss(net, x)[0], inputs)
    same(fast, nt.autograd.grad(packed_loss(net, x)[0], inputs, create_graph=True))


def test_second_derivative_of_packed_sequences():
    net = nt.nn.LSTM(1, 2, dtype=nt.float64)
    x = nt.tensor(numbers(3, 2, 1)).requires_grad_()

    def run(x):
        return net(pack_padded_sequence(x, [3, 1]))[0].data

    assert nt.autograd.gradgradcheck(run, [x])


@pytest.mark.parametrize("name", ["LSTM", "GRU", "RNN"])
def test_any_number_of_threads_gives_the_same_bits(name):
    nt.manual_seed(2)
    net, x = getattr(nt.nn, name)(20, 40, bidirectional=True), nt.tensor(numbers(9, 17, 20))
    x = x.float().requires_grad_()
    threads, found = nt.get_num_threads(), []
    for count in (1, 2):
        nt.set_num_threads(count)
        out, last = net(x)
        loss = (out * out).sum()
        found.append([out, *states(last), *nt.autograd.grad(loss, [x, *net.parameters()])])
    nt.set_num_threads(threads)
    for a, b in zip(*found, strict=True):
        assert nt.equal(a, b)


def test_kept_numbers_are_only_made_for_derivatives():
    lstm, x = nt.nn.LSTM(2, 3), nt.ones(4, 1, 2)
    recorded = lstm(x)[0]
    with nt.no_grad():
        assert nt.equal(lstm(x)[0], recorded)
