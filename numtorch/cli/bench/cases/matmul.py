"""Products of matrices: bound by FMA."""

from ..case import Case, backward, forward, normal


def product(m, k, n, batch=1):
    """Bytes, and multiplications and additions, of a product."""
    return 4.0 * batch * (m * k + k * n + m * n), 2.0 * batch * m * k * n


_linear = normal(64, 400), normal(120, 400), normal(120)
CASES = [
    Case(
        "mm 1024x1024x1024", "matmul",
        forward(lambda lib, a, b: a @ b, normal(1024, 1024), normal(1024, 1024)),
        *product(1024, 1024, 1024), True,
    ),
    Case(
        "mm 32x64x128", "matmul",
        forward(lambda lib, a, b: a @ b, normal(32, 64), normal(64, 128)), *product(32, 64, 128),
    ),
    Case(
        "bmm 64 x 64x64x64", "matmul",
        forward(lambda lib, a, b: a.bmm(b), normal(64, 64, 64), normal(64, 64, 64)),
        *product(64, 64, 64, 64),
    ),
    Case(
        "linear 64x400->120, backward", "matmul",
        backward(lambda lib, x, w, b: lib.nn.functional.linear(x, w, b), *_linear, leaves=3),
        *(3 * v for v in product(64, 400, 120)), True,
    ),
]  # fmt: skip
