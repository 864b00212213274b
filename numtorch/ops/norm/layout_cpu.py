"""Images for the CPU kernels of batch norm: all in the layout of the input, others are copied."""

import functools
import inspect
import math

from ...core.op import with_copies
from .formula import channels_last, in_its_layout


def sizes_of(spec) -> tuple[int, int, int]:
    """(n, c, s) of images; those whose channels come last are rows, with s = 1."""
    n, c, s = spec.shape[0], spec.shape[1], math.prod(spec.shape[2:])
    return (n * s, c, 1) if channels_last(spec) else (n, c, s)


def _lies_like(spec, layout) -> bool:
    return spec.strides == layout.strides or (spec.contiguous and layout.contiguous)


def in_one_layout(images: str):
    """Have a launcher get the inputs called `images` in the layout of `input`, which is contiguous
    or has its channels last, and the other inputs contiguous.
    """

    def mark(launch):
        names = list(inspect.signature(launch).parameters)
        own, moved = names.index("input"), [names.index(name) for name in images.split()]

        @functools.wraps(launch)
        def laid_out(*specs, **attributes):
            layout = in_its_layout(specs[own])
            copies = [i for i in moved if not _lies_like(specs[i], layout)]
            wanted = [layout if i in copies else s for i, s in enumerate(specs)]
            return with_copies(launch(*wanted, **attributes), specs, wanted, 0)

        vectors = [n for n in names[: names.index("out")] if n not in images.split()]
        laid_out.contiguous = frozenset(vectors)
        return laid_out

    return mark
