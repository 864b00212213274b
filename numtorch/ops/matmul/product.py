"""Products of matrices, and the primitives that everything else in this room is made of.

A product has flags for transposed operands, so that derivatives need no transposed views: the
gradient of A @ B for A is `mm_op(g, B, False, True)`. Kernels read either order of dimensions.
"""

import math

from ...core import errors
from ...core.inplace import known_as
from ...core.op import primitive
from ...core.out import to_out
from ...core.shape import broadcast_shapes
from ...core.tangents import bilinear
from ...core.tensor import Tensor
from ..pointwise.define import reduce_to
from . import batching

ROOM = "numtorch.ops.matmul"
C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "float32": "float",
    "float64": "double",
}


def scalar_type(spec) -> str:
    """A dtype's name in messages about scalar types: Float, Long."""
    return spec.dtype.type_name.removesuffix("Tensor")


def by(shape) -> str:
    """Sizes as messages show them: 3x4."""
    return "x".join(map(str, shape))


def check_products(spec, name: str) -> None:
    """Raise for bool, whose products torch does not define."""
    if spec.dtype.name == "bool":
        raise RuntimeError(f"\"{name}\" not implemented for 'Bool'")


def tensors(name: str, **operands) -> None:
    """Raise torch's TypeError for an operand that is not a Tensor."""
    for argument, value in operands.items():
        if not isinstance(value, Tensor):
            raise errors.not_a_tensor(name, argument, value)


# -- one matrix at a time ------------------------------------------------------------------------
def product_shape(mat1, mat2, ta: bool, tb: bool) -> tuple[int, ...]:
    """The shape of a product; leading dimensions of an operand count as rows of one matrix.

    (..., M, K) @ (K, N) -> (..., M, N); `tb`: (..., K) @ (N, K); `ta`: (..., M) and (..., N),
    summed over rows.
    """
    rows1, columns1 = math.prod(mat1.shape[:-1]), mat1.shape[-1]
    rows2, columns2 = math.prod(mat2.shape[:-1]), mat2.shape[-1]
    m, k1 = (columns1, rows1) if ta else (rows1, columns1)
    k2, n = (columns2, rows2) if tb else (rows2, columns2)
    if k1 != k2:
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({m}x{k1} and {k2}x{n})")
    return (m, n) if ta else (*mat1.shape[:-1], n)


def _check_pair(mat1, mat2) -> None:
    if mat1.dtype is not mat2.dtype:
        given = f"{C_NAMES[mat1.dtype.name]} != {C_NAMES[mat2.dtype.name]}"
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {given}")
    check_products(mat1, "addmm_impl_cpu_")


def left(op, g, mat2, ta, tb):
    """The gradient of a product for its first operand."""
    return op(mat2, g, tb, True) if ta else op(g, mat2, False, not tb)


def right(op, g, mat1, ta, tb):
    """The gradient of a product for its second operand."""
    return op(g, mat1, True, ta) if tb else op(mat1, g, not ta, False)


@primitive(
    jvp=bilinear,
    vmap=batching.mm,
    vjp={
        "mat1": lambda g, mat2, ta, tb: left(mm_op, g, mat2, ta, tb),
        "mat2": lambda g, mat1, ta, tb: right(mm_op, g, mat1, ta, tb),
    },
    node_name="MmBackward0",
    module=ROOM,
)
def mm_op(mat1, mat2, *, ta, tb):
    """A product of matrices; `ta`, `tb` say which are transposed first. (M, K), (K, N) -> (M, N)"""
    if mat1.ndim != 2:
        raise RuntimeError("self must be a matrix")
    if mat2.ndim != 2:
        raise RuntimeError("mat2 must be a matrix")
    shape = product_shape(mat1, mat2, ta, tb)
    _check_pair(mat1, mat2)
    return mat1.like(shape=shape)


@primitive(
    jvp=bilinear,
    vmap=batching.rows,
    vjp={
        "mat1": lambda g, mat2, ta, tb: left(rows_op, g, mat2, ta, tb),
        "mat2": lambda g, mat1, ta, tb: right(rows_op, g, mat1, ta, tb),
    },
    node_name="UnsafeViewBackward0",
    module=ROOM,
)
def rows_op(mat1, mat2, *, ta, tb):
    """A product in which leading dimensions count as rows: see `product_shape`.

    (..., K), (K, N) -> (..., N)
    """
    shape = product_shape(mat1, mat2, ta, tb)
    _check_pair(mat1, mat2)
    return mat1.like(shape=shape)


