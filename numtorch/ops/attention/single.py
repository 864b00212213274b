"""CPU attention of one query for each head, as in generating a text: bound by reading the keys and
values, each once.
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.simd import lanes_of
from ...backends.cpu.vmath import exp
from ..conv.planes import scratch
from ..matmul.gemv import row_sums


@kernel(fastmath="sum")
def attend_one(
    q, k, v, mask, out, lse, w, slot, workers, batch, keys, depth, width, lanes, starts, pitch,
    scale, added,
):  # fmt: skip
    """One iteration of the parallel loop is a worker with its own part of `w`; a task is a head."""
    T = out.dtype.type
    for worker in prange(workers):
        scores = np.int64(worker) * slot
        sums = scores + keys
        for item in range(np.int64(worker), batch, workers):
            k_at, v_at = starts[batch + item], starts[2 * batch + item]
            for j in range(0, keys, lanes):
                used = min(lanes, keys - j)
                row_sums(
                    k, k_at + j * pitch[1], pitch[1], used, q, starts[item], depth, w, scores + j
                )
            high, shown = T(-np.inf), starts[4 * batch + item]
            for j in range(keys):
                score = T(w[scores + j] * T(scale))
                if mask is not None:
                    if added is not None:
                        score = T(score + T(mask[shown + j * pitch[5]]))
                    elif not mask[shown + j * pitch[5]]:
                        score = T(-np.inf)
                w[scores + j] = score
                high = score if score > high else high
            level, total = T(0) if high == T(-np.inf) else high, T(0)
            for j in range(keys):
                weight = exp(T(w[scores + j] - level))
                w[scores + j] = weight
                total = T(total + weight)
            for d in range(width):
                w[sums + d] = T(0)
            for j in range(0, keys - keys % 4, 4):  # sums are loaded and stored a quarter as often
                at = v_at + j * pitch[2]
                b, c, e = at + pitch[2], at + 2 * pitch[2], at + 3 * pitch[2]
                x0, x1, x2, x3 = (
                    w[scores + j], w[scores + j + 1], w[scores + j + 2], w[scores + j + 3],
                )  # fmt: skip
                for d in range(width):
                    left = T(T(x0 * v[at + d]) + T(x1 * v[b + d]))
                    right = T(T(x2 * v[c + d]) + T(x3 * v[e + d]))
                    w[sums + d] = T(w[sums + d] + T(left + right))
            for j in range(keys - keys % 4, keys):
                at, x0 = v_at + j * pitch[2], w[scores + j]
                for d in range(width):
                    w[sums + d] = T(w[sums + d] + T(x0 * v[at + d]))
            dead = total == T(0)
            lse[item] = T(-np.inf) if dead else T(high + np.log(total))
            factor = T(0) if dead else T(T(1) / total)
            at = starts[3 * batch + item]
            for d in range(width):
                out[at + d] = w[sums + d] * factor


def single_query(facts, query, key, value, mask, out, lse, scale, workers, work):
    """A function of the arrays (query, key, value, mask, out, lse)."""
    slot = facts.keys + facts.width
    given = (
        slot, workers, facts.batch, facts.keys, facts.depth, facts.width,
        lanes_of(out.dtype.itemsize), facts.starts, facts.pitch, scale, facts.added,
    )  # fmt: skip
    run = attend_one.compile(query, key, value, mask, out, lse, out, *given, work=work)
    dtype = out.dtype.np
    return lambda q, k, v, m, o, s: run(q, k, v, m, o, s, scratch(workers * slot, dtype), *given)
