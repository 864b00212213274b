"""Arithmetic, rounding, powers and fused multiply-adds."""

from ...core import dtype as dtypes
from .define import binary, overloads, pointwise, unary


def refuse_bool_subtraction(specs, compute) -> None:
    """Subtraction is not defined for bool tensors: RuntimeError with torch's hint."""
    if compute is dtypes.bool_:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead."
        )


def refuse_bool_negation(specs, compute) -> None:
    """Negation is not defined for bool tensors: RuntimeError with torch's hint."""
    if compute is dtypes.bool_:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )


add = binary(
    "add",
    "a + b",
    lambda g, _a: g,
    lambda g, _b: g,
    keyword=("alpha", 1, "add_with_alpha"),
    doc="input + alpha * other. (...), (...) -> (...)",
)
add_scaled = pointwise(
    "add_scaled",
    "input other alpha",
    "a + c * b",
    "arith",
    (lambda g, _a: g, lambda g, _b, c: g * c, None),
    node_name="AddBackward0",
    compute=lambda specs: dtypes.result_type_of(specs[:2]),
    doc="input + alpha * other.",
)
sub = binary(
    "sub",
    "a - b",
    lambda g, _a: g,
    lambda g, _b: -g,
    check=refuse_bool_subtraction,
    keyword=("alpha", 1, "sub_with_alpha"),
    doc="input - alpha * other. (...), (...) -> (...)",
)
mul = binary(
    "mul",
    "a * b",
    lambda g, b: g * b,
    lambda g, a: g * a,
    doc="input * other. (...), (...) -> (...)",
)
true_divide = binary(
    "div",
    "a / b",
    lambda g, b: g / b,
    lambda g, a, b: -g * (a / b) / b,  # torch does not keep the result, which may be changed
    kind="float",
    doc="input / other; integers give the default float dtype. (...), (...) -> (...)",
)
floor_divide_op = binary(
    "floor_divide",
    "floor_division(a, b)",
    divides=True,
    doc="floor(input / other). (...), (...) -> (...)",
)
div_floor = binary(
    "div_floor",
    "floor_division(a, b)",
    lambda g: g * 0,
    lambda g: g * 0,
    node_name="DivBackward1",
    divides=True,
    doc="div with rounding_mode='floor': its gradient is zero. (...), (...) -> (...)",
)
div_trunc = binary(
    "div_trunc",
    "trunc_division(a, b)",
    lambda g: g * 0,
    lambda g: g * 0,
    node_name="DivBackward1",
    divides=True,
    doc="div with rounding_mode='trunc': its gradient is zero. (...), (...) -> (...)",
)
remainder = binary(
    "remainder",
    "modulo(a, b)",
    lambda g, _a: g,
    lambda g, a, b: -g * (a / b).floor(),
    divides=True,
    doc="input - other * floor(input / other): has the sign of `other`. (...), (...) -> (...)",
)
fmod = binary(
    "fmod",
    "c_modulo(a, b)",
    lambda g, _a: g,
    lambda g, a, b: -g * (a / b).trunc(),
    divides=True,
    doc="input - other * trunc(input / other): has the sign of `input`. (...), (...) -> (...)",
)
pow = binary(  # noqa: A001 (torch's name)
    "pow",
    "power(a, b)",
    # for b = 0 the power is 1 and not 1 / a, whose further derivatives are not finite at a = 0
    lambda g, a, b: g * (b * a.pow((b - 1).where(b != 0, 0))).where(b != 0, 0),
    lambda g, out, a, b: g * (out * a.log()).where((a != 0) | (b < 0), 0),
    doc="input ** other. (...), (...) -> (...)",
)
overloads(pow, "other", "PowBackward0", "PowBackward1")
maximum = binary(
    "maximum",
    "maximum(a, b)",
    lambda g, a, b: (g / 2).where(a == b, g.where(a > b, g.where(a != a, 0))),
    lambda g, a, b: (g / 2).where(a == b, g.where(b > a, g.where((b != b) & (a == a), 0))),
    tensors_only=True,
    doc="The larger of two elements, NaN if one is. (...), (...) -> (...)",
)
minimum = binary(
    "minimum",
    "minimum(a, b)",
    lambda g, a, b: (g / 2).where(a == b, g.where(a < b, g.where(a != a, 0))),
    lambda g, a, b: (g / 2).where(a == b, g.where(b < a, g.where((b != b) & (a == a), 0))),
    tensors_only=True,
    doc="The smaller of two elements, NaN if one is. (...), (...) -> (...)",
)
fmax = binary(
    "fmax",
    "fmax(a, b)",
    lambda g, a, b: g.where((a >= b) | (b != b), 0),
    lambda g, a, b: g.where((a < b) | ((a != a) & (b == b)), 0),
    tensors_only=True,
    doc="The larger of two elements; a NaN loses. (...), (...) -> (...)",
)
fmin = binary(
    "fmin",
    "fmin(a, b)",
    lambda g, a, b: g.where((a <= b) | (b != b), 0),
    lambda g, a, b: g.where((a > b) | ((a != a) & (b == b)), 0),
    tensors_only=True,
    doc="The smaller of two elements; a NaN loses. (...), (...) -> (...)",
)
atan2 = binary(
    "atan2",
    "atan2(a, b)",
    lambda g, a, b: g * b / (a * a + b * b),
    lambda g, a, b: -g * a / (a * a + b * b),
    kind="float",
    tensors_only=True,
    doc="The angle of the point (other, input). (...), (...) -> (...)",
)
hypot = binary(
    "hypot",
    "hypot(a, b)",
    lambda g, out, a: g * a / out,
    lambda g, out, b: g * b / out,
    tensors_only=True,
    doc="sqrt(input ** 2 + other ** 2). (...), (...) -> (...)",
    reject=("bool", *(["uint8", "int8", "int16", "int32", "int64"])),
)
copysign = binary(
    "copysign",
    "copysign(a, b)",
    lambda g, out, a: (g * out / a).where(a != 0, 0),
    lambda g, out: g * 0,
    kind="float",
    doc="The magnitude of `input` with the sign of `other`. (...), (...) -> (...)",
)

