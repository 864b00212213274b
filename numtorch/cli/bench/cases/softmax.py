"""Softmax and losses: an exponential costs about 12 operations."""

from ..case import Case, backward, forward, integers, normal

N, MILLION = 512_000, 1 << 20
_x, _t = normal(512, 1000), integers(1000, 512)
_short, _maps = normal(1000, 50), normal(4, 19, 128, 256)
_words, _prime = normal(128, 50_257), normal(997, 1009)
_small, _labels = normal(64, 10), integers(10, 64)


def _cross_entropy(lib, x, target):
    return lib.nn.functional.cross_entropy(x, target)


CASES = [
    Case(
        "softmax 512x1000", "softmax", forward(lambda lib, a: a.softmax(1), _x), 8.0 * N, 12.0 * N,
        True,
    ),
    Case(
        "log_softmax 512x1000, backward", "softmax", backward(lambda lib, a: a.log_softmax(1), _x),
        20.0 * N, 24.0 * N,
    ),
    Case(
        "cross_entropy 512x1000, backward", "loss", backward(_cross_entropy, _x, _t), 12.0 * N,
        24.0 * N, True,
    ),
    Case(
        "cross_entropy 64x10, backward", "loss", backward(_cross_entropy, _small, _labels),
        12.0 * 640, 24.0 * 640,
    ),
    Case(
        "mse_loss 1M, backward", "loss",
        backward(lambda lib, a, b: lib.nn.functional.mse_loss(a, b), normal(MILLION),
                 normal(MILLION)),
        20.0 * MILLION, 4.0 * MILLION,
    ),
    Case(
        "softmax 1000x50, backward", "softmax", backward(lambda lib, a: a.softmax(1), _short),
        20.0 * _short.size, 18.0 * _short.size,
    ),
    Case("log_softmax 1000x50", "softmax", forward(lambda lib, a: a.log_softmax(1), _short),
         8.0 * _short.size, 12.0 * _short.size),
    Case(
        "log_softmax dim 1 4x19x128x256, backward", "softmax",
        backward(lambda lib, a: a.log_softmax(1), _maps), 20.0 * _maps.size, 24.0 * _maps.size,
    ),
    Case(
        "cross_entropy 128x50257, backward", "loss",
        backward(_cross_entropy, _words, integers(50_257, 128)), 12.0 * _words.size,
        24.0 * _words.size,
    ),
    Case(
        "cross_entropy 997x1009, backward", "loss",
        backward(_cross_entropy, _prime, integers(1009, 997)), 12.0 * _prime.size,
        24.0 * _prime.size,
    ),
    Case(
        "cross_entropy 4096x3", "loss", forward(_cross_entropy, normal(4096, 3), integers(3, 4096)),
        12.0 * 4096, 24.0 * 3 * 4096,
    ),
    Case(
        "nll_loss 100003x10, backward", "loss",
        backward(lambda lib, x, t: lib.nn.functional.nll_loss(x, t), normal(100_003, 10),
                 integers(10, 100_003)),
        4.0 * 1_000_030, 100_003.0,
    ),
    Case(
        "l1_loss 1M, backward", "loss",
        backward(lambda lib, a, b: lib.nn.functional.l1_loss(a, b), normal(MILLION),
                 normal(MILLION)),
        20.0 * MILLION, 4.0 * MILLION,
    ),
    Case(
        "multilabel_margin_loss 33x65, backward", "loss",
        backward(lambda lib, x, t: lib.nn.functional.multilabel_margin_loss(x, t), normal(33, 65),
                 integers(65, 33, 65)),
        12.0 * 33 * 65, 8.0 * 33 * 65 * 65,
    ),
]  # fmt: skip
