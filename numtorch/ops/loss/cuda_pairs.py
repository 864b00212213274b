"""CUDA kernels that sum an expression of two tensors in one pass: blocks sum chunks, then one block
their sums.
"""

import linecache

from ...backends.codegen import scalar_code
from ...backends.cuda import memory, scalar
from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, Kernel, bind, cuda, grid, kernel

globals().update({k: v for k, v in vars(scalar).items() if not k.startswith("_")})

PIECE = 16 * THREADS  # at least so many elements for a block
MOST = 1024  # blocks
_made: dict = {}


def _source(name: str, expression: str, dtype: str) -> str:
    return f'''def {name}(x, y, out, n, chunk, chunks, parameter):
    """out[chunk] = the sum of {expression}. A block owns a chunk at a time."""
    parts = cuda.shared.array(THREADS, {dtype})
    c = {dtype}(parameter)
    for item in range(cuda.blockIdx.x, chunks, cuda.gridDim.x):
        acc = {dtype}(0)
        for i in range(item * chunk + cuda.threadIdx.x, min(item * chunk + chunk, n), THREADS):
            a, b = {dtype}(x[i]), {dtype}(y[i])
            acc += {scalar_code(expression, dtype)}
        acc = block_sum(parts, acc)
        if cuda.threadIdx.x == 0:
            out[item] = acc
'''


def kernel_of(title: str, expression: str, dtype: str) -> Kernel:
    """The kernel of an expression of a, b and the parameter c; made once."""
    found = _made.get((title, expression, dtype))
    if found is None:
        name = f"{title}_blocks"
        text = _source(name, expression, dtype)
        filename = f"<numtorch CUDA kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope: dict = {}
        exec(compile(text, filename, "exec"), globals(), scope)
        found = _made[title, expression, dtype] = Kernel(scope[name])
    return found


@kernel
def sum_parts(x, out, n, over):
    """out = sum(x) / over. One block owns all."""
    T = out.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    total = T(0)
    for i in range(cuda.threadIdx.x, n, THREADS):
        total += x[i]
    total = block_sum(parts, total)
    if cuda.threadIdx.x == 0:
        out[0] = total / T(over)


def pair_sum(op, input, target, out, mean: bool, parameter: float):
    """A function of the arrays (x, y, out): out = the sum of op's expression, over n for a mean."""
    n = input.numel
    chunk = max(PIECE, -(-n // MOST))
    chunks = max(1, -(-n // chunk))
    partial = out.like((chunks,))
    numbers = (n, chunk, chunks, parameter)
    kernel_ = kernel_of(op.name, op.expressions[0], input.dtype.name)
    config = grid(chunks, 1)[0], THREADS
    run = bind(kernel_.compile(input, target, partial, *numbers)[config], 3, *numbers)
    if chunks == 1 and not mean:
        return run
    last = (chunks, float(n) if mean else 1.0)
    finish = bind(sum_parts.compile(partial, out, *last)[1, THREADS], 2, *last)
    make = memory.allocator(partial)

    def summed(x, y, o):
        parts = make()
        run(x, y, parts)
        finish(parts, o)

    return summed
