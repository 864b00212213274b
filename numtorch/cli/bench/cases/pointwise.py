"""Elementwise ops: bound by memory, but for the transcendental ones."""

from ..case import Case, backward, forward, normal, recorded

N, MILLION = 1 << 22, 1 << 20
_x, _y, _small, _square = normal(N), normal(N), normal(4, 4), normal(2000, 2000)


def _add(lib, a, b):
    return a + b


CASES = [
    Case("add 4x4", "pointwise", forward(_add, _small, _small), 192.0, 16.0, True),
    Case("add 4x4, recorded", "pointwise", recorded(_add, _small, _small), 192.0, 16.0, True),
    Case("add 4x4, backward", "pointwise", backward(_add, _small, _small), 320.0, 16.0),
    Case("add 4M", "pointwise", forward(_add, _x, _y), 12.0 * N, N, True),
    Case(
        "mul 2000x1000 by row", "pointwise",
        forward(lambda lib, a, b: a * b, normal(2000, 1000), normal(1000)), 16e6, 2e6,
    ),
    Case("relu 4M", "pointwise", forward(lambda lib, a: a.relu(), _x), 8.0 * N, N),
    Case("exp 4M", "pointwise", forward(lambda lib, a: a.exp(), _x), 8.0 * N, 10.0 * N, True),
    Case(
        "gelu 1M, backward", "pointwise",
        backward(lambda lib, a: lib.nn.functional.gelu(a), normal(MILLION)), 20.0 * MILLION,
        40.0 * MILLION,
    ),
    Case(
        "add transposed 2000x2000", "pointwise",
        forward(lambda lib, a, b: a + b.t(), _square, _square), 48e6, 4e6,
    ),
]  # fmt: skip
