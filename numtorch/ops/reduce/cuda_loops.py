"""CUDA reductions from scalar expressions (table.py): a thread for each result, or a block of them.

Results that lie next to each other in memory, and short ones, get a thread each, so that neighbours
read neighbouring elements; long ones get a block, whose threads take every THREADS-th element and
join in a tree. Where there are too few results to fill a GPU, or too many elements for one
accumulator, each result is cut into chunks, and the chunks' results are reduced again. The cuts
depend on the shape alone: the same numbers in every run.
"""

import linecache
from dataclasses import replace

import numpy as np

from ...backends.codegen import scalar_code
from ...backends.cuda import memory, scalar
from ...backends.cuda.jit import THREADS, Kernel, bind, grid
from ...core.dtype import BY_NAME
from .geometry import Order
from .table import Reduction

__all__ = ["THREADS", "reduce_loop"]

globals().update({k: v for k, v in vars(scalar).items() if not k.startswith("_")})  # for kernels
for _bits in (8, 16, 32, 64):
    globals()[f"lowest_int{_bits}"] = np.array(-(2 ** (_bits - 1)), f"int{_bits}")[()]
    globals()[f"highest_int{_bits}"] = np.array(2 ** (_bits - 1) - 1, f"int{_bits}")[()]
lowest_uint8, highest_uint8, lowest_bool, highest_bool = np.uint8(0), np.uint8(255), False, True

exp32 = exp64 = scalar.exp  # names that the CPU has for arguments that are not positive
SHORT = 32  # elements of one result that a single thread takes in any case
BUSY = 1 << 16  # threads that keep a large GPU busy
PIECE = 64  # a thread of a chunk takes at least so many elements,
MOST = 4096  # and at most so many: rounding errors stay small

_PLACE = """
        base, rest = 0, result
        for axis in range(nk):
            entry = 2 * (nk - 1 - axis)
            base += rest % table[entry] * table[entry + 1]
            rest //= table[entry]"""
_LOOP = """
        for index in range({first}, last{by}):
            place, rest = base, index
            if nr == 1:
                place += index * table[2 * nk + 1]
            else:
                for axis in range(nr):
                    entry = 2 * (nk + nr - 1 - axis)
                    place += rest % table[entry] * table[entry + 1]
                    rest //= table[entry]
            a = {compute}(x[place])
            v = {value}
            acc = {narrow}({step})"""
_HEAD = "def {name}(x, {p}out, table, nk, nr, results, count, chunk, chunks, number):"
_THREADS = (
    _HEAD
    + '''
    """{title}. A thread owns a chunk of the elements behind one result."""
    scale = {scale}
    for item in range(cuda.grid(1), results * chunks, cuda.gridsize(1)):
        result = item % results
        piece = item // results
        first = piece * chunk
        last = min(first + chunk, count){place}
        {b}acc = {narrow}({start}){loop}
        out[result * chunks + piece] = {finish}
'''
)
_BLOCKS = (
    _HEAD
    + '''
    """{title}. A block owns a chunk of the elements behind one result."""
    parts = cuda.shared.array(THREADS, "{narrow}")
    thread = cuda.threadIdx.x
    scale = {scale}
    for item in range(cuda.blockIdx.x, results * chunks, cuda.gridDim.x):
        result = item // chunks
        first = (item - result * chunks) * chunk
        last = min(first + chunk, count){place}
        {b}acc = {narrow}({start}){loop}
        cuda.syncthreads()
        parts[thread] = acc
        half = THREADS // 2
        while half > 0:
            cuda.syncthreads()
            if thread < half:
                acc = {narrow}(parts[thread])
                v = {narrow}(parts[thread + half])
                parts[thread] = {step}
            half //= 2
        if thread == 0:
            acc = {narrow}(parts[0])
            out[item] = {finish}
'''
)
_made: dict = {}


def kernel_of(r: Reduction, blocks: bool) -> Kernel:
    """The kernel of a reduction; made once."""
    found = _made.get((r, blocks))
    if found is None:
        name = f"{r.title}_{'blocks' if blocks else 'threads'}"
        texts = {
            "compute": r.compute,
            "narrow": r.narrow,
            "value": r.value(),
            "step": scalar_code(r.step, r.narrow),
            "first": "first + thread" if blocks else "first",
            "by": ", THREADS" if blocks else "",
        }
        text = (_BLOCKS if blocks else _THREADS).format(
            name=name,
            title=r.title,
            p="p, " if r.pairs else "",
            b=f"b = {r.compute}(p[result])\n        " if r.pairs else "",
            scale=f"{r.narrow}(number)" if r.narrow.startswith("float") else "number",
            start=scalar_code(r.start, r.narrow),
            finish=scalar_code(r.finish, r.narrow),
            place=_PLACE,
            loop=_LOOP.format(**texts),
            **texts,
        )
        filename = f"<numtorch CUDA kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope: dict = {}
        exec(compile(text, filename, "exec"), globals(), scope)
        found = _made[r, blocks] = Kernel(scope[name])
        found.source = text
    return found


def reduce_loop(r: Reduction, spec, out, dims, scale: float = 1.0):
    """A function of the arrays (x, [p,] out) that fills the contiguous `out`."""
    r = r.columns or r  # what suits columns on the CPU is the plain form
    order = Order(spec, dims)
    results, count = order.results, order.count
    blocks = count > SHORT and not order.columns
    team = THREADS if blocks else 1
    wanted = min(-(-count // (PIECE * team)), BUSY // max(results * team, 1))
    chunks = max(1, wanted, -(-count // (MOST * team)))
    chunk = -(-count // chunks)
    numbers = (len(order.kept), len(order.reduced), results, count, chunk, chunks, float(scale))
    pairs = [n for pair in (*order.kept, *order.reduced) for n in pair]
    table = memory.from_host(np.array(pairs or [0], np.int64), out.device.index)
    target = out if chunks == 1 else out.like((results, chunks), BY_NAME[r.narrow])
    first = r if chunks == 1 else replace(r, title=f"{r.title}_chunks", finish="acc")
    examples = (spec, out, target) if r.pairs else (spec, target)
    compiled = kernel_of(first, blocks).compile(*examples, table, *numbers)
    config = (grid(results * chunks, 1)[0], THREADS) if blocks else grid(results * chunks)
    run = bind(compiled[config], len(examples), table, *numbers)
    if chunks == 1:
        return run
    finish = reduce_loop(r.again(r.narrow), target, out, (1,), scale)
    make = memory.allocator(target)

    def both(*arrays):
        scratch = make()
        run(*arrays[:-1], scratch)
        finish(scratch, arrays[-1])

    return both
