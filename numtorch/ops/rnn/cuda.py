"""CUDA kernels of recurrent layers and cells.

The inputs' part of the gates is one product for all steps. Then there is a launch for each step: it
multiplies the hidden states by the weights in tiles of shared memory, and goes on to the new states
in the same threads. A block of TILE x TILE threads owns TILE rows of the batch and TILE hidden
units, with all their gates. Backward there are two launches for each step.
"""

import math

from ...backends.cuda import memory
from ...backends.cuda.jit import TILE, bind, cuda, grid, inline, kernel, like
from ...backends.registry import contiguous
from ..matmul.cuda import linear_op, rows_op

PADDED = TILE + 1  # rows of a tile start in different banks


# -- pieces ----------------------------------------------------------------------------------------
@inline
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return like(x, 1) / (like(x, 1) + math.exp(-x))


@inline
def state(all_steps, initial, before, carried, row, k, hidden):
    """A row's state before this step: of the rows from `carried` on it is the initial one."""
    if row < carried:
        return all_steps[(before + row) * hidden + k]
    return initial[row * hidden + k]


@inline
def incoming(g, at, more):
    """The gradient from outside (which may be None) and from later steps."""
    return more if g is None else g[at] + more


@inline
def bias_of(bias, at, zero):
    """An element of a bias that may be None."""
    return zero if bias is None else bias[at]


@inline
def tiles_of(rows, hidden):
    """How many tiles of TILE x TILE cover (rows, hidden)."""
    return (hidden + TILE - 1) // TILE * ((rows + TILE - 1) // TILE)


@inline
def position(tile, hidden):
    """The thread's row and unit in a tile of (rows, hidden)."""
    across = (hidden + TILE - 1) // TILE
    row = tile // across * TILE + cuda.threadIdx.y
    return row, tile % across * TILE + cuda.threadIdx.x


def recurrent(gates):
    """A function of kernels: the hidden states' part of `gates` gates of one row and unit."""

    @inline
    def hidden_part(sums, left, right, out, h0, w, bias, before, carried, row, rows, unit, hidden):
        """sums[g] = the row's state times the unit's weights, by tiles in `left` and `right`, and
        the bias.
        """
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        zero = left.dtype.type(0)
        for g in range(gates):
            sums[g] = zero
        other = unit - tx + ty
        for start in range(0, hidden, TILE):
            k = start + tx
            left[ty, tx] = zero
            if row < rows and k < hidden:
                left[ty, tx] = state(out, h0, before, carried, row, k, hidden)
            for g in range(gates):
                right[g, ty, tx] = zero
                if other < hidden and k < hidden:
                    right[g, ty, tx] = w[(g * hidden + other) * hidden + k]
            cuda.syncthreads()
            for q in range(TILE):
                for g in range(gates):
                    sums[g] += left[ty, q] * right[g, tx, q]
            cuda.syncthreads()
        if unit < hidden:
            for g in range(gates):
                sums[g] += bias_of(bias, g * hidden + unit, zero)

    return hidden_part


four, three, single = recurrent(4), recurrent(3), recurrent(1)


# -- layers, forward -------------------------------------------------------------------------------
@kernel
def lstm_step(
    gates, w, bias, h0, c0, out, cells, hn, cn, first, before, carried, rows, ends, hidden
):
    """One step of LSTM cells: `gates` has the inputs' part, and gets the activated gates."""
    left = cuda.shared.array((TILE, PADDED), out.dtype)
    right = cuda.shared.array((4, TILE, PADDED), out.dtype)
    sums = cuda.local.array(4, out.dtype)
    for tile in range(cuda.blockIdx.x, tiles_of(rows, hidden), cuda.gridDim.x):
        row, unit = position(tile, hidden)
        four(sums, left, right, out, h0, w, bias, before, carried, row, rows, unit, hidden)
        if row < rows and unit < hidden:
            at = (first + row) * 4 * hidden + unit
            for g in range(4):
                sums[g] += gates[at + g * hidden]
            i, f, o = sigmoid(sums[0]), sigmoid(sums[1]), sigmoid(sums[3])
            new = math.tanh(sums[2])
            c = f * state(cells, c0, before, carried, row, unit, hidden) + i * new
            h = o * math.tanh(c)
            gates[at], gates[at + hidden] = i, f
            gates[at + 2 * hidden], gates[at + 3 * hidden] = new, o
            to = (first + row) * hidden + unit
            out[to], cells[to] = h, c
            if row >= ends:
                hn[row * hidden + unit], cn[row * hidden + unit] = h, c


