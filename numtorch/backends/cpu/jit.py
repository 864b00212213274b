"""`@kernel` and `@inline`: the only places where CPU code is handed to Numba.

A kernel is a plain Python function over flat buffers (see buffer.py) and numbers, whose outer loop
is a `prange`. It is compiled on first use, once for each combination of element types, in two
variants from the same text: serial (0.06 s to compile, 0.1 us a call) and parallel (0.3 s, 1.3 us).
`compile` picks one by the amount of work. It returns Numba's C entry point, which trusts its
arguments, rather than the dispatcher, which checks them (170 ns more): the plan that calls it has
already matched every dtype. `NUMBA_DISABLE_JIT=1` runs kernels as plain Python.
"""

import contextlib
import functools
import inspect
import logging
import re
import time
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.core import codegen, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

from . import threads
from .buffer import Buffer, flat
from .cache import KernelCache

__all__ = ["PARALLEL_WORK", "bind", "inline", "intrinsic", "kernel", "prange"]

# Scalar operations. A parallel call costs 1.3 us more on idle cores and far more on busy ones; 64k
# additions take 4 us serially and 3.3 us on two threads, 256k take 31 and 16.
PARALLEL_WORK = 1 << 17
FASTMATH = {
    "pointwise": {"contract"},
    "sum": {"contract", "reassoc", "nsz"},  # sums vectorize; NaN and inf stay right
}
# fastmath is said here, too: else a callee inherits that of the kernel which compiles it first
EXACT = {"error_model": "numpy", "fastmath": False, "forceinline": True}
KERNELS: list["Kernel"] = []
_config: Any = numba.config  # sets its names at run time
_log = logging.getLogger("numtorch")
_announced: list[bool] = []


def inline(function):
    """Mark a scalar helper that kernels call; it is inlined into them."""
    if _config.DISABLE_JIT:
        return function
    return numba.njit(error_model="numpy", fastmath=FASTMATH["pointwise"], inline="always")(
        function
    )


def exact(function):
    """Mark a scalar helper that is computed as written: LLVM inlines it, but none of its operations
    is fused or reordered, whatever flags the kernel has.
    """
    if _config.DISABLE_JIT:
        return function
    return numba.njit(**EXACT)(function)


def by_width(single, double):
    """The function that is `single` for a float32 and `double` for a float64."""

    def function(*args):
        return (single if isinstance(args[0], np.float32) else double)(*args)

    def choose(*args):
        return (single if args[0] == types.float32 else double).py_func

    if not _config.DISABLE_JIT:
        choose.__signature__ = inspect.signature(single.py_func)  # type: ignore[attr-defined]
        overload(function, jit_options=EXACT)(choose)
    return function


def element_type(dtype: np.dtype) -> types.Type:
    """The Numba type of one element."""
    return types.boolean if dtype == np.bool_ else numba.from_dtype(dtype)


@functools.cache
def buffer_type(dtype: np.dtype) -> Buffer:
    """The Numba type of memory that holds `dtype`."""
    return Buffer(element_type(dtype))


def argument_type(example) -> types.Type:
    """The Numba type of a kernel argument: a Spec or array gives a buffer, a number int64 or
    float64.
    """
    if example is None:
        return types.none
    if isinstance(example, bool):
        return types.boolean
    if isinstance(example, int):
        return types.int64
    if isinstance(example, float):
        return types.float64
    if isinstance(example, np.ndarray):
        return buffer_type(example.dtype)
    return buffer_type(example.dtype.np)


class _Part(codegen.JITCodeLibrary):
    """The body of a parallel loop, or what calls it: linked into its kernel as it is.

    Numba would optimize and assemble a body by itself, run that copy in the compiling process, and
    optimize it once more as a part of the kernel, which is what the cache holds: twice the time,
    and sums in another order in later processes.
    """

    @property
    def codegen(self):
        return self  # for `set_env`

    def set_env(self, name, environment) -> None:
        """A body has no Python environment: it raises nothing."""

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name) -> int:
        self._ensure_finalized()
        return 0


