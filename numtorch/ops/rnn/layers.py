"""Whole layers: all time steps of one direction in one operator, forward and backward.

Sequences are either dense, (T, B, I), or packed, (sum of sizes, I), with `sizes[t]` rows at step t,
the longest sequences first. `keep` says whether the derivative will be needed.
"""

from ...core.interp import differentiated
from ...core.op import primitive
from ..join import cat
from ..matmul.linear import column_sum_op
from ..matmul.product import mm_op, rows_op
from . import batching, composed

ROOM = "numtorch.ops.rnn"


def _check(name, input, h0, w_ih, w_hh, b_ih, b_hh, gates):
    """torch's checks of a layer's arguments."""
    features, hidden = input.shape[-1], h0.shape[-1]
    for s in (input, h0, w_ih, w_hh, b_ih, b_hh):
        if s is None:
            continue
        if not s.dtype.is_floating_point:
            raise RuntimeError(f"{name}: expected floating point, but got {s.dtype}")
        if s.dtype is not input.dtype:
            raise RuntimeError(
                f"{name}: expected input, hidden state and weights of one dtype, but got "
                f"{input.dtype} and {s.dtype}"
            )
    for s, size in ((w_ih, features), (w_hh, hidden)):
        if s.ndim != 2 or s.shape != (gates * hidden, size):
            rows, columns = s.shape[-1], s.shape[0]
            raise RuntimeError(
                f"mat1 and mat2 shapes cannot be multiplied ({input.numel // features}x{size} and "
                f"{rows}x{columns}) ({name}: expected weights of shape {[gates * hidden, size]}, "
                f"but got {list(s.shape)})"
            )
    for s in (b_ih, b_hh):
        if s is not None and s.shape != (gates * hidden,):
            raise RuntimeError(
                f"{name}: expected biases of shape {[gates * hidden]}, but got {list(s.shape)}"
            )


def _outputs(input, h0):
    """Specs of the hidden states of all steps, and of the last ones."""
    return input.like(shape=(*input.shape[:-1], h0.shape[1])), h0.dense()


def _kept(input, width, keep):
    """The Spec of what the derivative needs of every step: `width` numbers."""
    return input.like(shape=(*input.shape[:-1], width) if keep else (0,))


# -- weights -------------------------------------------------------------------------------------
def _hidden_weights(sums, out, h0, sizes, reverse):
    """sums.T @ the hidden state before each step: one product for all steps but the first."""
    if sizes is not None:
        return mm_op(sums, _states_before(out, h0, sizes, reverse), True, False)
    steps = sums._spec.shape[0]
    total = mm_op(sums.select(0, steps - 1 if reverse else 0), h0, True, False)
    if steps > 1:
        later, earlier = (0, 1) if reverse else (1, 0)
        sums, out = sums.narrow(0, later, steps - 1), out.narrow(0, earlier, steps - 1)
        total = rows_op(sums, out, True, False).add_(total)
    return total


def _states_before(out, h0, sizes, reverse):
    """The hidden state before each row of a packed sequence."""
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    parts = []
    for t, size in enumerate(sizes):
        source = t + 1 if reverse else t - 1
        inside = 0 <= source < len(sizes)
        kept = min(size, sizes[source]) if inside else 0
        if kept:
            parts.append(out.narrow(0, starts[source], kept))
        if kept < size:
            parts.append(h0.narrow(0, kept, size - kept))
    return cat(parts)


def _parameters(sums, hidden_sums, input, out, h0, w_ih, sizes, reverse, needs):
    """Gradients of input, weights and biases from those of the gates' sums."""
    g_bias = column_sum_op(sums) if needs[3] or (needs[4] and sums is hidden_sums) else None
    g_hidden_bias = g_bias
    if needs[4] and sums is not hidden_sums:
        g_hidden_bias = column_sum_op(hidden_sums)
    return (
        rows_op(sums, w_ih, False, False) if needs[0] else None,
        rows_op(sums, input, True, False) if needs[1] else None,
        _hidden_weights(hidden_sums, out, h0, sizes, reverse) if needs[2] else None,
        g_bias,
        g_hidden_bias,
    )


# -- LSTM ----------------------------------------------------------------------------------------
def _lstm_gradients(
    g, input, h0, c0, w_ih, w_hh, b_ih, b_hh, out, out3, out4, sizes, reverse, needs
):  # fmt: skip
    if differentiated():
        return composed.gradients(
            composed.LSTM, g, input, (h0, c0), w_ih, w_hh, b_ih, b_hh, sizes, reverse
        )
    sums, g_h0, g_c0 = lstm_layer_backward_op(*g[:3], w_hh, c0, out3, out4, sizes, reverse)
    needs = needs[0], *needs[3:]
    g_input, *rest = _parameters(sums, sums, input, out, h0, w_ih, sizes, reverse, needs)
    return g_input, g_h0, g_c0, *rest


_INPUTS = "w_ih", "w_hh", "b_ih", "b_hh"


