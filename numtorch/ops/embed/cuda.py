"""CUDA launchers of look-up tables."""

from .bags_cuda import *  # noqa: F403
from .rows_cuda import *  # noqa: F403
