"""Batching rule of recurrent layers: the batch joins the sequences, which share their weights."""

from ...core.batching import Call, joined, loop, parted, repeated

WEIGHTS = frozenset(["w_ih", "w_hh", "b_ih", "b_hh"])


def layer(call: Call):
    """A layer, or its derivative, on sequences of one length."""
    names = call.op.tensors
    own = any(b and n in WEIGHTS for n, b in zip(names, call.batched, strict=True))
    if own or call.attrs["sizes"] is not None:
        return loop(call)
    size = call.size
    given = [
        t if t is None or n in WEIGHTS else _sequences(t if b else repeated(t, size))
        for n, t, b in zip(names, call.tensors, call.batched, strict=True)
    ]
    return tuple(_samples(t, size) for t in call.run(*given))


def _sequences(t):
    """(B, T, N, F) -> (T, B * N, F), and (B, N, F) -> (B * N, F)"""
    if t._spec.ndim == 3:
        return joined(t)
    b, steps, n, features = t._spec.shape
    return t.movedim(0, 1).reshape((steps, b * n, features))


def _samples(t, size: int):
    """The inverse; a result that was not asked for has no elements."""
    if t._spec.ndim == 1:
        return repeated(t, size)
    if t._spec.ndim == 2:
        return parted(t, size, t._spec.shape[0] // size)
    steps, rows, features = t._spec.shape
    return t.reshape((steps, size, rows // size, features)).movedim(1, 0)
