"""All parameters of a model as one vector, and back."""

from ...ops.join import cat
from ...tensors import Tensor
from ..naming import typename

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def check_one_device(parameters):
    """All parameters must be on one device."""
    if len({p.device for p in parameters}) > 1:
        raise TypeError(
            "Found two parameters on different devices, this is currently not supported."
        )


def parameters_to_vector(parameters):
    """The elements of all parameters, one after the other.

    [(*), ...] -> (N,)
    """
    parameters = list(parameters)
    check_one_device(parameters)
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Give each parameter its part of a vector as its data.

    (N,), [(*), ...]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    parameters = list(parameters)
    check_one_device(parameters)
    start = 0
    for param in parameters:
        stop = start + param.numel()
        param.data = vec[start:stop].view_as(param).data
        start = stop
