"""In the simulator `math` and NumPy scalars give inf and nan, as a GPU does, and no exceptions."""

import contextlib
import math
import types

import numpy as np

_NUMPY = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "pow": "power",
} | {
    name: name
    for name in (
        "ceil", "copysign", "cos", "cosh", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "hypot",
        "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan",
        "tanh", "trunc",
    )
}  # fmt: skip
_PYTHON = ("erf", "erfc", "gamma", "lgamma")


def _forgiving(function):
    def apply(x):
        kind = type(x) if isinstance(x, np.floating) else np.float64
        try:
            return kind(function(x))
        except (
            OverflowError,
            ValueError,
        ):  # a pole, a result beyond the range, or an argument outside the domain
            return kind(math.nan if x == -math.inf and function is math.gamma else math.inf)

    return apply


MATH = types.SimpleNamespace(
    pi=math.pi, e=math.e, inf=math.inf, nan=math.nan,
    **{name: getattr(np, numpys) for name, numpys in _NUMPY.items()},
    **{name: _forgiving(getattr(math, name)) for name in _PYTHON},
)  # fmt: skip


_REPLACED = {id(math): MATH} | {
    id(getattr(math, name)): function for name, function in vars(MATH).items() if callable(function)
}
_modules: dict[int, dict] = {}  # globals of the modules of kernels and helpers
_found: dict[int, tuple[int, dict]] = {}  # module -> how many names it had, what replaces some


def register(function) -> None:
    """Have the function's module changed while a kernel runs (host code there keeps `math`)."""
    _modules[id(function.__globals__)] = function.__globals__


def _replacements(names: dict) -> dict:
    count, found = _found.get(id(names), (0, {}))
    if count != len(names):
        found = {k: _REPLACED[id(v)] for k, v in names.items() if id(v) in _REPLACED}
        _found[id(names)] = len(names), found
    return found


@contextlib.contextmanager
def swapped():
    """Replace `math`, and what was imported from it, in the modules of kernels and helpers."""
    changed = [(names, _replacements(names)) for names in _modules.values()]
    saved = [(names, {k: names[k] for k in new}) for names, new in changed]
    try:
        for names, new in changed:
            names.update(new)
        yield
    finally:
        for names, old in saved:
            names.update(old)


def quiet(function):
    """The kernel with NumPy's warnings switched off in each thread that runs it."""
    errstate = np.errstate

    def run(*args):
        with errstate(all="ignore"):
            return function(*args)

    # The simulator replaces `cuda` in the globals of the function it is given: the kernel's own.
    name, closure = function.__name__, run.__closure__
    return types.FunctionType(run.__code__, function.__globals__, name, None, closure)
