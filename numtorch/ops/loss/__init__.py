"""Losses: how far predictions are from targets. One file for each family."""

from . import classes, distance, elementwise, margins
from .classes import *  # noqa: F403
from .distance import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .margins import *  # noqa: F403

__all__ = distance.__all__
METHODS: dict = {}
FUNCTIONAL = [*classes.__all__, *elementwise.__all__, *margins.__all__, *distance.__all__]
