"""Reductions: many elements to one.

table.py says what each accumulates, as scalar expressions; loops.py and cuda_loops.py make kernels
of them.
"""

from . import extremes, moments, norms, products, sums
from .extremes import *  # noqa: F403
from .moments import *  # noqa: F403
from .norms import *  # noqa: F403
from .norms import vector_norm as vector_norm  # for linalg
from .products import *  # noqa: F403
from .sums import *  # noqa: F403

_FILES = (sums, products, extremes, moments, norms)
__all__ = [name for file in _FILES for name in file.__all__]
METHODS = {name: function for file in _FILES for name, function in file.METHODS.items()}
FUNCTIONAL: list[str] = []
