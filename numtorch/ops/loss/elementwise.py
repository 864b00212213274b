"""Losses of pairs: each is an expression of a prediction and a target, summed in the same pass.

The expression and its derivatives are those of a pointwise op (`*_values`), which serves
reduction="none", broadcasting and mixed dtypes; a primitive sums it for tensors of one shape and
dtype, with the pointwise op's fused derivative.
"""

import warnings

from ...core import dtype as dtypes
from ...core.batching import Call, any_true
from ...core.op import primitive
from ...core.tensor import Tensor
from ..pointwise.activation import logsigmoid
from ..pointwise.define import pointwise
from .batching import pairs
from .reduction import MEAN, NONE, code_of, finish, legacy, warn_sizes

ROOM = "numtorch.ops.loss"
__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "smooth_l1_loss",
]
INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64")
SUMS: dict = {}  # name -> the pointwise op whose values are summed


def pair_launchers(pair_sum):
    """The launchers of losses that are summed in one pass, from the device's `pair_sum(op, input,
    target, out, mean, parameter)`, in the order of `names`.
    """

    def launcher(name):
        def launch(input, target, out, *, mean, parameter):
            return pair_sum(SUMS[name], input, target, out, mean, parameter)

        launch.contiguous = True  # type: ignore[attr-defined]
        return launch

    names = "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "bce", "bce_with_logits"
    return tuple(launcher(name) for name in names)


def _pair_loss(name: str, node_name: str, expression: str, d, parameter: bool = False):
    """(function of values, function of their sum or mean)."""
    names = "input target" + (" parameter" if parameter else "")
    derivatives = (*d, None) if parameter else d
    values = pointwise(
        f"{name}_values",
        names,
        expression,
        "arith",
        derivatives,
        node_name=node_name,
        reject=INTEGERS,
        compute=lambda specs: dtypes.result_type_of(specs[:2]),
        doc=f"{expression} for each pair. (...), (...) -> (...)",
    )
    SUMS[name] = values.op
    derivatives = values.op.vjp_entries()
    values.op.vjp_entries = lambda: derivatives  # both ops share one fused kernel for each
    entries = dict(derivatives)

    def back(which: str):
        derivative = entries[which]
        wanted = derivative.__code__.co_varnames[: derivative.__code__.co_argcount]

        def vjp(g, input, target, mean, parameter):
            given = {"input": input, "target": target, "parameter": parameter}
            given.update({f"_{k}": v._spec for k, v in given.items() if isinstance(v, Tensor)})
            given["g"] = g / input._spec.numel if mean else g
            return derivative(*[given[n] for n in wanted])

        return vjp

    def rule(input, target, *, mean, parameter):
        """The sum (or mean) of a loss. (...), (...) -> ()"""
        if not input.dtype.is_floating_point:
            values.op.refuse((input, target), input.dtype)
        return input.like(())

    summed = primitive(
        rule,
        name=f"{name}_op",
        module=ROOM,
        node_name=node_name,
        vjp={"input": back("input"), "target": back("target")},
        vmap=pairs(values, parameter),
    )
    return values, summed


def _apply(pair, input, target, code: int, parameter: float | None = None, weight=None):
    """The loss of one of the pairs above, in one pass where shapes and dtypes are the same."""
    values, summed = pair
    a, b = input._spec, target._spec
    if code != NONE and weight is None and a.shape == b.shape and a.dtype is b.dtype:
        return summed(input, target, code == MEAN, parameter or 0.0)
    result = values(input, target) if parameter is None else values(input, target, parameter)
    return finish(result if weight is None else result * weight, code)


def _weighted(values, input, weight, code: int):
    """A loss with a weight for each element; the mean is over the weights."""
    if weight._spec.shape != input._spec.shape:
        raise ValueError("Weights and input must have the same size.")
    total = values * weight
    return total.sum() / weight.sum() if code == MEAN else finish(total, code)


