"""CPU attention: blocks of queries by blocks of keys, with the softmax taken on the way.

Only one block of scores exists at a time for each thread. Source: Rabe and Staats, "Self-attention
does not need O(n^2) memory", 2021; Dao et al., "FlashAttention", 2022.
"""

import functools
import math

import numpy as np

from ...backends.cpu import threads
from ...backends.cpu.jit import PARALLEL_WORK, inline, kernel, prange
from ...backends.cpu.simd import lanes_of, registers
from ..conv.planes import scratch
from . import layout
from .single import single_query
from .tile import QUERIES, pack, product_tile
from .weights import LN2, differentiate, hide, weigh

KEYS = 128  # of a block: its scores are 32 KB in float32
VECTORS = 2  # of a tile
ROWS = 8 if registers()[1] >= 32 else 4  # of a tile: 8 x 2 sums leave room in 32 registers
PIECES = 8  # that the keys of a small batch are cut into, so that threads have work
PIECE_KEYS = 512  # of a piece, at least


@inline
def hide_later(w, scores, first, keys):
    """Set a block's scores of keys behind the query's place to -inf; `first` is that of the block's
    first key, counted from its first query.
    """
    for j in range(max(0, 1 - first), keys):
        for i in range(min(QUERIES, first + j)):
            w[scores + j * QUERIES + i] = w.dtype.type(-np.inf)


