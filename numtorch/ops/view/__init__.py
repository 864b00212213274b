"""Views: new shapes, strides and offsets for the same memory. No kernels, but for the derivatives
of slices.
"""

from .basic import *  # noqa: F403
from .basic import __all__ as _basic
from .pixels import *  # noqa: F403
from .pixels import __all__ as _pixels
from .primitives import permute_op
from .strided import *  # noqa: F403
from .strided import __all__ as _strided

__all__ = [*_basic, *_pixels, *_strided]
FUNCTIONAL = _pixels

_NOT_METHODS = {"broadcast_tensors", "matrix_transpose", "slice_view", *_pixels}
METHODS = {n: globals()[n] for n in __all__ if n not in _NOT_METHODS}
_REVERSED = [tuple(reversed(range(n))) for n in range(65)]  # dimensions of a tensor
PROPERTIES = {
    "T": property(
        lambda self: permute_op(self, _REVERSED[len(self._spec.shape)]),
        doc="All dimensions in reverse order.",
    ),
    "mT": property(matrix_transpose, doc="The last two dimensions exchanged."),  # noqa: F405
    "H": property(t, doc="A matrix transposed (and conjugated, for complex tensors)."),  # noqa: F405
    "mH": property(adjoint, doc="The last two dimensions exchanged and conjugated."),  # noqa: F405
}
__all__ = [
    n
    for n in __all__
    if not n.endswith("_")
    and n
    not in (
        "matrix_transpose",
        "slice_view",
        "expand",
        "expand_as",
        "reshape_as",
        "view",
        "view_as",
        "unfold",
    )
]
