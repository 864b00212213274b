"""Recurrent modules and packed sequences against torch: form, weights, results, gradients."""

import inspect

import numpy as np
import pytest

import numtorch as nt
from numtorch import nn
from numtorch.nn.utils import rnn

torch = pytest.importorskip("torch")
# torch says of projections that oneDNN cannot do them
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
LAYERS = [
    ("RNN", (3, 5, 2), {}),
    ("RNN", (3, 5, 1, "relu", False), {}),
    ("LSTM", (3, 5, 2), {"bidirectional": True, "dropout": 0.5}),
    ("LSTM", (3, 5), {"proj_size": 2, "batch_first": True}),
    ("LSTM", (40, 33), {"bias": False}),
    ("GRU", (3, 5, 2), {"batch_first": True, "bidirectional": True}),
    ("GRU", (3, 18), {}),
]
CELLS = [
    ("RNNCell", (3, 5), {}),
    ("RNNCell", (3, 5), {"nonlinearity": "relu", "bias": False}),
    ("LSTMCell", (3, 5), {}),
    ("GRUCell", (3, 20), {}),
]


def both(name, args, kwargs):
    torch.manual_seed(3)
    want = getattr(torch.nn, name)(*args, **kwargs)
    nt.manual_seed(3)
    return want, getattr(nn, name)(*args, **kwargs)


def pair(*shape):
    array = np.random.default_rng(sum(shape)).standard_normal(shape).astype("float32")
    return torch.tensor(array, requires_grad=True), nt.from_numpy(array.copy()).requires_grad_()


def flat(value):
    """All tensors of a result."""
    if isinstance(value, (tuple, list)):
        return [t for v in value for t in flat(v)]
    return [] if value is None else [value]


def check(want, got, theirs, ours):
    """The same numbers, and the same gradients of parameters and inputs."""
    want, got = flat(want), flat(got)
    assert len(want) == len(got)
    for a, b in zip(want, got, strict=True):
        assert tuple(a.shape) == tuple(b.shape) and str(a.dtype) == str(b.dtype)
        np.testing.assert_allclose(b.detach().numpy(), a.detach().numpy(), 2e-5, 2e-6)
    sum((t * t).sum() for t in want if t.requires_grad).backward()
    sum((t * t).sum() for t in got if t.requires_grad).backward()
    for a, b in zip(theirs, ours, strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            np.testing.assert_allclose(b.grad.numpy(), a.grad.numpy(), 1e-4, 1e-4)


@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS + CELLS)
def test_form_and_initial_values(name, args, kwargs):
    want, got = both(name, args, kwargs)
    assert repr(got) == repr(want)
    assert list(got.state_dict()) == list(want.state_dict())
    for key, value in want.state_dict().items():
        np.testing.assert_allclose(got.state_dict()[key].numpy(), value.numpy(), 1e-6)
    settings = {k: v for k, v in vars(want).items() if not k.startswith("_")}
    own = {k: v for k, v in vars(got).items() if not k.startswith("_")}
    assert {k: v for k, v in own.items() if k not in got._parameters} == settings
    if not name.endswith("Cell"):
        assert got._all_weights == want._all_weights
        assert [len(w) for w in got.all_weights] == [len(w) for w in want.all_weights]
        got.flatten_parameters()


@pytest.mark.parametrize(
    "name", ["RNN", "LSTM", "GRU", "RNNBase", "RNNCell", "LSTMCell", "GRUCell"]
)
def test_signatures(name):
    want = inspect.signature(getattr(torch.nn, name).__init__).parameters.values()
    got = inspect.signature(getattr(nn, name).__init__).parameters.values()
    assert [(p.name, p.kind, p.default) for p in got] == [(p.name, p.kind, p.default) for p in want]