@kernel
def gru_step(
    x, w, bias, h0, out, hn, gates, first, before, carried, rows, ends, hidden, keep
):  # fmt: skip
    """One step of GRU cells; `x` has the inputs' part of the gates."""
    left = cuda.shared.array((TILE, PADDED), out.dtype)
    right = cuda.shared.array((3, TILE, PADDED), out.dtype)
    sums = cuda.local.array(3, out.dtype)
    for tile in range(cuda.blockIdx.x, tiles_of(rows, hidden), cuda.gridDim.x):
        row, unit = position(tile, hidden)
        three(sums, left, right, out, h0, w, bias, before, carried, row, rows, unit, hidden)
        if row < rows and unit < hidden:
            at = (first + row) * 3 * hidden + unit
            r, z = sigmoid(x[at] + sums[0]), sigmoid(x[at + hidden] + sums[1])
            n = math.tanh(x[at + 2 * hidden] + r * sums[2])
            h = n + z * (state(out, h0, before, carried, row, unit, hidden) - n)
            out[(first + row) * hidden + unit] = h
            if row >= ends:
                hn[row * hidden + unit] = h
            if keep:
                at = (first + row) * 4 * hidden + unit
                gates[at], gates[at + hidden] = r, z
                gates[at + 2 * hidden], gates[at + 3 * hidden] = n, sums[2]


@kernel
def rnn_step(
    w, bias, h0, out, hn, first, before, carried, rows, ends, hidden, relu
):  # fmt: skip
    """One step of plain cells: `out` has the inputs' part, and gets the hidden states."""
    T = out.dtype.type
    left = cuda.shared.array((TILE, PADDED), out.dtype)
    right = cuda.shared.array((1, TILE, PADDED), out.dtype)
    sums = cuda.local.array(1, out.dtype)
    for tile in range(cuda.blockIdx.x, tiles_of(rows, hidden), cuda.gridDim.x):
        row, unit = position(tile, hidden)
        single(sums, left, right, out, h0, w, bias, before, carried, row, rows, unit, hidden)
        if row < rows and unit < hidden:
            at = (first + row) * hidden + unit
            v = out[at] + sums[0]
            if relu:
                v = v if v > T(0) or v != v else T(0)
            else:
                v = math.tanh(v)
            out[at] = v
            if row >= ends:
                hn[row * hidden + unit] = v


def steps_of(spec, batch, sizes, reverse):
    """For each step, in order: its first position, that of the step before, how many rows come from
    there, its rows, and from which row on sequences end with it.
    """
    sizes = [batch] * spec.shape[0] if sizes is None else list(sizes)
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    steps = []
    for t, rows in enumerate(sizes):
        source, following = (t + 1, t - 1) if reverse else (t - 1, t + 1)
        inside, more = 0 <= source < len(sizes), 0 <= following < len(sizes)
        before, carried = (starts[source], min(rows, sizes[source])) if inside else (0, 0)
        ends = min(rows, sizes[following]) if more else 0
        steps.append((starts[t], before, carried, rows, ends))
    return steps[::-1] if reverse else steps


