"""Where the operands of attention lie: sizes, and for each head the offset of its matrices."""

import math

import numpy as np

from ...core.dtype import bool_
from ...core.shape import expanded_strides
from ..matmul.batches import starts


class Facts:
    """Sizes and places for one call: queries (..., L, E), keys (..., S, E), values (..., S, Ev).

    `starts` has the offsets of each head's query, key, value, output, mask and gradient, `pitch`
    the steps from row to row: of the same, but two for the mask (query, key). `added` is 1 for a
    mask that is added, None for one that selects: it decides while a kernel is compiled. `products`
    is the number of multiplications of a forward pass.
    """

    def __init__(self, query, key, value, mask, out, grad=None) -> None:
        lead = out.shape[:-2]
        self.batch = math.prod(lead)
        self.queries, self.depth = query.shape[-2:]
        self.keys, self.width = value.shape[-2:]
        self.products = self.batch * self.queries * self.keys * (self.depth + self.width)
        self.added = None if mask is None or mask.dtype is bool_ else 1
        if mask is not None:
            shape = (*lead, self.queries, self.keys)
            mask = mask.strided(shape, expanded_strides(mask.shape, mask.strides, shape))
        rows = [s.strides[-2] for s in (query, key, value, out)]
        rows += [0, 0] if mask is None else mask.strides[-2:]
        rows += [0 if grad is None else grad.strides[-2]]
        self.pitch = np.array(rows, np.int64)
        nothing = np.zeros(self.batch, np.int64)
        specs = query, key, value, out, mask, grad
        tables = [nothing if s is None else starts(s, lead) for s in specs]
        self.starts = np.concatenate(tables)
