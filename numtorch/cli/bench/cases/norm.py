"""Normalization: five to seven passes over memory, forward and backward."""

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


def _channels_last(lib, x, weight, bias):
    return lib.nn.functional.batch_norm(x.permute(0, 3, 1, 2), None, None, weight, bias, True)


def _rms_norm(lib, x, weight):
    return lib.nn.functional.rms_norm(x, weight.shape, weight)


def _normalize(lib, x):
    return lib.nn.functional.normalize(x)


def _case(name, function, x, *parameters, traffic=28.0, flops=10.0, quick=False):
    """A case with backward; `traffic` bytes and `flops` operations for each element of x."""
    step = backward(function, x, *parameters, leaves=1 + min(len(parameters), 2))
    return Case(f"{name}, backward", "norm", step, traffic * x.size, flops * x.size, quick)


def _both(size):
    """A weight and a bias."""
    return normal(size), normal(size)


CASES = [
    _case("batch_norm 64x64x28x28", _batch_norm, _images, *_both(64), quick=True),
    _case("layer_norm 512x768", _layer_norm, _rows, *_both(768)),
    _case("layer_norm 4093x1023", _layer_norm, _odd, *_both(1023)),
    _case("layer_norm 1000x50", _layer_norm, _short, *_both(50)),
    _case("batch_norm 32x512x7x7", _batch_norm, _planes, *_both(512)),
    _case("batch_norm 4096x512", _batch_norm, _table, *_both(512)),
    _case("batch_norm, evaluated, 16x64x56x56", _batch_norm_eval, _large, *_both(64), normal(64),
          traffic=20.0, flops=6.0),
    _case("group_norm 16x64x56x56", _group_norm, _large, *_both(64)),
    _case("group_norm 3x32x29x31", _group_norm, _prime, *_both(32)),
    _case("batch_norm, channels last, 16x56x56x64", _channels_last, normal(16, 56, 56, 64),
          *_both(64)),
    _case("rms_norm 64x10", _rms_norm, normal(64, 10), normal(10)),
    _case("rms_norm 512x768", _rms_norm, _rows, normal(768)),
    _case("rms_norm 4093x1023", _rms_norm, _odd, normal(1023)),
    _case("normalize 1000x50", _normalize, _short, traffic=20.0),
    _case("normalize 3x32x29x31", _normalize, _prime, traffic=20.0),
    _case("normalize 4093x1023", _normalize, _odd, traffic=20.0),
]  # fmt: skip
