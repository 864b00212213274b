"""Padding: constant, reflected, replicated and circular, one pass in any number of dimensions.

maps.py says which element each position of the result comes from.
"""

import functools

from ...core.batching import Call
from ...core.op import primitive
from ...core.shape import as_index
from ...core.tangents import linear
from ...core.tensor import Tensor

__all__: list[str] = []
FUNCTIONAL = ["pad"]
METHODS: dict = {}
MODES = ("constant", "reflect", "replicate", "circular")


def _pad_vjp(g, _input, widths, mode):
    if mode == "constant":
        return pad_op(g, tuple((-a, -b) for a, b in widths), mode, 0.0)
    return pad_fold_op(g, tuple(_input.shape), widths, mode)


def _padded(shape, widths):
    return [n + a + b for n, (a, b) in zip(shape, widths, strict=True)]


def _tangent(op, tangents, tensors, attrs, result, k):
    widths, mode, _ = attrs
    return pad_op(tangents[0], widths, mode, 0.0)


def _batch(call: Call):
    changed = {"widths": ((0, 0), *call.attrs["widths"])}
    if "size" in call.attrs:
        changed["size"] = (call.size, *call.attrs["size"])
    return call.run(*call.tensors, **changed)


@primitive(jvp=_tangent, vmap=_batch, vjp={"input": _pad_vjp}, node_name="ConstantPadNdBackward0")
def pad_op(input, *, widths, mode, value):
    """The input with `widths` = (before, after) more positions in each dimension; negative widths
    cut. (..., n, ...) -> (..., before + n + after, ...)
    """
    size = _padded(input.shape, widths)
    for d, (n, m) in enumerate(zip(input.shape, size, strict=True)):
        a, b = widths[d]
        if m < 0:
            raise RuntimeError(
                f"The input size {n}, plus negative padding {a} and {b} resulted in a negative "
                f"output size, which is invalid. Check dimension {d} of your input."
            )
        if mode == "reflect" and max(a, b) >= n and (a or b):
            raise RuntimeError(
                "Padding size should be less than the corresponding input dimension, but got: "
                f"padding ({a}, {b}) at dimension {d} of input {list(input.shape)}"
            )
        if mode == "circular" and max(a, b) > n:
            raise RuntimeError(
                f"Padding value causes wrapping around more than once: padding ({a}, {b}) at "
                f"dimension {d} of input {list(input.shape)}"
            )
        if mode != "constant" and (a or b) and (m < 1 or n < 1):
            raise RuntimeError(
                f"input {list(input.shape)} is too small for padding ({a}, {b}) at dimension {d}. "
                f"Calculated output size: {m}"
            )
    return input.like(size)


@primitive(
    jvp=linear,
    vmap=_batch,
    vjp={"grad": lambda g, widths, mode: pad_op(g, widths, mode, 0.0)},
    node_name="PadBackwardBackward0",
)
def pad_fold_op(grad, *, size, widths, mode):
    """The transposed map: each element of the result is the sum of those that were made from it.
    (..., before + n + after, ...) -> (..., n, ...)
    """
    return grad.like(size)


def pad(input, pad, mode="constant", value=None):
    """The input with margins. (..., n, ...) -> (..., before + n + after, ...)

    `pad`: (before, after) of the last dimension, then of the one before it, and so on; negative
    numbers cut. `mode`: "constant" (filled with `value`), "reflect" (mirrored, without the edge),
    "replicate" (the edge), "circular" (the other end).
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"pad(): argument 'input' must be Tensor, not {type(input).__name__}")
    widths = _widths(tuple(pad), mode, value, input._spec.ndim)
    if widths is None:
        return input.clone()
    return pad_op(input, widths, mode, float(value or 0))


@functools.lru_cache(1024)
def _widths(pad, mode, value, ndim):
    """(before, after) of each dimension, None if all are 0; torch's errors."""
    pad = tuple(as_index(n, "pad", "pad") for n in pad)
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, but got {len(pad)}")
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {ndim}"
        )
    if mode not in MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if mode != "constant":
        if value is not None and value != 0:
            raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
        if len(pad) not in (2, 4, 6) or ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
            raise NotImplementedError(
                f"Padding size {len(pad)} is not supported for {ndim}D input tensor."
            )
    if not any(pad):
        return None
    pairs = list(zip(pad[::2], pad[1::2], strict=True))
    return ((0, 0),) * (ndim - len(pairs)) + tuple(reversed(pairs))
