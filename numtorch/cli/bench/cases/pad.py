"""Padding: copies with borders."""

from ..case import Case, backward, forward, normal

_images, _odd = normal(16, 64, 56, 56), normal(3, 31, 29, 31)
_moved = 4.0 * (_images.size + 16 * 64 * 58 * 58)


def _pad(mode):
    return lambda lib, x: lib.nn.functional.pad(x, (1, 1, 1, 1), mode)


CASES = [
    Case("pad 16x64x56x56 by zeros", "pad", forward(_pad("constant"), _images), _moved),
    Case("pad 16x64x56x56, reflect", "pad", forward(_pad("reflect"), _images), _moved),
    Case("pad 3x31x29x31, replicate, backward", "pad", backward(_pad("replicate"), _odd),
         16.0 * _odd.size),
]  # fmt: skip
