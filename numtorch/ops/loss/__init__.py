"""Losses: how far predictions are from targets. One file for each family."""

from . import class_margins, classes, distance, elementwise, margins
from .class_margins import *  # noqa: F403
from .classes import *  # noqa: F403
from .distance import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .margins import *  # noqa: F403

__all__ = distance.__all__
METHODS: dict = {}
_FILES = (classes, elementwise, margins, class_margins, distance)
FUNCTIONAL = [name for file in _FILES for name in file.__all__]
