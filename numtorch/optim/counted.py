"""What all optimizers but SGD share: a counter of steps for each parameter, and the step."""

from ..core.dtype import float32, float64, get_default_dtype
from ..ops.create import tensor
from ..tensors import Tensor
from .optimizer import Optimizer


class CountingOptimizer(Optimizer):
    """A subclass gives `_start(param, group)`, the state of a parameter's first step, and
    `_arguments(param, state, group, steps)`, the update and its numbers and state.
    """

    counters = ("step",)  # state that torch keeps as 0-d tensors
    counts_on_device = False

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for param in group["params"]:
                own = self.state.get(param) or {}
                for name in self.counters:
                    if name in own and not isinstance(own[name], Tensor):
                        own[name] = self._scalar(param, group, float(own[name]))

    def _scalar(self, param, group, value):
        """A number of the state, as the 0-d tensor that torch keeps."""
        on_device = self.counts_on_device or group.get("capturable") or group.get("fused")
        dtype = float64 if get_default_dtype() is float64 and not group.get("fused") else float32
        return tensor(value, dtype=dtype, device=param.device if on_device else "cpu")

    def step(self, closure=None):
        """Change the parameters by their gradients; returns the closure's result."""
        return self._run(closure, self._update_group)

    def _counted(self, param, group):
        """The parameter's state, made on its first step, with this step counted."""
        state = self.state[param]
        if not state:
            state["step"] = self._scalar(param, group, 0.0)
            state.update(self._start(param, group))
        state["step"] += 1
        return state

    def _update_group(self, group):
        sign = -1.0 if group["maximize"] else 1.0
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self._counted(param, group)
            update, decay, *rest = self._arguments(param, state, group, state["step"].item())
            act = update.record if group["differentiable"] else update.run
            act(param, grad, sign, decay, *rest)
