"""Dropout: elements or whole channels set to zero while training, the rest scaled up."""

import math
import warnings

from ...core.batching import leading
from ...core.dtype import bool_
from ...core.errors import kind
from ...core.inplace import replace
from ...core.op import primitive
from ...core.random import resolve_generator
from ...core.spec import Spec
from ...core.tangents import linear
from ...core.tensor import Tensor
from .create import fresh, like
from .fill import ROOM, bernoulli_, short_name

ALPHA = 1.7580993408473766  # the negative saturation value of SELU


def _tangent(op, tangents, tensors, attrs, results, k):
    return dropout_mask_op(tangents[0], results[1], attrs[0])


@primitive(
    jvp=_tangent,
    vmap=leading,
    vjp={"input": lambda g, out1, p: dropout_mask_op(g, out1, p)},
    node_name="MulBackward0",
    outputs=2,
    module=ROOM,
)
def dropout_op(input, *, p, generator):
    """Zero with probability p, else input / (1 - p); and which elements are kept.

    (...) -> (...), (...)
    """
    if not input.dtype.is_floating_point:
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {short_name(input)}"
        )
    return input.like(), input.like(dtype=bool_)


@primitive(
    jvp=linear,
    vmap=leading,
    vjp={"g": lambda g, mask, p: dropout_mask_op(g, mask, p), "mask": None},
    module=ROOM,
)
def dropout_mask_op(g, mask, *, p):
    """g / (1 - p) where the mask is set, g * 0 elsewhere. (...), (...) -> (...)"""
    return g.like()


def _check(p, input, name: str) -> float:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {kind(input)}"
        )
    return float(p)


def dropout(input, p=0.5, training=True, inplace=False):
    """While training: zero with probability p, else input / (1 - p). (...) -> (...)"""
    p = _check(p, input, "dropout")
    spec = input._spec
    if not training or p == 0.0 or spec.numel == 0:
        return input
    generator = resolve_generator(None, spec.device, "dropout")
    if spec.contiguous:
        result = dropout_op(input, p, generator)[0]
    else:  # torch draws in the order of the elements' addresses
        order = sorted(range(spec.ndim), key=lambda d: -spec.strides[d])
        back = sorted(range(spec.ndim), key=order.__getitem__)
        result = dropout_op(input.permute(order), p, generator)[0].permute(back)
    return _overwrite(input, result) if inplace else result


def _overwrite(input, result):
    return replace(input, result, dropout_op.op)


def _feature_noise(input, p: float) -> Tensor:
    """One number for each channel: 1 with probability 1 - p, else 0.

    (N, C, ...) -> (N, C, 1, ...)
    """
    spec = input._spec
    if spec.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    sizes = (*spec.shape[:2], *(1,) * (spec.ndim - 2))
    return bernoulli_(fresh(Spec.of(sizes, spec.dtype, spec.device)), 1.0 - p)


def feature_dropout(input, p, train, inplace=False):
    """While training: whole channels zero with probability p, the others input / (1 - p).

    (N, C, ...) -> (N, C, ...)
    """
    p = _check(p, input, "feature_dropout")
    if not train or p == 0.0 or input._spec.numel == 0:
        return input
    if p == 1.0:
        noise = input.new_zeros(())
    else:
        noise = _feature_noise(input, p).div_(1.0 - p)
    return input.mul_(noise) if inplace else input * noise


def dropout1d(input, p=0.5, training=True, inplace=False):
    """While training: whole channels of 1-D data zero with probability p.

    (N, C, L) or (C, L) -> the same
    """
    p = _check(p, input, "dropout1d")
    ndim = input._spec.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _batched(input, p, training, inplace, ndim == 3)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """While training: whole channels of images zero with probability p.

    (N, C, H, W) -> (N, C, H, W)
    """
    p = _check(p, input, "dropout2d")
    ndim = input._spec.ndim
    if ndim not in (3, 4):
        _warn_dimensions("dropout2d", ndim, 2, "3D or 4D")
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D "
            "dropout behavior is desired - input is interpreted as shape (N, C, L), where C is "
            "the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return feature_dropout(input, p, training, inplace)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """While training: whole channels of volumes zero with probability p.

    (N, C, D, H, W) or (C, D, H, W) -> the same
    """
    p = _check(p, input, "dropout3d")
    ndim = input._spec.ndim
    if ndim not in (4, 5):
        _warn_dimensions("dropout3d", ndim, 3, "4D or 5D")
    return _batched(input, p, training, inplace, ndim == 5)


def _warn_dimensions(name: str, ndim: int, spatial: int, expected: str) -> None:
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        "error in a future release. To retain the behavior and silence this warning, please use "
        f"dropout instead. Note that {name} exists to provide channel-wise dropout on inputs with "
        f"{spatial} spatial dimensions, a channel dimension, and an optional batch dimension (i.e. "
        f"{expected} inputs).",
        stacklevel=3,
    )


def _batched(input, p: float, training: bool, inplace: bool, is_batched: bool):
    """`feature_dropout` of a batch, or of one sample without a batch dimension."""
    if is_batched:
        return feature_dropout(input, p, training, inplace)
    result = feature_dropout(input.unsqueeze(0), p, training, inplace)
    return input if inplace else result.squeeze(0)


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean and variance of SELU activations: dropped elements get their lower
    limit. (...) -> (...)

    Source: G. Klambauer et al., "Self-Normalizing Neural Networks", 2017.
    """
    p = _check(p, input, "alpha_dropout")
    return _alpha(
        input,
        p,
        training,
        inplace,
        lambda: bernoulli_(like("alpha_dropout", input, None, None), 1.0 - p),
    )


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels. (N, C, ...) -> (N, C, ...)"""
    p = _check(p, input, "feature_alpha_dropout")
    return _alpha(input, p, training, inplace, lambda: _feature_noise(input, p))


def _alpha(input, p: float, training: bool, inplace: bool, draw):
    if not training or p == 0.0 or input._spec.numel == 0:
        return input
    if p == 1.0:
        zero = input.new_zeros(())
        return input.mul_(zero) if inplace else input * zero
    noise = draw()
    a = 1.0 / math.sqrt((ALPHA * ALPHA * p + 1.0) * (1.0 - p))
    shift = noise.add(-1).mul_(ALPHA * a).add_(ALPHA * a * p)
    noise.mul_(a)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift
