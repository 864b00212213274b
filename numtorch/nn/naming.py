"""How error messages name a type."""

from ..tensors import Tensor


def typename(value):
    """The name that error messages give to a value's type, as `torch.typename` does.

    Tensors by their legacy type ("torch.FloatTensor"), built-ins bare, all else with its module.
    """
    if isinstance(value, Tensor):
        return value.type()
    cls = value if isinstance(value, type) else type(value)
    if cls.__module__ in ("builtins", "__builtin__"):
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
