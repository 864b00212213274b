"""Recurrent modules and packed sequences: errors, copies, saved states."""

import copy
import pickle

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.nn.utils import rnn

SETTINGS = [
    (lambda: nn.RNN(2, 3, nonlinearity="x"), ValueError, "Unknown nonlinearity 'x'. Select from"),
    (lambda: nn.LSTM(2, 3, dropout=2), ValueError, r"should be a number in range \[0, 1\]"),
    (lambda: nn.LSTM(2, 3, proj_size=3), ValueError, "has to be smaller than hidden_size"),
    (lambda: nn.LSTM(2, 3, proj_size=-1), ValueError, "should be a positive integer or zero"),
    (lambda: nn.GRU(2, 3, proj_size=1), ValueError, "only supported for LSTM, not RNN or GRU"),
    (lambda: nn.RNN(2, 3, proj_size=1), ValueError, "only supported for LSTM, not RNN or GRU"),
    (lambda: nn.GRU(2, 0), ValueError, "hidden_size must be greater than zero"),
    (lambda: nn.GRU(2, 3.0), TypeError, "hidden_size should be of type int, got: float"),
    (lambda: nn.GRU(2, 3, 0), ValueError, "num_layers must be greater than zero"),
    (lambda: nn.GRU(2, 3, bias=1), TypeError, "bias should be of type bool, got: int"),
    (lambda: nn.RNNBase("X", 2, 3), ValueError, "Unrecognized RNN mode: X"),
]


@pytest.mark.parametrize(("make", "kind", "match"), SETTINGS, ids=[m for _, _, m in SETTINGS])
def test_settings(make, kind, match):
    with pytest.raises(kind, match=match):
        make()


def test_dropout_of_one_layer():
    with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1"):
        nn.LSTM(2, 3, dropout=0.5)


x = nt.ones
INPUTS = [
    (nn.LSTM, (x(2),), ValueError, "LSTM: Expected input to be 2D or 3D, got 1D instead"),
    (nn.RNN, (x(2),), ValueError, "RNN: Expected input to be 2D or 3D, got 1D tensor instead"),
    (nn.GRU, (x(4, 5, 3),), RuntimeError, "must be equal to input_size. Expected 2, got 3"),
    (nn.GRU, (x(4, 5, 2), x(1, 4, 3)), RuntimeError, r"Expected hidden size \(1, 5, 3\), got"),
    (nn.GRU, (x(4, 5, 2), x(5, 3)), RuntimeError, "For batched 3-D input, hx should also be 3-D"),
    (nn.GRU, (x(4, 2), x(1, 1, 3)), RuntimeError, "For unbatched 2-D input, hx should also be 2-D"),
    (
        nn.LSTM, (x(4, 5, 2), (x(1, 5, 3), x(1, 4, 3))), RuntimeError,
        r"Expected hidden\[1\] size \(1, 5, 3\), got \[1, 4, 3\]",
    ),
    (
        nn.LSTM, (x(4, 2), (x(1, 1, 3), x(1, 3))), RuntimeError,
        r"hx and cx should also be 2-D but got \(3-D, 2-D\) tensors",
    ),
    (nn.GRU, (x(4, 5, 2).double(),), ValueError, "does not match weight dtype"),
    (nn.GRU, (x(0, 5, 2),), RuntimeError, "Expected sequence length to be larger than 0 in RNN"),
    (nn.LSTMCell, (x(2, 2, 2),), ValueError, "LSTMCell: Expected input to be 1D or 2D, got 3D"),
    (
        nn.LSTMCell, (x(2, 2), (x(2, 3), x(1, 2, 3))), ValueError,
        r"LSTMCell: Expected hx\[1\] to be 1D or 2D, got 3D instead",
    ),
    (nn.GRUCell, (x(2, 2), x(1, 2, 3)), ValueError, "Expected hidden to be 1D or 2D, got 3D"),
    (nn.RNNCell, (x(5, 2), x(5, 4)), RuntimeError, "hidden0 has inconsistent hidden_size: got 4"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "args", "kind", "match"), INPUTS, ids=[i[3] for i in INPUTS])
def test_inputs(layer, args, kind, match):
    with pytest.raises(kind, match=match):
        layer(2, 3)(*args)


def test_an_unknown_nonlinearity_of_a_cell():
    with pytest.raises(RuntimeError, match="Unknown nonlinearity: x"):
        nn.RNNCell(2, 3, nonlinearity="x")(x(1, 2))


PACKING = [
    (lambda: rnn.pack_padded_sequence(x(4, 3, 2), [2, 3, 4]), "must be sorted in decreasing order"),
    (lambda: rnn.pack_padded_sequence(x(4, 3, 2), [4, 3]), r"but got 2 \(batch_size=3\)"),
    (lambda: rnn.pack_padded_sequence(x(4, 3, 2), [4, 3, 0]), "has to be greater than 0"),
    (lambda: rnn.pack_padded_sequence(x(4, 3, 2), [5, 3, 1]), "Expected lengths of at most 4"),
    (lambda: rnn.pack_padded_sequence(x(0, 3, 2), [0, 0, 0]), "Cannot pack empty tensors."),
    (lambda: rnn.pad_sequence([x(2)], padding_side="x"), "one of left or right, but got x"),
    (lambda: rnn.pad_sequence([x(2, 3), x(3, 2)]), r"tensor a \(3\) must match .* tensor b \(2\)"),
    (lambda: rnn.pad_sequence([]), "received an empty list of sequences"),
    (lambda: rnn.pad_sequence(1), "Expected iterable for input sequences"),
]


@pytest.mark.parametrize(("call", "match"), PACKING, ids=[m for _, m in PACKING])
def test_packing_errors(call, match):
    with pytest.raises(RuntimeError, match=match):
        call()


def test_padding_to_a_length_that_is_too_short():
    packed = rnn.pack_sequence([x(3), x(2)])
    with pytest.raises(ValueError, match="got total_length=2 and max sequence length being 3"):
        rnn.pad_packed_sequence(packed, total_length=2)


def test_copies_keep_their_weights():
    net = nn.LSTM(2, 3, 2, bidirectional=True)
    for other in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        nn.LSTM(2, 3, 2, bidirectional=True),
    ):
        other.load_state_dict(net.state_dict())
        assert nt.equal(other(x(4, 1, 2))[0], net(x(4, 1, 2))[0])
    assert net.double()(x(4, 1, 2).double())[0].dtype is nt.float64
    packed = rnn.pack_sequence([x(3), x(2)])
    assert type(pickle.loads(pickle.dumps(packed))) is rnn.PackedSequence
