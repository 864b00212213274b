"""The ops that a block runs, with where they were called: for error messages."""

from ..autograd.profiler_names import name_of
from ..autograd.profiler_recorder import call_stack
from ..core.interp import Interpreter, dispatch
from ..core.tensor import Tensor


class TracedOps(Interpreter):
    """A context manager that lists the ops of its block; the last time that it was used counts."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.calls: list[list[str]] = []

    def __enter__(self) -> "TracedOps":
        self.lines, self.calls = [], []
        return super().__enter__()

    def process(self, op, tensors, attrs, target):
        """Write an op down, and run it."""
        shown = [_text(value) for value in (*tensors, *attrs)]
        self.lines.append(f"{name_of(op, tensors, target)}({', '.join(shown)})")
        self.calls.append(call_stack(2))
        return dispatch(op, tensors, attrs, target)

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def stacks(self) -> str:
        """Each op with the calls that led to it, innermost first."""
        total = len(self.lines)
        return "".join(
            f"{line}   ({number + 1} of {total})\n\n" + "\n".join(calls) + "\n\n\n"
            for number, (line, calls) in enumerate(zip(self.lines, self.calls, strict=True))
        )


def _text(value) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return repr(value)
