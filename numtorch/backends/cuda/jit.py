"""`@kernel` and `@inline`: the only places where GPU code is handed to a CUDA jit.

A kernel is a plain Python function over flat arrays and numbers. Each thread strides through the
elements, so that any grid is right and big tensors need no big grid:

    from ...backends.cuda.jit import cuda, grid, inline, kernel

    @inline
    def at_least(x, low):
        return x if x > low or x != x else low     # max(x, low) would lose a NaN: here it is fmaxf

    @kernel
    def relu_rows(x, out, n):
        \"\"\"out = max(x, 0). One thread owns every gridsize-th element.\"\"\"
        zero = x.dtype.type(0)
        for i in range(cuda.grid(1), n, cuda.gridsize(1)):
            out[i] = at_least(x[i], zero)

    def relu_op(input, out):                         # in ops/<room>/cuda.py: Specs in, function out
        n = input.numel
        launch = relu_rows.compile(input, out, n)[grid(n)]
        return lambda x, y: launch(x, y, n)

Arguments. A Spec or array gives a one-dimensional C-contiguous device array that starts at the
tensor's first element, an int int64, a float float64, a bool boolean, None `none` (so that
`if bias is not None:` is decided while compiling). Small tables of geometry are device arrays, made
once in the launcher: `memory.from_host(np.array(..., np.int64))`.

Rules. Element type `T = x.dtype.type`; constants as `T(0.5)`, or `like(x, 0.5)` in helpers, whole
ones and those in comparisons, too (float32 with int64 is float64 in Numba), else float64 sneaks in,
64 times slower on most GPUs: `ptxas.doubles(ptx)` finds it. `max` and `min` of floats ignore NaN:
compare. `math.*` has IEEE results: exp(1000) is inf, also in the simulator. The sizes of
`cuda.shared.array(THREADS, x.dtype)` must be constants: use `THREADS` (256; 8 in the simulator) and
`TILE` (16; 4), so that simulated tests stay fast. `cuda.syncthreads()` must run equally often in
all threads of a block. No warp intrinsics (the simulator has none), no float atomics where a fixed
order is affordable (same numbers in every run).

Modes: see compat.py. In the simulator a kernel runs as Python; in the dry mode `compile` makes PTX
(see `DryVariant.ptx` and ptxas.py).
"""

import functools
import inspect
import math
import threading

import numba
import numpy as np
from numba.core import types

from ...core.profiling import FUNCTION, span
from . import ieee
from .compat import CC, MODE, cuda, intrinsic, require

__all__ = ["KERNELS", "MODE", "THREADS", "TILE", "bind", "cuda", "grid", "inline", "kernel", "like"]

SIMULATED = MODE == "simulator"
THREADS = (
    8 if SIMULATED else 256
)  # threads of a block; the simulator starts a Python thread for each
TILE = 4 if SIMULATED else 16  # side of a square block of threads
MAX_BLOCKS = 2 if SIMULATED else 4096  # beyond 2**20 threads a grid only costs scheduling
LIMITS = ((2**31 - 1, 65535, 65535), (1024, 1024, 64))  # blocks and threads along x y z
WIDENED = {(types.int64, types.float64), (types.boolean, types.int64)}  # given -> compiled for
KERNELS: list["Kernel"] = []
_lock = threading.Lock()


