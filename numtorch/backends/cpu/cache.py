"""Compiled kernels on disk: one file per function, signature, CPU and content.

A file's name is a hash of everything the machine code depends on: the bytecode and constants of the
function and of every jitted helper or emitter it reaches, the signature, the flags, the versions of
Numba and Python and the CPU. So an edit of one kernel, or of a helper in another file, makes
exactly the kernels that use it recompile, an edit of a comment none, and clones and processes share
one folder without an index or locks.
"""

import hashlib
import os
import pathlib
import pickle
import sys
import tempfile
import types as pytypes
import warnings

import numba
import numpy as np
from numba.core import compiler
from numba.core.serialize import dumps

from . import buffer

# What every kernel depends on beside its own code: how buffers are lowered and what flags are set.
_LOWERING = b"".join(
    pathlib.Path(buffer.__file__).with_name(name).read_bytes()
    for name in ("buffer.py", "entry.py", "jit.py")
)
_folder: list[pathlib.Path | None] = []


def default_folder() -> pathlib.Path:
    """`NUMTORCH_CACHE_DIR`, else a folder in `NUMBA_CACHE_DIR`, else one in the user's cache
    home.
    """
    own, numbas = os.environ.get("NUMTORCH_CACHE_DIR"), os.environ.get("NUMBA_CACHE_DIR")
    if own:
        return pathlib.Path(own)
    if numbas:
        return pathlib.Path(numbas) / "numtorch"
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home) / "numtorch"


def folder() -> pathlib.Path | None:
    """The folder in use: the default one, a temporary one where that is not writable, or None with
    one warning.
    """
    if not _folder:
        _folder.append(_find_folder())
    return _folder[0]


def _find_folder() -> pathlib.Path | None:
    fallback = (
        pathlib.Path(tempfile.gettempdir())
        / f"numtorch-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    )
    first = default_folder()
    for path in (first, fallback):
        try:
            path.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path).close()
        except OSError:
            continue
        if path is fallback:
            warnings.warn(
                f"numtorch: the kernel cache folder {first} is not writable; using {path}. "
                "Set NUMTORCH_CACHE_DIR to a writable folder.",
                stacklevel=2,
            )
        return path
    warnings.warn(
        f"numtorch: neither {first} nor {fallback} is writable; kernels are compiled anew in "
        f"every process. "
        "Set NUMTORCH_CACHE_DIR to a writable folder.",
        stacklevel=2,
    )
    return None


def reset() -> None:
    """Forget which folder is in use (it is looked up again at the next compilation)."""
    _folder.clear()


def stamp(function) -> bytes:
    """A digest of what the function computes: its code and that of all helpers and constants that
    it names.
    """
    digest = hashlib.sha256(_LOWERING)
    _feed(digest, function, set())
    return digest.digest()


def _feed(digest, function, seen: set) -> None:
    if function in seen:
        return
    seen.add(function)
    digest.update(function.__qualname__.encode())
    _feed_code(digest, function.__code__)
    cells = [c.cell_contents for c in function.__closure__ or ()]
    named = [
        function.__globals__[n]
        for n in sorted(_names(function.__code__))
        if n in function.__globals__
    ]
    for value in (*cells, *(function.__defaults__ or ()), *named):
        inner = _python_function(value)
        if inner is not None:
            _feed(digest, inner, seen)
            digest.update(_options(value))
        elif isinstance(value, (int, float, np.generic, str, bytes, bool, tuple, type(None))):
            digest.update(repr(value).encode())


def _python_function(value):
    """The Python function behind a jitted helper, an intrinsic or a plain function of this
    package.
    """
    if isinstance(value, pytypes.FunctionType):
        return value if value.__module__.startswith("numtorch") else None
    for attribute in ("py_func", "_defn"):
        inner = getattr(value, attribute, None)
        if isinstance(inner, pytypes.FunctionType):
            return inner
    return None


def _options(value) -> bytes:
    """How a jitted helper is compiled: its flags, sorted."""
    options = getattr(value, "targetoptions", {})
    return repr(
        sorted((k, sorted(v) if isinstance(v, set) else v) for k, v in options.items())
    ).encode()


def _names(code) -> set[str]:
    inner = (c for c in code.co_consts if isinstance(c, pytypes.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _feed_code(digest, code) -> None:
    digest.update(code.co_code)
    digest.update(repr((code.co_names, code.co_varnames)).encode())
    for constant in (
        code.co_consts[1:]
        if code.co_consts and isinstance(code.co_consts[0], str)
        else code.co_consts
    ):
        if isinstance(constant, pytypes.CodeType):
            _feed_code(digest, constant)
        else:
            digest.update(repr(constant).encode())


class KernelCache:
    """The machine code of one function on disk."""

    total_hits = total_misses = 0  # of this process

    def __init__(self, function, flags: str) -> None:
        self.function, self.flags = function, flags

    def _path(self, signature, codegen) -> pathlib.Path | None:
        path = folder()
        if path is None:
            return None
        versions = numba.__version__, sys.version_info[:3]
        facts = repr((str(signature), codegen.magic_tuple(), self.flags, versions))
        key = hashlib.sha256(stamp(self.function) + facts.encode()).hexdigest()[:32]
        room = self.function.__module__.rpartition("ops.")[2]
        return path / f"{room}.{self.function.__name__}-{key}.nbc"

    def load(self, signature, target):
        """What `save` wrote, ready to be called; or None."""
        target.refresh()
        path = self._path(signature, target.codegen())
        try:
            payload = pickle.loads(path.read_bytes()) if path else None
        except (OSError, EOFError, pickle.UnpicklingError, ImportError, AttributeError):
            payload = None
        if payload is None:
            KernelCache.total_misses += 1
            return None
        KernelCache.total_hits += 1
        return compiler.CompileResult._rebuild(target, *payload)

    def save(self, signature, result) -> None:
        """Write one of Numba's compile results."""
        path = self._path(signature, result.codegen)
        if path is None:
            return
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            temporary.write_bytes(dumps(result._reduce()))
            os.replace(temporary, path)
        except OSError as error:
            warnings.warn(
                f"numtorch: cannot write to the kernel cache {path.parent}: {error}", stacklevel=2
            )
