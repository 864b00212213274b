"""Products of matrices: bound by FMA."""

import math

from ..case import Case, backward, forward, normal


def product(m, k, n, batch=1):
    """Bytes, and multiplications and additions, of a product."""
    return 4.0 * batch * (m * k + k * n + m * n), 2.0 * batch * m * k * n


def mm(m, k, n, quick=False):
    """A product of two matrices."""
    return Case(
        f"mm {m}x{k}x{n}", "matmul",
        forward(lambda lib, a, b: a @ b, normal(m, k), normal(k, n)), *product(m, k, n), quick,
    )  # fmt: skip


def transposed(m, k, n):
    """A product whose first operand is transposed, as in the gradient of a weight."""
    return Case(
        f"mm {m}x{k}x{n}, first transposed", "matmul",
        forward(lambda lib, a, b: a.t() @ b, normal(k, m), normal(k, n)), *product(m, k, n),
    )  # fmt: skip


def einsum(equation, *shapes):
    """A product of two operands by its equation."""
    return Case(
        f"einsum {equation}", "matmul",
        forward(lambda lib, a, b: lib.einsum(equation, a, b), *(normal(*s) for s in shapes)),
        4.0 * sum(map(math.prod, shapes)), 0.0,
    )  # fmt: skip


def bmm(batch, m, k, n):
    """Products of two batches."""
    return Case(
        f"bmm {batch} x {m}x{k}x{n}", "matmul",
        forward(lambda lib, a, b: a.bmm(b), normal(batch, m, k), normal(batch, k, n)),
        *product(m, k, n, batch),
    )  # fmt: skip


def bmm_transposed(batch, m, k, n):
    """Products of two batches, of which the second is transposed."""
    return Case(
        f"bmm {batch} x {m}x{k}x{n}, second transposed", "matmul",
        forward(
            lambda lib, a, b: a.bmm(b.transpose(1, 2)), normal(batch, m, k), normal(batch, n, k)
        ),
        *product(m, k, n, batch),
    )  # fmt: skip


def bmm_backward(batch, m, k, n):
    """Products of two batches, forward and backward."""
    return Case(
        f"bmm {batch} x {m}x{k}x{n}, backward", "matmul",
        backward(
            lambda lib, a, b: a.bmm(b), normal(batch, m, k), normal(batch, k, n), leaves=2
        ),
        *(3 * v for v in product(m, k, n, batch)),
    )  # fmt: skip


def mv(m, k):
    """A matrix and a vector."""
    return Case(
        f"mv {m}x{k}", "matmul",
        forward(lambda lib, a, v: a @ v, normal(m, k), normal(k)), *product(m, k, 1),
    )  # fmt: skip


def layer(m, k, n):
    """A linear layer, forward."""
    return Case(
        f"linear {m}x{k}->{n}", "matmul",
        forward(
            lambda lib, x, w, b: lib.nn.functional.linear(x, w, b),
            normal(m, k), normal(n, k), normal(n),
        ),
        *product(m, k, n),
    )  # fmt: skip


def linear(m, k, n, quick=False):
    """A linear layer, forward and backward."""
    return Case(
        f"linear {m}x{k}->{n}, backward", "matmul",
        backward(
            lambda lib, x, w, b: lib.nn.functional.linear(x, w, b),
            normal(m, k), normal(n, k), normal(n), leaves=3,
        ),
        *(3 * v for v in product(m, k, n)), quick,
    )  # fmt: skip


CASES = [
    mm(32, 64, 128),
    mm(127, 131, 113),
    mm(8, 512, 512),
    mm(301, 511, 257),
    mm(1024, 1024, 1024, quick=True),
    mm(2048, 768, 3072),
    mm(16, 2048, 2048),
    mm(700, 300, 1),
    transposed(512, 512, 512),
    transposed(768, 2048, 3072),
    einsum("ij,jk->ik", (33, 100), (100, 57)),
    einsum("bqhd,bkhd->bhqk", (4, 50, 8, 32), (4, 50, 8, 32)),
    bmm(64, 64, 64, 64),
    bmm(96, 64, 64, 64),
    bmm(32, 128, 128, 64),
    bmm(12, 33, 57, 29),
    bmm(256, 64, 64, 1),
    bmm_transposed(256, 1, 64, 64),
    bmm_backward(64, 64, 64, 64),
    bmm_backward(7, 61, 59, 67),
    mv(512, 512),
    mv(2048, 2048),
    mv(4096, 10),
    mv(1000, 33),
    mv(257, 1031),
    layer(5, 784, 256),
    layer(8, 1024, 1024),
    layer(64, 512, 1),
    linear(1, 64, 64),
    linear(2, 784, 256),
    linear(32, 128, 10),
    linear(64, 400, 120, quick=True),
    linear(61, 1009, 509),
    linear(256, 784, 512),
    linear(2048, 768, 768),
]
