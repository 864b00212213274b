"""Pieces of LLVM vector code, from which `@intrinsic` functions are built where Numba cannot say an
inner loop.

A vector has as many lanes as a register holds elements (16 float32 with AVX-512, 8 with AVX2, 4
with NEON or SSE); LLVM lowers every operation here on every CPU. All functions take the llvmlite
builder first; numbers are int64.
"""

import functools

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .buffer import CHECKED, pointer_of

I32, I64 = ir.IntType(32), ir.IntType(64)


def vectorized(plain):
    """Make an intrinsic of an emitter; its twin `plain` runs under `NUMBA_DISABLE_JIT=1`."""

    def mark(emitter):
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            return plain
        return intrinsic(on_pointers(emitter) if CHECKED else emitter)

    return mark


def on_pointers(emitter):
    """The same emitter, for buffers that know their extent."""

    @functools.wraps(emitter)
    def typed(*kinds):
        signature, emit = emitter(*kinds)

        def codegen(context, builder, signature, args):
            pairs = zip(signature.args, args, strict=True)
            return emit(context, builder, signature, [pointer_of(builder, *pair) for pair in pairs])

        return signature, codegen

    return typed


@functools.cache
def registers() -> tuple[int, int]:
    """The bytes of a vector register of this CPU, and how many registers it has."""
    asked = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    if asked is None:
        asked = llvmlite.binding.get_host_cpu_features().flatten()
    features = set(asked.split(","))
    if "+avx512f" in features:
        return 64, 32
    if "+avx" in features:
        return 32, 16
    return 16, 32 if "+neon" in features else 16


def lanes_of(itemsize: int) -> int:
    """How many elements of this many bytes one vector holds (at most 16: a mask is an int64)."""
    return max(2, min(16, registers()[0] // itemsize))


def integer(value: int):
    """An int64 constant."""
    return ir.Constant(I64, value)


def call(builder, name, result, *args, **flags):
    """Call the LLVM intrinsic `name`."""
    kind = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args, **flags)


def suffix(vector) -> str:
    """`v16f32`: the name of a vector type in the names of LLVM intrinsics."""
    element = str(vector.element)
    return f"v{vector.count}" + {"float": "f32", "double": "f64"}.get(element, element)


def load(builder, pointer, vector, align):
    """One vector from memory."""
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=align)


def as_mask(builder, bits, lanes):
    """The low bits of an int64 as a vector of booleans."""
    return builder.bitcast(
        builder.trunc(bits, ir.IntType(lanes)), ir.VectorType(ir.IntType(1), lanes)
    )


def store(builder, value, pointer, align):
    """One vector to memory."""
    builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=align)


def splat(builder, scalar, vector):
    """A vector with the same number in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, undefined, zeros)


def add(builder, a, b):
    """a + b, wrapping around in integers."""
    return (builder.add if isinstance(a.type.element, ir.IntType) else builder.fadd)(a, b)


def multiply_add(builder, a, b, c):
    """a * b + c: fused where the CPU can, wrapping around in integers."""
    if isinstance(a.type.element, ir.IntType):
        return builder.add(builder.mul(a, b), c)
    return call(builder, f"llvm.fmuladd.{suffix(a.type)}", a.type, a, b, c)


def loop(builder, count, state):
    """Open `for index in range(count)`, count > 0: gives (index, phis of state, close); close(new)
    gives the results.
    """
    before, body = builder.block, builder.append_basic_block("body")
    builder.branch(body)
    builder.position_at_end(body)
    phis = [builder.phi(s.type) for s in [integer(0), *state]]

    def close(new):
        following = builder.add(phis[0], integer(1))
        end, after = builder.block, builder.append_basic_block("after")
        for phi, first, later in zip(phis, [integer(0), *state], [following, *new], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, end)
        branch = builder.cbranch(builder.icmp_signed("<", following, count), body, after)
        branch.set_metadata("llvm.loop", not_unrolled(builder.module))
        builder.position_at_end(after)
        return new

    return phis[0], phis[1:], close


def not_unrolled(module):
    """The mark of a loop that LLVM leaves as it is: unrolling doubles the time to compile."""
    request = module.add_metadata(["llvm.loop.unroll.disable"])
    mark = module.add_metadata([request, request])
    mark.operands = mark, request  # a loop's mark names itself first
    return mark


def vector_of(buffer) -> tuple:
    """The LLVM vector that holds a buffer's elements, and the bytes of one element."""
    size = buffer.dtype.bitwidth // 8
    element = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}.get(buffer.dtype)
    return ir.VectorType(element or ir.IntType(8 * size), lanes_of(size)), size


