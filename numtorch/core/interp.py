"""Interpreters: functions that see every op instead of its kernel (capture, forward mode, later
vmap and profiling).

A generated op looks at one global, `interp`, which costs a few nanoseconds; it is set while any
thread has an interpreter. `dispatch` then finds out whether this thread has one, and hands it the
op with the others still active.
"""

from contextvars import ContextVar

_stack: ContextVar[tuple] = ContextVar("interpreters", default=())
_active = [0]
runtime: dict = {"interp": None}  # the globals of all generated functions


def dispatch(op, tensors: tuple, attrs: tuple, target):
    """Give the op to this thread's newest interpreter, or run it.

    `target` is None, or the tensor that an in-place op changes (then it is also the first of
    `tensors`).
    """
    stack = _stack.get()
    if not stack:
        return op.direct(tensors, attrs, target)
    token = _stack.set(stack[:-1])
    try:
        return stack[-1].process(op, tensors, attrs, target)
    finally:
        _stack.reset(token)


class interpreting:  # noqa: N801 (used like a function)
    """While the block runs, this thread's ops go to `interpreter.process(op, tensors, attrs,
    target)`.
    """

    def __init__(self, interpreter) -> None:
        self.interpreter = interpreter

    def __enter__(self):
        self.token = _stack.set((*_stack.get(), self.interpreter))
        _active[0] += 1
        runtime["interp"] = dispatch
        return self.interpreter

    def __exit__(self, *exc) -> None:
        _stack.reset(self.token)
        _active[0] -= 1
        if not _active[0]:
            runtime["interp"] = None
