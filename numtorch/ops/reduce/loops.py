"""CPU reductions from scalar expressions: the two loop nests that every sum-like reduction runs
through.

`v` is an element (after `element`, an expression of the input `a` and, for a second pass, of `b`, a
value belonging to the result), `acc` what was accumulated. In rows, the elements of one result are
summed in blocks of `BLOCK` in the element type, and the blocks in a wider one. In columns, results
lie next to each other and eight rows are added up before they join the accumulator, which is the
output's memory. Long reductions are cut into chunks whose size depends on the shape alone, so that
any number of threads gives the same bits.
"""

import linecache
import math
from dataclasses import replace

import numpy as np

from ...backends.codegen import scalar_code
from ...backends.cpu import scalar
from ...backends.cpu.jit import Kernel, bind, inline
from ...backends.cpu.moves import pick_run, scratch
from ...backends.cpu.vmath import exp32, exp64
from ...core.dtype import BY_NAME
from ..pointwise.define import substitute
from .geometry import Order
from .runs import largest_run, product_run, smallest_run, sum_run
from .table import Reduction, name_of

globals().update(
    {k: v for k, v in vars(scalar).items() if not k.startswith("_")}
)  # what expressions may call

__all__ = [
    "exp32",
    "exp64",
    "float_of_key32",
    "float_of_key64",
    "largest_run",
    "order_key32",
    "order_key64",
    "pick_run",
    "product_run",
    "reduce_loop",
    "scratch",
    "smallest_run",
    "sum_run",
]
BLOCK = 4096  # elements of one result that are accumulated in the narrow type
CHUNK = 65536  # elements that one iteration of the parallel loop owns, if there are few results
COLUMNS = 512  # results that one iteration owns
PICKED = 128  # the same where these are not neighbours: as many whole rows stay in the L1 cache
NARROW, FOLDED = 64, 4096  # columns, and elements of a result, from which rows are not folded; are
ROWS = 1024  # rows that one iteration owns: bounds the rounding error of a column
for _bits in (8, 16, 32, 64):
    globals()[f"lowest_int{_bits}"] = np.array(-(2 ** (_bits - 1)), f"int{_bits}")[()]
    globals()[f"highest_int{_bits}"] = np.array(2 ** (_bits - 1) - 1, f"int{_bits}")[()]
lowest_key32, highest_key32 = np.int32(-0x7F800001), np.int32(0x7F800000)  # of -inf and inf
lowest_key64, highest_key64 = np.int64(-0x7FF0000000000001), np.int64(0x7FF0000000000000)
lowest_uint8, highest_uint8, lowest_bool, highest_bool = np.uint8(0), np.uint8(255), False, True


@inline
def order_key32(a, nan):
    """An integer whose order is that of the float32 `a`; `nan` for a NaN."""
    bits = np.float32(a).view(np.int32)
    key = np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return nan if a != a else key


@inline
def order_key64(a, nan):
    """An integer whose order is that of the float64 `a`; `nan` for a NaN."""
    bits = np.float64(a).view(np.int64)
    key = np.int64(bits ^ ((bits >> np.int64(63)) & np.int64(0x7FFFFFFFFFFFFFFF)))
    return nan if a != a else key


@inline
def float_of_key32(key):
    """The float32 that an order key stands for."""
    return np.int32(key ^ ((key >> np.int32(31)) & np.int32(0x7FFFFFFF))).view(np.float32)


@inline
def float_of_key64(key):
    """The float64 that an order key stands for."""
    return np.int64(key ^ ((key >> np.int64(63)) & np.int64(0x7FFFFFFFFFFFFFFF))).view(np.float64)


