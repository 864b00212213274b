"""Reading and writing by index tensors and masks, and elements in another order.

`rows` indexes any dimensions (`x[i, j]`), `dimension` one (index_select, index_add, ...), `lines`
along one (gather, scatter), `masks` is nonzero and what rests on it, `arrange` is flip, roll,
triangles, diagonals and repetition. Where indices repeat, writes happen in their order, so that
sums are the same for any number of threads.
"""

from . import arrange, dimension, lines, masks, rows
from .arrange import *  # noqa: F403
from .dimension import *  # noqa: F403
from .lines import *  # noqa: F403
from .masks import *  # noqa: F403
from .rows import *  # noqa: F403

__all__ = [*rows.__all__, *dimension.__all__, *lines.__all__, *masks.__all__, *arrange.__all__]
METHODS = {**rows.METHODS, **dimension.METHODS, **lines.METHODS, **masks.METHODS, **arrange.METHODS}
