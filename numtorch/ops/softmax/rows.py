"""What kernels of whole rows share: softmax, log_softmax, cross entropy."""

import numpy as np

from ...backends.cpu.jit import exact
from ..reduce.loops import float_of_key32, float_of_key64, order_key32, order_key64

NAN32, NAN64 = np.int32(2**31 - 1), np.int64(2**63 - 1)  # the order keys of NaN: above all others


@exact
def row_maximum(x, base, n, double):
    """The largest of x[base : base + n]; NaN if there is one, -inf of nothing.

    Compares integers that are ordered as the numbers are, which vectorizes; `double` is None for
    float32.
    """
    if double is None:
        key = np.int32(-0x80000000)
        for j in range(n):
            other = order_key32(x[base + j], NAN32)
            key = other if other > key else key
        return float_of_key32(key)
    wide = np.int64(-0x8000000000000000)
    for j in range(n):
        further = order_key64(x[base + j], NAN64)
        wide = further if further > wide else wide
    return float_of_key64(wide)
