"""NVIDIA GPUs, by torch.cuda's names.

Importing this module imports neither numba nor a driver; the first question about a device does.
Where there is no GPU the questions that can be answered are (`is_available()` is False,
`device_count()` is 0, `empty_cache()` does nothing), and the others raise RuntimeError. The modes
without a GPU (see backends/cuda/compat.py) count as one device.
"""

import contextlib
import functools
import importlib
from typing import Any, NamedTuple

from .backends.cuda.errors import OutOfMemoryError
from .core import random as _random
from .core.device import device as _device

__all__ = [
    "Event", "OutOfMemoryError", "Stream", "current_device", "current_stream", "default_stream",
    "device", "device_count", "device_of", "empty_cache", "get_arch_list",
    "get_device_capability", "get_device_name", "get_device_properties", "get_rng_state",
    "get_rng_state_all", "init", "initial_seed", "ipc_collect", "is_available",
    "is_bf16_supported", "is_initialized", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_reserved", "mem_get_info", "memory_allocated",
    "memory_reserved", "reset_peak_memory_stats", "seed", "seed_all", "set_device",
    "set_rng_state", "set_rng_state_all", "stream", "synchronize",
]  # fmt: skip


@functools.cache
def _backend(name: str) -> Any:
    # Not imported at the top: that would import numba, which takes 0.3 s.
    return importlib.import_module(f"numtorch.backends.cuda.{name}")


def _index(value) -> int:
    """A device argument (None, int, str, device) as an index."""
    if value is None:
        return current_device()
    found = value if isinstance(value, int) else _device(value)
    if isinstance(found, int):
        index = found
    elif found.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {found}")
    else:
        index = current_device() if found.index is None else found.index
    _backend("memory").check_available(index)
    return index


# -- devices -----------------------------------------------------------------------------------
def is_available() -> bool:
    """Whether tensors can be made on "cuda"."""
    return _backend("compat").MODE != "none"


def device_count() -> int:
    """How many GPUs there are."""
    return _backend("memory").count()


def init() -> None:
    """Start the CUDA driver (which happens by itself at first use); RuntimeError without a GPU."""
    _backend("compat").require()


def is_initialized() -> bool:
    """Whether CUDA has been used by this process."""
    return _backend.cache_info().currsize > 0 and is_available()


def current_device() -> int:
    """The index of the device in use."""
    return _backend("memory").current()


def set_device(device) -> None:
    """Use another device from now on."""
    index = _index(device)
    if _backend("compat").MODE == "device":
        _backend("compat").cuda.select_device(index)


class device:  # noqa: N801 (torch's name)
    """A context manager that uses another device: `with cuda.device(1): ...`."""

    def __init__(self, device) -> None:
        self.idx = _index(device)

    def __enter__(self) -> None:
        self._context = _backend("memory").on(self.idx)
        self._context.__enter__()

    def __exit__(self, *exc) -> None:
        self._context.__exit__(*exc)


class device_of(device):  # noqa: N801 (torch's name)
    """Use the device of a tensor; of a CPU tensor, keep the device."""

    def __init__(self, obj) -> None:
        super().__init__(obj.device if obj.device.type == "cuda" else None)


def synchronize(device=None) -> None:
    """Wait until the device has finished its work."""
    _backend("memory").synchronize(_index(device))


class DeviceProperties(NamedTuple):
    """What a GPU is, by torch's names."""

    name: str
    major: int
    minor: int
    total_memory: float
    multi_processor_count: int
    warp_size: int = 32


def get_device_properties(device=None) -> DeviceProperties:
    """Name, compute capability, bytes of memory and number of multiprocessors."""
    index = _index(device)
    compat = _backend("compat")
    if compat.MODE != "device":
        name = {"simulator": "CUDA simulator", "ptx": "CUDA dry mode (compiles, computes nothing)"}
        return DeviceProperties(name[compat.MODE], *compat.CC, float("inf"), 1)
    gpu = compat.cuda.gpus[index]
    name = gpu.name.decode() if isinstance(gpu.name, bytes) else gpu.name
    total = _backend("memory").free_and_total(index)[1]
    return DeviceProperties(name, *gpu.compute_capability, total, gpu.MULTIPROCESSOR_COUNT)


