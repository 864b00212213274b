"""Products of matrices and vectors: `@`, linear layers, einsum."""

from .added import (
    addbmm,
    addbmm_,
    addmm,
    addmm_,
    addmv,
    addmv_,
    addr,
    addr_,
    baddbmm,
    baddbmm_,
)
from .einsum import einsum, tensordot
from .linear import bilinear
from .linear import linear as linear
from .product import (
    bmm,
    chain_matmul,
    dot,
    ger,
    inner,
    matmul,
    matmul_operator,
    mm,
    mv,
    outer,
    reflected_matmul_operator,
    vdot,
)

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bilinear",
    "bmm",
    "chain_matmul",
    "dot",
    "einsum",
    "ger",
    "inner",
    "matmul",
    "mm",
    "mv",
    "outer",
    "tensordot",
    "vdot",
]
METHODS = {
    "__matmul__": matmul_operator,
    "__rmatmul__": reflected_matmul_operator,
    "addbmm": addbmm,
    "addbmm_": addbmm_,
    "addmm": addmm,
    "addmm_": addmm_,
    "addmv": addmv,
    "addmv_": addmv_,
    "addr": addr,
    "addr_": addr_,
    "baddbmm": baddbmm,
    "baddbmm_": baddbmm_,
    "bmm": bmm,
    "dot": dot,
    "ger": ger,
    "inner": inner,
    "matmul": matmul,
    "mm": mm,
    "mv": mv,
    "outer": outer,
    "vdot": vdot,
}
FUNCTIONAL = ["bilinear", "linear"]
