"""How Python calls a kernel: a C function of our own beside the compiled code.

Numba's wrapper takes a tuple, checks every argument and releases the interpreter's lock for each
call; its parallel loops compile their body three more times, and a process that loads one from
the cache runs other machine code than the process that compiled it. Here a kernel is compiled once,
as a function of a share of its loop; this module adds

- the entry, with CPython's fast calling convention: it takes pointers and numbers out of Python
  objects (an integer or float that is none gives TypeError), and does the whole loop itself, or
- through `numba_parallel_for`, one share in each thread.

So one thread and many run the same machine code, in every process, and add in the same order.
"""

import ast
import ctypes
import inspect
import textwrap
import types as pytypes

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, compiler, typed_passes, types
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower

from .buffer import CHECKED, Buffer, unboxed

WHOLE = 1 << 20  # shares of a loop are counted in parts of this
I32, I64, I8P = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_FASTCALL = 0x80  # METH_FASTCALL

# What the machine code reads: how many threads to use, and where `numba_parallel_for` is.
thread_count, parallel_for = ctypes.c_int64(1), ctypes.c_void_p()
llvm.add_symbol("numtorch_thread_count", ctypes.addressof(thread_count))
llvm.add_symbol("numtorch_parallel_for", ctypes.addressof(parallel_for))


# -- a share of the loop ---------------------------------------------------------------------------
def divided(function):
    """`function` with two more arguments, and the range of its `prange(n)` from n * first / WHOLE
    to n * last / WHOLE; itself if it has no prange. What stands before the loop is done with every
    share; what follows it (a remainder), only with the last one, which may end before the others.
    A function without source text (`python -c`) is not divided.
    """
    if "prange" not in function.__code__.co_names + function.__code__.co_freevars:
        return function
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:
        return function
    definition = tree.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.decorator_list = []
    loops = [i for i, statement in enumerate(definition.body) if _is_parallel(statement)]
    if len(loops) != 1:
        raise TypeError(
            f"the kernel {function.__qualname__} has {len(loops)} loops over prange outside of "
            "other statements, but it must have one; put the others into kernels of their own"
        )
    at = loops[0]
    before, loop, after = definition.body[:at], definition.body[at], definition.body[at + 1 :]
    summed = _names(before, ast.Store) & _names([loop], ast.Store) & _names(after, ast.Load)
    if summed:
        raise TypeError(
            f"the kernel {function.__qualname__} joins {', '.join(sorted(summed))} across the "
            "iterations of its prange; write one value for each iteration, and join them in the "
            "caller or in a second kernel"
        )
    definition.args.args += [ast.arg("first_share"), ast.arg("last_share")]
    (count,) = map(ast.unparse, loop.iter.args)  # type: ignore[attr-defined]
    bounds = ", ".join(f"({count}) * {end}_share // {WHOLE}" for end in ("first", "last"))
    loop.iter = ast.parse(f"range({bounds})", mode="eval").body  # type: ignore[attr-defined]
    if after:
        remainder = ast.parse(f"if last_share == {WHOLE}: pass").body[0]
        remainder.body = after  # type: ignore[attr-defined]
        definition.body = [*before, loop, remainder]
    names = function.__code__.co_freevars
    made = ast.parse(f"def outer({', '.join(names)}): pass")
    made.body[0].body = [definition, ast.Return(ast.Name(function.__name__, ast.Load()))]  # type: ignore[attr-defined]
    ast.increment_lineno(made, function.__code__.co_firstlineno - 1)
    scope: dict = {}
    exec(compile(ast.fix_missing_locations(made), function.__code__.co_filename, "exec"), scope)
    code = scope["outer"](*names).__code__
    cells = dict(zip(names, function.__closure__ or (), strict=True))
    closure = tuple(cells[n] for n in code.co_freevars)
    return pytypes.FunctionType(code, function.__globals__, function.__name__, None, closure)


def _is_parallel(statement) -> bool:
    call = getattr(statement, "iter", None)
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith("prange")


def _names(statements: list, use: type) -> set[str]:
    nodes = (node for s in statements for node in ast.walk(s))
    return {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, use)}


# -- the compiler ----------------------------------------------------------------------------------
class _Lower(Lower):
    def create_cpython_wrapper(self, release_gil=False):
        module = self.context.create_module("entry")
        _Entry(self.context, module, self.fndesc).build()
        self.library.add_ir_module(module)

    def create_cfunc_wrapper(self):
        """Nothing but the entry calls a kernel."""


@register_pass(mutates_CFG=True, analysis_only=False)
class KernelLowering(typed_passes.NativeLowering):
    """Numba's lowering, with our entry in place of its wrappers."""

    _name = "numtorch_kernel_lowering"

    @property
    def lowering_class(self):
        return _Lower


