"""The Tensor: properties and methods, indexing, printing, conversion to and from Python, NumPy and
DLPack.
"""

from ..core.tensor import Tensor
from . import attach as _attach  # noqa: F401 (gives Tensor its methods)

__all__ = ["Tensor"]
