"""Errors that kernels find, such as an index out of bounds, and that Python raises later.

Waiting for each kernel would cost more than most kernels do. So a kernel that finds an error writes
a number to the device's trap, and the next transfer to the host, or `synchronize`, raises it. In
the simulator it is raised at once.

    slot = traps.slot(lambda value: IndexError(f"index {value} is out of bounds"))   # launcher
    spring(trap, slot, index)                                                        # in the kernel
    trap = traps.trap(device)                                                        # an argument
    traps.arm(device)                                                                # after launch
"""

import numpy as np

from .compat import MODE, cuda
from .jit import inline

__all__ = ["arm", "check", "slot", "spring", "trap"]

_errors: list = []  # a slot is a position in this list
_traps: dict[int, object] = {}
_armed: set[int] = set()


@inline
def spring(trap, slot, value):
    """Remember an error and the value that it names (any of those that several threads find)."""
    trap[1] = value
    trap[0] = slot


def slot(error) -> int:
    """A number for an error; `error` makes the exception from the value that a kernel found."""
    _errors.append(error)
    return len(_errors)


def trap(index: int | None):
    """The device's trap: two int64, a slot (0 for none) and a value."""
    found = _traps.get(index or 0)
    if found is None:
        zeros = np.zeros(2, np.int64)
        found = _traps[index or 0] = zeros if MODE == "ptx" else cuda.to_device(zeros)
    return found


def arm(index: int | None) -> None:
    """Have the next `check` look at the trap: a kernel that may spring it was launched."""
    _armed.add(index or 0)
    if MODE == "simulator":
        check(index)


def check(index: int | None) -> None:
    """Raise what a kernel found. Waits for the device if a kernel might have found something."""
    if (index or 0) not in _armed:
        return
    _armed.discard(index or 0)
    if MODE == "ptx":
        return
    found, value = trap(index).copy_to_host().tolist()
    if found:
        trap(index).copy_to_device(np.zeros(2, np.int64))
        raise _errors[found - 1](value)
