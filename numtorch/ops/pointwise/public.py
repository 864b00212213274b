"""Public functions of the pointwise room whose signature is more than operands, and the rules on
their arguments.
"""

from ...core import dtype as dtypes
from ...core import errors
from ...core.generate import reaches_twice
from ...core.inplace import check, known_as, rename
from ...core.interp import runtime
from ...core.out import to_out
from ...core.tape import grad_mode
from ...core.tensor import Tensor
from . import activation as act
from . import arith, compare
from .define import in_place

FUNCTIONAL = [
    "relu",
    "relu_",
    "relu6",
    "silu",
    "mish",
    "gelu",
    "leaky_relu",
    "leaky_relu_",
    "prelu",
    "elu",
    "elu_",
    "softplus",
    "hardtanh",
    "hardtanh_",
    "hardsigmoid",
    "hardswish",
    "logsigmoid",
    "softshrink",
    "hardshrink",
    "threshold",
    "threshold_",
    "softsign",
    "tanhshrink",
    "celu",
    "celu_",
    "selu",
    "selu_",
    "sigmoid",
    "tanh",
    "glu",
]


# -- add, sub: alpha
# ------------------------------------------------------------------------------------------------
def _check_alpha(name, input, other, alpha) -> None:
    if isinstance(alpha, bool) and not _all_bool(input, other):
        raise RuntimeError(f"Boolean alpha only supported for Boolean results. ({name})")
    integral = not any(
        isinstance(x, float) or (isinstance(x, Tensor) and x._spec.dtype.is_floating_point)
        for x in (input, other)
    )
    if integral and isinstance(alpha, float):
        raise RuntimeError(
            f"For integral input tensors, argument alpha must not be a floating point number. "
            f"({name})"
        )


def _all_bool(*values) -> bool:
    return all(
        v._spec.dtype is dtypes.bool_ if isinstance(v, Tensor) else isinstance(v, bool)
        for v in values
    )


def add_with_alpha(input, other, alpha, out=None):
    """input + alpha * other."""
    _check_alpha("add", input, other, alpha)
    return arith.add_scaled(input, other, alpha, out=out)


def add_with_alpha_(input, other, alpha):
    """`add_with_alpha` in place."""
    _check_alpha("add_", input, other, alpha)
    return _add_scaled_(input, other, alpha)


def sub_with_alpha(input, other, alpha, out=None):
    """input - alpha * other."""
    return add_with_alpha(input, other, -alpha, out)


def sub_with_alpha_(input, other, alpha):
    """`sub_with_alpha` in place."""
    return add_with_alpha_(input, other, -alpha)


_add_scaled_ = in_place(arith.add_scaled)
add, add_, sub, sub_ = arith.add, in_place(arith.add), arith.sub, in_place(arith.sub)
for _f in (add_with_alpha, add_with_alpha_, sub_with_alpha, sub_with_alpha_):
    runtime[_f.__name__] = _f


def rsub(input, other, *, alpha=1):
    """other - alpha * input."""
    if _all_bool(input) and _all_bool(other):
        arith.refuse_bool_subtraction((), dtypes.bool_)
    return known_as(sub(other, input, alpha=alpha), "RsubBackward0")


# -- division, rounding
# ----------------------------------------------------------------------------------------------
def div(input, other, *, rounding_mode=None, out=None):
    """input / other; rounded as "floor" or "trunc" where that is asked for. (...), (...) ->
    (...)
    """
    if rounding_mode is None:
        return arith.true_divide(input, other, out=out)
    if rounding_mode == "floor":
        return arith.div_floor(input, other, out=out)
    if rounding_mode == "trunc":
        return arith.div_trunc(input, other, out=out)
    raise RuntimeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


def div_(input, other, *, rounding_mode=None):
    """`div` in place."""
    forms = {None: _div_, "floor": _div_floor_, "trunc": _div_trunc_}
    if rounding_mode not in forms:
        return div(input, other, rounding_mode=rounding_mode)
    return forms[rounding_mode](input, other)


_div_, _floor_divide_ = in_place(arith.true_divide), in_place(arith.floor_divide_op)
_div_floor_, _div_trunc_ = in_place(arith.div_floor), in_place(arith.div_trunc)


