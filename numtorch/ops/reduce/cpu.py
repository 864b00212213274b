"""CPU launchers of the reductions."""

import math

import numpy as np

from ...backends.cpu.jit import bind, kernel, prange
from ..pointwise.cpu import launch_loop
from . import table
from .geometry import Order, dims_of
from .loops import reduce_loop
from .plain import plain_launchers
from .sums import count_of

ACROSS = 512  # columns that one iteration of `extremes_down` owns

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


def _extreme_and_index(extreme, input, values, indices, dim):
    order = Order(input, dims_of(dim, input.ndim))
    (n, apart), step, width = order.reduced[0] if order.reduced else (1, 0), 0, 1
    kept = order.kept
    if order.columns:
        (width, step), kept = kept[-1], kept[:-1]
    rows = order.results // width if width else 0
    geometry = np.array([x for pair in kept for x in pair] or [0], np.int64)
    numbers = (len(kept), rows, width, step, n, apart)
    work = order.results * n // 4
    if order.columns:
        numbers += (int(extreme is amax_op),)
        run = extremes_down.compile(input, values, indices, geometry, *numbers, work=work)
        return bind(run, 3, geometry, *numbers)
    best = extreme(input, values, dim=dim, keepdim=False)
    find = find_along.compile(input, values, indices, geometry, *numbers, work=work)

    def run(x, v, i):
        best(x, v)
        find(x, v, i, geometry, *numbers)

    return run


@kernel
def find_along(x, values, indices, table, nk, rows, width, step, n, apart):
    """indices[k] = the first index at which x has values[k].

    One iteration of the parallel loop owns one k.

    Blocks are counted first, which vectorizes; the one with a hit is searched.
    """
    for piece in prange(rows):
        k = np.int64(piece)
        base, rest = 0, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        value = values[k]
        begin, found = 0, -1
        while begin < n and found < 0:
            end = min(begin + 256, n)
            hits = np.int32(0)
            if apart == 1 and value == value:
                for j in range(begin, end):
                    hits = np.int32(hits + np.int32(x[base + j] == value))
            else:
                hits = np.int32(1)
            if hits > 0:
                for j in range(begin, end):
                    v = x[base + j * apart]
                    if v == value or (v != v and value != value):
                        found = j
                        break
            begin = end
        indices[k] = found


@kernel
def extremes_down(x, values, indices, table, nk, rows, width, step, n, apart, largest):
    """values[k] = the largest or smallest element of column k, indices[k] = where it is first.

    One iteration of the parallel loop owns ACROSS columns.
    """
    across = (width + ACROSS - 1) // ACROSS
    for piece in prange(rows * across):
        item = np.int64(piece)
        k = item // across
        left = (item - k * across) * ACROSS
        base, rest = left * step, k
        for e in range(nk):
            d = 2 * (nk - 1 - e)
            base += rest % table[d] * table[d + 1]
            rest //= table[d]
        to, w = k * width + left, min(ACROSS, width - left)
        for j in range(w):
            values[to + j] = x[base + j * step]
            indices[to + j] = 0
        for i in range(1, n):
            at = base + i * apart
            if largest:
                for j in range(w):
                    v, best = x[at + j * step], values[to + j]
                    hit = (v > best) | ((v != v) & (best == best))
                    values[to + j] = v if hit else best
                    indices[to + j] = i if hit else indices[to + j]
            else:
                for j in range(w):
                    v, best = x[at + j * step], values[to + j]
                    hit = (v < best) | ((v != v) & (best == best))
                    values[to + j] = v if hit else best
                    indices[to + j] = i if hit else indices[to + j]


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
