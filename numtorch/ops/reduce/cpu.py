"""CPU launchers of the reductions."""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ..pointwise.cpu import launch_loop
from . import table
from .extremes_cpu import *  # noqa: F403
from .geometry import dims_of
from .loops import reduce_loop
from .plain import plain_launchers
from .sums import count_of

(
    sum_op,
    sum_dim_op,
    mean_op,
    mean_dim_op,
    nansum_op,
    count_nonzero_op,
    prod_op,
    prod_dim_op,
    any_op,
    all_op,
    amax_op,
    amin_op,
    max_op,
    min_op,
) = plain_launchers(reduce_loop)


# -- one index of a dimension --------------------------------------------------------------------
@kernel
def place_rows(grad, indices, out, results, inner, n):
    """out[o, i, j] = grad[o, j] if i == indices[o, j] else 0.

    One iteration of the parallel loop owns one o.
    """
    zero = out.dtype.type(0)
    for piece in prange(results):
        o = np.int64(piece)
        for j in range(n * inner):
            out[o * n * inner + j] = zero
        for j in range(inner):
            k = o * inner + j
            out[(o * n + indices[k]) * inner + j] = grad[k]


@kernel
def take_rows(x, indices, out, results, inner, n):
    """out[o, j] = x[o, indices[o, j], j]. One iteration of the parallel loop owns one o."""
    for piece in prange(results):
        o = np.int64(piece)
        for j in range(inner):
            k = o * inner + j
            out[k] = x[(o * n + indices[k]) * inner + j]


def _outer_inner(shape, dim) -> tuple[int, int, int]:
    dim = dim % max(len(shape), 1)
    n = shape[dim] if shape else 1
    return math.prod(shape[:dim]), math.prod(shape[dim + 1 :]), n


def place_at_op(grad, indices, out, *, dim, keepdim, size):
    """Zeros, but for one element for each index."""
    numbers = _outer_inner(size, dim)
    return bind(place_rows.compile(grad, indices, out, *numbers, work=out.numel // 4), 3, *numbers)


def take_at_op(input, indices, out, *, dim, keepdim):
    """One element for each index."""
    numbers = _outer_inner(input.shape, dim)
    return bind(take_rows.compile(input, indices, out, *numbers, work=out.numel), 3, *numbers)


place_at_op.contiguous = take_at_op.contiguous = True


# -- products of the others ----------------------------------------------------------------------
@kernel
def product_of_others(x, out, columns, inner, n):
    """out[o, i, j] = the product of x[o, k, j] over k != i.

    One iteration of the parallel loop owns one (o, j).
    """
    T = out.dtype.type
    for piece in prange(columns):
        item = np.int64(piece)
        at = item // inner * (n - 1) * inner + item
        left, right = T(1), T(1)
        for i in range(n):
            out[at + i * inner] = left
            left *= x[at + i * inner]
        for back in range(n):
            i = n - 1 - back
            out[at + i * inner] *= right
            right *= x[at + i * inner]


@kernel
def product_of_other_pairs(g, x, out, columns, inner, n):
    """out[i] = the sum over j != i of g[j] times all x but x[i] and x[j], along the middle
    dimension.

    One iteration of the parallel loop owns one (o, j).

    `left` is the product of the x before i, `left_sum` the sum over j before i of g[j] times the
    others before i; the same for `right`, computed anew for each i: n * n steps, for a second
    derivative of few elements.
    """
    T = out.dtype.type
    for piece in prange(columns):
        item = np.int64(piece)
        first = item // inner * (n - 1) * inner + item
        left, left_sum = T(1), T(0)
        for i in range(n):
            at = first + i * inner
            right, right_sum = T(1), T(0)
            for k in range(i + 1, n):
                here = first + k * inner
                right_sum = right_sum * x[here] + g[here] * right
                right *= x[here]
            out[at] = left_sum * right + left * right_sum
            left_sum = left_sum * x[at] + g[at] * left
            left *= x[at]


def prod_others_op(input, out, *, dim):
    """The product of all other elements."""
    outer, inner, n = _outer_inner(input.shape, dim)
    numbers = (outer * inner, inner, n)
    return bind(product_of_others.compile(input, out, *numbers, work=input.numel), 2, *numbers)


def prod_cross_op(grad, input, out, *, dim):
    """The derivative of prod_others_op."""
    outer, inner, n = _outer_inner(input.shape, dim)
    numbers = (outer * inner, inner, n)
    work = input.numel * n
    return bind(product_of_other_pairs.compile(grad, input, out, *numbers, work=work), 3, *numbers)


prod_others_op.contiguous = prod_cross_op.contiguous = True


# -- two passes ----------------------------------------------------------------------------------
def _scratch(spec):
    shape, dtype, empty = tuple(spec.shape), spec.dtype.np, np.empty
    return lambda: empty(shape, dtype)


def _deviations(finish: str, input, out, dim, correction):
    center = mean_dim_op(input, out, dim=dim, keepdim=False, dtype=None)
    r, make = table.deviations(out.dtype, finish), _scratch(out)
    free = max(0.0, count_of(input, dim) - correction)
    spread = reduce_loop(r, input, out, dims_of(dim, input.ndim), free)

    def run(x, y):
        m = make()
        center(x, m)
        spread(x, m, y)

    return run


def var_op(input, out, *, dim, keepdim, correction):
    """out = the variance over dim."""
    return _deviations("acc / scale", input, out, dim, correction)


def std_op(input, out, *, dim, keepdim, correction):
    """out = the standard deviation over dim."""
    return _deviations("sqrt(acc / scale)", input, out, dim, correction)


def norm_op(input, out, *, p, dim, keepdim):
    """out = the p-norm over dim."""
    return reduce_loop(table.norm(out.dtype, p), input, out, dims_of(dim, input.ndim), p)


def logsumexp_op(input, out, *, dim, keepdim):
    """out = log(sum(exp(input - largest))) + largest."""
    largest = amax_op(input, out, dim=dim, keepdim=False)
    add = reduce_loop(table.exponentials(out.dtype), input, out, dims_of(dim, input.ndim))
    name, make = out.dtype.name, _scratch(out)
    code = (f"log(a) + {table.SHIFT}",)
    finish = launch_loop("logsumexp", code, (name, name), name, (out, out), (out,))

    def run(x, y):
        m = make()
        largest(x, m)
        add(x, m, y)
        finish(y, m, y)

    return run
