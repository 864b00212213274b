"""Operators that treat every element alike: one table entry each; kernels, derivatives and in-place
forms follow.

arith.py, math.py, compare.py, activation.py and update.py are the tables; public.py holds the
functions whose torch signature is more than operands.
"""

from . import arith, closeness, compare, math, public
from .define import in_place, operator
from .public import FUNCTIONAL

_TABLES = {
    arith: "mul remainder fmod pow maximum minimum fmax fmin atan2 hypot copysign neg abs sign "
    "square reciprocal floor "
    "ceil trunc frac lerp",
    math: "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt sin cos tan asin acos atan sinh cosh "
    "tanh asinh acosh atanh "
    "erf erfc sigmoid deg2rad rad2deg logaddexp logaddexp2 xlogy",
    compare: "eq ne lt le gt ge isnan isinf isfinite isposinf isneginf signbit logical_and "
    "logical_or logical_xor "
    "logical_not bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift "
    "bitwise_not heaviside",
}
_PUBLIC = [
    "add",
    "sub",
    "rsub",
    "div",
    "round",
    "clamp",
    "where",
    "masked_fill",
    "fill",
    "nan_to_num",
    "addcmul",
    "addcdiv",
    "relu",
    "selu",
    "celu",
]
_ALIASES = {
    "multiply": "mul",
    "subtract": "sub",
    "divide": "div",
    "negative": "neg",
    "absolute": "abs",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "not_equal": "ne",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arctan2": "atan2",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "fix": "trunc",
    "clip": "clamp",
}
_NO_IN_PLACE = {
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "isnan",
    "isinf",
    "isfinite",
    "isposinf",
    "isneginf",
    "signbit",
    "logaddexp",
    "logaddexp2",
}

_functions = {n: getattr(module, n) for module, names in _TABLES.items() for n in names.split()}
_functions |= {n: getattr(public, n) for n in _PUBLIC}
_functions |= {
    "clamp_min": compare.clamp_min_op,
    "clamp_max": compare.clamp_max_op,
    "floor_divide": arith.floor_divide_op,
    "true_divide": public.div,
    "isclose": closeness.isclose,
    "allclose": closeness.allclose,
    "equal": closeness.equal,
}
_in_place = {
    f"{n}_": in_place(f)
    for n, f in _functions.items()
    if hasattr(f, "op") and n not in _NO_IN_PLACE
}
_in_place |= {
    n: f
    for n, f in vars(public).items()
    if n.endswith("_") and not n.startswith("_") and callable(f)
}
_in_place |= {"true_divide_": public.div_}
for _alias, _name in _ALIASES.items():
    _functions[_alias] = _functions[_name]
    if f"{_name}_" in _in_place:
        _in_place[f"{_alias}_"] = _in_place[f"{_name}_"]

_not_methods = {"selu", "celu", "where"}
_only_functional = {"leaky_relu_", "elu_", "hardtanh_", "threshold_", "celu_", "selu_"}
METHODS = {
    n: f for n, f in (_functions | _in_place).items() if n not in _not_methods | _only_functional
}
METHODS["where"] = public.where_method
METHODS |= {
    "__add__": operator(public.add),
    "__radd__": operator(public.add),
    "__iadd__": public.add_,
    "__sub__": operator(public.sub),
    "__isub__": public.sub_,
    "__mul__": operator(arith.mul),
    "__rmul__": operator(arith.mul),
    "__imul__": _in_place["mul_"],
    "__truediv__": operator(arith.true_divide),
    "__itruediv__": public._div_,
    "__floordiv__": operator(arith.floor_divide_op),
    "__ifloordiv__": public._floor_divide_,
    "__mod__": operator(arith.remainder),
    "__imod__": _in_place["remainder_"],
    "__pow__": operator(arith.pow),
    "__ipow__": _in_place["pow_"],
    "__neg__": operator(arith.neg),
    "__abs__": operator(arith.abs),
    "__and__": operator(compare.bitwise_and),
    "__rand__": operator(compare.bitwise_and),
    "__iand__": _in_place["bitwise_and_"],
    "__or__": operator(compare.bitwise_or),
    "__ror__": operator(compare.bitwise_or),
    "__ior__": _in_place["bitwise_or_"],
    "__xor__": operator(compare.bitwise_xor),
    "__rxor__": operator(compare.bitwise_xor),
    "__ixor__": _in_place["bitwise_xor_"],
    "__lshift__": operator(compare.bitwise_left_shift),
    "__ilshift__": _in_place["bitwise_left_shift_"],
    "__rshift__": operator(compare.bitwise_right_shift),
    "__irshift__": _in_place["bitwise_right_shift_"],
    "__invert__": operator(compare.bitwise_not),
    "__eq__": operator(compare.eq),
    "__ne__": operator(compare.ne),
    "__lt__": operator(compare.lt),
    "__le__": operator(compare.le),
    "__gt__": operator(compare.gt),
    "__ge__": operator(compare.ge),
    "__rsub__": lambda self, other: public.rsub(self, other),
    "__rtruediv__": lambda self, other: arith.true_divide(other, self),
    "__rfloordiv__": lambda self, other: arith.floor_divide_op(other, self),
    "__rmod__": lambda self, other: arith.remainder(other, self),
    "__rpow__": lambda self, other: arith.pow(other, self),
    "__rlshift__": lambda self, other: compare.bitwise_left_shift(other, self),
    "__rrshift__": lambda self, other: compare.bitwise_right_shift(other, self),
}
globals().update({n: getattr(public, n) for n in FUNCTIONAL if hasattr(public, n)})
globals().update(_functions)
_module_in_place = [
    "relu_",
    "selu_",
    "celu_",
    "threshold_",
    "abs_",
    "neg_",
    "exp_",
    "log_",
    "sqrt_",
    "sigmoid_",
    "tanh_",
    "clamp_",
    "fill_",
    "zero_",
    "sin_",
    "cos_",
]
globals().update({n: _in_place[n] for n in _module_in_place})
__all__ = [*_functions, *_module_in_place]  # noqa: PLE0604
