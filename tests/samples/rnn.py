"""Samples of recurrent cells and networks."""

import numpy as np

from .model import case, error, op, t


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_cell(x, hx, w_ih, w_hh, b_ih=0, b_hh=0):
    h, c = hx
    i, f, g, o = np.split(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_cell(x, h, w_ih, w_hh, b_ih=0, b_hh=0):
    xr, xz, xn = np.split(x @ w_ih.T + b_ih, 3, 1)
    hr, hz, hn = np.split(h @ w_hh.T + b_hh, 3, 1)
    r, z = sigmoid(xr + hr), sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + r * hn) + z * h


def plain_cell(function):
    def cell(x, h, w_ih, w_hh, b_ih=0, b_hh=0):
        return function(x @ w_ih.T + b_ih + h @ w_hh.T + b_hh)

    return cell


def network(cell):
    """`cell` over all steps, layers and directions."""

    def ref(x, hx, params, has_biases, layers, dropout, train, bidirectional, batch_first):
        x = np.swapaxes(x, 0, 1) if batch_first else x
        lstm, each, directions = isinstance(hx, list), 4 if has_biases else 2, 1 + bidirectional
        last = []
        for layer in range(layers):
            outs = []
            for direction in range(directions):
                which = layer * directions + direction
                weights = params[which * each : (which + 1) * each]
                state = [s[which] for s in hx] if lstm else hx[which]
                out = [None] * len(x)
                for step in range(len(x))[:: -1 if direction else 1]:
                    state = cell(x[step], state, *weights)
                    out[step] = state[0] if lstm else state
                outs.append(np.stack(out))
                last.append(state if lstm else (state,))
            x = np.concatenate(outs, -1)
        x = np.swapaxes(x, 0, 1) if batch_first else x
        return x, *(np.stack(s) for s in zip(*last, strict=True))

    return ref


def cells(name, gates, cell):
    """Samples of a cell: gates for each unit."""

    def one(b, i, h, biases=2):
        hx = [t(b, h), t(b, h)] if gates == 4 else t(b, h)
        return case(t(b, i), hx, t(gates * h, i), t(gates * h, h), *[t(gates * h)] * biases)

    return [
        op(name, one(2, 2, 2), one(1, 3, 3, 0), ref=cell, method=False),
        op(name, one(3, 5, 19), ref=cell, method=False, grad=False),
        op(name, one(2, 3, 2, 1), ref=cell, method=False, gradgrad=False, forward_ad=False),
    ]


def networks(name, gates, cell):
    """Samples of layers of this kind of cell."""

    def one(steps, b, i, h, layers=1, biases=True, two=False, first=False):
        params, directions = [], 1 + two
        for layer in range(layers):
            features = directions * h if layer else i
            shapes = [(gates * h, features), (gates * h, h), *[(gates * h,)] * (2 * biases)]
            params += [t(*s, low=-1, high=1) for s in shapes] * directions
        state = t(layers * directions, b, h)
        hx = [state, state] if gates == 4 else state
        x = t(b, steps, i) if first else t(steps, b, i)
        return case(x, hx, params, biases, layers, 0.0, False, two, first)

    some = [one(1, 2, 3, 2), one(2, 5, 2, 5, 1, False, True), one(2, 2, 2, 3, 2, True, True, True)]
    options = {"ref": network(cell), "method": False}
    return [
        op(name, one(2, 2, 1, 2), **options),
        op(name, *some, **options, gradgrad=False, forward_ad=False),
        op(name, one(3, 7, 2, 17), one(5, 13, 9, 70), **options, grad=False, cuda=False),
    ]


TANH, RELU = plain_cell(np.tanh), plain_cell(lambda x: np.maximum(x, 0))
SAMPLES = [
    *cells("lstm_cell", 4, lstm_cell),
    *cells("gru_cell", 3, gru_cell),
    *cells("rnn_tanh_cell", 1, TANH),
    *cells("rnn_relu_cell", 1, RELU),
    *networks("lstm", 4, lstm_cell),
    *networks("gru", 3, gru_cell),
    *networks("rnn_tanh", 1, TANH),
    *networks("rnn_relu", 1, RELU),
]

