"""Normalization: seven passes over memory, forward and backward."""

from ..case import Case, backward, normal

_images, _rows, _odd = normal(64, 64, 28, 28), normal(512, 768), normal(4093, 1023)


def _batch_norm(lib, x, weight, bias):
    return lib.nn.functional.batch_norm(x, None, None, weight, bias, True)


def _layer_norm(lib, x, weight, bias):
    return lib.nn.functional.layer_norm(x, weight.shape, weight, bias)


CASES = [
    Case(
        "batch_norm 64x64x28x28, backward", "norm",
        backward(_batch_norm, _images, normal(64), normal(64), leaves=3),
        28.0 * _images.size, 10.0 * _images.size, True,
    ),
    Case(
        "layer_norm 512x768, backward", "norm",
        backward(_layer_norm, _rows, normal(768), normal(768), leaves=3),
        28.0 * _rows.size, 10.0 * _rows.size,
    ),
    Case(
        "layer_norm 4093x1023, backward", "norm",
        backward(_layer_norm, _odd, normal(1023), normal(1023), leaves=3),
        28.0 * _odd.size, 10.0 * _odd.size,
    ),
]  # fmt: skip
