"""Gathering, scattering, embedding: bound by memory."""

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
        "index_select 500 columns of 2000x1000", "index",
        forward(lambda lib, a, i: a.index_select(1, i), normal(2000, 1000), integers(1000, 500)),
        8.0 * 2000 * 500,
    ),
    Case(
        "embedding 5003 of 30011x33", "embed",
        forward(_embedding, normal(30_011, 33), integers(30_011, 5003)), 8.0 * 5003 * 33,
    ),
]  # fmt: skip
