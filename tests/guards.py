"""Runs every sample in memory between forbidden pages: `python -m tests.guards after|before`.

Kernels get raw pointers, so nothing in them tests a bound. Here each input, result and gradient
ends at the last byte before a page that may not be touched ("after"), or begins at the first byte
behind one ("before"): the first read or write outside ends the process, and the last line printed
names the sample. With `NUMBA_BOUNDSCHECK=1` plain loops test every index, too, those into tables
and work memory included, and raise IndexError.
"""

import ctypes
import mmap
import sys
import warnings

import numpy as np

import numtorch as nt
from numtorch.backends.cpu import memory
from numtorch.core.plans import clear_plans
from tests.samples import build

PAGE = mmap.PAGESIZE
_libc = ctypes.CDLL(None, use_errno=True)


def guarded(shape, dtype, side: str) -> np.ndarray:
    """Uninitialized memory with forbidden pages around it, flush with the one at `side`."""
    dtype = np.dtype(dtype)
    nbytes = int(np.prod(shape)) * dtype.itemsize
    inner = -(-max(nbytes, 1) // PAGE) * PAGE
    pages = mmap.mmap(-1, inner + 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for page in (start, start + PAGE + inner):
        if _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = PAGE if side == "before" else PAGE + inner - nbytes
    return np.ndarray(shape, dtype, pages, offset)


def sample_runs(sample, case, dtype, side):
    """Forward, and backward where the sample has a gradient."""

    def make(array):
        memory_ = guarded(array.shape, array.dtype, side)
        memory_[...] = array
        return nt.from_numpy(memory_)

    args, kwargs = build.arrays(case, dtype)
    args, kwargs = build.convert(args, make), build.convert(kwargs, make)
    every = build.tensors_in((args, list(kwargs.values())), nt.Tensor)
    if sample.grad and dtype.startswith("float"):
        for t, wanted in zip(every, build.wants_grad(case), strict=True):
            if wanted and t.is_floating_point():
                t.requires_grad_()
    results = build.tensors_in(build.find(nt, sample.name)(*args, **kwargs), nt.Tensor)
    recorded = [r for r in results if r.requires_grad]
    if recorded:
        nt.autograd.backward(recorded, [nt.ones_like(r) for r in recorded])


def run(side: str) -> int:
    """All samples; how many ran."""
    memory.allocator = lambda spec: lambda: guarded_spec(spec, side)
    memory.empty = lambda spec: guarded_spec(spec, side)
    clear_plans()
    warnings.simplefilter("ignore")
    count = 0
    for name, sample, case, dtype in build.cases(build.all_samples()):
        print(name, flush=True)  # noqa: T201 (a program)
        sample_runs(sample, case, dtype, side)
        count += 1
    return count


def guarded_spec(spec, side: str) -> np.ndarray:
    """Guarded memory for a tensor, permuted ones included."""
    flat = guarded((spec.numel,), spec.dtype.np, side)
    return memory.viewer(spec)(flat, 0)


if __name__ == "__main__":
    print(f"ran {run(sys.argv[1])} samples")  # noqa: T201
