"""CUDA attention: a block of TILE x TILE threads takes TILE queries past the keys, TILE at a time.

A thread has the score of one query and one key, and EACH columns of one query's result. Results
wider than TILE * EACH columns are made in parts, by blocks that repeat the scores. Source: Dao et
al., "FlashAttention", 2022.
"""

import math

from ...backends.cuda import memory
from ...backends.cuda.jit import TILE, cuda, grid, inline, kernel, like
from . import layout

EACH = 4
COLUMNS = EACH * TILE
PADDED = TILE + 1  # rows of a tile start in different banks


# -- kernels -------------------------------------------------------------------------------------
@inline
def row_product(left, right, x, x_at, x_pitch, x_rows, y, y_at, y_pitch, y_rows, depth):
    """The product of row threadIdx.y of x and row threadIdx.x of y; rows that are not there are 0.
    All threads of the block must call.
    """
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    zero = left.dtype.type(0)
    total = zero
    for e in range(0, depth, TILE):
        inside = e + tx < depth
        left[ty, tx] = x[x_at + ty * x_pitch + e + tx] if inside and ty < x_rows else zero
        right[ty, tx] = y[y_at + ty * y_pitch + e + tx] if inside and ty < y_rows else zero
        cuda.syncthreads()
        for d in range(TILE):
            total += left[ty, d] * right[tx, d]
        cuda.syncthreads()
    return total


@inline
def masked(score, mask, starts, pitch, item, batch, i, j, queries, keys, causal, added):
    """A score with the mask's number added to it, or -inf where query i does not see key j."""
    if i >= queries or j >= keys or (causal and j > i):
        return like(score, -math.inf)
    if mask is None:
        return score
    at = starts[4 * batch + item] + i * pitch[4] + j * pitch[5]
    if added is None:
        return score if mask[at] else like(score, -math.inf)
    return score + mask[at]


