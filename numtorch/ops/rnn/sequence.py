"""CPU kernels of whole recurrent layers: one call for all time steps of one direction.

Rows of a batch do not depend on each other, so an iteration of a parallel loop owns some rows
through all steps, and threads never wait for each other. Positions: step t has the rows from
starts[t] to starts[t + 1], as in a PackedSequence; row r of the batch is at starts[t] + r, if it is
that long. Rows are sorted by length, the longest first.

Sums of gates are computed in `work`: the inputs' part of a block of steps at once, then, step by
step, the hidden states' part on top.
"""

from ...backends.cpu.jit import exact, kernel, prange
from .formulas import (
    gru,
    gru_gradient,
    lstm,
    lstm_gradient,
    rnn_relu,
    rnn_relu_gradient,
    rnn_tanh,
    rnn_tanh_gradient,
)
from .lanes import elementwise
from .tile import product

four, three = product(4), product(3)
lstm_row, lstm_gradient_row = elementwise(lstm, 5), elementwise(lstm_gradient, 9)
gru_row, gru_gradient_row = elementwise(gru, 5), elementwise(gru_gradient, 7)
tanh_row, tanh_gradient_row = elementwise(rnn_tanh, 1), elementwise(rnn_tanh_gradient, 3)
relu_row, relu_gradient_row = elementwise(rnn_relu, 1), elementwise(rnn_relu_gradient, 3)


