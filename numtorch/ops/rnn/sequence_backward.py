"""CPU kernels of the derivatives of whole recurrent layers: back through all steps in one call.

As forward (see `sequence.py`) an iteration of a parallel loop owns some rows of the batch through
all steps. The kernels give the gradients of the gates' sums at every step; those of weights, biases
and inputs are products of these, taken once for all steps.
"""

from ...backends.cpu.jit import exact, kernel, prange
from .sequence import (
    active,
    copy,
    four,
    gru_gradient_row,
    lstm_gradient_row,
    previous,
    relu_gradient_row,
    tanh_gradient_row,
)


@exact
def begin_with(source, first, work, at, rows, hidden, pitch):
    """Rows of a gradient that comes from outside (zeros for None), into rows `pitch` apart."""
    zero = work.dtype.type(0)
    for r in range(rows):
        for j in range(hidden):
            if source is None:
                work[at + r * pitch + j] = zero
            else:
                work[at + r * pitch + j] = source[(first + r) * hidden + j]


@exact
def through_weights(sums, at, depth, rows, panels, work, zeros, h, padded, lanes):
    """The hidden states' gradient: the sums' gradient times the weights; rows from h on."""
    panel = 4 * lanes
    for p in range(padded // panel):
        four(
            rows, sums, at, depth, depth, panels, p * depth * panel, work, zeros, 0,
            work, h + p * panel, padded, lanes,
        )  # fmt: skip


@kernel
def lstm_gradients(
    g, g_hn, g_cn, c0, gates, cells, panels, work, sums, gh0, gc0, starts, chunk, batch, steps,
    hidden, padded, lanes, reverse,
):  # fmt: skip
    """Gradients of the gates' sums and the initial states of a layer of LSTM cells.

    One iteration of the parallel loop owns `chunk` rows of the batch. `work` begins with zeros.
    """
    slot = padded + chunk * (padded + hidden)
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        zeros = worker * slot
        h = zeros + padded
        c = h + chunk * padded
        for j in range(padded):
            work[zeros + j] = work.dtype.type(0)
        begin_with(g_hn, first, work, h, rows, hidden, padded)
        begin_with(g_cn, first, work, c, rows, hidden, hidden)
        for n in range(steps):
            t = n if reverse else steps - 1 - n
            now = active(starts, t, first, rows)
            for r in range(now):
                at, cell, state = starts[t] + first + r, c + r * hidden, h + r * padded
                i, before = at * 4 * hidden, previous(starts, t, first + r, steps, reverse)
                f, candidate, o = i + hidden, i + 2 * hidden, i + 3 * hidden
                at *= hidden
                from_c0 = before < 0
                before = (first + r) * hidden if from_c0 else before * hidden
                source = c0 if from_c0 else cells
                more, more_at = (work, zeros) if g is None else (g, at)
                lstm_gradient_row(
                    hidden,
                    (gates, gates, gates, gates, cells, source, work, more, work,
                     sums, sums, sums, sums, work),
                    (i, f, candidate, o, at, before, state, more_at, cell,
                     i, f, candidate, o, cell),
                )  # fmt: skip
            at = (starts[t] + first) * 4 * hidden
            through_weights(sums, at, 4 * hidden, now, panels, work, zeros, h, padded, lanes)
        for r in range(rows):
            copy(work, h + r * padded, gh0, (first + r) * hidden, hidden)
        copy(work, c, gc0, first * hidden, rows * hidden)


@kernel
def gru_gradients(
    g, g_hn, h0, out, gates, panels, work, sums, hidden_sums, gh0, starts, chunk, batch, steps,
    hidden, padded, lanes, reverse,
):  # fmt: skip
    """Gradients of the gates' sums (inputs' part and hidden states' part) and the initial state.

    One iteration of the parallel loop owns `chunk` rows of the batch.
    """
    slot = padded + chunk * (padded + hidden)
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        zeros = worker * slot
        h = zeros + padded
        direct = h + chunk * padded
        for j in range(padded):
            work[zeros + j] = work.dtype.type(0)
        begin_with(g_hn, first, work, h, rows, hidden, padded)
        for n in range(steps):
            t = n if reverse else steps - 1 - n
            now = active(starts, t, first, rows)
            for r in range(now):
                at, state = starts[t] + first + r, h + r * padded
                before = previous(starts, t, first + r, steps, reverse)
                from_h0 = before < 0
                before = (first + r) * hidden if from_h0 else before * hidden
                source = h0 if from_h0 else out
                reset, to = at * 4 * hidden, at * 3 * hidden
                update, new, hidden_part = reset + hidden, reset + 2 * hidden, reset + 3 * hidden
                more, more_at = (work, zeros) if g is None else (g, at * hidden)
                gru_gradient_row(
                    hidden,
                    (gates, gates, gates, gates, source, work, more,
                     sums, sums, sums, hidden_sums, work),
                    (reset, update, new, hidden_part, before, state, more_at,
                     to, to + hidden, to + 2 * hidden, to + 2 * hidden, direct + r * hidden),
                )  # fmt: skip
                copy(sums, to, hidden_sums, to, 2 * hidden)
            at = (starts[t] + first) * 3 * hidden
            through_weights(hidden_sums, at, 3 * hidden, now, panels, work, zeros, h, padded, lanes)
            for r in range(now):
                for j in range(hidden):
                    work[h + r * padded + j] += work[direct + r * hidden + j]
        for r in range(rows):
            copy(work, h + r * padded, gh0, (first + r) * hidden, hidden)


@kernel
def rnn_gradients(
    g, g_hn, out, panels, work, sums, gh0, starts, chunk, batch, steps, hidden, padded, lanes,
    reverse, relu,
):  # fmt: skip
    """Gradients of the sums and the initial state of a layer of plain cells.

    One iteration of the parallel loop owns `chunk` rows of the batch.
    """
    slot = padded + chunk * padded
    for worker in prange((batch + chunk - 1) // chunk):
        first = worker * chunk
        rows = min(chunk, batch - first)
        zeros = worker * slot
        h = zeros + padded
        for j in range(padded):
            work[zeros + j] = work.dtype.type(0)
        begin_with(g_hn, first, work, h, rows, hidden, padded)
        for n in range(steps):
            t = n if reverse else steps - 1 - n
            now = active(starts, t, first, rows)
            for r in range(now):
                at, state = (starts[t] + first + r) * hidden, h + r * padded
                more, more_at = (work, zeros) if g is None else (g, at)
                if relu:
                    relu_gradient_row(hidden, (out, work, more, sums), (at, state, more_at, at))
                else:
                    tanh_gradient_row(hidden, (out, work, more, sums), (at, state, more_at, at))
            at = (starts[t] + first) * hidden
            through_weights(sums, at, hidden, now, panels, work, zeros, h, padded, lanes)
        for r in range(rows):
            copy(work, h + r * padded, gh0, (first + r) * hidden, hidden)
