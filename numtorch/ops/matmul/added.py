"""Sums of a tensor and a product: beta * input + alpha * product."""

import math

from ...core import generate, inplace
from ...core.op import primitive
from ...core.out import to_out
from ...core.tangents import added_product
from ..pointwise.define import reduce_to
from . import batching
from .product import (
    C_NAMES,
    ROOM,
    bmm_op,
    by,
    check_products,
    mm_op,
    mv_op,
    outer,
    scalar_type,
    tensors,
)


def scaled(t, factor):
    """`t * factor`, without a pass over memory where the factor is 1."""
    return t if factor == 1 else t * factor


def check_expands(input, shape) -> None:
    """Raise torch's error where `input` does not broadcast to the shape of the product."""
    missing = len(shape) - input.ndim
    if missing < 0:
        raise RuntimeError(
            f"expand(torch.{input.dtype.type_name}{{{list(input.shape)}}}, size={list(shape)}): "
            "the number of sizes "
            f"provided ({len(shape)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({input.ndim})"
        )
    for d, have in enumerate(input.shape, missing):
        if have not in (1, shape[d]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[d]}) must match the existing size "
                f"({have}) at non-singleton "
                f"dimension {d}.  Target sizes: {list(shape)}.  Tensor sizes: {list(input.shape)}"
            )


def same_dtype(input, mat2) -> None:
    """Raise torch's error for different dtypes."""
    if input.dtype is not mat2.dtype:
        given = f"{scalar_type(input)} and {scalar_type(mat2)}"
        raise RuntimeError(f"self and mat2 must have the same dtype, but got {given}")


@primitive(jvp=added_product, vmap=batching.addmm,
    vjp={
        "input": lambda g, _input, beta: reduce_to(scaled(g, beta), _input),
        "mat1": lambda g, mat2, alpha: scaled(mm_op(g, mat2, False, True), alpha),
        "mat2": lambda g, mat1, alpha: scaled(mm_op(mat1, g, True, False), alpha),
    },
    node_name="AddmmBackward0", module=ROOM,
)  # fmt: skip
def addmm_op(input, mat1, mat2, *, beta, alpha):
    """beta * input + alpha * (mat1 @ mat2). (M, N), (M, K), (K, N) -> (M, N)"""
    for name, s in (("mat1", mat1), ("mat2", mat2)):
        if s.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {s.ndim}-D tensor")
    if mat1.shape[1] != mat2.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({by(mat1.shape)} and {by(mat2.shape)})"
        )
    shape = mat1.shape[0], mat2.shape[1]
    check_expands(input, shape)
    same_dtype(input, mat2)
    check_products(input, "addmm_impl_cpu_")
    return mm_op.op.rule(mat1, mat2, ta=False, tb=False)


@primitive(jvp=added_product, vmap=batching.baddbmm,
    vjp={
        "input": lambda g, _input, beta: reduce_to(scaled(g, beta), _input),
        "batch1": lambda g, batch2, alpha: scaled(bmm_op(g, batch2, False, True), alpha),
        "batch2": lambda g, batch1, alpha: scaled(bmm_op(batch1, g, True, False), alpha),
    },
    node_name="BaddbmmBackward0", module=ROOM,
)  # fmt: skip
def baddbmm_op(input, batch1, batch2, *, beta, alpha):
    """beta * input + alpha * bmm(batch1, batch2). (B, M, N), (B, M, K), (B, K, N) -> (B, M, N)"""
    for i, s in enumerate((batch1, batch2), 1):
        if s.ndim != 3:
            raise RuntimeError(f"batch{i} must be a 3D tensor")
    dtypes = [s.dtype for s in (input, batch1, batch2)]
    if len(set(dtypes)) > 1:
        names = [C_NAMES[d.name] for d in dtypes]
        raise RuntimeError(
            "Input dtypes must be the same, got: "
            f"input {names[0]}, batch1: {names[1]}, batch2: {names[2]}"
        )
    out = bmm_op.op.rule(batch1, batch2, ta=False, tb=False)
    check_expands(input, out.shape)
    return out


@primitive(jvp=added_product, vmap=batching.addmv,
    vjp={
        "input": lambda g, _input, beta: reduce_to(scaled(g, beta), _input),
        "mat": lambda g, vec, alpha: scaled(g.unsqueeze(1) * vec, alpha),
        "vec": lambda g, mat, alpha: scaled(mv_op(mat.t(), g), alpha),
    },
    node_name="AddmvBackward0", module=ROOM,
)  # fmt: skip
def addmv_op(input, mat, vec, *, beta, alpha):
    """beta * input + alpha * (mat @ vec). (M,), (M, K), (K,) -> (M,)"""
    if mat.ndim != 2 or vec.ndim != 1 or input.ndim > 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}"
        )
    (rows, columns), have = mat.shape, input.numel
    if columns != vec.shape[0] or have not in (1, rows):
        raise RuntimeError(
            f"size mismatch, got input ({have}), mat ({rows}x{columns}), vec ({vec.shape[0]})"
        )
    if not input.dtype is mat.dtype is vec.dtype:
        given = f"{scalar_type(input)}, {scalar_type(mat)}, and {scalar_type(vec)}"
        raise RuntimeError(f"addmv input tensors must have the same dtype, but got {given}")
    return mv_op.op.rule(mat, vec)


