"""README.md: its set-up commands have the form that .ci/run reads, and its programs run."""

import contextlib
import io
import pathlib
import re

import pytest

README = pathlib.Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]


def run(text: str, scope: dict | None = None) -> str:
    """Run a program, and give what it printed."""
    scope = {"__name__": "__main__"} if scope is None else scope
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(text, README.name, "exec"), scope)
    return out.getvalue()


def test_two_commands_set_up_everything():
    first = next(text for language, text in BLOCKS if language == "sh").splitlines()
    assert len(first) == 2
    assert "pip install ." in first[0] and first[0].endswith("numtorch bench --quick")
    assert "pip install -e '.[test]'" in first[1] and "-m pytest" in first[1]


def test_the_training_loop():
    printed = run(PROGRAMS[0])
    losses = [float(x) for x in re.findall(r"loss ([\d.]+)", printed)]
    accuracies = [float(x) for x in re.findall(r"accuracy ([\d.]+)", printed)]
    assert len(losses) == 8 and losses[-1] < 0.1
    assert accuracies[-1] > 0.88


def test_an_op_of_ones_own():
    scope = {"__name__": "__main__"}
    printed = run(PROGRAMS[1], scope)
    assert printed == "tensor([-0.0770, -1.3818,  0.0000,  1.3818,  0.0770])\n"
    matrix, *rows = run(PROGRAMS[2], scope).split("\ntensor")
    assert matrix.startswith("tensor([[0.1693, 1.6066, 1.6066]") and len(rows) == 1


def test_there_are_no_other_programs():
    assert len(PROGRAMS) == 3


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README.read_text()))
def test_links_lead_somewhere(path):
    assert (README.parent / path).exists()