def load_where(b, pointer, mask, vector, align):
    """The lanes in `mask` from memory, zero in the others; what is not in `mask` is not touched."""
    name, zero = f"llvm.masked.load.{suffix(vector)}.p0", ir.Constant(vector, None)
    target = b.bitcast(pointer, vector.as_pointer())
    return call(b, name, vector, target, ir.Constant(I32, align), mask, zero)


def add_lanes(b, vector):
    """The sum of a vector's lanes, in pairs."""
    name = f"llvm.vector.reduce.%s.{suffix(vector.type)}"
    if isinstance(vector.type.element, ir.IntType):
        return call(b, name % "add", vector.type.element, vector)
    zero = ir.Constant(vector.type.element, 0.0)
    return call(b, name % "fadd", vector.type.element, zero, vector, fastmath=("reassoc",))


def store_where(b, value, pointer, mask, align):
    """Store the lanes in `mask`; the memory of the others is not touched."""
    name = f"llvm.masked.store.{suffix(value.type)}.p0"
    target = b.bitcast(pointer, value.type.as_pointer())
    call(b, name, ir.VoidType(), value, target, ir.Constant(I32, align), mask)


def load_strided(b, pointer, offsets, mask, vector, align):
    """The lanes in `mask` from pointer + offsets (int64 elements, a vector), zero in the others."""
    first = splat(b, b.ptrtoint(pointer, I64), offsets.type)
    size = ir.Constant(offsets.type, [align] * vector.count)
    pointers = b.inttoptr(
        b.add(first, b.mul(offsets, size)), ir.VectorType(pointer.type, vector.count)
    )
    name, zero = f"llvm.masked.gather.{suffix(vector)}.v{vector.count}p0", ir.Constant(vector, None)
    return call(b, name, vector, pointers, ir.Constant(I32, align), mask, zero)


def store_packed(b, value, pointer, mask, align):
    """Store the lanes of `value` in `mask`, packed together, from `pointer` on."""
    vector, lanes = value.type, value.type.count
    with b.if_else(b.icmp_signed("==", mask, integer((1 << lanes) - 1))) as (whole, part):
        with whole:
            store(b, value, pointer, align)
        with part:
            count = call(b, "llvm.ctpop.i64", I64, mask)
            low = as_mask(b, b.sub(b.shl(integer(1), count), integer(1)), lanes)
            nothing = ir.Constant(vector, ir.Undefined)
            name = f"llvm.experimental.vector.compress.{suffix(vector)}"
            packed = call(b, name, vector, value, as_mask(b, mask, lanes), nothing)
            store_where(b, packed, pointer, low, align)


def constant(vector, value: float):
    """The same number in every lane."""
    return ir.Constant(vector, [value] * vector.count)


def transpose(b, rows):
    """As many vectors as they have lanes, as a matrix: its columns.

    Each of the log2(lanes) rounds exchanges one bit of the row's number with the same bit of the
    lane's.
    """
    lanes, bit = rows[0].type.count, 1
    while bit < lanes:
        picks = [
            [n if n & bit == i & bit else lanes + (n ^ bit) for n in range(lanes)]
            for i in range(lanes)
        ]
        kinds = [ir.Constant(ir.VectorType(I32, lanes), pick) for pick in picks]
        rows = [b.shuffle_vector(rows[i], rows[i ^ bit], kinds[i]) for i in range(lanes)]
        bit *= 2
    return rows


def prefetch(b, pointer, write=False):
    """Ask for the cache line at `pointer`, which need not be memory."""
    flags = [ir.Constant(I32, n) for n in (int(write), 3, 1)]  # to read, into every cache, data
    octet = b.bitcast(pointer, ir.IntType(8).as_pointer())
    call(b, "llvm.prefetch.p0", ir.VoidType(), octet, *flags)
