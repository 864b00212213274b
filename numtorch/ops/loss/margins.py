"""Losses of margins and distances, and likelihoods, composed of pointwise ops and reductions."""

import math

from ...core.batching import any_true
from ...core.tape import grad_mode
from ..pointwise.activation import logsigmoid
from .reduction import MEAN, NONE, SUM, code_of, finish

__all__ = [
    "cosine_embedding_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
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
    elif var._spec.numel and any_true(var.detach() < 0):
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
