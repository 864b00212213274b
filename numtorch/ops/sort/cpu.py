"""CPU kernels of sorting and selecting.

A tensor is seen as (outer, n, inner); each of its outer * inner lines becomes n keys that lie next
to each other (keys.py). Sorting and selecting see keys only, so that they are compiled once for all
dtypes: with `places` None for keys that hold their index, else with an array of indices.
"""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, inline, kernel, prange
from ...backends.registry import contiguous
from ..copy.cpu import launch_copy
from .counts_cpu import *  # noqa: F403
from .keys import key_of, kind_of

COLUMNS = 16  # lines that an iteration reads from the same cache lines
SHORT = 48  # keys that are sorted by comparing them
SMALL = 4096  # keys up to which digits of 8 bits are faster than digits of 11
BINS, FEW_BINS = 2048, 256
TURNED = 64  # elements of columns that are made rows before they are looked through
VALUES = 32  # values that are searched for together
FEW = 16  # as many largest elements are found in one pass over the elements, or ranked
ONES = np.uint64(2**64 - 1)


@kernel
def make_keys(x, keys, places, outer, n, inner, flip, real, wide):
    """The keys of every line. One iteration of the parallel loop owns up to 16 lines."""
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(outer * across):
        o, left = np.int64(piece), 0
        if across > 1:  # a division takes as long as a short line
            o //= across
            left = (piece - o * across) * COLUMNS
        for j in range(left, min(left + COLUMNS, inner)):
            base, to = o * n * inner + j, (o * inner + j) * n
            for i in range(n):
                keys[to + i] = key_of(x[base + i * inner], i, flip, real, wide)
                if places is not None:
                    places[to + i] = i


@inline
def order_few(keys, spare, places, spare_places, rank, base, n):
    """Put n keys from `base` on in order: up to FEW by counting how many are less, or equal and
    before them, without a branch (8 keys in a quarter of the time), more by insertion.
    """
    if n <= FEW:
        for i in range(n):
            rank[i] = 0
        for j in range(n):
            key = keys[base + j]
            for i in range(j):
                rank[i] += key < keys[base + i]
            for i in range(j + 1, n):
                rank[i] += key <= keys[base + i]
        for i in range(n):
            spare[base + rank[i]] = keys[base + i]
            if places is not None:
                spare_places[base + rank[i]] = places[base + i]
        for i in range(base, base + n):
            keys[i] = spare[i]
            if places is not None:
                places[i] = spare_places[i]
        return
    for i in range(base + 1, base + n):
        key, at = keys[i], i
        if places is not None:
            place = places[i]
        while at > base and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            if places is not None:
                places[at] = places[at - 1]
            at -= 1
        keys[at] = key
        if places is not None:
            places[at] = place


@kernel
def sort_lines(keys, spare, places, spare_places, lines, n, bits, low):
    """Each line in order, by its bits from `low` to 64. One iteration of the parallel loop owns one
    line.

    A radix sort, least significant digit first: each pass deals the keys out by one digit of `bits`
    bits into `spare` and exchanges the two; a digit that all keys share costs nothing.
    """
    rank = np.empty(FEW, np.int64)
    for piece in prange(lines):
        base = np.int64(piece) * n
        if n <= SHORT:
            order_few(keys, spare, places, spare_places, rank, base, n)
            continue
        digits = (64 - low + bits - 1) // bits
        width, mask = np.uint64(bits), np.uint64((1 << bits) - 1)
        count = np.zeros(digits << bits, np.int64)
        for i in range(base, base + n):
            key = keys[i] >> np.uint64(low)
            for d in range(digits):
                count[(np.uint64(d) << width) + (key & mask)] += 1
                key >>= width
        source, target, from_, to = keys, spare, places, spare_places
        moved = 0
        for d in range(digits):
            shift, first = np.uint64(low + d * bits), np.uint64(d) << width
            if count[first + ((source[base] >> shift) & mask)] == n:
                continue
            total = base
            for b in range(1 << bits):
                here = count[first + np.uint64(b)]
                count[first + np.uint64(b)] = total
                total += here
            for i in range(base, base + n):
                key = source[i]
                bin = first + ((key >> shift) & mask)
                at = count[bin]
                count[bin] = at + 1
                target[at] = key
                if places is not None:
                    to[at] = from_[i]
            source, target, from_, to = target, source, to, from_
            moved += 1
        if moved % 2:
            for i in range(base, base + n):
                keys[i] = spare[i]
                if places is not None:
                    places[i] = spare_places[i]


