"""What pools demand of their arguments; every message names the relation and the actual values."""

import functools
from dataclasses import dataclass

from ...core import errors
from ...core.shape import as_index
from ...core.tensor import Tensor

NUMBER_WORDS = {1: "one int", 2: "two ints", 3: "three ints"}


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """The settings of a pool. Equal ones are one object, by which plans are found."""

    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool
    include_pad: bool
    divisor: int | None


def window_of(name: str, axes: int, input, *given) -> Window:
    """The Window of a pool's arguments, checked for this input: (kernel_size, stride, padding,
    dilation, ceil_mode), then include_pad and divisor of means.
    """
    if input.__class__ is not Tensor and not isinstance(input, Tensor):
        raise errors.not_a_tensor(name, "input", input)
    try:
        return _checked(name, axes, input._spec, *given)
    except TypeError:  # lists are not hashable
        given = tuple(tuple(v) if isinstance(v, list) else v for v in given)
        return _checked(name, axes, input._spec, *given)


@functools.lru_cache(4096)
def _checked(name, axes, spec, *given) -> Window:
    _check_shape(name, axes, spec.shape)
    return _window(name, axes, *given)


def _check_shape(name: str, axes: int, shape) -> None:
    """With or without a batch dimension, in which only that one may be empty."""
    if len(shape) not in (axes + 1, axes + 2):
        if name == "max_pool2d":
            raise RuntimeError(
                f"non-empty 3D or 4D (batch mode) tensor expected for input, but got {list(shape)}"
            )
        if name == "avg_pool2d" and len(shape) < 3:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-len(shape)}, "
                f"{len(shape) - 1}], but got -3): "
                f"avg_pool2d expects a 3D or 4D input, not {list(shape)}"
            )
        raise RuntimeError(_expected(name, axes, shape))
    if 0 in shape[-axes - 1 :]:
        raise RuntimeError(_expected(name, axes, shape))


def _expected(name, axes, shape) -> str:
    prefix = "" if axes == 2 else f"{name}: "
    return (
        f"{prefix}Expected {axes + 1}D or {axes + 2}D (batch mode) tensor with optional 0 dim "
        f"batch size for input, "
        f"but got:{list(shape)}"
    )


def _check_shape_adaptive(name: str, axes: int, shape) -> None:
    """The same for adaptive pools."""
    if len(shape) not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"{name}(): Expected {axes + 1}D or {axes + 2}D tensor, but got {list(shape)}"
        )
    for i in range(len(shape) - axes, len(shape)):
        if shape[i] == 0:
            raise RuntimeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes "
                f"{list(shape)} with dimension {i} being empty"
            )


def check_maximum_dtype(input) -> None:
    """Maxima need an order."""
    _check_dtype(
        input, "max_pool", input.dtype.type_name in ("BoolTensor", "HalfTensor", "BFloat16Tensor")
    )


def check_average_dtype(input, name: str = "avg_pool") -> None:
    """Means need floating point (torch has int64, too, in avg_pool)."""
    allowed = ("FloatTensor", "DoubleTensor") + (("LongTensor",) if name == "avg_pool" else ())
    _check_dtype(input, name, input.dtype.type_name not in allowed)


def _check_dtype(input, name, missing) -> None:
    if missing:
        kind = input.dtype.type_name.removesuffix("Tensor")
        raise NotImplementedError(
            f"\"{name}2d\" not implemented for '{kind}' (convert to float32 with .float())"
        )


def _sizes(name, argument, value, axes, rule) -> tuple[int, ...]:
    if isinstance(value, (tuple, list)):
        if len(value) not in (1, axes):
            raise RuntimeError(
                f"{name}: {argument} must {rule} a single int, or a tuple of {NUMBER_WORDS[axes]}, "
                f"but got {value}"
            )
        found = tuple(as_index(v, argument, name) for v in value)
        return found if len(found) == axes else found * axes
    return (as_index(value, argument, name),) * axes


@functools.lru_cache(4096)
def _window(
    name, axes, kernel_size, stride, padding, dilation, ceil_mode, include_pad=True, divisor=None
):
    kernel_size = _sizes(name, "kernel_size", kernel_size, axes, "either be")
    stride = (
        kernel_size
        if stride in (None, ())
        else _sizes(name, "stride", stride, axes, "either be omitted,")
    )
    padding = _sizes(name, "padding", padding, axes, "either be")
    dilation = _sizes(name, "dilation", dilation, axes, "be either")
    if 0 in stride:
        raise RuntimeError(f"stride should not be zero, but got {list(stride)} in {name}")
    for k, p, d in zip(kernel_size, padding, dilation, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p} in {name}")
        if d <= 0:
            letters = "THW"[3 - axes :] if axes > 1 else "W"
            given = " ".join(f"dilation{c}: {v}" for c, v in zip(letters, dilation, strict=True))
            raise RuntimeError(f"dilation should be greater than zero, but got {given}")
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                f"pad should be at most half of effective kernel size, but got pad={p}, "
                f"kernel_size={k} and "
                f"dilation={d}"
            )
    if min(kernel_size) <= 0:
        raise RuntimeError(
            f"kernel size should be greater than zero, but got {list(kernel_size)} in {name}"
        )
    if min(stride) < 0:
        raise RuntimeError(f"stride should be greater than zero, but got {list(stride)} in {name}")
    if divisor == 0:
        raise RuntimeError(f"divisor must be not zero ({name}: divisor_override)")
    ceil_mode, include_pad = bool(ceil_mode), bool(include_pad)
    return Window(kernel_size, stride, padding, dilation, ceil_mode, include_pad, divisor)


def pooled_size(input, window: Window) -> tuple[int, ...]:
    """The shape of a pool's output; with ceil_mode a last window may begin inside and end beyond
    the padding.
    """
    kernel_size, stride, padding = window.kernel_size, window.stride, window.padding
    axes, ceil_mode = len(kernel_size), window.ceil_mode
    outer, sizes = input.shape[: input.ndim - axes], input.shape[input.ndim - axes :]
    counts = []
    for n, k, s, p, d in zip(sizes, kernel_size, stride, padding, window.dilation, strict=True):
        count = (n + 2 * p - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        counts.append(count)
    if min(counts) < 1:
        before = "x".join(map(str, (input.shape[input.ndim - axes - 1], *sizes)))
        after = "x".join(map(str, (input.shape[input.ndim - axes - 1], *counts)))
        raise RuntimeError(
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too "
            f"small "
            f"(kernel_size {list(kernel_size)}, padding {list(padding)})"
        )
    return (*outer, *counts)


def adaptive_size(name: str, axes: int, input, output_size) -> tuple[int, ...]:
    """The sizes of an adaptive pool's output, checked for this input; None keeps the input's."""
    if input.__class__ is not Tensor and not isinstance(input, Tensor):
        raise errors.not_a_tensor(name, "input", input)
    if output_size.__class__ is list:
        output_size = tuple(output_size)
    return _adaptive_size(name, axes, input._spec.shape, output_size)


@functools.lru_cache(4096)
def _adaptive_size(name, axes, shape, output_size):
    _check_shape_adaptive(name, axes, shape)
    if isinstance(output_size, (tuple, list)):
        if len(output_size) != axes:
            raise RuntimeError(f"{name}: output_size must be {axes} ints, but got {output_size}")
    else:
        output_size = (output_size,) * axes
    kept = shape[len(shape) - axes :]
    found = tuple(
        n if v is None else as_index(v, "output_size", name)
        for v, n in zip(output_size, kept, strict=True)
    )
    if min(found) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, found))}}}"
        )
    return found