def round(input, *, decimals=0, out=None):  # noqa: A001 (torch's name)
    """Rounded to even, at `decimals` digits behind the point (negative: before it)."""
    if decimals == 0:
        return arith.round_op(input, out=out)
    if not input._spec.dtype.is_floating_point:
        raise RuntimeError(
            f'"round_cpu" not implemented for '
            f"'{input._spec.dtype.type_name.removesuffix('Tensor')}'"
        )
    scale = 10.0 ** builtin_abs(decimals)
    result = (
        arith.round_op(input * scale) / scale
        if decimals > 0
        else arith.round_op(input / scale) * scale
    )
    return result if out is None else to_out(result, out, "round")


def round_(input, *, decimals=0):
    """`round` in place."""
    return _round_(input) if decimals == 0 else input.copy_(round(input, decimals=decimals))


_round_ = in_place(arith.round_op)
builtin_abs = abs


# -- selection -------------------------------------------------------------------------------------
def clamp(input, min=None, max=None, *, out=None):  # noqa: A002 (torch's names)
    """Between `min` and `max` (numbers or tensors; one may be None). (...) -> (...)"""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is None:
        return _clamped(compare.clamp_max_op(input, max, out=out), compare.clamp_max_op, max)
    if max is None:
        return _clamped(compare.clamp_min_op(input, min, out=out), compare.clamp_min_op, min)
    return compare.clamp_op(input, min, max, out=out)


def _clamped(result, function, limit):
    """With the node named as that of `clamp`, not `clamp_min`."""
    if result._node is not None:
        rename(result, function, f"ClampBackward{0 if isinstance(limit, Tensor) else 1}")
    return result


def clamp_(input, min=None, max=None):  # noqa: A002
    """`clamp` in place."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp_: At least one of 'min' or 'max' must not be None")
    if min is None:
        return _clamped(clamp_max_(input, max), compare.clamp_max_op, max)
    if max is None:
        return _clamped(clamp_min_(input, min), compare.clamp_min_op, min)
    return _clamp_(input, min, max)


_clamp_, clamp_min_, clamp_max_ = (
    in_place(compare.clamp_op),
    in_place(compare.clamp_min_op),
    in_place(compare.clamp_max_op),
)


def where(condition, input=None, other=None, *, out=None):
    """`input` where `condition` holds, else `other`; with a condition alone, the indices where it
    holds.
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if not isinstance(condition, Tensor):
        raise TypeError(
            f"where(): argument 'condition' (position 1) must be Tensor, not "
            f"{type(condition).__name__}"
        )
    if condition._spec.dtype not in (dtypes.bool_, dtypes.uint8):
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition._spec.dtype}"
        )
    return compare.where_op(condition, input, other, out=out)


def where_method(input, condition, other):
    """`input` where `condition` holds, else `other`."""
    return compare.where_op(condition, input, other)


def _check_masked_fill(input, mask, value) -> None:
    if mask._spec.dtype is not dtypes.bool_:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask._spec.dtype}"
        )
    if isinstance(value, Tensor) and value._spec.ndim:
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._spec.ndim} dimension(s)."
        )


def masked_fill(input, mask, value):
    """`value` where `mask` is true. (...), (...), () -> (...)"""
    _check_masked_fill(input, mask, value)
    return compare.masked_fill_op(input, mask, value)


def masked_fill_(input, mask, value):
    """`masked_fill` in place."""
    _check_masked_fill(input, mask, value)
    if reaches_twice(input._spec):
        errors.warn_expanded("masked_fill_")
    return _masked_fill_(input, mask, _apart(input, value))


def _apart(input, value):
    """A value that is read before the memory it lies in is written to."""
    shared = isinstance(value, Tensor) and value._storage is input._storage
    return value.clone() if shared else value


_masked_fill_ = in_place(compare.masked_fill_op)
_fill_ = in_place(compare.fill_op)


def fill(input, value):
    """A tensor of the same shape full of `value`."""
    return compare.fill_op(input, value)


def fill_(input, value):
    """`value` everywhere: a number or a 0-d tensor."""
    if isinstance(value, Tensor) and value._spec.ndim:
        raise RuntimeError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value._spec.ndim} "
            f"dimensions."
        )
    if isinstance(value, Tensor) and reaches_twice(input._spec):
        refuse_expanded(input)
    _fill_(input, _apart(input, value))
    if input._node is not None:
        rename(input, compare.fill_op, f"FillBackward{3 if isinstance(value, Tensor) else 2}")
    return input


