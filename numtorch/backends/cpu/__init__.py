"""The CPU: NumPy memory, Numba kernels, one thread count for Numba and BLAS."""

from ...core.plans import clear_plans

_winograd = [True]


def winograd_enabled() -> bool:
    """Whether 3x3 convolutions may use Winograd's algorithm: see `enable_winograd`."""
    return _winograd[0]


def enable_winograd(enabled: bool) -> None:
    """Let float32 convolutions with 3x3 kernels and stride 1 use Winograd's algorithm where it is
    clearly faster (the default), or not.

    It takes a quarter of the multiplications, and rounds more: the largest error over the largest
    output is below 2e-5, that of the direct convolution below 2e-6. An infinity or a NaN in the
    input reaches all 16 outputs of a tile. ops/conv/winograd.py has the algorithm and the rule.
    """
    _winograd[0] = bool(enabled)
    clear_plans()  # a plan has chosen the algorithm
