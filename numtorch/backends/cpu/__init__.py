"""The CPU: NumPy memory, Numba kernels, one thread count for Numba and BLAS."""