def _rows_source(r: Reduction, name: str) -> str:
    b = "p, " if r.pairs else ""
    read_b = f"        b = {r.compute}(p[k])\n" if r.pairs else ""
    start, step = scalar_code(r.start, r.narrow), scalar_code(r.step, r.narrow)
    start_wide = scalar_code(r.start, r.wide)
    joined = scalar_code(substitute(r.step, {"acc": "total", "v": "part"}), r.wide)
    finished = scalar_code(substitute(r.finish, {"acc": "total"}), r.wide)
    add_up = f"""\
            for j in range(stop):
                a = {r.compute}(source[begin + j])
                v = {r.value()}
                acc = {step}"""
    if r.run:
        add_up = f"""\
            a = {r.run}(source, begin, stop)
            acc = {r.value()}"""
    numbers = "nk, nr, results, m, n, step, block, group, chunks, scale"
    return f'''def {name}(x, {b}out, table, {numbers}):
    """{r.title} along rows. One iteration of the parallel loop owns one chunk of one result."""
    per = (n + block - 1) // block
    blocks = m * per
    for piece in prange(results * chunks):
        held = scratch(x)
        item = int64(piece)
        k, first, last = item, 0, blocks
        if chunks > 1:
            k = item // chunks
            first = (item - k * chunks) * group
            last = min(first + group, blocks)
        base, rest = 0, k
        for e in range(nk - 1):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        if nk > 0:
            base += rest * table[1]
{read_b}        total = {start_wide}
        for i in range(first, last):
            row, left = i, 0
            if per > 1:
                row = i // per
                left = (i - row * per) * block
            at, rest = base + left * step, row
            for e in range(nr - 1):
                d = 2 * (nk + nr - 1 - e)
                at += rest % table[d] * table[d + 1]
                rest //= table[d]
            if nr > 0:
                at += rest * table[2 * nk + 1]
            acc = {start}
            stop = min(block, n - left)
            source, begin = x, at
            if step != 1:
                pick_run(x, at, step, held, 0, stop)
                source, begin = held, 0
{add_up}
            part = {r.wide}(acc)
            total = {joined}
        if chunks > 1:
            out[item] = total
        else:
            out[item] = {finished}
'''


def _columns_source(r: Reduction, name: str) -> str:
    b = "p, " if r.pairs else ""
    read_b = f"b = {r.compute}(p[k * width + left + j])" if r.pairs else ""
    start, step = scalar_code(r.start, r.narrow), scalar_code(r.step, r.narrow)
    lines = "\n".join(
        f"""                    a = {r.compute}(source[at + {i} * pitch + j])
                    v = {r.value()}
                    acc = {step}"""
        for i in range(8)
    )
    numbers = "nk, nr, results, width, step, m, tail, group, chunks, whole, block, scale"
    return f'''def {name}(x, {b}out, table, {numbers}):
    """{r.title} down columns; `tail` elements follow the last whole row. `whole`: these are the
    results, not parts of them.

    One iteration owns some columns of one chunk of rows.
    """
    across = (width + block - 1) // block
    apart = table[2 * nk + 1]
    for piece in prange(results * chunks * across):
        held = scratch(x)
        item = int64(piece)
        part = item // across
        left = (item - part * across) * block
        k = part // chunks
        first = (part - k * chunks) * group
        last = min(first + group, m)
        base, rest = left * step, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        to, w = part * width + left, min(block, width - left)
        for j in range(w):
            out[to + j] = {start}
        if nr == 1:
            while first + 8 <= last:
                source, at, pitch = x, base + first * apart, apart
                if step != 1:
                    for i in range(8):
                        pick_run(x, at + i * apart, step, held, i * w, w)
                    source, at, pitch = held, 0, w
                for j in range(w):
                    {read_b}
                    acc = {start}
{lines}
                    v = acc
                    acc = {r.narrow}(out[to + j])
                    out[to + j] = {step}
                first += 8
        if tail > 0 and last == m:
            last += 1
        for i in range(first, last):
            at, rest = base, i
            for e in range(nr - 1):
                d = 2 * (nk + nr - 1 - e)
                at += rest % table[d] * table[d + 1]
                rest //= table[d]
            source, at = x, at + rest * apart
            count = w if i < m else min(w, tail - left)
            if step != 1:
                pick_run(x, at, step, held, 0, count)
                source, at = held, 0
            for j in range(count):
                {read_b}
                a = {r.compute}(source[at + j])
                v = {r.value()}
                acc = {r.narrow}(out[to + j])
                out[to + j] = {step}
        if whole:
            for j in range(w):
                acc = {r.narrow}(out[to + j])
                out[to + j] = {scalar_code(r.finish, r.narrow)}
'''


_made: dict = {}


