"""Samples of products of matrices."""

import numpy as np

from .model import FLOATS, case, error, op, t

F = "nn.functional."
NUMBERS = ("float32", "float64", "int64", "int32", "uint8")
A, B = t(3, 4), t(4, 5)
ADDED = (
    case(t(3, 5), A, B),
    case(t(3, 5), A, B, beta=0.5, alpha=2),
    case(t(3, 5), A, B, beta=0),
    case(t(3, 5), t(3, 0), t(0, 5), alpha=3),
)
BATCHES = t(2, 3, 4), t(2, 4, 5)


def linear(x, weight, bias=0):
    return x @ weight.T + bias


def added(product):
    def ref(x, a, b, beta=1, alpha=1):
        return (beta * x if beta else 0) + alpha * product(a, b)

    return ref


def einsum(equation, *operands):
    return np.einsum(equation, *operands)


def tensordot(a, b, dims=2):
    return np.tensordot(a, b, dims)


SAMPLES = [
    op("mm", case(A, B), case(t(1, 3), t(3, 1)), ref=np.matmul, out=True, dtypes=NUMBERS),
    op("mm", case(t(3, 0), t(0, 2)), case(t(0, 3), t(3, 2)), ref=np.matmul),
    op(
        "bmm",
        case(*BATCHES),
        case(t(0, 2, 3), t(0, 3, 2)),
        case(t(2, 2, 0), t(2, 0, 3)),
        ref=np.matmul,
        out=True,
        dtypes=NUMBERS,
    ),
    op(
        "matmul",
        case(A, B),
        case(t(4), t(4)),
        case(A, t(4)),
        case(t(4), B),
        case(t(2, 3, 4), B),
        case(t(2, 3, 4), t(4)),
        case(t(4), t(2, 4, 3)),
        case(A, t(2, 4, 3)),
        case(*BATCHES),
        case(t(2, 1, 3, 4), t(3, 4, 2)),
        case(t(1, 3, 4), t(5, 4, 2)),
        ref=np.matmul,
        out=True,
        dtypes=(*FLOATS, "int64"),
    ),
    op("matmul", case(t(2, 0, 4), B), case(t(2, 3, 0), t(0, 4)), ref=np.matmul),
    op("mv", case(A, t(4)), case(t(3, 0), t(0)), ref=np.matmul, out=True, dtypes=NUMBERS),
    op("dot", case(t(5), t(5)), case(t(0), t(0)), ref=np.dot, out=True, dtypes=NUMBERS),
    op("vdot", case(t(5), t(5)), ref=np.dot, out=True),
    op(
        "inner",
        case(t(3), t(3)),
        case(t(2, 3), t(4, 3)),
        case(t(3), t(2, 3)),
        case(t(2, 3), t(3)),
        case(t(2, 3), t(2, 4, 3)),
        case(t(), t(2, 3)),
        ref=np.inner,
        out=True,
    ),
    op("outer", case(t(3), t(4)), ref=np.outer, out=True, dtypes=NUMBERS),
    op("ger", case(t(3), t(4)), ref=np.outer, out=True),
    op("addmm", *ADDED, ref=added(np.matmul), out=True, inplace=True),
    op("addmm", case(t(5), A, B), case(t(), A, B), case(t(3, 1), A, B), ref=added(np.matmul)),
    op(
        "addmm",
        case(t(3, 5), A, B, beta=2, alpha=3),
        dtypes=("int64",),
        grad=False,
        ref=added(np.matmul),
    ),
    op(
        "addmv",
        case(t(3), A, t(4)),
        case(t(3), A, t(4), beta=0.5, alpha=2),
        case(t(3), A, t(4), beta=0),
        ref=added(np.matmul),
        out=True,
        inplace=True,
    ),
    op(
        "baddbmm",
        case(t(2, 3, 5), *BATCHES),
        case(t(2, 3, 5), *BATCHES, beta=0.5, alpha=2),
        ref=added(np.matmul),
        out=True,
        inplace=True,
    ),
    op("baddbmm", case(t(5), *BATCHES), ref=added(np.matmul)),
    op(
        "addbmm",
        case(t(3, 5), *BATCHES),
        case(t(3, 5), *BATCHES, beta=0.5, alpha=2),
        ref=added(lambda a, b: np.matmul(a, b).sum(0)),
        out=True,
        inplace=True,
    ),
    op(
        "addr",
        case(t(3, 4), t(3), t(4)),
        case(t(3, 4), t(3), t(4), beta=0.5, alpha=2),
        ref=added(np.outer),
        out=True,
        inplace=True,
    ),
    op(
        "chain_matmul",
        case(A, B, t(5, 2)),
        case(A),
        ref=lambda *m: m[0] if len(m) == 1 else np.linalg.multi_dot(m),
        method=False,
    ),
    op(
        F + "linear",
        case(A, t(5, 4), t(5)),
        case(A, t(5, 4)),
        case(t(2, 3, 4), t(5, 4), t(5)),
        case(t(2, 3, 4), t(5, 4)),
        case(t(4), t(5, 4), t(5)),
        case(t(4), t(5, 4)),
        case(A, t(5, 4), t(1)),
        case(t(0, 4), t(5, 4), t(5)),
        case(A, t(4)),
        ref=linear,
        method=False,
    ),
    op(
        F + "linear",
        case(A, t(5, 4), t(5)),
        dtypes=("int64",),
        grad=False,
        ref=linear,
        method=False,
    ),
    op(
        F + "bilinear",
        case(t(2, 3), t(2, 4), t(5, 3, 4), t(5)),
        case(t(2, 3), t(2, 4), t(5, 3, 4)),
        ref=lambda a, b, w, bias=0: np.einsum("ni,oij,nj->no", a, w, b) + bias,
        method=False,
    ),
    op(
        "einsum",
        case("ij,jk->ik", A, B),
        case("ij,jk", A, B),
        case("ij->ji", A),
        case("ij->", A),
        case("ii->i", t(3, 3)),
        case("ii", t(3, 3)),
        case("iij->ji", t(3, 3, 2)),
        case("i,j->ij", t(3), t(4)),
        case("bij,bjk->bik", *BATCHES),
        case("ij,ij->i", A, A),
        case("...ij,...jk->...ik", t(2, 3, 4), t(1, 4, 2)),
        case("...i->...", t(2, 3)),
        case("ij,jk,kl->il", t(2, 3), t(3, 4), t(4, 2)),
        case("bA,Ac->bc", A, B),
        case("ij,j->j", t(3, 1), t(4)),
        case("ij,k->", t(2, 3), t(2)),
        ref=einsum,
        method=False,
        tolerance=1e-5,
    ),
    op(
        "tensordot",
        case(t(2, 3, 4), t(3, 4, 2)),
        case(A, B, 1),
        case(A, B, 0),
        case(A, t(3, 4), ([0, 1], [0, 1])),
        case(t(2, 3, 4), t(4, 3), ([2, 1], [0, 1])),
        ref=tensordot,
        out=True,
        method=False,
    ),
]
WRONG = r"mat1 and mat2 shapes cannot be multiplied \(3x4 and 5x6\)"
ERRORS = [
    error("mm", case(A, t(5, 6)), RuntimeError, WRONG),
    error("mm", case(t(3), B), RuntimeError, "self must be a matrix"),
    error("mm", case(A, t(4)), RuntimeError, "mat2 must be a matrix"),
    error(
        "mm",
        case(A, t(4, 5, dtype="float64")),
        RuntimeError,
        "expected m1 and m2 to have the same dtype, but got: float != double",
    ),
    error("mm", case(A, B), RuntimeError, "not implemented for 'Bool'", dtype="bool"),
    error("mm", case(A, 3), TypeError, r"mm\(\): argument 'mat2' must be Tensor, not int"),
    error(
        "bmm",
        case(t(2, 3, 4), t(2, 5, 6)),
        RuntimeError,
        r"Expected size for first two dimensions of batch2 tensor to be: \[2, 4\] but got: \[2, "
        r"5\]",
    ),
    error("bmm", case(A, t(2, 4, 5)), RuntimeError, "batch1 must be a 3D tensor"),
    error("matmul", case(A, t(5, 6)), RuntimeError, WRONG),
    error(
        "matmul",
        case(t(), A),
        RuntimeError,
        "both arguments to matmul need to be at least 1D, but they are 0D and 2D",
    ),
    error(
        "matmul",
        case(t(2, 3, 4), t(3, 4, 5)),
        RuntimeError,
        r"The size of tensor a \(2\) must match the size of tensor b \(3\) at non-singleton "
        r"dimension 0",
    ),
    error(
        "mv", case(A, t(5)), RuntimeError, r"size mismatch, got input \(3\), mat \(3x4\), vec \(5\)"
    ),
    error("dot", case(t(3), t(4)), RuntimeError, "inconsistent tensor size, expected tensor"),
    error(
        "dot", case(t(3, 1), t(4)), RuntimeError, "1D tensors expected, but got 2D and 1D tensors"
    ),
    error("inner", case(t(3), t(4)), RuntimeError, "the last dimension must match on both input"),
    error("outer", case(A, t(4)), RuntimeError, "outer: Expected 1-D argument self, but got 2-D"),
    error(
        "addmm",
        case(t(3, 6), A, B),
        RuntimeError,
        r"The expanded size of the tensor \(5\) must match the existing size \(6\)",
    ),
    error(
        "Tensor.addmm_",
        case(t(5), A, B),
        RuntimeError,
        r"Bad in-place call: input tensor size \[5\] and output tensor size \[3, 5\] should "
        r"match",
    ),
    error(
        F + "linear",
        case(A, t(6, 5)),
        RuntimeError,
        r"mat1 and mat2 shapes cannot be multiplied \(3x4 and 5x6\)",
    ),
    error(F + "linear", case(A, t(5, 4), t(6)), RuntimeError, "The expanded size of the tensor"),
    error(F + "linear", case(A, t(5, 4, dtype="float64")), RuntimeError, "to have the same dtype"),
    error(
        "einsum",
        case("ij,jk->ik", A, t(5, 5)),
        RuntimeError,
        "subscript j has size 5 for operand 1 which does not broadcast with previously seen size 4",
    ),
    error("einsum", case("ij->ik", A), RuntimeError, "output subscript k does not appear"),
    error("einsum", case("i1->i", A), RuntimeError, "invalid subscript given at index 1"),
    error("einsum", case("ij,jk", A), RuntimeError, "fewer operands were provided"),
    error("tensordot", case(A, t(3, 4), 1), RuntimeError, "contracted dimensions need to match"),
]
