"""Where the matrices of a batch begin."""

import numpy as np


def starts(spec, batch) -> np.ndarray:
    """The offset in elements of each matrix (the last two dimensions), when the others broadcast to
    `batch`.
    """
    found = np.zeros(batch, np.int64)
    missing = len(batch) - (spec.ndim - 2)
    for d, (n, stride) in enumerate(zip(spec.shape[:-2], spec.strides[:-2], strict=True), missing):
        steps = np.arange(batch[d]) * (stride if n > 1 else 0)
        found += steps.reshape([-1] + [1] * (len(batch) - d - 1))
    return found.ravel()
