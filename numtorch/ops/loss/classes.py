"""Losses of classes: nll_loss and cross_entropy.

A tensor of scores (N, C, d1, ...) is seen as (N, C, S). cross_entropy on class indices is one
kernel, whose derivative is one kernel: it keeps three numbers for each target instead of a tensor
of log-probabilities.
"""

import math

from ...core import dtype as dtypes
from ...core.op import primitive
from ..softmax import log_softmax_op, softmax_backward_op, softmax_op
from . import batching
from .reduction import MEAN, NONE, code_of

ROOM = "numtorch.ops.loss"
__all__ = ["cross_entropy", "nll_loss"]


# -- shapes --------------------------------------------------------------------------------------
def sizes_of(shape) -> tuple[int, int, int]:
    """(N, C, S) of a tensor of scores."""
    if len(shape) == 1:
        return 1, shape[0], 1
    return shape[0], shape[1], math.prod(shape[2:])


def _check(input, target, weight, name: str) -> None:
    if target.dtype not in (dtypes.int64, dtypes.uint8):
        got = target.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {got}")
    shape = input.shape
    if not shape:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) == 1:
        fits = target.numel == 1 and target.ndim <= 1
    else:
        if not target.shape or shape[0] != target.shape[0]:
            size = target.shape[0] if target.shape else 1
            raise ValueError(
                f"Expected input batch_size ({shape[0]}) to match target batch_size ({size})."
            )
        fits = tuple(target.shape) == (shape[0], *shape[2:])
    if not fits:
        if len(shape) == 2:
            raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
        expected = [shape[0], *shape[2:]]
        if len(shape) == 4:
            raise RuntimeError(
                f"size mismatch (got input: {list(shape)} , target: {list(target.shape)}; "
                f"expected target size {expected}"
            )
        raise RuntimeError(f"Expected target size {expected}, got {list(target.shape)}")
    classes = sizes_of(shape)[1]
    if weight is not None and (weight.ndim != 1 or weight.numel != classes):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but "
            "got weight tensor of "
            f"shape: {list(weight.shape)}"
        )
    if not input.dtype.is_floating_point:
        kind = input.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(f"\"{name}_out_frame\" not implemented for '{kind}'")
    if weight is not None and weight.dtype is not input.dtype:
        mine, theirs = (s.dtype.type_name.removesuffix("Tensor") for s in (input, weight))
        raise RuntimeError(f"expected scalar type {mine} but found {theirs}")


def _loss_shape(input, target, reduction):
    return input.like(target.shape if reduction == NONE else ())


# -- nll_loss ------------------------------------------------------------------------------------
def _nll_backward(g, _input, target, weight, out1, reduction, ignore_index):
    return nll_loss_backward_op(g, target, out1, weight, _input.shape, reduction, ignore_index)


def _nll_rule(input, target, weight=None, *, reduction, ignore_index):
    """-weight[target] * input[target], and the sum of the weights that count. (N, C, ...), (N,
    ...), (C) -> (), ()
    """
    _check(input, target, weight, "nll_loss")
    return _loss_shape(input, target, reduction), input.like(())


def _both(rule, name: str, derivative, batch):
    """The op for (N, C), and for images: torch's graphs name them differently."""
    return [
        primitive(
            rule,
            name=name + suffix,
            vjp={"input": derivative},
            vmap=batch,
            outputs=2,
            module=ROOM,
            node_name=node,
        )
        for suffix, node in (("_op", "NllLossBackward0"), ("2d_op", "NllLoss2DBackward0"))
    ]


nll_loss_op, nll_loss2d_op = _both(_nll_rule, "nll_loss", _nll_backward, batching.nll)


@primitive(
    vmap=batching.nll_backward,
    vjp={
        "grad": lambda g, target, total, weight, reduction, ignore_index: nll_loss_op(
            g, target, weight, reduction, ignore_index
        )[0]
    },
    module=ROOM,
)
def nll_loss_backward_op(grad, target, total, weight=None, *, size, reduction, ignore_index):
    """-weight[c] * grad where c is the target, else 0; over `total` for a mean. -> (N, C, ...)"""
    return grad.like(size)


