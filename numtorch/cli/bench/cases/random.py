"""Random numbers: torch's stream, which is sequential."""

from ..case import Case, forward, normal

N = 1 << 20
_x = normal(N)


def _dropout(lib, x):
    return lib.nn.functional.dropout(x, 0.5)


def _rrelu(lib, x):
    return lib.nn.functional.rrelu(x, training=True)


CASES = [
    Case("rand 1M", "random", forward(lambda lib, a: lib.rand(N, device=a.device), _x), 4.0 * N),
    Case(
        "randn 1M", "random", forward(lambda lib, a: lib.randn(N, device=a.device), _x), 4.0 * N,
        0.0, True,
    ),
    Case("dropout 1M", "random", forward(_dropout, _x), 8.0 * N, N),
    Case("rrelu 1M", "random", forward(_rrelu, _x), 8.0 * N, N),
]  # fmt: skip
