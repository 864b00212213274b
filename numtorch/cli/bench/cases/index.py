"""Gathering, scattering, joining, embedding, copies: bound by memory."""

from ..case import Case, backward, forward, integers, normal

_table, _ids = normal(10_000, 256), integers(10_000, 4096)
_m, _columns = normal(2048, 2048), integers(2048, 2048, 2048)
_row = 4.0 * 256


def _embedding(lib, weight, ids):
    return lib.nn.functional.embedding(ids, weight)


CASES = [
    Case(
        "embedding 4096 of 10000x256, backward", "embed", backward(_embedding, _table, _ids),
        _row * (3 * 4096 + 10_000), 256.0 * 4096, True,
    ),
    Case(
        "index_select 4096 rows of 256", "index",
        forward(lambda lib, a, i: a.index_select(0, i), _table, _ids), 2 * _row * 4096,
    ),
    Case(
        "gather 2048x2048", "index", forward(lambda lib, a, i: a.gather(1, i), _m, _columns),
        16.0 * _m.size,
    ),
    Case("x[i] 4x4", "index", forward(lambda lib, a: a[1], normal(4, 4)), 32.0),
    Case(
        "cat 2 x 2048x2048", "join", forward(lambda lib, a, b: lib.cat([a, b]), _m, _m),
        16.0 * _m.size, 0.0, True,
    ),
    Case(
        "transposed copy 2048x2048", "copy", forward(lambda lib, a: a.t().contiguous(), _m),
        8.0 * _m.size, 0.0, True,
    ),
]  # fmt: skip
