"""Views, new tensors, and other calls of which only the way through Python counts."""

from ..case import Case, forward, normal, recorded

_a, _matrix, _many = normal(4, 4), normal(64, 64), normal(8, 64)


def _call(title, function, x=_a):
    """A call that moves no elements to speak of."""
    return Case(title, "view", forward(lambda lib, a: function(a), x), 0.0, 0.0)


CASES = [
    _call("view", lambda a: a.view(16)),
    _call("transpose", lambda a: a.transpose(0, 1)),
    _call("permute", lambda a: a.permute(1, 0)),
    _call("x[1:3]", lambda a: a[1:3]),
    _call("x[:, 1]", lambda a: a[:, 1]),
    _call("unsqueeze", lambda a: a.unsqueeze(0)),
    _call("detach", lambda a: a.detach()),
    _call("split in 8", lambda a: a.split(8), _matrix),
    _call("unbind 8", lambda a: a.unbind(), _many),
    _call("x[:, 0] = 0", lambda a: a.__setitem__((slice(None), 0), 0.0)),
    Case("view, recorded", "view", recorded(lambda lib, a: a.view(16), _a), 0.0, 0.0),
    Case("chunk in 4, recorded", "view", recorded(lambda lib, a: a.chunk(4)[3], _a), 0.0, 0.0),
    Case("zeros 4x4", "view", forward(lambda lib, a: lib.zeros(4, 4), _a), 0.0, 0.0),
    Case("arange 10", "view", forward(lambda lib, a: lib.arange(10), _a), 0.0, 0.0),
    Case("tensor of a list", "view", forward(lambda lib, a: lib.tensor([1.0, 2.0]), _a), 0.0, 0.0),
]