@primitive(
    vmap=batching.layer,
    outputs=5,
    differentiable=(0, 1, 2),
    vjp={("input", "h0", "c0", *_INPUTS): _lstm_gradients},
    node_name="MkldnnRnnLayerBackward0",
    module=ROOM,
)
def lstm_layer_op(input, h0, c0, w_ih, w_hh, b_ih=None, b_hh=None, *, sizes, reverse, keep):
    """The hidden states of all steps, the last hidden and cell states; gates and cell states.

    (T, B, I), (B, H), (B, H), (4H, I), (4H, H), (4H,), (4H,) -> (T, B, H), (B, H), (B, H)
    """
    _check("lstm", input, h0, w_ih, w_hh, b_ih, b_hh, 4)
    if c0.shape != h0.shape or c0.dtype is not h0.dtype:
        raise RuntimeError(
            f"lstm: expected hidden and cell state of one shape and dtype, but got {h0} and {c0}"
        )
    hidden = h0.shape[1]
    kept = _kept(input, 4 * hidden, keep), _kept(input, hidden, keep)
    return *_outputs(input, h0), c0.dense(), *kept


@primitive(vmap=batching.layer, outputs=3, vjp={}, module=ROOM)
def lstm_layer_backward_op(g, g_hn, g_cn, w_hh, c0, gates, cells, *, sizes, reverse):
    """The gradients of the gates' sums at all steps and of the initial states."""
    return gates.dense(), c0.dense(), c0.dense()


lstm_layer_backward_op.op.optional = frozenset(["g", "g_hn", "g_cn"])


# -- GRU -----------------------------------------------------------------------------------------
def _gru_gradients(g, input, h0, w_ih, w_hh, b_ih, b_hh, out, out2, sizes, reverse, needs):
    if differentiated():
        return composed.gradients(
            composed.GRU, g, input, (h0,), w_ih, w_hh, b_ih, b_hh, sizes, reverse
        )
    sums, hidden_sums, g_h0 = gru_layer_backward_op(*g[:2], w_hh, h0, out, out2, sizes, reverse)
    needs = needs[0], *needs[2:]
    g_input, *rest = _parameters(sums, hidden_sums, input, out, h0, w_ih, sizes, reverse, needs)
    return g_input, g_h0, *rest


@primitive(
    vmap=batching.layer,
    outputs=3,
    differentiable=(0, 1),
    vjp={("input", "h0", *_INPUTS): _gru_gradients},
    node_name="StackBackward0",
    module=ROOM,
)
def gru_layer_op(input, h0, w_ih, w_hh, b_ih=None, b_hh=None, *, sizes, reverse, keep):
    """The hidden states of all steps, the last ones; gates, the new gate's hidden part last.

    (T, B, I), (B, H), (3H, I), (3H, H), (3H,), (3H,) -> (T, B, H), (B, H)
    """
    _check("gru", input, h0, w_ih, w_hh, b_ih, b_hh, 3)
    return *_outputs(input, h0), _kept(input, 4 * h0.shape[1], keep)


@primitive(vmap=batching.layer, outputs=3, vjp={}, module=ROOM)
def gru_layer_backward_op(g, g_hn, w_hh, h0, output, gates, *, sizes, reverse):
    """The gradients of the gates' sums from inputs and from hidden states, and of the initial
    state.
    """
    sums = gates.like(shape=(*gates.shape[:-1], 3 * h0.shape[1]))
    return sums, sums, h0.dense()


gru_layer_backward_op.op.optional = frozenset(["g", "g_hn"])


# -- plain cells ---------------------------------------------------------------------------------
def _rnn_gradients(g, input, h0, w_ih, w_hh, b_ih, b_hh, out, sizes, reverse, relu, needs):
    if differentiated():
        cell = composed.RELU if relu else composed.TANH
        return composed.gradients(cell, g, input, (h0,), w_ih, w_hh, b_ih, b_hh, sizes, reverse)
    sums, g_h0 = rnn_layer_backward_op(*g[:2], w_hh, h0, out, sizes, reverse, relu)
    needs = needs[0], *needs[2:]
    g_input, *rest = _parameters(sums, sums, input, out, h0, w_ih, sizes, reverse, needs)
    return g_input, g_h0, *rest


@primitive(
    vmap=batching.layer,
    outputs=2,
    differentiable=(0, 1),
    vjp={("input", "h0", *_INPUTS): _rnn_gradients},
    node_name="StackBackward0",
    module=ROOM,
)
def rnn_layer_op(input, h0, w_ih, w_hh, b_ih=None, b_hh=None, *, sizes, reverse, relu):
    """The hidden states of all steps, and the last ones.

    (T, B, I), (B, H), (H, I), (H, H), (H,), (H,) -> (T, B, H), (B, H)
    """
    _check("rnn_relu" if relu else "rnn_tanh", input, h0, w_ih, w_hh, b_ih, b_hh, 1)
    return _outputs(input, h0)


@primitive(vmap=batching.layer, outputs=2, vjp={}, module=ROOM)
def rnn_layer_backward_op(g, g_hn, w_hh, h0, output, *, sizes, reverse, relu):
    """The gradients of the sums at all steps and of the initial state."""
    return output.dense(), h0.dense()


rnn_layer_backward_op.op.optional = frozenset(["g", "g_hn"])
