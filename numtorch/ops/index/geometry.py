"""How the index kernels walk memory: loops with as few dimensions as possible, computed once for
each plan.

`j` counts index positions, `i` runs along what an index selects (a row, or the lines beside the
indexed dimension).
"""

import math

from ...core.shape import collapse, expanded_strides

CHUNK = 16  # elements of a row that one iteration of a parallel loop owns at least: a cache line


def index_shape(shape, dims, common):
    """The shape of `input[indices]`, where the indices of dimensions `dims` broadcast to `common`,
    and the place of those dimensions: that of the first index, or the front where they are not
    neighbours (NumPy's rule).
    """
    together = dims[-1] - dims[0] == len(dims) - 1
    rest = [n for d, n in enumerate(shape) if d not in dims]
    at = dims[0] if together else 0
    return (*rest[:at], *common, *rest[at:]), at


def table_of(sizes, strides):
    """Sizes and strides of the outer dimensions, in the order in which kernels read them: n,
    stride, stride, ...
    """
    return [number for d, n in enumerate(sizes) for number in (n, *[s[d] for s in strides])]


class Loop:
    """A nest of loops over `sizes`: `outer` iterations described by `table`, then an inner loop of
    `inner`.
    """

    def __init__(self, shape, *strides) -> None:
        sizes, kept = collapse(shape, *strides)
        if 0 in shape:
            sizes, kept = [0], [[0] for _ in strides]
        self.ndim = max(len(sizes) - 1, 0)
        self.inner = sizes[-1] if sizes else 1
        self.steps = [k[-1] if k else 1 for k in kept]
        self.outer = math.prod(sizes[:-1])
        self.table = table_of(sizes[:-1], [k[:-1] for k in kept])


class Rows:
    """Rows of `base` at positions, beside rows of `part`: what `part = base[indices]` or
    `base[indices] = part` visits.

    `part` has the shape of the indexing result (or broadcasts to it). `js` is its step from one
    index position to the next, None where there is no single one and the caller must make `part`
    dense.
    """

    def __init__(self, base, part, dims, common) -> None:
        shape, at = index_shape(base.shape, dims, common)
        strides = expanded_strides(part.shape, part.strides, shape)
        end = at + len(common)
        rest = [d for d in range(base.ndim) if d not in dims]
        self.loop = Loop(
            [base.shape[d] for d in rest],
            [base.strides[d] for d in rest],
            strides[:at] + strides[end:],
        )
        sizes, (steps,) = collapse(common, strides[at:end])
        self.count = math.prod(common)
        self.js = steps[0] if len(sizes) == 1 else 0 if not sizes or not any(steps) else None
        self.work = self.count * self.loop.outer * self.loop.inner


class Lines:
    """The dimensions beside `dim` of an index tensor, and `operands` of at least its size walked
    along with it.
    """

    def __init__(self, index, dim, *operands) -> None:
        ndim = max(index.ndim, 1)
        sizes, all_strides = (
            tuple(index.shape) or (1,),
            [s.strides or (1,) for s in (index, *operands)],
        )
        rest = [d for d in range(ndim) if d != dim]
        self.loop = Loop([sizes[d] for d in rest], *[[s[d] for d in rest] for s in all_strides])
        self.count = sizes[dim]
        self.steps = [s[dim] for s in all_strides]
        self.work = self.count * self.loop.outer * self.loop.inner


def chunk_of(inner: int) -> int:
    """How much of a row one iteration of a parallel loop takes."""
    return max(CHUNK, -(-inner // 8))
