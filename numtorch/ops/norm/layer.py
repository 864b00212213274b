"""Layer norm: statistics of each sample."""

from ...core.interp import differentiated
from ...core.op import primitive
from . import batching
from .formula import gradients

ROOM = "numtorch.ops.norm"


def same_dtype(input, *parameters) -> None:
    """Raise torch's errors for parameters that are not of the input's dtype, a float's."""
    kind = input.dtype.type_name.removesuffix("Tensor")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"\"LayerNormKernelImpl\" not implemented for '{kind}'")
    if any(p is not None and p.dtype is not input.dtype for p in parameters):
        raise RuntimeError(f"mixed dtype (CPU): expect parameter to have scalar type of {kind}")


# -- primitives ----------------------------------------------------------------------------------
def _gradients(g, input, weight, _bias, out1, out2, normalized_shape, eps, needs):
    if differentiated():
        ndim = input._spec.ndim
        dims = list(range(ndim - len(normalized_shape), ndim))
        return gradients(g, input, weight, _bias, needs, dims, eps, dims)
    grads = layer_norm_backward_op(
        g, input, weight, out1, out2, normalized_shape, needs[0], needs[1] or needs[2]
    )
    return tuple(r if wanted else None for r, wanted in zip(grads, needs, strict=True))


@primitive(
    vmap=batching.rows,
    outputs=3,
    vjp={("input", "weight", "bias"): _gradients},
    node_name="NativeLayerNormBackward0",
    module=ROOM,
)
def layer_norm_op(input, weight=None, bias=None, *, normalized_shape, eps):
    """Normalizes the last dimensions. (..., *normalized_shape) -> the same

    Further outputs, (..., 1, ..., 1): mean and 1 / sqrt(variance + eps).
    """
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one "
            "element, but got normalized_shape = []"
        )
    for name, s in (("weight", weight), ("bias", bias)):
        if s is not None and s.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(s.shape)} and normalized_shape = {list(shape)}"
            )
    first = input.ndim - len(shape)
    if first < 0 or input.shape[first:] != shape:
        wanted = "".join(f", {n}" for n in shape)
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{wanted}], but got "
            f"input of size{list(input.shape)}"
        )
    same_dtype(input, weight, bias)
    statistics = input.like(shape=(*input.shape[:first], *[1] * len(shape)))
    return input.like(), statistics, statistics


@primitive(vmap=batching.rows_backward, outputs=3, vjp={}, module=ROOM)
def layer_norm_backward_op(
    grad, input, weight, mean, rstd, *, normalized_shape, for_input, for_parameters
):
    """The gradients of `layer_norm_op` for input, weight and bias; those not asked for have no
    elements.
    """
    parameters = input.like(shape=normalized_shape if for_parameters else (0,))
    return input.like(shape=input.shape if for_input else (0,)), parameters, parameters


layer_norm_backward_op.op.optional = frozenset(["weight"])


# -- public functions ----------------------------------------------------------------------------
def shape_of(normalized_shape, name: str) -> tuple[int, ...]:
    """`normalized_shape` as a tuple; TypeError for a number."""
    if isinstance(normalized_shape, int):
        raise TypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not int"
        )
    return tuple(normalized_shape)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5, cudnn_enable=True):
    """Normalize the last dimensions of each sample, then scale and shift element by element.

    (..., *normalized_shape) -> the same. Source: Ba, Kiros and Hinton, 2016.
    """
    shape = normalized_shape
    if shape.__class__ is not tuple:
        shape = shape_of(shape, "layer_norm")
    return layer_norm_op(input, weight, bias, shape, eps)[0]


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """`layer_norm` with the mean and 1 / sqrt(variance + eps) of each sample."""
    return layer_norm_op(input, weight, bias, shape_of(normalized_shape, "native_layer_norm"), eps)
