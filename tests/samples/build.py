"""Samples as arguments: seeded NumPy arrays, then tensors of numtorch or torch."""

import zlib
from importlib import import_module
from pathlib import Path

import numpy as np

from .model import Case, ErrorSample, OpSamples, T


def all_samples() -> list[OpSamples]:
    """The SAMPLES of every room."""
    return [s for module in _modules() for s in module.SAMPLES]


def all_errors() -> list[ErrorSample]:
    """The ERRORS of every room."""
    return [s for module in _modules() for s in getattr(module, "ERRORS", ())]


def _modules():
    names = sorted(p.stem for p in Path(__file__).parent.glob("*.py"))
    modules = [
        import_module(f"{__package__}.{n}")
        for n in names
        if n not in ("__init__", "model", "build")
    ]
    return [m for m in modules if hasattr(m, "SAMPLES")]


def cases(samples, dtypes=None):
    """(id, sample, case, dtype) for every case and dtype: the sample's, unless others are given."""
    for s in samples:
        for c in s.cases:
            for d in dtypes or s.dtypes:
                yield f"{s.name}({c})-{d}", s, c, d


def array(spec: T, dtype: str, seed: int) -> np.ndarray:
    """Values for one tensor argument."""
    rng = np.random.default_rng(seed)
    dtype = spec.dtype or dtype
    if dtype == "bool":
        return rng.integers(0, 2, spec.shape).astype(bool)
    if dtype.startswith("float"):
        if spec.distinct:
            n = int(np.prod(spec.shape))
            values = rng.permutation(n) / max(n, 1) * (spec.high - spec.low) + spec.low
            return values.reshape(spec.shape).astype(dtype)
        return rng.uniform(spec.low, spec.high, spec.shape).astype(dtype)
    low, high = int(np.ceil(spec.low)), int(np.ceil(spec.high))
    if dtype.startswith("u"):
        low = max(low, 0)
    if spec.distinct:
        n = int(np.prod(spec.shape))
        return rng.permutation(n).reshape(spec.shape).astype(dtype)
    return rng.integers(low, max(high, low + 1), spec.shape).astype(dtype)


def arrays(case: Case, dtype: str):
    """(args, kwargs) with NumPy arrays for T."""
    count = [zlib.crc32(f"{case}{dtype}".encode())]

    def go(value):
        if isinstance(value, T):
            count[0] += 1
            return array(value, dtype, count[0])
        if isinstance(value, (list, tuple)) and any(isinstance(v, T) for v in value):
            return type(value)(go(v) for v in value)
        return value

    return tuple(go(a) for a in case.args), {k: go(v) for k, v in case.kwargs.items()}


def wants_grad(case: Case) -> list[bool]:
    """For each tensor of the arguments, in order, whether its gradient is checked."""
    flags = []

    def go(value):
        if isinstance(value, T):
            flags.append(value.grad and value.dtype is None)
        elif isinstance(value, (list, tuple)):
            for v in value:
                go(v)

    for v in (*case.args, *case.kwargs.values()):
        go(v)
    return flags


def convert(value, make, kind=np.ndarray):
    """Arguments with `make(array)` for each array, or for each value of another kind."""
    if isinstance(value, kind):
        return make(value)
    if isinstance(value, (list, tuple)) and tensors_in(value, kind):
        return type(value)(convert(v, make, kind) for v in value)
    if isinstance(value, dict):
        return {k: convert(v, make, kind) for k, v in value.items()}
    return value


def tensors_in(value, kind) -> list:
    """All tensors in nested arguments or results, in order."""
    if isinstance(value, kind):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [t for v in value for t in tensors_in(v, kind)] if isinstance(value, (list, tuple)) else []
    )


def find(library, path: str):
    """library.a.b.c."""
    found = library
    for part in path.split("."):
        found = getattr(found, part)
    return found


def torch_arguments(args, kwargs, torch):
    """Arguments for torch: dtypes by name."""

    def go(value):
        if type(value).__name__ == "dtype" and not isinstance(value, torch.dtype):
            return getattr(torch, value.name)
        return value

    make = lambda a: torch.from_numpy(a.copy())  # noqa: E731
    return convert(tuple(map(go, args)), make), convert({k: go(v) for k, v in kwargs.items()}, make)
