"""Cells and layers as compositions of differentiable operators: what second derivatives go through.

A cell has `forward(x, y, states)`, which gives the states after a step and what its derivative
reads, and `backward(gradients, saved)`, which gives the gradients of x, of y and of the states
directly. x and y are the gates' sums from the input and from the hidden state, with biases.
"""

from ..join import cat
from ..matmul.linear import column_sum_op, linear
from ..matmul.product import mm_op, rows_op


class LSTM:
    """States: hidden and cell."""

    @staticmethod
    def forward(x, y, states):
        """(B, 4H), (B, 4H), ((B, H), (B, H)) -> the states, what `backward` reads."""
        i, f, g, o = (x + y).chunk(4, 1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * states[1] + i * g
        t = c.tanh()
        return (o * t, c), (i, f, g, o, states[1], t)

    @staticmethod
    def backward(gradients, saved):
        """((B, H), (B, H)) -> (B, 4H), the same, (None, (B, H))"""
        i, f, g, o, before, t = saved
        gh, gc = gradients
        gc = gc + gh * o * (1 - t * t)
        parts = [
            gc * g * i * (1 - i),
            gc * before * f * (1 - f),
            gc * i * (1 - g * g),
            gh * t * o * (1 - o),
        ]
        sums = cat(parts, 1)
        return sums, sums, (None, gc * f)


class GRU:
    """One state: hidden."""

    @staticmethod
    def forward(x, y, states):
        """(B, 3H), (B, 3H), ((B, H),) -> the state, what `backward` reads."""
        (h,), (xr, xz, xn), (yr, yz, yn) = states, x.chunk(3, 1), y.chunk(3, 1)
        r, z = (xr + yr).sigmoid(), (xz + yz).sigmoid()
        n = (xn + r * yn).tanh()
        return (n + z * (h - n),), (r, z, n, yn, h)

    @staticmethod
    def backward(gradients, saved):
        """((B, H),) -> (B, 3H), (B, 3H), ((B, H),)"""
        r, z, n, yn, h = saved
        (g,) = gradients
        gn = g * (1 - z) * (1 - n * n)
        gz = g * (h - n) * z * (1 - z)
        gr = gn * yn * r * (1 - r)
        return cat([gr, gz, gn], 1), cat([gr, gz, gn * r], 1), (g * z,)


class TANH:
    """One state: hidden."""

    @staticmethod
    def forward(x, y, states):
        """(B, H), (B, H), ((B, H),) -> the state, what `backward` reads."""
        h = (x + y).tanh()
        return (h,), (h,)

    @staticmethod
    def backward(gradients, saved):
        """((B, H),) -> (B, H), the same, (None,)"""
        sums = gradients[0] * (1 - saved[0] * saved[0])
        return sums, sums, (None,)


class RELU:
    """One state: hidden."""

    @staticmethod
    def forward(x, y, states):
        """(B, H), (B, H), ((B, H),) -> the state, what `backward` reads."""
        h = (x + y).relu()
        return (h,), (h,)

    @staticmethod
    def backward(gradients, saved):
        """((B, H),) -> (B, H), the same, (None,)"""
        sums = gradients[0].where(saved[0] > 0, 0)
        return sums, sums, (None,)


def _replaced(states, new, rows: int):
    """`states` with their first rows replaced."""
    whole = states[0]._spec.shape[0] == rows
    return new if whole else tuple(
        cat([n, s.narrow(0, rows, s._spec.shape[0] - rows)])
        for n, s in zip(new, states, strict=True)
    )  # fmt: skip


def gradients(cell, g, input, states, w_ih, w_hh, b_ih, b_hh, sizes, reverse):
    """Gradients of (input, *states, w_ih, w_hh, b_ih, b_hh) of a layer.

    `g` has those of the hidden states of all steps and of the last states, or None.
    """
    shape = input._spec.shape
    if sizes is None:
        sizes = (shape[1],) * shape[0]
    rows = input.reshape(sum(sizes), shape[-1])
    starts = [sum(sizes[:t]) for t in range(len(sizes))]
    order = list(range(len(sizes)))[:: -1 if reverse else 1]
    x = linear(rows, w_ih, b_ih)
    now, steps = states, []
    for t in order:
        size = sizes[t]
        before = tuple(s.narrow(0, 0, size) for s in now)
        y = linear(before[0], w_hh, b_hh)
        new, saved = cell.forward(x.narrow(0, starts[t], size), y, before)
        steps.append((t, size, before[0], saved))
        now = _replaced(now, new, size)
    outer = None if g[0] is None else g[0].reshape(sum(sizes), -1)
    back = tuple(s * 0 if e is None else e for e, s in zip(g[1:], states, strict=False))
    found = {}
    for t, size, h, saved in reversed(steps):
        part = [b.narrow(0, 0, size) for b in back]
        if outer is not None:
            part[0] = part[0] + outer.narrow(0, starts[t], size)
        g_x, g_y, direct = cell.backward(tuple(part), saved)
        new = [mm_op(g_y, w_hh, False, False), *direct[1:]]
        if direct[0] is not None:
            new[0] = new[0] + direct[0]
        back = _replaced(back, tuple(new), size)
        found[t] = g_x, g_y, h
    g_x, g_y, h = (cat([found[t][k] for t in range(len(sizes))]) for k in range(3))
    return (
        rows_op(g_x, w_ih, False, False).reshape(shape),
        *back,
        mm_op(g_x, rows, True, False),
        mm_op(g_y, h, True, False),
        None if b_ih is None else column_sum_op(g_x),
        None if b_hh is None else column_sum_op(g_y),
    )
