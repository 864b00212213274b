"""Samples of the pointwise tables."""

import math

import numpy as np

from .model import FLOATS, case, error, mask, op, t

_erf = np.vectorize(math.erf, otypes=[float])


def unary(name, ref, *, low=-2.0, high=2.0, dtypes=FLOATS, **options):
    """A function of one tensor; 0-d and empty tensors, too."""
    options = {"out": True, "inplace": True, **options}
    return op(
        name,
        case(t(3, 5, low=low, high=high)),
        case(t(low=low, high=high)),
        case(t(0, 2)),
        ref=ref,
        dtypes=dtypes,
        **options,
    )


TENSORS_ONLY = [
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "atan2",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_or",
    "logical_xor",
]


def binary(name, ref, *, dtypes=FLOATS, low=-2.0, high=2.0, other_low=None, **options):
    """A function of two operands: the same shape, broadcasting both ways, a number where torch
    takes one.
    """
    second = low if other_low is None else other_low
    options = {"out": True, "inplace": True, **options}
    a, b = {"low": low, "high": high}, {"low": second, "high": high}
    return op(
        name,
        case(t(3, 4, **a), t(3, 4, **b)),
        case(t(2, 1, 3, **a), t(4, 1, **b)),
        case(t(3, **a), t(**b)),
        *([] if name in TENSORS_ONLY else [case(t(2, 2, **a), 1.5 if dtypes == FLOATS else 2)]),
        ref=ref,
        dtypes=dtypes,
        **options,
    )


def compare(name, ref):
    """A comparison: bool results, no gradients."""
    return binary(name, ref, dtypes=(*FLOATS, "int64", "uint8"), grad=False, inplace=False)


def functional(name, ref=None, *cases, **options):
    """An activation function."""
    options = {"method": False, **options}
    return op(
        f"nn.functional.{name}",
        case(t(3, 5, low=-4, high=4)),
        case(t()),
        *cases,
        ref=ref,
        **options,
    )