# -- public functions ----------------------------------------------------------------------------
def addmm(input, mat1, mat2, *, beta=1, alpha=1, out=None):
    """beta * input + alpha * (mat1 @ mat2). (M, N), (M, K), (K, N) -> (M, N)"""
    result = addmm_op(input, mat1, mat2, beta, alpha)
    return result if out is None else to_out(result, out, "addmm", exact=True)


def addmv(input, mat, vec, *, beta=1, alpha=1, out=None):
    """beta * input + alpha * (mat @ vec). (M,), (M, K), (K,) -> (M,)"""
    result = addmv_op(input, mat, vec, beta, alpha)
    return result if out is None else to_out(result, out, "addmv", exact=True)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1, out=None):
    """beta * input + alpha * bmm(batch1, batch2). (B, M, N), (B, M, K), (B, K, N) -> (B, M, N)"""
    result = baddbmm_op(input, batch1, batch2, beta, alpha)
    return result if out is None else to_out(result, out, "baddbmm", exact=True)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1, out=None):
    """beta * input + alpha * bmm(batch1, batch2).sum(0). (M, N), (B, M, K), (B, K, N) -> (M, N)"""
    tensors("addbmm", input=input, batch1=batch1, batch2=batch2)
    a, b = batch1._spec, batch2._spec
    for i, s in enumerate((a, b), 1):
        if s.ndim != 3:
            raise RuntimeError(f"batch{i} must be a 3D tensor")
    if a.shape[0] != b.shape[0]:
        raise RuntimeError(
            f"batch1 and batch2 must have same number of batches, got {a.shape[0]} and {b.shape[0]}"
        )
    if a.shape[2] != b.shape[1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({by(a.shape[1:])} and {by(b.shape[1:])})"
        )
    # side by side, the matrices of a batch are one matrix, and the sum over the batch is part of
    # its product
    wide = batch1.permute(1, 0, 2).reshape(a.shape[1], math.prod(a.shape[::2]))
    result = addmm_op(input, wide, batch2.reshape(math.prod(b.shape[:2]), b.shape[2]), beta, alpha)
    inplace.known_as(result, "AddbmmBackward0")
    return result if out is None else to_out(result, out, "addbmm", exact=True)


def addr(input, vec1, vec2, *, beta=1, alpha=1, out=None):
    """beta * input + alpha * outer(vec1, vec2). (M, N), (M,), (N,) -> (M, N)"""
    tensors("addr", input=input, vec1=vec1, vec2=vec2)
    for name, vector in (("vec1", vec1), ("vec2", vec2)):
        if vector._spec.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {vector._spec.ndim}-D")
    if not any(t._spec.dtype.is_floating_point for t in (input, vec1, vec2)):
        for name, factor in (("beta", beta), ("alpha", alpha)):
            if isinstance(factor, float):
                raise RuntimeError(
                    f"For integral input tensors, argument {name} must not be a floating point "
                    "number."
                )
    product = scaled(outer(vec1, vec2), alpha)
    check_expands(input._spec, product._spec.shape)
    # a beta of 0 ignores the values of `input`, NaN included, but not its dtype
    base = input.new_zeros(product._spec.shape) if beta == 0 else scaled(input, beta)
    result = base + product
    inplace.known_as(result, "AddrBackward0")
    return result if out is None else to_out(result, out, "addr", exact=True)


def _overwrite(input, result_shape, op, operands, beta, alpha):
    if input._spec.shape != result_shape:
        raise RuntimeError(
            f"Bad in-place call: input tensor size {list(input._spec.shape)} and output tensor "
            "size "
            f"{list(result_shape)} should match"
        )
    return generate.in_place(op, (input, *operands), (beta, alpha))


def addmm_(input, mat1, mat2, *, beta=1, alpha=1):
    """`addmm`, written into `input`."""
    tensors("addmm_", input=input, mat1=mat1, mat2=mat2)
    specs = input._spec, mat1._spec, mat2._spec
    result = addmm_op.op.rule(input._spec.like(()), *specs[1:], beta=beta, alpha=alpha)
    return _overwrite(input, result.shape, addmm_op.op, (mat1, mat2), beta, alpha)


def addmv_(input, mat, vec, *, beta=1, alpha=1):
    """`addmv`, written into `input`."""
    tensors("addmv_", input=input, mat=mat, vec=vec)
    result = addmv_op.op.rule(input._spec, mat._spec, vec._spec, beta=beta, alpha=alpha)
    return _overwrite(input, result.shape, addmv_op.op, (mat, vec), beta, alpha)


def baddbmm_(input, batch1, batch2, *, beta=1, alpha=1):
    """`baddbmm`, written into `input`."""
    tensors("baddbmm_", input=input, batch1=batch1, batch2=batch2)
    specs = batch1._spec, batch2._spec
    result = baddbmm_op.op.rule(input._spec.like(()), *specs, beta=beta, alpha=alpha)
    return _overwrite(input, result.shape, baddbmm_op.op, (batch1, batch2), beta, alpha)


def addbmm_(input, batch1, batch2, *, beta=1, alpha=1):
    """`addbmm`, written into `input`."""
    return _replace(input, addbmm(input, batch1, batch2, beta=beta, alpha=alpha))


def addr_(input, vec1, vec2, *, beta=1, alpha=1):
    """`addr`, written into `input`."""
    return _replace(input, addr(input, vec1, vec2, beta=beta, alpha=alpha))


def _replace(input, result):
    addmm_op.op.check_target(result._spec, input._spec)
    return inplace.replace(input, result, addmm_op.op)
