"""CUDA kernels of the losses. Scores are (N, C, S), targets (N, S); `weight` may be None.

A target that is no class cannot raise an error from a kernel that nobody waits for: its loss is
NaN.
"""

import math

from ...backends.cuda.blocks import block_sum
from ...backends.cuda.jit import THREADS, cuda, grid, kernel
from ...backends.cuda.scalar import maximum
from ..reduce.cuda_loops import reduce_loop
from ..reduce.table import beyond_unit
from .class_margins_cuda import *  # noqa: F403
from .classes import sizes_of
from .cuda_pairs import pair_sum
from .elementwise import pair_launchers
from .reduction import MEAN, NONE


# -- nll_loss ------------------------------------------------------------------------------------
@kernel
def nll_each(x, target, weight, out, total, count, classes, inner, ignore):
    """out[i] = -w[t] * x[t]. A thread owns every grid-size-th target."""
    T = out.dtype.type
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        t = target[i]
        if i == 0:
            total[0] = T(0)
        if t == ignore:
            out[i] = T(0)
        elif t < 0 or t >= classes:
            out[i] = T(math.nan)
        else:
            n = i // inner
            w = T(1) if weight is None else weight[t]
            out[i] = -w * x[(n * classes + t) * inner + i - n * inner]


@kernel
def nll_reduced(x, target, weight, out, total, count, classes, inner, ignore, mean):
    """out = the sum of -w[t] * x[t]; total = the sum of w[t]; `mean` (or None) divides.

    One block owns all.
    """
    T = out.dtype.type
    parts = cuda.shared.array(THREADS, x.dtype)
    losses, weights = T(0), T(0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        t = target[i]
        if t != ignore:
            if t < 0 or t >= classes:
                losses = T(math.nan)
            else:
                n = i // inner
                w = T(1) if weight is None else weight[t]
                losses -= w * x[(n * classes + t) * inner + i - n * inner]
                weights += w
    losses = block_sum(parts, losses)
    weights = block_sum(parts, weights)
    if cuda.threadIdx.x == 0:
        total[0] = weights
        out[0] = losses if mean is None else losses / weights


@kernel
def nll_backward(g, target, total, weight, out, numel, classes, inner, ignore, step, mean):
    """out[n, c, s] = -w[c] * g where c is the target, else 0. A thread owns elements of out."""
    T = out.dtype.type
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        s = item % inner
        rest = item // inner
        c = rest % classes
        i = rest // classes * inner + s
        t = target[i]
        if t != ignore and t == c:
            scale = g[i * step] if mean is None else g[i * step] / total[0]
            out[item] = -scale if weight is None else -weight[c] * scale
        else:
            out[item] = T(0)


def nll_loss_op(input, target, weight, out, total, *, reduction, ignore_index):
    """The loss, and the sum of the targets' weights."""
    samples, classes, inner = sizes_of(input.shape)
    numbers = (samples * inner, classes, inner, ignore_index)
    if reduction == NONE:
        run = nll_each.compile(input, target, weight, out, total, *numbers)[grid(target.numel)]
    else:
        numbers += (1 if reduction == MEAN else None,)
        run = nll_reduced.compile(input, target, weight, out, total, *numbers)[1, THREADS]
    return lambda x, t, w, y, s: run(x, t, w, y, s, *numbers)


def nll_loss2d_op(input, target, weight, out, total, *, reduction, ignore_index):
    """The same, with a name of its own in graphs."""
    return nll_loss_op(
        input, target, weight, out, total, reduction=reduction, ignore_index=ignore_index
    )


def nll_loss_backward_op(grad, target, total, weight, out, *, size, reduction, ignore_index):
    """The gradient of the scores."""
    _, classes, inner = sizes_of(size)
    mean = 1 if reduction == MEAN else None
    numbers = (out.numel, classes, inner, ignore_index, int(reduction == NONE), mean)
    run = nll_backward.compile(grad, target, total, weight, out, *numbers)[grid(out.numel)]
    return lambda g, t, s, w, y: run(g, t, s, w, y, *numbers)


# -- cross_entropy -------------------------------------------------------------------------------
# saved: lse (count), factor (count), loss (count), total (1)
@kernel
def cross_each(x, target, weight, saved, count, classes, inner, ignore, smoothing):
    """The loss of each target. A thread owns every grid-size-th target."""
    T = saved.dtype.type
    smooth = T(smoothing)
    share = smooth / T(classes)
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        n = i // inner
        base = n * (classes - 1) * inner + i
        most = T(-math.inf)
        for c in range(classes):
            most = maximum(most, x[base + c * inner])
        total, whole, rest = T(0), T(0), T(0)
        for c in range(classes):
            d = x[base + c * inner] - most
            total += math.exp(d)
            if smooth > T(0):
                w = T(1) if weight is None else weight[c]
                whole += w
                rest += w * d
        log = math.log(total)
        factor, loss = T(0), T(0)
        t = target[i]
        if t != ignore:
            if t < 0 or t >= classes:
                loss = T(math.nan)
            else:
                w = T(1) if weight is None else weight[t]
                factor = (T(1) - smooth) * w + share * whole
                loss = (T(1) - smooth) * w * (log - (x[base + t * inner] - most))
                if smooth > T(0):
                    loss += share * (whole * log - rest)
        saved[i] = log + most
        saved[count + i] = factor
        saved[2 * count + i] = loss


@kernel
def cross_copy(target, weight, out, saved, count, classes, ignore):
    """out = the losses; the sum of weights is not used. A thread owns every grid-size-th target."""
    T = saved.dtype.type
    for i in range(cuda.grid(1), count, cuda.gridsize(1)):
        if i == 0:
            saved[3 * count] = T(0)
        out[i] = saved[2 * count + i]


@kernel
def cross_finish(target, weight, out, saved, count, classes, ignore, mean):
    """The sum of the losses and that of the targets' weights; `mean` (or None) divides.

    One block owns all.
    """
    T = saved.dtype.type
    parts = cuda.shared.array(THREADS, saved.dtype)
    losses, weights = T(0), T(0)
    for i in range(cuda.threadIdx.x, count, THREADS):
        t = target[i]
        losses += saved[2 * count + i]
        if t != ignore and t >= 0 and t < classes:
            weights += T(1) if weight is None else weight[t]
    losses = block_sum(parts, losses)
    weights = block_sum(parts, weights)
    if cuda.threadIdx.x == 0:
        saved[3 * count] = weights
        out[0] = losses if mean is None else losses / weights


@kernel
def cross_backward(
    g, x, target, saved, weight, out, numel, count, classes, inner, ignore, smoothing, step, mean
):
    """out = scale * (exp(x - lse) * factor - smoothed target).

    A thread owns every grid-size-th score.
    """
    T = out.dtype.type
    smooth = T(smoothing)
    share = smooth / T(classes)
    for item in range(cuda.grid(1), numel, cuda.gridsize(1)):
        s = item % inner
        rest = item // inner
        c = rest % classes
        i = rest // classes * inner + s
        t = target[i]
        if t == ignore:
            out[item] = T(0)
        else:
            w = T(1) if weight is None else weight[c]
            value = math.exp(x[item] - saved[i]) * saved[count + i] - share * w
            if t == c:
                value -= (T(1) - smooth) * w
            scale = g[i * step] if mean is None else g[i * step] / saved[3 * count]
            out[item] = value * scale


def cross_entropy_op(input, target, weight, out, saved, *, reduction, ignore_index, smoothing):
    """The loss and what its derivative needs."""
    samples, classes, inner = sizes_of(input.shape)
    count = samples * inner
    numbers = (count, classes, inner, ignore_index, smoothing)
    run = cross_each.compile(input, target, weight, saved, *numbers)[grid(count)]
    last = (count, classes, ignore_index)
    if reduction == NONE:
        finish = cross_copy.compile(target, weight, out, saved, *last)[grid(count)]
    else:
        last += (1 if reduction == MEAN else None,)
        finish = cross_finish.compile(target, weight, out, saved, *last)[1, THREADS]

    def launch(x, t, w, y, s):
        run(x, t, w, s, *numbers)
        finish(t, w, y, s, *last)

    return launch


def cross_entropy2d_op(input, target, weight, out, saved, *, reduction, ignore_index, smoothing):
    """The same, with a name of its own in graphs."""
    given = {"reduction": reduction, "ignore_index": ignore_index, "smoothing": smoothing}
    return cross_entropy_op(input, target, weight, out, saved, **given)


def cross_entropy_backward_op(
    grad, input, target, saved, weight, out, *, reduction, ignore_index, smoothing
):
    """The gradient of the scores."""
    samples, classes, inner = sizes_of(input.shape)
    mean = 1 if reduction == MEAN else None
    numbers = (
        out.numel,
        samples * inner,
        classes,
        inner,
        ignore_index,
        smoothing,
        int(reduction == NONE),
        mean,
    )
    run = cross_backward.compile(grad, input, target, saved, weight, out, *numbers)
    launch = run[grid(out.numel)]
    return lambda g, x, t, s, w, y: launch(g, x, t, s, w, y, *numbers)


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