@functools.cache
def attend(whole):
    """The forward kernel; `whole` if the columns of values fill whole tiles."""
    score_tile = product_tile(ROWS, VECTORS, False, True)
    value_tile = product_tile(ROWS, VECTORS, True, whole)

    @kernel
    def attend_blocks(
        q, k, v, mask, out, lse, w, slot, workers, batch, queries, keys, depth, width, lanes,
        starts, pitch, scale, causal,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own part of `w`; a task is one
        block of queries of one head.
        """
        T = out.dtype.type
        blocks = (queries + QUERIES - 1) // QUERIES
        step = VECTORS * lanes
        padded = (width + step - 1) // step * step
        for worker in prange(workers):
            packed = worker * slot
            scores = packed + depth * QUERIES
            sums = scores + KEYS * QUERIES
            most = sums + QUERIES * padded
            total, shrink = most + QUERIES, most + 2 * QUERIES
            for task in range(worker, batch * blocks, workers):
                item, first = task // blocks, task % blocks * QUERIES
                count = min(QUERIES, queries - first)
                k_at, v_at = starts[batch + item], starts[2 * batch + item]
                start = starts[item] + first * pitch[0]
                pack(q, start, pitch[0], count, depth, w, packed, scale / LN2)
                for i in range(QUERIES):
                    w[most + i], w[total + i] = T(-np.inf), T(0)
                for i in range((count + ROWS - 1) // ROWS * ROWS * padded):
                    w[sums + i] = T(0)
                end = min(keys, first + QUERIES) if causal else keys
                for begin in range(0, end, KEYS):
                    n = min(KEYS, end - begin)
                    for j in range(0, n, ROWS):
                        for i in range(0, count, step):
                            score_tile(
                                k, k_at + (begin + j) * pitch[1], pitch[1], 1, min(ROWS, n - j),
                                w, packed + i, QUERIES, depth,
                                w, scores + j * QUERIES + i, QUERIES, step,
                            )  # fmt: skip
                    if mask is not None:
                        at = starts[4 * batch + item] + first * pitch[4] + begin * pitch[5]
                        hide(w, scores, mask, at, pitch[4], pitch[5], count, n)
                    if causal:
                        hide_later(w, scores, begin - first, n)
                    weigh(w, scores, most, total, shrink, count, n)
                    for i in range(count):
                        factor = w[shrink + i]
                        for d in range(padded):
                            w[sums + i * padded + d] *= factor
                    for i in range(0, count, ROWS):
                        for d in range(0, width, step):
                            value_tile(
                                w, scores + i, 1, QUERIES, ROWS,
                                v, v_at + begin * pitch[2] + d, pitch[2], n,
                                w, sums + i * padded + d, padded, width - d,
                            )  # fmt: skip
                for i in range(count):
                    mass = w[total + i]
                    dead = mass == T(0)
                    lse[item * queries + first + i] = (
                        T(-np.inf) if dead else w[most + i] * T(LN2) + np.log(mass)
                    )
                    factor = T(0) if dead else T(1) / mass
                    at = starts[3 * batch + item] + (first + i) * pitch[3]
                    for d in range(width):
                        out[at + d] = w[sums + i * padded + d] * factor

    return attend_blocks


@functools.cache
def attend_backward(whole):
    """The backward kernel; `whole` if the columns of queries and values fill whole tiles."""
    score_tile = product_tile(ROWS, VECTORS, False, True)
    grad_tile = product_tile(ROWS, VECTORS, True, whole)

    @kernel
    def differentiate_blocks(
        g, q, k, v, mask, out, lse, dq, dk, dv, w, slot, workers, batch, queries, keys, depth,
        width, lanes, pieces, piece, starts, pitch, scale, causal,
    ):  # fmt: skip
        """One iteration of the parallel loop is one worker, with its own part of `w`; a task is one
        piece of the keys of one head: it owns their rows of dk and dv, and a copy of dq.
        """
        T = q.dtype.type
        step = VECTORS * lanes
        for worker in prange(workers):
            packed = worker * slot
            packed_g = packed + depth * QUERIES
            scores = packed_g + width * QUERIES
            grads = scores + KEYS * QUERIES
            level, delta = grads + KEYS * QUERIES, grads + (KEYS + 1) * QUERIES
            for task in range(worker, batch * pieces, workers):
                item, part = task // pieces, task % pieces
                head, tail = part * piece, min(keys, (part + 1) * piece)
                q_at, k_at, v_at = starts[item], starts[batch + item], starts[2 * batch + item]
                dq_at = (part * batch + item) * queries * depth
                dk_at, dv_at = item * keys * depth, item * keys * width
                for i in range(dq_at, dq_at + queries * depth):
                    dq[i] = T(0)
                for i in range(dk_at + head * depth, dk_at + tail * depth):
                    dk[i] = T(0)
                for i in range(dv_at + head * width, dv_at + tail * width):
                    dv[i] = T(0)
                for first in range(0, queries, QUERIES):
                    count = min(QUERIES, queries - first)
                    end = min(tail, first + QUERIES) if causal else tail
                    q_row, g_row = (
                        q_at + first * pitch[0],
                        starts[5 * batch + item] + first * pitch[6],
                    )
                    if head < end:
                        pack(q, q_row, pitch[0], count, depth, w, packed, scale / LN2)
                        pack(g, g_row, pitch[6], count, width, w, packed_g, 1.0)
                    for i in range(count):
                        at = starts[3 * batch + item] + (first + i) * pitch[3]
                        product = T(0)
                        for d in range(width):
                            product += g[g_row + i * pitch[6] + d] * out[at + d]
                        high = lse[item * queries + first + i]
                        w[level + i] = T(0) if high == -np.inf else high * T(1 / LN2)
                        w[delta + i] = product
                    for i in range(count, QUERIES):
                        w[level + i], w[delta + i] = T(0), T(0)
                    for begin in range(head, end, KEYS):
                        n = min(KEYS, end - begin)
                        for j in range(0, n, ROWS):
                            used = min(ROWS, n - j)
                            for i in range(0, QUERIES, step):
                                to = j * QUERIES + i
                                score_tile(
                                    k, k_at + (begin + j) * pitch[1], pitch[1], 1, used,
                                    w, packed + i, QUERIES, depth,
                                    w, scores + to, QUERIES, step,
                                )  # fmt: skip
                                score_tile(
                                    v, v_at + (begin + j) * pitch[2], pitch[2], 1, used,
                                    w, packed_g + i, QUERIES, width,
                                    w, grads + to, QUERIES, step,
                                )  # fmt: skip
                        if mask is not None:
                            at = starts[4 * batch + item] + first * pitch[4] + begin * pitch[5]
                            hide(w, scores, mask, at, pitch[4], pitch[5], count, n)
                        if causal:
                            hide_later(w, scores, begin - first, n)
                        differentiate(w, scores, grads, level, delta, n, scale)
                        for j in range(0, n, ROWS):
                            used = min(ROWS, n - j)
                            for d in range(0, width, step):
                                grad_tile(
                                    w, scores + j * QUERIES, QUERIES, 1, used,
                                    g, g_row + d, pitch[6], count,
                                    dv, dv_at + (begin + j) * width + d, width, width - d,
                                )  # fmt: skip
                            for d in range(0, depth, step):
                                grad_tile(
                                    w, grads + j * QUERIES, QUERIES, 1, used,
                                    q, q_row + d, pitch[0], count,
                                    dk, dk_at + (begin + j) * depth + d, depth, depth - d,
                                )  # fmt: skip
                        for i in range(0, count, ROWS):
                            for d in range(0, depth, step):
                                grad_tile(
                                    w, grads + i, 1, QUERIES, min(ROWS, count - i),
                                    k, k_at + begin * pitch[1] + d, pitch[1], n,
                                    dq, dq_at + (first + i) * depth + d, depth, depth - d,
                                )  # fmt: skip

    return differentiate_blocks


@kernel
def add_pieces(parts, out, count, pieces):
    """out = the sum over `pieces` arrays, in order. One iteration owns one element."""
    for i in prange(count):
        total = parts[i]
        for p in range(1, pieces):
            total += parts[p * count + i]
        out[i] = total


def workers_for(work: int, tasks: int) -> int:
    """How many parts of the scratch memory a call needs; the results do not depend on it."""
    return max(1, min(tasks, threads.get_num_threads())) if work >= PARALLEL_WORK else 1


def attention_op(query, key, value, mask, out, lse, *, is_causal, scale):
    """Blocks of queries of all heads, in parallel."""
    facts = layout.Facts(query, key, value, mask, out)
    if not out.numel:
        return lambda q, k, v, m, o, s: s.fill(-math.inf)
    lanes = lanes_of(out.dtype.itemsize)
    step = VECTORS * lanes
    padded = -(-facts.width // step) * step
    slot = (facts.depth + KEYS + padded + 3) * QUERIES
    work = facts.products // 8  # eight multiply-adds take as long as one addition in memory
    if facts.queries == 1 and facts.depth and not is_causal:
        workers = workers_for(work, facts.batch)
        return single_query(facts, query, key, value, mask, out, lse, scale, workers, work)
    workers = workers_for(work, facts.batch * -(-facts.queries // QUERIES))
    given = (
        slot, workers, facts.batch, facts.queries, facts.keys, facts.depth, facts.width, lanes,
        facts.starts, facts.pitch, scale, is_causal,
    )  # fmt: skip
    run = attend(facts.width % step == 0).compile(
        query, key, value, mask, out, lse, out, *given, work=work
    )
    dtype = out.dtype.np

    def launch(q, k, v, m, o, s):
        run(q, k, v, m, o, s, scratch(workers * slot, dtype), *given)

    return launch


def attention_backward_op(grad, query, key, value, mask, out, lse, dq, dk, dv, *, is_causal, scale):
    """Pieces of the keys of all heads, in parallel."""
    facts = layout.Facts(query, key, value, mask, out, grad)
    if not grad.numel or not key.numel:
        return lambda *arrays: [a.fill(0) for a in arrays[-3:]]
    lanes = lanes_of(out.dtype.itemsize)
    step = VECTORS * lanes
    slot = (facts.depth + facts.width + 2 * KEYS + 2) * QUERIES
    work = facts.products * 5 // 16  # five products where the forward pass has two
    pieces = max(1, min(PIECES // facts.batch, facts.keys // PIECE_KEYS))
    piece = -(-facts.keys // (pieces * KEYS)) * KEYS
    pieces = -(-facts.keys // piece)
    workers = workers_for(work, facts.batch * pieces)
    given = (
        slot, workers, facts.batch, facts.queries, facts.keys, facts.depth, facts.width, lanes,
        pieces, piece, facts.starts, facts.pitch, scale, is_causal,
    )  # fmt: skip
    specs = grad, query, key, value, mask, out, lse, dq, dk, dv, out
    run = attend_backward(not (facts.depth % step or facts.width % step)).compile(
        *specs, *given, work=work
    )
    dtype, count = out.dtype.np, dq.numel
    join = add_pieces.compile(dq, dq, count, pieces, work=count * pieces) if pieces > 1 else None

    def launch(g, q, k, v, m, o, s, to_q, to_k, to_v):
        parts = to_q if join is None else np.empty(count * pieces, dtype)
        run(g, q, k, v, m, o, s, parts, to_k, to_v, scratch(workers * slot, dtype), *given)
        if join is not None:
            join(parts, to_q, count, pieces)

    return launch
