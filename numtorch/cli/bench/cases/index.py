"""Gathering, scattering, embedding: bound by memory."""

from ..case import Case, backward, forward, integers, normal

_table, _ids = normal(10_000, 256), integers(10_000, 4096)
_m, _columns = normal(2048, 2048), integers(2048, 2048, 2048)
_row = 4.0 * 256
_prime, _places = normal(997, 1009), integers(997, 997, 1009)


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
    Case(
        "embedding 32x50 of 10000x128, backward", "embed",
        backward(_embedding, normal(10_000, 128), integers(10_000, 32, 50)),
        512.0 * (3 * 1600 + 10_000), 128.0 * 1600,
    ),
    Case(
        "embedding 5003 of 30011x33, backward", "embed",
        backward(_embedding, normal(30_011, 33), integers(30_011, 5003)),
        132.0 * (3 * 5003 + 30_011), 33.0 * 5003,
    ),
    Case(
        "embedding_bag 512x20 of 10000x64, backward", "embed",
        backward(
            lambda lib, w, i: lib.nn.functional.embedding_bag(i, w), normal(10_000, 64),
            integers(10_000, 512, 20),
        ),
        256.0 * (2 * 10_240 + 10_000), 128.0 * 10_240,
    ),
    Case(
        "scatter_add 997x1009 along rows", "index",
        forward(
            lambda lib, a, i, b: a.scatter_add(1, i, b), _prime, integers(1009, 997, 1009),
            normal(997, 1009),
        ),
        20.0 * _prime.size, _prime.size,
    ),
    Case(
        "flip 997x1009", "index", forward(lambda lib, a: a.flip(1), _prime), 8.0 * _prime.size,
    ),
    Case(
        "bincount 1M of 1000", "index",
        forward(lambda lib, i: i.bincount(), integers(1000, 1 << 20)), 8.0 * (1 << 20),
    ),
    Case(
        "gather 997x1009, backward", "index",
        backward(lambda lib, a, i: a.gather(0, i), _prime, _places), 40.0 * _prime.size,
    ),
    Case(
        "scatter_add 997x1009", "index",
        forward(lambda lib, a, i: a.scatter_add(0, i, a), _prime, _places), 24.0 * _prime.size,
    ),
    Case(
        "index_select 32 columns of 64x64, backward", "index",
        backward(lambda lib, a, i: a.index_select(1, i), normal(64, 64), integers(64, 32)),
        4.0 * (64 * 64 + 4 * 64 * 32),
    ),
]  # fmt: skip
