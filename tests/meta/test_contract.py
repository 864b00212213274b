"""The op contract: samples, derivatives, methods, stubs, lazy imports, cache."""

import inspect
import os
import subprocess
import sys

import pytest

import numtorch as nt
from numtorch import nn  # noqa: F401 (imports every room)
from numtorch.core.op import OPS, Op
from numtorch.ops.pointwise.define import Pointwise
from numtorch.tensors import attach, stubs
from tests.samples import build

SAMPLED = {s.name.removeprefix("Tensor.").rpartition(".")[2] for s in build.all_samples()}
WITH_ERRORS = {
    e.name.removeprefix("Tensor.").rpartition(".")[2].rstrip("_") for e in build.all_errors()
}


def run(code: str, **environment) -> str:
    """Run Python code in a fresh process."""
    env = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_import_is_light():
    heavy = {"numba", "llvmlite", "PIL", "torch", "numtorch.nn"}
    code = f"import sys, numtorch; print(sorted({heavy} & set(sys.modules)))"
    assert run(code) == "[]"


def test_test_names_are_the_same_in_every_process():
    """pytest-xdist refuses to run where two workers collect other names: no sets, no addresses."""
    code = "import pytest; pytest.main(['--collect-only', '-q', '-p', 'no:cacheprovider', 'tests'])"
    names = [
        [line for line in run(code, PYTHONHASHSEED=seed).splitlines() if "::" in line]
        for seed in ("1", "8")  # they order {"mean", "sum"} and {1, "a", (2, 3)} differently
    ]
    assert len(names[0]) > 10_000
    assert names[0] == names[1]


def test_every_public_function_of_a_room_has_samples():
    aliases = {"rooms"}
    missing = []
    for room in attach.rooms():
        functions = {n: getattr(room, n) for n in room.__all__}
        functions |= {n: getattr(room, n) for n in getattr(room, "FUNCTIONAL", ())}
        for name, function in functions.items():
            same = {n for n, f in functions.items() if f is function}
            if (
                not callable(function)
                or inspect.isclass(function)
                or name in aliases
                or name.endswith("_")
            ):
                continue
            if not same & SAMPLED and not _tested_elsewhere(room, name):
                missing.append(f"{room.__name__.rpartition('.')[2]}.{name}")
    assert not missing, f"no samples in tests/samples for {missing}"


def _tested_elsewhere(room, name) -> bool:
    """Creation and random numbers have tests of their own (no tensor goes in, or the values are
    torch's stream: tests/tensors, tests/random), and so have whole-tensor comparisons.
    """
    return room.__name__.endswith((".create", ".random")) or name in ("equal", "allclose")


def test_every_room_has_error_samples():
    assert WITH_ERRORS, "no error samples"


@pytest.mark.parametrize("name", sorted(OPS))
def test_derivatives_name_parameters(name):
    """Builds the node class: a derivative that asks for what does not exist fails here."""
    op = OPS[name]
    assert op.vjp is not None, f"{name} has no derivative: give vjp, or vjp={{}} if it has none"
    assert op.node_class.__name__ == op.node_name


@pytest.mark.parametrize("name", sorted(n for n, op in OPS.items() if isinstance(op, Pointwise)))
def test_pointwise_ops_say_what_they_do(name):
    assert OPS[name].doc, f"{name} has no doc"


def test_methods_are_the_public_functions():
    assert nt.Tensor.sum is nt.sum and nt.Tensor.add is nt.add and nt.Tensor.matmul is nt.matmul
    for room in attach.rooms():
        for name, function in room.METHODS.items():
            assert getattr(nt.Tensor, name) is function


def test_stubs_are_fresh():
    assert stubs.PATH.read_text() == stubs.text(), "run `python -m numtorch.tensors.stubs`"


CODE = """
import numtorch as nt
from numtorch.backends.cpu import jit
x = nt.ones(3, 4, requires_grad=True)
(x.exp() * 2).sum().backward()
nt.nn.functional.softmax(x, 1)
import numtorch.backends.cpu.cache as cache
print(cache.KernelCache.total_misses)
"""


def test_a_second_process_compiles_nothing(tmp_path):
    assert int(run(CODE, NUMTORCH_CACHE_DIR=str(tmp_path))) > 0
    assert run(CODE, NUMTORCH_CACHE_DIR=str(tmp_path), PYTHONHASHSEED="123") == "0"


def test_an_unwritable_cache_folder(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    code = (
        "import numtorch as nt, warnings\nwith warnings.catch_warnings(record=True) as w:\n  "
        "warnings.simplefilter('always')\n"
        "  print((nt.ones(2) * 3).tolist())\nprint(w[0].message)"
    )
    out = run(code, NUMTORCH_CACHE_DIR=str(blocked / "sub"), TMPDIR=str(tmp_path))
    assert out.startswith("[3.0, 3.0]") and "is not writable; using" in out


def test_plain_python_gives_the_same_numbers():
    code = (
        "import numtorch as nt; x = nt.linspace(-2, 2, 12).reshape(3, 4).requires_grad_(); "
        "y = (x.tanh() * x.t().contiguous().t()).sum(0); y.sum().backward(); print(y.tolist(), "
        "x.grad.tolist())"
    )
    compiled, plain = run(code), run(code, NUMBA_DISABLE_JIT="1")

    def numbers(s):
        return [float(v) for v in s.replace("[", " ").replace("]", " ").replace(",", " ").split()]  # noqa: E731

    assert numbers(plain) == pytest.approx(numbers(compiled), rel=1e-5, abs=1e-6)


def test_parameters_may_not_have_names_of_generated_code():
    with pytest.raises(ValueError, match="uses the name 'array'"):
        Op(lambda array: array, name="clash")
