"""What one step of a recurrent cell computes for each hidden unit, forward and backward.

Gates in the order of torch's weights: input, forget, candidate and output gate of an LSTM; reset,
update and new gate of a GRU, whose new gate has the hidden state's part `hn` apart.
"""

from .lanes import relu, sigmoid_and_tanh, sigmoids, tanh, where_positive


def lstm(i, f, g, o, c):
    """(gates), cell state -> the same after activation, and the hidden state."""
    i, f = sigmoids(i, f)
    o, g = sigmoid_and_tanh(o, g)
    c = f * c + i * g
    return i, f, g, o, c, o * tanh(c)


def lstm_gradient(i, f, g, o, c, before, gh, more, gc):
    """Gradients of the gates before activation, and of the cell state before the step.

    `gh` and `more` are the parts of the gradient of the hidden state, `gc` that of the cell state.
    """
    gh = gh + more
    t = tanh(c)
    gc = gc + gh * o * (1 - t * t)
    return (
        gc * g * (i * (1 - i)),
        gc * before * (f * (1 - f)),
        gc * i * (1 - g * g),
        gh * t * (o * (1 - o)),
        gc * f,
    )


def gru(n, r, z, hn, h):
    """(gates), hidden state -> the same after activation, `hn` as it is, and the hidden state."""
    r, z = sigmoids(r, z)
    n = tanh(n + r * hn)
    return n, r, z, n + z * (h - n)


def gru_gradient(r, z, n, hn, h, gh, more):
    """Gradients of the reset, update and new gate, of `hn`, and of the hidden state directly."""
    gh = gh + more
    gn = gh * (1 - z) * (1 - n * n)
    return gn * hn * (r * (1 - r)), gh * (h - n) * (z * (1 - z)), gn, gn * r, gh * z


def rnn_tanh(x):
    """The hidden state."""
    return (tanh(x),)


def rnn_relu(x):
    """The hidden state."""
    return (relu(x),)


def rnn_tanh_gradient(h, gh, more):
    """The gradient before activation."""
    return ((gh + more) * (1 - h * h),)


def rnn_relu_gradient(h, gh, more):
    """The gradient before activation."""
    return (where_positive(gh + more, h),)


def lstm_cell(xi, xf, xg, xo, yi, yf, yg, yo, bi, bf, bg, bo, c):
    """`lstm` of the sums of input's part, hidden state's part and bias."""
    return lstm(xi + yi + bi, xf + yf + bf, xg + yg + bg, xo + yo + bo, c)


def gru_cell(xr, xz, xn, yr, yz, yn, br, bz, bn, bhn, h):
    """`gru` of the input's and the hidden state's part; the latter's of the new gate comes last."""
    hn = yn + bhn
    n, r, z, out = gru(xn + bn, xr + yr + br, xz + yz + bz, hn, h)
    return r, z, n, hn, out


def rnn_tanh_cell(x, y, b):
    """The hidden state."""
    return rnn_tanh(x + y + b)


def rnn_relu_cell(x, y, b):
    """The hidden state."""
    return rnn_relu(x + y + b)
