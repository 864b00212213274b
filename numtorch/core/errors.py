"""Errors that many ops share. Each names the op, the rule that was broken and what was given."""

import warnings


def warn_expanded(name: str) -> None:
    """torch's warning about an in-place form that lets expanded tensors be written to."""
    more = " This also applies to advanced indexing e.g. tensor[{}] = {}"
    given = {"index_put_": ("indices", "tensor"), "masked_fill_": ("mask", "scalar")}.get(name)
    warnings.warn(
        f"Use of {name} on expanded tensors is deprecated. Please clone() the tensor before "
        f"performing this operation.{more.format(*given) if given else ''}",
        stacklevel=3,
    )


def kind(value) -> str:
    """A type's name as torch's messages spell it."""
    return "Tensor" if type(value).__name__ in ("Tensor", "Parameter") else type(value).__name__


def not_a_tensor(name: str, argument: str, value) -> TypeError:
    """For an operand that must be a Tensor."""
    return TypeError(f"{name}(): argument '{argument}' must be Tensor, not {kind(value)}")


def mixed_devices(name: str, specs) -> RuntimeError:
    """For tensors that are not all on one device."""
    devices = list(dict.fromkeys(str(s.device) for s in specs if s is not None and not s.weak))
    return RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, "
        f"{devices[0]} and "
        f"{devices[1]}! ({name}: move them with .to('{devices[0]}'))"
    )


def leaf_in_place(name: str) -> RuntimeError:
    """For an in-place change of a leaf that requires grad."""
    return RuntimeError(
        f"a leaf Variable that requires grad is being used in an in-place operation. ({name}: "
        f"wrap the change in "
        "no_grad(), or use the out-of-place form)"
    )


def leaf_view_in_place(name: str) -> RuntimeError:
    """For an in-place change of a view of a leaf that requires grad."""
    return RuntimeError(
        f"a view of a leaf Variable that requires grad is being used in an in-place operation. "
        f"({name}: wrap the "
        "change in no_grad(), or use the out-of-place form)"
    )


def forbidden_view(node, creation: str, changed: str) -> RuntimeError:
    """For an in-place change of a view, or of its base (`changed`: which), where autograd cannot
    tell what is meant.
    """
    recorded = node is not None and node.leaf is None
    origin = f"Output {node.output_nr} of {_forward_name(node)} is a view" if recorded else ""
    if creation in ("no_grad", "inference") or not recorded:
        inferred = creation == "inference"
        mode = "inference" if inferred else "no_grad"
        where = "in normal mode" if inferred else "with grad mode enabled"
        made = f"{origin} of a view which" if recorded else "A view"
        text = f"{made} was created in {mode} mode and {changed} modified inplace {where}."
    else:
        text = f"{origin} and {changed} modified inplace."
    if creation == "multi":
        return RuntimeError(
            f"{text} This view is the output of a function that returns multiple views. Such "
            "functions do not allow the output views to be modified inplace. You should replace "
            "the inplace operation by an out-of-place one."
        )
    if creation == "function":
        return RuntimeError(
            f"{text} This view was created inside a custom Function (or because an input was "
            "returned as-is) and the autograd logic to handle view+inplace would override the "
            "custom backward associated with the custom Function, leading to incorrect gradients. "
            "This behavior is forbidden. You can fix this by cloning the output of the custom "
            "Function."
        )
    block = "inference_mode" if creation == "inference" else "no_grad"
    return RuntimeError(
        f"{text} Given that this use case is ambiguous and error-prone, it is forbidden. You can "
        f"clarify your code by moving both the view and the inplace either both inside the {block} "
        "block (if you don't want the inplace to be tracked) or both outside (if you want the "
        "inplace to be tracked)."
    )


def _forward_name(node) -> str:
    name, _, number = node.function.name().partition("Backward")
    return name if number == "0" else name + number


def inference_in_place() -> RuntimeError:
    """For an in-place change of an inference tensor in normal mode."""
    return RuntimeError(
        "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a "
        "clone to get a normal tensor before doing inplace update.See "
        "https://github.com/pytorch/rfcs/pull/17 for more details."
    )


def inference_saved() -> RuntimeError:
    """For an inference tensor that a derivative needs."""
    return RuntimeError(
        "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
        "inference mode in computation tracked by autograd. To work around this, you can make a "
        "clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
        "`torch.inference_mode()`."
    )


def backward_twice(node) -> RuntimeError:
    """For a graph whose saved tensors are gone."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already "
        "been freed). Saved intermediate values of the graph are freed when you call .backward() "
        "or autograd.grad(). "
        "Specify retain_graph=True if you need to backward through the graph a second time or if "
        "you need to access "
        f"saved tensors after calling backward. (at {node.name()})"
    )


def modified_in_place(node, spec, version: int, expected: int, source) -> RuntimeError:
    """For a saved tensor that has changed since."""
    type_name = ("torch.cuda." if spec.device.type == "cuda" else "torch.") + spec.dtype.type_name
    origin = (
        f", which is output {source.output_nr} of {_forward_name(source)},"
        if source is not None
        else ""
    )
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        "operation: "
        f"[{type_name} {list(spec.shape)}]{origin} is at version {version}; expected version "
        f"{expected} instead. "
        f"Hint: {node.name()} saved it; enable anomaly detection to find the operation that "
        f"failed to compute its "
        "gradient, with torch.autograd.set_detect_anomaly(True), or change a clone()."
    )


def no_kernel(op: str, device, module: str) -> RuntimeError:
    """For an op without a kernel on a device; says which function was looked for."""
    return RuntimeError(
        f"{op} has no kernel for device type '{device.type}': expected a function {op} in {module}"
    )


def no_derivative(op: str, module: str) -> RuntimeError:
    """For an op that is asked for a derivative that it lacks."""
    return RuntimeError(
        f"derivative for {op} is not implemented: expected an entry of `vjp` at {op} in {module}"
    )


def partial_overlap(name: str) -> RuntimeError:
    """For an in-place op whose input and output share some elements."""
    return RuntimeError(
        f"unsupported operation: some elements of the input tensor and the written-to tensor "
        f"refer to a single memory "
        f"location. Please clone() the tensor before performing the operation. ({name})"
    )


def internal_overlap(name: str) -> RuntimeError:
    """For writing to a tensor that reaches some elements twice (an expanded one)."""
    return RuntimeError(
        "unsupported operation: more than one element of the written-to tensor refers to a single "
        "memory location. "
        f"Please clone() the tensor before performing the operation. ({name})"
    )