INTS = (*FLOATS, "int64", "uint8")
SAMPLES = [
    binary("add", lambda a, b: a + b, dtypes=(*FLOATS, "int32", "int64")),
    op(
        "add",
        case(t(2, 3), t(3), alpha=2.5),
        ref=lambda a, b, alpha: a + alpha * b,
        out=True,
        inplace=True,
    ),
    binary("sub", lambda a, b: a - b, dtypes=(*FLOATS, "int64")),
    op(
        "rsub",
        case(t(2, 3), t(3)),
        case(t(3), 2.0, alpha=3),
        ref=lambda a, b, alpha=1: b - alpha * a,
    ),
    binary("mul", lambda a, b: a * b, dtypes=(*FLOATS, "int64")),
    binary("div", lambda a, b: a / b, other_low=0.5, low=0.5),
    op(
        "div",
        case(t(4, 5), t(5, low=0.5), rounding_mode="floor"),
        case(t(4), 0.7, rounding_mode="trunc"),
        ref=lambda a, b, rounding_mode: (np.floor if rounding_mode == "floor" else np.trunc)(a / b),
        grad=False,
        out=True,
        inplace=True,
    ),
    binary(
        "floor_divide",
        np.floor_divide,
        dtypes=("float64", "int64"),
        other_low=1,
        low=-5,
        high=9,
        grad=False,
    ),
    binary(
        "remainder",
        np.remainder,
        dtypes=("float64", "int64"),
        other_low=1,
        low=-5,
        high=9,
        gradgrad=False,
    ),
    binary(
        "fmod", np.fmod, dtypes=("float64", "int64"), other_low=1, low=-5, high=9, gradgrad=False
    ),
    binary("pow", lambda a, b: a**b, low=0.3),
    op(
        "pow",
        case(t(3, low=-3, high=4), 2),
        case(t(3, low=-3, high=4), t(3, low=0, high=4)),
        ref=lambda a, b: a**b,
        dtypes=("int64",),
        grad=False,
    ),
    binary("maximum", np.maximum, inplace=False, dtypes=INTS),
    binary("minimum", np.minimum, inplace=False, dtypes=INTS),
    binary("fmax", np.fmax, inplace=False),
    binary("fmin", np.fmin, inplace=False),
    binary("atan2", np.arctan2, low=0.5),
    binary("hypot", np.hypot, low=0.5, inplace=True),
    binary("copysign", np.copysign, low=0.5),
    binary("logaddexp", np.logaddexp, inplace=False),
    binary("logaddexp2", np.logaddexp2, inplace=False),
    binary("xlogy", lambda a, b: a * np.log(b), low=0.5),
    unary("neg", np.negative, dtypes=(*FLOATS, "int64")),
    unary("abs", np.abs, dtypes=(*FLOATS, "int64")),
    unary("sign", np.sign, dtypes=(*FLOATS, "int64")),
    unary("square", np.square, dtypes=(*FLOATS, "int64")),
    unary("reciprocal", lambda a: 1 / a, low=0.5),
    unary("floor", np.floor),
    unary("ceil", np.ceil),
    unary("trunc", np.trunc),
    unary("frac", lambda a: a - np.trunc(a)),
    unary("round", np.round),
    op(
        "round",
        case(t(3, 4), decimals=1),
        ref=lambda a, decimals: np.round(a, decimals),
        grad=False,
    ),
    unary("exp", np.exp),
    unary("exp2", np.exp2),
    unary("expm1", np.expm1),
    unary("log", np.log, low=0.3),
    unary("log2", np.log2, low=0.3),
    unary("log10", np.log10, low=0.3),
    unary("log1p", np.log1p, low=-0.7),
    unary("sqrt", np.sqrt, low=0.3),
    unary("rsqrt", lambda a: 1 / np.sqrt(a), low=0.3),
    unary("sin", np.sin),
    unary("cos", np.cos),
    unary("tan", np.tan, low=-1, high=1),
    unary("asin", np.arcsin, low=-0.8, high=0.8),
    unary("acos", np.arccos, low=-0.8, high=0.8),
    unary("atan", np.arctan),
    unary("sinh", np.sinh),
    unary("cosh", np.cosh),
    unary("tanh", np.tanh),
    unary("asinh", np.arcsinh),
    unary("acosh", np.arccosh, low=1.2, high=3),
    unary("atanh", np.arctanh, low=-0.8, high=0.8),
    unary("erf", _erf),
    unary("erfc", lambda a: 1 - _erf(a)),
    unary("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
    unary("deg2rad", np.deg2rad),
    unary("rad2deg", np.rad2deg),
    compare("eq", np.equal),
    compare("ne", np.not_equal),
    compare("lt", np.less),
    compare("le", np.less_equal),
    compare("gt", np.greater),
    compare("ge", np.greater_equal),
    *[
        unary(n, f, grad=False, inplace=False, out=False)
        for n, f in (("isnan", np.isnan), ("isinf", np.isinf), ("isfinite", np.isfinite))
    ],
    *[
        unary(n, f, grad=False, inplace=False)
        for n, f in (("isposinf", np.isposinf), ("isneginf", np.isneginf), ("signbit", np.signbit))
    ],
    *[
        binary(n, f, dtypes=("float32", "int64", "bool"), grad=False, inplace=False)
        for n, f in (
            ("logical_and", np.logical_and),
            ("logical_or", np.logical_or),
            ("logical_xor", np.logical_xor),
        )
    ],
    unary(
        "logical_not",
        np.logical_not,
        dtypes=("float32", "int64", "bool"),
        grad=False,
        inplace=False,
    ),
    *[
        binary(n, f, dtypes=("int64", "uint8"), grad=False)
        for n, f in (
            ("bitwise_and", np.bitwise_and),
            ("bitwise_or", np.bitwise_or),
            ("bitwise_xor", np.bitwise_xor),
        )
    ],
    *[
        op(
            n,
            case(t(3, 4), t(3, 4, low=0, high=3)),
            ref=f,
            dtypes=("int64",),
            grad=False,
            out=True,
            inplace=True,
        )
        for n, f in (("bitwise_left_shift", np.left_shift), ("bitwise_right_shift", np.right_shift))
    ],
    unary("bitwise_not", np.invert, dtypes=("int64", "bool"), grad=False),
    op(
        "where",
        case(mask(3, 4), t(3, 4), t(4)),
        case(mask(4), t(3, 1), 2.0),
        case(mask(), 1.0, t(2)),
        ref=np.where,
        method=False,
        dtypes=FLOATS,
    ),
    op(
        "masked_fill",
        case(t(3, 4), mask(3, 4), 2.5),
        case(t(3, 4), mask(4), t(grad=False)),
        ref=lambda a, m, v: np.where(m, v, a).astype(a.dtype),
        inplace=True,
    ),
    op(
        "clamp",
        case(t(3, 4), -0.5, 0.7),
        case(t(3, 4), max=0.2),
        case(t(3, 4), min=t(4, low=-1, high=-0.5), max=t(3, 1)),
        ref=lambda a, min=None, max=None: np.clip(a, min, max),
        out=True,
        inplace=True,
        dtypes=FLOATS,
    ),
    op("clamp", case(t(5), 0, 1), ref=np.clip, dtypes=("int64",), grad=False),
    op(
        "lerp",
        case(t(3, 4), t(3, 4), 0.3),
        case(t(3, 4), t(4), t(3, 1, low=0)),
        ref=lambda a, b, w: a + w * (b - a),
        inplace=True,
        out=True,
    ),
    op(
        "addcmul",
        case(t(3, 4), t(3, 1), t(4), value=0.5),
        ref=lambda a, b, c, value: a + value * b * c,
        inplace=True,
    ),
    op(
        "addcdiv",
        case(t(3, 4), t(3, 1), t(4, low=0.5), value=0.5),
        ref=lambda a, b, c, value: a + value * b / c,
        inplace=True,
    ),
    op(
        "nan_to_num",
        case(t(3, 4)),
        case(t(3), nan=1.0, posinf=2.0),
        ref=lambda a, **k: a,
        inplace=True,
    ),
    op(
        "fill",
        case(t(3, 4), 2.5),
        case(t(3), t(grad=False)),
        ref=lambda a, v: np.full_like(a, v),
        grad=False,
    ),
    op(
        "clamp_min", case(t(3, 4), 0.3), case(t(3, 4), t(4)), ref=np.maximum, inplace=True, out=True
    ),
    op(
        "clamp_max", case(t(3, 4), 0.3), case(t(3, 4), t(4)), ref=np.minimum, inplace=True, out=True
    ),
    op(
        "isclose",
        case(t(3, 4), t(3, 4), atol=0.5),
        case(t(3), t(3), rtol=1.0),
        ref=np.isclose,
        grad=False,
    ),
    op("heaviside", case(t(3, 4), t(4)), ref=np.heaviside, grad=False, inplace=True, out=True),
    functional("relu", lambda a: np.maximum(a, 0)),
    functional("relu6", lambda a: np.clip(a, 0, 6)),
    functional("silu", lambda a: a / (1 + np.exp(-a))),
    functional("mish", lambda a: a * np.tanh(np.log1p(np.exp(a)))),
    functional("gelu", None, case(t(4), approximate="tanh")),
    functional("leaky_relu", None, case(t(4), 0.2)),
    functional("elu", None, case(t(4), 1.5)),
    functional("selu"),
    functional("celu", None, case(t(4), 0.7)),
    functional("softplus", None, case(t(4, low=-30, high=30), 2, 10)),
    functional("hardtanh", None, case(t(4), -0.5, 0.5)),
    functional("hardsigmoid"),
    functional("hardswish"),
    functional("logsigmoid"),
    functional("softshrink", None, case(t(4), 1.0)),
    functional("hardshrink", None, case(t(4), 1.0)),
    op("nn.functional.threshold", case(t(3, 4), 0.2, 1.5), method=False),
    functional("softsign"),
    functional("tanhshrink"),
    op("nn.functional.glu", case(t(3, 4)), case(t(4, 3), dim=0), method=False),
]
ERRORS = [
    error(
        "add",
        case(t(3), t(4)),
        RuntimeError,
        r"size of tensor a \(3\) must match the size of tensor b \(4\)",
    ),
    error("add", case(t(3), "x"), TypeError, r"argument 'other' must be Tensor, not str"),
    error(
        "add",
        case(t(3), t(3), alpha=0.5),
        RuntimeError,
        "alpha must not be a floating point",
        "int64",
    ),
    error(
        "sub",
        case(mask(3), mask(3)),
        RuntimeError,
        "Subtraction, the `-` operator, with a bool tensor",
    ),
    error("neg", case(mask(3)), RuntimeError, "Negation, the `-` operator, on a bool tensor"),
    error(
        "bitwise_and", case(t(3), t(3)), RuntimeError, "\"bitwise_and\" not implemented for 'Float'"
    ),
    error(
        "Tensor.add_",
        case(t(3), t(2, 3)),
        RuntimeError,
        r"output with shape \[3\] doesn't match the broadcast shape",
    ),
    error(
        "Tensor.add_",
        case(t(3), t(3, dtype="float32")),
        RuntimeError,
        "result type Float can't be cast",
        "int64",
    ),
    error("floor_divide", case(t(3), 0), RuntimeError, "ZeroDivisionError", "int64"),
    error(
        "div",
        case(t(3), t(3), rounding_mode="up"),
        RuntimeError,
        "expected rounding_mode to be one of None",
    ),
    error("clamp", case(t(3)), RuntimeError, "At least one of 'min' or 'max' must not be None"),
    error(
        "where", case(t(3), t(3), t(3)), RuntimeError, "expected condition to be a boolean tensor"
    ),
    error("masked_fill", case(t(3), t(3), 1.0), RuntimeError, "only supports boolean masks"),
    error(
        "masked_fill",
        case(t(3), mask(3), t(2)),
        RuntimeError,
        "only supports a 0-dimensional value tensor",
    ),
    error(
        "nn.functional.gelu",
        case(t(3), approximate="x"),
        RuntimeError,
        "approximate argument must be either",
    ),
    error("nn.functional.glu", case(t(3)), RuntimeError, "Halving dimension must be even"),
    error(
        "nn.functional.hardtanh",
        case(t(3), 1.0, 0.0),
        ValueError,
        "min_val cannot be greater than max_val",
    ),
    error(
        "nn.functional.softshrink",
        case(t(3), -1.0),
        RuntimeError,
        "lambda must be greater or equal to 0",
    ),
]
