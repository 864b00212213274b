"""The digits CNN, the ceilings and the progress bar of `numtorch bench`."""

import io

import numpy as np

import numtorch as nt
from numtorch.cli.bench import ceilings, progress, training


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_two_epochs_learn():
    out = io.StringIO()
    result = training.train(epochs=2, out=out)
    first, second = result["epochs"]
    assert second["loss"] < first["loss"] < 2.5
    assert second["accuracy"] > 0.6 and result["accuracy"] == second["accuracy"]
    lines = out.getvalue().splitlines()
    assert lines[0].startswith("a CNN on 1,437 digits") and lines[-1].startswith("trained in")
    assert len(lines) == 4


def test_the_network_has_the_size_that_it_claims():
    assert sum(p.numel() for p in training.network().parameters()) == 26_090


def test_images_move_by_one_pixel_at_most():
    x = nt.zeros(1, 1, 8, 8)
    x[0, 0, 4, 4] = 5.0
    places = set()
    for seed in range(40):
        nt.manual_seed(seed)
        y = training.moved(x)
        assert y.shape == x.shape and y.max().item() == 5.0
        places.add(divmod(int(y.argmax()), 8))
    assert places == {(i, j) for i in (3, 4, 5) for j in (3, 4, 5)}


def test_multiply_adds_in_registers_match_plain_python():
    n = ceilings.CHAINS * ceilings.LANES
    x = np.linspace(0.1, 0.9, 2 * n, dtype=np.float32)
    want = x.copy()
    for worker in range(2):
        ceilings.plain_chains(want, worker * n, 3)
    run = ceilings.multiply_add_all.compile(x, 2, 3)
    run(x, 2, 3)
    np.testing.assert_allclose(x, want, rtol=1e-6)


def test_ceilings(monkeypatch):
    monkeypatch.setattr(ceilings, "COPY_BYTES", 1 << 16)
    monkeypatch.setattr(ceilings, "STEPS", 10)
    monkeypatch.setattr(ceilings.seconds, "__defaults__", (2, 0.0))
    found = ceilings.measure()
    assert found["threads"] == nt.get_num_threads()
    assert found["bandwidth"] > 0 and found["flops"] > 0


def test_the_bar_is_for_terminals():
    out = io.StringIO()
    assert list(progress.bar([1, 2], "epoch", out)) == [1, 2]
    assert out.getvalue() == ""


def test_the_bar_fills_and_goes():
    out = Terminal()
    assert list(progress.bar([1, 2], "epoch", out, width=4)) == [1, 2]
    shown = out.getvalue().split("\r")
    assert shown[1] == "epoch [....] 0/2" and shown[2] == "epoch [##..] 1/2"
    assert shown[3].strip() == "" and len(shown[3]) >= len(shown[2])
