"""CPU launchers of the products: see gemm.py and gemv.py for the loops.

No BLAS takes part: its threads wait for each other when the cores are busy, and its results depend
on how many there are.
"""

import math

import numpy as np

from ...backends.cpu import memory
from ...backends.cpu.jit import bind, kernel, prange
from ...backends.registry import contiguous
from ..copy.cpu import launch_copy
from ..pointwise.cpu import launch_loop
from ..pointwise.define import type_name
from .addends import added
from .gemm import as_matrix
from .gemv import SHORT, inner_product, matrix_vector, rows_with_bias
from .rows import rows_or_tiles

BLOCK = 64  # columns that one sum over rows keeps in float64


@kernel
def column_sums(x, out, rows, n):
    """out[j] = sum of x[i, j]. One iteration of the parallel loop owns BLOCK columns."""
    for block in prange((n + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        width = min(BLOCK, n - first)
        sums = np.zeros(BLOCK, np.float64)
        for i in range(rows):
            at = i * n + first
            for j in range(width):
                sums[j] += x[at + j]
        for j in range(width):
            out[first + j] = sums[j]


# -- matrices ------------------------------------------------------------------------------------
def mm_op(mat1, mat2, out, *, ta, tb):
    """One product."""
    return rows_op(mat1, mat2, out, ta=ta, tb=tb)


def rows_op(mat1, mat2, out, *, ta, tb):
    """One product of operands seen as matrices."""
    if not out.contiguous:
        return _staged(out, rows_op(mat1, mat2, out.like(), ta=ta, tb=tb), 2)
    return _of_matrices(mat1, mat2, out, ta, tb)


def _of_matrices(mat1, mat2, out, ta, tb, bias=None):
    """`products`, for operands whose leading dimensions are rows."""
    seen1, seen2 = as_matrix(mat1), as_matrix(mat2)
    flat = out.like((math.prod(out.shape[:-1]), out.shape[-1]))
    if seen1 is not None and seen2 is not None:
        return _product(seen1, seen2, flat, ta, tb, bias)
    dense1, dense2 = (s.like() if seen is None else s for s, seen in ((mat1, seen1), (mat2, seen2)))
    run = _of_matrices(dense1, dense2, out, ta, tb, bias)
    copies = [
        (i, memory.allocator(dense), launch_copy(given, dense))
        for i, (given, dense) in enumerate(((mat1, dense1), (mat2, dense2)))
        if given is not dense
    ]

    def copied(*arrays):
        changed = list(arrays)
        for i, make, fill in copies:
            changed[i] = make()
            fill(arrays[i], changed[i])
        run(*changed)

    return copied


def _product(a, b, out, ta, tb, bias=None):
    """A product of matrices, or of a matrix and a row or column."""
    (m, n), k = out.shape, a.shape[int(not ta)]
    if n == 1 and m > 1 and k and bias is None and (b.strides[int(tb)] == 1 or k == 1):
        matrix = a.strided((m, k), (a.strides[1], a.strides[0])) if ta else a
        if 1 in matrix.strides:
            return matrix_vector(matrix, b.like((k,)), out.like((m,)))
    if m == 1 and n and k and a.strides[int(not ta)] == 1:
        vector, row = a.like((k,)), out.like((n,))
        if bias is None and 1 in b.strides:
            matrix = b if tb else b.strided((n, k), (b.strides[1], b.strides[0]))
            run = matrix_vector(matrix, vector, row)
            return lambda x, y, o: run(y, x, o)
        if tb and k >= SHORT and b.strides[1] == 1:
            return rows_with_bias(b, vector, bias, row)
    return rows_or_tiles(a, b, out, ta, tb, bias)


def _staged(out, run, inputs):
    """`run` into contiguous memory, then a copy to where `out` lies."""
    dense = out.like()
    make, place = memory.allocator(dense), launch_copy(dense, out)

    def staged(*arrays):
        temporary = make()
        run(*arrays[:inputs], temporary)
        place(temporary, arrays[inputs])

    return staged


# -- vectors and batches -------------------------------------------------------------------------
@contiguous("vec")
def mv_op(input, vec, out):
    """A matrix, or a batch of matrices, times one vector."""
    if not out.contiguous:
        return _staged(out, mv_op(input, vec, out.like()), 2)
    return matrix_vector(input, vec, out)


@contiguous
def dot_op(input, tensor, out):
    """An inner product."""
    return inner_product(input, tensor, out)


def bmm_op(input, mat2, out, *, ta, tb):
    """One product for each matrix of the batch."""
    return matmul_op(input, mat2, out, ta=ta, tb=tb)


def matmul_op(input, mat2, out, *, ta, tb):
    """One product for each matrix of a broadcast batch."""
    if not out.contiguous:
        return _staged(out, rows_or_tiles(input, mat2, out.like(), ta, tb), 2)
    return rows_or_tiles(input, mat2, out, ta, tb)


# -- sums with products --------------------------------------------------------------------------
def addmm_op(input, mat1, mat2, out, *, beta, alpha):
    """A product whose sums begin with the input, if that is a vector; else a product and a pass."""
    vector = input.shape == out.shape[-1:] and input.contiguous and out.contiguous
    if vector and beta == alpha == 1:
        run = _of_matrices(mat1, mat2, out, False, False, input)
        return lambda x, a, b, o: run(a, b, x, o)
    return added(launch_loop, input, out, mm_op(mat1, mat2, out, ta=False, tb=False), beta, alpha)


@contiguous("vec")
def addmv_op(input, mat, vec, out, *, beta, alpha):
    """A product and one pass."""
    return added(launch_loop, input, out, mv_op(mat, vec, out), beta, alpha)


def baddbmm_op(input, batch1, batch2, out, *, beta, alpha):
    """A batch of products and one pass."""
    return added(
        launch_loop, input, out, bmm_op(batch1, batch2, out, ta=False, tb=False), beta, alpha
    )


# -- linear layers -------------------------------------------------------------------------------
def linear_op(input, weight, bias, out):
    """A product whose sums begin with the bias."""
    if bias.shape == out.shape[-1:] and bias.contiguous and out.contiguous:
        return _of_matrices(input, weight, out, False, True, bias)
    product = rows_op(input, weight, out, ta=False, tb=True)
    name = type_name(out.dtype)
    add = launch_loop("add", ("a + b",), (name, name), name, (out, bias), (out,))

    def with_broadcast(x, w, b, o):
        product(x, w, o)
        add(o, b, o)

    return with_broadcast


def linear_rows_op(input, weight, bias, out):
    """The same for any leading dimensions."""
    return linear_op(input, weight, bias, out)


@contiguous
def column_sum_op(input, out):
    """Blocks of columns, in float64."""
    n = out.numel
    rows = math.prod(input.shape[:-1])
    return bind(column_sums.compile(input, out, rows, n, work=input.numel), 2, rows, n)
