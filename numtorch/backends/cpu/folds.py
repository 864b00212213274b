"""Loops over short runs of memory: the last vector is masked, none is left for a scalar loop.

LLVM makes a loop over 50 float32 three vectors and two scalars, which take as long as the vectors.
In a `folded` loop they are a fourth vector with a mask. Interleaved plain loops win from about 200
elements on.
"""

from typing import Any

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .buffer import Buffer
from .simd import I32, I64, integer, lanes_of, registers

_config: Any = numba.config  # sets its names at run time


def plain_folded(body, n, args):
    """The sum of body(j, *args) over each j below n; a body that only stores returns nothing."""
    total = 0.0
    for j in range(n):
        value = body(j, *args)
        if value is not None:
            total += value
    return total


def _request(module, name: str, value: int, kind=I32):
    return module.add_metadata([f"llvm.loop.{name}", ir.Constant(kind, value)])


def _typed_folded(context, body, n, args):
    inner = context.resolve_function_type(body, (types.intp, *args.types), {})
    kind = inner.return_type

    def codegen(target, b, signature, values):
        _, n_, args_ = values
        function = target.get_function(body, inner)
        given = [b.extract_value(args_, i) for i in range(len(args.types))]
        nothing = target.get_constant_null(kind)
        before, loop = b.block, b.append_basic_block("folded")
        after = b.append_basic_block("after")
        b.cbranch(b.icmp_signed(">", n_, integer(0)), loop, after)
        b.position_at_end(loop)
        j, total = b.phi(I64), b.phi(nothing.type)
        new = function(b, [j, *given])
        if kind is not types.none:
            new = b.fadd(total, new, flags=("reassoc", "nsz", "contract"))
        following = b.add(j, integer(1), flags=("nuw", "nsw"))
        end = b.block
        branch = b.cbranch(b.icmp_signed("<", following, n_), loop, after)
        branch.set_metadata("llvm.loop", _mark(b.module, args))
        b.position_at_end(after)
        result = b.phi(nothing.type)
        for phi, first, later in ((j, integer(0), following), (total, nothing, new)):
            phi.add_incoming(first, before)
            phi.add_incoming(later, end)
        result.add_incoming(nothing, before)
        result.add_incoming(new, end)
        return result

    return kind(body, n, args), codegen


def _mark(module, args):
    """One vector an iteration, the last one masked if the CPU has masks."""
    width = min(lanes_of(t.dtype.bitwidth // 8) for t in args.types if isinstance(t, Buffer))
    requests = [
        _request(module, "vectorize.enable", 1, ir.IntType(1)),
        _request(module, "vectorize.width", width),
        _request(module, "interleave.count", 1),
    ]
    if registers()[0] > 16:
        requests.append(_request(module, "vectorize.predicate.enable", 1, ir.IntType(1)))
    mark = module.add_metadata(requests)
    mark.operands = mark, *requests  # a loop's mark names itself first
    return mark


folded = plain_folded if _config.DISABLE_JIT else intrinsic(_typed_folded)
