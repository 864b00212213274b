"""Elementwise ops: bound by memory, but for the transcendental ones."""

from ..case import Case, backward, forward, normal, recorded

N, MILLION, ODD, CACHE = 1 << 22, 1 << 20, 100_003, 1 << 14
_x, _y, _small, _square = normal(N), normal(N), normal(4, 4), normal(2000, 2000)


def _add(lib, a, b):
    return a + b


def _gelu(lib, a):
    return lib.nn.functional.gelu(a)


def _elementary(name, n, quick=False):
    """A function that costs about ten operations; an odd `n` leaves a tail of the vector loop."""
    title = "4M" if n == N else str(n)
    make = forward(lambda lib, a: getattr(lib, name)(a), normal(n))
    return Case(f"{name} {title}", "pointwise", make, 8.0 * n, 10.0 * n, quick)


def _backward(name, n):
    """Forward and backward of a function: two passes over memory, one with two operands."""
    title = "4M" if n == N else str(n)
    make = backward(lambda lib, a: getattr(lib, name)(a), normal(n))
    return Case(f"{name} {title}, backward", "pointwise", make, 20.0 * n, 20.0 * n)


def _double(name, n):
    """A function of float64."""

    def make(lib, tensor):
        a = tensor(normal(n)).double()
        return lambda: getattr(lib, name)(a)

    return Case(f"{name} {n}, float64", "pointwise", make, 16.0 * n, 20.0 * n)


def _pairs(title, function, n):
    """A function of two operands, costly where it is not vector code."""
    make = forward(lambda lib, a, b: function(lib, a, b), normal(n), normal(1, n))
    return Case(f"{title} {n}", "pointwise", make, 12.0 * n, 20.0 * n)


def _in_place(title, function, n):
    """A tensor that is read and written."""
    size = "4M" if n == N else str(n)
    return Case(f"{title} {size}", "pointwise", forward(function, normal(n)), 8.0 * n, n)


CASES = [
    *[_pairs("atan2", lambda lib, a, b: lib.atan2(a, b), n) for n in (CACHE, MILLION)],
    *[_pairs("remainder", lambda lib, a, b: a % b, n) for n in (CACHE, MILLION)],
    *[_pairs("floor_divide", lambda lib, a, b: a // b, n) for n in (ODD,)],
    *[_in_place("mul_ by a number", lambda lib, a: a.mul_(0.999), n) for n in (64, ODD, N)],
    *[_in_place("relu_", lambda lib, a: a.relu_(), n) for n in (CACHE, MILLION)],
    *[_in_place("cube", lambda lib, a: a**3, n) for n in (CACHE, MILLION)],
    *[
        Case(
            f"mul {m}x{n} by column", "pointwise",
            forward(lambda lib, a, b: a * b, normal(m, n), normal(m, 1)), 8.0 * m * n, m * n,
        )
        for m, n in ((64, 64), (1000, 100), (100_003, 3), (1024, 1024))
    ],
    Case("add 4x4", "pointwise", forward(_add, _small, _small), 192.0, 16.0, True),
    Case("add 4x4, recorded", "pointwise", recorded(_add, _small, _small), 192.0, 16.0, True),
    Case("add 4x4, backward", "pointwise", backward(_add, _small, _small), 320.0, 16.0),
    Case("add 4M", "pointwise", forward(_add, _x, _y), 12.0 * N, N, True),
    Case(
        "mul 2000x1000 by row", "pointwise",
        forward(lambda lib, a, b: a * b, normal(2000, 1000), normal(1000)), 16e6, 2e6,
    ),
    Case("relu 4M", "pointwise", forward(lambda lib, a: a.relu(), _x), 8.0 * N, N),
    _elementary("exp", N, quick=True),
    *[_elementary(f, N) for f in ("tanh", "sigmoid", "sin")],
    *[_elementary(f, ODD) for f in ("exp", "tanh", "sigmoid", "sin", "erf", "expm1")],
    *[_elementary(f, CACHE) for f in ("exp", "tanh", "sin")],
    *[_backward(f, n) for f, n in (("sigmoid", CACHE), ("sin", ODD), ("exp", N), ("tanh", N))],
    *[_double(f, ODD) for f in ("exp", "sin")],
    Case("add 16M", "pointwise", forward(_add, normal(4 * N), normal(4 * N)), 48.0 * N, 4.0 * N),
    Case(
        "relu 16M", "pointwise", forward(lambda lib, a: a.relu(), normal(4 * N)), 32.0 * N, 4.0 * N,
    ),
    Case(
        "add 2000x1000 by column, backward", "pointwise",
        backward(_add, normal(2000, 1000), normal(2000, 1), leaves=2), 40e6, 4e6,
    ),
    Case(
        "where 4M", "pointwise", forward(lambda lib, a, b: lib.where(a > b, a, b), _x, _y),
        22.0 * N, 2.0 * N,
    ),
    Case(
        "pow of squares 100003", "pointwise",
        forward(lambda lib, a, b: (a * a) ** b, normal(ODD), normal(1, ODD)), 20.0 * ODD,
        30.0 * ODD,
    ),
    Case(
        "log of squares 1M", "pointwise", forward(lambda lib, a: (a * a).log(), normal(MILLION)),
        16.0 * MILLION, 11.0 * MILLION,
    ),
    Case(
        "pow of squares 1M", "pointwise",
        forward(lambda lib, a, b: (a * a) ** b, normal(MILLION), normal(1, MILLION)),
        20.0 * MILLION, 30.0 * MILLION,
    ),
    *[
        Case(f"gelu {title}", "pointwise", forward(_gelu, normal(n)), 8.0 * n, 20.0 * n)
        for title, n in ((str(CACHE), CACHE), (str(ODD), ODD), ("4M", N))
    ],
    Case(
        "tanh 100003, backward", "pointwise", backward(lambda lib, a: a.tanh(), normal(ODD)),
        20.0 * ODD, 15.0 * ODD,
    ),
    Case(
        "gelu 1M, backward", "pointwise", backward(_gelu, normal(MILLION)), 20.0 * MILLION,
        40.0 * MILLION,
    ),
    Case(
        "add transposed 2000x2000", "pointwise",
        forward(lambda lib, a, b: a + b.t(), _square, _square), 48e6, 4e6,
    ),
]  # fmt: skip