@primitive(
    jvp=bilinear,
    vmap=batching.mv,
    vjp={
        "input": lambda g, vec: g.unsqueeze(-1) * vec,
        "vec": lambda g, input: rows_op(input, g.unsqueeze(-1), True, False).squeeze(-1),
    },
    node_name="MvBackward0",
    module=ROOM,
)
def mv_op(input, vec):
    """A matrix, or a batch of matrices, times one vector. (..., K), (K,) -> (...)"""
    if input.dtype is not vec.dtype:
        given = f"{scalar_type(vec)}, {scalar_type(input)}, and {scalar_type(vec)}"
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {given}")
    rows, columns = math.prod(input.shape[:-1]), input.shape[-1]
    if columns != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({rows}), mat ({rows}x{columns}), vec ({vec.shape[0]})"
        )
    check_products(input, "addmv_impl_cpu")
    return input.like(shape=input.shape[:-1])


@primitive(
    jvp=bilinear,
    vmap=batching.dot,
    vjp={"input": lambda g, tensor: g * tensor, "tensor": lambda g, input: g * input},
    node_name="DotBackward0",
    module=ROOM,
)
def dot_op(input, tensor):
    """The inner product of two vectors. (K,), (K,) -> ()"""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.dtype is not tensor.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {scalar_type(input)} and "
            f"{scalar_type(tensor)}"
        )
    if input.numel != tensor.numel:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor {list(input.shape)} and src "
            f"{list(tensor.shape)} to have the "
            f"same number of elements, but got {input.numel} and {tensor.numel} elements "
            "respectively"
        )
    check_products(input, "dot")
    return input.like(shape=())


# -- batches of matrices -------------------------------------------------------------------------
def batched_shape(input, mat2, ta: bool, tb: bool) -> tuple[int, ...]:
    """The shape of a product of batches; leading dimensions broadcast."""
    batch = broadcast_shapes(input.shape[:-2], mat2.shape[:-2])
    (m, k1), (k2, n) = input.shape[-2:], mat2.shape[-2:]
    m, k1 = (k1, m) if ta else (m, k1)
    k2, n = (n, k2) if tb else (k2, n)
    if k1 != k2:
        count = math.prod(batch)
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{count}, {k1}] but "
            f"got: [{count}, {k2}]."
        )
    return (*batch, m, n)


def _check_batches(input, mat2) -> None:
    if input.dtype is not mat2.dtype:
        raise RuntimeError(
            f"expected scalar type {scalar_type(input)} but found {scalar_type(mat2)}"
        )
    check_products(input, "bmm")


@primitive(
    jvp=bilinear,
    vmap=batching.many,
    vjp={
        "input": lambda g, mat2, ta, tb: left(bmm_op, g, mat2, ta, tb),
        "mat2": lambda g, input, ta, tb: right(bmm_op, g, input, ta, tb),
    },
    node_name="BmmBackward0",
    module=ROOM,
)
def bmm_op(input, mat2, *, ta, tb):
    """Products of the matrices of two batches, with flags as in `mm_op`.

    (B, M, K), (B, K, N) -> (B, M, N)
    """
    for i, s in enumerate((input, mat2), 1):
        if s.ndim != 3:
            raise RuntimeError(f"batch{i} must be a 3D tensor")
    wanted = [input.shape[0], input.shape[1] if ta else input.shape[2]]
    given = [mat2.shape[0], mat2.shape[2] if tb else mat2.shape[1]]
    if wanted != given:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {wanted} but got: "
            f"{given}."
        )
    _check_batches(input, mat2)
    return input.like(shape=batched_shape(input, mat2, ta, tb))


@primitive(
    jvp=bilinear,
    vmap=batching.many,
    vjp={
        "input": lambda g, _input, mat2, ta, tb: reduce_to(
            left(matmul_op, g, mat2, ta, tb), _input
        ),
        "mat2": lambda g, input, _mat2, ta, tb: reduce_to(
            right(matmul_op, g, input, ta, tb), _mat2
        ),
    },
    node_name="UnsafeViewBackward0",
    module=ROOM,
)
def matmul_op(input, mat2, *, ta, tb):
    """Products of matrices whose leading dimensions broadcast.

    (..., M, K), (..., K, N) -> (..., M, N)
    """
    shape = batched_shape(input, mat2, ta, tb)
    _check_batches(input, mat2)
    return input.like(shape=shape)


# -- public functions ----------------------------------------------------------------------------
def mm(input, mat2, *, out=None):
    """The product of two matrices. (M, K), (K, N) -> (M, N)"""
    result = mm_op(input, mat2, False, False)
    return result if out is None else to_out(result, out, "mm", exact=True)


