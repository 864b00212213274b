"""Options of optimizers: from their arguments, checked as torch does."""

from ..tensors import Tensor

WORDS = {"lr": "learning rate", "eps": "epsilon value"}  # what torch calls an option in errors


def options_of(arguments):
    """The options among the `locals()` with which an optimizer's `__init__` begins: all but these.

    They become the optimizer's `defaults`, under the names that torch saves in its files.
    """
    return {
        name: value
        for name, value in arguments.items()
        if name not in ("self", "params", "__class__")
    }


def check(options, names):
    """The named options, in torch's order, are not negative; betas are two numbers in [0, 1)."""
    for name in names.split():
        value = options[name]
        if name == "betas":
            for i in (0, 1):
                if not 0.0 <= value[i] < 1.0:
                    raise ValueError(f"Invalid beta parameter at index {i}: {value[i]}")
            continue
        if name == "lr" and isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not value >= 0.0:
            raise ValueError(f"Invalid {WORDS.get(name, f'{name} value')}: {value}")


def check_fused(options):
    """The implementations that torch offers exclude each other; here all of them are the same."""
    if options["fused"] and options["differentiable"]:
        raise RuntimeError("`fused` does not support `differentiable`")
    if options["fused"] and options["foreach"]:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def number(value):
    """An option that may be given as a tensor of one element, as a Python number."""
    return value.item() if isinstance(value, Tensor) else value


def decays(group, lr):
    """(weight decay of the gradient, factor of the parameter) of an Adam-like group."""
    decay = float(group["weight_decay"])
    return (0.0, 1.0 - lr * decay) if group["decoupled_weight_decay"] else (decay, 1.0)
