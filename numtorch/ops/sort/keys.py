"""Numbers as unsigned integers in the same order, in which the CPU sorts and selects.

An element of up to 32 bits and its index share one uint64, so that all keys of a line differ; a
wider element is a key by itself, and its index is moved along in a second array.
"""

import numpy as np

from ...backends.cpu.jit import inline
from ..reduce.loops import order_key32, order_key64

LAST32, LAST64 = np.int32(2**31 - 1), np.int64(2**63 - 1)  # the keys of NaN: above all others
F, D = np.float32, np.float64
HALF, LOW = np.int64(2**31), np.int64(2**32 - 1)
SIGN = np.uint64(2**63)


@inline
def key_of(v, i, flip, real, wide):
    """The key of element `v` at index `i`; -0.0 counts as 0.0. `flip` is -1 to sort downwards.

    `real` is None for integers, `wide` for elements of up to 32 bits, which take the index in.
    """
    if wide is None:
        key = np.int64(v) if real is None else np.int64(order_key32(F(v) + F(0), LAST32))
        key = ((key + HALF) ^ flip) & LOW
        return (np.uint64(key) << np.uint64(32)) | np.uint64(i)
    key = np.int64(v) if real is None else order_key64(D(v) + D(0), LAST64)
    return np.uint64(key ^ flip) ^ SIGN


def kind_of(dtype) -> tuple:
    """(real, wide) of a dtype, as kernels take them."""
    return (1 if dtype.is_floating_point else None), (1 if dtype.itemsize == 8 else None)
