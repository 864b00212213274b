"""Copies into other layouts, and joins: bound by memory."""

from ..case import Case, forward, normal


def moved(*shape):
    """The bytes of reading and writing a tensor."""
    size = 8.0
    for n in shape:
        size *= n
    return size


def transposed(*shape, quick=False):
    """A matrix whose dimensions change places."""
    return Case(
        f"transpose {'x'.join(map(str, shape))}", "copy",
        forward(lambda lib, x: x.t().contiguous(), normal(*shape)), moved(*shape),
        0.0, quick,
    )  # fmt: skip


def permuted(title, shape, *order):
    """A tensor whose dimensions change places."""
    return Case(
        f"{title} {'x'.join(map(str, shape))}", "copy",
        forward(lambda lib, x: x.permute(*order).contiguous(), normal(*shape)), moved(*shape),
    )  # fmt: skip


def joined(dim, *shape, quick=False):
    """Two tensors behind each other."""
    return Case(
        f"cat dim {dim} 2 x {'x'.join(map(str, shape))}", "join",
        forward(lambda lib, a, b: lib.cat([a, b], dim), normal(*shape), normal(*shape)),
        2 * moved(*shape), 0.0, quick,
    )  # fmt: skip


CASES = [
    Case(
        "a + b.t() 2048x2048", "copy",
        forward(lambda lib, a, b: a + b.t(), normal(2048, 2048), normal(2048, 2048)),
        1.5 * moved(2048, 2048),
    ),
    transposed(257, 257),
    transposed(2048, 2048, quick=True),
    transposed(4099, 4001),
    permuted("channels last", (8, 64, 28, 28), 0, 2, 3, 1),
    permuted("channels last", (32, 3, 224, 224), 0, 2, 3, 1),
    permuted("channels first", (32, 224, 224, 3), 0, 3, 1, 2),
    permuted("channels first", (16, 57, 57, 61), 0, 3, 1, 2),
    permuted("split heads", (8, 512, 8, 64), 0, 2, 1, 3),
    joined(1, 64, 333),
    joined(1, 4096, 1024),
    joined(0, 4096, 1024, quick=True),
]  # fmt: skip
