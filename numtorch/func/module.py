"""Modules as functions of their parameters."""

from ..core.tensor import Tensor
from ..nn.modules.batchnorm import _BatchNorm
from ..ops.join import stack


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Call a module with other parameters and buffers, which it does not keep.

    `parameter_and_buffer_dicts`: tensors by name, or a sequence of such dicts. Parameters that are
    tied in the module stay tied (`tie_weights`). With `strict` all names must be given, and no
    others. Raises RuntimeError for names that do not exist (strict), ValueError where two dicts
    share a name.
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        if not isinstance(given, (list, tuple)) or not all(isinstance(d, dict) for d in given):
            raise ValueError(
                "Expected all elements of parameter_and_buffer_dicts to be dictionaries"
            )
        names = [k for d in given for k in d]
        repeated = sorted({k for k in names if names.count(k) > 1})
        if repeated:
            raise ValueError(
                f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
                "ambiguous"
            )
        given = {k: v for d in given for k, v in d.items()}
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with swapped(module, given, tie_weights, strict):
        return module(*args, **(kwargs or {}))


class swapped:  # noqa: N801 (used like a function)
    """While the block runs, a module's tensors of these names are others."""

    def __init__(self, module, tensors: dict, tie_weights: bool = True, strict: bool = False):
        own = dict(module.named_parameters(remove_duplicate=False))
        own.update(module.named_buffers(remove_duplicate=False))
        if strict:
            missing, unexpected = sorted(own.keys() - tensors), sorted(tensors.keys() - own)
            if missing or unexpected:
                raise RuntimeError(
                    f"Error(s) in loading state_dict: missing keys {missing}, unexpected keys "
                    f"{unexpected}"
                )
        self.places = []
        wanted = dict(tensors)
        if tie_weights:
            for name, value in tensors.items():
                for other, t in own.items():
                    if name in own and t is own[name] and other not in tensors:
                        wanted[other] = value
        for name, value in wanted.items():
            if not isinstance(value, (Tensor, type(None))):
                raise TypeError(f"{value} is not an instance of torch.Tensor")
            path, _, last = name.rpartition(".")
            owner = module.get_submodule(path) if path else module
            for table in (owner._parameters, owner._buffers):
                if last in table:
                    self.places.append((table, last, value))
                    break
            else:
                raise AttributeError(f"{type(owner).__name__} has no attribute `{last}`")

    def __enter__(self):
        self.before = [table[name] for table, name, _ in self.places]
        for table, name, value in self.places:
            table[name] = value

    def __exit__(self, *exc) -> None:
        for (table, name, _), value in zip(self.places, self.before, strict=True):
            table[name] = value


def stack_module_state(models):
    """(parameters, buffers) of modules of one class, stacked along a new first dimension: what
    `vmap` over an ensemble needs.

    The stacked parameters are new leaves. Raises RuntimeError for an empty list, or modules of
    several classes, or some in training and others in evaluation mode.
    """
    models = list(models)
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if not (all(m.training for m in models) or all(not m.training for m in models)):
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if not all(type(m) is type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = {
        name: _stacked(t, [dict(m.named_parameters())[name] for m in models])
        for name, t in models[0].named_parameters()
    }
    buffers = {
        name: stack([dict(m.named_buffers())[name] for m in models]).detach()
        for name, _ in models[0].named_buffers()
    }
    return parameters, buffers


def _stacked(first, tensors):
    needs = first.requires_grad
    if any(t.requires_grad != needs for t in tensors):
        raise RuntimeError(
            "Expected tensors to have the same requires_grad value, so that they can be stacked"
        )
    return stack([t.detach() for t in tensors]).requires_grad_(needs)


def replace_all_batch_norm_modules_(root):
    """Let all batch norms of a module forget their running statistics, which `vmap` cannot change
    in place. Gives the module.
    """
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
