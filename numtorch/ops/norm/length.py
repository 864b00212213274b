"""Division by a length: RMS norm and normalize."""

from ...core import dtype as dtypes
from ...core.batching import along
from ...core.interp import differentiated
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import wrap_dim
from . import batching
from .layer import shape_of

ROOM = "numtorch.ops.norm"


# -- RMS norm ------------------------------------------------------------------------------------
def _rms_gradients(g, input, weight, out1, normalized_shape, eps, needs):
    if not differentiated():
        grads = rms_norm_backward_op(g, input, weight, out1, normalized_shape, *needs)
        return tuple(r if wanted else None for r, wanted in zip(grads, needs, strict=True))
    ndim, first = input._spec.ndim, input._spec.ndim - len(normalized_shape)
    dims = list(range(first, ndim))
    rstd = ((input * input).mean(dims, True) + eps).rsqrt()
    normal = input * rstd
    grad_input = grad_weight = None
    if needs[1]:
        grad_weight = (g * normal).sum(list(range(first))) if first else g * normal
    if needs[0]:
        g = g if weight is None else g * weight
        grad_input = rstd * (g - normal * (g * normal).mean(dims, True))
    return grad_input, grad_weight


@primitive(
    vmap=batching.rows,
    outputs=2,
    vjp={("input", "weight"): _rms_gradients},
    node_name="FusedRmsNormBackward0",
    module=ROOM,
)
def rms_norm_op(input, weight=None, *, normalized_shape, eps):
    """Divides the last dimensions by their root mean square. (..., *normalized_shape) -> the same

    The further output, (..., 1, ..., 1): 1 / sqrt(mean square + eps).
    """
    shape = tuple(normalized_shape)
    first = input.ndim - len(shape)
    if not shape or first < 0 or input.shape[first:] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape "
            f"[*{', '.join(map(str, shape))}], but got input of size{list(input.shape)}"
        )
    if weight is not None and weight.shape != shape:
        raise RuntimeError(
            f"Expected weight to be of same shape as normalized_shape, but got weight of shape "
            f"{list(weight.shape)} and normalized_shape = {list(shape)}"
        )
    if not input.dtype.is_floating_point:
        kind = input.dtype.type_name.removesuffix("Tensor")
        raise NotImplementedError(f"\"rms_norm\" not implemented for '{kind}'")
    return input.like(), input.like((*input.shape[:first], *[1] * len(shape)))


@primitive(vmap=batching.rows_backward, outputs=2, vjp={}, module=ROOM)
def rms_norm_backward_op(grad, input, weight, rstd, *, normalized_shape, for_input, for_parameters):
    """The gradients of `rms_norm_op` for input and weight; one not asked for has no elements."""
    weights = input.like(shape=normalized_shape if for_parameters else (0,))
    return input.like(shape=input.shape if for_input else (0,)), weights


rms_norm_backward_op.op.optional = frozenset(["weight"])


def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divide the last dimensions by their root mean square. (..., *normalized_shape) -> the same

    `eps` is added to the mean square, by default the dtype's. Source: Zhang and Sennrich, 2019.
    """
    shape = normalized_shape
    if shape.__class__ is not tuple:
        shape = shape_of(shape, "rms_norm")
    dtype = input._spec.dtype
    if eps is None:
        eps = 2.0**-23 if dtype is dtypes.float32 else 2.0**-52
    if weight is not None and weight._spec.dtype is not dtype:
        return rms_norm_op(input, None, shape, eps)[0] * weight
    return rms_norm_op(input, weight, shape, eps)[0]


# -- normalize -----------------------------------------------------------------------------------
def _normal_gradient(g, input, out1, dim, eps):
    if not differentiated():
        return normalize_backward_op(g, input, out1, dim, eps)
    size = input.norm(2.0, dim, True)
    scale = size.clamp_min(eps).reciprocal()
    slope = ((g * input).sum(dim, True) * scale * scale).where(size >= eps, 0)
    return scale * (g - input * slope)


@primitive(
    vmap=along("dim"),
    outputs=2,
    vjp={"input": _normal_gradient},
    node_name="DivBackward0",
    module=ROOM,
)
def normalize_op(input, *, dim, eps):
    """Divides by the 2-norm along `dim`, but by no less than `eps`. (..., n, ...) -> (..., n, ...)

    The further output, (..., 1, ...): one over what it divided by.
    """
    at = wrap_dim(dim, input.ndim)
    return input.like(), input.like(1 if d == at else n for d, n in enumerate(input.shape))


@primitive(vmap=along("dim"), vjp={}, module=ROOM)
def normalize_backward_op(grad, input, scale, *, dim, eps):
    """The gradient of `normalize_op`. (..., n, ...) twice, (..., 1, ...) -> (..., n, ...)"""
    return input.like()


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """Divide by the p-norm along `dim`, but by no less than `eps`. (...) -> (...)"""
    spec = input._spec
    if p == 2.0 and dim.__class__ is int and spec.dtype.is_floating_point and spec.ndim:
        result = normalize_op(input, dim, float(eps))[0]
    else:
        result = input / input.norm(p, dim, True).clamp_min(eps)
    return result if out is None else to_out(result, out, "normalize")