def grid(n: int, threads: int = THREADS) -> tuple[int, int]:
    """(blocks, threads) for `n` pieces of work with a grid-stride loop; never an empty grid."""
    return max(1, min(MAX_BLOCKS, -(-n // threads))), threads


def inline(function):
    """Mark a helper that kernels (and other helpers) call on the device."""
    if SIMULATED:
        ieee.register(function)
    return cuda.jit(device=True)(function)


if SIMULATED:

    def like(x, value):
        """The constant `value` in the type of the scalar `x`."""
        return type(x)(value)

else:

    @intrinsic
    def like(typing_context, x, value):
        """The constant `value` in the type of the scalar `x`."""
        target, source = types.unliteral(x), types.unliteral(value)

        def emit(context, builder, sig, args):
            return context.cast(builder, args[1], source, target)

        return target(target, source), emit


def element_type(dtype: np.dtype) -> types.Type:
    """The Numba type of one element."""
    return types.boolean if dtype == np.bool_ else numba.from_dtype(dtype)


@functools.cache
def array_type(dtype: np.dtype) -> types.Array:
    """The Numba type of flat device memory that holds `dtype`."""
    return types.Array(element_type(dtype), 1, "C")


def argument_type(example) -> types.Type:
    """The Numba type of an argument: an array, a number as int64 or float64, none."""
    if example is None:
        return types.none
    if isinstance(example, bool):
        return types.boolean
    if isinstance(example, int):
        return types.int64
    if isinstance(example, float):
        return types.float64
    dtype = example.dtype
    return array_type(dtype if isinstance(dtype, np.dtype) else dtype.np)


class Kernel:
    """A function over flat device arrays and numbers, compiled when its argument types are new."""

    source: str  # of generated kernels

    def __init__(self, py_func) -> None:
        self.py_func = py_func
        self.variants: dict[tuple, Variant] = {}
        functools.update_wrapper(self, py_func)
        KERNELS.append(self)

    def compile(self, *examples) -> "Variant":
        """What `[blocks, threads]` configures for a launch with arguments typed like `examples`."""
        key = tuple(map(argument_type, examples))
        found = self.variants.get(key)
        if found is None:
            require()
            names = list(inspect.signature(self.py_func).parameters)
            if len(names) != len(key):
                raise TypeError(
                    f"kernel {self.__name__}({', '.join(names)}) cannot take {len(key)} arguments"
                )
            with _lock, span(f"numba::compile {self.__name__}", FUNCTION):
                found = self.variants[key] = BUILD[MODE](self.py_func, key)
        return found


class Variant:
    """A kernel on the GPU, compiled for one combination of argument types."""

    def __init__(self, py_func, signature: tuple) -> None:
        self.py_func, self.signature = py_func, signature
        extensions = [_NoneArgument()] if types.none in signature else []
        self._dispatcher = cuda.jit(extensions=extensions)(py_func)
        self._dispatcher.compile(signature)
        self._dispatcher.disable_compile()

    def __getitem__(self, config: tuple):
        """The function that launches the kernel on (blocks, threads), each an int or a tuple."""
        return self._dispatcher[config]


class _NoneArgument:
    """Passes None as the null pointer that it is in a compiled kernel's parameter list."""

    def prepare_args(self, ty, val, stream, retr):
        return (types.uintp, 0) if ty is types.none else (ty, val)


class CheckedVariant:
    """What the two modes without a GPU share: they refuse launches that would fail on one."""

    def __init__(self, py_func, signature: tuple) -> None:
        self.py_func, self.signature = py_func, signature

    def __getitem__(self, config: tuple):
        sizes = [c if isinstance(c, tuple) else (c,) for c in config[:2]]
        within = (
            all(1 <= n <= most for s, limits in zip(sizes, LIMITS, strict=True)
                for n, most in zip(s, limits, strict=False))
            and math.prod(sizes[1]) <= LIMITS[1][0]
        )  # fmt: skip
        if not within:
            raise ValueError(
                f"kernel {self.py_func.__name__}: a GPU cannot launch {config[0]} blocks of "
                f"{config[1]} threads"
            )
        return functools.partial(self._checked, config)

    def _checked(self, config: tuple, *args) -> None:
        name = self.py_func.__name__
        if len(args) != len(self.signature):
            raise TypeError(
                f"kernel {name} takes {len(self.signature)} arguments, but {len(args)} were given"
            )
        for i, (wanted, arg) in enumerate(zip(self.signature, args, strict=True)):
            found = argument_type(arg.item() if isinstance(arg, np.generic) else arg)
            flat = not isinstance(found, types.Array) or arg.ndim == 1
            if flat and (found == wanted or (found, wanted) in WIDENED):
                continue
            given = found if flat else f"{found.dtype} in {arg.ndim} dimensions"
            raise TypeError(
                f"kernel {name}: argument {i} was compiled as {wanted}, but is {given} now"
            )
        self.launch(config, args)

    def launch(self, config: tuple, args: tuple) -> None:
        """Run the kernel (the dry mode does not)."""


class SimulatedVariant(CheckedVariant):
    """A kernel that runs as Python, one thread of the interpreter for each thread of a block."""

    def __init__(self, py_func, signature: tuple) -> None:
        super().__init__(py_func, signature)
        ieee.register(py_func)
        self._fake = cuda.jit(ieee.quiet(py_func))

    def launch(self, config: tuple, args: tuple) -> None:
        with _lock, ieee.swapped():  # the simulator keeps a launch in one global
            self._fake[config](*args)


class DryVariant(CheckedVariant):
    """A kernel that is compiled to PTX and never runs; `ptx` is the text."""

    def __init__(self, py_func, signature: tuple) -> None:
        super().__init__(py_func, signature)
        self.ptx, _ = cuda.compile_ptx(py_func, signature, cc=CC, device=False)


BUILD = {"device": Variant, "simulator": SimulatedVariant, "ptx": DryVariant}


def kernel(function) -> Kernel:
    """Make a kernel of a function over flat device arrays and numbers."""
    return Kernel(function)


_binders: dict = {}


def bind(run, count: int, *constants):
    """`run` with its last arguments filled in; `count` arrays come before them."""
    key = count, len(constants)
    code = _binders.get(key)
    if code is None:
        given = ", ".join(f"x{i}" for i in range(count))
        bound = ", ".join(f"c{i}" for i in range(len(constants)))
        text = f"def bound({given}):\n    run({given}, {bound})"
        code = _binders[key] = compile(text, "<numtorch bind>", "exec")
    scope = {"run": run, **{f"c{i}": c for i, c in enumerate(constants)}}
    exec(code, scope)
    return scope["bound"]
