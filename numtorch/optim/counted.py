"""What the optimizers of adaptive.py share: options, a counter for each parameter, the step."""

from ..core.dtype import float32, float64, get_default_dtype
from ..ops.create import tensor
from ..tensors import Tensor
from .optimizer import Optimizer


class CountingOptimizer(Optimizer):
    """A subclass gives `_start(param, group)`, the state of a parameter's first step, and
    `_arguments(param, state, group, steps)`, the update and its numbers and state.
    """

    added_later: dict = {}  # options that old checkpoints do not have
    counters = ("step",)  # state that torch keeps as 0-d tensors
    counts_on_device = False

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self.added_later.items():
                group.setdefault(name, value)
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

    def _update_group(self, group):
        sign = -1.0 if group["maximize"] else 1.0
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self.state[param]
            if not state:
                state["step"] = self._scalar(param, group, 0.0)
                state.update(self._start(param, group))
            state["step"] += 1
            update, decay, *rest = self._arguments(param, state, group, state["step"].item())
            act = update.record if group["differentiable"] else update.run
            act(param, grad, sign, decay, *rest)

    def _start(self, param, group) -> dict:
        raise NotImplementedError(f"{type(self).__name__} does not define _start()")

    def _arguments(self, param, state, group, steps) -> tuple:
        raise NotImplementedError(f"{type(self).__name__} does not define _arguments()")


def check_rate(lr):
    """The learning rate is a number, or a tensor of one element, that is not negative."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_not_negative(**options):
    """Options that are not negative, by the words that torch calls them."""
    for words, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {words.replace('__', ' ')}: {value}")


def check_betas(betas):
    """Two numbers in [0, 1)."""
    for i in (0, 1):
        if not 0.0 <= betas[i] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")


def decays(group, lr):
    """(weight decay of the gradient, factor of the parameter) of an Adam-like group."""
    decay = float(group["weight_decay"])
    return (0.0, 1.0 - lr * decay) if group["decoupled_weight_decay"] else (decay, 1.0)
