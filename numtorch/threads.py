"""Thread counts, without importing Numba before it is needed."""

import importlib


def _backend():
    return importlib.import_module("numtorch.backends.cpu.threads")


def get_num_threads() -> int:
    """How many threads kernels and BLAS use on the CPU."""
    return _backend().get_num_threads()


def set_num_threads(num: int) -> None:
    """Set how many threads kernels and BLAS use on the CPU."""
    _backend().set_num_threads(num)
