"""Optimizers with a rate for each element: `RMSprop`, `Adagrad`, `Adadelta`, `Adamax`, `NAdam`,
`RAdam`, `Rprop`; and averaged gradient descent, `ASGD`.

Every step is one fused pass over a parameter and its state. `foreach`, `capturable` and `fused`
choose implementations in torch; here they change nothing but where the counter of steps lies.
"""

import math

from ..ops.create import full_like, zeros_like
from ..ops.pointwise import adaptive
from .counted import CountingOptimizer
from .options import check, check_fused, decays, number, options_of

__all__ = ["ASGD", "Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "RMSprop", "Rprop"]

LATER = {"foreach": None, "maximize": False, "differentiable": False, "capturable": False}


class RMSprop(CountingOptimizer):
    """Steps scaled by a running root mean square of the gradient (Tieleman and Hinton, 2012).

    v = alpha * v + (1 - alpha) * grad^2; p -= lr * grad / (sqrt(v) + eps). `centered` subtracts the
    square of the mean gradient from v (Graves, 2013).
    """

    _added_later = {**LATER, "momentum": 0, "centered": False}

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0,
        momentum=0,
        centered=False,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        options = options_of(locals())
        check(options, "lr eps momentum weight_decay alpha")
        super().__init__(params, options)

    def _start(self, param, group):
        names = ["square_avg"]
        names += ["momentum_buffer"] * (group["momentum"] > 0) + ["grad_avg"] * group["centered"]
        return {name: zeros_like(param) for name in names}

    def _arguments(self, param, state, group, steps):
        centered, momentum = bool(group["centered"]), float(group["momentum"])
        alpha = float(group["alpha"])
        numbers = [float(group["lr"]), alpha, 1.0 - alpha, float(group["eps"])]
        memory = [state["square_avg"]]
        if momentum > 0:
            numbers.append(momentum)
            memory.append(state["momentum_buffer"])
        if centered:
            memory.append(state["grad_avg"])
        update = adaptive.RMSPROP[centered, momentum > 0]
        return update, float(group["weight_decay"]), *numbers, *memory


class Adagrad(CountingOptimizer):
    """Steps scaled by the root of the sum of squared gradients (Duchi et al., 2011).

    s += grad^2; p -= lr / (1 + t * lr_decay) * grad / (sqrt(s) + eps), where t counts from 0.
    """

    _added_later = {"foreach": None, "maximize": False, "differentiable": False, "fused": None}

    def __init__(
        self,
        params,
        lr=1e-2,
        lr_decay=0,
        weight_decay=0,
        initial_accumulator_value=0,
        eps=1e-10,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        fused=None,
    ):
        options = options_of(locals())
        check(options, "lr lr_decay weight_decay initial_accumulator_value eps")
        super().__init__(params, options)
        check_fused(options)
        for group in self.param_groups:
            for param in group["params"]:
                self.state[param].update(
                    step=self._scalar(param, group, 0.0), **self._start(param, group)
                )

    def _start(self, param, group):
        return {"sum": full_like(param, self.defaults["initial_accumulator_value"])}

    def _arguments(self, param, state, group, steps):
        lr = float(group["lr"]) / (1.0 + (steps - 1.0) * group["lr_decay"])
        decay, eps = float(group["weight_decay"]), float(group["eps"])
        return adaptive.ADAGRAD, decay, lr, eps, state["sum"]


class Adadelta(CountingOptimizer):
    """Steps in the units of the parameter, from running means of squares (Zeiler, 2012).

    p -= lr * grad * sqrt(mean square of steps + eps) / sqrt(mean square of gradients + eps).
    """

    _added_later = LATER

    def __init__(
        self,
        params,
        lr=1.0,
        rho=0.9,
        eps=1e-6,
        weight_decay=0,
        foreach=None,
        *,
        capturable=False,
        maximize=False,
        differentiable=False,
    ):
        options = options_of(locals())
        check(options, "lr")
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check(options, "eps weight_decay")
        super().__init__(params, options)

    def _start(self, param, group):
        return {"square_avg": zeros_like(param), "acc_delta": zeros_like(param)}

    def _arguments(self, param, state, group, steps):
        rho = float(group["rho"])
        numbers = float(group["lr"]), rho, 1.0 - rho, float(group["eps"])
        decay = float(group["weight_decay"])
        return adaptive.ADADELTA, decay, *numbers, state["square_avg"], state["acc_delta"]


class Adamax(CountingOptimizer):
    """Adam with the largest recent gradient in place of the second moment (Kingma and Ba, 2014).

    u = max(beta2 * u, |grad| + eps); p -= lr / (1 - beta1^t) * m / u.
    """

    _added_later = LATER

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        foreach=None,
        *,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        options = options_of(locals())
        check(options, "lr eps betas weight_decay")
        super().__init__(params, options)

    def _start(self, param, group):
        return {"exp_avg": zeros_like(param), "exp_inf": zeros_like(param)}

    def _arguments(self, param, state, group, steps):
        beta1, beta2 = map(float, group["betas"])
        step_size = float(group["lr"]) / (1.0 - beta1**steps)
        numbers = step_size, 1.0 - beta1, beta2, float(group["eps"])
        decay = float(group["weight_decay"])
        return adaptive.ADAMAX, decay, *numbers, state["exp_avg"], state["exp_inf"]


class NAdam(CountingOptimizer):
    """Adam with Nesterov's momentum, on a schedule of its own (Dozat, 2016).

    p -= lr * ((1 - mu) / (1 - product of mu) * grad + mu' / (1 - product * mu') * m) / (sqrt(v) +
    eps), where mu = beta1 * (1 - 0.96^(t * momentum_decay) / 2), and mu' is that of the next step.
    """

    _added_later = {**LATER, "decoupled_weight_decay": False}
    counters = ("step", "mu_product")

    def __init__(
        self,
        params,
        lr=2e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        momentum_decay=4e-3,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        options = options_of(locals())
        check(options, "lr eps betas weight_decay momentum_decay")
        super().__init__(params, options)

    def _start(self, param, group):
        return {
            "mu_product": self._scalar(param, group, 1.0),
            "exp_avg": zeros_like(param),
            "exp_avg_sq": zeros_like(param),
        }

    def _arguments(self, param, state, group, steps):
        lr, decline = float(group["lr"]), float(group["momentum_decay"])
        beta1, beta2 = map(float, group["betas"])
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (steps * decline))
        following = beta1 * (1.0 - 0.5 * 0.96 ** ((steps + 1.0) * decline))
        state["mu_product"] *= mu
        product = state["mu_product"].item()
        decay, shrink = decays(group, lr)
        numbers = (
            shrink,
            lr * (1.0 - mu) / (1.0 - product),
            lr * following / (1.0 - product * following),
            1.0 - beta1,
            beta2,
            1.0 - beta2,
            1.0 - beta2**steps,
            float(group["eps"]),
        )
        return adaptive.NADAM, decay, *numbers, state["exp_avg"], state["exp_avg_sq"]


class RAdam(CountingOptimizer):
    """Adam whose adaptive rate has its variance rectified (Liu et al., 2019).

    The first steps, in which that variance is unbounded, go by the mean gradient alone.
    """

    _added_later = {**LATER, "decoupled_weight_decay": False}

    def __init__(
        self,
        params,
        lr=1e-3,
        betas=(0.9, 0.999),
        eps=1e-8,
        weight_decay=0,
        decoupled_weight_decay=False,
        *,
        foreach=None,
        maximize=False,
        capturable=False,
        differentiable=False,
    ):
        options = options_of(locals())
        check(options, "lr eps betas weight_decay")
        super().__init__(params, options)

    def _start(self, param, group):
        return {"exp_avg": zeros_like(param), "exp_avg_sq": zeros_like(param)}

    def _arguments(self, param, state, group, steps):
        lr = float(group["lr"])
        beta1, beta2 = map(float, group["betas"])
        decay, shrink = decays(group, lr)
        step_size = lr / (1.0 - beta1**steps)
        rates = 1.0 - beta1, beta2, 1.0 - beta2
        memory = state["exp_avg"], state["exp_avg_sq"]
        # the length of the simple moving average that the second moment is worth
        limit, correction = 2.0 / (1.0 - beta2) - 1.0, 1.0 - beta2**steps
        length = limit - 2.0 * steps * beta2**steps / correction
        if length <= 5.0:
            return adaptive.RADAM_FIRST, decay, shrink, step_size, *rates, *memory
        step_size *= math.sqrt(
            correction
            * ((length - 4.0) * (length - 2.0) * limit)
            / ((limit - 4.0) * (limit - 2.0) * length)
        )
        return adaptive.RADAM, decay, shrink, step_size, *rates, float(group["eps"]), *memory


class ASGD(CountingOptimizer):
    """Gradient descent that keeps the mean of its parameters in `state[p]["ax"]` (Polyak and
    Juditsky, 1992).

    p = (1 - lambd * eta) * p - eta * grad, where eta = lr / (1 + lambd * lr * t)^alpha; the mean
    starts after t0 steps.
    """

    _added_later = LATER
    counters = ("step", "eta", "mu")
    counts_on_device = True

    def __init__(
        self,
        params,
        lr=1e-2,
        lambd=1e-4,
        alpha=0.75,
        t0=1e6,
        weight_decay=0,
        foreach=None,
        maximize=False,
        differentiable=False,
        capturable=False,
    ):
        options = options_of(locals())
        check(options, "lr weight_decay")
        super().__init__(params, options)

    def _start(self, param, group):
        return {
            "eta": self._scalar(param, group, float(group["lr"])),
            "mu": self._scalar(param, group, 1.0),
            "ax": zeros_like(param),
        }

    def _arguments(self, param, state, group, steps):
        lr, lambd = float(group["lr"]), float(group["lambd"])
        eta, mu = state["eta"].item(), state["mu"].item()
        state["eta"].fill_(lr / (1.0 + lambd * lr * steps) ** group["alpha"])
        state["mu"].fill_(1.0 / max(1.0, steps - group["t0"]))
        numbers = 1.0 - lambd * eta, eta, mu, 1.0 - mu
        return adaptive.ASGD, float(group["weight_decay"]), *numbers, state["ax"]


class Rprop(CountingOptimizer):
    """Steps by the sign of the gradient alone (Riedmiller and Braun, 1993).

    Each element has a step size, which grows by etas[1] while the sign stays and shrinks by etas[0]
    when it changes, within `step_sizes`.
    """

    _added_later = LATER

    def __init__(
        self,
        params,
        lr=1e-2,
        etas=(0.5, 1.2),
        step_sizes=(1e-6, 50),
        *,
        capturable=False,
        foreach=None,
        maximize=False,
        differentiable=False,
    ):
        options = options_of(locals())
        check(options, "lr")
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, options)

    def _start(self, param, group):
        return {"prev": zeros_like(param), "step_size": full_like(param, number(group["lr"]))}

    def _arguments(self, param, state, group, steps):
        numbers = *map(float, group["etas"]), *map(float, group["step_sizes"])
        return adaptive.RPROP, 0.0, *numbers, state["prev"], state["step_size"]
