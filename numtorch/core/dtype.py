"""Element types and torch's promotion rules.

A dtype prints as `torch.float32`: printed output is part of the API that scripts and doctests
compare. Source: torch documentation, "Tensor Attributes", section torch.dtype.
"""

import numpy as np

BOOL, INTEGER, FLOATING = 0, 1, 2  # categories: a higher one wins whatever the sizes are


class dtype:  # noqa: N801 (torch's name)
    """The type of a tensor's elements; there is one object per type."""

    __slots__ = (
        "category",
        "index",
        "is_floating_point",
        "is_signed",
        "itemsize",
        "name",
        "np",
        "type_name",
    )

    is_complex = False

    def __init__(self, name: str, index: int, category: int, type_name: str) -> None:
        self.name, self.index, self.category, self.type_name = name, index, category, type_name
        self.np = np.dtype(name)
        self.itemsize = self.np.itemsize
        self.is_floating_point = category == FLOATING
        self.is_signed = self.np.kind in "if"

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self):
        return (named, (self.name,))

    def to_real(self) -> "dtype":
        """The dtype of the real part: itself, as there are no complex dtypes yet."""
        return self


_ALL = [
    dtype("bool", 0, BOOL, "BoolTensor"),
    dtype("uint8", 1, INTEGER, "ByteTensor"),
    dtype("int8", 2, INTEGER, "CharTensor"),
    dtype("int16", 3, INTEGER, "ShortTensor"),
    dtype("int32", 4, INTEGER, "IntTensor"),
    dtype("int64", 5, INTEGER, "LongTensor"),
    dtype("float32", 6, FLOATING, "FloatTensor"),
    dtype("float64", 7, FLOATING, "DoubleTensor"),
]
bool_, uint8, int8, int16, int32, int64, float32, float64 = _ALL
BY_NAME = {d.name: d for d in _ALL}
BY_NUMPY = {d.np: d for d in _ALL}
ALIASES = {
    "bool": bool_,
    "uint8": uint8,
    "int8": int8,
    "int16": int16,
    "short": int16,
    "int32": int32,
    "int": int32,
    "int64": int64,
    "long": int64,
    "float32": float32,
    "float": float32,
    "float64": float64,
    "double": float64,
}


def named(name: str) -> dtype:
    """The dtype called `name` (used by pickle)."""
    return BY_NAME[name]


def from_numpy_dtype(np_dtype: np.dtype) -> dtype:
    """torch's dtype for a NumPy one; TypeError where there is none."""
    found = BY_NUMPY.get(np_dtype)
    if found is None:
        supported = ", ".join(d.name for d in _ALL[1:])
        raise TypeError(
            f"can't convert np.ndarray of type "
            f"{np_dtype.type.__module__}.{np_dtype.type.__name__}. "
            f"The only supported types are: {supported}, and bool."
        )
    return found


_default = [float32]


def get_default_dtype() -> dtype:
    """The dtype of floating-point tensors made from Python numbers."""
    return _default[0]


def set_default_dtype(d: dtype) -> None:
    """Set the dtype of floating-point tensors made from Python numbers: float32 or float64."""
    if not isinstance(d, dtype):
        raise TypeError(
            f"invalid dtype object: only floating-point types are supported as the default type, "
            f"got {d!r}"
        )
    if not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default[0] = d


def _promote(a: dtype, b: dtype) -> dtype:
    if a.category != b.category:
        return a if a.category > b.category else b
    if uint8 in (a, b) and a is not b:
        other = b if a is uint8 else a
        return int16 if other is int8 else other
    return a if a.index > b.index else b


_PROMOTED = {(a, b): _promote(a, b) for a in _ALL for b in _ALL}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that both convert to."""
    return _PROMOTED[type1, type2]


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether torch's rules let a result of one dtype be stored as another."""
    return from_.category <= to.category


def of_number(value) -> dtype:
    """The dtype that a Python number has on its own."""
    kind = type(value)
    return bool_ if kind is bool else int64 if kind is int else _default[0]


def result_type_of(specs) -> dtype:
    """The common dtype of operands: tensors with dimensions outrank 0-d tensors, which outrank
    Python numbers, unless the lower rank brings a higher category.
    """
    ranks: list[dtype | None] = [None, None, None]
    for s in specs:
        rank = 2 if s.weak else (0 if s.shape else 1)
        d = _default[0] if s.weak and s.dtype.category == FLOATING else s.dtype
        seen = ranks[rank]
        ranks[rank] = d if seen is None else _PROMOTED[seen, d]
    result = None
    for d in ranks:
        if d is not None and (result is None or d.category > result.category):
            result = d
    if result is None:
        raise ValueError("result_type needs at least one operand")
    return result
