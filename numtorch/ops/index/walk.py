"""Where the rows of a CPU kernel begin, from the tables of geometry.py.

The outermost dimension needs no division, which takes as long as a short row.
"""

from ...backends.cpu.jit import inline


@inline
def place(table, ndim, r):
    """The offset of iteration r, from (size, stride) of each dimension."""
    a = 0
    for e in range(ndim - 1):
        d = (ndim - 1 - e) * 2
        rest = r // table[d]
        a += (r - rest * table[d]) * table[d + 1]
        r = rest
    if ndim > 0:
        a += r * table[1]
    return a


@inline
def places_of_two(table, ndim, r):
    """The offsets of iteration r in two arrays, from (size, stride, stride) of each dimension."""
    a, b = 0, 0
    for e in range(ndim - 1):
        d = (ndim - 1 - e) * 3
        rest = r // table[d]
        k = r - rest * table[d]
        a += k * table[d + 1]
        b += k * table[d + 2]
        r = rest
    if ndim > 0:
        a += r * table[1]
        b += r * table[2]
    return a, b


@inline
def places_of_three(table, ndim, r):
    """The offsets of iteration r in three arrays, from (size, stride, stride, stride)."""
    a, b, c = 0, 0, 0
    for e in range(ndim - 1):
        d = (ndim - 1 - e) * 4
        rest = r // table[d]
        k = r - rest * table[d]
        a += k * table[d + 1]
        b += k * table[d + 2]
        c += k * table[d + 3]
        r = rest
    if ndim > 0:
        a += r * table[1]
        b += r * table[2]
        c += r * table[3]
    return a, b, c


@inline
def split(block, chunks):
    """Which row a block is in, and which of the row's chunks it is."""
    if chunks == 1:
        return block, 0
    row = block // chunks
    return row, block - row * chunks