@kernel
def pack_panels(
    weight, panels, order, hidden, depth, count, vectors, per_gate, lanes, row_step, depth_step
):
    """Weights as the panels of `tile.py`: gate after gate, `per_gate` vectors of hidden units each.

    `order` says where each gate's rows begin. Units beyond `hidden` get zeros. One iteration of the
    parallel loop owns one panel.
    """
    for p in prange(count):
        for v in range(vectors):
            unit = (p * per_gate + v % per_gate) * lanes
            used = max(0, min(lanes, hidden - unit))
            row = (order[v // per_gate] + unit) * row_step
            for k in range(depth):
                to = ((p * depth + k) * vectors + v) * lanes
                for lane in range(used):
                    panels[to + lane] = weight[row + lane * row_step + k * depth_step]
                for lane in range(used, lanes):
                    panels[to + lane] = panels.dtype.type(0)


@kernel
def pack_bias(ih, hh, out, order, uses, slots, hidden, padded):
    """The biases of the gates' sums, a slot of `padded` elements for each; zeros without biases.

    `order` says where a slot's gate begins, `uses` which biases it takes: 1 is the input's, 2 the
    hidden state's, 3 both.
    """
    zero = out.dtype.type(0)
    for s in range(slots):
        for j in range(padded):
            out[s * padded + j] = zero
        if ih is not None:
            for j in range(hidden if uses[s] & 1 else 0):
                out[s * padded + j] = ih[order[s] + j]
        if hh is not None:
            for j in range(hidden if uses[s] & 2 else 0):
                out[s * padded + j] += hh[order[s] + j]


@exact
def copy(source, at, out, to, count):
    """out[to:to + count] = source[at:at + count]."""
    for j in range(count):
        out[to + j] = source[at + j]


@exact
def active(starts, t, first, rows):
    """How many of the rows from `first` on step t has."""
    return max(0, min(rows, starts[t + 1] - starts[t] - first))


@exact
def previous(starts, t, row, steps, reverse):
    """The position of a row's state before step t; -1 where that is the initial state."""
    if reverse:
        if t + 1 < steps and row < starts[t + 2] - starts[t + 1]:
            return starts[t + 1] + row
        return -1
    return starts[t - 1] + row if t > 0 else -1


# -- forward -------------------------------------------------------------------------------------
@exact
def input_part(
    multiply, x, panels, bias, work, starts, first, low, count, chunk, batch, features, width,
    panel_count, panel_size, panel_step, step, room,
):  # fmt: skip
    """The part of the gates that comes from the inputs, for `count` steps from `low` on."""
    whole = chunk == batch and starts[low + count] - starts[low] == count * chunk
    groups, rows = (1, count * chunk) if whole else (count, chunk)
    for p in range(panel_count):
        for i in range(groups):
            many = rows if whole else active(starts, low + i, first, rows)
            multiply(
                many, x, (starts[low + i] + first) * features, features, features,
                panels, p * panel_size, bias, p * panel_step, 0,
                work, room + i * chunk * width + p * panel_step, width, step,
            )  # fmt: skip


@kernel
def lstm_steps(
    x, h0, c0, input_panels, panels, bias, work, out, hn, cn, gates, cells, starts, chunk, block,
    batch, steps, features, hidden, padded, lanes, reverse, keep,
):  # fmt: skip
    """A layer of LSTM cells. One iteration of the parallel loop owns `chunk` rows of the batch."""
    width, count = 4 * padded, padded // lanes
    slot = chunk * (2 * hidden + block * width)
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        h = worker * slot
        c, room = h + chunk * hidden, h + 2 * chunk * hidden
        copy(h0, first * hidden, work, h, rows * hidden)
        copy(c0, first * hidden, work, c, rows * hidden)
        for begin in range(0, steps, block):
            many = min(block, steps - begin)
            low = steps - begin - many if reverse else begin
            input_part(
                four, x, input_panels, bias, work, starts, first, low, many, chunk, batch,
                features, width, count, features * 4 * lanes, lanes, padded, room,
            )  # fmt: skip
            for i in range(many):
                t = steps - 1 - begin - i if reverse else begin + i
                now = active(starts, t, first, rows)
                sums = room + (t - low) * chunk * width
                for p in range(count):
                    at = sums + p * lanes
                    four(
                        now, work, h, hidden, hidden, panels, p * hidden * 4 * lanes,
                        work, at, width, work, at, width, padded,
                    )  # fmt: skip
                for r in range(now):
                    s, cell, to = sums + r * width, c + r * hidden, starts[t] + first + r
                    f, g, o = s + padded, s + 2 * padded, s + 3 * padded
                    kept, at, step = (gates, to * 4 * hidden, hidden) if keep else (work, s, padded)
                    to *= hidden
                    lstm_row(
                        hidden,
                        (work, work, work, work, work, kept, kept, kept, kept, work, out),
                        (s, f, g, o, cell, at, at + step, at + 2 * step, at + 3 * step, cell, to),
                    )
                    copy(out, to, work, h + r * hidden, hidden)
                    if keep:
                        copy(work, cell, cells, to, hidden)
        copy(work, h, hn, first * hidden, rows * hidden)
        copy(work, c, cn, first * hidden, rows * hidden)


@kernel
def gru_steps(
    x, h0, input_panels, panels, bias, work, out, hn, gates, starts, chunk, block,
    batch, steps, features, hidden, padded, lanes, reverse, keep,
):  # fmt: skip
    """A layer of GRU cells. One iteration of the parallel loop owns `chunk` rows of the batch.

    Slots of the sums: the new gate's part from the input, reset, update, its part from the state.
    """
    width, count = 4 * padded, padded // lanes
    slot = chunk * (hidden + block * width)
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        h = worker * slot
        room = h + chunk * hidden
        copy(h0, first * hidden, work, h, rows * hidden)
        for begin in range(0, steps, block):
            many = min(block, steps - begin)
            low = steps - begin - many if reverse else begin
            for i in range(many * chunk):
                copy(bias, 3 * padded, work, room + i * width + 3 * padded, padded)
            input_part(
                three, x, input_panels, bias, work, starts, first, low, many, chunk, batch,
                features, width, count, features * 3 * lanes, lanes, padded, room,
            )  # fmt: skip
            for i in range(many):
                t = steps - 1 - begin - i if reverse else begin + i
                now = active(starts, t, first, rows)
                sums = room + (t - low) * chunk * width
                for p in range(count):
                    at = sums + padded + p * lanes
                    three(
                        now, work, h, hidden, hidden, panels, p * hidden * 3 * lanes,
                        work, at, width, work, at, width, padded,
                    )  # fmt: skip
                for r in range(now):
                    n, state, to = sums + r * width, h + r * hidden, starts[t] + first + r
                    reset, update, part = n + padded, n + 2 * padded, n + 3 * padded
                    kept, at, step = (gates, to * 4 * hidden, hidden) if keep else (work, n, padded)
                    to *= hidden
                    gru_row(
                        hidden,
                        (work, work, work, work, work, kept, kept, kept, out),
                        (n, reset, update, part, state, at + 2 * step, at, at + step, to),
                    )
                    copy(out, to, work, state, hidden)
                    if keep:
                        copy(work, part, gates, at + 3 * hidden, hidden)
        copy(work, h, hn, first * hidden, rows * hidden)


@kernel
def rnn_steps(
    x, h0, input_panels, panels, bias, work, out, hn, starts, chunk, block,
    batch, steps, features, hidden, padded, lanes, reverse, relu,
):  # fmt: skip
    """A layer of plain cells. One iteration of the parallel loop owns `chunk` rows of the batch."""
    panel = 4 * lanes
    count = padded // panel
    slot = chunk * (hidden + block * padded)
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        h = worker * slot
        room = h + chunk * hidden
        copy(h0, first * hidden, work, h, rows * hidden)
        for begin in range(0, steps, block):
            many = min(block, steps - begin)
            low = steps - begin - many if reverse else begin
            input_part(
                four, x, input_panels, bias, work, starts, first, low, many, chunk, batch,
                features, padded, count, features * panel, panel, lanes, room,
            )  # fmt: skip
            for i in range(many):
                t = steps - 1 - begin - i if reverse else begin + i
                now = active(starts, t, first, rows)
                sums = room + (t - low) * chunk * padded
                for p in range(count):
                    at = sums + p * panel
                    four(
                        now, work, h, hidden, hidden, panels, p * hidden * panel,
                        work, at, padded, work, at, padded, lanes,
                    )  # fmt: skip
                for r in range(now):
                    to = (starts[t] + first + r) * hidden
                    if relu:
                        relu_row(hidden, (work, out), (sums + r * padded, to))
                    else:
                        tanh_row(hidden, (work, out), (sums + r * padded, to))
                    copy(out, to, work, h + r * hidden, hidden)
        copy(work, h, hn, first * hidden, rows * hidden)
