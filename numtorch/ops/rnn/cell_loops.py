"""CPU kernels of single cells: a row of the batch in one pass, forward and backward."""

from ...backends.cpu.jit import kernel, prange
from .formulas import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from .lanes import elementwise
from .sequence import (
    copy,
    gru_gradient_row,
    lstm_gradient_row,
    relu_gradient_row,
    tanh_gradient_row,
)

lstm_cell_row, gru_cell_row = elementwise(lstm_cell, 13), elementwise(gru_cell, 11)
tanh_cell_row, relu_cell_row = elementwise(rnn_tanh_cell, 3), elementwise(rnn_relu_cell, 3)


@kernel
def lstm_cells(x, y, c, bias, out, cell, gates, rows, n):
    """Gates, cell and hidden state. One iteration of the parallel loop owns one row."""
    for r in prange(rows):
        i, at = r * 4 * n, r * n
        f, g, o = i + n, i + 2 * n, i + 3 * n
        lstm_cell_row(
            n,
            (x, x, x, x, y, y, y, y, bias, bias, bias, bias, c,
             gates, gates, gates, gates, cell, out),
            (i, f, g, o, i, f, g, o, 0, n, 2 * n, 3 * n, at,
             i, f, g, o, at, at),
        )  # fmt: skip


@kernel
def lstm_cell_gradients(gh, gc, c, cell, gates, zeros, sums, before, rows, n):
    """Gradients of the gates' sums and of the old cell state.

    One iteration of the parallel loop owns one row.
    """
    for r in prange(rows):
        i, at = r * 4 * n, r * n
        f, g, o = i + n, i + 2 * n, i + 3 * n
        first, first_at = (zeros, 0) if gh is None else (gh, at)
        second, second_at = (zeros, 0) if gc is None else (gc, at)
        lstm_gradient_row(
            n,
            (gates, gates, gates, gates, cell, c, first, zeros, second,
             sums, sums, sums, sums, before),
            (i, f, g, o, at, at, first_at, 0, second_at,
             i, f, g, o, at),
        )  # fmt: skip


@kernel
def gru_cells(x, y, h, bias, out, gates, rows, n):
    """Gates and hidden state. One iteration of the parallel loop owns one row."""
    for i in prange(rows):
        r, at, to = i * 3 * n, i * n, i * 4 * n
        z, new = r + n, r + 2 * n
        gru_cell_row(
            n,
            (x, x, x, y, y, y, bias, bias, bias, bias, h, gates, gates, gates, gates, out),
            (r, z, new, r, z, new, 0, n, 2 * n, 3 * n, at, to, to + n, to + 2 * n, to + 3 * n, at),
        )


@kernel
def gru_cell_gradients(g, h, gates, zeros, g_ih, g_hh, before, rows, n):
    """Gradients of both products, and of the old hidden state directly.

    One iteration of the parallel loop owns one row.
    """
    for i in prange(rows):
        r, at, to = i * 4 * n, i * n, i * 3 * n
        gru_gradient_row(
            n,
            (gates, gates, gates, gates, h, g, zeros, g_ih, g_ih, g_ih, g_hh, before),
            (r, r + n, r + 2 * n, r + 3 * n, at, at, 0, to, to + n, to + 2 * n, to + 2 * n, at),
        )
        copy(g_ih, to, g_hh, to, 2 * n)


@kernel
def rnn_cells(x, y, bias, out, rows, n, relu):
    """The hidden state. One iteration of the parallel loop owns one row."""
    for i in prange(rows):
        at = i * n
        if relu:
            relu_cell_row(n, (x, y, bias, out), (at, at, 0, at))
        else:
            tanh_cell_row(n, (x, y, bias, out), (at, at, 0, at))


@kernel
def rnn_cell_gradients(g, out, zeros, sums, rows, n, relu):
    """The gradient of the sum. One iteration of the parallel loop owns one row."""
    for i in prange(rows):
        at = i * n
        if relu:
            relu_gradient_row(n, (out, g, zeros, sums), (at, at, 0, at))
        else:
            tanh_gradient_row(n, (out, g, zeros, sums), (at, at, 0, at))
