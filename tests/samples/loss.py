"""Samples of losses."""

import numpy as np

from .model import case, error, index, op, t
from .softmax import softmax

F = "nn.functional."
X, TARGET = t(3, 4), index(3, high=4)
LABELS = index(3, 4, low=-1, high=4)
WEIGHT = t(4, low=0.5, high=2, grad=False)
IMAGE, PIXELS = t(2, 3, 2, 2), index(2, 2, 2, high=3)


def nll(x, target, weight=None, ignore_index=-100, reduction="mean"):
    x = x[None] if x.ndim == 1 else x
    flat = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    t = target.reshape(-1)
    w = np.ones(x.shape[1], x.dtype) if weight is None else weight
    counts = t != ignore_index
    w = np.where(counts, w[np.where(counts, t, 0)], 0)
    losses = -w * flat[np.arange(t.size), np.where(counts, t, 0)]
    if reduction == "none":
        return losses.reshape(target.shape)
    return np.asarray(losses.sum() / w.sum() if reduction == "mean" else losses.sum())


def cross_entropy(x, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    dim = 0 if x.ndim == 1 else 1
    logs = np.log(softmax(x, dim))
    plain = nll(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return plain
    classes = x.shape[dim]
    w = np.ones(classes, x.dtype) if weight is None else weight
    smooth = -(logs * w.reshape((-1,) + (1,) * (x.ndim - 1 - dim))).sum(dim)
    counts = target != ignore_index
    smooth = np.where(counts, smooth, 0)
    if reduction == "mean":
        smooth = smooth.sum() / np.where(counts, w[np.where(counts, target, 0)], 0).sum()
    elif reduction == "sum":
        smooth = smooth.sum()
    return (1 - label_smoothing) * plain + label_smoothing / classes * smooth


def reduce(values, reduction):
    values = np.asarray(values)
    return values if reduction == "none" else np.asarray(getattr(values, reduction)())


def multi_margin(x, target, p=1, margin=1.0, weight=None, reduction="mean"):
    scores, classes = x.reshape(-1, x.shape[-1]), x.shape[-1]
    values = np.zeros(target.shape, x.dtype)
    for n, own in enumerate(target.flat):
        others = np.delete(scores[n], own)
        gaps = np.maximum(margin - scores[n, own] + others, 0) ** p
        values.flat[n] = gaps.sum() / classes * (1 if weight is None else weight[own])
    return reduce(values, reduction)


def multilabel_margin(x, target, reduction="mean"):
    classes = x.shape[-1]
    values = np.zeros(x.shape[:-1], x.dtype)
    for n, (scores, row) in enumerate(
        zip(x.reshape(-1, classes), target.reshape(-1, classes), strict=True)
    ):
        labels = row[: np.argmin(np.append(row, -1))]
        others = np.delete(scores, labels)
        values.flat[n] = sum(np.maximum(1 - scores[y] + others, 0).sum() for y in labels) / classes
    return reduce(values, reduction)


def reduced(function):
    def ref(input, target, *args, reduction="mean", **kwargs):
        values = function(input, target, *args, **kwargs)
        return (
            values
            if reduction == "none"
            else np.asarray(values.mean() if reduction == "mean" else values.sum())
        )

    return ref


def smooth_l1(a, b, beta=1.0):
    d = abs(a - b)
    return np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)


def huber(a, b, delta=1.0):
    d = abs(a - b)
    return np.where(d < delta, 0.5 * d * d, delta * (d - 0.5 * delta))


def bce(p, y, weight=None):
    values = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return values if weight is None else values * weight


def bce_logits(x, y, weight=None, pos_weight=1.0):
    values = -(pos_weight * y * -np.log1p(np.exp(-x)) + (1 - y) * (-x - np.log1p(np.exp(-x))))
    return values if weight is None else values * weight


def reductions(*args, **kwargs):
    return [case(*args, **kwargs, reduction=r) for r in ("mean", "sum", "none")]


def loss(name, *cases, **options):
    return op(F + name, *cases, method=False, **options)


P = t(3, 4, low=0.1, high=0.9)
SIGN = t(3, low=1, high=1, grad=False)
SAMPLES = [
    loss(
        "nll_loss",
        *reductions(X, TARGET),
        case(X, TARGET, WEIGHT),
        *reductions(X, TARGET, WEIGHT, ignore_index=1),
        case(t(4), index(high=4)),
        *reductions(IMAGE, PIXELS),
        ref=nll,
    ),
    loss(
        "cross_entropy",
        *reductions(X, TARGET),
        case(X, TARGET, WEIGHT, label_smoothing=0.2),
        *reductions(X, TARGET, WEIGHT, ignore_index=1, label_smoothing=0.1),
        case(t(4), index(high=4)),
        *reductions(IMAGE, PIXELS, label_smoothing=0.1),
        case(t(2, 40), index(2, high=40)),
        ref=cross_entropy,
    ),
    loss("cross_entropy", *reductions(X, P), case(X, P, WEIGHT, label_smoothing=0.1)),
    loss("mse_loss", *reductions(X, t(3, 4)), ref=reduced(lambda a, b: (a - b) ** 2)),
    loss(
        "mse_loss",
        case(X, t(3, 4), weight=t(3, 4, low=0.5, grad=False)),
        ref=lambda a, b, weight: np.asarray(((a - b) ** 2 * weight).sum() / weight.sum()),
    ),
    loss("l1_loss", *reductions(X, t(3, 4)), ref=reduced(lambda a, b: abs(a - b))),
    loss(
        "smooth_l1_loss",
        *reductions(X, t(3, 4)),
        case(X, t(3, 4), beta=0.5),
        ref=reduced(smooth_l1),
    ),
    loss("huber_loss", *reductions(X, t(3, 4)), case(X, t(3, 4), delta=0.5), ref=reduced(huber)),
    loss(
        "binary_cross_entropy",
        *reductions(P, P),
        case(P, P, t(4, low=0.1, grad=False)),
        ref=reduced(bce),
    ),
    loss(
        "binary_cross_entropy_with_logits",
        *reductions(X, P),
        case(X, P, t(3, 4, grad=False)),
        case(X, P, pos_weight=t(4, low=0.5, grad=False)),
        ref=reduced(bce_logits),
    ),
    loss("kl_div", *reductions(X, P)[1:], case(X, X, reduction="batchmean", log_target=True)),
    loss("hinge_embedding_loss", case(t(3), SIGN, margin=0.5)),
    loss("margin_ranking_loss", case(t(3), t(3), SIGN, margin=0.1)),
    loss("soft_margin_loss", case(t(3), SIGN)),
    loss("multilabel_soft_margin_loss", case(X, P, WEIGHT)),
    loss(
        "multi_margin_loss",
        *reductions(X, TARGET),
        case(X, TARGET, p=2, margin=0.5, weight=WEIGHT),
        case(t(4), index(high=4)),
        case(t(0, 4), index(0, high=4), reduction="none"),
        ref=multi_margin,
    ),
    loss(
        "multilabel_margin_loss",
        *reductions(X, LABELS),
        case(t(4), index(4, low=-1, high=4)),
        case(t(0, 4), index(0, 4, high=4), reduction="none"),
        ref=multilabel_margin,
    ),
    loss("cosine_embedding_loss", case(X, t(3, 4), SIGN)),
    loss(
        "triplet_margin_loss",
        case(X, t(3, 4), t(3, 4), margin=3.0),
        case(X, t(3, 4), t(3, 4), p=1, swap=True),
    ),
    loss("triplet_margin_with_distance_loss", case(X, t(3, 4), t(3, 4), margin=3.0)),
    loss(
        "poisson_nll_loss",
        case(X, t(3, 4, low=2, high=4)),
        case(P, P, log_input=False),
        case(X, t(3, 4, low=2, high=4), full=True),
    ),
    loss(
        "gaussian_nll_loss", case(X, t(3, 4), P, full=True), case(X, t(3, 4), t(3, low=0.5, high=1))
    ),
]
ERRORS = [
    *[
        sample
        for name in ("nll_loss", "cross_entropy")
        for sample in (
            error(
                F + name,
                case(X, index(3, low=10, high=11)),
                IndexError,
                "Target 10 is out of bounds.",
            ),
            error(
                F + name,
                case(X, index(2, high=4)),
                ValueError,
                r"input batch_size \(3\) to match target batch_size \(2\)",
            ),
            error(
                F + name,
                case(X, index(3, high=4, dtype="int32")),
                RuntimeError,
                "target dtype to be Long or Byte, but got Int",
            ),
            error(
                F + name,
                case(X, TARGET, t(3)),
                RuntimeError,
                "weight tensor should be defined either for all 4 classes",
            ),
            error(
                F + name,
                case(X, TARGET, reduction="avg"),
                ValueError,
                "avg is not a valid value for reduction",
            ),
            error(F + name, case(IMAGE, index(2, 3, 2, high=3)), RuntimeError, "size mismatch"),
        )
    ],
    error(
        F + "multi_margin_loss",
        case(X, TARGET, p=3),
        ValueError,
        "only p == 1 and p == 2 supported",
    ),
    error(
        F + "multi_margin_loss",
        case(X, index(2, high=4)),
        RuntimeError,
        r"Expected target size \[3\], but got \[2\]",
    ),
    error(
        F + "multi_margin_loss",
        case(X, TARGET, weight=t(3)),
        RuntimeError,
        r"inconsistent weight size, expected 4 but got \[3\]",
    ),
    error(
        F + "multi_margin_loss",
        case(X, TARGET, weight=t(4, 1)),
        ValueError,
        "weight must be one-dimensional",
    ),
    error(
        F + "multi_margin_loss",
        case(X, index(3, low=4, high=5)),
        RuntimeError,
        "target out of range",
    ),
    error(
        F + "multilabel_margin_loss",
        case(X, index(3, high=4)),
        RuntimeError,
        r"inconsistent target size: \[3\] for input of size: \[3, 4\]",
    ),
    error(
        F + "multilabel_margin_loss",
        case(X, index(3, 4, low=-3, high=-1)),
        RuntimeError,
        "argument #2 'target' is out of range",
    ),
    *[
        sample
        for name, target in (("multi_margin_loss", (3,)), ("multilabel_margin_loss", (3, 4)))
        for sample in (
            error(
                F + name,
                case(t(2, 3, 4), index(*target, high=4)),
                RuntimeError,
                "Expected non-empty vector or matrix",
            ),
            error(
                F + name,
                case(X, index(*target, high=4, dtype="int32")),
                RuntimeError,
                "expected scalar type Long but found Int",
            ),
            error(
                F + name,
                case(X, index(*target, high=4)),
                NotImplementedError,
                "not implemented for 'Int'",
                dtype="int32",
            ),
        )
    ],
    error(
        F + "cross_entropy",
        case(X, TARGET, label_smoothing=2.0),
        RuntimeError,
        "label_smoothing must be between 0.0 and 1.0",
    ),
    error(
        F + "cross_entropy",
        case(X, P, ignore_index=1),
        RuntimeError,
        "ignore_index is not supported for floating point target",
    ),
    error(F + "mse_loss", case(X, X), RuntimeError, "not implemented for 'Long'", dtype="int64"),
    error(
        F + "smooth_l1_loss",
        case(X, X, beta=-1.0),
        RuntimeError,
        "does not support negative values for beta",
    ),
    error(
        F + "huber_loss",
        case(X, X, delta=0.0),
        RuntimeError,
        "does not support non-positive values for delta",
    ),
    error(
        F + "binary_cross_entropy",
        case(t(3, low=2, high=3), t(3)),
        RuntimeError,
        "all elements of input should be between 0 and 1",
    ),
    error(
        F + "binary_cross_entropy_with_logits",
        case(X, t(4)),
        ValueError,
        "must be the same as input size",
    ),
]