neg = unary(
    "neg",
    "-a",
    lambda g: -g,
    kind="arith",
    check=refuse_bool_negation,
    doc="-input. (...) -> (...)",
)
abs = unary(  # noqa: A001 (torch's name)
    "abs",
    "-a if a < 0 else (a if a != 0 else a * a)",
    lambda g, a: g * a.sign(),
    kind="arith",
    doc="The absolute value. (...) -> (...)",
)
sign = unary(
    "sign",
    "where(a > 0, 1, where(a < 0, -1, 0))",
    lambda g: g * 0,
    kind="arith",
    doc="-1, 0 or 1. (...) -> (...)",
)
square = unary(
    "square", "a * a", lambda g, a: g * (2 * a), kind="arith", doc="input ** 2. (...) -> (...)"
)
reciprocal = unary(
    "reciprocal", "1 / a", lambda g, out: -g * out * out, doc="1 / input. (...) -> (...)"
)
floor = unary(
    "floor", "floor(a)", lambda g: g * 0, kind="arith", doc="Rounded down. (...) -> (...)"
)
ceil = unary("ceil", "ceil(a)", lambda g: g * 0, kind="arith", doc="Rounded up. (...) -> (...)")
trunc = unary(
    "trunc", "trunc(a)", lambda g: g * 0, kind="arith", doc="Rounded towards zero. (...) -> (...)"
)
frac = unary(
    "frac", "a - trunc(a)", lambda g: g, kind="arith", doc="input - trunc(input). (...) -> (...)"
)
round_op = unary(
    "round", "rint(a)", lambda g: g * 0, kind="arith", doc="Rounded to even. (...) -> (...)"
)

lerp = pointwise(
    "lerp",
    "input end weight",
    "where(c < 0.5, a + c * (b - a), b - (b - a) * (1 - c))",
    "arith",
    (lambda g, _a, c: g * (1 - c), lambda g, _b, c: g * c, lambda g, a, b: g * (b - a)),
    doc="input + weight * (end - input). (...), (...), (...) -> (...)",
)
overloads(lerp, "weight", "LerpBackward0", "LerpBackward1")
addcmul_op = pointwise(
    "addcmul",
    "input tensor1 tensor2 value",
    "a + d * b * c",
    "arith",
    (lambda g, _a: g, lambda g, c, d: g * (c * d), lambda g, b, d: g * (b * d), None),
    compute=lambda specs: dtypes.result_type_of(specs[:3]),
    doc="input + value * tensor1 * tensor2.",
)
addcdiv_op = pointwise(
    "addcdiv",
    "input tensor1 tensor2 value",
    "a + d * (b / c)",
    "arith",
    (lambda g, _a: g, lambda g, c, d: g * d / c, lambda g, b, c, d: -g * (d * b) / (c * c), None),
    compute=lambda specs: dtypes.result_type_of(specs[:3]),
    doc="input + value * tensor1 / tensor2.",
    reject=("bool", "uint8", "int8", "int16", "int32", "int64"),
)
