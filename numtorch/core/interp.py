"""Interpreters: functions that see every op instead of its kernel (capture, forward mode, vmap,
profiling).

A generated op looks at one global, `interp`, which costs a few nanoseconds; it is set while any
thread has an interpreter. `dispatch` then finds out whether this thread has one, and hands it the
op with the others still active.
"""

from contextlib import contextmanager
from contextvars import ContextVar

from .tape import grad_mode

_stack: ContextVar[tuple] = ContextVar("interpreters", default=())
_active = [0]  # blocks, and closed vmap levels whose tensors are still alive
_blocks = [0]
runtime: dict = {"interp": None}  # the globals of all generated functions


def dispatch(op, tensors: tuple, attrs: tuple, target):
    """Give the op to this thread's newest interpreter, or run it.

    `target` is None, or the tensor that an in-place op changes (then it is also the first of
    `tensors`).
    """
    stack = _stack.get()
    if not stack:
        if _active[0] != _blocks[0]:
            runtime["check_alive"](tensors)
        return op.direct(tensors, attrs, target)
    token = _stack.set(stack[:-1])
    try:
        return stack[-1].process(op, tensors, attrs, target)
    finally:
        _stack.reset(token)


def tangents_active() -> bool:
    """Whether this thread computes tangents (forward mode)."""
    return runtime["interp"] is not None and any(
        getattr(i, "tangents", None) is not None for i in _stack.get()
    )


def differentiated() -> bool:
    """Whether what a derivative computes is differentiated itself, so that it must consist of ops
    that have derivatives.
    """
    return grad_mode.get() or tangents_active()


def keep(count: int) -> None:
    """Keep ops coming here (1) until -1 is given: while tensors live that no kernel may see."""
    _active[0] += count
    runtime["interp"] = dispatch if _active[0] else None


def fresh(size: tuple, make):
    """New memory for random numbers: `make(size)`, with room for the samples of each vmap that
    wants different ones.
    """
    levels = [i for i in _stack.get() if getattr(i, "different", False)]
    t = make((*(level.size for level in levels), *size))
    for level in levels:
        t = level.wrap(t)
    return t


def stack() -> tuple:
    """This thread's interpreters, the newest last."""
    return _stack.get()


def newest():
    """This thread's newest interpreter, or None."""
    stack = _stack.get()
    return stack[-1] if stack else None


@contextmanager
def without(interpreter):
    """While the block runs, this thread's ops go past one of its interpreters."""
    token = _stack.set(tuple(i for i in _stack.get() if i is not interpreter))
    try:
        yield
    finally:
        _stack.reset(token)


class interpreting:  # noqa: N801 (used like a function)
    """While the block runs, this thread's ops go to `interpreter.process(op, tensors, attrs,
    target)`.
    """

    def __init__(self, interpreter) -> None:
        self.interpreter = interpreter

    def __enter__(self):
        _stack.set((*_stack.get(), self.interpreter))
        _blocks[0] += 1
        keep(1)
        return self.interpreter

    def __exit__(self, *exc) -> None:
        stack = _stack.get()  # blocks may overlap: a profile may end inside of another block
        at = len(stack) - 1 - stack[::-1].index(self.interpreter)
        _stack.set(stack[:at] + stack[at + 1 :])
        _blocks[0] -= 1
        keep(-1)


class Interpreter:
    """An interpreter that is its own context manager: active while its block runs."""

    def __enter__(self):
        self._block = interpreting(self)
        self._block.__enter__()
        return self

    def __exit__(self, *exc) -> None:
        self._block.__exit__(*exc)