def refuse_expanded(input) -> None:
    """The error of writing a tensor to an expanded one, after those of autograd."""
    check(compare.fill_op.op, input, input._node is not None and grad_mode.get(), ())
    raise errors.internal_overlap("copy_")


def zero_(input):
    """Zeros everywhere."""
    _fill_(input, 0)
    if input._node is not None:
        rename(input, compare.fill_op, "ZeroBackward0")
    return input


def nan_to_num(input, nan=0.0, posinf=None, neginf=None, *, out=None):
    """NaN and infinities replaced: by default 0 and the dtype's largest and smallest numbers."""
    if not input._spec.dtype.is_floating_point:
        result = input.clone()
        return result if out is None else to_out(result, out, "nan_to_num")
    high, low = _replacements(input, posinf, neginf)
    return compare.nan_to_num_op(input, 0.0 if nan is None else nan, high, low, out=out)


def nan_to_num_(input, nan=0.0, posinf=None, neginf=None):
    """`nan_to_num` in place."""
    if not input._spec.dtype.is_floating_point:
        return input
    high, low = _replacements(input, posinf, neginf)
    return _nan_to_num_(input, 0.0 if nan is None else nan, high, low)


_nan_to_num_ = in_place(compare.nan_to_num_op)


def _replacements(input, posinf, neginf):
    """What infinities become."""
    largest = 3.4028234663852886e38
    if input._spec.dtype is dtypes.float64:
        largest = 1.7976931348623157e308
    return largest if posinf is None else posinf, -largest if neginf is None else neginf


def addcmul(input, tensor1, tensor2, *, value=1, out=None):
    """input + value * tensor1 * tensor2. (...), (...), (...) -> (...)"""
    return arith.addcmul_op(input, tensor1, tensor2, value, out=out)


def addcdiv(input, tensor1, tensor2, *, value=1, out=None):
    """input + value * tensor1 / tensor2. (...), (...), (...) -> (...)"""
    return arith.addcdiv_op(input, tensor1, tensor2, value, out=out)


_addcmul_, _addcdiv_ = in_place(arith.addcmul_op), in_place(arith.addcdiv_op)


def addcmul_(input, tensor1, tensor2, *, value=1):
    """`addcmul` in place."""
    return _addcmul_(input, tensor1, tensor2, value)


def addcdiv_(input, tensor1, tensor2, *, value=1):
    """`addcdiv` in place."""
    return _addcdiv_(input, tensor1, tensor2, value)


# -- activations -----------------------------------------------------------------------------------
_relu_, _silu_, _mish_ = in_place(act.relu), in_place(act.silu), in_place(act.mish)
_relu6_, _hardsigmoid_ = in_place(act.relu6), in_place(act.hardsigmoid)
_hardswish_ = in_place(act.hardswish)


def relu(input, inplace=False):
    """max(0, input). (...) -> (...)"""
    return _relu_(input) if inplace else act.relu(input)


def relu_(input):
    """`relu` in place."""
    return _relu_(input)


def relu6(input, inplace=False):
    """min(max(0, input), 6). (...) -> (...)"""
    return _relu6_(input) if inplace else act.relu6(input)


def silu(input, inplace=False):
    """input * sigmoid(input) (Elfwing et al. 2017). (...) -> (...)"""
    return _silu_(input) if inplace else act.silu(input)


def mish(input, inplace=False):
    """input * tanh(softplus(input)) (Misra 2019). (...) -> (...)"""
    return _mish_(input) if inplace else act.mish(input)


def gelu(input, approximate="none"):
    """The Gaussian error linear unit (Hendrycks and Gimpel 2016), exact or "tanh". (...) ->
    (...)
    """
    if approximate == "none":
        return act.gelu_erf(input)
    if approximate == "tanh":
        return act.gelu_tanh(input)
    raise RuntimeError("approximate argument must be either none or tanh.")


_leaky_, _elu_, _hardtanh_ = (
    in_place(act.leaky_relu_op),
    in_place(act.elu_op),
    in_place(act.hardtanh_op),
)
_threshold_, _celu_ = in_place(act.threshold_op), in_place(act.celu_op)
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """input, times a slope where negative. (...) -> (...)"""
    return _leaky_(input, negative_slope) if inplace else act.leaky_relu_op(input, negative_slope)


