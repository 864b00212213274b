"""Networks of recurrent layers, as torch's functions: dense or packed input, one or two directions,
dropout between the layers.
"""

from ...core.errors import kind
from ...core.interp import runtime
from ...core.tape import grad_mode
from ...core.tensor import Tensor
from ..join import cat, stack
from ..matmul.linear import linear
from ..random.dropouts import dropout
from .cells import gru_cell_op, lstm_cell_op, rnn_cell_op
from .layers import gru_layer_op, lstm_layer_op, rnn_layer_op


# -- one layer in one direction --------------------------------------------------------------------
def _recorded(*tensors) -> bool:
    if runtime["interp"] is not None:  # which may record, or differentiate, in its own way
        return True
    return grad_mode.get() and any(t is not None and t._node is not None for t in tensors)


def _lstm_layer(input, states, weights, sizes, reverse):
    keep = _recorded(input, *states, *weights)
    out, *last = lstm_layer_op(input, *states, *weights, sizes, reverse, keep)[:3]
    return out, last


def _gru_layer(input, states, weights, sizes, reverse):
    keep = _recorded(input, *states, *weights)
    out, *last = gru_layer_op(input, *states, *weights, sizes, reverse, keep)[:2]
    return out, last


def _tanh_layer(input, states, weights, sizes, reverse):
    out, *last = rnn_layer_op(input, *states, *weights, sizes, reverse, False)
    return out, last


def _relu_layer(input, states, weights, sizes, reverse):
    out, *last = rnn_layer_op(input, *states, *weights, sizes, reverse, True)
    return out, last


def _lstm_step(igates, hgates, states, biases):
    return lstm_cell_op(igates, hgates, states[1], *biases)[:2]


def _gru_step(igates, hgates, states, biases):
    return gru_cell_op(igates, hgates, states[0], *biases)[:1]


def _tanh_step(igates, hgates, states, biases):
    return (rnn_cell_op(igates, hgates, *biases, False),)


def _relu_step(igates, hgates, states, biases):
    return (rnn_cell_op(igates, hgates, *biases, True),)


def _stepwise(step, input, states, weights, sizes, reverse, projection=None):
    """A layer step by step: with projections, for empty batches, for a single step."""
    w_ih, w_hh, *biases = weights
    igates = linear(input, w_ih)
    if sizes is None:
        parts = igates.unbind(0)
        sizes = (states[0]._spec.shape[0],) * len(parts)
    else:
        parts = igates.split(list(sizes))
    outs: list = [None] * len(parts)
    for t in range(len(parts))[:: -1 if reverse else 1]:
        size, whole = sizes[t], states[0]._spec.shape[0] == sizes[t]
        before = states if whole else [s.narrow(0, 0, size) for s in states]
        new = list(step(parts[t], linear(before[0], w_hh), before, biases))
        if projection is not None:
            new[0] = linear(new[0], projection)
        outs[t] = new[0]
        if not whole:
            rest = [s.narrow(0, size, s._spec.shape[0] - size) for s in states]
            new = [cat([n, r]) for n, r in zip(new, rest, strict=True)]
        states = new
    return (stack(outs) if input._spec.ndim == 3 else cat(outs)), states


# -- all layers ------------------------------------------------------------------------------------
def _network(name, kinds, input, hx, params, sizes, settings):
    """(output, last states) of a stack of layers; `kinds` are its layer and its step."""
    has_biases, num_layers, dropout_p, train, bidirectional = settings
    layer, step = kinds
    directions = 2 if bidirectional else 1
    count = num_layers * directions
    each = _parameters_each(name, params, has_biases, hx)
    groups = [params[i : i + each] for i in range(0, len(params), each)]
    if len(groups) < count or hx[0]._spec.shape[0] < count:
        raise RuntimeError(
            f"Expected more hidden states in stacked_rnn ({name}: {count} needed, got "
            f"{hx[0]._spec.shape[0]} states and parameters for {len(groups)})"
        )
    last: list = [[] for _ in hx]
    for index in range(num_layers):
        outs = []
        for direction in range(directions):
            which = index * directions + direction
            weights, projection = _split(groups[which], has_biases)
            states = [s.select(0, which) for s in hx]
            small = input._spec.numel == 0 or (sizes is None and input._spec.shape[0] == 1)
            if projection is not None or small:
                result = _stepwise(step, input, states, weights, sizes, direction, projection)
            else:
                result = layer(input, states, weights, sizes, direction == 1)
            outs.append(result[0])
            for found, state in zip(last, result[1], strict=True):
                found.append(state)
        input = outs[0] if directions == 1 else cat(outs, -1)
        if dropout_p and train and index < num_layers - 1:
            input = dropout(input, dropout_p, True)
    return input, *(stack(states) for states in last)


