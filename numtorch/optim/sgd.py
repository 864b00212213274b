"""Stochastic gradient descent: `SGD`."""

from ..ops.create import empty_like
from ..ops.pointwise import update
from .optimizer import Optimizer
from .options import check, check_fused, number, options_of

__all__ = ["SGD"]


class SGD(Optimizer):
    """Gradient descent with momentum (Sutskever et al., 2013) or Nesterov momentum.

    p -= lr * v, where v = momentum * v + (1 - dampening) * (grad + weight_decay * p).
    `foreach` and `fused` choose implementations in torch; here every step is one fused pass.
    """

    _added_later = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params,
        lr=1e-3,
        momentum=0,
        dampening=0,
        weight_decay=0,
        nesterov=False,
        *,
        maximize=False,
        foreach=None,
        differentiable=False,
        fused=None,
    ):
        options = options_of(locals())
        check(options, "lr momentum weight_decay")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        check_fused(options)
        super().__init__(params, options)

    def step(self, closure=None):
        """Change the parameters by their gradients; returns the closure's result."""
        return self._run(closure, self._update_group)

    def _update_group(self, group):
        lr, weight_decay = float(group["lr"]), float(group["weight_decay"])
        momentum, keep = float(group["momentum"]), 1.0 - group["dampening"]
        sign = -1.0 if group["maximize"] else 1.0
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            if group["differentiable"]:
                self._record_update(param, grad, group)
                continue
            operands = (param, grad, sign, weight_decay, lr)
            if momentum == 0:
                update.run(update.sgd_op, operands, (0,))
                continue
            state = self.state[param]
            buffer = state.get("momentum_buffer")
            if buffer is None:  # starts as the gradient; Nesterov's look ahead adds it once more
                buffer = state["momentum_buffer"] = empty_like(param)
                step = 1.0 + momentum if group["nesterov"] else 1.0
                update.run(update.sgd_first_op, (*operands, buffer, step), (0, 5))
            else:
                op = update.sgd_nesterov_op if group["nesterov"] else update.sgd_momentum_op
                update.run(op, (*operands, buffer, momentum, keep), (0, 5))

    def _record_update(self, param, grad, group):
        """The same step in ops that autograd records."""
        lr, momentum = number(group["lr"]), group["momentum"]
        if group["maximize"]:
            grad = -grad
        if group["weight_decay"] != 0:
            grad = grad.add(param, alpha=number(group["weight_decay"]))
        if momentum != 0:
            state = self.state[param]
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.detach().clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad.add(buffer, alpha=momentum) if group["nesterov"] else buffer
        param.add_(grad, alpha=-lr)
