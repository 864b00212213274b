"""CPU launchers of recurrent layers and cells."""

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, bind
from ...backends.cpu.simd import lanes_of
from ...backends.registry import contiguous
from ..conv.planes import scratch
from . import cell_loops, sequence, sequence_backward
from .tile import HEIGHTS, VECTORS

ROOM_BYTES = 1 << 19  # sums of gates that a block of steps keeps: a quarter of an L2 cache
WORK = 8  # operations for each gate of a cell
ROWS = 64  # of a batch that go through the steps together, at most
LSTM = (0, 1, 2, 3), (0, 1, 2, 3)  # the gates of panels of input and hidden weights
GRU = (2, 0, 1), (0, 1, 2)
PLAIN = (0,), (0,)
# Of each slot of sums: its gate, and which bias it takes (1: the input's, 2: the hidden state's).
PLAIN_SLOTS = (0, 3), (1, 3), (2, 3), (3, 3)
GRU_SLOTS = (2, 1), (0, 3), (1, 3), (2, 2)
GRU_CELL_SLOTS = (0, 3), (1, 3), (2, 1), (2, 2)


def rows_together(batch: int, work: int) -> int:
    """How many rows one iteration owns: a part for each thread, in whole tiles."""
    parts = threads.get_num_threads() if work >= PARALLEL_WORK else 1
    share = -(-batch // parts)
    if parts > 1:
        share = -(-share // HEIGHTS[0]) * HEIGHTS[0]
    return max(1, min(share, ROWS, batch))


def starts_of(spec, sizes) -> np.ndarray:
    """Where the rows of each step begin, and where the last one's end."""
    if sizes is None:
        return np.arange(spec.shape[0] + 1) * spec.shape[1]
    return np.concatenate([[0], np.cumsum(sizes)])


class Panels:
    """How a weight matrix becomes the panels of `tile.py`."""

    def __init__(self, weight, hidden: int, order, transposed: bool = False) -> None:
        rows, columns = weight.shape
        lanes = lanes_of(weight.dtype.itemsize)
        per_gate = VECTORS if len(order) == 1 else 1
        vectors = per_gate * len(order)
        depth, steps = (rows, (1, columns)) if transposed else (columns, (columns, 1))
        count = -(-hidden // (per_gate * lanes))
        self.padded = count * per_gate * lanes  # hidden units with those that fill the last panel
        self.size = count * depth * vectors * lanes
        starts = np.array([gate * hidden for gate in order])
        facts = starts, hidden, depth, count, vectors, per_gate, lanes, *steps
        pack = sequence.pack_panels.compile(weight, weight, *facts, work=self.size // 8)
        self.fill = bind(pack, 2, *facts)

    def pack(self, weight):
        """The panels of one call's weights."""
        panels = scratch(self.size, weight.dtype)
        self.fill(weight, panels)
        return panels


class Biases:
    """How biases are added up, once for all rows and steps."""

    def __init__(self, ih, hh, state, slots, padded: int) -> None:
        hidden = state.shape[1]
        order, uses = np.array(slots).T.copy()
        facts = order * hidden, uses, len(slots), hidden, padded
        self.fill = bind(sequence.pack_bias.compile(ih, hh, state, *facts), 3, *facts)
        self.size, self.dtype = len(slots) * padded, state.dtype.np

    def pack(self, ih, hh):
        """The biases of one call."""
        out = np.empty(self.size, self.dtype)
        self.fill(ih, hh, out)
        return out


class Forward:
    """What the layers of all kinds of cells prepare: panels, biases, and the kernel's numbers."""

    def __init__(self, input, h0, w_ih, w_hh, b_ih, b_hh, gates, states, sizes, reverse) -> None:
        batch, hidden = h0.shape
        features = input.shape[-1]
        starts = starts_of(input, sizes)
        steps = len(starts) - 1
        self.input_panels = Panels(w_ih, hidden, gates[0])
        self.panels = Panels(w_hh, hidden, gates[1])
        padded, self.dtype = self.panels.padded, input.dtype.np
        self.work = int(starts[-1]) * w_hh.shape[0] * (features + hidden)
        chunk = rows_together(batch, self.work)
        slots = 1 if len(gates[0]) == 1 else 4
        width = slots * padded
        block = max(1, min(steps, ROOM_BYTES // (chunk * width * self.dtype.itemsize)))
        self.room = -(-batch // chunk) * chunk * (states * hidden + block * width)
        self.biases = Biases(
            b_ih, b_hh, h0, GRU_SLOTS if gates is GRU else PLAIN_SLOTS[:slots], padded
        )
        lanes = lanes_of(self.dtype.itemsize)
        self.facts = (
            starts, chunk, block, batch, steps, features, hidden, padded, lanes, int(reverse),
        )  # fmt: skip

    def pack(self, w_ih, w_hh, b_ih, b_hh):
        """Panels of the inputs' weights and of the states', the sum of biases, room for sums."""
        room = scratch(self.room, self.dtype)
        bias = self.biases.pack(b_ih, b_hh)
        return self.input_panels.pack(w_ih), self.panels.pack(w_hh), bias, room


@contiguous
def lstm_layer_op(
    input, h0, c0, w_ih, w_hh, b_ih, b_hh, out, hn, cn, gates, cells, *, sizes, reverse, keep
):
    """Inputs' part of the gates by blocks of steps, hidden states' part step by step."""
    plan = Forward(input, h0, w_ih, w_hh, b_ih, b_hh, LSTM, 2, sizes, reverse)
    facts = *plan.facts, int(keep)
    specs = input, h0, c0, w_ih, w_hh, h0, h0, out, hn, cn, gates, cells
    run, pack = sequence.lstm_steps.compile(*specs, *facts, work=plan.work), plan.pack

    def launch(x, h, c, wi, wh, bi, bh, o, hn, cn, gates, cells):
        run(x, h, c, *pack(wi, wh, bi, bh), o, hn, cn, gates, cells, *facts)

    return launch


@contiguous
def gru_layer_op(
    input, h0, w_ih, w_hh, b_ih, b_hh, out, hn, gates, *, sizes, reverse, keep
):  # fmt: skip
    """As the LSTM's, with the new gate's two parts in slots of their own."""
    plan = Forward(input, h0, w_ih, w_hh, b_ih, b_hh, GRU, 1, sizes, reverse)
    facts = *plan.facts, int(keep)
    specs = input, h0, w_ih, w_hh, h0, h0, out, hn, gates
    run, pack = sequence.gru_steps.compile(*specs, *facts, work=plan.work), plan.pack

    def launch(x, h, wi, wh, bi, bh, o, hn, gates):
        run(x, h, *pack(wi, wh, bi, bh), o, hn, gates, *facts)

    return launch


@contiguous
def rnn_layer_op(input, h0, w_ih, w_hh, b_ih, b_hh, out, hn, *, sizes, reverse, relu):
    """As the LSTM's, with one gate, whose panels are four vectors of hidden units."""
    plan = Forward(input, h0, w_ih, w_hh, b_ih, b_hh, PLAIN, 1, sizes, reverse)
    facts = *plan.facts, int(relu)
    specs = input, h0, w_ih, w_hh, h0, h0, out, hn
    run, pack = sequence.rnn_steps.compile(*specs, *facts, work=plan.work), plan.pack

    def launch(x, h, wi, wh, bi, bh, o, hn):
        run(x, h, *pack(wi, wh, bi, bh), o, hn, *facts)

    return launch


class Backward:
    """What the derivatives of all layers prepare: panels of the weights, and numbers."""

    def __init__(self, w_hh, out, h0, states, sizes, reverse) -> None:
        (rows, hidden), batch, self.dtype = w_hh.shape, h0.shape[0], h0.dtype.np
        starts = starts_of(out, sizes)
        self.panels = Panels(w_hh, hidden, (0,), transposed=True)
        self.work = int(starts[-1]) * rows * hidden
        chunk, padded = rows_together(batch, self.work), self.panels.padded
        workers = -(-batch // chunk)
        self.room = workers * (padded + chunk * (padded + (states - 1) * hidden))
        lanes = lanes_of(self.dtype.itemsize)
        self.facts = starts, chunk, batch, len(starts) - 1, hidden, padded, lanes, int(reverse)

    def pack(self, w_hh):
        """Panels of the weights, and room for gradients of states."""
        return self.panels.pack(w_hh), scratch(self.room, self.dtype)


@contiguous
def lstm_layer_backward_op(
    g, g_hn, g_cn, w_hh, c0, gates, cells, sums, gh0, gc0, *, sizes, reverse
):
    """Back through the steps."""
    plan = Backward(w_hh, gates, c0, 2, sizes, reverse)
    facts, pack = plan.facts, plan.pack
    specs = g, g_hn, g_cn, c0, gates, cells, c0, c0, sums, gh0, gc0
    run = sequence_backward.lstm_gradients.compile(*specs, *facts, work=plan.work)

    def launch(g, g_hn, g_cn, w, c0, gates, cells, sums, gh0, gc0):
        run(g, g_hn, g_cn, c0, gates, cells, *pack(w), sums, gh0, gc0, *facts)

    return launch


@contiguous
def gru_layer_backward_op(
    g, g_hn, w_hh, h0, output, gates, sums, hidden_sums, gh0, *, sizes, reverse
):
    """Back through the steps."""
    plan = Backward(w_hh, gates, h0, 2, sizes, reverse)
    facts, pack = plan.facts, plan.pack
    specs = g, g_hn, h0, output, gates, h0, h0, sums, hidden_sums, gh0
    run = sequence_backward.gru_gradients.compile(*specs, *facts, work=plan.work)

    def launch(g, g_hn, w, h0, output, gates, sums, hidden_sums, gh0):
        run(g, g_hn, h0, output, gates, *pack(w), sums, hidden_sums, gh0, *facts)

    return launch


@contiguous
def rnn_layer_backward_op(g, g_hn, w_hh, h0, output, sums, gh0, *, sizes, reverse, relu):
    """Back through the steps."""
    plan = Backward(w_hh, output, h0, 1, sizes, reverse)
    facts, pack = (*plan.facts, int(relu)), plan.pack
    specs = g, g_hn, output, h0, h0, sums, gh0
    run = sequence_backward.rnn_gradients.compile(*specs, *facts, work=plan.work)

    def launch(g, g_hn, w, h0, output, sums, gh0):
        run(g, g_hn, output, *pack(w), sums, gh0, *facts)

    return launch


# -- cells ---------------------------------------------------------------------------------------
@contiguous
def lstm_cell_op(igates, hgates, c, b_ih, b_hh, out, cell, gates):
    """One pass."""
    facts = c.shape
    biases = Biases(b_ih, b_hh, c, PLAIN_SLOTS, c.shape[1])
    specs = igates, hgates, c, c, out, cell, gates
    run = cell_loops.lstm_cells.compile(*specs, *facts, work=WORK * igates.numel)

    def launch(x, y, c, bi, bh, out, cell, gates):
        run(x, y, c, biases.pack(bi, bh), out, cell, gates, *facts)

    return launch


@contiguous
def lstm_cell_backward_op(g, gc, c, cell, gates, sums, before):
    """One pass."""
    facts, zeros = c.shape, np.zeros(c.shape[1], c.dtype.np)
    specs = g, gc, c, cell, gates, c, sums, before
    run = cell_loops.lstm_cell_gradients.compile(*specs, *facts, work=WORK * gates.numel)
    return lambda g, gc, c, cell, gates, s, b: run(g, gc, c, cell, gates, zeros, s, b, *facts)


@contiguous
def gru_cell_op(igates, hgates, h, b_ih, b_hh, out, gates):
    """One pass."""
    facts = h.shape
    biases = Biases(b_ih, b_hh, h, GRU_CELL_SLOTS, h.shape[1])
    run = cell_loops.gru_cells.compile(
        igates, hgates, h, h, out, gates, *facts, work=WORK * igates.numel
    )

    def launch(x, y, h, bi, bh, out, gates):
        run(x, y, h, biases.pack(bi, bh), out, gates, *facts)

    return launch


@contiguous
def gru_cell_backward_op(g, h, gates, g_ih, g_hh, before):
    """One pass."""
    facts, zeros = h.shape, np.zeros(h.shape[1], h.dtype.np)
    specs = g, h, gates, h, g_ih, g_hh, before
    run = cell_loops.gru_cell_gradients.compile(*specs, *facts, work=WORK * gates.numel)
    return lambda g, h, gates, gi, gh, b: run(g, h, gates, zeros, gi, gh, b, *facts)


@contiguous
def rnn_cell_op(igates, hgates, b_ih, b_hh, out, *, relu):
    """One pass."""
    facts = *igates.shape, int(relu)
    biases = Biases(b_ih, b_hh, igates, PLAIN_SLOTS[:1], igates.shape[1])
    run = cell_loops.rnn_cells.compile(
        igates, hgates, igates, out, *facts, work=WORK * igates.numel
    )
    return lambda x, y, bi, bh, out: run(x, y, biases.pack(bi, bh), out, *facts)


@contiguous
def rnn_cell_backward_op(g, output, sums, *, relu):
    """One pass."""
    facts, zeros = (*g.shape, int(relu)), np.zeros(g.shape[1], g.dtype.np)
    run = cell_loops.rnn_cell_gradients.compile(g, output, g, sums, *facts, work=g.numel)
    return lambda g, o, sums: run(g, o, zeros, sums, *facts)
