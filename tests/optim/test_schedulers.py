"""Learning-rate schedulers: values, warnings, state, errors."""

import math
import warnings

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.optim import SGD, Adam
from numtorch.optim import lr_scheduler as schedulers


def optimizer(*rates, cls=SGD, **options):
    groups = [{"params": [nn.Parameter(nt.ones(1))], "lr": lr} for lr in rates or (1.0,)]
    return cls(groups, **options)


def rates(make, steps, **options):
    opt = optimizer(**options)
    sched, found = make(opt), []
    for _ in range(steps):
        found.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
    return found


CASES = [
    (lambda o: schedulers.LambdaLR(o, lambda e: 1 / (1 + e)), [1, 1 / 2, 1 / 3]),
    (lambda o: schedulers.MultiplicativeLR(o, lambda e: 0.5), [1, 0.5, 0.25]),
    (lambda o: schedulers.StepLR(o, 2, 0.1), [1, 1, 0.1, 0.1, 0.01]),
    (lambda o: schedulers.MultiStepLR(o, [1, 3, 3], 0.5), [1, 0.5, 0.5, 0.125]),
    (lambda o: schedulers.ConstantLR(o, 0.5, 2), [0.5, 0.5, 1, 1]),
    (lambda o: schedulers.LinearLR(o, 0.5, 1.0, 2), [0.5, 0.75, 1, 1]),
    (lambda o: schedulers.ExponentialLR(o, 0.5), [1, 0.5, 0.25]),
    (lambda o: schedulers.PolynomialLR(o, 2, 2.0), [1, 0.25, 0, 0]),
    (
        lambda o: schedulers.CosineAnnealingLR(o, 4, 0.0),
        [(1 + math.cos(math.pi * i / 4)) / 2 for i in range(9)],
    ),
    (
        lambda o: schedulers.CosineAnnealingWarmRestarts(o, 2, 2),
        [1, 0.5, 1, *[(1 + math.cos(math.pi * i / 4)) / 2 for i in (1, 2, 3)], 1],
    ),
    (lambda o: schedulers.CyclicLR(o, 0.0, 1.0, 2, cycle_momentum=False), [0, 0.5, 1, 0.5, 0]),
    (
        lambda o: schedulers.CyclicLR(o, 0.0, 1.0, 1, mode="triangular2", cycle_momentum=False),
        [0, 1, 0, 0.5, 0, 0.25],
    ),
    (
        lambda o: schedulers.CyclicLR(
            o, 0.0, 1.0, 1, scale_fn=lambda c: 1 / c, cycle_momentum=False
        ),
        [0, 1, 0, 0.5, 0, 1 / 3],
    ),
    (
        lambda o: schedulers.OneCycleLR(
            o, 1.0, 5, pct_start=0.6, anneal_strategy="linear", div_factor=4, cycle_momentum=False
        ),
        [0.25, 0.625, 1, 0.5000125, 0.000025],
    ),
    (
        lambda o: schedulers.SequentialLR(
            o, [schedulers.ConstantLR(o, 0.5, 9), schedulers.ExponentialLR(o, 0.5)], [2]
        ),
        [0.5, 0.5, 1, 0.5],
    ),
    (
        lambda o: schedulers.ChainedScheduler(
            [schedulers.ConstantLR(o, 0.5, 2), schedulers.ExponentialLR(o, 0.5)]
        ),
        [0.5, 0.25, 0.25, 0.125],
    ),
]


@pytest.mark.parametrize(("make", "want"), CASES)
def test_values(make, want):
    assert rates(make, len(want)) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize(("make", "want"), CASES)
def test_resuming(make, want):
    opt = optimizer()
    sched = make(opt)
    for _ in range(2):
        opt.step()
        sched.step()
    other = optimizer()
    resumed = make(other)
    other.load_state_dict(opt.state_dict())
    resumed.load_state_dict(sched.state_dict())
    for lr in want[2:]:
        assert other.param_groups[0]["lr"] == pytest.approx(lr, abs=1e-9)
        assert resumed.get_last_lr() == [other.param_groups[0]["lr"]]
        other.step()
        resumed.step()


