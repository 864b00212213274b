"""Pooling: bound by memory."""

from ..case import Case, backward, forward, normal

_x, _big = normal(64, 6, 28, 28), normal(16, 64, 56, 56)
CASES = [
    Case(
        "max_pool2d 64x6x28x28, backward", "pool",
        backward(lambda lib, a: lib.nn.functional.max_pool2d(a, 2), _x), 12.0 * _x.size,
        2.0 * _x.size, True,
    ),
    Case(
        "max_pool2d 16x64x56x56 3x3 s2", "pool",
        forward(lambda lib, a: lib.nn.functional.max_pool2d(a, 3, 2, 1), _big), 5.0 * _big.size,
        2.25 * _big.size,
    ),
    Case(
        "avg_pool2d 16x64x56x56", "pool",
        forward(lambda lib, a: lib.nn.functional.avg_pool2d(a, 2), _big), 5.0 * _big.size,
        _big.size,
    ),
]  # fmt: skip
