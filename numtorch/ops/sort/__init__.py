"""Sorting and what rests on it: order statistics, distinct values, binary search, counting.

order.py: sort and its kind. select.py: topk, kthvalue, the medians, mode. distinct.py: unique.
search.py: searchsorted and bucketize. counts.py: bincount and histc.
"""

from . import counts, distinct, order, search, select
from .counts import *  # noqa: F403
from .distinct import *  # noqa: F403
from .order import *  # noqa: F403
from .search import *  # noqa: F403
from .select import *  # noqa: F403

_FILES = (order, select, distinct, search, counts)
__all__ = [name for file in _FILES for name in file.__all__]
METHODS = {name: function for file in _FILES for name, function in file.METHODS.items()}
FUNCTIONAL: list[str] = []