def _parameters_each(name, params, has_biases, hx):
    """How many parameters a layer has in one direction."""
    each = 4 if has_biases else 2
    if len(hx) == 2 and hx[0]._spec.shape[-1] != hx[1]._spec.shape[-1]:
        each += 1  # the hidden state is a projection
    if not params or len(params) % each:
        raise RuntimeError(
            f"got an incorrect number of RNN parameters ({name}: {len(params)} are no multiple of "
            f"{each})"
        )
    return each


def _split(group, has_biases):
    """((w_ih, w_hh, b_ih, b_hh), the projection or None)."""
    weights, rest = list(group[:2]), list(group[2:])
    weights += [rest.pop(0), rest.pop(0)] if has_biases else [None, None]
    return weights, rest[0] if rest else None


_SETTINGS = "has_biases", "num_layers", "dropout", "train", "bidirectional"
DENSE = "input", "hx", "params", *_SETTINGS, "batch_first"
PACKED = "data", "batch_sizes", "hx", "params", *_SETTINGS


def _call(name, kinds, states, args, kwargs):
    """torch's two overloads: their parameters are those of `DENSE` and `PACKED`."""
    packed = "batch_sizes" in kwargs or (len(args) > 3 and isinstance(args[3], (list, tuple)))
    names = PACKED if packed else DENSE
    if len(args) + len(kwargs) != len(names) or set(names[len(args) :]) != set(kwargs):
        raise TypeError(f"{name}(): expected the arguments {', '.join(names)}")
    args = [*args, *(kwargs[n] for n in names[len(args) :])]
    input = args[0]
    hx, params = args[2:4] if packed else args[1:3]
    *settings, batch_first = (*args[4:], False) if packed else args[3:]
    if states == 1:
        hx = (hx,)
    elif len(hx) != 2:
        raise RuntimeError("lstm expects two hidden states")
    for value in (input, *hx):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}(): expected tensors, but got {kind(value)}")
    sizes = None
    if packed:
        sizes = tuple(args[1].tolist())
        _check_sizes(name, input, sizes, hx)
    else:
        _check_input(name, input, hx, batch_first)
    if batch_first:
        input = input.transpose(0, 1)
    out, *last = _network(name, kinds, input, hx, params, sizes, settings)
    return (out.transpose(0, 1) if batch_first else out), *last


def _check_input(name, input, hx, batch_first):
    shape = input._spec.shape
    if len(shape) != 3:
        raise IndexError(
            f"Dimension out of range ({name}: expected input of shape (T, B, features), but got "
            f"{list(shape)})"
        )
    if shape[1 if batch_first else 0] == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    batch = shape[0 if batch_first else 1]
    _check_states(name, hx, batch)


def _check_sizes(name, data, sizes, hx):
    rows = data._spec.shape[0]
    if sum(sizes) != rows or any(a < b for a, b in zip(sizes, sizes[1:], strict=False)):
        raise RuntimeError(
            f"{name}: expected batch_sizes in decreasing order that add up to the {rows} rows of "
            f"data, but got {list(sizes)}"
        )
    _check_states(name, hx, sizes[0])


def _check_states(name, hx, batch):
    for state in hx:
        shape = state._spec.shape
        if len(shape) != 3 or shape[1] != batch:
            raise RuntimeError(
                f"{name}: expected hidden states of shape (layers * directions, {batch}, hidden "
                f"size), but got {list(shape)}"
            )


def lstm(*args, **kwargs):
    """A network of LSTM layers: (output, last hidden states, last cell states).

    lstm(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)
    lstm(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)

    (T, B, I), [(L * D, B, P), (L * D, B, H)] -> (T, B, D * P), (L * D, B, P), (L * D, B, H)

    for L layers in D directions; P is H unless there are projections.
    """
    return _call("lstm", (_lstm_layer, _lstm_step), 2, args, kwargs)


def gru(*args, **kwargs):
    """A network of GRU layers: (output, last hidden states). See `lstm` for the arguments.

    (T, B, I), (L * D, B, H) -> (T, B, D * H), (L * D, B, H)
    """
    return _call("gru", (_gru_layer, _gru_step), 1, args, kwargs)


def rnn_tanh(*args, **kwargs):
    """A network of plain layers with tanh: (output, last hidden states). See `gru`.

    (T, B, I), (L * D, B, H) -> (T, B, D * H), (L * D, B, H)
    """
    return _call("rnn_tanh", (_tanh_layer, _tanh_step), 1, args, kwargs)


def rnn_relu(*args, **kwargs):
    """A network of plain layers with relu: (output, last hidden states). See `gru`.

    (T, B, I), (L * D, B, H) -> (T, B, D * H), (L * D, B, H)
    """
    return _call("rnn_relu", (_relu_layer, _relu_step), 1, args, kwargs)
