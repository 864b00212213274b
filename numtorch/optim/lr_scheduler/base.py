"""`LRScheduler`, the base class: sets the learning rate of every group once per call of step()."""

import types
import warnings

from ...tensors import Tensor
from ..optimizer import Optimizer

__all__ = ["LRScheduler"]

EPOCH_GIVEN = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available. Please open an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)
SEE = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
STEP_REPLACED = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
    "initialization. Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`. "
) + SEE
WRONG_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and "
    "later, you should call them in the opposite order: `optimizer.step()` before "
    "`lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping the first value "
    "of the learning rate schedule. "
) + SEE
ASK_LAST_LR = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."


def check_optimizer(optimizer):
    """A scheduler needs an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def values(optimizer, key):
    """An option of all groups; tensors are copied, for they change in place."""
    found = [group[key] for group in optimizer.param_groups]
    return [v.clone() if isinstance(v, Tensor) else v for v in found]


def assign(group, key, value):
    """Set an option of a group; a tensor keeps its place."""
    if isinstance(group[key], Tensor):
        group[key].fill_(value.squeeze() if isinstance(value, Tensor) else value)
    else:
        group[key] = value


def per_group(name, optimizer, value):
    """A value for each group: a list of as many, or one for all."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        value = [value] * count
    elif len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {count}."
        )
    return [v.clone() if isinstance(v, Tensor) else v for v in value]


def function_state(function):
    """What can be saved of a function: the attributes of a callable object, else None."""
    if function is None or isinstance(function, types.FunctionType):
        return None
    return function.__dict__.copy()


class LRScheduler:
    """Base class of schedulers: a subclass defines `get_lr()`, a list with a value per group.

    `last_epoch` counts the steps; -1 starts a new schedule.
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                lr = group["lr"]
                group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0.\n"
                    "This typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n"
                    "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
                )
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        # the optimizer notes its first step from now on
        if not hasattr(optimizer, "_watched_step"):
            optimizer._opt_called = False
            optimizer._watched_step = optimizer.__dict__.get("step")
        self._initial_step()

    def _initial_step(self):
        """Set the rates of the schedule's first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over the state of a scheduler of the same kind."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """The rates that were set last, one for each group."""
        return self._last_lr

    def get_lr(self):
        """The next rates; every scheduler defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def step(self, epoch=None):
        """Set the rates of the next epoch, or of a given one (deprecated)."""
        if self._step_count == 1:
            optimizer = self.optimizer
            if optimizer.__dict__.get("step") is not optimizer._watched_step:
                warnings.warn(STEP_REPLACED, UserWarning, stacklevel=2)
            elif not optimizer._opt_called:
                warnings.warn(WRONG_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_GIVEN, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        if epoch is None:
            self.last_epoch += 1
            compute = self.get_lr
        else:
            self.last_epoch = epoch
            compute = getattr(self, "_get_closed_form_lr", self.get_lr)
        self._set_lr(compute)

    def _set_lr(self, compute):
        """Give each group its rate from the list that `compute` returns."""
        self._get_lr_called_within_step = True
        try:
            rates = compute()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            assign(group, "lr", lr)
        self._last_lr = values(self.optimizer, "lr")

    # ------------------------------------------------------------- for the schedules that follow
    def _current(self):
        """The rates as they are."""
        return values(self.optimizer, "lr")

    def _scaled(self, factor):
        """The rates as they are, times a factor."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class Schedule(LRScheduler):
    """A scheduler of this package: defines `_next_lr()`; `get_lr()` warns outside of step()."""

    def get_lr(self):
        """The next rates; for the rates in force use `get_last_lr()`."""
        if not self._get_lr_called_within_step:
            warnings.warn(ASK_LAST_LR, UserWarning, stacklevel=2)
        return self._next_lr()
