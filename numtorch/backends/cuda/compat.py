"""The only file that imports a CUDA jit, and the decision where CUDA code runs in this process.

`MODE` is
* `"device"`: a GPU and its driver are there;
* `"simulator"`: `NUMBA_ENABLE_CUDASIM=1` was set before numba was imported; kernels run as Python
  threads, slowly (numba has a simulator, numba-cuda another; both work, so it needs no package);
* `"ptx"`: `NUMTORCH_CUDA=ptx`; memory is NumPy's, a launch checks its arguments and computes
  nothing, but every kernel is compiled to PTX (sm_90), which needs numba-cuda and its toolkit but
  neither GPU nor driver;
* `"none"`: none of these; every use raises `no_gpu()`.
"""

import os
import types

import numba
import numpy as np

if (
    "row_stack" not in np.__dict__
):  # NumPy 2.5 removed it, numba-cuda 0.30 names it when it is first used
    np.row_stack = np.vstack

from numba import cuda

if numba.config.ENABLE_CUDASIM:  # the simulator has neither intrinsics nor a use for them
    intrinsic = None
else:
    from numba.cuda.extending import intrinsic

__all__ = ["CC", "MODE", "cuda", "intrinsic", "no_gpu", "require"]

CC = (9, 0)  # compute capability that the dry mode compiles for
HINT = (
    'Install numtorch with its CUDA extra (pip install "numtorch[cuda]") on a machine with an '
    "NVIDIA driver; NUMBA_ENABLE_CUDASIM=1 runs CUDA kernels in a (slow) simulator."
)


def _find_mode() -> str:
    if os.environ.get("NUMTORCH_CUDA") == "ptx":
        if numba.config.ENABLE_CUDASIM:
            raise RuntimeError(
                "NUMTORCH_CUDA=ptx compiles kernels, and NUMBA_ENABLE_CUDASIM=1 prevents it: "
                "unset one of the two"
            )
        # Device helpers are compiled for the current device, wherever the kernel is compiled for.
        cuda.dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=CC)
        return "ptx"
    if numba.config.ENABLE_CUDASIM:
        return "simulator"
    return "device" if cuda.is_available() else "none"


MODE = _find_mode()
numba.config.CUDA_LOW_OCCUPANCY_WARNINGS = (
    0  # small tensors are launched in small grids, on purpose
)


def no_gpu() -> RuntimeError:
    """The error of everything that needs a GPU where there is none."""
    return RuntimeError(f"No CUDA GPUs are available. {HINT}")


def require() -> None:
    """Raise `no_gpu()` unless CUDA code can run, be simulated or be compiled here."""
    if MODE == "none":
        raise no_gpu()