def kernel_of(r: Reduction, form: str) -> Kernel:
    """The kernel of a reduction, "rows" or "columns"; made once."""
    found = _made.get((r, form))
    if found is None:
        name = f"{r.title}_{form}"
        text = (_rows_source if form == "rows" else _columns_source)(r, name)
        filename = f"<numtorch kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope: dict = {}
        exec(compile(text, filename, "exec"), globals(), scope)
        made = Kernel(scope[name], "sum" if form == "rows" else "pointwise")
        made.source = text
        found = _made[r, form] = made
    return found


def reduce_loop(r: Reduction, spec, out, dims, scale: float = 1.0):
    """A function of the arrays (x, [p,] out) that fills the contiguous `out`."""
    order = Order(spec, dims)
    examples = (spec, out, out) if r.pairs else (spec, out)
    if order.columns:
        return _down_columns(r.columns or r, order, examples, out, scale)
    return _along_rows(r.rows or r, order, examples, out, scale)


def _table(*dims) -> np.ndarray:
    return np.array([number for pair in dims for number in pair] or [0], np.int64)


def _along_rows(r, order, examples, out, scale):
    (n, step), outer = (
        (order.reduced[-1], order.reduced[:-1]) if order.reduced else ((order.count, 1), [])
    )
    if r.run and (n < r.shortest or name_of(examples[0].dtype) != r.compute):
        r = replace(r, run="")
    m = math.prod(size for size, _ in outer)
    table = _table(*order.kept, *outer)
    blocks = m * -(-n // BLOCK)
    group = max(1, CHUNK // max(min(n, BLOCK), 1))
    chunks = 1 if order.results >= 32 else max(1, -(-blocks // group))
    target = out if chunks == 1 else out.like((order.results, chunks), BY_NAME[r.wide])
    numbers = (len(order.kept), len(outer), order.results, m, n, step, BLOCK, group, chunks)
    work = order.results * order.count // 8  # eight elements are one vector operation
    run = kernel_of(r, "rows").compile(*examples[:-1], target, table, *numbers, scale, work=work)
    if chunks == 1:
        return bind(run, len(examples), table, *numbers, scale)
    return _in_two(r, run, (table, *numbers, scale), target, out, scale)


def fold_of(n: int, apart: int, width: int, step: int) -> int:
    """How many rows to take as one: columns that fill whole vectors, and many, if rows are narrow
    and follow each other without gaps.
    """
    if step != 1 or apart != width or width >= NARROW or n * width < FOLDED:
        return 1
    fold, even = COLUMNS // width, 16 // math.gcd(width, 16)
    return fold - fold % even if fold > even else fold


def _down_columns(r, order, examples, out, scale):
    width, step = order.kept[-1]
    kept, reduced = order.kept[:-1], order.reduced or [(1, 0)]
    m, results, tail, fold = order.count, math.prod(size for size, _ in kept), 0, 1
    if len(reduced) == 1 and not r.pairs:
        fold = fold_of(m, reduced[0][1], width, step)
        m, tail, width = m // fold, m % fold * width, width * fold
        reduced = [(m, reduced[0][1] * fold)]
    table = _table(*kept, *reduced)
    block = COLUMNS if step == 1 else PICKED
    across = -(-width // block)
    group = max(64, min(ROWS, CHUNK // max(min(width, block), 1)))
    chunks = 1 if m <= 2 * group or (results * across >= 16 and m <= 4 * ROWS) else -(-m // group)
    if chunks == 1:
        group = m
    parts, whole = (results, chunks * fold, width // fold), chunks * fold == 1
    numbers = (len(kept), len(reduced), results, width, step, m, tail, group, chunks, int(whole))
    numbers = (*numbers, block)
    target = out if whole else out.like(parts)
    work = order.results * order.count // 8  # eight elements are one vector operation
    run = kernel_of(r, "columns").compile(*examples[:-1], target, table, *numbers, scale, work=work)
    if whole:
        return bind(run, len(examples), table, *numbers, scale)
    return _in_two(r, run, (table, *numbers, scale), target, out.like(parts[::2]), scale)


def _in_two(r, run, numbers, partial, out, scale):
    """Chunks into a scratch array, then the chunks' results."""
    finish = reduce_loop(r.again(name_of(partial.dtype)), partial, out, (1,), scale)
    shape, dtype, empty = tuple(partial.shape), partial.dtype.np, np.empty

    def both(*arrays):
        scratch = empty(shape, dtype)
        run(*arrays[:-1], scratch, *numbers)
        finish(scratch, arrays[-1])

    return both
