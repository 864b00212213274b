"""Normalization: seven passes over memory, forward and backward."""

from ..case import Case, backward, normal

_images, _rows, _odd = normal(64, 64, 28, 28), normal(512, 768), normal(4093, 1023)
_planes, _table, _short = normal(32, 512, 7, 7), normal(4096, 512), normal(1000, 50)
_large, _prime = normal(16, 64, 56, 56), normal(3, 32, 29, 31)


def _batch_norm(lib, x, weight, bias):
    return lib.nn.functional.batch_norm(x, None, None, weight, bias, True)


def _layer_norm(lib, x, weight, bias):
    return lib.nn.functional.layer_norm(x, weight.shape, weight, bias)


def _batch_norm_eval(lib, x, weight, bias, mean):
    return lib.nn.functional.batch_norm(x, mean, lib.ones_like(mean), weight, bias)


def _group_norm(lib, x, weight, bias):
    return lib.nn.functional.group_norm(x, 4, weight, bias)


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
    Case(
        "layer_norm 1000x50, backward", "norm",
        backward(_layer_norm, _short, normal(50), normal(50), leaves=3),
        28.0 * _short.size, 10.0 * _short.size,
    ),
    Case(
        "batch_norm 32x512x7x7, backward", "norm",
        backward(_batch_norm, _planes, normal(512), normal(512), leaves=3),
        28.0 * _planes.size, 10.0 * _planes.size,
    ),
    Case(
        "batch_norm 4096x512, backward", "norm",
        backward(_batch_norm, _table, normal(512), normal(512), leaves=3),
        28.0 * _table.size, 10.0 * _table.size,
    ),
    Case(
        "batch_norm, evaluated, 16x64x56x56, backward", "norm",
        backward(_batch_norm_eval, _large, normal(64), normal(64), normal(64), leaves=3),
        20.0 * _large.size, 6.0 * _large.size,
    ),
    Case(
        "group_norm 16x64x56x56, backward", "norm",
        backward(_group_norm, _large, normal(64), normal(64), leaves=3),
        28.0 * _large.size, 10.0 * _large.size,
    ),
    Case(
        "group_norm 3x32x29x31, backward", "norm",
        backward(_group_norm, _prime, normal(32), normal(32), leaves=3),
        28.0 * _prime.size, 10.0 * _prime.size,
    ),
]  # fmt: skip
