"""Cells: one step, with all that is done element by element in one pass, forward and backward.

`igates` and `hgates` are the products of input and hidden state with the weights, (B, gates * H).
"""

from ...core.batching import folded
from ...core.errors import kind
from ...core.interp import differentiated
from ...core.op import primitive
from ...core.tensor import Tensor
from ..matmul.linear import column_sum_op
from ..matmul.product import mm_op
from .composed import GRU, LSTM, RELU, TANH

ROOM = "numtorch.ops.rnn"


def _sums_rule(name, igates, hgates, state, b_ih, b_hh, gates):
    """torch's checks of what goes into a cell."""
    rows, width = igates.shape
    if not igates.dtype.is_floating_point:
        raise RuntimeError(f"{name}: expected floating point, but got {igates.dtype}")
    for other in (hgates, state):
        if other.dtype is not igates.dtype:
            raise RuntimeError(f"{name}: expected {igates.dtype}, but got {other.dtype}")
    if hgates.shape != igates.shape or (rows, width) != (state.shape[0], gates * state.shape[1]):
        raise RuntimeError(
            f"{name}: expected gates of shape {[state.shape[0], gates * state.shape[1]]}, but got "
            f"{list(igates.shape)} and {list(hgates.shape)}"
        )
    for bias in (b_ih, b_hh):
        if bias is not None and bias.shape != (width,):
            raise RuntimeError(
                f"The expanded size of the tensor ({width}) must match the existing size "
                f"({bias.shape[-1] if bias.ndim else 1}) at non-singleton dimension 1.  Target "
                f"sizes: {[rows, width]}.  Tensor sizes: {list(bias.shape)}"
            )


def _with_bias(sums, bias):
    return sums if bias is None else sums + bias


def _bias_gradients(g_ih, g_hh, needs):
    """Gradients of both biases, which are the same sum where the gates' gradients are the same."""
    first = column_sum_op(g_ih) if needs[0] else None
    if not needs[1]:
        return first, None
    return first, first if first is not None and g_hh is g_ih else column_sum_op(g_hh)


# -- LSTM ----------------------------------------------------------------------------------------
def _lstm_gradients(g, igates, hgates, c, b_ih, b_hh, out1, out2, needs):
    gh, gc = g[:2]
    if differentiated():
        _, saved = LSTM.forward(_with_bias(igates, b_ih), _with_bias(hgates, b_hh), (None, c))
        zero = c * 0
        sums, _, (_, g_before) = LSTM.backward(
            (zero if gh is None else gh, zero if gc is None else gc), saved
        )
    else:
        sums, g_before = lstm_cell_backward_op(gh, gc, c, out1, out2)
    return sums, sums, g_before, *_bias_gradients(sums, sums, needs[3:])


@primitive(
    vmap=folded(3, 4),
    outputs=3,
    differentiable=(0, 1),
    vjp={("igates", "hgates", "c", "b_ih", "b_hh"): _lstm_gradients},
    node_name="ThnnFusedLstmCellBackward0",
    module=ROOM,
)
def lstm_cell_op(igates, hgates, c, b_ih=None, b_hh=None):
    """Hidden and cell state after a step, and the activated gates.

    (B, 4H), (B, 4H), (B, H), (4H,), (4H,) -> (B, H), (B, H), (B, 4H)
    """
    _sums_rule("lstm_cell", igates, hgates, c, b_ih, b_hh, 4)
    return c.dense(), c.dense(), igates.dense()


@primitive(vmap=folded(position=2), outputs=2, vjp={}, module=ROOM)
def lstm_cell_backward_op(g, gc, c, cell, gates):
    """The gradients of the gates' sums and of the cell state before the step."""
    return gates.dense(), c.dense()


lstm_cell_backward_op.op.optional = frozenset(["g", "gc"])


# -- GRU -----------------------------------------------------------------------------------------
def _gru_gradients(g, igates, hgates, h, b_ih, b_hh, out1, needs):
    if differentiated():
        _, saved = GRU.forward(_with_bias(igates, b_ih), _with_bias(hgates, b_hh), (h,))
        g_ih, g_hh, (g_before,) = GRU.backward((g,), saved)
    else:
        g_ih, g_hh, g_before = gru_cell_backward_op(g, h, out1)
    return g_ih, g_hh, g_before, *_bias_gradients(g_ih, g_hh, needs[3:])


@primitive(
    vmap=folded(3, 4),
    outputs=2,
    vjp={("igates", "hgates", "h", "b_ih", "b_hh"): _gru_gradients},
    node_name="ThnnFusedGruCellBackward0",
    module=ROOM,
)
def gru_cell_op(igates, hgates, h, b_ih=None, b_hh=None):
    """The hidden state after a step; and the activated gates, the new gate's hidden part last.

    (B, 3H), (B, 3H), (B, H), (3H,), (3H,) -> (B, H), (B, 4H)
    """
    _sums_rule("gru_cell", igates, hgates, h, b_ih, b_hh, 3)
    return h.dense(), h.like(shape=(h.shape[0], 4 * h.shape[1]))


