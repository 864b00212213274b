"""Indexing expressions against torch: shapes, values and errors of what NumPy treats otherwise."""

import warnings

import numpy as np
import pytest

import numtorch as nt

EXPRESSIONS = """
x[m, 0] | x[0, m[0]] | x[:, m[0]] | x[m] | x[m, None] | x[None, m] | x[i, m[0]] | x[..., m[0], :]
x[i, 0, i] | x[i, None, i] | x[i, :, i] | x[:, i, i] | x[0, :, i] | x[:, i, 0] | x[i, i, i]
x[i[:, None], i] | x[True, 0] | x[0, True, i] | x[0, :, True] | x[None, True] | x[False]
x[0, False] | x[L.tensor(True), 0] | x[[0, 1]] | x[[0, 1], [1, 0]] | x[[]] | x[[[0, 1], [1, 0]]]
x[range(2)] | x[[True, False, True]] | x[[1.0]] | x[L.tensor(1)] | x[L.tensor(0):L.tensor(2)]
x[np.array([0, 1])] | x[np.int64(1)] | x[np.array(True)] | x[...] | x[()] | x[..., 0]
x[0, ..., 0] | x[..., ...] | x[None, ..., None] | x[1:1] | x[5:] | x[-9:2:2, ::3] | x[3]
x[0, 0, 9] | x[0, 0, 0, 0] | x[m, 0, 0] | x[:, m] | x[m[:2]] | x[i, m] | x[::-1] | x[::0] | x[1.5]
x[L.zeros(2)] | x[i.short()] | x[object()] | x['a':1] | x[L.empty(0).long()]
x[L.zeros(2, 0).long()]
""".replace("\n", "|").split("|")  # fmt: skip


def outcome(expression, library):
    """(shape, values), or the error's type and first line."""
    base = np.arange(60.0).reshape(3, 4, 5)
    x = library.from_numpy(base)
    m = library.from_numpy(base[:, :, 0] % 3 == 0)
    scope = {"x": x, "m": m, "i": library.tensor([0, -1, 2]), "L": library, "np": np}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = eval(expression, scope)
        except (IndexError, ValueError, TypeError, RuntimeError) as error:
            return type(error).__name__, str(error).split("\n")[0]
    return tuple(found.shape), found.tolist()


@pytest.mark.parametrize("expression", [e.strip() for e in EXPRESSIONS if e.strip()])
def test_reading(expression, torch):
    assert outcome(expression, nt) == outcome(expression, torch)


@pytest.mark.parametrize("index", ["0", "1:", "(0, 1)", "m", "i", "(i, 0)", "(0, i)", "(m, 1)"])
@pytest.mark.parametrize("value", ["1.5", "L.arange(5.)", "L.ones(1, 1, 5)", "L.ones(7)", "None"])
def test_writing(index, value, torch):
    def written(library):
        base = np.arange(60.0, dtype=np.float32).reshape(3, 4, 5)
        x = library.from_numpy(base.copy())
        m = library.from_numpy(base[:, :, 0] % 3 == 0)
        scope = {"x": x, "m": m, "i": library.tensor([0, -1, 2]), "L": library}
        try:
            exec(f"x[{index}] = {value}", scope)
        except (IndexError, ValueError, TypeError, RuntimeError) as error:
            return type(error).__name__, str(error)
        return x.tolist()

    assert written(nt) == written(torch)


def test_history_has_torchs_names(torch):
    def names(library):
        x = library.ones(3, 4, requires_grad=True)
        i = library.tensor([0, 1])
        found = [x[0], x[1:], x[None], x[i], x[x > 0], x.gather(0, i[:, None])]
        return [t.grad_fn.name() for t in found]

    assert names(nt) == names(torch)
