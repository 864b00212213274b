"""Views of host memory, made by a C function of our own: 0.09 us each. Parsing the arguments of
`np.ndarray(shape, dtype, buffer, offset, strides)` makes that 0.3, a third of what a view costs.

The function is LLVM code that calls NumPy's C interface, whose table of functions keeps its order
(`NPY_ABI_VERSION`). What all views of one Spec have in common is a `bytes` object, the template: it
is the `self` of the Python function.
"""

import ctypes
import functools
import struct
import sysconfig

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from .buffer import OBJECT_HEAD
from .entry import I8P, I32, I64, python_functions

NEW_FROM_DESCR, SET_BASE_OBJECT = 94, 282  # places in the table
WRITEABLE = 0x400
DATA = (
    OBJECT_HEAD  # PyArrayObject: PyObject_HEAD, data, nd, dimensions, strides, base, descr, flags
)
FLAGS = OBJECT_HEAD + 6 * 8
TEMPLATE = bytes.__basicsize__ - 1  # where a bytes object has its bytes
HEAD = 3  # numbers before the sizes: the dtype's address, the dimensions, the bytes of an element


def available() -> bool:
    """Whether this interpreter has the interface: CPython with its lock, and a compiler."""
    disabled = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    return not disabled and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _table() -> list[int]:
    """NumPy's functions: the addresses of the two that are used."""
    umath = getattr(np, "_core", None) or np.core
    capsule = umath._multiarray_umath._ARRAY_API
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
    return [table[NEW_FROM_DESCR], table[SET_BASE_OBJECT]]


def _build(module, name) -> None:
    """`PyObject *view(PyObject *template, PyObject **items, Py_ssize_t count)`; items: the array
    and the view's first element.
    """
    new_from_descr, set_base = _table()
    entry = ir.Function(module, ir.FunctionType(I8P, [I8P, I8P.as_pointer(), I64]), name)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    template, items, _ = entry.args
    null = I8P(None)

    def python(name, result, *values):
        kind = ir.FunctionType(result, [v.type for v in values])
        return builder.call(cgutils.get_or_insert_function(module, kind, name), values)

    def numpy(address, result, *values):
        kind = ir.FunctionType(result, [v.type for v in values]).as_pointer()
        return builder.call(builder.inttoptr(I64(address), kind), values)

    def at(address, offset, kind):
        return builder.bitcast(builder.gep(address, [I64(offset)]), kind.as_pointer())

    root, element = (builder.load(builder.gep(items, [I64(i)])) for i in (0, 1))
    first = python("PyLong_AsLongLong", I64, element)
    with builder.if_then(builder.icmp_signed("==", first, I64(-1)), likely=False):
        builder.ret(null)
    dtype, ndim, size = (builder.load(at(template, TEMPLATE + 8 * i, I64)) for i in range(HEAD))
    sizes = builder.gep(template, [I64(TEMPLATE + 8 * HEAD)])
    strides = builder.gep(sizes, [builder.mul(ndim, I64(8))])
    data = builder.gep(builder.load(at(root, DATA, I8P)), [builder.mul(first, size)])
    flags = builder.and_(builder.load(at(root, FLAGS, I32)), I32(WRITEABLE))
    dtype = builder.inttoptr(dtype, I8P)
    kind = builder.inttoptr(I64(id(np.ndarray)), I8P)
    python("Py_IncRef", ir.VoidType(), dtype)  # the new array takes it
    given = kind, dtype, builder.trunc(ndim, I32), sizes, strides, data, flags, null
    array = numpy(new_from_descr, I8P, *given)
    with builder.if_then(builder.icmp_unsigned("==", array, null), likely=False):
        builder.ret(null)
    python("Py_IncRef", ir.VoidType(), root)  # the array's base takes it
    failed = builder.icmp_signed("<", numpy(set_base, I32, array, root), I32(0))
    with builder.if_then(failed, likely=False):
        python("Py_DecRef", ir.VoidType(), array)
        builder.ret(null)
    builder.ret(array)


@functools.cache
@global_compiler_lock
def _maker():
    """From a template to its function; compiled when it is first asked for."""
    library = cpu_target.target_context.codegen().create_library("numtorch_views")
    module = library.create_ir_module("numtorch_views")
    _build(module, "numtorch_view")
    library.add_ir_module(module)
    library.finalize()
    return python_functions("view", library, "numtorch_view")


def maker(shape, dtype: np.dtype, strides):
    """A function of an array and a number of elements that gives the view which begins there; sizes
    in elements, `strides` in bytes. Nothing is checked: the view must lie inside of the array.
    """
    numbers = id(dtype), len(shape), dtype.itemsize, *shape, *strides
    return _maker()(struct.pack(f"={len(numbers)}q", *numbers))
