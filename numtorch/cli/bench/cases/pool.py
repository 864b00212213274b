"""Pooling: bound by memory."""

from ..case import Case, backward, forward, normal

_x, _big = normal(64, 6, 28, 28), normal(16, 64, 56, 56)
_large, _odd = normal(8, 64, 112, 112), normal(3, 31, 29, 31)
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
    Case(
        "max_pool2d 8x64x112x112 3x3 s2, backward", "pool",
        backward(lambda lib, a: lib.nn.functional.max_pool2d(a, 3, 2, 1), _large),
        12.0 * _large.size, 2.25 * _large.size,
    ),
    Case(
        "max_pool2d 3x31x29x31 3x3 s2, ceil, backward", "pool",
        backward(lambda lib, a: lib.nn.functional.max_pool2d(a, 3, 2, 0, 1, True), _odd),
        12.0 * _odd.size, 2.25 * _odd.size,
    ),
    Case(
        "max_pool2d 16x64x56x56 channels last, backward", "pool",
        backward(
            lambda lib, a: lib.nn.functional.max_pool2d(a.permute(0, 3, 1, 2), 2),
            normal(16, 56, 56, 64),
        ),
        12.0 * _big.size, 2.0 * _big.size,
    ),
    Case(
        "adaptive_max_pool2d 2x3x225x225 to 4x4", "pool",
        forward(lambda lib, a: lib.nn.functional.adaptive_max_pool2d(a, 4), normal(2, 3, 225, 225)),
        4.0 * 6 * 225 * 225,
    ),
    Case(
        "avg_pool2d 3x31x29x31 3x3 s2, backward", "pool",
        backward(lambda lib, a: lib.nn.functional.avg_pool2d(a, 3, 2, 1), _odd),
        10.0 * _odd.size, 4.5 * _odd.size,
    ),
]  # fmt: skip