class KernelCompiler(compiler.CompilerBase):
    """Numba's pipeline, with our entry in place of its wrappers."""

    def define_pipelines(self):
        manager = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (KernelLowering if kind is typed_passes.NativeLowering else kind, text)
            for kind, text in manager.passes
        ]
        manager.finalize()
        return [manager]


class _Entry:
    """Emits the entry of one kernel, and what a thread runs."""

    def __init__(self, context, module, description) -> None:
        self.context, self.module, self.description = context, module, description
        calls = context.call_conv
        kind = calls.get_function_type(description.restype, description.argtypes)
        self.kernel = ir.Function(module, kind, description.llvm_func_name)
        self.shared = description.args[-1:] == ("last_share",)
        self.kinds = description.argtypes[:-2] if self.shared else description.argtypes

    def call(self, builder, values, first=None, last=None):
        """Run the kernel; gives whether it failed."""
        whole = [I64(0) if first is None else first, I64(WHOLE) if last is None else last]
        given = [*values, *whole] if self.shared else values
        status, _ = self.context.call_conv.call_function(
            builder,
            self.kernel,
            self.description.restype,
            self.description.argtypes,
            given,
            attrs=("noinline",),  # else LLVM would make another code of it for the whole loop
        )
        return status.is_error

    def python(self, builder, name, result, arguments, *values):
        """Call a function of Python's C interface."""
        kind = ir.FunctionType(result, arguments)
        return builder.call(cgutils.get_or_insert_function(self.module, kind, name), values)

    def constant(self, name):
        """The address of a variable of this process."""
        return cgutils.add_global_variable(self.module, ir.IntType(8), name)

    def fail(self, builder, kind, text) -> None:
        """Return with an exception."""
        text = f"the kernel {self.description.qualname.rpartition('.')[2]}: {text}"
        message = self.context.insert_const_string(self.module, text)
        error = self.constant(f"PyExc_{kind}")
        self.python(builder, "PyErr_SetString", ir.VoidType(), [I8P, I8P], error, message)
        builder.ret(I8P(None))

    def unboxed(self, builder, kind, item):
        """The value of one Python object, and whether an error may have been set."""
        if isinstance(kind, Buffer):
            return unboxed(self.context, builder, kind, item), None
        if kind is types.none:
            return self.context.get_dummy_value(), None
        if kind is types.boolean:
            return builder.icmp_unsigned("==", item, self.constant("_Py_TrueStruct")), None
        if kind is types.int64:
            value = self.python(builder, "PyLong_AsLongLong", I64, [I8P], item)
            return value, builder.icmp_signed("==", value, I64(-1))
        assert kind is types.float64, kind
        double = ir.DoubleType()
        value = self.python(builder, "PyFloat_AsDouble", double, [I8P], item)
        return value, builder.fcmp_ordered("==", value, double(-1.0))

    def build(self) -> None:
        """`PyObject *entry(PyObject *self, PyObject **items, Py_ssize_t count)`. Without `self` it
        keeps the interpreter's lock and runs here; with one, it lets others run.
        """
        arguments = [I8P, I8P.as_pointer(), I64]
        name = self.description.llvm_cpython_wrapper_name
        entry = ir.Function(self.module, ir.FunctionType(I8P, arguments), name)
        builder = ir.IRBuilder(entry.append_basic_block("entry"))
        own, items, count = entry.args
        null, failed = I8P(None), builder.alloca(ir.IntType(1))
        with builder.if_then(builder.icmp_signed("!=", count, I64(len(self.kinds))), likely=False):
            self.fail(builder, "TypeError", f"takes {len(self.kinds)} arguments")
        values, doubts = [], [ir.IntType(1)(0)]
        for i, kind in enumerate(self.kinds):
            item = builder.load(builder.gep(items, [I64(i)]))
            value, doubt = self.unboxed(builder, kind, item)
            values.append(value)
            doubts += [doubt] if doubt is not None else []
        doubt = doubts[0]
        for other in doubts[1:]:
            doubt = builder.or_(doubt, other)
        with builder.if_then(doubt, likely=False):
            error = self.python(builder, "PyErr_Occurred", I8P, [])
            with builder.if_then(builder.icmp_unsigned("!=", error, null)):
                builder.ret(null)
        with builder.if_else(builder.icmp_unsigned("==", own, null)) as (alone, free):
            with alone:
                builder.store(self.call(builder, values), failed)
            with free:
                state = self.python(builder, "PyEval_SaveThread", I8P, [])
                self.run(builder, values, failed)
                self.python(builder, "PyEval_RestoreThread", ir.VoidType(), [I8P], state)
        with builder.if_then(builder.load(failed), likely=False):
            if CHECKED:
                self.fail(builder, "IndexError", "an index is outside of its buffer")
            else:
                builder.ret(self.python(builder, "PyErr_NoMemory", I8P, []))  # its only error
        nothing = self.constant("_Py_NoneStruct")
        self.python(builder, "Py_IncRef", ir.VoidType(), [I8P], nothing)
        builder.ret(nothing)

    def run(self, builder, values, failed) -> None:
        """The whole loop here, or a share of it in every thread."""
        if not self.shared:
            builder.store(self.call(builder, values), failed)
            return
        count = cgutils.add_global_variable(self.module, I64, "numtorch_thread_count")
        threads = builder.load(count)
        with builder.if_else(builder.icmp_signed("<=", threads, I64(1))) as (alone, many):
            with alone:
                builder.store(self.call(builder, values), failed)
            with many:
                facts = [*values, threads, I32(0)]
                kind = ir.LiteralStructType([v.type for v in facts])
                data = builder.alloca(kind)
                for i, value in enumerate(facts):
                    builder.store(value, cgutils.gep_inbounds(builder, data, 0, i))
                base, step, length = map(builder.alloca, (I8P, I64, I64))
                builder.store(I8P(None), base)
                builder.store(I64(1), step)
                builder.store(threads, length)
                launch = cgutils.add_global_variable(self.module, I8P, "numtorch_parallel_for")
                arguments = [I8P] * 5 + [I64] * 3
                target = ir.FunctionType(ir.VoidType(), arguments).as_pointer()
                given = [self.worker(kind), base, length, step, data]
                builder.call(
                    builder.bitcast(builder.load(launch), target),
                    [*(builder.bitcast(g, I8P) for g in given), I64(0), I64(1), threads],
                )
                flag = builder.load(cgutils.gep_inbounds(builder, data, 0, len(facts) - 1))
                builder.store(builder.icmp_signed("!=", flag, I32(0)), failed)

    def worker(self, kind):
        """What `numba_parallel_for` calls: args[0] is the number of the first share, as a pointer,
        dimensions[0] how many there are.
        """
        arguments = [I8P.as_pointer(), I64.as_pointer(), I64.as_pointer(), I8P]
        name = "share." + self.description.llvm_func_name
        worker = ir.Function(self.module, ir.FunctionType(ir.VoidType(), arguments), name)
        builder = ir.IRBuilder(worker.append_basic_block("entry"))
        args, dimensions, _, data = worker.args
        facts = builder.bitcast(data, kind.as_pointer())
        *values, threads, _ = [
            builder.load(cgutils.gep_inbounds(builder, facts, 0, i))
            for i in range(len(kind.elements))
        ]
        start = builder.ptrtoint(builder.load(args), I64)
        with cgutils.for_range(builder, builder.load(dimensions)) as loop:
            share = builder.add(start, loop.index)
            ends = [
                builder.udiv(builder.mul(builder.add(share, I64(i)), I64(WHOLE)), threads)
                for i in (0, 1)
            ]
            with builder.if_then(self.call(builder, values, *ends), likely=False):
                flag = cgutils.gep_inbounds(builder, facts, 0, len(kind.elements) - 1)
                builder.store(I32(1), flag)
        builder.ret_void()
        return worker


# -- Python's functions ----------------------------------------------------------------------------
class _MethodDef(ctypes.Structure):
    _fields_ = [  # noqa: RUF012 (ctypes wants it so)
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_new = ctypes.pythonapi.PyCFunction_NewEx
_new.restype = ctypes.py_object
_new.argtypes = ctypes.POINTER(_MethodDef), ctypes.c_void_p, ctypes.c_void_p
_kept: list = []  # machine code and names that Python's functions point to


def functions(result) -> tuple:
    """Two Python functions of a compiled kernel: one keeps the interpreter's lock and runs in the
    calling thread, the other lets other threads run, and uses several where the kernel has a
    prange.
    """
    name = result.fndesc.llvm_cpython_wrapper_name
    make = python_functions(result.fndesc.qualname, result.library, name)
    return make(None), make(_kept)


def python_functions(title: str, library, name: str):
    """A maker of Python functions that run the function `name` of a library, each with a `self` of
    its own (an object, or None for NULL).
    """
    method = _MethodDef(title.encode(), library.get_pointer_to_function(name), _FASTCALL, None)
    _kept.append((method, library))
    return lambda own: _new(ctypes.byref(method), None if own is None else id(own), None)
