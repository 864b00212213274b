"""One thread count for Numba's parallel kernels and for BLAS, and what keeps threads safe after a
fork.
"""

import os
import threading
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.np.ufunc import parallel as numba_parallel
from threadpoolctl import ThreadpoolController

from ...core.plans import clear_plans
from . import entry

_config: Any = numba.config  # sets its names at run time
# GNU OpenMP's threads spin for milliseconds before they sleep, and take the cores from each other
# and from BLAS. A LeNet step on 2 threads: 7.9 ms spinning, 3.1 with this; with one core busy, 74
# and 7.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "100")

_count: list[int] = []
_forked = [False]
_layer_lock = threading.Lock()
_blas: list[ThreadpoolController] = []


def get_num_threads() -> int:
    """How many threads a parallel kernel uses."""
    if not _count:
        _count.append(_config.NUMBA_NUM_THREADS)
    return 1 if _forked[0] else _count[0]


def set_num_threads(num: int) -> None:
    """Use `num` threads for kernels and BLAS; more than the machine's cores (or NUMBA_NUM_THREADS)
    are not started.
    """
    if isinstance(num, bool) or not isinstance(num, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(num).__name__}")
    if num <= 0:
        raise RuntimeError(f"set_num_threads: expected a positive number of threads, but got {num}")
    num = min(num, _config.NUMBA_NUM_THREADS)
    _count[:] = [num]
    numba.set_num_threads(num)
    start()
    entry.thread_count.value = get_num_threads()
    limit_blas(num)
    clear_plans()  # some kernels were told how many workers there are


def limit_blas(num: int) -> None:
    """Tell every BLAS that is loaded in this process how many threads to use."""
    if not _blas:
        _blas.append(ThreadpoolController())
    _blas[0].limit(limits=num, user_api="blas")


def start():
    """Let kernels use several threads. Gives a lock that a parallel call must hold, or None: only
    Numba's `workqueue` layer is not thread-safe.
    """
    if not entry.parallel_for.value and get_num_threads() > 1:
        layer()
        entry.parallel_for.value = llvm.address_of_symbol("numba_parallel_for")
        entry.thread_count.value = get_num_threads()
    return _layer_lock if entry.parallel_for.value and layer() == "workqueue" else None


def layer() -> str:
    """The name of Numba's threading layer (omp, tbb or workqueue), which is loaded if need be."""
    numba_parallel._launch_threads()
    return numba.threading_layer()


def _after_fork_in_child() -> None:
    # GNU OpenMP kills a forked child at its first parallel region, so a child does all itself.
    _forked[0] = True
    entry.thread_count.value = 1
    clear_plans()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