_PARTS = re.compile("__numba_parfor_gufunc|.*_GufuncWrapper|parallelgufuncwrapper")


def _library(owner, name):
    return (_Part if _PARTS.match(name) else codegen.JITCodeLibrary)(owner, name)


@contextlib.contextmanager
def _bodies_as_parts():
    """Within: the bodies of parallel loops are optimized once, as parts of their kernels."""
    owner = cpu_target.target_context.codegen()
    with global_compiler_lock:
        owner.create_library = functools.partial(_library, owner)
        try:
            yield
        finally:
            del owner.create_library


class Kernel:
    """A function over buffers and numbers, compiled on demand for the types of its arguments."""

    source: str  # of generated kernels

    def __init__(self, py_func, fastmath: str = "pointwise") -> None:
        self.py_func, self.fastmath = py_func, fastmath
        self.variants: dict = {}
        functools.update_wrapper(self, py_func)  # type: ignore[arg-type]
        KERNELS.append(self)

    def compile(self, *examples, work: int = 0):
        """The callable for arguments typed like `examples`: Specs or arrays, numbers, None."""
        if _config.DISABLE_JIT:
            return self._plain
        parallel = work >= PARALLEL_WORK and threads.get_num_threads() > 1
        key = (parallel, *map(argument_type, examples))
        found = self.variants.get(key)
        if found is None:
            found = self.variants[key] = self._build(parallel, key[1:])
        return found

    def _build(self, parallel: bool, signature: tuple):
        start = time.perf_counter()
        lock = threads.threading_lock() if parallel else None
        dispatcher = self.dispatcher(parallel)
        with _bodies_as_parts() if parallel else contextlib.nullcontext():
            dispatcher.compile(signature)
        (result,) = dispatcher.overloads.values()
        seconds = time.perf_counter() - start
        if seconds > 1 and not _announced:
            _announced.append(True)
            _log.warning(
                "numtorch compiled the kernel %s in %.1f s; later processes load it from the cache "
                "(`numtorch warm` prepares the common ones)",
                self.py_func.__name__,
                seconds,
            )
        if lock is None:
            return result.entry_point

        def locked(*args, entry=result.entry_point):
            with lock:
                return entry(*args)

        return locked

    def dispatcher(self, parallel: bool):
        """A fresh Numba dispatcher for one variant, attached to the cache."""
        flags = FASTMATH[self.fastmath]
        made: Any = numba.njit(parallel=parallel, fastmath=flags, error_model="numpy", nogil=True)(
            self.py_func
        )
        made._cache = KernelCache(
            self.py_func, f"{'parallel' if parallel else 'serial'} {self.fastmath}"
        )
        return made

    def _plain(self, *args):
        self.py_func(*[flat(a) if isinstance(a, np.ndarray) else a for a in args])


def kernel(function=None, *, fastmath: str = "pointwise"):
    """Make a kernel: `@kernel`, or `@kernel(fastmath="sum")` where sums may be reordered."""
    if function is None:
        return functools.partial(Kernel, fastmath=fastmath)
    return Kernel(function, fastmath)


_binders: dict = {}


def bind(run, count: int, *constants):
    """`run` with its last arguments filled in; `count` arrays come before them. The parts are left
    on the result, so that a plan can inline the call.
    """
    key = count, len(constants)
    code = _binders.get(key)
    if code is None:
        given = ", ".join(f"x{i}" for i in range(count))
        bound = ", ".join(f"c{i}" for i in range(len(constants)))
        text = f"def bound({given}):\n    run({given}, {bound})"
        code = _binders[key] = compile(text, "<numtorch bind>", "exec")
    scope = {"run": run, **{f"c{i}": c for i, c in enumerate(constants)}}
    exec(code, scope)
    function = scope["bound"]
    function.parts = run, constants
    return function
