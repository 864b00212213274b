"""What a convolution demands of its arguments; every message names the relation and the actual
shapes.
"""

from ...core.shape import as_index


def check_sizes(name: str, argument: str, value, axes: int) -> tuple[int, ...]:
    """An int, or one int for each axis (or for all), as a tuple."""
    if isinstance(value, (tuple, list)):
        found = tuple(as_index(v, argument, name) for v in value)
        if len(found) == 1:
            return found * axes
        if len(found) != axes:
            raise RuntimeError(
                f"expected {argument} to be a single integer value or a list of {axes} values to "
                f"match the "
                f"convolution dimensions, but got {argument}={list(found)} ({name})"
            )
        return found
    if isinstance(value, (str, float)) or value is None:
        raise TypeError(
            f"{name}(): argument '{argument}' must be tuple of ints, not {type(value).__name__}"
        )
    return (as_index(value, argument, name),) * axes


def check_weight(input, weight, groups: int, transposed: bool = False) -> None:
    """The weight has the input's axes and channels. Transposed: (C, O / groups, ...), else (O, C /
    groups, ...).
    """
    size = list(weight.shape)
    given = "transposed=1" if transposed else f"groups={groups}"
    if weight.ndim != input.ndim:
        raise RuntimeError(
            f"Expected {input.ndim}-dimensional input for {input.ndim}-dimensional weight, but got "
            f"{input.ndim}-dimensional input of size {list(input.shape)} and "
            f"{weight.ndim}-dimensional weight of size "
            f"{size} instead"
        )
    if weight.shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size "
            f"{size} instead"
        )
    if weight.shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, "
            f"but got weight of "
            f"size [{size}] instead"
        )
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    if input.shape[1] != channels:
        hint = ""
        if input.ndim == 4 and input.shape[3] == channels:
            hint = " (Hint: channels come second: input.permute(0, 3, 1, 2))"
        raise RuntimeError(
            f"Given {given}, weight of size {size}, expected input{list(input.shape)} to have "
            f"{channels} channels, "
            f"but got {input.shape[1]} channels instead{hint}"
        )
    if 0 in weight.shape[2:]:
        raise RuntimeError(
            f"kernel size should be greater than zero, but got {list(weight.shape[2:])}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: "
            f"{list(input.shape)}"
        )


def check_bias(weight, bias, channels: int, transposed: bool = False) -> None:
    """The bias has one element for each output channel."""
    if bias is not None and tuple(bias.shape) != (channels,):
        given = "Given transposed=1, weight" if transposed else "Given weight"
        raise RuntimeError(
            f"{given} of size {list(weight.shape)}, expected bias to be 1-dimensional with "
            f"{channels} elements, but "
            f"got bias of size {list(bias.shape)} instead"
        )


def check_dtypes(input, weight, bias) -> None:
    """All have one dtype, and it can be multiplied and added."""
    found = input.dtype.type_name.removesuffix("Tensor")
    if weight.dtype is not input.dtype:
        other = weight.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"expected scalar type {found} but found {other} (conv: input {input.dtype}, weight "
            f"{weight.dtype}; "
            "convert one of them with .to())"
        )
    if bias is not None and bias.dtype is not input.dtype:
        other = bias.dtype.type_name.removesuffix("Tensor")
        raise RuntimeError(
            f"Input type ({found.lower()}) and bias type ({other.lower()}) should be the same "
            f"(convert one with .to())"
        )
    if found in ("Bool", "Half", "BFloat16") or found.startswith("Complex"):
        raise NotImplementedError(
            f"\"convolution\" not implemented for '{found}' (convert to float32 with .float())"
        )


def output_size(input, kernel_size, stride, padding, dilation) -> tuple[int, ...]:
    """floor((n + before + after - dilation * (kernel - 1) - 1) / stride) + 1 for each axis."""
    padded = [n + sum(p) for n, p in zip(input.shape[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True)]
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel "
            f"size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
    return tuple((n - r) // s + 1 for n, r, s in zip(padded, reach, stride, strict=True))
