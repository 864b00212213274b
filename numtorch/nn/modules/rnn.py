"""Recurrent networks: `RNN`, `LSTM`, `GRU`, and their single steps, `RNNCell` and so on."""

import math
import numbers
import warnings

from ...ops import rnn as functions
from ...ops.create import empty, zeros
from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from .module import Module

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNBase", "RNNCell", "RNNCellBase"]

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def _check_settings(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size):
    number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
    if not (number and 0 <= dropout <= 1):
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element "
            "being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    for name, value in (("bias", bias), ("batch_first", batch_first)):
        if not isinstance(value, bool):
            raise TypeError(f"{name} should be of type bool, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size)):
        if not isinstance(value, int):
            raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if num_layers <= 0:
        raise ValueError("num_layers must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share: parameters, checks, packed and unbatched input.

    Parameters of layer k: weight_ih_l[k], weight_hh_l[k], bias_ih_l[k], bias_hh_l[k], and
    weight_hr_l[k] for projections; those of the second direction end in `_reverse`.
    """

    states = 1  # how many tensors a state is

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        _check_settings(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        self.mode = mode
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        rows, directions = GATES[mode] * hidden_size, 2 if bidirectional else 1
        out = proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            features = input_size if layer == 0 else out * directions
            shapes = {"weight_ih": (rows, features), "weight_hh": (rows, out)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[:directions]:
                names = {f"{kind}_l{layer}{suffix}": shape for kind, shape in shapes.items()}
                for name, shape in names.items():
                    setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
                self._all_weights.append(list(names))
        self.reset_parameters()

    @property
    def _flat_weights_names(self):
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self):
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self):
        """The parameters of each layer and direction, a list for each."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """Nothing: torch makes the parameters one piece of memory for cuDNN here."""

    def reset_parameters(self):
        """Draw all parameters uniformly within +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def check_input(self, input, batch_sizes):
        """Raise unless dtype and sizes fit."""
        weight = getattr(self, self._all_weights[0][0])
        if input.dtype is not weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        dimensions = 3 if batch_sizes is None else 2
        if input.ndim != dimensions:
            raise RuntimeError(f"input must have {dimensions} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.shape[-1]}"
            )

    def get_expected_hidden_size(self, input, batch_sizes):
        """The shape of the hidden state for this input."""
        batch = (
            input.shape[0 if self.batch_first else 1]
            if batch_sizes is None
            else int(batch_sizes[0])
        )
        directions = 2 if self.bidirectional else 1
        return self.num_layers * directions, batch, self.proj_size or self.hidden_size

    def check_hidden_size(self, hx, expected_hidden_size, msg="Expected hidden size {}, got {}"):
        """Raise unless a state has the expected shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input, hidden, batch_sizes):
        """Raise unless input and hidden state fit."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx, permutation):
        """The states of the batch in another order."""
        return hx if permutation is None else hx.index_select(1, permutation)

    def _initial(self, input, batch):
        """States of zeros."""
        layers = self.num_layers * (2 if self.bidirectional else 1)
        size = self.proj_size or self.hidden_size
        return zeros(layers, batch, size, dtype=input.dtype, device=input.device)

    def _run(self, input, hx, batch_sizes):
        """(output, state) of a batched or packed input."""
        function = getattr(functions, self.mode.lower())
        weights, settings = self._flat_weights, (self.bias, self.num_layers, self.dropout)
        settings = *settings, self.training, self.bidirectional
        if batch_sizes is None:
            return function(input, hx, weights, *settings, self.batch_first)
        return function(input, batch_sizes, hx, weights, *settings)

    def forward(self, input, hx=None):
        """Output of all steps, and the last state of all layers.

        (T, B, I), or (B, T, I) if batch_first, or (T, I), or a PackedSequence; (L * D, B, H) or
        (L * D, H) -> (T, B, D * H) and so on, (L * D, B, H) or (L * D, H)
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        dim = input.dim()
        if dim not in (2, 3):
            tensor = " tensor" if self.mode.startswith("RNN") else ""
            raise ValueError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {dim}D{tensor} instead"
            )
        if hx is not None:
            self._check_hidden_dim(hx, dim)
        batch_dim = 0 if self.batch_first else 1
        if dim == 2:
            input = input.unsqueeze(batch_dim)
            hx = None if hx is None else self._each(hx, lambda h: h.unsqueeze(1))
        if hx is None:
            hx = self._initial(input, input.shape[batch_dim])
        self.check_forward_args(input, hx, None)
        output, *last = self._run(input, hx, None)
        if dim == 2:
            output, last = output.squeeze(batch_dim), [s.squeeze(1) for s in last]
        return output, last[0] if self.states == 1 else tuple(last)

    def _forward_packed(self, packed, hx):
        input, batch_sizes, sorted_indices, unsorted_indices = packed
        if hx is None:
            hx = self._initial(input, int(batch_sizes[0]))
        else:
            hx = self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(input, hx, batch_sizes)
        output, *last = self._run(input, hx, batch_sizes)
        output = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        state = last[0] if self.states == 1 else tuple(last)
        return output, self.permute_hidden(state, unsorted_indices)

    def _each(self, hx, function):
        return function(hx)

    def _check_hidden_dim(self, hx, dim):
        """Raise unless the state has as many dimensions as the input."""
        if hx.dim() != dim:
            raise RuntimeError(
                f"For {_batching(dim)} input, hx should also be {dim}-D but got {hx.dim()}-D tensor"
            )

    def extra_repr(self):
        """The sizes, and what differs from the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0,
            "bidirectional": False,
        }  # fmt: skip
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


def _batching(dim) -> str:
    return "batched 3-D" if dim == 3 else "unbatched 2-D"


class RNN(RNNBase):
    """Layers of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu (Elman, 1990).

    (T, B, input_size), (L * D, B, hidden_size) -> (T, B, D * hidden_size), (L * D, B, hidden_size)

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False, device=None, dtype=None)
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        modes = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}
        if nonlinearity not in modes:
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(modes[nonlinearity], *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Layers with a cell state beside the hidden state, and gates between them.

    (T, B, input_size), ((L * D, B, P), (L * D, B, hidden_size)) -> (T, B, D * P), the states

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0, device=None, dtype=None); P is proj_size, or hidden_size.

    Source: Hochreiter and Schmidhuber, 1997; with forget gates (Gers et al., 2000) and projections
    (Sak et al., 2014).
    """

    states = 2

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)

    def _initial(self, input, batch):
        layers = self.num_layers * (2 if self.bidirectional else 1)
        cell = zeros(layers, batch, self.hidden_size, dtype=input.dtype, device=input.device)
        return super()._initial(input, batch), cell

    def get_expected_cell_size(self, input, batch_sizes):
        """The shape of the cell state for this input."""
        layers, batch, _ = self.get_expected_hidden_size(input, batch_sizes)
        return layers, batch, self.hidden_size

    def check_forward_args(self, input, hidden, batch_sizes):
        """Raise unless input, hidden state and cell state fit."""
        self.check_input(input, batch_sizes)
        expected = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        for k, size in enumerate(expected):
            message = f"Expected hidden[{k}] size {{}}, got {{}}"
            self.check_hidden_size(hidden[k], size, message)

    def permute_hidden(self, hx, permutation):
        """The states of the batch in another order."""
        if permutation is None:
            return hx
        return self._each(hx, lambda h: h.index_select(1, permutation))

    def _each(self, hx, function):
        return tuple(function(h) for h in hx[:2])

    def _check_hidden_dim(self, hx, dim):
        h, c = hx[0].dim(), hx[1].dim()
        if (h, c) != (dim, dim):
            raise RuntimeError(
                f"For {_batching(dim)} input, hx and cx should also be {dim}-D but got "
                f"({h}-D, {c}-D) tensors"
            )


