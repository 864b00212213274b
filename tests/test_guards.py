"""No kernel reads or writes outside its arrays."""

import os
import subprocess
import sys

import pytest

from tests import guards

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX")


@pytest.mark.parametrize("side", ["after", "before"])
def test_samples_stay_inside_their_arrays(side):
    done = subprocess.run(
        [sys.executable, "-m", "tests.guards", side], capture_output=True, text=True, check=False
    )
    last = done.stdout.strip().splitlines()[-1] if done.stdout else ""
    assert done.returncode == 0 and last.startswith("ran "), f"{last}: {done.stderr[-800:]}"


@pytest.mark.parametrize(("side", "index"), [("after", 5), ("before", -1)])
def test_the_guards_work(side, index):
    code = (
        "import ctypes; from tests.guards import guarded\n"
        f"x = guarded((5,), 'float32', {side!r}); x[:] = 1\n"
        f"print(ctypes.cast(x.ctypes.data, ctypes.POINTER(ctypes.c_float))[{index}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode < 0, "a read outside went unnoticed"


def test_indices_are_checked_if_asked_for():
    code = """
import numpy as np, numtorch as nt
from numtorch.backends.cpu.jit import kernel, prange
@kernel
def copy(x, out, n, shift):
    for i in prange(n):
        out[i + shift] = x[i]
x, out = np.arange(9.0)[::2], np.zeros(3)
run = copy.compile(x, out, 1, 1)
run(x, out, 3, 0)
for n, shift in ((4, 0), (3, 1), (1, -1)):
    try:
        run(x, out, n, shift)
    except IndexError as error:
        print(error)
assert (nt.eye(3) @ nt.ones(3, 3)).sum() == 9
"""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-800:]
    assert done.stdout == 3 * "the kernel copy: an index is outside of its buffer\n"


def test_guarded_memory_holds_what_is_written():
    x = guards.guarded((3, 5), "float64", "after")
    x[...] = 2
    assert x.sum() == 30
