"""Losses of margins and distances, and likelihoods, composed of pointwise ops and reductions."""

import math

from ...core.dtype import int64
from ...core.tape import grad_mode
from ..create import arange
from ..pointwise.activation import logsigmoid
from .reduction import MEAN, NONE, SUM, code_of, finish

__all__ = [
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "poisson_nll_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """input where target is 1, max(0, margin - input) where it is -1. (...), (...) -> ()"""
    hinge = (margin - input).clamp_min(0)
    values = hinge.where(target != 1, 0) + input.where(target != -1, 0)
    return finish(values, code_of(reduction, size_average, reduce))


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """max(0, -target * (input1 - input2) + margin). (...), (...), (...) -> ()"""
    code = code_of(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            "input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return finish((-target * (input1 - input2) + margin).clamp_min(0), code)


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target * input)). (...), (...) -> ()"""
    return finish(-logsigmoid(target * input), code_of(reduction, size_average, reduce))


def multilabel_soft_margin_loss(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The mean over classes of binary cross entropies of scores. (N, C), (N, C) -> ()"""
    code = code_of(reduction, size_average, reduce)
    values = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        values = values * weight
    return finish(values.mean(-1), code)


def _check_classes(input, target, kernel: str) -> None:
    """Scores of the form (N, C) or (C,), and targets that are class indices."""
    shape = input.shape
    if len(shape) > 2 or (shape and shape[-1] == 0):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(shape)}"
        )
    found, scores = (t.dtype.type_name.removesuffix("Tensor") for t in (target, input))
    if not input.dtype.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scores}'")
    if target.dtype is not int64:
        raise RuntimeError(f"expected scalar type Long but found {found}")


def multi_margin_loss(
    input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
):
    """The sum over the classes but the target of max(0, margin - input[target] + input)^p, over C.

    (N, C), (N,) of class indices, (C,) -> (), or both without N
    """
    code = code_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    _check_classes(input, target, "multi_margin_loss_cpu_kernel")
    scores = input if input.ndim == 2 else input.view(1, -1)
    samples, classes = scores.shape
    if target.ndim > 1 or target.numel() != samples:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{samples}], but got "
            f"{list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {list(weight.shape)}"
        )
    if ((target < 0) | (target >= classes)).any().item():
        raise RuntimeError("target out of range")
    own = target.view(samples, 1)
    gaps = margin - scores.gather(1, own) + scores
    gaps = gaps.where((gaps > 0) & (arange(classes, device=input.device) != own), 0)
    values = (gaps if p == 1 else gaps * gaps).sum(1) / classes
    if weight is not None:
        values = values * weight.gather(0, own.view(samples))
    return finish(values.view(target.shape), code)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The sum over a sample's labels and over its other classes of max(0, 1 - input[label] +
    input[other]), over C.

    (N, C), (N, C) of labels that end at the first -1 -> (), or both without N; takes memory for
    N * C * C elements
    """
    code = code_of(reduction, size_average, reduce)
    _check_classes(input, target, "multilabel_margin_loss_forward_out_frame")
    if target.shape != input.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    scores, target = (t if t.ndim else t.view(1) for t in (input, target))
    classes = scores.shape[-1]
    if ((target < -1) | (target >= classes)).any().item():
        raise RuntimeError("argument #2 'target' is out of range")
    labels, given = target.clamp_min(0), (target >= 0).cumprod(-1)
    other = given.new_zeros(given.shape).scatter_add(-1, labels, given) == 0
    gaps = 1 - scores.gather(-1, labels).unsqueeze(-1) + scores.unsqueeze(-2)
    counted = (gaps > 0) & (given > 0).unsqueeze(-1) & other.unsqueeze(-2)
    return finish(gaps.where(counted, 0).sum((-2, -1)) / classes, code)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """1 - cos where target is 1, max(0, cos - margin) where it is -1. (N, D), (N, D), (N) -> ()"""
    code = code_of(reduction, size_average, reduce)
    if target.ndim not in (0, 1):
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            "inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )
    tiny = 1e-12
    product = (input1 * input2).sum(-1)
    cosine = (
        product / (((input1 * input1).sum(-1) + tiny) * ((input2 * input2).sum(-1) + tiny)).sqrt()
    )
    positive = (1 - cosine).where(target == 1, 0)
    return finish(positive + (cosine - margin).clamp_min(0).where(target == -1, 0), code)


def _distance(x, y, p, eps):
    return (x - y + eps).norm(p, -1)


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, margin + |anchor - positive| - |anchor - negative|) (Balntas et al. 2016). (N, D)
    three times -> ()
    """
    code = code_of(reduction, size_average, reduce)
    return _triplet(
        anchor, positive, negative, lambda x, y: _distance(x, y, p, eps), margin, swap, code
    )


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """triplet_margin_loss with any distance. (N, ...) three times -> ()"""
    distance = distance_function or (lambda x, y: _distance(x, y, 2, 1e-6))
    return _triplet(anchor, positive, negative, distance, margin, swap, code_of(reduction))


def _triplet(anchor, positive, negative, distance, margin, swap, code):
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    a, p, n = anchor.ndim, positive.ndim, negative.ndim
    if not a == p == n:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            "dimensions, but got: "
            f"anchor {a}D, positive {p}D, and negative {n}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return finish((margin + near - far).clamp_min(0), code)


def poisson_nll_loss(
    input,
    target,
    log_input=True,
    full=False,
    size_average=None,
    eps=1e-8,
    reduce=None,
    reduction="mean",
):
    """exp(input) - target * input, or input - target * log(input + eps); `full` adds Stirling's
    terms where target > 1. (...), (...) -> ()
    """
    code = code_of(reduction, size_average, reduce)
    values = input.exp() if log_input else input
    values = values - target * (input if log_input else (input + eps).log())
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        values = values + stirling.where(target > 1, 0)
    return finish(values, code)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (input - target)^2 / var) / 2, with var at least eps; `full` adds log(2 pi) / 2.
    (...) -> ()
    """
    if isinstance(var, (int, float)):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = input.new_full(input.shape, float(var))
    elif var._spec.numel and (var.detach() < 0).any().item():
        raise ValueError("var has negative entry/entries")
    if var.shape != input.shape:
        if tuple(input.shape[:-1]) == tuple(var.shape):
            var = var.unsqueeze(-1)
        elif (
            input.ndim != var.ndim
            or sum(y for x, y in zip(input.shape, var.shape, strict=True) if x != y) != 1
        ):
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    token = grad_mode.set(False)  # the floor has no part in the derivative, as in torch
    try:
        var.clamp_(min=eps)
    finally:
        grad_mode.reset(token)
    difference = input - target
    values = 0.5 * (var.log() + difference * difference / var)
    if full:
        values = values + 0.5 * math.log(2 * math.pi)
    return finish(values, {"none": NONE, "mean": MEAN, "sum": SUM}[reduction])