@pytest.mark.parametrize("form", ["batch", "unbatched", "packed", "states"])
@pytest.mark.parametrize(("name", "args", "kwargs"), LAYERS)
def test_layers(name, args, kwargs, form):
    want, got = both(name, args, kwargs)
    shape = {"unbatched": (4, args[0])}.get(form, (4, 4, args[0]))
    (theirs, ours), hx = pair(*shape), (None, None)
    given = [theirs], [ours]
    x, y = theirs, ours
    if form == "packed":
        facts = [2, 4, 1, 3], got.batch_first, False
        x = torch.nn.utils.rnn.pack_padded_sequence(x, *facts)
        y = rnn.pack_padded_sequence(y, *facts)
    if form in ("packed", "states"):
        layers = want.num_layers * (1 + want.bidirectional)
        pairs = [pair(layers, 4, want.proj_size or want.hidden_size)]
        if name == "LSTM":
            pairs.append(pair(layers, 4, want.hidden_size))
        hx = [tuple(p[k] for p in pairs) if name == "LSTM" else pairs[0][k] for k in (0, 1)]
        given = [theirs, *(p[0] for p in pairs)], [ours, *(p[1] for p in pairs)]
    torch.manual_seed(5)
    expected = want(x, hx[0])
    nt.manual_seed(5)
    found = got(y, hx[1])
    check(expected, found, [*want.parameters(), *given[0]], [*got.parameters(), *given[1]])


@pytest.mark.parametrize("batch", [(), (4,)])
@pytest.mark.parametrize(("name", "args", "kwargs"), CELLS)
def test_cells(name, args, kwargs, batch):
    want, got = both(name, args, kwargs)
    x, h, c = pair(*batch, args[0]), pair(*batch, args[1]), pair(*batch, args[1])
    states = [(h[k], c[k]) if name == "LSTMCell" else h[k] for k in (0, 1)]
    check(want(x[0]), got(x[1]), want.parameters(), got.parameters())
    check(want(x[0], states[0]), got(x[1], states[1]), [x[0], h[0]], [x[1], h[1]])


@pytest.mark.parametrize("options", [{}, {"batch_first": True, "total_length": 6}])
@pytest.mark.parametrize(
    ("lengths", "batch_first", "is_sorted"),
    [([4, 3, 1], False, True), ([2, 4, 2], False, False), ([3, 3, 2, 1], True, True)],
)
def test_packing(lengths, batch_first, is_sorted, options):
    theirs, ours = pair(4, 3, 2)
    want = torch.nn.utils.rnn.pack_padded_sequence(theirs, lengths, batch_first, is_sorted)
    got = rnn.pack_padded_sequence(ours, nt.tensor(lengths), batch_first, is_sorted)
    assert [f is None for f in got] == [f is None for f in want]
    for a, b in zip(flat(want)[1:], flat(got)[1:], strict=True):
        assert a.tolist() == b.tolist()
    want = torch.nn.utils.rnn.pad_packed_sequence(want, padding_value=7.0, **options)
    got = rnn.pad_packed_sequence(got, padding_value=7.0, **options)
    check(want, got, [theirs], [ours])


def test_padding():
    theirs, ours = zip(*(pair(n, 2) for n in (3, 1, 4)), strict=True)
    for options in ({}, {"batch_first": True, "padding_value": 2.0}, {"padding_side": "left"}):
        check(
            torch.nn.utils.rnn.pad_sequence(theirs, **options),
            rnn.pad_sequence(ours, **options), theirs, ours,
        )  # fmt: skip
    packed = rnn.pack_sequence(ours, enforce_sorted=False)
    for a, b in zip(rnn.unpack_sequence(packed), ours, strict=True):
        assert nt.equal(a, b)


def test_packed_sequences_print_and_convert():
    want = torch.nn.utils.rnn.pack_sequence([torch.ones(2), torch.ones(3)], enforce_sorted=False)
    got = rnn.pack_sequence([nt.ones(2), nt.ones(3)], enforce_sorted=False)
    assert repr(got) == repr(want)
    assert got._fields == want._fields and got.is_cuda == want.is_cuda
    for name in ("double", "float", "long", "int", "short", "char", "byte"):
        assert str(getattr(got, name)().data.dtype) == str(getattr(want, name)().data.dtype)
    assert got.cpu() is got and got.to(nt.float64).data.dtype is nt.float64
