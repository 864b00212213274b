"""CUDA launchers of the index room: rows (index, index_put, ...) and lines (gather, scatter)."""

from ..pointwise.cuda import launch_loop
from .arrange_cuda import *  # noqa: F403
from .launch import row_launchers
from .lines_cuda import *  # noqa: F403
from .masks_cuda import *  # noqa: F403
from .rows_cuda import copier, locator, reader, writer

(
    FAMILIES,
    (
        index_select_op,
        index_select_backward_op,
        index_add_op,
        index_copy_op,
        index_fill_op,
        take_op,
        put_op,
    ),
) = row_launchers(locator, reader, copier, writer, launch_loop)


def launcher_of(op):
    """The launcher of a family of ops with a varying number of indices."""
    return FAMILIES[op.family]