@inline
def place(job, rows, columns):
    """What a block does of a job: (item of the batch, first row, the thread's first column)."""
    across = max(1, (columns + COLUMNS - 1) // COLUMNS)
    down = (rows + TILE - 1) // TILE
    column = job % across * COLUMNS + cuda.threadIdx.x
    return job // across // down, job // across % down * TILE, column


@inline
def jobs(batch, rows, columns):
    """How many blocks of TILE rows and COLUMNS columns there are; rows without columns are one."""
    return batch * ((rows + TILE - 1) // TILE) * max(1, (columns + COLUMNS - 1) // COLUMNS)


@kernel
def attend_tiles(
    q, k, v, mask, out, sums, batch, queries, keys, depth, width, starts, pitch, scale, causal,
    added,
):  # fmt: skip
    """The forward pass. A block owns COLUMNS columns of TILE queries' results at a time."""
    T = out.dtype.type
    left = cuda.shared.array((TILE, PADDED), out.dtype)
    right = cuda.shared.array((TILE, PADDED), out.dtype)
    parts = cuda.shared.array((TILE, PADDED), out.dtype)
    held = cuda.local.array(EACH, out.dtype)
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    for job in range(cuda.blockIdx.x, jobs(batch, queries, width), cuda.gridDim.x):
        item, first, column = place(job, queries, width)
        i = first + ty
        k_at, v_at = starts[batch + item], starts[2 * batch + item]
        for n in range(EACH):
            held[n] = T(0)
        most, total = T(-math.inf), T(0)
        end = min(keys, first + TILE) if causal else keys
        for begin in range(0, end, TILE):
            score = T(scale) * row_product(
                left, right, q, starts[item] + first * pitch[0], pitch[0], queries - first,
                k, k_at + begin * pitch[1], pitch[1], keys - begin, depth,
            )  # fmt: skip
            score = masked(
                score, mask, starts, pitch, item, batch, i, begin + tx, queries, keys, causal, added
            )
            parts[ty, tx] = score
            cuda.syncthreads()
            high = most
            for x in range(TILE):
                other = parts[ty, x]
                high = other if other > high else high
            cuda.syncthreads()
            level = T(0) if high == T(-math.inf) else high
            factor = math.exp(most - level)
            parts[ty, tx] = math.exp(score - level)
            cuda.syncthreads()
            most = high
            total *= factor
            for n in range(EACH):
                held[n] *= factor
            for x in range(min(TILE, keys - begin)):
                weight = parts[ty, x]
                total += weight
                for n in range(EACH):
                    if column + n * TILE < width:
                        held[n] += weight * v[v_at + (begin + x) * pitch[2] + column + n * TILE]
            cuda.syncthreads()
        if i < queries:
            dead = total == T(0)
            if column == 0:
                sums[item * queries + i] = T(-math.inf) if dead else most + math.log(total)
            at = starts[3 * batch + item] + i * pitch[3] + column
            for n in range(EACH):
                if column + n * TILE < width:
                    out[at + n * TILE] = T(0) if dead else held[n] / total


@kernel
def grad_products(g, out, delta, batch, queries, width, starts, pitch):
    """delta = the products of rows of g and out. A thread owns a row at a time."""
    T = out.dtype.type
    for row in range(cuda.grid(1), batch * queries, cuda.gridsize(1)):
        item, i = row // queries, row % queries
        at, g_at = starts[3 * batch + item] + i * pitch[3], starts[5 * batch + item] + i * pitch[6]
        total = T(0)
        for d in range(width):
            total += g[g_at + d] * out[at + d]
        delta[row] = total


@kernel
def query_grads(
    g, q, k, v, mask, sums, delta, dq, batch, queries, keys, depth, width, starts, pitch, scale,
    causal, added,
):  # fmt: skip
    """The gradient for the queries. A block owns COLUMNS columns of TILE rows at a time."""
    T = dq.dtype.type
    left = cuda.shared.array((TILE, PADDED), dq.dtype)
    right = cuda.shared.array((TILE, PADDED), dq.dtype)
    parts = cuda.shared.array((TILE, PADDED), dq.dtype)
    held = cuda.local.array(EACH, dq.dtype)
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    for job in range(cuda.blockIdx.x, jobs(batch, queries, depth), cuda.gridDim.x):
        item, first, column = place(job, queries, depth)
        i = first + ty
        k_at, v_at = starts[batch + item], starts[2 * batch + item]
        for n in range(EACH):
            held[n] = T(0)
        level = sums[item * queries + i] if i < queries else T(0)
        centre = delta[item * queries + i] if i < queries else T(0)
        end = min(keys, first + TILE) if causal else keys
        for begin in range(0, end, TILE):
            score = T(scale) * row_product(
                left, right, q, starts[item] + first * pitch[0], pitch[0], queries - first,
                k, k_at + begin * pitch[1], pitch[1], keys - begin, depth,
            )  # fmt: skip
            slope = row_product(
                left, right, g, starts[5 * batch + item] + first * pitch[6], pitch[6],
                queries - first, v, v_at + begin * pitch[2], pitch[2], keys - begin, width,
            )  # fmt: skip
            score = masked(
                score, mask, starts, pitch, item, batch, i, begin + tx, queries, keys, causal, added
            )
            weight = T(0) if score == T(-math.inf) else math.exp(score - level)
            parts[ty, tx] = weight * (slope - centre) * T(scale)
            cuda.syncthreads()
            for x in range(min(TILE, keys - begin)):
                for n in range(EACH):
                    if column + n * TILE < depth:
                        held[n] += (
                            parts[ty, x] * k[k_at + (begin + x) * pitch[1] + column + n * TILE]
                        )
            cuda.syncthreads()
        if i < queries:
            at = (item * queries + i) * depth + column
            for n in range(EACH):
                if column + n * TILE < depth:
                    dq[at + n * TILE] = held[n]


@kernel
def key_grads(
    g, q, k, v, mask, sums, delta, dk, dv, batch, queries, keys, depth, width, starts, pitch,
    scale, causal, added,
):  # fmt: skip
    """The gradients for keys and values. A block owns COLUMNS columns of TILE rows at a time."""
    T = dk.dtype.type
    left = cuda.shared.array((TILE, PADDED), dk.dtype)
    right = cuda.shared.array((TILE, PADDED), dk.dtype)
    weights = cuda.shared.array((TILE, PADDED), dk.dtype)
    slopes = cuda.shared.array((TILE, PADDED), dk.dtype)
    held_k, held_v = cuda.local.array(EACH, dk.dtype), cuda.local.array(EACH, dk.dtype)
    ty, tx = cuda.threadIdx.y, cuda.threadIdx.x
    for job in range(cuda.blockIdx.x, jobs(batch, keys, max(depth, width)), cuda.gridDim.x):
        item, begin, column = place(job, keys, max(depth, width))
        j = begin + ty
        for n in range(EACH):
            held_k[n], held_v[n] = T(0), T(0)
        for first in range(begin if causal else 0, queries, TILE):
            q_at = starts[item] + first * pitch[0]
            g_at = starts[5 * batch + item] + first * pitch[6]
            score = T(scale) * row_product(
                left, right, k, starts[batch + item] + begin * pitch[1], pitch[1], keys - begin,
                q, q_at, pitch[0], queries - first, depth,
            )  # fmt: skip
            slope = row_product(
                left, right, v, starts[2 * batch + item] + begin * pitch[2], pitch[2], keys - begin,
                g, g_at, pitch[6], queries - first, width,
            )  # fmt: skip
            i = first + tx
            score = masked(
                score, mask, starts, pitch, item, batch, i, j, queries, keys, causal, added
            )
            weight, change = T(0), T(0)
            if score != T(-math.inf):
                weight = math.exp(score - sums[item * queries + i])
                change = weight * (slope - delta[item * queries + i]) * T(scale)
            weights[ty, tx], slopes[ty, tx] = weight, change
            cuda.syncthreads()
            for x in range(min(TILE, queries - first)):
                for n in range(EACH):
                    c = column + n * TILE
                    if c < depth:
                        held_k[n] += slopes[ty, x] * q[q_at + x * pitch[0] + c]
                    if c < width:
                        held_v[n] += weights[ty, x] * g[g_at + x * pitch[6] + c]
            cuda.syncthreads()
        if j < keys:
            row = item * keys + j
            for n in range(EACH):
                c = column + n * TILE
                if c < depth:
                    dk[row * depth + c] = held_k[n]
                if c < width:
                    dv[row * width + c] = held_v[n]


# -- launchers -----------------------------------------------------------------------------------
def _numbers(facts, index, is_causal, scale):
    starts, pitch = (memory.from_host(a, index) for a in (facts.starts, facts.pitch))
    sizes = facts.batch, facts.queries, facts.keys, facts.depth, facts.width
    return (*sizes, starts, pitch, scale, is_causal, facts.added)


def _blocks(batch, rows, columns):
    return grid(batch * -(-rows // TILE) * max(1, -(-columns // COLUMNS)), 1)[0], (TILE, TILE)


def attention_op(query, key, value, mask, out, sums, *, is_causal, scale):
    """Tiles of queries of all heads."""
    facts = layout.Facts(query, key, value, mask, out)
    given = _numbers(facts, out.device.index, is_causal, scale)
    launch = attend_tiles.compile(query, key, value, mask, out, sums, *given)[
        _blocks(facts.batch, facts.queries, facts.width)
    ]
    return lambda *arrays: launch(*arrays, *given)


def attention_backward_op(
    grad, query, key, value, mask, out, sums, dq, dk, dv, *, is_causal, scale
):
    """Tiles of queries, then tiles of keys."""
    facts = layout.Facts(query, key, value, mask, out, grad)
    index = out.device.index
    given = _numbers(facts, index, is_causal, scale)
    batch, queries, keys, depth, width, starts, pitch = given[:7]
    rows, dtype = batch * queries, out.dtype.np
    place = batch, queries, width, starts, pitch
    products = grad_products.compile(grad, out, sums, *place)[grid(rows)]
    to_query = query_grads.compile(grad, query, key, value, mask, sums, sums, dq, *given)[
        _blocks(batch, queries, depth)
    ]
    to_key = key_grads.compile(grad, query, key, value, mask, sums, sums, dk, dv, *given)[
        _blocks(batch, keys, max(depth, width))
    ]

    def launch(g, q, k, v, m, o, s, to_q, to_k, to_v):
        delta = memory.block(max(1, rows), dtype, index)
        products(g, o, delta, *place)
        to_query(g, q, k, v, m, s, delta, to_q, *given)
        to_key(g, q, k, v, m, s, delta, to_k, to_v, *given)

    return launch
