"""Memory of images: contiguous, or with channels last where there are kernels for that layout."""

import functools

from ...core.op import with_copies
from ..pool.layout import channels_last, laid_out, with_channels_last

__all__ = ["arranged", "result"]


def is_depthwise(weight_shape, groups: int) -> bool:
    """Whether every output channel reads the input channel of its own number, and no other."""
    return weight_shape[0] == groups > 1 and weight_shape[1] == 1


def is_product(kernel_size, stride, padding, groups: int) -> bool:
    """Whether this is, of images, a product of matrices with a row for each pixel."""
    return groups == 1 and (tuple(kernel_size), stride, padding) == ((1, 1), (1, 1), ((0, 0),) * 2)


def result(like, shape, weight_shape, stride, padding, groups: int):
    """The Spec of images that come of a convolution, or of its transpose, of the images `like`.

    As in torch, sequences are always contiguous, and products of volumes.
    """
    axes = len(shape) - 2
    if axes > 1 and (
        is_depthwise(weight_shape, groups) or is_product(weight_shape[2:], stride, padding, groups)
    ):
        return laid_out(like, shape, axes)
    return like.like(shape=shape)


def arranged(images, with_channels):
    """Mark a launcher: it gets contiguous tensors, and `with_channels`, a launcher too, those whose
    `images` (numbers of parameters) have channels last. Which one it is depends on the first of
    these; tensors with another layout are copied. `with_channels` may give None: it has no kernel.
    """

    def mark(launch):
        @functools.wraps(launch)
        def launcher(*specs, **attributes):
            axes, run = specs[images[0]].ndim - 2, None
            if axes > 1 and any(channels_last(specs[i], axes) for i in images):
                wanted = [
                    s and (with_channels_last(s) if i in images else s.dense())
                    for i, s in enumerate(specs)
                ]
                run = with_channels(*wanted, **attributes)
            if run is None:
                wanted = [s and s.dense() for s in specs]
                run = launch(*wanted, **attributes)
            return with_copies(run, specs, wanted)

        return launcher

    return mark