def test_groups_keep_their_ratio():
    opt = optimizer(1.0, 0.5)
    sched = schedulers.LambdaLR(opt, [lambda e: 0.5**e, lambda e: 1.0])
    opt.step()
    sched.step()
    assert sched.get_last_lr() == [0.5, 0.5]
    with pytest.raises(ValueError, match="Expected 2 lr_lambdas, but got 1"):
        schedulers.LambdaLR(opt, [lambda e: 1.0])


def test_momentum_cycles_against_the_rate():
    opt = optimizer(momentum=0.9)
    sched = schedulers.CyclicLR(opt, 0.0, 1.0, 2, base_momentum=0.5, max_momentum=0.9)
    found = []
    for _ in range(4):
        found.append(opt.param_groups[0]["momentum"])
        opt.step()
        sched.step()
    assert found == pytest.approx([0.9, 0.7, 0.5, 0.7])
    opt = optimizer(cls=Adam)
    schedulers.OneCycleLR(opt, 1.0, 10)
    assert opt.param_groups[0]["betas"] == (0.95, 0.999)


def test_plateau():
    opt = optimizer()
    sched = schedulers.ReduceLROnPlateau(opt, factor=0.5, patience=1, cooldown=1, min_lr=0.2)
    found = []
    for metric in [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]:
        sched.step(nt.tensor(metric))
        found.append(opt.param_groups[0]["lr"])
    assert found == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2]
    state = sched.state_dict()
    twin = schedulers.ReduceLROnPlateau(optimizer())
    twin.load_state_dict(state)
    assert twin.factor == 0.5
    assert twin.mode_worse == math.inf


@pytest.mark.parametrize(
    ("options", "metrics", "better"),
    [
        ({"mode": "min", "threshold": 0.1, "threshold_mode": "rel"}, (1.0, 0.95), False),
        ({"mode": "min", "threshold": 0.1, "threshold_mode": "rel"}, (1.0, 0.85), True),
        ({"mode": "max", "threshold": 0.1, "threshold_mode": "rel"}, (1.0, 1.05), False),
        ({"mode": "max", "threshold": 0.1, "threshold_mode": "rel"}, (1.0, 1.15), True),
        ({"mode": "min", "threshold": 0.1, "threshold_mode": "abs"}, (5.0, 4.95), False),
        ({"mode": "max", "threshold": 0.1, "threshold_mode": "abs"}, (5.0, 5.15), True),
    ],
)
def test_plateau_thresholds(options, metrics, better):
    sched = schedulers.ReduceLROnPlateau(optimizer(), **options)
    for metric in metrics:
        sched.step(metric)
    assert (sched.num_bad_epochs == 0) is better


def test_order_of_calls_warns():
    opt = optimizer()
    sched = schedulers.StepLR(opt, 1)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before"):
        sched.step()
    opt = optimizer()
    sched = schedulers.StepLR(opt, 1)
    opt.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after learning rate scheduler"):
        sched.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opt = optimizer()
        sched = schedulers.StepLR(opt, 1)
        opt.step()
        sched.step()
        sched.step()


def test_other_warnings():
    opt = optimizer()
    sched = schedulers.StepLR(opt, 3)
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        sched.get_lr()
    opt.step()
    with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step"):
        sched.step(7)
    assert sched.get_last_lr() == pytest.approx([0.01])


def test_tensor_rates_change_in_place():
    lr = nt.tensor(1.0)
    opt = SGD([nn.Parameter(nt.ones(1))], lr=lr)
    sched = schedulers.ExponentialLR(opt, 0.5)
    opt.step()
    sched.step()
    assert opt.param_groups[0]["lr"] is lr
    assert lr.item() == 0.5
    assert sched.base_lrs[0].item() == 1.0