W = t(9, 2), t(9, 3)  # of a GRU: 2 features, 3 hidden units
SETTINGS = True, 1, 0.0, False, False, False
PARAMS = [*W, t(9), t(9)]
ERRORS = [
    error(
        "gru_cell", case(t(5, 4), t(5, 3), *W), RuntimeError,
        "input has inconsistent input_size: got 4 expected 2",
    ),
    error(
        "gru_cell", case(t(5, 2), t(5, 4), *W), RuntimeError,
        "hidden0 has inconsistent hidden_size: got 4, expected 3",
    ),
    error(
        "gru_cell", case(t(5, 2), t(4, 3), *W), RuntimeError,
        "Input batch size 5 doesn't match hidden0 batch size 4",
    ),
    error(
        "gru_cell", case(t(5, 2), t(5, 3), t(5, 2), t(5, 3)), RuntimeError,
        r"weight_ih first dim must be 3 \* hidden_size = 9, but got 5",
    ),
    error("gru_cell", case(t(2), t(3), *W), IndexError, "Dimension out of range"),
    error(
        "gru_cell", case(t(5, 2), [t(5, 3)], *W), TypeError,
        r"argument 'hx' \(position 2\) must be Tensor, not list",
    ),
    error(
        "gru_cell", case(t(5, 2), t(5, 3), *W, t(4), t(4)), RuntimeError,
        r"The expanded size of the tensor \(9\) must match the existing size \(4\)",
    ),
    error(
        "gru_cell", case(t(5, 2, dtype="float64"), t(5, 3), *W), RuntimeError, "same dtype",
    ),
    error(
        "gru_cell", case(t(5, 2, dtype="int64"), t(5, 3, dtype="int64"),
                         t(9, 2, dtype="int64"), t(9, 3, dtype="int64")),
        RuntimeError, "expected floating point, but got",
    ),
    error(
        "lstm_cell", case(t(5, 2), [t(5, 3)], t(12, 2), t(12, 3)), RuntimeError,
        "lstm_cell expects two hidden states",
    ),
    error(
        "lstm_cell", case(t(5, 2), [t(5, 3), t(4, 3)], t(12, 2), t(12, 3)), RuntimeError,
        "Input batch size 5 doesn't match hidden1 batch size 4",
    ),
    error(
        "gru", case(t(0, 5, 2), t(1, 5, 3), PARAMS, *SETTINGS), RuntimeError,
        "Expected sequence length to be larger than 0 in RNN",
    ),
    error(
        "gru", case(t(4, 5, 2), t(1, 5, 3), PARAMS[:3], *SETTINGS), RuntimeError,
        "got an incorrect number of RNN parameters",
    ),
    error(
        "gru", case(t(4, 5, 2), t(1, 5, 3), PARAMS, True, 2, 0.0, False, False, False),
        RuntimeError, "Expected more hidden states in stacked_rnn",
    ),
    error(
        "gru", case(t(4, 5, 7), t(1, 5, 3), PARAMS, *SETTINGS), RuntimeError,
        r"mat1 and mat2 shapes cannot be multiplied \(20x7 and 2x9\)",
    ),
    error(
        "gru", case(t(4, 5, 2), t(1, 6, 3), PARAMS, *SETTINGS), RuntimeError,
        r"expected hidden states of shape \(layers \* directions, 5, hidden size\)",
    ),
    error("gru", case(t(4, 2), t(1, 5, 3), PARAMS, *SETTINGS), IndexError, "out of range"),
    error(
        "gru", case(t(4, 5, 2, dtype="float64"), t(1, 5, 3), PARAMS, *SETTINGS), RuntimeError,
        "hidden state and weights of one dtype, but got",
    ),
    error("gru", case(t(4, 5, 2), t(1, 5, 3)), TypeError, "expected the arguments input, hx"),
    error(
        "lstm", case(t(4, 5, 2), [t(1, 5, 3)], PARAMS, *SETTINGS), RuntimeError,
        "lstm expects two hidden states",
    ),
    error(
        "rnn_tanh", case(t(4, 5, 2), t(1, 5, 3), [t(3, 2), t(3, 3), t(4), t(4)], *SETTINGS),
        RuntimeError, r"expected biases of shape \[3\], but got \[4\]",
    ),
]  # fmt: skip
