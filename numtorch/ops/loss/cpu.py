"""CPU kernels of nll_loss and cross_entropy.

Scores are (N, C, S), targets (N, S); `weight` may be None.
"""

import numpy as np

from ...backends.cpu.jit import kernel, prange
from ...backends.cpu.moves import pick_run, scratch
from ...backends.cpu.vmath import exp32, exp64, log, wide
from ..reduce.loops import reduce_loop
from ..reduce.table import beyond_unit
from ..softmax.rows import row_maximum
from .class_margins_cpu import *  # noqa: F403
from .classes import sizes_of
from .elementwise import pair_launchers
from .pairs import pair_sum
from .reduction import NONE

COLUMNS = 256
SHORT = 128  # scores of a row: up to here, rows lie in the lanes of vectors


@kernel
def first_out_of_bounds(target, found, count, classes, ignore):
    """found[0] = the position of the first target that is no class, or -1."""
    found[0] = -1
    bad = 0
    for i in range(count):
        t = np.int64(target[i])
        bad += (t != ignore) & ((t < 0) | (t >= classes))
    if bad > 0:
        for i in range(count):
            t = np.int64(target[i])
            if t != ignore and (t < 0 or t >= classes):
                found[0] = i
                break


def out_of_bounds(targets, place) -> IndexError:
    """torch's error for a target that is no class."""
    return IndexError(f"Target {targets.ravel()[place]} is out of bounds.")


def checker(target, classes: int, ignore: int):
    """A function that raises torch's IndexError unless all targets are classes."""
    count, empty, dtype = target.numel, np.empty, np.dtype(np.int64)
    run = first_out_of_bounds.compile(target, empty(1, dtype), count, classes, ignore)

    def check(t):
        found = empty(1, dtype)
        run(t, found, count, classes, ignore)
        if found[0] >= 0:
            raise out_of_bounds(t, found[0])

    return check


# -- nll_loss ------------------------------------------------------------------------------------
@kernel(fastmath="sum")
def nll_reduced(x, target, weight, out, total, found, count, classes, inner, ignore, mean):
    """out = the sum of -w[t] * x[t]; total = the sum of w[t]; `mean` divides. found = the first
    target that is no class, or -1.

    In order: as fast as memory is.
    """
    T = out.dtype.type
    losses, weights = 0.0, 0.0
    base, j = 0, 0  # of the sample, and the place in it
    found[0] = -1
    for i in range(count):
        t = np.int64(target[i])
        if t != ignore:
            if t < 0 or t >= classes:
                found[0] = i
                break
            w = T(1) if weight is None else weight[t]
            losses -= w * x[base + t * inner + j]
            weights += w
        j += 1
        if j == inner:
            base, j = base + classes * inner, 0
    total[0] = weights
    out[0] = losses / weights if mean != 0 else losses


@kernel
def nll_each(x, target, weight, out, total, count, classes, inner, ignore):
    """out[i] = -w[t] * x[t]. One iteration of the parallel loop owns one target."""
    T = out.dtype.type
    total[0] = T(0)
    for piece in prange(count):
        i = np.int64(piece)
        t = np.int64(target[i])
        if t == ignore:
            out[i] = T(0)
        else:
            n = i // inner
            w = T(1) if weight is None else weight[t]
            out[i] = -w * x[(n * classes + t) * inner + i - n * inner]


@kernel
def nll_backward(g, target, total, weight, out, samples, classes, inner, ignore, step, mean):
    """out[n, t, s] = -w[t] * g. One iteration of the parallel loop owns one n."""
    T = out.dtype.type
    for piece in prange(samples):
        n = np.int64(piece)
        for j in range(classes * inner):
            out[n * classes * inner + j] = T(0)
        for j in range(inner):
            i = n * inner + j
            t = np.int64(target[i])
            if t != ignore:
                w = T(1) if weight is None else weight[t]
                scale = g[i * step] / total[0] if mean != 0 else g[i * step]
                out[(n * classes + t) * inner + j] = -w * scale


def nll_loss_op(input, target, weight, out, total, *, reduction, ignore_index):
    """The loss, and the sum of the targets' weights."""
    samples, classes, inner = sizes_of(input.shape)
    numbers = (samples * inner, classes, inner, ignore_index)
    if reduction != NONE:
        numbers, empty, dtype = (*numbers, int(reduction == 1)), np.empty, np.dtype(np.int64)
        specs = input, target, weight, out, total
        reduce = nll_reduced.compile(*specs, empty(1, dtype), *numbers)

        def reduced(x, t, w, y, s):
            found = empty(1, dtype)
            reduce(x, t, w, y, s, found, *numbers)
            if found[0] >= 0:
                raise out_of_bounds(t, found[0])

        return reduced
    check = checker(target, classes, ignore_index)
    run = nll_each.compile(input, target, weight, out, total, *numbers, work=target.numel * 4)

    def checked(x, t, w, y, s):
        check(t)
        run(x, t, w, y, s, *numbers)

    return checked


