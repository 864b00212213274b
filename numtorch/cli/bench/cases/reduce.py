"""Reductions: bound by memory."""

from ..case import Case, backward, forward, normal

N = 1 << 22
_x, _m, _scores = normal(N), normal(2048, 2048), normal(64, 10)
_odd, _short = normal(64, 511, 333), normal(100_003, 7)
_ten, _halves = normal(4001, 10), normal(1000, 8192)
_maps, _prime, _small = normal(32, 128, 56, 56), normal(997, 1009), normal(128, 768)
CASES = [
    Case("sum 4M", "reduce", forward(lambda lib, a: a.sum(), _x), 4.0 * N, N, True),
    Case("sum rows 2048x2048", "reduce", forward(lambda lib, a: a.sum(1), _m), 4.0 * N, N),
    Case("sum columns 2048x2048", "reduce", forward(lambda lib, a: a.sum(0), _m), 4.0 * N, N, True),
    Case("max rows 2048x2048", "reduce", forward(lambda lib, a: a.max(1), _m), 4.0 * N, N),
    Case("var rows 2048x2048", "reduce", forward(lambda lib, a: a.var(1), _m), 4.0 * N, 3.0 * N),
    Case("max 4M", "reduce", forward(lambda lib, a: a.max(), _x), 4.0 * N, N),
    Case("any 4M", "reduce", forward(lambda lib, a: a.any(), _x), 4.0 * N, N),
    Case("max columns 2048x2048", "reduce", forward(lambda lib, a: a.max(0), _m), 4.0 * N, N),
    Case(
        "max dim 1 64x511x333", "reduce",
        forward(lambda lib, a: a.max(1), _odd), 4.0 * _odd.size, _odd.size,
    ),
    Case(
        "sum rows 100003x7", "reduce",
        forward(lambda lib, a: a.sum(1), _short), 4.0 * _short.size, _short.size,
    ),
    Case("argmax 64x10", "reduce", forward(lambda lib, a: a.argmax(1), _scores), 2560.0, 640.0),
    Case(
        "mean of maps 32x128x56x56, backward", "reduce",
        backward(lambda lib, a: a.mean((2, 3)), _maps), 8.0 * _maps.size, _maps.size,
    ),
    Case(
        "max rows 997x1009, backward", "reduce", backward(lambda lib, a: a.max(1)[0], _prime),
        8.0 * _prime.size, _prime.size,
    ),
    Case(
        "std columns 128x768, backward", "reduce", backward(lambda lib, a: a.std(0), _small),
        16.0 * _small.size, 6.0 * _small.size,
    ),
    Case(
        "sum columns 1000003x3", "reduce", forward(lambda lib, a: a.sum(0), normal(1_000_003, 3)),
        12.0 * 1_000_003, 3.0 * 1_000_003,
    ),
    Case(
        "max columns 1000003x3", "reduce", forward(lambda lib, a: a.max(0), normal(1_000_003, 3)),
        12.0 * 1_000_003, 3.0 * 1_000_003,
    ),
    Case(
        "sum of every other column 1000x8192", "reduce", forward(lambda lib, a: a[:, ::2].sum(1),
        _halves), 4.0 * _halves.size, _halves.size / 2,
    ),
    Case("argmax 4", "reduce", forward(lambda lib, a: a.argmax(), normal(4)), 16.0, 4.0),
    Case("logsumexp rows 4001x10", "reduce", forward(lambda lib, a: a.logsumexp(1), _ten),
         4.0 * _ten.size, 14.0 * _ten.size),
    Case("prod rows 128x768", "reduce", forward(lambda lib, a: a.prod(1), _small),
         4.0 * _small.size, _small.size),
]  # fmt: skip
