"""Where backward hooks of a module take hold: gates on the tensors that enter and leave it.

A gate is an identity in the graph with all tensors of one side of the module. On the way back the
output gate learns all output gradients at once, later the input gate all input gradients.
"""

from ....autograd import Function, is_grad_enabled
from ....tensors import Tensor


class Gate(Function):
    """Identity on tensors whose gradients pass together through a callable."""

    @staticmethod
    def forward(ctx, passage, *tensors):
        ctx.passage = passage
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(t for t in tensors if not t.requires_grad))
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx, *grads):
        return (None, *ctx.passage(grads))


class BackwardHooks:
    """The full backward hooks of a module for one call."""

    def __init__(self, module, hooks, pre_hooks):
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs = None
        self.places = None  # where the gated tensors stand among the inputs
        self.inputs = 0

    def watch_inputs(self, args):
        """The arguments with the tensors among them gated."""
        self.inputs = len(args)
        args, self.places = gated(args, self._on_grad_inputs)
        return args

    def watch_outputs(self, result):
        """The result, a tensor or a tuple, with its tensors gated."""
        single = isinstance(result, Tensor)
        if not single and not isinstance(result, tuple):
            return result
        outputs = (result,) if single else result
        self.output_count = len(outputs)
        outputs, self.output_places = gated(outputs, self._on_grad_outputs)
        if single:
            return outputs[0]
        return type(result)(*outputs) if hasattr(result, "_fields") else type(result)(outputs)

    def _on_grad_outputs(self, grads):
        grads = placed(grads, self.output_places, self.output_count)
        for hook in self.pre_hooks:
            changed = hook(self.module, grads)
            if changed is not None:
                grads = as_tuple(changed)
                check_count(grads, self.output_count, "pre hook", "grad_output")
        self.grad_outputs = grads
        if self.places is None:  # no input gate will tell
            for hook in self.hooks:
                changed = hook(self.module, (None,) * self.inputs, grads)
                if changed is not None and any(g is not None for g in as_tuple(changed)):
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
            result, self.grad_outputs = grads, None
            return [result[i] for i in self.output_places]
        return [grads[i] for i in self.output_places]

    def _on_grad_inputs(self, grads):
        if self.grad_outputs is None:
            raise RuntimeError(
                "Module backward hook for grad_input is called before the grad_output one. This "
                "happens because the gradient in your nn.Module flows to the Module's input "
                "without passing through the Module's output. Make sure that the output depends "
                "on the input and that the loss is computed based on the output."
            )
        grads = placed(grads, self.places, self.inputs)
        for hook in self.hooks:
            changed = hook(self.module, grads, self.grad_outputs)
            if changed is not None:
                grads = as_tuple(changed)
                check_count(grads, self.inputs, "hook", "grad_input")
        self.grad_outputs = None
        return [grads[i] for i in self.places]


def gated(values, passage):
    """The tuple with its tensors behind one gate, and their places (None if no gate is needed)."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in places):
        return values, None
    values = list(values)
    for i, tensor in zip(places, Gate.apply(passage, *(values[i] for i in places)), strict=True):
        values[i] = tensor
    return tuple(values), places


def placed(grads, places, count):
    """The gradients at their tensors' places, None everywhere else."""
    result = [None] * count
    for i, grad in zip(places, grads, strict=True):
        result[i] = grad
    return tuple(result)


def as_tuple(value):
    """A hook's answer as a tuple."""
    return value if isinstance(value, tuple) else (value,)


def check_count(grads, expected, kind, name):
    """A hook must give as many gradients as it got."""
    if len(grads) != expected:
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of {name}, got {len(grads)}, but expected "
            f"{expected}"
        )


def hook_graph_node(module, hook, result):
    """Attach a non-full backward hook to the graph node of the first tensor of a result."""
    while not isinstance(result, Tensor):
        if isinstance(result, dict):
            result = next(value for value in result.values() if isinstance(value, Tensor))
        else:
            result = result[0]
    if result.grad_fn is not None:
        result.grad_fn.register_hook(
            lambda grad_input, grad_output: hook(module, grad_input, grad_output)
        )
