"""Exceptions of the CUDA backend that code without a GPU may name, too (imports no numba)."""


class OutOfMemoryError(RuntimeError):
    """The device has too little free memory."""