def input_product(input, w_ih, b_ih, out):
    """A function of (input, w_ih, b_ih, out): the inputs' part of all gates."""
    if b_ih is not None:
        return linear_op(input, w_ih, b_ih, out)
    run = rows_op(input, w_ih, out, ta=False, tb=True)
    return lambda x, w, b, o: run(x, w, o)


def tiled(compiled, rows, hidden):
    """The compiled kernel with a grid that gives each tile of (rows, hidden) to a block."""
    return compiled[grid(-(-rows // TILE) * -(-hidden // TILE), 1)[0], (TILE, TILE)]


@contiguous
def lstm_layer_op(
    input, h0, c0, w_ih, w_hh, b_ih, b_hh, out, hn, cn, gates, cells, *, sizes, reverse, keep
):
    """One product, then a launch for each step."""
    batch, hidden = h0.shape
    kept = input.like(shape=(*input.shape[:-1], 4 * hidden))
    make_gates, make_cells = memory.allocator(kept), memory.allocator(out)
    product = input_product(input, w_ih, b_ih, kept)
    steps = steps_of(input, batch, sizes, reverse)
    specs = gates, w_hh, b_hh, h0, c0, out, cells, hn, cn
    step = tiled(lstm_step.compile(*specs, *steps[0], hidden), batch, hidden)

    def launch(x, h, c, wi, wh, bi, bh, o, hn, cn, gates, cells):
        if not keep:
            gates, cells = make_gates(), make_cells()
        product(x, wi, bi, gates)
        for place in steps:
            step(gates, wh, bh, h, c, o, cells, hn, cn, *place, hidden)

    return launch


@contiguous
def gru_layer_op(
    input, h0, w_ih, w_hh, b_ih, b_hh, out, hn, gates, *, sizes, reverse, keep
):  # fmt: skip
    """One product, then a launch for each step."""
    batch, hidden = h0.shape
    sums = input.like(shape=(*input.shape[:-1], 3 * hidden))
    make, product = memory.allocator(sums), input_product(input, w_ih, b_ih, sums)
    steps = steps_of(input, batch, sizes, reverse)
    specs = sums, w_hh, b_hh, h0, out, hn, gates
    step = tiled(gru_step.compile(*specs, *steps[0], hidden, int(keep)), batch, hidden)

    def launch(x, h, wi, wh, bi, bh, o, hn, gates):
        part = make()
        product(x, wi, bi, part)
        for place in steps:
            step(part, wh, bh, h, o, hn, gates, *place, hidden, int(keep))

    return launch


@contiguous
def rnn_layer_op(input, h0, w_ih, w_hh, b_ih, b_hh, out, hn, *, sizes, reverse, relu):
    """One product, then a launch for each step."""
    batch, hidden = h0.shape
    product = input_product(input, w_ih, b_ih, out)
    steps = steps_of(input, batch, sizes, reverse)
    specs = w_hh, b_hh, h0, out, hn
    step = tiled(rnn_step.compile(*specs, *steps[0], hidden, int(relu)), batch, hidden)

    def launch(x, h, wi, wh, bi, bh, o, hn):
        product(x, wi, bi, o)
        for place in steps:
            step(wh, bh, h, o, hn, *place, hidden, int(relu))

    return launch


# -- layers, backward ------------------------------------------------------------------------------
@kernel
def lstm_gradients(
    g, c0, gates, cells, sums, gh, gc, first, before, carried, rows, hidden
):  # fmt: skip
    """The gates' gradients of one step, and the cell states' before it, in `gc`.

    A thread owns elements.
    """
    T = sums.dtype.type
    for item in range(cuda.grid(1), rows * hidden, cuda.gridsize(1)):
        row, unit = item // hidden, item % hidden
        i, at = (first + row) * 4 * hidden + unit, (first + row) * hidden + unit
        f, n, o = i + hidden, i + 2 * hidden, i + 3 * hidden
        h = incoming(g, at, gh[item])
        t = math.tanh(cells[at])
        c = gc[item] + h * gates[o] * (T(1) - t * t)
        old = state(cells, c0, before, carried, row, unit, hidden)
        sums[i] = c * gates[n] * (gates[i] * (T(1) - gates[i]))
        sums[f] = c * old * (gates[f] * (T(1) - gates[f]))
        sums[n] = c * gates[i] * (T(1) - gates[n] * gates[n])
        sums[o] = h * t * (gates[o] * (T(1) - gates[o]))
        gc[item] = c * gates[f]


@kernel
def gru_gradients(
    g, h0, out, gates, sums, hidden_sums, gh, first, before, carried, rows, hidden
):  # fmt: skip
    """The gates' gradients of one step, and the hidden states' part that goes around the gates, in
    `gh`. A thread owns elements.
    """
    T = sums.dtype.type
    for item in range(cuda.grid(1), rows * hidden, cuda.gridsize(1)):
        row, unit = item // hidden, item % hidden
        at, to = (first + row) * 4 * hidden + unit, (first + row) * 3 * hidden + unit
        r, z, n = gates[at], gates[at + hidden], gates[at + 2 * hidden]
        h = incoming(g, (first + row) * hidden + unit, gh[item])
        old = state(out, h0, before, carried, row, unit, hidden)
        gn = h * (T(1) - z) * (T(1) - n * n)
        gr = gn * gates[at + 3 * hidden] * (r * (T(1) - r))
        gz = h * (old - n) * (z * (T(1) - z))
        sums[to], sums[to + hidden], sums[to + 2 * hidden] = gr, gz, gn
        hidden_sums[to], hidden_sums[to + hidden], hidden_sums[to + 2 * hidden] = gr, gz, gn * r
        gh[item] = h * z


@kernel
def rnn_gradients(g, out, sums, gh, first, rows, hidden, relu):
    """The sums' gradients of one step. A thread owns elements."""
    T = sums.dtype.type
    for item in range(cuda.grid(1), rows * hidden, cuda.gridsize(1)):
        at = first * hidden + item
        h, v = incoming(g, at, gh[item]), out[at]
        if relu:
            sums[at] = h if v > T(0) else T(0)
        else:
            sums[at] = h * (T(1) - v * v)


@kernel
def through_weights(sums, w, gh, first, rows, depth, hidden, add):
    """gh = (gh +) a step's gradient of the sums, times the weights. A block owns a tile."""
    T = gh.dtype.type
    left = cuda.shared.array((TILE, PADDED), gh.dtype)
    right = cuda.shared.array((TILE, PADDED), gh.dtype)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    for tile in range(cuda.blockIdx.x, tiles_of(rows, hidden), cuda.gridDim.x):
        row, unit = position(tile, hidden)
        total = T(0)
        for start in range(0, depth, TILE):
            k = start + tx
            left[ty, tx] = sums[(first + row) * depth + k] if row < rows and k < depth else T(0)
            k = start + ty
            right[ty, tx] = w[k * hidden + unit] if unit < hidden and k < depth else T(0)
            cuda.syncthreads()
            for q in range(TILE):
                total += left[ty, q] * right[q, tx]
            cuda.syncthreads()
        if row < rows and unit < hidden:
            at = row * hidden + unit
            gh[at] = gh[at] + total if add else total


@kernel
def begin_with(source, out, n):
    """out = source, or zeros for None. A thread owns elements."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = out.dtype.type(0) if source is None else source[i]


def beginning(source, out):
    """A function of (source, out)."""
    launch = begin_with.compile(source, out, out.numel)[grid(out.numel)]
    return bind(launch, 2, out.numel)


@contiguous
def lstm_layer_backward_op(
    g, g_hn, g_cn, w_hh, c0, gates, cells, sums, gh0, gc0, *, sizes, reverse
):
    """Two launches for each step."""
    batch, hidden = c0.shape
    steps = steps_of(gates, batch, sizes, reverse)[::-1]
    begin_h, begin_c = beginning(g_hn, gh0), beginning(g_cn, gc0)
    specs = g, c0, gates, cells, sums, gh0, gc0
    point = lstm_gradients.compile(*specs, *steps[0][:4], hidden)[grid(batch * hidden)]
    facts = 0, 0, 4 * hidden, hidden, 0
    through = tiled(through_weights.compile(sums, w_hh, gh0, *facts), batch, hidden)

    def launch(g, g_hn, g_cn, w, c0, gates, cells, sums, gh, gc):
        begin_h(g_hn, gh)
        begin_c(g_cn, gc)
        for first, before, carried, rows, _ in steps:
            point(g, c0, gates, cells, sums, gh, gc, first, before, carried, rows, hidden)
            through(sums, w, gh, first, rows, 4 * hidden, hidden, 0)

    return launch


@contiguous
def gru_layer_backward_op(
    g, g_hn, w_hh, h0, output, gates, sums, hidden_sums, gh0, *, sizes, reverse
):
    """Two launches for each step."""
    batch, hidden = h0.shape
    steps = steps_of(gates, batch, sizes, reverse)[::-1]
    begin = beginning(g_hn, gh0)
    specs = g, h0, output, gates, sums, hidden_sums, gh0
    point = gru_gradients.compile(*specs, *steps[0][:4], hidden)[grid(batch * hidden)]
    facts = 0, 0, 3 * hidden, hidden, 1
    through = tiled(through_weights.compile(sums, w_hh, gh0, *facts), batch, hidden)

    def launch(g, g_hn, w, h0, output, gates, sums, hidden_sums, gh):
        begin(g_hn, gh)
        for first, before, carried, rows, _ in steps:
            place = first, before, carried, rows, hidden
            point(g, h0, output, gates, sums, hidden_sums, gh, *place)
            through(hidden_sums, w, gh, first, rows, 3 * hidden, hidden, 1)

    return launch


@contiguous
def rnn_layer_backward_op(g, g_hn, w_hh, h0, output, sums, gh0, *, sizes, reverse, relu):
    """Two launches for each step."""
    batch, hidden = h0.shape
    steps = steps_of(output, batch, sizes, reverse)[::-1]
    begin = beginning(g_hn, gh0)
    point = rnn_gradients.compile(g, output, sums, gh0, 0, 0, hidden, int(relu))
    point = point[grid(batch * hidden)]
    facts = 0, 0, hidden, hidden, 0
    through = tiled(through_weights.compile(sums, w_hh, gh0, *facts), batch, hidden)

    def launch(g, g_hn, w, h0, output, sums, gh):
        begin(g_hn, gh)
        for first, _, _, rows, _ in steps:
            point(g, output, sums, gh, first, rows, hidden, int(relu))
            through(sums, w, gh, first, rows, hidden, hidden, 0)

    return launch


# -- cells -----------------------------------------------------------------------------------------
@kernel
def lstm_cells(x, y, c, b_ih, b_hh, out, cell, gates, numel, n):
    """Gates, cell and hidden state. A thread owns elements."""
    T = out.dtype.type
    sums = cuda.local.array(4, out.dtype)
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        unit = item % n
        at = item // n * 4 * n + unit
        for g in range(4):
            sums[g] = x[at + g * n] + y[at + g * n]
            sums[g] += bias_of(b_ih, g * n + unit, T(0)) + bias_of(b_hh, g * n + unit, T(0))
        i, f, o = sigmoid(sums[0]), sigmoid(sums[1]), sigmoid(sums[3])
        new = math.tanh(sums[2])
        v = f * c[item] + i * new
        gates[at], gates[at + n], gates[at + 2 * n], gates[at + 3 * n] = i, f, new, o
        cell[item], out[item] = v, o * math.tanh(v)


@kernel
def gru_cells(x, y, h, b_ih, b_hh, out, gates, numel, n):
    """Gates and hidden state. A thread owns elements."""
    T = out.dtype.type
    left, right = cuda.local.array(3, out.dtype), cuda.local.array(3, out.dtype)
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        unit = item % n
        at = item // n * 3 * n + unit
        for g in range(3):
            left[g] = x[at + g * n] + bias_of(b_ih, g * n + unit, T(0))
            right[g] = y[at + g * n] + bias_of(b_hh, g * n + unit, T(0))
        r, z = sigmoid(left[0] + right[0]), sigmoid(left[1] + right[1])
        new = math.tanh(left[2] + r * right[2])
        at = item // n * 4 * n + unit
        gates[at], gates[at + n], gates[at + 2 * n], gates[at + 3 * n] = r, z, new, right[2]
        out[item] = new + z * (h[item] - new)


@kernel
def rnn_cells(x, y, b_ih, b_hh, out, numel, n, relu):
    """The hidden state. A thread owns elements."""
    T = out.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        v = x[item] + y[item] + bias_of(b_ih, item % n, T(0)) + bias_of(b_hh, item % n, T(0))
        if relu:
            out[item] = v if v > T(0) or v != v else T(0)
        else:
            out[item] = math.tanh(v)


@contiguous
def lstm_cell_op(igates, hgates, c, b_ih, b_hh, out, cell, gates):
    """One pass."""
    specs, facts = (igates, hgates, c, b_ih, b_hh, out, cell, gates), (c.numel, c.shape[1])
    return bind(lstm_cells.compile(*specs, *facts)[grid(c.numel)], 8, *facts)


@contiguous
def gru_cell_op(igates, hgates, h, b_ih, b_hh, out, gates):
    """One pass."""
    specs, facts = (igates, hgates, h, b_ih, b_hh, out, gates), (h.numel, h.shape[1])
    return bind(gru_cells.compile(*specs, *facts)[grid(h.numel)], 7, *facts)


@contiguous
def rnn_cell_op(igates, hgates, b_ih, b_hh, out, *, relu):
    """One pass."""
    specs = igates, hgates, b_ih, b_hh, out
    facts = out.numel, out.shape[1], int(relu)
    return bind(rnn_cells.compile(*specs, *facts)[grid(out.numel)], 5, *facts)


@contiguous
def lstm_cell_backward_op(g, gc, c, cell, gates, sums, before):
    """One pass: a layer's step that starts from the given states."""
    rows, hidden = c.shape
    begin_h, begin_c, make = beginning(g, c), beginning(gc, before), memory.allocator(c)
    facts = 0, 0, 0, rows, hidden
    specs = None, c, gates, cell, sums, c, before
    point = lstm_gradients.compile(*specs, *facts)[grid(c.numel)]

    def launch(g, gc, c, cell, gates, sums, before):
        gh = make()
        begin_h(g, gh)
        begin_c(gc, before)
        point(None, c, gates, cell, sums, gh, before, *facts)

    return launch


@contiguous
def gru_cell_backward_op(g, h, gates, g_ih, g_hh, before):
    """One pass: a layer's step that starts from the given state."""
    rows, hidden = h.shape
    begin, facts = beginning(g, before), (0, 0, 0, rows, hidden)
    specs = None, h, h, gates, g_ih, g_hh, before
    point = gru_gradients.compile(*specs, *facts)[grid(h.numel)]

    def launch(g, h, gates, g_ih, g_hh, before):
        begin(g, before)
        point(None, h, h, gates, g_ih, g_hh, before, *facts)

    return launch


@contiguous
def rnn_cell_backward_op(g, output, sums, *, relu):
    """One pass."""
    facts = 0, *output.shape, int(relu)
    point = rnn_gradients.compile(None, output, sums, g, *facts)[grid(output.numel)]
    return lambda g, output, sums: point(None, output, sums, g, *facts)
