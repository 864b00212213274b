"""The CPU's memory: ndarrays, and a cache of large blocks.

Fresh pages cost more than most kernels: an addition into 64 MB takes 16 ms in memory from the
system and 9.6 ms in memory that was used before. Blocks below `SMALL` come from NumPy, which caches
them well; larger ones are kept when their last tensor goes, up to `LIMIT` bytes, and given to the
next tensor of that size class.
"""

import sys

import numpy as np

from ...core.spec import Spec
from . import views

SMALL = 1 << 20  # bytes; below it np.empty is as fast as reuse
LIMIT = 1 << 30  # bytes kept for reuse
LINE = 64  # bytes of a cache line: large blocks begin with one, so that no vector lies in two

_free: dict[int, list[tuple[np.ndarray, int]]] = {}
_kept = [0]
_busy = [0]


def _size_class(nbytes: int) -> int:
    """Sizes are rounded up by at most an eighth, so that similar tensors share blocks."""
    step = 1 << max(nbytes.bit_length() - 4, 12)
    return -(-nbytes // step) * step


def empty(spec: Spec) -> np.ndarray:
    """Uninitialized contiguous memory for `spec`."""
    dtype = spec.dtype.np
    nbytes = spec.numel * dtype.itemsize
    if nbytes < SMALL:
        return np.empty(spec.shape, dtype)
    return large(spec.shape, dtype, nbytes)


def large(shape, dtype: np.dtype, nbytes: int) -> np.ndarray:
    """Memory from the cache, or from the system where no block of its size class is free."""
    size = _size_class(nbytes)
    try:
        raw, address = _free[size].pop()  # without a look before: another thread may be as fast
        _kept[0] -= size
    except (KeyError, IndexError):
        raw = np.empty(size + LINE, np.uint8)
        address = raw.ctypes.data
        address += -address % LINE
    _busy[0] += size
    return np.asarray(Block(raw, address, size, shape, dtype.str))


def _give_back(raw: np.ndarray, address: int, size: int) -> None:
    _busy[0] -= size
    if _kept[0] + size <= LIMIT and not sys.is_finalizing():
        _kept[0] += size
        _free.setdefault(size, []).append((raw, address))


class Block:
    """A large block in use, which goes back to the cache with the last array that sees it.

    Every view, of whatever depth, must keep the block: NumPy lets a view refer to the array that
    owns the memory and skips those between, but it does not look through a foreign object. This
    one costs 0.8 us; a `ctypes` array with a `weakref.finalize` took 4.2.
    """

    __slots__ = ("__array_interface__", "address", "raw", "size")

    def __init__(self, raw, address, size, shape, typestr) -> None:
        self.raw, self.address, self.size = raw, address, size
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "typestr": typestr,
            "version": 3,
        }

    def __del__(self, give_back=_give_back) -> None:
        give_back(self.raw, self.address, self.size)


def empty_cache() -> None:
    """Give cached memory back to the system."""
    _free.clear()
    _kept[0] = 0


def statistics() -> dict[str, int]:
    """Bytes in large blocks: in use by tensors, and kept for reuse."""
    return {"in_use": _busy[0], "kept": _kept[0]}


def allocator(spec: Spec):
    """A function without arguments that makes memory for `spec`: what a plan calls."""
    shape, dtype, nbytes = tuple(spec.shape), spec.dtype.np, spec.numel * spec.dtype.itemsize
    if not spec.contiguous:  # a dense tensor with permuted dimensions
        flat, see = allocator(Spec.of((spec.numel,), spec.dtype)), viewer(spec)
        return lambda: see(flat(), 0)
    if nbytes < SMALL:
        fresh = np.empty

        def small():
            return fresh(shape, dtype)

        # a plan inlines the call
        small.parts = fresh, shape, dtype  # type: ignore[attr-defined]
        return small
    return lambda: large(shape, dtype, nbytes)


def view(root: np.ndarray, spec: Spec, offset: int) -> np.ndarray:
    """The part of a storage's memory that a view sees; `offset` in elements of the view's dtype.
    ValueError where it leaves that memory.
    """
    shape, dtype, item = tuple(spec.shape), spec.dtype.np, spec.dtype.itemsize
    if not spec.numel:  # NumPy holds the strides of empty arrays against their memory, too
        return np.ndarray(shape, dtype)
    strides = tuple(s * item for s in spec.strides)
    try:
        return np.ndarray(shape, dtype, root, offset * item, strides)
    except ValueError:  # a root with permuted dimensions: its base is the flat memory
        return np.ndarray(shape, dtype, root.base, offset * item, strides)


def viewer(spec: Spec):
    """`view` for one spec whose place in the memory is known to be right, with everything prepared:
    a function of the root and the offset.
    """
    if not spec.numel or not views.available():
        return lambda root, offset: view(root, spec, offset)
    item = spec.dtype.itemsize
    return views.maker(spec.shape, spec.dtype.np, [s * item for s in spec.strides])


def from_numpy(array: np.ndarray, spec: Spec) -> np.ndarray:
    """An array's memory as a tensor's memory: the same object on the CPU."""
    return array


def to_numpy(array: np.ndarray, spec: Spec) -> np.ndarray:
    """A tensor's memory as an ndarray: the same object on the CPU."""
    return array


def check_available(index: int | None) -> None:
    """The CPU is always there."""


def synchronize(index: int | None = None) -> None:
    """CPU kernels have finished when they return."""
