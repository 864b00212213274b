"""Exponentials, logarithms, trigonometric and special functions."""

from .define import binary, unary

exp = unary("exp", "exp(a)", lambda g, out: g * out, doc="e ** input. (...) -> (...)")
exp2 = unary(
    "exp2", "exp2(a)", lambda g, out: g * out * 0.6931471805599453, doc="2 ** input. (...) -> (...)"
)
expm1 = unary(
    "expm1",
    "expm1(a)",
    lambda g, out: g * (out + 1),
    doc="exp(input) - 1, exact near 0. (...) -> (...)",
)
log = unary("log", "log(a)", lambda g, a: g / a, doc="The natural logarithm. (...) -> (...)")
log2 = unary(
    "log2",
    "log2(a)",
    lambda g, a: g / (a * 0.6931471805599453),
    doc="The binary logarithm. (...) -> (...)",
)
log10 = unary(
    "log10",
    "log10(a)",
    lambda g, a: g / (a * 2.302585092994046),
    doc="The decimal logarithm. (...) -> (...)",
)
log1p = unary(
    "log1p",
    "log1p(a)",
    lambda g, a: g / (a + 1),
    doc="log(1 + input), exact near 0. (...) -> (...)",
)
sqrt = unary("sqrt", "sqrt(a)", lambda g, out: g / (2 * out), doc="The square root. (...) -> (...)")
rsqrt = unary(
    "rsqrt",
    "1 / sqrt(a)",
    lambda g, out: -0.5 * g * out * out * out,
    doc="1 / sqrt(input). (...) -> (...)",
)
sin = unary("sin", "sin(a)", lambda g, a: g * a.cos(), doc="The sine, in radians. (...) -> (...)")
cos = unary(
    "cos", "cos(a)", lambda g, a: -g * a.sin(), doc="The cosine, in radians. (...) -> (...)"
)
tan = unary(
    "tan",
    "tan(a)",
    lambda g, out: g * (1 + out * out),
    doc="The tangent, in radians. (...) -> (...)",
)
asin = unary(
    "asin", "asin(a)", lambda g, a: g * (1 - a * a).rsqrt(), doc="The arcsine. (...) -> (...)"
)
acos = unary(
    "acos", "acos(a)", lambda g, a: -g * (1 - a * a).rsqrt(), doc="The arccosine. (...) -> (...)"
)
atan = unary("atan", "atan(a)", lambda g, a: g / (a * a + 1), doc="The arctangent. (...) -> (...)")
sinh = unary(
    "sinh", "sinh(a)", lambda g, a: g * a.cosh(), doc="The hyperbolic sine. (...) -> (...)"
)
cosh = unary(
    "cosh", "cosh(a)", lambda g, a: g * a.sinh(), doc="The hyperbolic cosine. (...) -> (...)"
)
tanh = unary(
    "tanh",
    "tanh(a)",
    lambda g, out: g * (1 - out * out),
    doc="The hyperbolic tangent. (...) -> (...)",
)
asinh = unary(
    "asinh",
    "asinh(a)",
    lambda g, a: g * (a * a + 1).rsqrt(),
    doc="The inverse of sinh. (...) -> (...)",
)
acosh = unary(
    "acosh",
    "acosh(a)",
    lambda g, a: g * (a * a - 1).rsqrt(),
    doc="The inverse of cosh. (...) -> (...)",
)
atanh = unary(
    "atanh", "atanh(a)", lambda g, a: g / (1 - a * a), doc="The inverse of tanh. (...) -> (...)"
)
erf = unary(
    "erf",
    "erf(a)",
    lambda g, a: g * (1.1283791670955126 * (-(a * a)).exp()),
    doc="The error function. (...) -> (...)",
)
erfc = unary(
    "erfc",
    "erfc(a)",
    lambda g, a: -g * (1.1283791670955126 * (-(a * a)).exp()),
    doc="1 - erf(input). (...) -> (...)",
)
sigmoid = unary(
    "sigmoid",
    "sigmoid(a)",
    lambda g, out: g * (out * (1 - out)),
    doc="1 / (1 + exp(-input)). (...) -> (...)",
)
deg2rad = unary(
    "deg2rad",
    "a * 0.017453292519943295",
    lambda g: g * 0.017453292519943295,
    doc="Degrees as radians. (...) -> (...)",
)
rad2deg = unary(
    "rad2deg",
    "a * 57.29577951308232",
    lambda g: g * 57.29577951308232,
    doc="Radians as degrees. (...) -> (...)",
)
logaddexp = binary(
    "logaddexp",
    "where(a == b, a + 0.6931471805599453, maximum(a, b) + log1p(exp(-fabs(a - b))))",
    lambda g, out, a: g * (a - out).exp(),
    lambda g, out, b: g * (b - out).exp(),
    tensors_only=True,
    doc="log(exp(input) + exp(other)). (...), (...) -> (...)",
    reject=("bool", "uint8", "int8", "int16", "int32", "int64"),
)
logaddexp2 = binary(
    "logaddexp2",
    "where(a == b, a + 1, maximum(a, b) + log1p(exp2(-fabs(a - b))) * 1.4426950408889634)",
    lambda g, out, a: g * (a - out).exp2(),
    lambda g, out, b: g * (b - out).exp2(),
    tensors_only=True,
    doc="log2(2 ** input + 2 ** other). (...), (...) -> (...)",
    reject=("bool", "uint8", "int8", "int16", "int32", "int64"),
)
xlogy = binary(
    "xlogy",
    "where(b != b, b, where(a == 0, 0, a * log(b)))",
    lambda g, a, b: g * b.log().where((a != 0) | (b != b), 0),
    lambda g, a, b: g * a / b,
    kind="float",
    doc="input * log(other), 0 where input is 0. (...), (...) -> (...)",
)
