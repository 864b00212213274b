"""Adam and its variant with decoupled weight decay: `Adam`, `AdamW`."""

import math

from ..core.dtype import float32, float64, get_default_dtype
from ..ops.create import tensor, zeros_like
from ..ops.pointwise import update
from ..tensors import Tensor
from .optimizer import Optimizer, check_fused, number

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and its square (Kingma and Ba, 2014).

    p -= lr * m / (sqrt(v) + eps), with the means m and v corrected for their start at 0. `amsgrad`
    uses the largest v so far (Reddi et al., 2018). `foreach`, `capturable` and `fused` choose
    implementations in torch; here every step is one fused pass.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        amsgrad=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
        fused=None,
        decoupled_weight_decay=False,
    ):
        check_scalar("lr", lr, "lr", foreach, capturable)
        if not lr >= 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps >= 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        for i in (0, 1):
            if not 0.0 <= betas[i] < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {betas[i]}")
        if not weight_decay >= 0.0:
            raise ValueError(f"Invalid weight_decay value: {weight_decay}")
        kinds = {Tensor if isinstance(beta, Tensor) else type(beta) for beta in betas[:2]}
        if kinds not in ({float}, {Tensor}):
            raise ValueError("betas must be either both floats or both Tensors")
        for i in (0, 1):
            check_scalar(f"betas[{i}]", betas[i], f"betas[{i}]", foreach, capturable)
        check_fused(fused, foreach, differentiable)
        defaults = {
            "lr": lr,
            "betas": tuple(beta.squeeze() if isinstance(beta, Tensor) else beta for beta in betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("amsgrad", False)
            group.setdefault("maximize", False)
            group.setdefault("foreach", None)
            group.setdefault("capturable", False)
            group.setdefault("differentiable", False)
            group.setdefault("decoupled_weight_decay", False)
            group.setdefault("fused", None)
            for param in group["params"]:
                own = self.state.get(param)
                if own and not isinstance(own["step"], Tensor):  # old checkpoints hold a number
                    own["step"] = self._counter(param, group, float(own["step"]))

    def _counter(self, param, group, value):
        """The number of steps made, as the 0-d tensor that torch keeps."""
        on_device = group["capturable"] or group["fused"]
        dtype = float64 if get_default_dtype() is float64 and not group["fused"] else float32
        return tensor(value, dtype=dtype, device=param.device if on_device else "cpu")

    def _state_of(self, param, group):
        """The parameter's state, made on its first step."""
        state = self.state[param]
        if not state:
            state["step"] = self._counter(param, group, 0.0)
            state["exp_avg"] = zeros_like(param)
            state["exp_avg_sq"] = zeros_like(param)
            if group["amsgrad"]:
                state["max_exp_avg_sq"] = zeros_like(param)
        return state

    def step(self, closure=None):
        """Change the parameters by their gradients; returns the closure's result."""
        return self._run(closure, self._update_group)

    def _update_group(self, group):
        lr, eps = float(group["lr"]), float(group["eps"])
        beta1, beta2 = map(float, group["betas"])
        sign = -1.0 if group["maximize"] else 1.0
        decay, shrink = float(group["weight_decay"]), 1.0
        if group["decoupled_weight_decay"]:
            decay, shrink = 0.0, 1.0 - lr * decay
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self._state_of(param, group)
            count = state["step"]
            count += 1
            if group["differentiable"]:
                record_update(param, grad, state, group)
                continue
            steps = count.item()
            operands = (
                param,
                grad,
                sign,
                decay,
                state["exp_avg"],
                state["exp_avg_sq"],
                1.0 - beta1,
                beta2,
                lr / (1.0 - beta1**steps),
                math.sqrt(1.0 - beta2**steps),
                eps,
                shrink,
                1.0 - beta2,
            )
            if group["amsgrad"]:
                operands += (state["max_exp_avg_sq"],)
                update.run(update.amsgrad_op, operands, (0, 4, 5, 13))
            else:
                update.run(update.adam_op, operands, (0, 4, 5))


def record_update(param, grad, state, group):
    """One step in ops that autograd records."""
    lr, steps = number(group["lr"]), state["step"]
    beta1, beta2 = map(number, group["betas"])
    weight_decay = number(group["weight_decay"])
    if group["maximize"]:
        grad = -grad
    if weight_decay != 0:
        if group["decoupled_weight_decay"]:
            param.mul_(1 - lr * weight_decay)
        else:
            grad = grad.add(param, alpha=weight_decay)
    mean, square = state["exp_avg"], state["exp_avg_sq"]
    mean.lerp_(grad, 1 - beta1)
    square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    if group["amsgrad"]:
        largest = state["max_exp_avg_sq"]
        largest.copy_(largest.maximum(square))
        square = largest.clone()  # the next step changes the state that this one has saved
    correction1, correction2 = 1 - beta1 ** steps.item(), 1 - beta2 ** steps.item()
    denominator = square.sqrt() / correction2**0.5 + group["eps"]
    param.addcdiv_(mean, denominator, value=-(lr / correction1))


class AdamW(Adam):
    """Adam whose weight decay bypasses the running means (Loshchilov and Hutter, 2019).

    p -= lr * weight_decay * p, then Adam's step.
    """

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=1e-2,
        amsgrad=False,
        *,
        maximize=False,
        foreach=None,
        capturable=False,
        differentiable=False,
        fused=None,
    ):
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True


def check_scalar(name, value, shown, foreach, capturable):
    """An option given as a tensor must have one element, and needs torch's capturable foreach."""
    if isinstance(value, Tensor):
        if foreach and not capturable:
            raise ValueError(
                f"{name} as a Tensor is not supported for capturable=False and foreach=True"
            )
        if value.numel() != 1:
            raise ValueError(f"Tensor {shown} must be 1-element")
