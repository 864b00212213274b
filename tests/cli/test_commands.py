"""The command line, through `main`: what it prints, and what it says of bad options."""

import json
import re

import pytest

from numtorch.cli import main
from numtorch.cli.bench import plot, runner
from numtorch.cli.bench.case import Case, integers, normal
from numtorch.cli.text import table
from numtorch.core.op import OPS
from numtorch.ops import ROOMS

LIMITS = {"threads": 2, "bandwidth": 2e10, "flops": 1e11}


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    """Ceilings and timings that take no time."""
    monkeypatch.setattr("numtorch.cli.bench.ceilings.measure", lambda device: LIMITS)
    monkeypatch.setattr(runner, "MIN_SECONDS", {True: 0.0, False: 0.0})
    monkeypatch.setattr(runner, "ROUNDS", {True: 2, False: 2})


@pytest.fixture
def alone(monkeypatch):
    """As if torch were not installed."""
    monkeypatch.setattr(runner, "rival", lambda device: None)


def lines(capsys) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_info(capsys):
    assert main(["info"]) == 0
    facts = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines(capsys))
    assert {"numtorch", "numba", "cpu", "threads", "cuda", "kernel cache"} <= set(facts)


def test_info_for_programs(capsys):
    assert main(["info", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cores"].isdecimal()


def test_ops_lists_every_op(capsys):
    assert main(["ops"]) == 0
    printed = lines(capsys)
    assert {line.split()[0] for line in printed[2:-1]} >= set(OPS)
    assert printed[-1] == f"{len(printed) - 3} ops"


def test_ops_shows_derivatives_and_kernels(capsys):
    assert main(["ops", "atan2"]) == 0
    assert lines(capsys)[2].split() == ["atan2", "pointwise", "input", "other", "yes", "yes"]


def test_ops_prints_generated_functions(capsys):
    assert main(["ops", "tanhshrink", "--source"]) == 0
    printed = capsys.readouterr().out
    assert "def tanhshrink__function(input, *, out=None):" in printed
    assert "def back(node, g):" in printed


def test_bench_prints_a_table(alone, capsys):
    assert main(["bench", "--quick", "--ops", "add 4x4$|sum 4M"]) == 0
    printed = lines(capsys)
    assert "2 threads: memory 20.0 GB/s (a = b), FMA 100 GFLOP/s" in printed[0]
    rows = [line.split("  ")[0] for line in printed[2:]]
    assert [r for r in rows if r and "--" not in r] == ["case", "add 4x4", "sum 4M"]
    assert "-- pointwise" in rows and "-- reduce" in rows


def test_bench_writes_json(alone, tmp_path):
    path = tmp_path / "figures.json"
    assert main(["bench", "--ops", "^x.i. 4x4", "--threads", "1", "--json", str(path)]) == 0
    result = json.loads(path.read_text())
    assert result["ceilings"] == LIMITS and "training" not in result
    assert [c["case"] for c in result["cases"]] == ["x[i] 4x4"]
    assert result["cases"][0]["seconds"] > 0


def test_bench_against_torch(torch, capsys):
    assert main(["bench", "--quick", "--ops", "add 4x4$", "--against", "torch"]) == 0
    assert "ours/torch: geometric mean" in capsys.readouterr().out


def test_bench_draws(alone, tmp_path):
    pytest.importorskip("matplotlib", reason="drawing needs the extra `bench`")
    path = tmp_path / "figures.png"
    assert main(["bench", "--quick", "--ops", "add 4x4$", "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ops", "("], r"argument --ops: '\(' is no regular expression: missing \)"),
        (["--threads", "0"], "argument --threads: expected a positive number, but got '0'"),
        (["--threads", "two"], "argument --threads: expected a positive number"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--against", "jax"], "invalid choice: 'jax'"),
    ],
)
def test_options_that_are_refused(options, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["bench", *options])
    assert exit_.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_no_command(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "bench" in capsys.readouterr().err


def refused(arguments, capsys) -> str:
    """What a command says that gives up before it has measured anything."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def test_no_case_matches(capsys):
    assert "no case matches --ops 'nosuch'" in refused(["bench", "--ops", "nosuch"], capsys)
    assert "no case matches --ops 'nosuch'" in refused(["warm", "--ops", "nosuch"], capsys)


def test_cuda_without_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr("numtorch.cuda.is_available", lambda: False)
    assert "no CUDA GPU is available" in refused(["bench", "--device", "cuda"], capsys)


def test_torch_is_not_installed(alone, capsys):
    assert "torch is not installed" in refused(["bench", "--against", "torch"], capsys)


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_paths_that_cannot_be_written(option, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plot, "available", lambda: True)
    path = str(tmp_path / "no" / "such" / "folder")
    assert f"cannot write to {path}: No such file" in refused(["bench", option, path], capsys)


def test_matplotlib_is_not_installed(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(plot, "available", lambda: False)
    said = refused(["bench", "--plot", str(tmp_path / "a.png")], capsys)
    assert "--plot needs matplotlib: pip install 'numtorch[bench]'" in said
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_warm(processes, capsys):
    assert main(["warm", "--ops", "^add 4x4(, recorded)?$", "--processes", str(processes)]) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"2 cases, \d+ kernels compiled in [\d.]+ s; cache: .+\n", said)


def test_every_room_has_a_case():
    rooms = {c.room for c in runner.all_cases()}
    assert rooms == {*ROOMS, "steps", "autograd"} - {"create"}  # among the cases of views


def test_names_of_cases_are_distinct():
    names = [c.name for c in runner.all_cases()]
    assert len(set(names)) == len(names)


def test_data_is_seeded():
    assert (normal(3, 4).array() == normal(3, 4).array()).all()
    assert normal(3, 4).array().dtype == "float32" and normal(3, 4).size == 12
    drawn = integers(5, 100).array()
    assert drawn.dtype == "int64" and set(drawn) == set(range(5))


def test_the_nearest_ceiling_bounds_a_case():
    case = Case("x", "pointwise", lambda lib, tensor: None, bytes=1e9, flops=1e9)
    rates = case.rates(0.1, LIMITS)
    assert rates["bound"] == "memory" and rates["share"] == pytest.approx(0.5)
    assert rates["flops_per_second"] == pytest.approx(1e10)


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (1.5e-5, "15 us"), (3e-8, "30 ns")]
)
def test_durations(seconds, text):
    assert runner.duration(seconds) == text


def test_tables():
    assert table(["a", "bb"], [["ccc", "1"]]).splitlines() == ["a    bb", "---  --", "ccc   1"]
