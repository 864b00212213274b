"""Batching rules of losses: the batch joins the targets, and each sample's are reduced apart."""

from ...core.batching import Call, joined, parted, repeated, samples
from ..join import cat
from .reduction import MEAN, NONE


def pairs(values, parameter: bool):
    """Losses that are summed in one pass: their values element by element, reduced by sample."""

    def rule(call: Call):
        given = [*call.every(), call.attrs["parameter"]] if parameter else call.every()
        found = values(*given)
        dims = tuple(range(1, found._spec.ndim))
        if not dims:
            return found
        return found.mean(dims) if call.attrs["mean"] else found.sum(dims)

    return rule


def rows(call: Call):
    """Margin losses: each row of scores by itself."""
    weight = call.tensors[call.op.tensors.index("weight")] if "weight" in call.op.tensors else None
    if weight is not None and call.batched[call.op.tensors.index("weight")]:
        return samples(call)
    given = [
        t if t is None or name == "weight" else joined(t if b else repeated(t, call.size))
        for name, t, b in zip(call.op.tensors, call.tensors, call.batched, strict=True)
    ]
    return parted(call.run(*given), call.size, call.logical[0].shape[0])


# -- classes ---------------------------------------------------------------------------------------
class _Targets:
    """The inputs of a loss of classes, all samples' targets in one batch."""

    def __init__(self, call: Call) -> None:
        names = call.op.tensors
        self.given = dict(zip(names, call.every(), strict=True))
        at = names.index("weight")
        self.weight = call.tensors[at]
        self.possible = not call.batched[at] or self.weight is None
        target = call.logical[names.index("target")]
        self.count, self.size = target.numel, call.size
        self.shape = target.shape
        self.vector = "input" in names and call.logical[names.index("input")].ndim == 1
        self.code = call.attrs["reduction"]
        self.ignore = call.attrs["ignore_index"]

    def flat(self, name: str):
        """An input (B, N, ...) as (B * N, ...); a vector of scores is one target."""
        t = self.given[name]
        if self.vector:
            return t.reshape((self.size, -1)) if name == "input" else t.reshape((self.size,))
        return joined(t)

    def totals(self):
        """The sum of the weights of each sample's targets: (B,)"""
        target = self.given["target"].reshape((self.size, -1))
        counted = target != self.ignore
        if self.weight is None:
            return counted.sum(1)
        rows = self.weight.reshape((-1,))[target.where(counted, 0).long()]
        return rows.where(counted, 0).sum(1)

    def reduced(self, values):
        """Losses (B * N * ...) as each sample reduces them."""
        values = values.reshape((self.size, self.count))
        if self.code == NONE:
            return values.reshape((self.size, *self.shape))
        total = values.sum(1)
        return total / self.totals() if self.code == MEAN else total

    def by_target(self, grad):
        """The gradient of each target's loss: (B * N * ...)"""
        if self.code == NONE:
            return grad.reshape((self.size, *self.shape)).reshape(self.joined_shape())
        if self.code == MEAN:
            grad = grad / self.totals()
        grad = grad.reshape((self.size, 1)).expand((self.size, self.count))
        return grad.reshape(self.joined_shape())

    def joined_shape(self):
        """(B * N, ...)"""
        if self.vector or not self.shape:
            return (self.size,)
        return (self.size * self.shape[0], *self.shape[1:])


def nll(call: Call):
    """nll_loss."""
    t = _Targets(call)
    if not t.possible:
        return samples(call)
    values, _ = call.run(t.flat("input"), t.flat("target"), t.weight, reduction=NONE)
    total = t.totals().to(values.dtype)
    return t.reduced(values), total


def nll_backward(call: Call):
    """The gradient of nll_loss."""
    t = _Targets(call)
    size = call.attrs["size"]
    t.vector = len(size) == 1
    if not t.possible:
        return samples(call)
    grad = t.by_target(t.given["grad"])
    wide = (call.size, size[0]) if t.vector else (call.size * size[0], *size[1:])
    total = t.given["total"].reshape((-1,)).sum()
    found = call.run(grad, t.flat("target"), total, t.weight, size=wide, reduction=NONE)
    return found.reshape((call.size, *size))


def cross_entropy(call: Call):
    """cross_entropy; what its derivative needs is kept for each sample."""
    t = _Targets(call)
    if not t.possible:
        return samples(call)
    values, saved = call.run(t.flat("input"), t.flat("target"), t.weight, reduction=NONE)
    parts = saved.narrow(0, 0, 3 * call.size * t.count).reshape((3, call.size, t.count))
    totals = t.totals().to(saved.dtype)
    kept = parts.movedim(0, 1).reshape((call.size, -1))
    return t.reduced(values), cat([kept, totals.unsqueeze(1)], 1)


def cross_entropy_backward(call: Call):
    """The gradient of cross_entropy."""
    t = _Targets(call)
    if not t.possible:
        return samples(call)
    saved = t.given["saved"]
    parts = saved.narrow(1, 0, 3 * t.count).reshape((call.size, 3, t.count)).movedim(1, 0)
    flat = cat([parts.reshape((-1,)), saved.new_zeros((1,))])
    grad = t.by_target(t.given["grad"])
    found = call.run(grad, t.flat("input"), t.flat("target"), flat, t.weight, reduction=NONE)
    return found.reshape(t.given["input"]._spec.shape)