@primitive(vmap=folded(), outputs=3, vjp={}, module=ROOM)
def gru_cell_backward_op(g, h, gates):
    """The gradients of igates and hgates, and of the hidden state directly."""
    sums = h.like(shape=(h.shape[0], 3 * h.shape[1]))
    return sums, sums, h.dense()


# -- plain cells ---------------------------------------------------------------------------------
def _rnn_gradients(g, out, relu, needs):
    if differentiated():
        sums, _, _ = (RELU if relu else TANH).backward((g,), (out,))
    else:
        sums = rnn_cell_backward_op(g, out, relu)
    return sums, sums, *_bias_gradients(sums, sums, needs[2:])


@primitive(
    vmap=folded(2, 3),
    vjp={("igates", "hgates", "b_ih", "b_hh"): _rnn_gradients},
    node_name="TanhBackward0",
    module=ROOM,
)
def rnn_cell_op(igates, hgates, b_ih=None, b_hh=None, *, relu):
    """tanh, or relu, of the sum. (B, H), (B, H), (H,), (H,) -> (B, H)"""
    name = "rnn_relu_cell" if relu else "rnn_tanh_cell"
    _sums_rule(name, igates, hgates, hgates, b_ih, b_hh, 1)
    return igates.dense()


@primitive(vmap=folded(), vjp={}, module=ROOM)
def rnn_cell_backward_op(g, output, *, relu):
    """The gradient of the sum. (B, H), (B, H) -> (B, H)"""
    return output.dense()


# -- public functions ----------------------------------------------------------------------------
def _checked(name, input, h, c, w_ih, w_hh, gates):
    """torch's checks of a cell's arguments."""
    shape, hidden = input._spec.shape, h._spec.shape
    for s in (shape, hidden):
        if len(s) < 2:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-1, 0], but got 1) ({name}: "
                "expected a batch, (B, features))"
            )
    rows, features = w_ih._spec.shape
    size = w_hh._spec.shape[1]
    if shape[1] != features:
        raise RuntimeError(f"input has inconsistent input_size: got {shape[1]} expected {features}")
    for k, state in enumerate((h, c)):
        if state is None:
            continue
        if state._spec.shape[0] != shape[0]:
            raise RuntimeError(
                f"Input batch size {shape[0]} doesn't match hidden{k} batch size "
                f"{state._spec.shape[0]}"
            )
        if state._spec.shape[1] != size:
            raise RuntimeError(
                f"hidden{k} has inconsistent hidden_size: got {state._spec.shape[1]}, expected "
                f"{size}"
            )
    if rows != gates * size:
        raise RuntimeError(
            f"weight_ih first dim must be {gates} * hidden_size = {gates * size}, but got {rows}"
        )


def _tensor(name, value, argument, position):
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
            f"{kind(value)}"
        )


def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """A step of an LSTM: hidden and cell state.

    (B, I), [(B, H), (B, H)], (4H, I), (4H, H), (4H,), (4H,) -> (B, H), (B, H)

    Source: Hochreiter and Schmidhuber, 1997, with forget gates (Gers et al., 2000).
    """
    if len(hx) != 2:
        raise RuntimeError("lstm_cell expects two hidden states")
    _tensor("lstm_cell", input, "input", 1)
    h, c = hx
    _checked("lstm_cell", input, h, c, w_ih, w_hh, 4)
    igates, hgates = mm_op(input, w_ih, False, True), mm_op(h, w_hh, False, True)
    return lstm_cell_op(igates, hgates, c, b_ih, b_hh)[:2]


def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """A step of a GRU: the hidden state.

    (B, I), (B, H), (3H, I), (3H, H), (3H,), (3H,) -> (B, H)

    Source: Cho et al., 2014, with the reset gate after the product, as in cuDNN.
    """
    _tensor("gru_cell", input, "input", 1)
    _tensor("gru_cell", hx, "hx", 2)
    _checked("gru_cell", input, hx, None, w_ih, w_hh, 3)
    igates, hgates = mm_op(input, w_ih, False, True), mm_op(hx, w_hh, False, True)
    return gru_cell_op(igates, hgates, hx, b_ih, b_hh)[0]


def _rnn_cell(name, relu, input, hx, w_ih, w_hh, b_ih, b_hh):
    _tensor(name, input, "input", 1)
    _tensor(name, hx, "hx", 2)
    _checked(name, input, hx, None, w_ih, w_hh, 1)
    igates, hgates = mm_op(input, w_ih, False, True), mm_op(hx, w_hh, False, True)
    return rnn_cell_op(igates, hgates, b_ih, b_hh, relu)


def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """A step of a plain recurrent network: tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh).

    (B, I), (B, H), (H, I), (H, H), (H,), (H,) -> (B, H). Source: Elman, 1990.
    """
    return _rnn_cell("rnn_tanh_cell", False, input, hx, w_ih, w_hh, b_ih, b_hh)


def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """`rnn_tanh_cell` with relu in place of tanh.

    (B, I), (B, H), (H, I), (H, H), (H,), (H,) -> (B, H)
    """
    return _rnn_cell("rnn_relu_cell", True, input, hx, w_ih, w_hh, b_ih, b_hh)
