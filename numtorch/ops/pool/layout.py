"""Memory of images: contiguous, or with channels last, where results are laid out as the input is.

A pool of contiguous images works plane by plane, one of channels-last images pixel by pixel. To a
launcher both are images of `channels` elements in each pixel, 1 if contiguous.
"""

import functools
import math

from ...core.op import with_copies


def channels_last(spec, axes: int) -> bool:
    """Whether channels are neighbours in memory, then the elements of a row, and so on (torch's
    rule; a contiguous tensor is not meant).
    """
    if spec.contiguous or spec.ndim != axes + 2 or spec.strides[1] != 1 or not spec.numel:
        return False
    least = 1
    for d in (1, *range(axes + 1, 1, -1), 0):
        if spec.strides[d] < least:
            return False
        least = spec.strides[d] * spec.shape[d]
    return True


def with_channels_last(spec):
    """The Spec of the same shape whose channels are neighbours in memory."""
    n, c, *sizes = spec.shape
    strides, step = [0] * len(sizes), c
    for d in range(len(sizes) - 1, -1, -1):
        strides[d] = step
        step *= sizes[d]
    return spec.strided(spec.shape, (step, 1, *strides))


def laid_out(like, shape, axes: int):
    """The Spec of a result: channels are last where they are in `like`."""
    found = like.like(shape=shape)
    return with_channels_last(found) if channels_last(like, axes) else found


def arranged(leading: int, outputs: int = 1):
    """Mark a launcher of a pool: it gets `planes` and `channels`, and all its memory contiguous, or
    all with channels last if the tensor number `leading` is; tensors that differ are copied.
    """

    def mark(launch):
        @functools.wraps(launch)
        def launcher(*specs, **attributes):
            size = attributes.get("size") or attributes.get("output_size")
            axes = len(size or attributes["window"].kernel_size)
            first = specs[leading]
            if channels_last(first, axes):
                channels, wanted = first.shape[1], [with_channels_last(s) for s in specs]
            else:
                channels, wanted = 1, [s.dense() for s in specs]
            planes = math.prod(first.shape[: first.ndim - axes]) // max(channels, 1)
            run = launch(*wanted, planes=planes, channels=channels, **attributes)
            return with_copies(run, specs, wanted, outputs)

        return launcher

    return mark
