"""Device memory as flat one-dimensional arrays: allocation, transfers, views.

A tensor's array begins at its first element; shape and strides are in its Spec. In the simulator
the arrays are numba's stand-ins for device arrays, in the dry mode plain NumPy arrays.
"""

import contextlib
import math
import weakref

import numpy as np

from ...core.shape import extent
from ...core.spec import Spec
from . import traps
from .compat import MODE, cuda, no_gpu, require
from .errors import OutOfMemoryError

DRY = MODE == "ptx"
_count: list[int] = []
_held: dict[int, list[int]] = {}  # device -> [bytes in use, most bytes in use]


# -- devices -----------------------------------------------------------------------------------
def count() -> int:
    """How many devices there are; the simulator and the dry mode are one."""
    if not _count:
        _count.append(len(cuda.gpus) if MODE == "device" else int(MODE != "none"))
    return _count[0]


def check_available(index: int | None) -> None:
    """Raise unless the device is there."""
    require()
    if not 0 <= (index or 0) < count():
        raise RuntimeError(
            f"CUDA error: invalid device ordinal: cuda:{index}, but the number of devices is "
            f"{count()}"
        )


def current() -> int:
    """The device that kernels run on."""
    if MODE == "none":
        raise no_gpu()
    return cuda.current_context().device.id if MODE == "device" else 0


def on(index: int | None):
    """A context manager that makes `index` the current device."""
    check_available(index)
    if count() == 1:  # entering numba's context manager costs as much as an allocation
        return contextlib.nullcontext()
    return cuda.gpus[index or 0]


def synchronize(index: int | None = None) -> None:
    """Wait until the device has finished its work."""
    index = current() if index is None else index
    with on(index):
        if not DRY:
            cuda.synchronize()
    traps.check(index)


# -- memory of tensors -------------------------------------------------------------------------
def empty(spec: Spec):
    """A new flat array for `spec`; its contents are undefined (zeros in the dry mode)."""
    return block(extent(spec.shape, spec.strides), spec.dtype.np, spec.device.index)


def allocator(spec: Spec):
    """A function without arguments that makes memory for `spec`: what a plan calls."""
    numel, dtype, index = extent(spec.shape, spec.strides), spec.dtype.np, spec.device.index
    return lambda: block(numel, dtype, index)


def view(root, spec: Spec, offset: int):
    """The part of a storage's memory that a view sees; `offset` in elements of the view's dtype."""
    return viewer(spec)(root, offset)


def viewer(spec: Spec):
    """`view` for one spec: a function of the root and the offset."""
    dtype = spec.dtype.np

    def see(root, offset):
        if root.dtype != dtype:
            root = root.view(dtype)
        return root[offset:] if offset else root

    return see


def from_numpy(array: np.ndarray, spec: Spec):
    """A new flat array with the numbers of a NumPy array, in the layout of `spec`."""
    return from_host(_laid_out(array, spec), spec.device.index)


def write(target, array: np.ndarray, spec: Spec) -> None:
    """Copy the numbers of a NumPy array to device memory, in the layout of `spec`."""
    host = _laid_out(array, spec)
    if DRY:
        target[: host.size] = host
    elif host.size:
        target[: host.size].copy_to_device(host)


def _laid_out(array: np.ndarray, spec: Spec) -> np.ndarray:
    if spec.contiguous:
        return np.ascontiguousarray(array).reshape(-1)
    host = np.zeros(extent(spec.shape, spec.strides), spec.dtype.np)
    _strided(host, spec)[...] = array
    return host


def to_numpy(array, spec: Spec) -> np.ndarray:
    """A new NumPy array with a tensor's numbers, in the tensor's layout."""
    traps.check(spec.device.index)
    span = extent(spec.shape, spec.strides)
    if not span:
        return np.empty(spec.shape, spec.dtype.np)
    return _strided(array[:span].copy() if DRY else array[:span].copy_to_host(), spec)


def _strided(host: np.ndarray, spec: Spec) -> np.ndarray:
    item = spec.dtype.itemsize
    return np.lib.stride_tricks.as_strided(host, spec.shape, tuple(s * item for s in spec.strides))


def copy(source, target, numel: int) -> None:
    """Copy the first `numel` elements from one flat array to another of the same dtype."""
    if DRY:
        target[:numel] = source[:numel]
    elif numel:
        target[:numel].copy_to_device(source[:numel])


def pointer(array) -> int:
    """The address of the first element."""
    if MODE == "device":
        return array.device_ctypes_pointer.value or 0
    return (array if DRY else array._ary).ctypes.data


# -- flat arrays -------------------------------------------------------------------------------
def block(numel: int, dtype: np.dtype, index: int | None = None):
    """A new flat array without a Spec: scratch memory of a launcher, too."""
    if DRY:
        array = np.zeros(numel, dtype)
    else:
        with on(index), _memory_errors(numel * dtype.itemsize, index):
            array = cuda.device_array(numel, dtype)
    return _account(array, numel * dtype.itemsize, index)


def from_host(host, index: int | None = None):
    """A new flat array with the elements of a NumPy array in row-major order."""
    host = np.ascontiguousarray(host).reshape(-1)
    if DRY:
        array = host.copy()
    else:
        with on(index), _memory_errors(host.nbytes, index):
            array = cuda.to_device(host)
    return _account(array, host.nbytes, index)


@contextlib.contextmanager
def _memory_errors(nbytes: int, index: int | None):
    try:
        yield
    except cuda.cudadrv.driver.CudaAPIError as error:
        if "OUT_OF_MEMORY" not in str(error):
            raise
        free, total = free_and_total(index)
        raise OutOfMemoryError(
            f"CUDA out of memory. Tried to allocate {nbytes / 2**20:.2f} MiB. GPU {index or 0} has "
            f"a total capacity of {total / 2**30:.2f} GiB of which {free / 2**30:.2f} GiB is free; "
            f"tensors of this process use {allocated(index or 0) / 2**30:.2f} GiB."
        ) from error


# -- statistics --------------------------------------------------------------------------------
def allocated(index: int = 0) -> int:
    """Bytes in use by tensors on a device."""
    return _held.get(index, (0, 0))[0]


def peak(index: int = 0, reset: bool = False) -> int:
    """The most bytes that were in use at once, since the start or the last reset."""
    held = _held.setdefault(index, [0, 0])
    most = held[1]
    if reset:
        held[1] = held[0]
    return most


def free_and_total(index: int | None = None) -> tuple[int, int]:
    """Bytes that are free on the device, and that it has; (inf, inf) where there is no GPU."""
    with on(index):
        if MODE == "device":
            return tuple(cuda.current_context().get_memory_info())
    return (math.inf, math.inf)


def empty_cache() -> None:
    """Give blocks that wait to be freed back to the driver (none are kept longer)."""
    if MODE == "device":
        cuda.current_context().deallocations.clear()


def _account(array, nbytes: int, index: int | None):
    held = _held.setdefault(index or 0, [0, 0])
    held[0] += nbytes
    held[1] = max(held)
    weakref.finalize(array, _released, held, nbytes).atexit = False
    return array


def _released(held: list[int], nbytes: int) -> None:
    held[0] -= nbytes
