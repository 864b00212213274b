"""Optimizer updates: each a single pass over a parameter and its state, writing all of them.

Scalars that change between steps (the learning rate, bias corrections) are operands: no new kernel,
and a captured step may change them. Weight decay, momentum and so on are arithmetic on operands;
zeros cost nothing beside the memory. Sources: SGD as in torch.optim.SGD's documentation (Sutskever
et al. 2013 for Nesterov); Adam, Kingma and Ba 2014; AdamW, Loshchilov and Hutter 2017; AMSGrad,
Reddi et al. 2018.
"""

from ...core import generate
from .define import Pointwise


def update_op(name, parameters, outputs, doc):
    """An op of the operands `parameters` that computes several outputs in one pass."""
    return Pointwise(
        name,
        parameters.split(),
        outputs,
        "arith",
        {},
        compute=lambda specs: specs[0].dtype,
        doc=doc,
    )


# The sign (maximize) and weight decay; 0 * inf must not make NaN.
GRADIENT = "(where(d != 0, c * b + d * a, c * b))"
sgd_op = update_op(
    "sgd_update", "param grad sign weight_decay lr", f"a - e * {GRADIENT}", "param - lr * gradient."
)
sgd_first_op = update_op(
    "sgd_first_update",
    "param grad sign weight_decay lr momentum_buffer step",
    (f"a - e * (g * {GRADIENT})", GRADIENT),
    "The first step with momentum: the buffer starts as the gradient.",
)
_BUFFER = f"(g * f + h * {GRADIENT})"
sgd_momentum_op = update_op(
    "sgd_momentum_update",
    "param grad sign weight_decay lr momentum_buffer momentum keep",
    (f"a - e * {_BUFFER}", _BUFFER),
    "buffer = momentum * buffer + (1 - dampening) * gradient; param - lr * buffer.",
)
sgd_nesterov_op = update_op(
    "sgd_nesterov_update",
    "param grad sign weight_decay lr momentum_buffer momentum keep",
    (f"a - e * ({GRADIENT} + g * {_BUFFER})", _BUFFER),
    "As sgd_momentum, with Nesterov's look ahead.",
)
_M = f"(e + g * ({GRADIENT} - e))"
_V = f"(h * f + m * ({GRADIENT} * {GRADIENT}))"
# rate1 = 1 - beta1 and rate2 = 1 - beta2 come as operands: in float32, 1 - 0.999 would be off by
# 1e-5
_ADAM = (
    "param grad sign weight_decay exp_avg exp_avg_sq rate1 beta2 step_size root_correction eps "
    "shrink rate2"
)
adam_op = update_op(
    "adam_update",
    _ADAM,
    (f"a * l - i * ({_M} / (sqrt({_V}) / j + k))", _M, _V),
    "One step of Adam; `shrink` is AdamW's decoupled weight decay, 1 - lr * weight_decay.",
)
amsgrad_op = update_op(
    "amsgrad_update",
    f"{_ADAM} max_exp_avg_sq",
    (f"a * l - i * ({_M} / (sqrt(maximum(n, {_V})) / j + k))", _M, _V, f"maximum(n, {_V})"),
    "One step of Adam with the largest second moment so far.",
)


def run(op: Pointwise, operands: tuple, written: tuple[int, ...]) -> None:
    """Run an update in place: its outputs are the operands at the positions `written`; floats are
    the other operands that are no tensors. Not recorded by autograd.
    """
    function = _functions.get((op, written))
    if function is None:
        function = _functions[op, written] = generate.update_function(op, operands, written)
    function(*operands)


_functions: dict = {}
