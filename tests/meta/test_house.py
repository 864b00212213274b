"""The style of the house, enforced: layers, file sizes, where compilers are called, parity of
rooms.
"""

import ast
import pathlib
import re

import pytest

import numtorch
from numtorch.ops import ROOMS

ROOT = pathlib.Path(numtorch.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py"))
LAYERS = ["core", "backends", "ops", "tensors", "autograd", "compiler", "nn optim", "*", "cli"]
MAX_LINES, MAX_FILES = 600, 30
# A file of a lower layer that may import a higher one, and why.
EXCEPTIONS = {
    "tensors/stubs.py": "a program that writes core/tensor.pyi",
}


def layer(path: pathlib.Path) -> int:
    """The number of the layer that a file belongs to."""
    top = path.relative_to(ROOT).parts[0].removesuffix(".py").replace("__main__", "cli")
    for i, names in enumerate(LAYERS):
        if top in names.split():
            return i
    return LAYERS.index("*")


def imported(path: pathlib.Path):
    """(line, module) for every import, relative ones resolved."""
    package = ("numtorch", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *([node.module] if node.module else [])))
            for alias in node.names:
                yield node.lineno, f"{module}.{alias.name}"


def ids(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_imports_flow_downward(path):
    if ids(path) in EXCEPTIONS or path.name == "__init__.py" and path.parent == ROOT:
        return
    own = layer(path)
    for line, module in imported(path):
        assert not module.startswith("torch"), f"{ids(path)}:{line} imports torch"
        if not module.startswith("numtorch."):
            continue
        target = ROOT / module.split(".")[1]
        if not (target.exists() or target.with_suffix(".py").exists()):
            continue  # a name of numtorch/__init__.py, which only the top layers import from
        assert layer(target) <= own, f"{ids(path)}:{line} imports {module} from a higher layer"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_files_are_small(path):
    lines = path.read_text().count("\n")
    assert lines <= MAX_LINES, f"{lines} lines: find the rooms that hide in {ids(path)}"


def test_folders_are_small():
    for folder in {p.parent for p in FILES}:
        files = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
        assert len(files) <= MAX_FILES, f"{folder} has {len(files)} files"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_compilers_are_called_in_one_place(path):
    if re.fullmatch(r"backends/\w+/(jit|compat)\.py", ids(path)):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        called = (
            node.attr
            if isinstance(node, ast.Attribute)
            else node.id
            if isinstance(node, ast.Name)
            else ""
        )
        if ids(path) == "autograd/functional.py" and called == "vectorize":
            continue  # torch's name of a parameter
        assert called not in ("njit", "vectorize", "guvectorize"), (
            f"{ids(path)}:{node.lineno} calls {called}"
        )
        if isinstance(node, ast.Attribute) and called == "jit" and isinstance(node.value, ast.Name):
            assert node.value.id not in ("cuda", "numba"), (
                f"{ids(path)}:{node.lineno} calls {node.value.id}.jit"
            )


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_computing_goes_through_the_registry(path):
    """Above ops/, nobody calls numba or numpy to compute."""
    if layer(path) in (0, 1, 2, 3, 8) or path.parts[-2] in (
        "data",
        "vision",
        "datasets",
        "transforms",
        "serialization",
    ):
        return
    for line, module in imported(path):
        if ids(path) == "__init__.py" and module == "numpy":
            continue  # imported for the speed of importing it, see there
        assert module.split(".")[0] not in ("numpy", "numba"), (
            f"{ids(path)}:{line} imports {module}"
        )


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_public_things_have_docstrings(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{ids(path)} has no docstring"
    launchers_only = path.name in ("cpu.py", "cuda.py")  # a launcher's op is documented at its rule
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            if launchers_only and node.name.endswith("_op"):
                continue
            assert ast.get_docstring(node), (
                f"{ids(path)}:{node.lineno} {node.name} has no docstring"
            )


def launchers(room: str, device: str) -> set[str]:
    """The public functions that a room's device module defines or imports from its own files."""
    return defined(ROOT / "ops" / room / f"{device}.py")


def defined(path: pathlib.Path) -> set[str]:
    """The names that a module defines, or takes from its neighbours."""
    if not path.exists():
        return set()
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            names.update(a.asname or a.name for a in node.names)
            if any(a.name == "*" for a in node.names):
                names |= defined(path.parent / f"{node.module}.py")
        elif isinstance(node, ast.Assign):
            names.update(n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name))
    return names


# Kernels that CUDA does not have yet: this list only shrinks.
MISSING_ON_CUDA: dict[str, set[str]] = {}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_have_the_same_kernels_on_both_devices(room):
    from numtorch.core.op import OPS

    ops = {
        n
        for n, op in OPS.items()
        if op.module == f"numtorch.ops.{room}" and not op.is_view and not op.generated
    }
    for device in ("cpu", "cuda"):
        missing = (
            ops
            - launchers(room, device)
            - (MISSING_ON_CUDA.get(room, set()) if device == "cuda" else set())
        )
        assert not missing, f"numtorch/ops/{room}/{device}.py lacks {sorted(missing)}"


def test_the_list_of_missing_kernels_shrinks():
    for room, names in MISSING_ON_CUDA.items():
        assert not names & launchers(room, "cuda"), (
            f"take {names & launchers(room, 'cuda')} off the list"
        )


FORBIDDEN = r"\bTODO\b|\bFIXME\b|\bXXX\b|except:\s|except Exception|assert True|print\(\"room"


@pytest.mark.parametrize("path", FILES, ids=ids)
def test_nothing_is_left_open(path):
    for i, line in enumerate(path.read_text().splitlines(), 1):
        assert not re.search(FORBIDDEN, line), f"{ids(path)}:{i}: {line.strip()}"
