"""Losses: how far predictions are from targets. One file for each family."""

from . import classes, elementwise, margins
from .classes import *  # noqa: F403
from .elementwise import *  # noqa: F403
from .margins import *  # noqa: F403

__all__: list[str] = []
METHODS: dict = {}
FUNCTIONAL = [*classes.__all__, *elementwise.__all__, *margins.__all__]