def nll_loss(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
):
    """The negative log-likelihood of the target classes. (N, C, ...), (N, ...) -> ()

    `weight`: one number for each class; "mean" divides by the sum of the targets' weights.
    """
    op = nll_loss2d_op if input._spec.ndim > 2 else nll_loss_op
    return op(input, target, weight, code_of(reduction, size_average, reduce), int(ignore_index))[0]


# -- cross_entropy -------------------------------------------------------------------------------
def _cross_backward(g, input, target, weight, out1, reduction, ignore_index, smoothing):
    return cross_entropy_backward_op(
        g, input, target, out1, weight, reduction, ignore_index, smoothing
    )


def _cross_rule(input, target, weight=None, *, reduction, ignore_index, smoothing):
    """The loss, and what its derivative needs: for each target the logarithm of the sum of
    exponentials, the factor of its probabilities, and its loss; then the sum of the weights.
    (N, C, ...), (N, ...), (C) -> (), (3 * N * S + 1)
    """
    _check(input, target, weight, "cross_entropy")
    return _loss_shape(input, target, reduction), input.like((3 * target.numel + 1,))


cross_entropy_op, cross_entropy2d_op = _both(
    _cross_rule, "cross_entropy", _cross_backward, batching.cross_entropy
)


def _per_target(values, _input):
    """(N * S) as (N, 1, ...)."""
    shape = _input.shape
    return values.reshape((1,) if len(shape) == 1 else (shape[0], 1, *shape[2:]))


def _by_scores(g, grad, input, _input, saved, reduction):
    """d/d input of sum(g * scale * (probability * factor - constant))."""
    dim = 0 if _input.ndim == 1 else 1
    count = (saved._spec.numel - 1) // 3
    factor = _per_target(saved[count : 2 * count], _input)
    scale = _per_target(grad, _input) if reduction == NONE else grad
    if reduction == MEAN:
        scale = scale / saved[3 * count]
    return softmax_backward_op(g * (scale * factor), softmax_op(input, dim), dim)


def _by_grad(g, _grad, input, _input, target, saved, weight, reduction, ignore_index, smoothing):
    dim = 0 if _input.ndim == 1 else 1
    ones = input.new_ones(_grad.shape)
    unit = cross_entropy_backward_op(
        ones, input, target, saved, weight, reduction, ignore_index, smoothing
    )
    product = g * unit
    return product.sum(dim).reshape(_grad.shape) if reduction == NONE else product.sum()


@primitive(
    vmap=batching.cross_entropy_backward, vjp={"grad": _by_grad, "input": _by_scores}, module=ROOM
)
def cross_entropy_backward_op(
    grad, input, target, saved, weight=None, *, reduction, ignore_index, smoothing
):
    """scale * (probability * factor - smoothed target), one pass over the scores. -> (N, C, ...)"""
    return input.like()


def cross_entropy(
    input,
    target,
    weight=None,
    size_average=None,
    ignore_index=-100,
    reduce=None,
    reduction="mean",
    label_smoothing=0.0,
):
    """The cross entropy of scores and target classes (or class probabilities). (N, C, ...), (N,
    ...) -> ()

    `label_smoothing` mixes that share of the uniform distribution into the targets (Szegedy et al.
    2016).
    """
    code = code_of(reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if target._spec.shape == input._spec.shape:
        return _with_probabilities(input, target, weight, ignore_index, code, label_smoothing)
    op = cross_entropy2d_op if input._spec.ndim > 2 else cross_entropy_op
    return op(input, target, weight, code, int(ignore_index), float(label_smoothing))[0]


def _with_probabilities(input, target, weight, ignore_index, code, smoothing):
    spec = input._spec
    if not target._spec.dtype.is_floating_point:
        got = target._spec.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {got}"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    dim = 0 if spec.ndim == 1 else 1
    classes = spec.shape[dim]
    if weight is not None and (weight._spec.ndim != 1 or weight._spec.numel != classes):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {classes} classes or "
            "no classes but got "
            f"weight tensor of shape: {list(weight.shape)}"
        )
    if smoothing > 0:
        target = target * (1 - smoothing) + smoothing / classes
    values = log_softmax_op(input, dim) * target
    if weight is not None:
        values = values * weight.reshape((-1,) + (1,) * (spec.ndim - 2) if spec.ndim > 1 else (-1,))
    if code == NONE:
        return -values.sum(dim)
    if code == MEAN:
        return -(values.sum() / (spec.numel // classes if classes else 0))
    return -values.sum()
