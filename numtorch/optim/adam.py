"""Adam and its variant with decoupled weight decay: `Adam`, `AdamW`."""

import math

from ..ops.create import zeros_like
from ..ops.pointwise import update
from ..tensors import Tensor
from .counted import CountingOptimizer
from .options import check, check_fused, decays, number, options_of

__all__ = ["Adam", "AdamW"]


class Adam(CountingOptimizer):
    """Steps scaled by running means of the gradient and its square (Kingma and Ba, 2014).

    p -= lr * m / (sqrt(v) + eps), with the means m and v corrected for their start at 0. `amsgrad`
    uses the largest v so far (Reddi et al., 2018). `foreach`, `capturable` and `fused` choose
    implementations in torch; here every step is one fused pass.
    """

    _added_later = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

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
        options = options_of(locals())
        check_scalar("lr", lr, options)
        check(options, "lr eps betas weight_decay")
        kinds = {Tensor if isinstance(beta, Tensor) else type(beta) for beta in betas[:2]}
        if kinds not in ({float}, {Tensor}):
            raise ValueError("betas must be either both floats or both Tensors")
        for i in (0, 1):
            check_scalar(f"betas[{i}]", betas[i], options)
        check_fused(options)
        options["betas"] = tuple(b.squeeze() if isinstance(b, Tensor) else b for b in betas)
        super().__init__(params, options)

    def _start(self, param, group):
        names = ["exp_avg", "exp_avg_sq"] + ["max_exp_avg_sq"] * group["amsgrad"]
        return {name: zeros_like(param) for name in names}

    def _update_group(self, group):
        lr, eps = float(group["lr"]), float(group["eps"])
        beta1, beta2 = map(float, group["betas"])
        sign = -1.0 if group["maximize"] else 1.0
        decay, shrink = decays(group, lr)
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            state = self._counted(param, group)
            if group["differentiable"]:
                record_update(param, grad, state, group)
                continue
            steps = state["step"].item()
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


def check_scalar(name, value, options):
    """An option given as a tensor must have one element, and needs torch's capturable foreach."""
    if isinstance(value, Tensor):
        if options["foreach"] and not options["capturable"]:
            raise ValueError(
                f"{name} as a Tensor is not supported for capturable=False and foreach=True"
            )
        if value.numel() != 1:
            raise ValueError(f"Tensor {name} must be 1-element")
