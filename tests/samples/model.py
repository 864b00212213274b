"""The form of samples: data that every generic check in tests/test_ops.py runs over.

    SAMPLES = [
        op("sum", case(t(3, 4)), case(t(3, 4), dim=1, keepdim=True), ref=lambda x, dim=None,
        keepdim=False: ...),
    ]
    ERRORS = [error("sum", case(t(3, 4), dim=5), IndexError, "Dimension out of range")]

One `op` entry is checked for its values (against `ref`, a NumPy function, and against torch where
that is installed), out= and in-place forms, non-contiguous inputs, dtypes, gradients of first and
second order, forward mode, the simulator of CUDA, and capture.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")
NUMBERS = INTEGERS + FLOATS
ALL = ("bool", *NUMBERS)


@dataclass(frozen=True)
class T:
    """A tensor argument. `dtype` None means the dtype under test; `low`, `high` bound the random
    values; `distinct` gives values without ties (for max and sort); `grad` False keeps it out of
    gradient checks.
    """

    shape: tuple[int, ...]
    dtype: str | None = None
    low: float = -2.0
    high: float = 2.0
    distinct: bool = False
    grad: bool = True


def t(*shape: int, **options: Any) -> T:
    """A tensor argument of this shape."""
    return T(tuple(shape), **options)


def index(*shape: int, high: int, low: int = 0, dtype: str = "int64") -> T:
    """A tensor of indices in [low, high)."""
    return T(tuple(shape), dtype=dtype, low=low, high=high, grad=False)


def mask(*shape: int) -> T:
    """A bool tensor."""
    return T(tuple(shape), dtype="bool", grad=False)


@dataclass(frozen=True)
class Case:
    """Arguments of one call; lists of T are allowed (cat, stack)."""

    args: tuple
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [_short(a) for a in self.args] + [
            f"{k}={_short(v)}" for k, v in self.kwargs.items()
        ]
        return ",".join(parts)


def _short(value: Any) -> str:
    if isinstance(value, T):
        return "x".join(map(str, value.shape)) or "0d"
    if isinstance(value, (list, tuple)) and any(isinstance(v, T) for v in value):
        return "[" + ",".join(map(_short, value)) + "]"
    return str(value).replace(" ", "")


def case(*args: Any, **kwargs: Any) -> Case:
    """The arguments of one call."""
    return Case(args, kwargs)


@dataclass(frozen=True)
class OpSamples:
    """All samples of one public function, and what the checks may assume of it."""

    name: str  # its path in numtorch: "sum", "nn.functional.conv2d", "Tensor.masked_fill_"
    cases: tuple[Case, ...]
    ref: Callable | None = None  # the same on NumPy arrays
    dtypes: tuple[str, ...] = FLOATS
    grad: bool = True  # gradcheck and gradgradcheck in float64
    gradgrad: bool = True
    grad_parity: bool = (
        True  # False where torch's own derivative is wrong; say so beside the sample
    )
    forward_ad: bool = True
    out: bool = False  # has an out= parameter
    inplace: bool = False  # has a method name + "_"
    method: bool = True  # is a method, too
    strided: bool = True  # check non-contiguous inputs
    tolerance: float | None = None  # relative and absolute, instead of the dtype's
    cuda: bool = True  # run in the CUDA simulator and compile to PTX


def op(name: str, *cases: Case, **options: Any) -> OpSamples:
    """The samples of one public function."""
    return OpSamples(name, tuple(cases), **options)


@dataclass(frozen=True)
class ErrorSample:
    """A call that must raise `kind` with a message that `match` (a regular expression) finds."""

    name: str
    case: Case
    kind: type[Exception]
    match: str
    dtype: str = "float32"


def error(
    name: str, arguments: Case, kind: type[Exception], match: str, dtype: str = "float32"
) -> ErrorSample:
    """A call that must fail."""
    return ErrorSample(name, arguments, kind, match, dtype)