@kernel
def select_lines(
    keys, spare, places, spare_places, chosen, chosen_places, lines, n, k, low, skip, last
):
    """The k smallest keys of each line, in any order; or, where `last` is not None, only the k-th.

    One iteration of the parallel loop owns one line. k == 0 asks for the median of floats, whose
    NaNs have all bits from `low` on set; `skip` not 0 leaves them out. Each round counts the most
    significant digit in which the keys differ, and keeps those whose digit is that of the k-th.
    `keys` are overwritten.
    """
    each = 1 if last is not None else k
    bins = FEW_BINS if n <= SMALL else BINS
    count, rank = np.empty(BINS, np.int64), np.empty(FEW, np.int64)
    for piece in prange(lines):
        base, to = np.int64(piece) * n, np.int64(piece) * each
        left, size = k, n
        if k == 0:
            bad = 0
            for i in range(base, base + n):
                bad += keys[i] >= ONES << np.uint64(low)
            left = max(1, (n - bad + 1) // 2) if skip or not bad else n - bad + 1
        while size > FEW and (size > left or last is not None):
            least, most = keys[base], keys[base]
            for i in range(base, base + size):
                least, most = min(least, keys[i]), max(most, keys[i])
            if least == most:
                break
            shift, span = 0, most - least
            while span >> np.uint64(shift) >= np.uint64(bins):
                shift += 1
            move = np.uint64(shift)
            for b in range(bins):
                count[b] = 0
            for i in range(base, base + size):
                count[(keys[i] - least) >> move] += 1
            digit, before = 0, 0
            while before + count[digit] < left:
                before += count[digit]
                digit += 1
            kept, wanted = base, np.uint64(digit)
            for i in range(base, base + size):
                key = keys[i]
                own = (key - least) >> move
                if last is None and own < wanted:
                    chosen[to] = key
                    if places is not None:
                        chosen_places[to] = places[i]
                    to += 1
                keys[kept] = key
                if places is not None:
                    places[kept] = places[i]
                kept += own == wanted
            left -= before
            size = kept - base
        if size <= FEW:
            order_few(keys, spare, places, spare_places, rank, base, size)
        for i in range(base + left - 1 if last is not None else base, base + left):
            chosen[to] = keys[i]
            if places is not None:
                chosen_places[to] = places[i]
            to += 1


@kernel
def few_lines(x, chosen, places, outer, n, inner, k, flip, real, wide):
    """chosen = the k smallest keys of each line in order, for few k.

    One iteration of the parallel loop owns up to 16 lines. Blocks are looked through for a key
    below the k-th so far, which vectorizes; only those with a hit are gone through.
    """
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(outer * across):
        o, left = np.int64(piece), 0
        if across > 1:  # a division takes as long as a short line
            o //= across
            left = (piece - o * across) * COLUMNS
        for j in range(left, min(left + COLUMNS, inner)):
            base, to = o * n * inner + j, (o * inner + j) * k
            have, begin, worst = 0, 0, np.uint64(0)
            while begin < n:
                end = min(begin + (k if have < k else 32), n)
                hits = np.int64(have < k)
                if have == k:
                    for i in range(begin, end):
                        hits += key_of(x[base + i * inner], i, flip, real, wide) < worst
                if hits > 0:
                    for i in range(begin, end):
                        key = key_of(x[base + i * inner], i, flip, real, wide)
                        if have < k or key < worst:
                            at = to + (have if have < k else k - 1)
                            have = min(have + 1, k)
                            while at > to and chosen[at - 1] > key:
                                chosen[at] = chosen[at - 1]
                                if places is not None:
                                    places[at] = places[at - 1]
                                at -= 1
                            chosen[at] = key
                            if places is not None:
                                places[at] = i
                            worst = chosen[to + have - 1]
                begin = end


@kernel
def take_elements(x, keys, places, values, indices, outer, n, inner, k):
    """values, indices = the elements that k keys of each line stand for.

    One iteration of the parallel loop owns up to 16 lines.
    """
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(outer * across):
        o, left = np.int64(piece), 0
        if across > 1:  # a division takes as long as a short line
            o //= across
            left = (piece - o * across) * COLUMNS
        for j in range(left, min(left + COLUMNS, inner)):
            base, from_, to = o * n * inner + j, (o * inner + j) * k, o * k * inner + j
            for i in range(k):
                if places is None:
                    place = np.int64(keys[from_ + i] & np.uint64(2**32 - 1))
                else:
                    place = places[from_ + i]
                values[to + i * inner] = x[base + place * inner]
                indices[to + i * inner] = place


@kernel
def longest_runs(x, places, values, indices, outer, n, inner):
    """values, indices = the most frequent element of each sorted line, and its last place.

    One iteration of the parallel loop owns one line.
    """
    for piece in prange(outer * inner):
        line = np.int64(piece)
        base = line // inner * (n - 1) * inner + line
        longest, run, end = 0, 0, 0
        for i in range(n):
            run += 1
            if i == n - 1 or x[base + i * inner] != x[base + (i + 1) * inner]:
                if run > longest:
                    longest, end = run, i
                run = 0
        values[line] = x[base + end * inner]
        indices[line] = places[base + end * inner]


@kernel
def search_lines(sequence, values, out, lines, n, m, step, right):
    """out = the number of elements before each of the m values of a line.

    One iteration of the parallel loop owns up to 32 values of a line. They take their steps
    together, as many as the length asks for: loads that do not wait for each other (a value at a
    time: 4 times slower).
    """
    across = (m + VALUES - 1) // VALUES
    for piece in prange(lines * across):
        item = np.int64(piece)
        line = item // across
        left = (item - line * across) * VALUES
        base, at, w = line * step, line * m + left, min(VALUES, m - left)
        begins = np.zeros(VALUES, np.int64)
        size = n
        while size > 0:
            half = (size + 1) // 2
            for j in range(w):
                begin = begins[j]
                v, x = values[at + j], sequence[base + begin + half - 1]
                before = not x > v if right is not None else not x >= v
                begins[j] = begin + (half if before else 0)
            size -= half
        for j in range(w):
            out[at + j] = begins[j]


# -- launchers -------------------------------------------------------------------------------------
def _geometry(shape, dim) -> tuple[int, int, int]:
    shape = shape or (1,)
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


KEYS, PLACES = np.empty(0, np.uint64), np.empty(0, np.int64)  # stand for scratch memory


def _scratch(count, dtype):
    """A function that gives memory for `count` elements, warm where there is much of it."""
    dtype = np.dtype(dtype)
    shape, nbytes, empty = (count,), count * dtype.itemsize, np.empty
    if nbytes < memory.SMALL:
        return lambda: empty(count, dtype)
    return lambda: memory.large(shape, dtype, nbytes)


def _no_places():
    """Keys of narrow elements hold their index: None."""


class _Lines:
    """The lines of a tensor, and functions that work on the keys of all of them."""

    def __init__(self, input, dim, descending) -> None:
        self.outer, self.n, self.inner = self.sizes = _geometry(input.shape, dim)
        self.lines, self.input = self.outer * self.inner, input
        self.flip, self.kind = -1 if descending else 0, kind_of(input.dtype)
        self.places = None if self.kind[1] is None else PLACES
        self.low = 32 if self.places is None else 0

    def maker(self):
        """Makes the keys of all lines."""
        input, numbers = self.input, (*self.sizes, self.flip, *self.kind)
        fill = make_keys.compile(input, KEYS, self.places, *numbers, work=input.numel)
        keys_of, places_of = self.scratch(input.numel)

        def make(x):
            keys, places = keys_of(), places_of()
            fill(x, keys, places, *numbers)
            return keys, places

        return make

    def few(self, k):
        """Finds the first k keys of each line, in order."""
        outer, n, inner = self.sizes
        turn = None
        if min(n, inner) >= TURNED:
            rows = self.input.strided((outer, inner, n), (n * inner, 1, inner))
            turn, make = launch_copy(rows, rows.dense()), memory.allocator(rows.dense())
            outer, inner = outer * inner, 1
        numbers = (outer, n, inner, k, self.flip, *self.kind)
        find = few_lines.compile(self.input, KEYS, self.places, *numbers, work=2 * self.input.numel)
        keys_of, places_of = self.scratch(self.lines * k)

        def run(x):
            if turn is not None:
                rows = make()
                turn(x, rows)
                x = rows
            keys, places = keys_of(), places_of()
            find(x, keys, places, *numbers)
            return keys, places

        return run

    def scratch(self, count):
        """Two functions that give memory for `count` keys and places."""
        return _scratch(count, np.uint64), (
            _no_places if self.places is None else _scratch(count, np.int64)
        )

    def sorter(self, n):
        """Sorts lines of n keys."""
        bits = 8 if n <= SMALL else 11
        numbers = (self.lines, n, bits, self.low)
        sort = sort_lines.compile(
            KEYS, KEYS, self.places, self.places, *numbers, work=8 * self.lines * n
        )
        spare, spare_places = self.scratch(self.lines * n)

        def run(keys, places):
            sort(keys, spare(), places, spare_places(), *numbers)

        return run

    def selector(self, k, last, skip=0):
        """Selects k keys of each line, or the last of these."""
        numbers = (self.lines, self.n, k, self.low, skip, last)
        select = select_lines.compile(
            KEYS, KEYS, self.places, self.places, KEYS, self.places, *numbers,
            work=4 * self.input.numel,
        )  # fmt: skip
        keys_of, places_of = self.scratch(self.lines * (1 if last else k))
        spare, spare_places = self.scratch(self.lines * self.n)

        def run(keys, places):
            chosen, chosen_places = keys_of(), places_of()
            select(keys, spare(), places, spare_places(), chosen, chosen_places, *numbers)
            return chosen, chosen_places

        return run

    def taker(self, values, indices, k):
        """Turns k keys of each line into elements and indices."""
        numbers = (*self.sizes, k)
        take = take_elements.compile(
            self.input, KEYS, self.places, values, indices, *numbers, work=2 * self.lines * k
        )
        return lambda x, keys, places, v, i: take(x, keys, places, v, i, *numbers)


@contiguous
def sort_op(input, values, indices, *, dim, descending):
    """values, indices = the elements in order, and where they were."""
    lines = _Lines(input, dim, descending)
    make, sort, take = lines.maker(), lines.sorter(lines.n), lines.taker(values, indices, lines.n)

    def run(x, v, i):
        keys, places = make(x)
        sort(keys, places)
        take(x, keys, places, v, i)

    return run


@contiguous
def topk_op(input, values, indices, *, k, dim, largest):
    """values, indices = the k largest or smallest elements, and where they are."""
    if k == 0:
        return lambda x, v, i: None
    lines = _Lines(input, dim, largest)
    take = lines.taker(values, indices, k)
    if k <= FEW:
        find = lines.few(k)
        return lambda x, v, i: take(x, *find(x), v, i)
    make, select, sort = lines.maker(), lines.selector(k, None), lines.sorter(k)

    def run(x, v, i):
        keys, places = select(*make(x))
        sort(keys, places)
        take(x, keys, places, v, i)

    return run


def _one_of(input, values, indices, dim, k, skip=0):
    lines = _Lines(input, dim, False)
    if k == 0 and not input.dtype.is_floating_point:
        k = (lines.n + 1) // 2
    make, select = lines.maker(), lines.selector(k, 1, skip)
    take = lines.taker(values, indices, 1)

    def run(x, v, i):
        take(x, *select(*make(x)), v, i)

    return run


@contiguous
def kthvalue_op(input, values, indices, *, k, dim, keepdim):
    """values, indices = the k-th smallest elements, and where they are."""
    return _one_of(input, values, indices, dim, k)


@contiguous
def median_dim_op(input, values, indices, *, dim, keepdim, skip_nan):
    """values, indices = the lower medians, and where they are."""
    return _one_of(input, values, indices, dim, 0, int(skip_nan))


@contiguous
def median_op(input, out, *, skip_nan):
    """out = the lower median of all elements."""
    if not input.numel:
        empty = math.nan if out.dtype.is_floating_point else np.iinfo(out.dtype.np).min
        return lambda x, y: y.fill(empty)
    flat, index = input.like((input.numel,)), np.empty((), np.int64)
    find = _one_of(flat, out, index, 0, 0, int(skip_nan))
    return lambda x, y: find(x, y, np.empty((), np.int64))


@contiguous
def mode_op(input, values, indices, *, dim, keepdim):
    """values, indices = the most frequent elements, and where they are last."""
    ordered = input.like(), input.like(dtype=indices.dtype)
    sort = sort_op(input, *ordered, dim=dim, descending=False)
    sizes = _geometry(input.shape, dim)
    find = longest_runs.compile(input, indices, values, indices, *sizes, work=2 * input.numel)
    found_of, places_of = map(memory.allocator, ordered)

    def run(x, v, i):
        found, places = found_of(), places_of()
        sort(x, found, places)
        find(found, places, v, i, *sizes)

    return run


@contiguous
def searchsorted_op(sequence, values, out, *, right, dtype):
    """out = where the values belong."""
    n = sequence.shape[-1]
    lines = math.prod(sequence.shape[:-1]) if sequence.ndim > 1 else 1
    m = values.numel // max(lines, 1)
    numbers = (lines, n, m, n if sequence.ndim > 1 else 0, 1 if right else None)
    work = 4 * values.numel * max(1, n.bit_length())
    return bind(search_lines.compile(sequence, values, out, *numbers, work=work), 3, *numbers)
