"""optim against torch: steps, state, resuming from torch's checkpoints, schedules, printing."""

import inspect

import pytest

import numtorch as nt
from numtorch import nn, optim

torch = pytest.importorskip("torch")

CONFIGS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "maximize": True, "betas": (0.5, 0.7), "eps": 1e-4}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1, "amsgrad": True}),
    ("RMSprop", {"lr": 0.1, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "alpha": 0.9}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "maximize": True}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.1, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("ASGD", {"lr": 0.1, "weight_decay": 0.1, "lambd": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 2, "maximize": True}),
    ("Rprop", {"lr": 0.1}),
    ("Rprop", {"lr": 0.2, "etas": (0.4, 1.5), "step_sizes": (0.15, 0.3), "maximize": True}),
]
NAMES = sorted({name for name, _ in CONFIGS})
DTYPES = ["float32", "float64"]


def start(lib, linear, dtype):
    torch.manual_seed(0)
    values = [torch.randn(3, 4).tolist(), torch.randn(5).tolist()]
    return [linear.Parameter(lib.tensor(v, dtype=getattr(lib, dtype))) for v in values]


def steps(lib, params, opt, count):
    for _ in range(count):
        opt.zero_grad()
        sum(((p - 1) * (p - 1)).sum() for p in params).backward()
        opt.step()


def close(got, want):
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if want.dtype is torch.float32 else {}
    torch.testing.assert_close(torch.tensor(got.tolist(), dtype=want.dtype), want, **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "options"), CONFIGS, ids=str)
def test_same_steps(name, options, dtype):
    ps, qs = start(torch, torch.nn, dtype), start(nt, nn, dtype)
    a = getattr(torch.optim, name)(ps, **options)
    b = getattr(optim, name)(qs, **options)
    assert repr(a) == repr(b)
    for _ in range(4):
        steps(torch, ps, a, 2)
        steps(nt, qs, b, 2)
        for q, p in zip(qs, ps, strict=True):
            close(q.detach(), p.detach())
    want, got = a.state_dict(), b.state_dict()
    assert got["param_groups"] == want["param_groups"]
    assert {k: list(v) for k, v in got["state"].items()} == {
        k: list(v) for k, v in want["state"].items()
    }
    for i, state in want["state"].items():
        for key, value in state.items():
            assert str(got["state"][i][key].dtype) == str(value.dtype)
            close(got["state"][i][key], value)


@pytest.mark.parametrize(("name", "options"), CONFIGS, ids=str)
def test_resumes_from_torch(name, options):
    ps = start(torch, torch.nn, "float64")
    a = getattr(torch.optim, name)(ps, **options)
    steps(torch, ps, a, 3)
    qs = [nn.Parameter(nt.tensor(p.tolist(), dtype=nt.float64)) for p in ps]
    b = getattr(optim, name)(qs, **options)
    saved = a.state_dict()
    saved["state"] = {
        i: {
            k: nt.tensor(v.tolist(), dtype=getattr(nt, str(v.dtype).removeprefix("torch.")))
            for k, v in s.items()
        }
        for i, s in saved["state"].items()
    }
    b.load_state_dict(saved)
    steps(torch, ps, a, 3)
    steps(nt, qs, b, 3)
    for q, p in zip(qs, ps, strict=True):
        close(q.detach(), p.detach())


@pytest.mark.parametrize("name", NAMES)
def test_differentiable(name):
    """The gradient of what steps gave, with respect to the gradients that made them."""
    count = 1 if name in ("Adam", "AdamW", "Adamax", "Rprop") else 2  # torch fails at a second one
    found = []
    for lib, space in ((torch, torch.optim), (nt, optim)):
        p = lib.tensor([1.0, -2.0, 0.5], dtype=lib.float64, requires_grad=True)
        scale = lib.tensor([0.5, 1.5, -1.0], dtype=lib.float64, requires_grad=True)
        q = p.clone()
        kind = getattr(space, name)
        coarse = {"eps": 0.1} if "eps" in inspect.signature(kind).parameters else {}
        opt = kind([q], differentiable=True, **coarse)  # a small eps leaves only rounding errors
        for _ in range(count):
            q.grad = scale * scale
            opt.step()
        (q * q).sum().backward()
        found.append((p.grad.tolist(), scale.grad.tolist()))
    for want, got in zip(*found, strict=True):
        assert got == pytest.approx(want, rel=1e-4)  # torch rounds beta ** step to float32


