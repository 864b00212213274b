"""`@kernel` and `@inline`: the only places where CPU code is handed to Numba.

A kernel is a plain Python function over flat buffers (see buffer.py) and numbers, whose outer loop
is a `prange`. It is compiled on first use, once for each combination of element types, as a
function of a share of that loop (entry.py). `compile` picks by the amount of work whether one
thread does all of it or each thread a share. It returns a C function which trusts its arguments,
rather than Numba's dispatcher, which checks them (200 ns more): the plan that calls it has already
matched every dtype. `NUMBA_DISABLE_JIT=1` runs kernels as plain Python.
"""

import functools
import gc
import inspect
import logging
import time
from typing import Any

import numba
import numpy as np
from numba import prange
from numba.core import types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

from ...core.profiling import FUNCTION, span
from . import entry, threads
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
def buffer_type(dtype: np.dtype, elementwise: bool = False) -> Buffer:
    """The Numba type of memory that holds `dtype`."""
    return Buffer(element_type(dtype), elementwise)


def argument_type(example, elementwise: bool = False) -> types.Type:
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
        return buffer_type(example.dtype, elementwise)
    return buffer_type(example.dtype.np, elementwise)


class Kernel:
    """A function over buffers and numbers, compiled on demand for the types of its arguments."""

    source: str  # of generated kernels

    def __init__(self, py_func, fastmath: str = "pointwise", elementwise: bool = False) -> None:
        self.py_func, self.fastmath, self.elementwise = py_func, fastmath, elementwise
        self.variants: dict = {}
        self.parallel = "prange" in py_func.__code__.co_names + py_func.__code__.co_freevars
        functools.update_wrapper(self, py_func)  # type: ignore[arg-type]
        KERNELS.append(self)

    def compile(self, *examples, work: int = 0):
        """The callable for arguments typed like `examples`: Specs or arrays, numbers, None."""
        if _config.DISABLE_JIT:
            return self._plain
        signature = tuple([argument_type(e, self.elementwise) for e in examples])
        found = self.variants.get(signature)
        if found is None:
            found = self.variants[signature] = self._build(signature)
        short, long = found
        if not self.parallel:
            return long
        if work < PARALLEL_WORK:
            return short
        lock = threads.start()
        return long if lock is None else _locked(long, lock)

    def _build(self, signature: tuple):
        cache, name = KernelCache(self.py_func, self.fastmath), self.py_func.__name__
        with global_compiler_lock, span(f"numba::load {name}", FUNCTION) as timed:
            result = cache.load(signature, cpu_target.target_context)
            if result is None:
                timed.rename(f"numba::compile {name}")
                result = self._compile(signature)
                cache.save(signature, result)
            return entry.functions(result)

    def _compile(self, signature: tuple):
        start = time.perf_counter()
        collects = gc.isenabled()
        gc.disable()  # it would visit the compiler's many objects again and again
        try:
            result = self.compiled(signature)
        finally:
            if collects:
                gc.enable()
        seconds = time.perf_counter() - start
        if seconds > 1 and not _announced:
            _announced.append(True)
            _log.warning(
                "numtorch compiled the kernel %s in %.1f s; later processes load it from the cache "
                "(`numtorch warm` prepares the common ones)",
                self.py_func.__name__,
                seconds,
            )
        return result

    def compiled(self, signature: tuple):
        """Numba's result of compiling the kernel for these types."""
        function = entry.divided(self.py_func)
        if function is not self.py_func:
            signature = (*signature, types.int64, types.int64)
        dispatcher: Any = numba.njit(
            fastmath=FASTMATH[self.fastmath],
            error_model="numpy",
            pipeline_class=entry.KernelCompiler,
        )(function)
        dispatcher.compile(signature)
        (result,) = dispatcher.overloads.values()
        return result

    def _plain(self, *args):
        self.py_func(*[flat(a) if isinstance(a, np.ndarray) else a for a in args])


def _locked(run, lock):
    """`run` by one Python thread at a time."""

    def locked(*args):
        with lock:
            return run(*args)

    return locked


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
