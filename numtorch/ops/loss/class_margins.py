"""Margins between the scores of classes: multi_margin_loss and multilabel_margin_loss."""

from ...core.dtype import int64
from ...core.op import primitive
from ..create import arange
from . import batching
from .reduction import code_of, finish

ROOM = "numtorch.ops.loss"
__all__ = ["multi_margin_loss", "multilabel_margin_loss"]


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


# -- one label -----------------------------------------------------------------------------------
def _unit(g, grad, input, *rest):
    """The derivative of a gradient that is linear in `grad`."""
    back = multi_margin_backward_op if len(rest) > 1 else multilabel_margin_backward_op
    return (g * back(grad.new_ones(grad._spec.shape), input, *rest)).sum(1)


def _curvature(g, grad, input, target, weight, p, margin):
    """The derivative of the gradient for the input: none but for squares."""
    if p == 1:
        return input * 0
    own, classes = target.view(-1, 1), input._spec.shape[1]
    mask = (margin - input.gather(1, own) + input > 0) & (
        arange(classes, device=input.device) != own
    )
    scale = grad * (2 / classes) if weight is None else grad * weight[target] * (2 / classes)
    change = ((g - g.gather(1, own)) * scale.unsqueeze(1)).where(mask, 0)
    return change.scatter_add(1, own, -change.sum(1, True))


@primitive(
    vmap=batching.rows,
    vjp={
        "input": lambda g, input, target, weight, p, margin: multi_margin_backward_op(
            g, input, target, weight, p, margin
        )
    },
    module=ROOM,
    node_name="MultiMarginLossBackward0",
)
def multi_margin_op(input, target, weight=None, *, p, margin):
    """The sum over the classes but the target of max(0, margin - input[target] + input)^p, over C,
    times the target's weight. (N, C), (N,), (C,) -> (N,)
    """
    return input.like(input.shape[:1])


@primitive(
    vmap=batching.rows,
    vjp={
        "grad": lambda g, grad, input, target, weight, p, margin: _unit(
            g, grad, input, target, weight, p, margin
        ),
        "input": _curvature,
    },
    module=ROOM,
)
def multi_margin_backward_op(grad, input, target, weight=None, *, p, margin):
    """The gradient of `multi_margin_op`. (N,), (N, C), (N,), (C,) -> (N, C)"""
    return input.like()


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
    spec, labels = input._spec, target._spec
    _check_classes(spec, labels, "multi_margin_loss_cpu_kernel")
    samples, classes = spec.shape if spec.ndim == 2 else (1, spec.numel)
    if labels.ndim > 1 or labels.numel != samples:
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{samples}], but got "
            f"{list(labels.shape)}. Input has shape {list(spec.shape)}."
        )
    if weight is not None and weight.numel() != classes:
        raise RuntimeError(
            f"inconsistent weight size, expected {classes} but got {list(weight.shape)}"
        )
    if weight is not None and weight.dtype is not input.dtype:
        mine, theirs = (t.dtype.type_name.removesuffix("Tensor") for t in (input, weight))
        raise RuntimeError(f"expected scalar type {mine} but found {theirs}")
    if labels.ndim == 0 or spec.ndim != 2:
        input, target = input.view(samples, classes), target.view(samples)
    values = multi_margin_op(input, target, weight, int(p), float(margin))
    return finish(values if labels.ndim else values.view(()), code)


# -- several labels ------------------------------------------------------------------------------
@primitive(
    vmap=batching.rows,
    vjp={"input": lambda g, input, target: multilabel_margin_backward_op(g, input, target)},
    module=ROOM,
    node_name="MultilabelMarginLossBackward0",
)
def multilabel_margin_op(input, target):
    """The sum over a sample's labels and its other classes of max(0, 1 - input[label] +
    input[other]), over C. (N, C), (N, C) -> (N,)
    """
    return input.like(input.shape[:1])


@primitive(
    vmap=batching.rows,
    vjp={
        "grad": lambda g, grad, input, target: _unit(g, grad, input, target),
        "input": lambda g, input: input * 0,
    },
    module=ROOM,
)
def multilabel_margin_backward_op(grad, input, target):
    """The gradient of `multilabel_margin_op`. (N,), (N, C), (N, C) -> (N, C)"""
    return input.like()


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """The sum over a sample's labels and over its other classes of max(0, 1 - input[label] +
    input[other]), over C.

    (N, C), (N, C) of labels that end at the first -1 -> (), or both without N
    """
    code = code_of(reduction, size_average, reduce)
    spec, labels = input._spec, target._spec
    _check_classes(spec, labels, "multilabel_margin_loss_forward_out_frame")
    if labels.shape != spec.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(labels.shape)} for input of size: {list(spec.shape)}"
        )
    if spec.ndim == 2:
        return finish(multilabel_margin_op(input, target), code)
    return finish(multilabel_margin_op(input.view(1, -1), target.view(1, -1)).view(()), code)