def nll_loss_backward_op(grad, target, total, weight, out, *, size, reduction, ignore_index):
    """The gradient of the scores."""
    samples, classes, inner = sizes_of(size)
    numbers = (samples, classes, inner, ignore_index, int(reduction == NONE), int(reduction == 1))
    run = nll_backward.compile(grad, target, total, weight, out, *numbers, work=out.numel // 4)
    return lambda g, t, s, w, y: run(g, t, s, w, y, *numbers)


# -- cross_entropy -------------------------------------------------------------------------------
# saved: lse (count), factor (count), loss (count), total (1)
@kernel(fastmath="sum")
def cross_rows(x, target, weight, saved, count, classes, ignore, smooth, double):
    """Losses of rows of scores. One iteration of the parallel loop owns one row."""
    T = saved.dtype.type
    whole = float(classes)
    if weight is not None:
        whole = 0.0
        for c in range(classes):
            whole += weight[c]
    for piece in prange(count):
        wide()
        i = np.int64(piece)
        base = i * classes
        t = np.int64(target[i])
        most = row_maximum(x, base, classes)
        total = T(0)
        for j in range(classes):
            d = x[base + j] - most
            total += exp32(d) if double is None else exp64(d)
        log = np.log(total)
        factor, loss = 0.0, 0.0
        if t != ignore:
            w = T(1) if weight is None else weight[t]
            factor = (1 - smooth) * w + smooth / classes * whole
            loss = (1 - smooth) * w * (log - (x[base + t] - most))
            if smooth > 0:
                rest = 0.0
                for j in range(classes):
                    rest += (T(1) if weight is None else weight[j]) * (x[base + j] - most)
                loss += smooth / classes * (whole * log - rest)
        saved[i] = log + most
        saved[count + i] = factor
        saved[2 * count + i] = loss


@kernel
def cross_columns(
    x, target, weight, saved, count, classes, inner, block, ignore, smooth, rows, double
):
    """Losses of columns of scores, or of `rows` of few scores, which are transposed to columns.

    `smooth` is None without smoothing.

    One iteration of the parallel loop owns up to `block` columns. Until a column is finished, its
    places in `saved` hold the sum, the weighted sum of scores, and the largest score.
    """
    T = saved.dtype.type
    whole = float(classes)
    if weight is not None and smooth is not None:
        whole = 0.0
        for c in range(classes):
            whole += weight[c]
    across = (inner + block - 1) // block
    for piece in prange(count // max(inner, 1) * across):
        wide()
        held = scratch(x)
        item = np.int64(piece)
        n = item // across
        left = (item - n * across) * block
        w, to = min(block, inner - left), n * inner + left
        source, base, pitch, logs = x, n * classes * inner + left, inner, 0
        if rows:
            for c in range(classes):
                pick_run(x, left * classes + c, classes, held, c * w, w)
            source, base, pitch, logs = held, 0, w, classes * w
        rest, most = to + count, to + 2 * count
        for j in range(w):
            saved[to + j] = T(0)
            saved[rest + j] = T(0)
            saved[most + j] = T(-np.inf)
        for c in range(classes):
            at = base + c * pitch
            for j in range(w):
                v, m = source[at + j], saved[most + j]
                saved[most + j] = m if m >= v or m != m else v
        for c in range(classes):
            at = base + c * pitch
            for j in range(w):
                d = source[at + j] - saved[most + j]
                saved[to + j] += exp32(d) if double is None else exp64(d)
            if smooth is not None:
                wc = T(1) if weight is None else weight[c]
                for j in range(w):
                    saved[rest + j] += wc * (source[at + j] - saved[most + j])
        for j in range(w):
            held[logs + j] = log(saved[to + j])
        for j in range(w):
            logarithm, m, r = held[logs + j], saved[most + j], saved[rest + j]
            t = np.int64(target[to + j])
            factor, loss = 0.0, 0.0
            if t != ignore:
                wt = T(1) if weight is None else weight[t]
                factor, loss = wt, wt * (logarithm - (source[base + t * pitch + j] - m))
                if smooth is not None:
                    factor = (1 - smooth) * wt + smooth / classes * whole
                    loss = (1 - smooth) * loss + smooth / classes * (whole * logarithm - r)
            saved[to + j] = logarithm + m
            saved[rest + j] = factor
            saved[most + j] = loss


@kernel(fastmath="sum")
def cross_finish(target, weight, out, saved, count, ignore, mode):
    """Reduce the losses; the sum of the targets' weights goes behind them. mode: 0 none, 1 mean, 2
    sum.
    """
    weights, losses = 0.0, 0.0
    for i in range(count):
        t = np.int64(target[i])
        if t != ignore:
            weights += 1.0 if weight is None else weight[t]
        losses += saved[2 * count + i]
        if mode == 0:
            out[i] = saved[2 * count + i]
    saved[3 * count] = weights
    if mode > 0:
        out[0] = losses / weights if mode == 1 else losses


@kernel
def cross_backward(
    g, x, target, saved, weight, out, samples, classes, inner, ignore, smooth, mode, double
):
    """out = scale * (exp(x - lse) * factor - smoothed target).

    One iteration of the parallel loop owns one sample, or up to 256 of its columns.
    """
    T = out.dtype.type
    count = samples * inner
    share = T(smooth / classes)
    across = (inner + COLUMNS - 1) // COLUMNS
    for piece in prange(samples * across):
        wide()
        item = np.int64(piece)
        n = item // across
        left = (item - n * across) * COLUMNS
        width, to, base = min(COLUMNS, inner - left), n * inner + left, n * classes * inner + left
        if inner == 1:
            scale = g[to] if mode == 0 else g[0]
            if mode == 1:
                scale /= saved[3 * count]
            lse, factor = saved[to], saved[count + to] * scale
            for c in range(classes):
                d = x[base + c] - lse
                e = exp32(d) if double is None else exp64(d)
                out[base + c] = e * factor
            t = np.int64(target[to])
            if t != ignore:
                wt = T(1) if weight is None else weight[t]
                out[base + t] -= T(1 - smooth) * wt * scale
                if smooth > 0:
                    for c in range(classes):
                        out[base + c] -= share * scale * (T(1) if weight is None else weight[c])
            else:
                for c in range(classes):
                    out[base + c] = T(0)
        else:
            for c in range(classes):
                at = base + c * inner
                for j in range(width):
                    d = x[at + j] - saved[to + j]
                    e = exp32(d) if double is None else exp64(d)
                    out[at + j] = e * saved[count + to + j]
            for j in range(width):
                t = np.int64(target[to + j])
                if t != ignore:
                    wt = T(1) if weight is None else weight[t]
                    out[base + t * inner + j] -= T(1 - smooth) * wt
            for c in range(classes):
                at = base + c * inner
                wc = T(0)
                if smooth > 0:
                    wc = share * (T(1) if weight is None else weight[c])
                for j in range(width):
                    scale = g[to + j] if mode == 0 else g[0]
                    if mode == 1:
                        scale /= saved[3 * count]
                    counts = np.int64(target[to + j]) != ignore
                    out[at + j] = (out[at + j] - wc) * scale if counts else T(0)


def cross_entropy_op(input, target, weight, out, saved, *, reduction, ignore_index, smoothing):
    """The loss and what its derivative needs."""
    samples, classes, inner = sizes_of(input.shape)
    count, double = samples * inner, None if input.dtype.itemsize == 4 else 1
    check = checker(target, classes, ignore_index)
    work = input.numel * 2
    short = inner == 1 and classes <= SHORT
    if inner == 1 and not short:
        kernel_, numbers = cross_rows, (count, classes, ignore_index, smoothing, double)
    else:
        across, block = (count, 64 if classes > 32 else COLUMNS) if short else (inner, COLUMNS)
        smooth = smoothing or None
        numbers = (count, classes, across, block, ignore_index, smooth, int(short), double)
        kernel_ = cross_columns
    run = kernel_.compile(input, target, weight, saved, *numbers, work=work)
    finish = cross_finish.compile(target, weight, out, saved, count, ignore_index, reduction)

    def checked(x, t, w, y, s):
        check(t)
        run(x, t, w, s, *numbers)
        finish(t, w, y, s, count, ignore_index, reduction)

    return checked


def cross_entropy_backward_op(
    grad, input, target, saved, weight, out, *, reduction, ignore_index, smoothing
):
    """The gradient of the scores."""
    double = None if input.dtype.itemsize == 4 else 1
    numbers = (*sizes_of(input.shape), ignore_index, smoothing, reduction, double)
    work = input.numel * 2
    run = cross_backward.compile(grad, input, target, saved, weight, out, *numbers, work=work)
    return lambda g, x, t, s, w, y: run(g, x, t, s, w, y, *numbers)


def nll_loss2d_op(input, target, weight, out, total, *, reduction, ignore_index):
    """The same, with a name of its own in graphs."""
    return nll_loss_op(
        input, target, weight, out, total, reduction=reduction, ignore_index=ignore_index
    )


def cross_entropy2d_op(input, target, weight, out, saved, *, reduction, ignore_index, smoothing):
    """The same, with a name of its own in graphs."""
    given = {"reduction": reduction, "ignore_index": ignore_index, "smoothing": smoothing}
    return cross_entropy_op(input, target, weight, out, saved, **given)


# -- losses of pairs -----------------------------------------------------------------------------
(
    mse_loss_op,
    l1_loss_op,
    smooth_l1_loss_op,
    huber_loss_op,
    bce_op,
    bce_with_logits_op,
) = pair_launchers(pair_sum)


def beyond_unit_op(input, out):
    """out = whether an element does not lie between 0 and 1."""
    return reduce_loop(beyond_unit(input.dtype), input, out, range(input.ndim))


for _launch in (
    nll_loss_op,
    nll_loss2d_op,
    nll_loss_backward_op,
    cross_entropy_op,
    cross_entropy2d_op,
    cross_entropy_backward_op,
):
    _launch.contiguous = True
