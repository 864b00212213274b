"""functionalize and debug_unwrap."""

import functools

from ..core.batching import Batch
from ..core.tensor import Tensor


def functionalize(func, *, remove="mutations"):
    """`func` without in-place changes of anything but its own inputs, which get their new values.

    Recording, batching and differentiation of in-place changes need no other program here: they
    are ops like all others, so the function itself has these properties already.
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. "
            "Valid options are:\n remove='mutations': all inplace and out= operators will be "
            "removed from the program, and replaced with their out-of-place equivalents.\n "
            "remove='mutations_and_views': In addition to the above, all aliasing operators {view} "
            "will be replaced with their non-aliasing counterparts, {view}_copy.\n"
        )

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        return func(*args, **kwargs)

    return wrapped


def debug_unwrap(tensor, *, recurse=True):
    """The physical tensor below a batched one; below all levels if `recurse`. Other tensors as they
    are. For debugging only: what is computed with it escapes the transform.
    """
    if not isinstance(tensor, Tensor):
        raise ValueError(f"debug_unwrap(tensor): expected a Tensor, got {type(tensor)}")
    while tensor._array.__class__ is Batch:
        tensor = tensor._array.tensor
        if not recurse:
            break
    return tensor
