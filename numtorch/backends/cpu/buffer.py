"""`Buffer`: the Numba type through which CPU kernels see a tensor's memory, a raw pointer to its
first element.

Measured against Numba's own arrays (4x4 float32, three arguments): a call costs 85 ns instead of
185, compiling 57 ms instead of 81, and `out[i] = a[i] + b[i]` runs 8x faster on 16k elements,
because an array index may be negative in Numba and the test for that keeps LLVM from vectorizing. A
buffer does not know its extent: kernels get sizes as numbers, and `NUMBA_DISABLE_JIT=1` gives them
real arrays (see `flat`), whose bounds are checked. Under `NUMBA_BOUNDSCHECK=1` a buffer does know
its extent, and an index outside of it raises IndexError; vector code (`simd.vectorized`) is not
checked.
"""

import operator

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import lower_builtin, lower_getattr, register_model

CHECKED = bool(numba.config.BOUNDSCHECK)  # type: ignore[attr-defined]
OBJECT_HEAD = object.__basicsize__  # PyArrayObject begins with PyObject_HEAD, then `char *data`


class Buffer(types.Type):
    """Memory of one element type.

    `elementwise`: no iteration of the kernel's loop reads what another one writes, even if an
    output is an operand's memory, as in `a.add_(b)`. LLVM then needs no loop for operands that
    overlap, which took four times as long.
    """

    def __init__(self, dtype: types.Type, elementwise: bool = False) -> None:
        self.dtype, self.elementwise = dtype, elementwise
        kind = "Checked" * CHECKED + "Elementwise" * elementwise
        super().__init__(name=f"{kind}Buffer({dtype})")

    @property
    def key(self) -> tuple[types.Type, bool]:
        return self.dtype, self.elementwise


class BufferModel(models.PrimitiveModel):
    """A pointer to the element's in-memory form (a bool is one byte)."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.dtype).get_data_type().as_pointer())


class CheckedModel(models.StructModel):
    """The pointer, and how many elements lie from it to the last one."""

    def __init__(self, dmm, fe_type):
        members = [("pointer", types.CPointer(fe_type.dtype)), ("extent", types.intp)]
        super().__init__(dmm, fe_type, members)


register_model(Buffer)(CheckedModel if CHECKED else BufferModel)


def pointer_of(builder, typ, value):
    """The pointer of a buffer's value, the pointers of a tuple's; any other value as it is."""
    if CHECKED and isinstance(typ, types.UniTuple) and isinstance(typ.dtype, Buffer):
        buffers = cgutils.unpack_tuple(builder, value, typ.count)
        return cgutils.pack_array(builder, [builder.extract_value(b, 0) for b in buffers])
    return builder.extract_value(value, 0) if CHECKED and isinstance(typ, Buffer) else value


def with_extent(builder, pointer, extent):
    """A buffer's value: `pointer` itself, unless bounds are checked."""
    return cgutils.pack_struct(builder, [pointer, extent]) if CHECKED else pointer


def place(context, builder, buffer, index):
    """The address of an element."""
    if not CHECKED:
        return builder.gep(buffer, [index])
    pointer, extent = (builder.extract_value(buffer, i) for i in range(2))
    with cgutils.if_unlikely(builder, builder.icmp_unsigned(">=", index, extent)):
        text = "a kernel's index is outside of its buffer"
        context.call_conv.return_user_exc(builder, IndexError, (text,))
    return builder.gep(pointer, [index])


def apart(builder, buffer, emit, mark: str):
    """What `emit` gives; its access is marked as one of those that do not meet, if the buffer is
    elementwise: stores by "alias.scope", loads by "noalias".
    """
    count = len(builder.block.instructions)
    value = emit()
    if buffer.elementwise:
        module = builder.module
        scope = module.add_metadata(["results", module.add_metadata(["numtorch"])])
        for made in builder.block.instructions[count:]:
            if isinstance(made, ir.LoadInstr | ir.StoreInstr):
                made.set_metadata(mark, module.add_metadata([scope]))
    return value


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        buffer, index = args
        if isinstance(buffer, Buffer) and isinstance(index, types.Integer):
            return signature(buffer.dtype, buffer, types.intp)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        buffer, index, _value = args
        if isinstance(buffer, Buffer) and isinstance(index, types.Integer):
            return signature(types.none, buffer, types.intp, buffer.dtype)
        return None


@infer_getattr
class _Attributes(AttributeTemplate):
    key = Buffer

    def resolve_dtype(self, buffer):
        return types.DType(buffer.dtype)


@lower_getattr(Buffer, "dtype")
def _dtype(context, builder, typ, value):
    return context.get_dummy_value()


@lower_builtin(operator.getitem, Buffer, types.intp)
def _getitem(context, builder, sig, args):
    buffer, address = sig.args[0], place(context, builder, *args)
    read = lambda: context.unpack_value(builder, buffer.dtype, address)  # noqa: E731
    return apart(builder, buffer, read, "noalias")


@lower_builtin(operator.setitem, Buffer, types.intp, types.Any)
def _setitem(context, builder, sig, args):
    address = place(context, builder, *args[:2])
    write = lambda: context.pack_value(builder, sig.args[2], args[2], address)  # noqa: E731
    apart(builder, sig.args[0], write, "alias.scope")
    return context.get_dummy_value()


def unboxed(context, builder, typ, array):
    """A buffer's value of an ndarray: the address of its first element; its extent, too, if bounds
    are checked.
    """
    field = builder.gep(array, [ir.Constant(ir.IntType(64), OBJECT_HEAD)])
    kind = context.get_value_type(types.CPointer(typ.dtype)).as_pointer()
    pointer = builder.load(builder.bitcast(field, kind))
    if not CHECKED:
        return pointer
    python = context.get_python_api(builder)
    measure = python.unserialize(python.serialize_object(extent_of))
    count = python.call_function_objargs(measure, (array,))
    extent = python.long_as_longlong(count)
    python.decref(count)
    python.decref(measure)
    return with_extent(builder, pointer, extent)


def extent_of(array: np.ndarray | None) -> int:
    """How many elements lie from an array's first to its last; None is an array without any."""
    if array is None or array.size == 0:
        return 0
    item = array.itemsize
    return 1 + sum((n - 1) * (s // item) for n, s in zip(array.shape, array.strides, strict=True))


def flat(array: np.ndarray) -> np.ndarray:
    """The memory from an array's first element to its last, as one dimension (for
    `NUMBA_DISABLE_JIT=1`).
    """
    return np.lib.stride_tricks.as_strided(array, (extent_of(array),), (array.itemsize,))