class GRU(RNNBase):
    """Layers with a reset and an update gate (Cho et al., 2014).

    (T, B, input_size), (L * D, B, hidden_size) -> (T, B, D * hidden_size), (L * D, B, hidden_size)

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, device=None, dtype=None)
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


# -- cells -----------------------------------------------------------------------------------------
class RNNCellBase(Module):
    """What the cells share: parameters weight_ih, weight_hh, bias_ih, bias_hh."""

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        for name, shape in shapes.items():
            setattr(self, name, Parameter(empty(shape, device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            if bias:
                setattr(self, name, Parameter(empty(rows, device=device, dtype=dtype)))
            else:
                self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all parameters uniformly within +-1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, function, input, hx, states):
        """A step of a batch, or of one sample without a batch dimension."""
        name, dim = type(self).__name__, input.dim()
        if dim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {dim}D instead")
        for k, state in enumerate(hx or ()):
            if state.dim() not in (1, 2):
                what = "hidden" if states == 1 else f"hx[{k}]"
                raise ValueError(
                    f"{name}: Expected {what} to be 1D or 2D, got {state.dim()}D instead"
                )
        if dim == 1:
            input = input.unsqueeze(0)
        if hx is None:
            shape = input.shape[0], self.hidden_size
            hx = (zeros(shape, dtype=input.dtype, device=input.device),) * states
        elif dim == 1:
            hx = tuple(state.unsqueeze(0) for state in hx)
        parameters = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        result = function(input, hx if states == 2 else hx[0], *parameters)
        if dim == 2:
            return result
        return tuple(r.squeeze(0) for r in result) if states == 2 else result.squeeze(0)

    def extra_repr(self):
        """The sizes, and what differs from the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            text += f", nonlinearity={self.nonlinearity}"
        return text


class RNNCell(RNNCellBase):
    """A step of `RNN`: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.

    (B, input_size), (B, hidden_size) -> (B, hidden_size); or all without B
    """

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        """(B, input_size), (B, hidden_size) -> (B, hidden_size)."""
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        function = getattr(functions, f"rnn_{self.nonlinearity}_cell")
        return self._step(function, input, None if hx is None else (hx,), 1)


class LSTMCell(RNNCellBase):
    """A step of `LSTM`.

    (B, input_size), ((B, hidden_size), (B, hidden_size)) -> the states; or all without B
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        """(B, input_size), the states, (B, hidden_size) each -> the states."""
        return self._step(functions.lstm_cell, input, hx, 2)


class GRUCell(RNNCellBase):
    """A step of `GRU`.

    (B, input_size), (B, hidden_size) -> (B, hidden_size); or all without B
    """

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        """(B, input_size), (B, hidden_size) -> (B, hidden_size)."""
        return self._step(functions.gru_cell, input, None if hx is None else (hx,), 1)
