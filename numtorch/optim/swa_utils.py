"""Averages of a model's weights over training: `AveragedModel`, `SWALR`, `update_bn`.

Source: Izmailov et al., Averaging Weights Leads to Wider Optima, 2018.
"""

import math
from copy import deepcopy
from itertools import chain

from ..autograd import no_grad
from ..core.dtype import int64
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ..ops.create import tensor
from .lr_scheduler.base import Schedule, per_group

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_swa_avg_fn():
    """The function (average, new value, number of values) -> average of all values."""

    @no_grad()
    def average(averaged, current, num_averaged):
        return averaged + (current - averaged) / (num_averaged + 1)

    return average


def get_ema_avg_fn(decay=0.999):
    """The function (average, new value, _) -> exponential moving average."""
    check_decay(decay)

    @no_grad()
    def average(averaged, current, num_averaged):
        return decay * averaged + (1 - decay) * current

    return average


def get_swa_multi_avg_fn():
    """As `get_swa_avg_fn`, for lists of tensors, in place."""

    @no_grad()
    def average(averaged_list, current_list, num_averaged):
        for averaged, current in zip(averaged_list, current_list, strict=True):
            move(averaged, current, 1 / (int(num_averaged) + 1))

    return average


def get_ema_multi_avg_fn(decay=0.999):
    """As `get_ema_avg_fn`, for lists of tensors, in place."""
    check_decay(decay)

    @no_grad()
    def average(averaged_list, current_list, num_averaged):
        for averaged, current in zip(averaged_list, current_list, strict=True):
            move(averaged, current, 1 - decay)

    return average


def move(averaged, current, share):
    """Move a tensor to another by a share of the distance; integers (counters) are cut off."""
    if averaged.is_floating_point():
        averaged.lerp_(current, share)
    else:
        averaged.copy_(averaged + (current - averaged) * share)


def check_decay(decay):
    """A decay is a share of the old value."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


class AveragedModel(Module):
    """A copy of a model whose weights are averages of those given to `update_parameters`.

    By default the mean of all; `avg_fn` or `multi_avg_fn` (of lists, in place) give others. Buffers
    are averaged too with `use_buffers`, else taken from the last model.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model):
        """Let a model's weights enter the average."""
        own, given = self._averaged(self.module), self._averaged(model)
        given = [p.detach().to(a.device) for a, p in zip(own, given, strict=True)]
        if self.n_averaged == 0:
            for averaged, current in zip(own, given, strict=True):
                averaged.copy_(current)
        elif self.avg_fn is not None:
            for averaged, current in zip(own, given, strict=True):
                averaged.copy_(self.avg_fn(averaged, current, self.n_averaged))
        else:
            average = self.multi_avg_fn or get_swa_multi_avg_fn()
            average(own, given, self.n_averaged)
        if not self.use_buffers:
            for own_buffer, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
                own_buffer.copy_(buffer)
        self.n_averaged += 1

    def _averaged(self, model):
        buffers = model.buffers() if self.use_buffers else ()
        return [t.detach() for t in chain(model.parameters(), buffers)]


@no_grad()
def update_bn(loader, model, device=None):
    """Compute the statistics of a model's batch norms anew, in one pass over the data.

    `loader` gives inputs, or lists and tuples that begin with one.
    """
    norms = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    try:
        for batch in loader:
            inputs = batch[0] if isinstance(batch, list | tuple) else batch
            model(inputs if device is None else inputs.to(device))
    finally:
        for norm, momentum in norms.items():
            norm.momentum = momentum
        model.train(was_training)


class SWALR(Schedule):
    """lr goes from its value to `swa_lr` in `anneal_epochs` epochs and stays there.

    The way is half a cosine ("cos") or a line ("linear"); other schedulers may act at once.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        rates = per_group("swa_lr", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _part(self, step):
        """How much of the way to swa_lr is done after a number of steps."""
        part = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * part)) / 2 if self._anneal_strategy == "cos" else part

    def _next_lr(self):
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            swa_lr, lr = group["swa_lr"], group["lr"]
            # what the rate would be without this schedule, which others may have changed
            start = swa_lr if before == 1 else (lr - before * swa_lr) / (1 - before)
            rates.append(swa_lr * now + start * (1 - now))
        return rates
