"""`backward` and `grad`: checks of their arguments, then the engine."""

import warnings

from ..core.tensor import Tensor
from ..ops.create import ones_like, zeros_like
from ..ops.join import stack
from . import engine


def _tuple(value) -> tuple:
    return (value,) if isinstance(value, Tensor) or value is None else tuple(value)


def _cotangent(t: Tensor, g, index: int):
    """The gradient to start from: given, or 1 for a tensor with one element."""
    if g is None:
        if t._spec.numel != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if not t._spec.dtype.is_floating_point:
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {t.dtype}"
            )
        return ones_like(t)
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if g._spec.shape != t._spec.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{index}] has a shape of {g._spec.shape} and "
            f"output[{index}] has a shape of {t._spec.shape}."
        )
    if g._spec.device is not t._spec.device:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: grad_output[{index}] is on "
            f"{g._spec.device}, output[{index}] on {t._spec.device}"
        )
    return g if g._spec.dtype is t._spec.dtype else g.to(t._spec.dtype)


def _roots(tensors, gradients):
    if len(tensors) != len(gradients):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    nodes, starts = [], []
    for i, (t, g) in enumerate(zip(tensors, gradients, strict=True)):
        if t._node is None:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        nodes.append(t._node)
        starts.append(_cotangent(t, g, i))
    return nodes, starts


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Add the gradients of `tensors` to the `.grad` of the leaves (or of `inputs`).

    `grad_tensors`: for each tensor the gradient of the final quantity; None for tensors with one
    element.
    """
    tensors = _tuple(tensors)
    given = _tuple(grad_tensors) if grad_tensors is not None else (None,) * len(tensors)
    if inputs is not None:
        inputs = _tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        for i, t in enumerate(inputs):
            if t._node is None:
                raise RuntimeError(
                    "One of the differentiated Tensors does not require grad "
                    f"(input {i} of backward)"
                )
    nodes, starts = _roots(tensors, given)
    retain = create_graph if retain_graph is None else retain_graph
    engine.run(
        nodes, starts, retain, create_graph, None if inputs is None else [t._node for t in inputs]
    )


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """The gradients of `outputs` with respect to `inputs`, as a tuple; `.grad` stays as it is.

    Raises RuntimeError for inputs that the outputs do not depend on, unless `allow_unused` (then
    None) or `materialize_grads` (then zeros).
    """
    outputs, inputs = _tuple(outputs), _tuple(inputs)
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradient for other parts of the graph, please use "
            "torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    if materialize_grads:
        if allow_unused is False:
            raise ValueError(
                "Expected allow_unused to be True or not passed when materialize_grads=True, but "
                "got: allow_unused=False."
            )
        allow_unused = True
    given = _tuple(grad_outputs) if grad_outputs is not None else (None,) * len(outputs)
    if is_grads_batched:
        return _batched(
            outputs, inputs, given, retain_graph, create_graph, allow_unused, materialize_grads
        )
    nodes, starts = _roots(outputs, given)
    for t in inputs:
        if t._node is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    retain = create_graph if retain_graph is None else retain_graph
    found = engine.run(
        nodes, starts, retain, create_graph, [t._node for t in inputs], accumulate=False
    )
    for i, (t, g) in enumerate(zip(inputs, found, strict=True)):
        if g is None and not allow_unused:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior. "
                f"(input {i}, of shape {list(t.shape)})"
            )
    if materialize_grads:
        found = [zeros_like(t) if g is None else g for t, g in zip(inputs, found, strict=True)]
    return tuple(found)


def _batched(outputs, inputs, given, retain_graph, create_graph, allow_unused, materialize_grads):
    """One backward pass for each index of the cotangents' first dimension, stacked."""
    n = given[0].shape[0]
    rows = [
        grad(
            outputs,
            inputs,
            [g[i] for g in given],
            i < n - 1 or retain_graph or create_graph,
            create_graph,
            allow_unused=allow_unused,
            materialize_grads=materialize_grads,
        )
        for i in range(n)
    ]
    stacked = []
    for column in zip(*rows, strict=True):
        stacked.append(None if column[0] is None else stack(column))
    return tuple(stacked)
