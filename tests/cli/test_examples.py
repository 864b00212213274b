"""The programs in examples/ run; their operator keeps the contract, and CONTRIBUTING quotes it."""

import importlib
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import numtorch as nt

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
CHECK = """
import numtorch as nt
from moving_average import moving_average
x = nt.arange(10.0).view(2, 5)
y = moving_average(x.to("cuda"), 3)
assert y.device.type == "cuda"
print(y.cpu().tolist() == moving_average(x, 3).tolist())
"""


@pytest.fixture(scope="module")
def room():
    """The example's operator."""
    sys.path.insert(0, str(EXAMPLES))
    yield importlib.import_module("moving_average")
    sys.path.remove(str(EXAMPLES))


def program(*arguments: str, **environment: str) -> str:
    """Run Python in a process of its own, with examples/ among the modules."""
    environment = os.environ | {"PYTHONPATH": f"{EXAMPLES}{os.pathsep}{ROOT}"} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_digits():
    printed = program(str(EXAMPLES / "digits.py"))
    assert int(re.search(r"(\d+) of 360", printed)[1]) > 310


def test_smooth():
    printed = program(str(EXAMPLES / "smooth.py")).splitlines()
    assert printed[-1] == "gradient checked: True"
    assert float(printed[-2].split()[-1]) < 1e-3


@pytest.mark.parametrize("shape", [(7,), (2, 5), (3, 0), (2, 2, 4)])
def test_values(room, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    padded = np.concatenate([np.zeros((*shape[:-1], 2)), x], -1)
    want = sum(padded[..., k : k + shape[-1]] for k in range(3)) / 3
    np.testing.assert_allclose(room.moving_average(nt.from_numpy(x), 3).numpy(), want, atol=1e-12)


def test_derivatives_and_views(room):
    x = nt.rand(5, 3, dtype=nt.float64, requires_grad=True)
    assert nt.autograd.gradgradcheck(lambda a: room.moving_average(a.t(), 2), x)


def test_errors(room):
    with pytest.raises(ValueError, match="expected width >= 1, but got 0"):
        room.moving_average(nt.ones(3), 0)
    with pytest.raises(RuntimeError, match="expected at least one dimension"):
        room.moving_average(nt.ones(()), 2)
    with pytest.raises(RuntimeError, match="expected floating point, but got torch.int64"):
        room.moving_average(nt.arange(3), 2)


def test_cuda_kernel_in_the_simulator():
    assert program("-c", CHECK, NUMBA_ENABLE_CUDASIM="1") == "True\n"


def test_contributing_quotes_the_example():
    sources = [p.read_text() for p in EXAMPLES.rglob("*.py")]
    quoted = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.S | re.M
    )
    marked = [text for text in quoted if "moving_average_op" in text]
    assert len(marked) == 3
    for text in marked:
        assert any(text in source for source in sources), text
