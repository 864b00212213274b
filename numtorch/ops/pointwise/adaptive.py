"""The updates of the less common optimizers, each written once in methods that Tensors share with
the Symbols of expressions.

Called with Symbols a formula gives the expressions of one fused kernel, which writes the parameter
and all of its state in a single pass; called with Tensors it is recorded by autograd
(`differentiable=True`). Sources: RMSprop, Tieleman and Hinton 2012, centered as in Graves 2013;
Adagrad, Duchi et al. 2011; Adadelta, Zeiler 2012; Adamax, Kingma and Ba 2014; NAdam, Dozat 2016;
RAdam, Liu et al. 2019; ASGD, Polyak and Juditsky 1992; Rprop, Riedmiller and Braun 1993.
"""

import string

from ...core.tensor import Tensor
from . import update
from .define import Symbol


class Update:
    """One optimizer's step as a kernel, made of `formula(param, gradient, numbers and state ...)`.

    The formula gives the new parameter and the new values of the parameters named in `state`. The
    gradient comes with its sign (maximize) and weight decay.
    """

    def __init__(self, formula, state: str, decays: bool = True) -> None:
        code = formula.__code__
        names = code.co_varnames[2 : code.co_argcount]
        operands = ("param", "grad", "sign", "weight_decay", *names)
        letters = [Symbol(letter) for letter in string.ascii_letters[: len(operands)]]
        gradient = update.GRADIENT if decays else "(c * b)"
        results = formula(letters[0], Symbol(gradient), *letters[4:])
        self.formula = formula
        self.written = (0, *(operands.index(name) for name in state.split()))
        self.op = update.update_op(
            f"{formula.__name__}_update",
            " ".join(operands),
            tuple(result.text for result in results),
            formula.__doc__,
        )

    def run(self, param, grad, sign: float, weight_decay: float, *rest) -> None:
        """Change the parameter and its state, in one pass."""
        update.run(self.op, (param, grad, sign, weight_decay, *rest), self.written)

    def record(self, param, grad, sign: float, weight_decay: float, *rest) -> None:
        """The same in operators that autograd records."""
        gradient = -grad if sign < 0 else grad
        if weight_decay != 0:
            gradient = gradient.add(param, alpha=weight_decay)
        # what derivatives save must not be what is written to; numbers have methods as Tensors
        values = [t.clone() if isinstance(t, Tensor) else param.new_full((), t) for t in rest]
        results = self.formula(param, gradient, *values)
        for at, result in zip(self.written, results, strict=True):
            (param, grad, sign, weight_decay, *rest)[at].copy_(result)


def rmsprop(param, g, lr, alpha, rate, eps, square_avg):
    """param - lr * g / (root of the mean square + eps)."""
    square = square_avg * alpha + g * g * rate
    return param - (g / (square.sqrt() + eps)) * lr, square


def rmsprop_momentum(param, g, lr, alpha, rate, eps, momentum, square_avg, momentum_buffer):
    """As rmsprop, with momentum."""
    square = square_avg * alpha + g * g * rate
    buffer = momentum_buffer * momentum + g / (square.sqrt() + eps)
    return param - buffer * lr, square, buffer


def rmsprop_centered(param, g, lr, alpha, rate, eps, square_avg, grad_avg):
    """As rmsprop, with the standard deviation in place of the root of the mean square."""
    square = square_avg * alpha + g * g * rate
    mean = grad_avg + (g - grad_avg) * rate
    return param - (g / ((square - mean * mean).sqrt() + eps)) * lr, square, mean


def rmsprop_centered_momentum(
    param, g, lr, alpha, rate, eps, momentum, square_avg, momentum_buffer, grad_avg
):
    """As rmsprop_centered, with momentum."""
    square = square_avg * alpha + g * g * rate
    mean = grad_avg + (g - grad_avg) * rate
    buffer = momentum_buffer * momentum + g / ((square - mean * mean).sqrt() + eps)
    return param - buffer * lr, square, buffer, mean


def adagrad(param, g, lr, eps, sum):
    """param - lr * g / (root of the sum of squares + eps)."""
    total = sum + g * g
    return param - (g / (total.sqrt() + eps)) * lr, total


def adadelta(param, g, lr, rho, rate, eps, square_avg, acc_delta):
    """The step is the gradient, scaled by the sizes of the steps so far over those of gradients."""
    square = square_avg * rho + g * g * rate
    delta = (acc_delta + eps).sqrt() / (square + eps).sqrt() * g
    return param - delta * lr, square, acc_delta * rho + delta * delta * rate


def adamax(param, g, step_size, rate1, beta2, eps, exp_avg, exp_inf):
    """Adam with the largest recent gradient in place of the second moment."""
    mean = exp_avg + (g - exp_avg) * rate1
    largest = (exp_inf * beta2).maximum(g.maximum(-g) + eps)
    return param - (mean / largest) * step_size, mean, largest


def nadam(
    param, g, shrink, grad_step, mean_step, rate1, beta2, rate2, correction, eps, exp_avg,
    exp_avg_sq,
):  # fmt: skip
    """Adam with Nesterov's look ahead."""
    mean = exp_avg + (g - exp_avg) * rate1
    square = exp_avg_sq * beta2 + g * g * rate2
    scale = (square / correction).sqrt() + eps
    return param * shrink - (g / scale) * grad_step - (mean / scale) * mean_step, mean, square


def radam(param, g, shrink, step_size, rate1, beta2, rate2, eps, exp_avg, exp_avg_sq):
    """Adam with the variance of its rate rectified."""
    mean = exp_avg + (g - exp_avg) * rate1
    square = exp_avg_sq * beta2 + g * g * rate2
    return param * shrink - (mean / (square.sqrt() + eps)) * step_size, mean, square


def radam_first(param, g, shrink, step_size, rate1, beta2, rate2, exp_avg, exp_avg_sq):
    """The first steps of radam, before the second moment can be trusted."""
    mean = exp_avg + (g - exp_avg) * rate1
    return param * shrink - mean * step_size, mean, exp_avg_sq * beta2 + g * g * rate2


def asgd(param, g, shrink, eta, mu, keep, ax):
    """A step of gradient descent, and the running mean of the parameter."""
    moved = param * shrink - g * eta
    return moved, ax * keep + moved * mu


def rprop(param, g, eta_minus, eta_plus, smallest, largest, prev, step_size):
    """Steps that grow while the sign of the gradient stays, and shrink when it changes."""
    agreement = g * prev
    factor = eta_plus.where(agreement > 0, eta_minus.where(agreement < 0, 1))
    size = (step_size * factor).maximum(smallest).minimum(largest)
    gradient = g.where(~(agreement < 0), 0)
    return param - gradient.sign() * size, gradient, size


RMSPROP = {  # by (centered, momentum)
    (False, False): Update(rmsprop, "square_avg"),
    (False, True): Update(rmsprop_momentum, "square_avg momentum_buffer"),
    (True, False): Update(rmsprop_centered, "square_avg grad_avg"),
    (True, True): Update(rmsprop_centered_momentum, "square_avg momentum_buffer grad_avg"),
}
ADAGRAD = Update(adagrad, "sum")
ADADELTA = Update(adadelta, "square_avg acc_delta")
ADAMAX = Update(adamax, "exp_avg exp_inf")
NADAM = Update(nadam, "exp_avg exp_avg_sq")
RADAM = Update(radam, "exp_avg exp_avg_sq")
RADAM_FIRST = Update(radam_first, "exp_avg exp_avg_sq")
ASGD = Update(asgd, "ax")
RPROP = Update(rprop, "prev step_size", decays=False)
