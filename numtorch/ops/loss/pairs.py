"""CPU kernels that sum an expression of two tensors in one pass."""

import linecache

import numpy as np

from ...backends.codegen import scalar_code
from ...backends.cpu import scalar
from ...backends.cpu.jit import Kernel, bind

globals().update({k: v for k, v in vars(scalar).items() if not k.startswith("_")})

BLOCK, CHUNK = 4096, 65536  # elements summed in their own type; elements of one parallel iteration
_made: dict = {}


def _source(name: str, expression: str, dtype: str) -> str:
    return f'''def {name}(x, y, out, n, chunks, parameter):
    """out[chunk] = the sum of {expression}. One iteration of the parallel loop owns one chunk."""
    c = {dtype}(parameter)
    for piece in prange(chunks):
        {" ".join(scalar.prelude(expression))}
        first = int64(piece) * {CHUNK}
        total = 0.0
        for begin in range(first, min(first + {CHUNK}, n), {BLOCK}):
            acc = {dtype}(0)
            for i in range(begin, min(begin + {BLOCK}, n)):
                a, b = {dtype}(x[i]), {dtype}(y[i])
                acc += {scalar_code(expression, dtype)}
            total += acc
        out[piece] = total
'''


def kernel_of(title: str, expression: str, dtype: str) -> Kernel:
    """The kernel of an expression of a, b and the parameter c; made once."""
    found = _made.get((title, expression, dtype))
    if found is None:
        name = f"{title}_sum"
        text = _source(name, expression, dtype)
        filename = f"<numtorch kernel {name} {len(_made)}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        scope: dict = {}
        exec(compile(text, filename, "exec"), globals(), scope)
        found = _made[title, expression, dtype] = Kernel(scope[name], "sum")
    return found


def pair_sum(op, input, target, out, mean: bool, parameter: float):
    """A function of the arrays (x, y, out): out = the sum of op's expression, over n for a mean."""
    n = input.numel
    chunks = max(1, -(-n // CHUNK))
    partial = np.empty(1, np.float64)
    kernel = kernel_of(op.name, op.expressions[0], input.dtype.name)
    if chunks == 1 and not mean:
        run = kernel.compile(input, target, out, n, chunks, parameter, work=n)
        return bind(run, 3, n, chunks, parameter)
    run = kernel.compile(input, target, partial, n, chunks, parameter, work=n // 2)
    over, empty, dtype = (n if mean else 1), np.empty, np.dtype(np.float64)

    def summed(x, y, o):
        parts = empty(chunks, dtype)
        run(x, y, parts, n, chunks, parameter)
        total = parts[0] if chunks == 1 else parts.sum()
        o[...] = total / over if over else np.nan

    return summed