def bmm(input, mat2, *, out=None):
    """The products of the matrices of two batches. (B, M, K), (B, K, N) -> (B, M, N)"""
    result = bmm_op(input, mat2, False, False)
    return result if out is None else to_out(result, out, "bmm", exact=True)


def mv(input, vec, *, out=None):
    """The product of a matrix and a vector. (M, K), (K,) -> (M,)"""
    tensors("mv", input=input, vec=vec)
    if input._spec.ndim != 2 or vec._spec.ndim != 1:
        given = f"{vec._spec.ndim}, {input._spec.ndim}, {vec._spec.ndim}"
        raise RuntimeError(f"vector + matrix @ vector expected, got {given}")
    result = mv_op(input, vec)
    return result if out is None else to_out(result, out, "mv", exact=True)


def dot(input, tensor, *, out=None):
    """The inner product of two vectors. (K,), (K,) -> ()"""
    result = dot_op(input, tensor)
    return result if out is None else to_out(result, out, "dot", exact=True)


def vdot(input, other, *, out=None):
    """The inner product of two vectors (the first conjugated, if it is complex).

    (K,), (K,) -> ()
    """
    result = known_as(dot_op(input, other), "VdotBackward0")
    return result if out is None else to_out(result, out, "vdot", exact=True)


def inner(input, other, *, out=None):
    """The products of all pairs of vectors in the last dimensions.

    (..., K), (***, K) -> (..., ***)
    """
    tensors("inner", input=input, other=other)
    a, b = input._spec, other._spec
    if not a.shape or not b.shape:
        result = input * other
    else:
        if a.shape[-1] != b.shape[-1]:
            raise RuntimeError(
                "inner() the last dimension must match on both input tensors but got shapes "
                f"{list(a.shape)} and {list(b.shape)}"
            )
        if a.dtype is not b.dtype:
            raise RuntimeError("both inputs should have same dtype")
        if a.ndim == 1:
            result = dot_op(input, other) if b.ndim == 1 else mv_op(other, input)
        elif b.ndim <= 2:
            result = mv_op(input, other) if b.ndim == 1 else rows_op(input, other, False, True)
        else:
            flat = other.reshape(-1, b.shape[-1])
            result = rows_op(input, flat, False, True).reshape(*a.shape[:-1], *b.shape[:-1])
    return result if out is None else to_out(result, out, "inner", exact=True)


def outer(input, vec2, *, out=None):
    """All products of the elements of two vectors. (M,), (N,) -> (M, N)"""
    tensors("outer", input=input, vec2=vec2)
    for argument, vector in (("self", input), ("vec2", vec2)):
        if vector._spec.ndim != 1:
            raise RuntimeError(
                f"outer: Expected 1-D argument {argument}, but got {vector._spec.ndim}-D"
            )
    result = input.unsqueeze(1) * vec2
    return result if out is None else to_out(result, out, "outer", exact=True)


def ger(input, vec2, *, out=None):
    """An alias of outer."""
    return outer(input, vec2, out=out)


def matmul(input, other, *, out=None):
    """The matrix product `input @ other`; leading dimensions broadcast, a vector is a row on the
    left, a column on the right. (..., M, K), (..., K, N) -> (..., M, N)
    """
    try:
        m, n = len(input._spec.shape), len(other._spec.shape)
    except AttributeError:
        tensors("matmul", input=input, other=other)
        raise
    if m == 2 and n == 2:
        result = mm_op(input, other, False, False)
    elif not m or not n:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D"
        )
    elif n == 1:
        result = dot_op(input, other) if m == 1 else mv_op(input, other)
    elif n == 2:
        result = rows_op(input, other, False, False)
    elif m == 1:
        result = matmul_op(input.unsqueeze(0), other, False, False).squeeze(-2)
    else:
        result = matmul_op(input, other, False, False)
    return result if out is None else to_out(result, out, "matmul", exact=True)


def matmul_operator(input, other):
    """`input @ other`."""
    return matmul(input, other) if isinstance(other, Tensor) else NotImplemented


def reflected_matmul_operator(input, other):
    """`other @ input`."""
    return matmul(other, input) if isinstance(other, Tensor) else NotImplemented


def chain_matmul(*matrices, out=None):
    """The product of matrices, from left to right. (M, K), (K, L), ... -> (M, N)"""
    if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)):
        matrices = tuple(matrices[0])
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    result = matrices[0]
    for matrix in matrices[1:]:
        result = mm_op(result, matrix, False, False)
    return result if out is None else to_out(result, out, "chain_matmul", exact=True)
