"""CUDA launchers of the reductions."""

import math

import numpy as np

from ...backends.cuda import memory
from ...backends.cuda.jit import bind, cuda, grid, kernel
from ..pointwise.cuda import launch_loop
from . import table
from .cuda_loops import reduce_loop
from .geometry import Order, dims_of
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


# -- extremes ----------------------------------------------------------------------------------
def max_dim_op(input, values, indices, *, dim, keepdim):
    """values = the largest elements over dim; indices = where they are first."""
    return _extreme_and_index(amax_op, input, values, indices, dim)


def min_dim_op(input, values, indices, *, dim, keepdim):
    """values = the smallest elements over dim; indices = where they are first."""
    return _extreme_and_index(amin_op, input, values, indices, dim)


def argmax_op(input, out, *, dim, keepdim):
    """out = where the largest elements over dim are first."""
    return _index(amax_op, input, out, dim)


def argmin_op(input, out, *, dim, keepdim):
    """out = where the smallest elements over dim are first."""
    return _index(amin_op, input, out, dim)


def _index(extreme, input, out, dim):
    values = out.like(dtype=input.dtype)
    run, make = _extreme_and_index(extreme, input, values, out, dim), memory.allocator(values)
    return lambda x, i: run(x, make(), i)


def _extreme_and_index(extreme, input, values, indices, dim):
    best = extreme(input, values, dim=dim, keepdim=False)
    order = Order(input, dims_of(dim, input.ndim))
    results, (n, apart) = order.results, order.reduced[0] if order.reduced else (1, 0)
    pairs = [x for pair in order.kept for x in pair]
    geometry = memory.from_host(np.array(pairs or [0], np.int64), indices.device.index)
    spread = (len(order.kept), results * n, n, apart)
    clear = start_at.compile(indices, results, n)[grid(results)]
    find = find_first.compile(input, values, indices, geometry, *spread)[grid(results * n)]

    def run(x, v, i):
        best(x, v)
        clear(i, results, n)
        find(x, v, i, geometry, *spread)

    return run


@kernel
def start_at(indices, results, value):
    """indices = value. A thread owns every grid-size-th element."""
    for k in range(cuda.grid(1), results, cuda.gridsize(1)):
        indices[k] = value


@kernel
def find_first(x, values, indices, table, nk, items, n, apart):
    """indices[k] = the first index at which x has values[k]. A thread owns every grid-size-th x."""
    for item in range(cuda.grid(1), items, cuda.gridsize(1)):
        k = item // n
        i = item - k * n
        place, rest = i * apart, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            place += rest % table[d] * table[d + 1]
            rest //= table[d]
        v, value = x[place], values[k]
        if v == value or (v != v and value != value):
            cuda.atomic.min(indices, k, i)


# -- one index of a dimension ------------------------------------------------------------------
@kernel
def place_rows(grad, indices, out, items, inner, n):
    """out[o, i, j] = grad[o, j] if i == indices[o, j] else 0. A thread owns elements of out."""
    zero = out.dtype.type(0)
    for item in range(cuda.grid(1), items, cuda.gridsize(1)):
        j = item % inner
        rest = item // inner
        k = rest // n * inner + j
        out[item] = grad[k] if indices[k] == rest % n else zero


@kernel
def take_rows(x, indices, out, items, inner, n):
    """out[o, j] = x[o, indices[o, j], j]. A thread owns every grid-size-th element of out."""
    for k in range(cuda.grid(1), items, cuda.gridsize(1)):
        out[k] = x[(k // inner * n + indices[k]) * inner + k % inner]


def _outer_inner(shape, dim) -> tuple[int, int, int]:
    dim = dim % max(len(shape), 1)
    n = shape[dim] if shape else 1
    return math.prod(shape[:dim]), math.prod(shape[dim + 1 :]), n


def place_at_op(grad, indices, out, *, dim, keepdim, size):
    """One pass over `out`."""
    numbers = (out.numel, *_outer_inner(size, dim)[1:])
    launch = place_rows.compile(grad, indices, out, *numbers)[grid(out.numel)]
    return bind(launch, 3, *numbers)


def take_at_op(input, indices, out, *, dim, keepdim):
    """One element for each index."""
    numbers = (out.numel, *_outer_inner(input.shape, dim)[1:])
    launch = take_rows.compile(input, indices, out, *numbers)[grid(out.numel)]
    return bind(launch, 3, *numbers)


place_at_op.contiguous = take_at_op.contiguous = True


# -- products of the others --------------------------------------------------------------------
@kernel
def product_of_others(x, out, columns, inner, n):
    """out[o, i, j] = the product of x[o, k, j] over k != i. A thread owns one (o, j) at a time."""
    T = out.dtype.type
    for item in range(cuda.grid(1), columns, cuda.gridsize(1)):
        at = item // inner * (n - 1) * inner + item
        left, right = T(1), T(1)
        for i in range(n):
            out[at + i * inner] = left
            left = T(left * x[at + i * inner])
        for back in range(n):
            i = n - 1 - back
            out[at + i * inner] *= right
            right = T(right * x[at + i * inner])


@kernel
def product_of_other_pairs(g, x, out, columns, inner, n):
    """out[i] = the sum over j != i of g[j] times all x but x[i] and x[j], in the middle dimension.

    The loops are those of the CPU's kernel. A thread owns one (o, j) at a time.
    """
    T = out.dtype.type
    for item in range(cuda.grid(1), columns, cuda.gridsize(1)):
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
    launch = product_of_others.compile(input, out, *numbers)[grid(outer * inner)]
    return bind(launch, 2, *numbers)


def prod_cross_op(grad, input, out, *, dim):
    """The derivative of prod_others_op."""
    outer, inner, n = _outer_inner(input.shape, dim)
    numbers = (outer * inner, inner, n)
    launch = product_of_other_pairs.compile(grad, input, out, *numbers)[grid(outer * inner)]
    return bind(launch, 3, *numbers)


prod_others_op.contiguous = prod_cross_op.contiguous = True


# -- two passes --------------------------------------------------------------------------------
def _deviations(finish: str, input, out, dim, correction):
    center = mean_dim_op(input, out, dim=dim, keepdim=False, dtype=None)
    r, make = table.deviations(out.dtype, finish), memory.allocator(out)
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
    name, make = out.dtype.name, memory.allocator(out)
    code = (f"log(a) + {table.SHIFT}",)
    finish = launch_loop("logsumexp", code, (name, name), name, (out, out), (out,))

    def run(x, y):
        m = make()
        largest(x, m)
        add(x, m, y)
        finish(y, m, y)

    return run