# -- distances -----------------------------------------------------------------------------------
_MSE = _pair_loss(
    "mse_loss",
    "MseLossBackward0",
    "(a - b) * (a - b)",
    (lambda g, a, b: g * (2 * (a - b)), lambda g, a, b: g * (2 * (b - a))),
)
_L1 = _pair_loss(
    "l1_loss",
    "AbsBackward0",
    "fabs(a - b)",
    (lambda g, a, b: g * (a - b).sign(), lambda g, a, b: g * (b - a).sign()),
)
_SMOOTH_L1 = _pair_loss(
    "smooth_l1_loss",
    "SmoothL1LossBackward0",
    "where(fabs(a - b) < c, 0.5 * (a - b) * (a - b) / c, fabs(a - b) - 0.5 * c)",
    (
        lambda g, a, b, c: (g * ((a - b) / c)).where((a - b).abs() < c, g * (a - b).sign()),
        lambda g, a, b, c: (g * ((b - a) / c)).where((a - b).abs() < c, g * (b - a).sign()),
    ),
    parameter=True,
)
_HUBER = _pair_loss(
    "huber_loss",
    "HuberLossBackward0",
    "where(fabs(a - b) < c, 0.5 * (a - b) * (a - b), c * (fabs(a - b) - 0.5 * c))",
    (
        lambda g, a, b, c: (g * (a - b)).where((a - b).abs() < c, g * (c * (a - b).sign())),
        lambda g, a, b, c: (g * (b - a)).where((a - b).abs() < c, g * (c * (b - a).sign())),
    ),
    parameter=True,
)


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The squared error, (input - target)^2. (...), (...) -> ()"""
    warn_sizes(input, target)
    code = code_of(reduction, size_average, reduce)
    if weight is not None:
        return _weighted(_MSE[0](input, target), input, weight, code)
    return _apply(_MSE, input, target, code)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """The absolute error, |input - target|. (...), (...) -> ()"""
    warn_sizes(input, target)
    code = code_of(reduction, size_average, reduce)
    if weight is not None:
        return _weighted(_L1[0](input, target), input, weight, code)
    if not input._spec.dtype.is_floating_point:
        return finish((input - target).abs(), code)
    return _apply(_L1, input, target, code)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """Squared below `beta`, linear above (Girshick 2015). (...), (...) -> ()"""
    warn_sizes(input, target)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, size_average, reduce, reduction)
    code = code_of(reduction, size_average, reduce)
    return _apply(_SMOOTH_L1, input, target, code, float(beta))


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Half the squared error below `delta`, linear above (Huber 1964). (...), (...) -> ()"""
    warn_sizes(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None and weight._spec.shape != input._spec.shape:
        raise ValueError("Weights and input must have the same size.")
    return _apply(_HUBER, input, target, code_of(reduction), float(delta), weight)


# -- binary cross entropies ----------------------------------------------------------------------
_BCE = _pair_loss(
    "bce",
    "BinaryCrossEntropyBackward0",
    "(b - 1) * maximum(log1p(-a), -100) - b * maximum(log(a), -100)",
    (
        lambda g, a, b: g * ((a - b) / ((1 - a) * a).clamp_min(1e-12)),
        lambda g, a: g * ((-a).log1p().clamp_min(-100) - a.log().clamp_min(-100)),
    ),
)
_BCE_LOGITS = _pair_loss(
    "bce_with_logits",
    "BinaryCrossEntropyWithLogitsBackward0",
    "where(a > 0, a, 0) - a * b + log1p(exp(-fabs(a)))",
    (lambda g, a, b: g * (a.sigmoid() - b), lambda g, a, _b: g * -a),
)


def _beyond_batch(call: Call):
    flat = call.tensors[0].reshape((call.size, -1))
    return ~((flat >= 0) & (flat <= 1)).all(1)


@primitive(vmap=_beyond_batch, vjp={}, module=ROOM)
def beyond_unit_op(input):
    """Whether an element does not lie between 0 and 1. (...) -> ()"""
    return input.like((), dtypes.bool_)


def binary_cross_entropy(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """-(target * log(input) + (1 - target) * log(1 - input)), logarithms at least -100.
    (...), (...) -> ()
    """
    code = code_of(reduction, size_average, reduce)
    if target._spec.shape != input._spec.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if input._spec.dtype is not target._spec.dtype:
        mine, theirs = (t._spec.dtype.type_name.removesuffix("Tensor") for t in (input, target))
        raise RuntimeError(f"Found dtype {theirs} but expected {mine}")
    for name, t in (("input", input), ("target", target)):
        if t._spec.dtype.is_floating_point and any_true(beyond_unit_op(t)):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    return _apply(_BCE, input, target, code, None, weight)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """binary_cross_entropy of sigmoid(input), without overflow. (...), (...) -> ()

    `pos_weight`: a factor for the positive part of each class, broadcast.
    """
    code = code_of(reduction, size_average, reduce)
    if target._spec.shape != input._spec.shape:
        raise ValueError(
            f"Target size ({target.shape}) must be the same as input size ({input.shape})"
        )
    if pos_weight is None:
        return _apply(_BCE_LOGITS, input, target, code, None, weight)
    log_weight = 1 + (pos_weight - 1) * target
    values = (1 - target) * input - log_weight * logsigmoid(input)
    return finish(values if weight is None else values * weight, code)


# -- Kullback-Leibler ----------------------------------------------------------------------------
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target * (log(target) - input): `input` holds log-probabilities, and `target`, too, if
    `log_target`. (...), (...) -> ()

    "batchmean" divides the sum by the first dimension.
    """
    if size_average is not None or reduce is not None:
        reduction = legacy(size_average, reduce)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
            stacklevel=2,
        )
    values = (
        target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    )
    if reduction == "batchmean":
        total = values.sum()
        return total / input.shape[0] if input._spec.ndim else total
    return finish(values, code_of(reduction))
