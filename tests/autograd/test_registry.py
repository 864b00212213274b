"""Every differentiable op of the registry through every check, and one that is registered now."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import registry

OPS = registry.differentiable()
CHECKED = [
    (check, op) for check in registry.CHECKS for op in OPS if not registry.exemption(op, check)
]


@pytest.mark.parametrize(("check", "op"), CHECKED, ids=lambda v: v)
def test_check(check, op):
    assert registry.passes(op, check)


def test_samples_reach_every_op():
    missing = [n for n in OPS if n not in registry.programs() and n not in registry.EXEMPT]
    assert not missing, "add samples that call these ops, or whose derivatives do"


def test_exemptions_are_of_ops_and_checks_that_exist():
    for key in registry.EXEMPT:
        op, check = key if isinstance(key, tuple) else (key, None)
        assert op in OPS and (check is None or check in registry.CHECKS)


RULE = '''
"""A room of one op, as another package would have it: rule and derivative."""
from numtorch.core.op import primitive


@primitive(vjp={"input": lambda g, input, power: g.flip(-1) * input ** (power - 1) * power})
def twist(input, *, power):
    """The elements of each row to a power, in reverse. (..., n) -> (..., n)"""
    return input.like()
'''
KERNEL = """
import numpy as np


def twist(input, out, *, power):
    def run(x, result):
        result[...] = np.flip(x, -1) ** power

    return run
"""
CHECK = """
import warnings
import numtorch as nt
from tests.autograd import registry
from toy import twist

assert "twist" in registry.differentiable()
x = nt.rand(3, 4, dtype=nt.float64) + 0.5
program = registry.Program("twist", lambda x: (twist(x, 3),), [x])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    failed = [name for name, check in registry.CHECKS.items() if not check(program)]
print(failed, sum("batching rule for twist" in str(w.message) for w in caught))
"""


def test_an_op_that_is_registered_now_gets_all_of_it(tmp_path):
    """Gradients of every order, forward mode, vmap (by a loop, with one warning), checkpointing,
    anomaly mode, hooks and capture come from the definition alone.
    """
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "__init__.py").write_text(RULE)
    (tmp_path / "toy" / "cpu.py").write_text(KERNEL)
    paths = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.stdout.strip() == "[] 1", done.stderr