def test_own_schedulers():
    class Halve(schedulers.LRScheduler):
        def get_lr(self):
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    assert rates(Halve, 3) == [1, 0.5, 0.25]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: schedulers.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (
            lambda o: schedulers.StepLR(o, 1, last_epoch=3),
            KeyError,
            "param 'initial_lr' is not specified",
        ),
        (lambda o: schedulers.LRScheduler(o), NotImplementedError, "does not define get_lr"),
        (lambda o: schedulers.ConstantLR(o, 2.0), ValueError, "expected to be between 0 and 1"),
        (lambda o: schedulers.LinearLR(o, 0.0), ValueError, "Starting multiplicative factor"),
        (lambda o: schedulers.LinearLR(o, 0.5, 2.0), ValueError, "Ending multiplicative factor"),
        (lambda o: schedulers.MultiplicativeLR(o, 3), TypeError, "lr_lambda should be a function"),
        (
            lambda o: schedulers.CosineAnnealingWarmRestarts(o, 0),
            ValueError,
            "positive integer T_0",
        ),
        (
            lambda o: schedulers.CosineAnnealingWarmRestarts(o, 1, 0),
            ValueError,
            "integer T_mult >= 1",
        ),
        (
            lambda o: schedulers.CyclicLR(o, 0.1, [1.0, 2.0]),
            ValueError,
            "max_lr must have the same length",
        ),
        (lambda o: schedulers.CyclicLR(o, 0.1, 1.0, mode="odd"), ValueError, "mode is invalid"),
        (lambda o: schedulers.OneCycleLR(o, 1.0), ValueError, "You must define either total_steps"),
        (lambda o: schedulers.OneCycleLR(o, 1.0, 0), ValueError, "positive integer total_steps"),
        (
            lambda o: schedulers.OneCycleLR(o, 1.0, 9, pct_start=2.0),
            ValueError,
            "between 0 and 1 pct_st",
        ),
        (
            lambda o: schedulers.OneCycleLR(o, 1.0, 9, anneal_strategy="a"),
            ValueError,
            "one of 'cos' or",
        ),
        (
            lambda o: schedulers.ReduceLROnPlateau(o, factor=1.0),
            ValueError,
            "Factor should be < 1.0",
        ),
        (lambda o: schedulers.ReduceLROnPlateau(o, mode="odd"), ValueError, "mode odd is unknown!"),
        (
            lambda o: schedulers.ReduceLROnPlateau(o, min_lr=[1, 2]),
            ValueError,
            "expected 1 min_lrs, got 2",
        ),
        (
            lambda o: schedulers.SequentialLR(o, [], []),
            ValueError,
            "expects at least one scheduler",
        ),
        (
            lambda o: schedulers.SequentialLR(o, [schedulers.StepLR(o, 1)], [1]),
            ValueError,
            "number of milestones to be equal to 1",
        ),
        (
            lambda o: schedulers.ChainedScheduler([schedulers.ReduceLROnPlateau(o)]),
            ValueError,
            "does not support `ReduceLROnPlateau`",
        ),
        (
            lambda o: schedulers.ChainedScheduler(
                [schedulers.StepLR(o, 1), schedulers.StepLR(optimizer(), 1)]
            ),
            ValueError,
            "expects all schedulers to belong to the same optimizer",
        ),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error) as info:
        make(optimizer())
    assert message in str(info.value)


def test_one_cycle_ends():
    opt = optimizer(momentum=0.9)
    sched = schedulers.OneCycleLR(opt, 1.0, 2)
    opt.step()
    sched.step()
    sched.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        sched.step()


def test_momentum_needs_an_optimizer_with_momentum():
    class Bare(SGD):
        def __init__(self, params):
            super().__init__(params)
            del self.defaults["momentum"]

    with pytest.raises(ValueError, match="must support momentum or beta1"):
        schedulers.CyclicLR(Bare([nn.Parameter(nt.ones(1))]), 0.1, 1.0)