@pytest.mark.parametrize(
    "options",
    [{"lr": -1}, {"eps": -1}, {"weight_decay": -1}, {"betas": (1.0, 0.9)}, {"betas": (0.5, -1)},
     {"rho": 2}, {"lr_decay": -1}, {"etas": (2, 3)}, {"alpha": -1}, {"momentum_decay": -1},
     {"initial_accumulator_value": -1}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_same_errors(name, options):
    def message(lib, linear, space):
        try:
            getattr(space, name)(start(lib, linear, "float32"), **options)
        except (ValueError, RuntimeError) as error:
            return type(error), str(error)

    accepted = inspect.signature(getattr(torch.optim, name).__init__).parameters
    if set(options) <= set(accepted):
        assert message(nt, nn, optim) == message(torch, torch.nn, torch.optim)


SCHEDULES = {
    "StepLR": lambda lrs, o: lrs.StepLR(o, 3),
    "CosineAnnealingLR": lambda lrs, o: lrs.CosineAnnealingLR(o, 4, 0.01),
    "LinearLR": lambda lrs, o: lrs.LinearLR(o, 0.2, 0.9, 5),
    "PolynomialLR": lambda lrs, o: lrs.PolynomialLR(o, 6, 2.0),
    "CosineAnnealingWarmRestarts": lambda lrs, o: lrs.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "CyclicLR": lambda lrs, o: lrs.CyclicLR(o, 0.01, 0.1, 3, 2, "exp_range", 0.9),
    "OneCycleLR": lambda lrs, o: lrs.OneCycleLR(o, 0.2, 21, three_phase=True),
    "SequentialLR": lambda lrs, o: lrs.SequentialLR(
        o, [lrs.LinearLR(o, 0.1, total_iters=3), lrs.CosineAnnealingLR(o, 9)], [4]
    ),
    "ReduceLROnPlateau": lambda lrs, o: lrs.ReduceLROnPlateau(o, patience=1, cooldown=1),
}


def track(lib, linear, opt_space, make):
    params = [{"params": [linear.Parameter(lib.ones(1))], "lr": lr} for lr in (0.1, 0.05)]
    opt = opt_space.SGD(params, lr=0.1, momentum=0.9)
    sched, found = make(opt_space.lr_scheduler, opt), []
    for i in range(20):
        opt.step()
        args = [1.0 if i < 15 else 0.5] if "Plateau" in type(sched).__name__ else []
        sched.step(*args)
        found += [v for g in opt.param_groups for v in (g["lr"], g["momentum"])]
        found += sched.get_last_lr()
    return found, sorted(sched.state_dict())


@pytest.mark.parametrize("name", SCHEDULES)
def test_same_schedules(name):
    want, keys = track(torch, torch.nn, torch.optim, SCHEDULES[name])
    got, own_keys = track(nt, nn, optim, SCHEDULES[name])
    assert got == pytest.approx(want, rel=1e-12)
    if name != "CyclicLR":
        assert own_keys == keys


@pytest.mark.parametrize(
    "name",
    [*NAMES, *(f"lr_scheduler.{n}" for n in sorted(optim.lr_scheduler.__all__))],
)
def test_signatures(name):
    def parameters(space):
        for part in name.split("."):
            space = getattr(space, part)
        return [
            (p.name, p.kind, p.default)
            for p in inspect.signature(space.__init__).parameters.values()
        ]

    assert parameters(optim) == parameters(torch.optim)
