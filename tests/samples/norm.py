"""Samples of normalization."""

import numpy as np

from .model import case, error, op, t

F = "nn.functional."
C = t(3)
MEAN, VAR = t(3, grad=False), t(3, low=0.5, high=2, grad=False)
IMAGE, ROWS = t(2, 3, 2, 3), t(4, 3)


def channels(v, x):
    return v.reshape((-1,) + (1,) * (x.ndim - 2))


def scaled(y, weight, bias):
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias


def standard(x, dims, eps):
    mean = x.mean(dims, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(dims, keepdims=True) + eps)


def batch_norm(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    if training:
        y = standard(x, (0, *range(2, x.ndim)), eps)
    else:
        y = (x - channels(mean, x)) / np.sqrt(channels(var, x) + eps)
    return scaled(y, *(None if v is None else channels(v, x) for v in (weight, bias)))


def layer_norm(x, shape, weight=None, bias=None, eps=1e-5):
    return scaled(standard(x, tuple(range(x.ndim - len(shape), x.ndim)), eps), weight, bias)


def group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    y = standard(x.reshape(len(x), groups, -1), 2, eps).reshape(x.shape)
    return scaled(y, *(None if v is None else channels(v, x) for v in (weight, bias)))


def instance_norm(x, mean=None, var=None, weight=None, bias=None, use_input_stats=True):
    if use_input_stats:
        y = standard(x, tuple(range(2, x.ndim)), 1e-5)
        return scaled(y, *(None if v is None else channels(v, x) for v in (weight, bias)))
    return batch_norm(x, mean, var, weight, bias)


def rms_norm(x, shape, weight=None, eps=None):
    dims = tuple(range(x.ndim - len(shape), x.ndim))
    eps = np.finfo(x.dtype).eps if eps is None else eps
    y = x / np.sqrt((x * x).mean(dims, keepdims=True) + eps)
    return scaled(y, weight, None)


def normalize(x, p=2.0, dim=1, eps=1e-12):
    norm = (abs(x) ** p).sum(dim, keepdims=True) ** (1 / p)
    return x / np.maximum(norm, eps)


SAMPLES = [
    op(
        F + "batch_norm",
        case(IMAGE, MEAN, VAR, C, C, True),
        case(IMAGE, None, None, None, None, True, eps=0.1),
        case(ROWS, MEAN, VAR, C, C, True),
        case(ROWS, None, None, training=True),
        case(ROWS, None, None, C, None, True),
        case(IMAGE, None, None, C, None, True),
        case(IMAGE, MEAN, VAR, C, C),
        case(ROWS, MEAN, VAR),
        case(ROWS, MEAN, VAR, C, C),
        case(t(2, 3, 4), MEAN, VAR, None, C),
        ref=batch_norm,
        method=False,
        tolerance=1e-4,
    ),
    op(
        F + "batch_norm",
        case(t(0, 3, 2), MEAN, VAR, C, C, True),
        grad=False,
        method=False,
        strided=False,
    ),
    op(
        "native_batch_norm",
        case(IMAGE, C, C, MEAN, VAR, True, 0.1, 1e-5),
        case(IMAGE, C, C, MEAN, VAR, False, 0.1, 1e-5),
        method=False,
        tolerance=1e-4,
    ),
    op(
        F + "layer_norm",
        case(t(3, 5), (5,)),
        case(t(3, 5), (5,), t(5), t(5)),
        case(t(3, 5), (5,), t(5)),
        case(t(2, 3, 4), (3, 4), t(3, 4), t(3, 4), 0.1),
        case(t(5), (5,), t(5), t(5)),
        ref=layer_norm,
        method=False,
        tolerance=1e-4,
    ),
    op(F + "layer_norm", case(t(0, 5), (5,), t(5), t(5)), grad=False, method=False),
    op("layer_norm", case(t(3, 5), (5,), t(5), t(5)), ref=layer_norm, method=False, tolerance=1e-4),
    op(
        "native_layer_norm",
        case(t(2, 3, 4), (3, 4), t(3, 4), t(3, 4), 1e-5),
        method=False,
        tolerance=1e-4,
    ),
    op(
        F + "group_norm",
        case(t(2, 4, 3), 2, t(4), t(4)),
        case(t(2, 4, 2, 2), 4),
        case(t(2, 4), 2, t(4)),
        ref=group_norm,
        method=False,
        tolerance=1e-4,
    ),
    op("group_norm", case(t(2, 4, 3), 2, t(4), t(4)), ref=group_norm, method=False, tolerance=1e-4),
    op(
        "native_group_norm",
        case(t(2, 4, 3), t(4), t(4), 2, 4, 3, 2, 1e-5),
        method=False,
        tolerance=1e-4,
    ),
    op(
        F + "instance_norm",
        case(IMAGE),
        case(IMAGE, MEAN, VAR, C, C),
        case(IMAGE, MEAN, VAR, C, C, False),
        ref=instance_norm,
        method=False,
        tolerance=1e-4,
    ),
    op(
        F + "rms_norm",
        case(t(3, 5), (5,)),
        case(t(3, 5), (5,), t(5), 0.1),
        case(t(2, 3, 4), (3, 4), t(3, 4)),
        ref=rms_norm,
        method=False,
    ),
    op("rms_norm", case(t(3, 5), (5,), t(5)), ref=rms_norm, method=False),
    op(
        F + "normalize",
        case(t(3, 4)),
        case(t(3, 4), p=3.0, dim=0),
        case(t(2, 3, 2), dim=-1),
        case(t(2, 5, 3)),
        case(t(3, 40), eps=100.0),
        case(t(2, 3, 2), eps=100.0),
        ref=normalize,
        method=False,
    ),
]
ERRORS = [
    error(
        F + "batch_norm",
        case(t(1, 3), MEAN, VAR, training=True),
        ValueError,
        r"Expected more than 1 value per channel when training, got input size torch.Size\(\[1, "
        r"3\]\)",
    ),
    error(
        F + "batch_norm",
        case(ROWS, None, None, training=True, eps=0.0),
        ValueError,
        "batch_norm eps must be positive during training, but got 0.0",
    ),
    error(
        F + "batch_norm",
        case(ROWS, MEAN, VAR, eps=-1.0),
        ValueError,
        "batch_norm eps must be non-negative, but got -1.0",
    ),
    error(
        F + "batch_norm",
        case(ROWS, None, None),
        RuntimeError,
        "running_mean must be defined in evaluation mode",
    ),
    error(
        F + "batch_norm",
        case(ROWS, t(4), VAR),
        RuntimeError,
        "running_mean should contain 3 elements not 4",
    ),
    error(
        F + "batch_norm",
        case(ROWS, MEAN, VAR, t(2), training=True),
        RuntimeError,
        "weight should contain 3 elements not 2",
    ),
    error(
        F + "batch_norm",
        case(ROWS, None, None, training=True),
        RuntimeError,
        "\"batch_norm\" not implemented for 'Long'",
        dtype="int64",
    ),
    error(
        F + "layer_norm",
        case(t(4, 5), (4,)),
        RuntimeError,
        r"Given normalized_shape=\[4\], expected input with shape \[\*, 4\], but got input of "
        r"size\[4, 5\]",
    ),
    error(
        F + "layer_norm",
        case(t(4, 5), (5,), t(4)),
        RuntimeError,
        "Expected weight to be of same shape as normalized_shape",
    ),
    error(F + "group_norm", case(t(4, 6, 5), 4), RuntimeError, "to be divisible by num_groups"),
    error(
        F + "instance_norm",
        case(t(2, 3, 1)),
        ValueError,
        "Expected more than 1 spatial element when training",
    ),
    error(F + "rms_norm", case(t(2, 3), (2,)), RuntimeError, r"Given normalized_shape=\[2\]"),
]