def leaky_relu_(input, negative_slope=0.01):
    """`leaky_relu` in place."""
    return _leaky_(input, negative_slope)


def prelu(input, weight):
    """input, times a learned slope where negative, one for all or for each channel (He et al.
    2015). (N, C, ...), (1) or (C) -> (N, C, ...)
    """
    shape, slopes = input._spec.shape, weight._spec
    if slopes.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {slopes.ndim}"
        )
    if slopes.dtype is not input._spec.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input._spec.dtype} and {slopes.dtype}"
        )
    if slopes.numel != 1:
        if not shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = shape[1] if len(shape) > 1 else 1
        if slopes.numel != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{slopes.numel} and channel size = {channels}."
            )
    if slopes.ndim == 1:
        weight = weight.reshape((slopes.numel, *(1,) * (len(shape) - 2)) if len(shape) > 1 else ())
    return act.prelu_op(input, weight)


def elu(input, alpha=1.0, inplace=False):
    """input where positive, else alpha * (exp(input) - 1) (Clevert et al. 2015). (...) -> (...)"""
    return _elu_(input, alpha, 1.0, 1.0) if inplace else act.elu_op(input, alpha, 1.0, 1.0)


def elu_(input, alpha=1.0):
    """`elu` in place."""
    return _elu_(input, alpha, 1.0, 1.0)


def selu(input, inplace=False):
    """The self-normalizing ELU (Klambauer et al. 2017). (...) -> (...)"""
    return (
        _elu_(input, SELU_ALPHA, SELU_SCALE, 1.0)
        if inplace
        else act.elu_op(input, SELU_ALPHA, SELU_SCALE, 1.0)
    )


def selu_(input):
    """`selu` in place."""
    return selu(input, True)


def celu(input, alpha=1.0, inplace=False):
    """max(0, x) + min(0, alpha * (exp(x / alpha) - 1)) (Barron 2017). (...) -> (...)"""
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _celu_(input, alpha) if inplace else act.celu_op(input, alpha)


def celu_(input, alpha=1.0):
    """`celu` in place."""
    return celu(input, alpha, True)


def softplus(input, beta=1, threshold=20):
    """log(1 + exp(beta * input)) / beta; linear above the threshold. (...) -> (...)"""
    return act.softplus_op(input, beta, threshold)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """Between min_val and max_val. (...) -> (...)"""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return (
        _hardtanh_(input, min_val, max_val) if inplace else act.hardtanh_op(input, min_val, max_val)
    )


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """`hardtanh` in place."""
    return hardtanh(input, min_val, max_val, True)


def hardsigmoid(input, inplace=False):
    """A piecewise linear sigmoid. (...) -> (...)"""
    return _hardsigmoid_(input) if inplace else act.hardsigmoid(input)


def hardswish(input, inplace=False):
    """input * hardsigmoid(input) (Howard et al. 2019). (...) -> (...)"""
    return _hardswish_(input) if inplace else act.hardswish(input)


def logsigmoid(input):
    """log(sigmoid(input)). (...) -> (...)"""
    return act.logsigmoid(input)


def softshrink(input, lambd=0.5):
    """input moved towards zero by lambd. (...) -> (...)"""
    if lambd < 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd:g}.")
    return act.softshrink_op(input, lambd)


def hardshrink(input, lambd=0.5):
    """Zero between -lambd and lambd. (...) -> (...)"""
    return act.hardshrink_op(input, lambd)


def threshold(input, threshold, value, inplace=False):
    """`value` where input is not above the threshold. (...) -> (...)"""
    return (
        _threshold_(input, threshold, value)
        if inplace
        else act.threshold_op(input, threshold, value)
    )


def threshold_(input, threshold, value):
    """`threshold` in place."""
    return _threshold_(input, threshold, value)


def softsign(input):
    """input / (1 + |input|). (...) -> (...)"""
    return act.softsign(input)


def tanhshrink(input):
    """input - tanh(input). (...) -> (...)"""
    return act.tanhshrink(input)


def glu(input, dim=-1):
    """The first half of a dimension times the sigmoid of the second (Dauphin et al. 2016)."""
    if input._spec.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    n = input.shape[dim]
    if n % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {n}")
    a, b = input.chunk(2, dim)
    return known_as(a * b.sigmoid(), "GluBackward0")
