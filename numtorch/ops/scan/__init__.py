"""Running results along one dimension, and differences.

running.py: cumsum, cumprod, cummax, cummin, logcumsumexp. differences.py: diff, trapezoid.
"""

from . import differences, running
from .differences import *  # noqa: F403
from .running import *  # noqa: F403

_FILES = (running, differences)
__all__ = [name for file in _FILES for name in file.__all__]
METHODS = {name: function for file in _FILES for name, function in file.METHODS.items()}
FUNCTIONAL: list[str] = []
