"""`backward` and `grad`: checks of their arguments, then the engine."""

import warnings

from ..core.inplace import new_output
from ..core.tape import Unrecorded
from ..core.tensor import Tensor
from ..ops.create import ones_like, zeros_like
from . import engine
from .edges import GradientEdge
from .vmap import vmap


def _tuple(value) -> tuple:
    one = isinstance(value, (Tensor, GradientEdge)) or value is None
    return (value,) if one else tuple(value)


def _node(t):
    """The node that a tensor's, or an edge's, gradient comes to; None for no node."""
    if isinstance(t, GradientEdge):
        node, op = t.node, t.node.op
        if op is None:
            alone = getattr(node, "outputs", 1) == 1
        else:
            alone = op.differentiable == (0,) and not op.several
        return node if alone else new_output(node, t.output_nr)
    node = t._node
    return Unrecorded() if node.__class__ is Unrecorded else node  # one that nothing leads to


def _spec(t):
    return t._spec if isinstance(t, Tensor) else t.spec


def _cotangent(t, g, index: int, batched: bool):
    """The gradient to start from: given, or 1 for a tensor with one element."""
    spec = _spec(t)
    if g is None:
        if spec is None or spec.numel != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if not spec.dtype.is_floating_point:
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {spec.dtype}"
            )
        return ones_like(t if isinstance(t, Tensor) else t.like())
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if spec is None:
        return g
    given = g._spec
    shape = given.shape[1:] if batched else given.shape
    if shape != spec.shape:
        found = (
            f"grad_output[{index}] has a shape of {given.shape} and output[{index}] has a shape of "
            f"{spec.shape}."
        )
        if batched:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output "
                "as the batch dimension. The sizes of the remaining dimensions are expected to "
                f"match the shape of corresponding output, but a mismatch was detected: {found} "
                "If you only want some tensors in `grad_output` to be considered batched, consider "
                "using vmap."
            )
        raise RuntimeError(f"Mismatch in shape: {found}")
    if given.device is not spec.device:
        raise RuntimeError(
            f"Expected all tensors to be on the same device: grad_output[{index}] is on "
            f"{given.device}, output[{index}] on {spec.device}"
        )
    return g if given.dtype is spec.dtype else g.to(spec.dtype)


def _roots(tensors, gradients, batched: bool = False):
    if len(tensors) != len(gradients):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(gradients)} gradients")
    nodes, starts = [], []
    for i, (t, g) in enumerate(zip(tensors, gradients, strict=True)):
        if not isinstance(t, (Tensor, GradientEdge)):
            raise AssertionError(
                f"Expected output to be a torch.Tensor (element {i} is of type {type(t).__name__})"
            )
        node = _node(t)
        if node is None or node.__class__ is Unrecorded:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        nodes.append(node)
        starts.append(_cotangent(t, g, i, batched))
    return nodes, starts


def _check_input(t) -> None:
    if not isinstance(t, (Tensor, GradientEdge)):
        raise RuntimeError(
            f"all inputs have to be Tensors or GradientEdges, but got {type(t).__name__}"
        )


def backward(
    tensors,
    grad_tensors=None,
    retain_graph=None,
    create_graph=False,
    grad_variables=None,
    inputs=None,
):
    """Add the gradients of `tensors` to the `.grad` of the leaves; with `inputs`, to that of these
    only, which may be other tensors than leaves.

    `tensors`, `inputs`: a Tensor or a GradientEdge, or several. `grad_tensors`: for each tensor the
    gradient of the final quantity; None for tensors with one element.
    """
    if grad_variables is not None:
        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.",
            FutureWarning,
            stacklevel=2,
        )
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                "`backward()`. Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    tensors = _tuple(tensors)
    given = _tuple(grad_tensors) if grad_tensors is not None else (None,) * len(tensors)
    wanted = None
    if inputs is not None:
        inputs = _tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        for t in inputs:
            _check_input(t)
            if isinstance(t, Tensor):
                t.retain_grad()
        wanted = [_node(t) for t in inputs]
    nodes, starts = _roots(tensors, given)
    if create_graph:
        warnings.warn(
            "Using backward() with create_graph=True will create a reference cycle between the "
            "parameter and its gradient which can cause a memory leak. We recommend using "
            "autograd.grad when creating the graph to avoid this. If you have to use this "
            "function, make sure to reset the .grad fields of your parameters to None after use to "
            "break the cycle and avoid the leak.",
            stacklevel=3,
        )
    keep = create_graph if retain_graph is None else retain_graph
    engine.run(nodes, starts, keep, create_graph, wanted)


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

    Both may be a Tensor or a GradientEdge, or several. With `is_grads_batched`, the first dimension
    of each of `grad_outputs` counts cotangents, and that of each result their gradients.

    Raises RuntimeError for inputs that the outputs do not depend on, unless `allow_unused` (then
    None) or `materialize_grads` (then zeros).
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but "
            "got: allow_unused=False."
        )
    outputs, inputs = _tuple(outputs), _tuple(inputs)
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradient for other parts of the graph, please use "
            "torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    allow_unused = materialize_grads if allow_unused is None else allow_unused
    given = _tuple(grad_outputs) if grad_outputs is not None else (None,) * len(outputs)
    nodes, starts = _roots(outputs, given, is_grads_batched)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    wanted = []
    for t in inputs:
        _check_input(t)
        wanted.append(_node(t))
        if wanted[-1] is None:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    keep = create_graph if retain_graph is None else retain_graph
    if is_grads_batched:
        found = _batched(nodes, starts, keep, create_graph, wanted)
    else:
        found = engine.run(nodes, starts, keep, create_graph, wanted, accumulate=False)
    for i, (t, g) in enumerate(zip(inputs, found, strict=True)):
        if g is None and not allow_unused:
            shape = "" if _spec(t) is None else f" (it has shape {list(_spec(t).shape)})"
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the "
                f"graph. Set allow_unused=True if this is the desired behavior.{shape}"
            )
    if materialize_grads:
        found = [
            zeros_like(t if isinstance(t, Tensor) else t.like()) if g is None else g
            for t, g in zip(inputs, found, strict=True)
        ]
    return tuple(found)


def _batched(nodes, starts, retain_graph, create_graph, wanted) -> list:
    """One backward pass for all cotangents at once."""
    places: list = []

    def one(*row):
        found = engine.run(nodes, row, retain_graph, create_graph, wanted, accumulate=False)
        places.extend(i for i, g in enumerate(found) if g is not None)
        return tuple(found[i] for i in places)

    found: list = [None] * len(wanted)
    for i, g in zip(places, vmap(one)(*starts), strict=True):
        found[i] = g
    return found
