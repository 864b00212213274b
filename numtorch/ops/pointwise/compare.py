"""Comparisons, logic, bits, and choosing between values."""

from ...core import dtype as dtypes
from .define import binary, overloads, pointwise, unary

FLOATS = ("float32", "float64")


def _as_float(specs):
    """Compares in a floating-point type: integers are never infinite."""
    d = specs[0].dtype
    return d if d.is_floating_point else dtypes.get_default_dtype()


eq = binary("eq", "a == b", kind="bool", doc="input == other. (...), (...) -> (...)")
ne = binary("ne", "a != b", kind="bool", doc="input != other. (...), (...) -> (...)")
lt = binary("lt", "a < b", kind="bool", doc="input < other. (...), (...) -> (...)")
le = binary("le", "a <= b", kind="bool", doc="input <= other. (...), (...) -> (...)")
gt = binary("gt", "a > b", kind="bool", doc="input > other. (...), (...) -> (...)")
ge = binary("ge", "a >= b", kind="bool", doc="input >= other. (...), (...) -> (...)")
isnan = unary("isnan", "a != a", {}, kind="bool", doc="Whether an element is NaN. (...) -> (...)")
isinf = unary(
    "isinf",
    "a == inf or a == -inf",
    {},
    kind="bool",
    compute=_as_float,
    doc="Whether an element is infinite. (...) -> (...)",
)
isfinite = unary(
    "isfinite",
    "a - a == 0",
    {},
    kind="bool",
    compute=_as_float,
    doc="Whether an element is finite. (...) -> (...)",
)
isposinf = unary(
    "isposinf",
    "a == inf",
    {},
    kind="bool",
    compute=_as_float,
    doc="Whether an element is +inf. (...) -> (...)",
)
isneginf = unary(
    "isneginf",
    "a == -inf",
    {},
    kind="bool",
    compute=_as_float,
    doc="Whether an element is -inf. (...) -> (...)",
)
signbit = unary(
    "signbit", "negative(a)", {}, kind="bool", doc="Whether the sign bit is set. (...) -> (...)"
)

logical_and = binary(
    "logical_and",
    "a and b",
    kind="logic",
    tensors_only=True,
    doc="input and other as truth values. (...), (...) -> (...)",
)
logical_or = binary(
    "logical_or",
    "a or b",
    kind="logic",
    tensors_only=True,
    doc="input or other as truth values. (...), (...) -> (...)",
)
logical_xor = binary(
    "logical_xor",
    "a != b",
    kind="logic",
    tensors_only=True,
    doc="Whether one of the two is true. (...), (...) -> (...)",
)
logical_not = unary(
    "logical_not", "not a", {}, kind="logic", doc="Whether an element is zero. (...) -> (...)"
)


def _bits(name, sign, doc):
    return binary(name, f"a {sign} b", reject=FLOATS, doc=doc)


bitwise_and = _bits("bitwise_and", "&", "Bits set in both. (...), (...) -> (...)")
bitwise_or = _bits("bitwise_or", "|", "Bits set in either. (...), (...) -> (...)")
bitwise_xor = _bits("bitwise_xor", "^", "Bits set in one of the two. (...), (...) -> (...)")
bitwise_left_shift = _bits(
    "bitwise_left_shift", "<<", "Bits moved to the left. (...), (...) -> (...)"
)
bitwise_right_shift = _bits(
    "bitwise_right_shift", ">>", "Bits moved to the right. (...), (...) -> (...)"
)
bitwise_not = unary(
    "bitwise_not",
    "invert(a)",
    {},
    kind="arith",
    reject=FLOATS,
    doc="All bits inverted; `not` for bool. (...) -> (...)",
)

where_op = pointwise(
    "where",
    "condition? input other",
    "where(a, b, c)",
    "arith",
    (None, lambda g, a, _b: g.where(a, 0), lambda g, a, _c: g.where(a.logical_not(), 0)),
    doc="input where condition, else other. (...), (...), (...) -> (...)",
)
masked_fill_op = pointwise(
    "masked_fill",
    "input mask? value",
    "where(b, c, a)",
    "arith",
    (lambda g, _a, b: g.where(b.logical_not(), 0), None, lambda g, b, _c: g.where(b, 0)),
    compute=lambda specs: specs[0].dtype,
    doc="`value` where mask is true, else input. (...), (...), () -> (...)",
)
fill_op = pointwise(
    "fill",
    "input value",
    "b",
    "arith",
    (lambda g: g * 0, lambda g, _b: g),
    compute=lambda specs: specs[0].dtype,
    doc="The value everywhere. (...), () -> (...)",
)
overloads(masked_fill_op, "value", "MaskedFillBackward0", "MaskedFillBackward1")
overloads(fill_op, "value", "FillBackward0", "FillBackward1")
fill_op.op.overwrites = fill_op.op.expands = masked_fill_op.op.expands = True  # as in torch
clamp_min_op = pointwise(
    "clamp_min",
    "input min",
    "maximum(a, b)",
    "arith",
    (lambda g, a, b: g.where((a >= b) | (a != a), 0), lambda g, a, b: g.where(a < b, 0)),
    doc="At least `min`. (...), (...) -> (...)",
)
clamp_max_op = pointwise(
    "clamp_max",
    "input max",
    "minimum(a, b)",
    "arith",
    (lambda g, a, b: g.where((a <= b) | (a != a), 0), lambda g, a, b: g.where(a > b, 0)),
    doc="At most `max`. (...), (...) -> (...)",
)
clamp_op = pointwise(
    "clamp",
    "input min max",
    "clamped(a, b, c)",
    "arith",
    (
        lambda g, a, b, c: g.where(((a >= b) & (a <= c)) | (a != a), 0),
        lambda g, a, b, c: g.where((a < b) & (b < c), 0),
        lambda g, a, b, c: g.where((a > c) | (b >= c), 0),
    ),
    doc="Between `min` and `max`. (...), (...), (...) -> (...)",
)
overloads(clamp_min_op, "min", "ClampMinBackward0", "ClampMinBackward1")
overloads(clamp_max_op, "max", "ClampMaxBackward0", "ClampMaxBackward1")
overloads(clamp_op, "min", "ClampBackward1", "ClampBackward0")
nan_to_num_op = pointwise(
    "nan_to_num",
    "input nan posinf neginf",
    "where(a != a, b, where(a == inf, c, where(a == -inf, d, a)))",
    "arith",
    (lambda g, a: g.where(a - a == 0, 0), None, None, None),
    compute=lambda specs: specs[0].dtype,
    doc="NaN and infinities replaced by numbers. (...) -> (...)",
)
heaviside = binary(
    "heaviside",
    "where(a == 0, b, where(a < 0, 0, where(a != a, a, 1)))",
    lambda g: g * 0,
    lambda g, a: g.where(a == 0, 0),
    tensors_only=True,
    check=lambda specs, compute: specs[0].dtype is not specs[1].dtype,
    doc="0, `values` or 1 for negative, zero and positive input. (...), (...) -> (...)",
)