def get_device_name(device=None) -> str:
    """The GPU's name, such as "NVIDIA H200"."""
    return get_device_properties(device).name


def get_device_capability(device=None) -> tuple[int, int]:
    """The GPU's compute capability, such as (9, 0)."""
    found = get_device_properties(device)
    return found.major, found.minor


def get_arch_list() -> list[str]:
    """The architectures that kernels are compiled for: that of each GPU, when it is first used."""
    found = {get_device_capability(i) for i in range(device_count())}
    return [f"sm_{major}{minor}" for major, minor in sorted(found)]


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether there are bfloat16 tensors: not yet."""
    return False


# -- memory ------------------------------------------------------------------------------------
def memory_allocated(device=None) -> int:
    """Bytes in use by tensors; 0 without a GPU."""
    return _backend("memory").allocated(_index(device)) if is_available() else 0


def max_memory_allocated(device=None) -> int:
    """The most bytes that tensors used at once; 0 without a GPU."""
    return _backend("memory").peak(_index(device)) if is_available() else 0


def reset_peak_memory_stats(device=None) -> None:
    """Start `max_memory_allocated` anew."""
    _backend("memory").peak(_index(device), reset=True)


def memory_reserved(device=None) -> int:
    """Bytes held for tensors: those in use, as freed memory is not kept."""
    return memory_allocated(device)


def max_memory_reserved(device=None) -> int:
    """The most bytes held at once."""
    return max_memory_allocated(device)


def mem_get_info(device=None) -> tuple[int, int]:
    """Bytes that are free on the device, and that it has."""
    return _backend("memory").free_and_total(_index(device))


def empty_cache() -> None:
    """Give freed memory back to the driver at once; nothing without a GPU."""
    if is_available():
        _backend("memory").empty_cache()


def ipc_collect() -> None:
    """Memory of other processes is never held: there is nothing to release."""


# -- random numbers ----------------------------------------------------------------------------
def _generator(device):
    return _random.default_for(_device("cuda", _index(device)))


def manual_seed(seed: int) -> None:
    """Seed the generator of the current device; without a GPU, those of GPUs to come."""
    if is_available():
        _generator(None).manual_seed(int(seed))
    else:
        _random.seed_cuda(int(seed))


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all devices."""
    _random.seed_cuda(int(seed))


def seed() -> None:
    """Seed the generator of the current device with a random number."""
    _generator(None).seed()


def seed_all() -> None:
    """Seed the generators of all devices with one random number."""
    manual_seed_all(_random.Generator().seed())


def initial_seed() -> int:
    """The seed of the current device's generator."""
    return _generator(None).initial_seed()


def get_rng_state(device="cuda"):
    """The state of a device's generator, as a uint8 tensor."""
    return _generator(device).get_state()


def set_rng_state(new_state, device="cuda") -> None:
    """Set the state of a device's generator."""
    _generator(device).set_state(new_state)


def get_rng_state_all() -> list:
    """The states of all devices' generators."""
    return [get_rng_state(i) for i in range(device_count())]


def set_rng_state_all(new_states) -> None:
    """Set the states of all devices' generators."""
    for i, state in enumerate(new_states):
        set_rng_state(state, i)


# -- streams -----------------------------------------------------------------------------------
def Event(enable_timing=False, blocking=False, interprocess=False):  # noqa: N802
    """A point in the device's work: `record()`, `synchronize()`, `elapsed_time(other)` in ms."""
    return _backend("stream").Event(enable_timing, blocking)


def Stream(device=None, priority: int = 0):  # noqa: N802 (torch's name)
    """A queue of device work; all work is issued to the default one, in program order."""
    return _backend("stream").Stream(_index(device), priority)


def current_stream(device=None):
    """The stream that work is issued to."""
    return Stream(device)


def default_stream(device=None):
    """The stream that work is issued to unless another is chosen."""
    return Stream(device)


@contextlib.contextmanager
def stream(stream):
    """Issue work to another stream; as there is only one, the block just runs."""
    yield stream
