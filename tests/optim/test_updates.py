"""The steps of SGD, Adam and AdamW against plain Python."""

import math

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.optim import SGD, Adam, AdamW

GRADS = [0.5, -1.0, 0.25, 2.0]


def run(make, dtype=None):
    """The values of one parameter, started at 1, after each step."""
    p = nn.Parameter(nt.ones(3, 2, dtype=dtype or nt.float64))
    opt, values = make([p]), []
    for g in GRADS:
        p.grad = nt.full((3, 2), g, dtype=p.dtype)
        opt.step()
        assert len(set(p.detach().flatten().tolist())) == 1
        values.append(p[0, 0].item())
    return values


def sgd(lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    p, buf, values = 1.0, None, []
    for g in GRADS:
        g = (-g if maximize else g) + weight_decay * p
        if momentum:
            buf = g if buf is None else momentum * buf + (1 - dampening) * g
            g = g + momentum * buf if nesterov else buf
        p -= lr * g
        values.append(p)
    return values


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 0.1, "maximize": True, "weight_decay": 0.2},
    ],
    ids=str,
)
def test_sgd(options):
    assert run(lambda p: SGD(p, **options)) == pytest.approx(sgd(**options), rel=1e-12)


def adam(lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False,
         decoupled=False):  # fmt: skip
    p, m, v, top, values = 1.0, 0.0, 0.0, 0.0, []
    for t, g in enumerate(GRADS, 1):
        g = -g if maximize else g
        if decoupled:
            p *= 1 - lr * weight_decay
        else:
            g += weight_decay * p
        m += (g - m) * (1 - betas[0])
        v = betas[1] * v + (1 - betas[1]) * g * g
        top = max(top, v)
        used = top if amsgrad else v
        denominator = math.sqrt(used) / math.sqrt(1 - betas[1] ** t) + eps
        p -= lr / (1 - betas[0] ** t) * m / denominator
        values.append(p)
    return values


ADAM = [
    {"lr": 0.1},
    {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1},
    {"lr": 0.1, "amsgrad": True, "maximize": True, "weight_decay": 0.1},
]


@pytest.mark.parametrize("options", ADAM, ids=str)
def test_adam(options):
    assert run(lambda p: Adam(p, **options)) == pytest.approx(adam(**options), rel=1e-12)


@pytest.mark.parametrize("options", ADAM, ids=str)
def test_adamw(options):
    options = {"weight_decay": 0.01, **options}
    want = adam(**options, decoupled=True)
    assert run(lambda p: AdamW(p, **options)) == pytest.approx(want, rel=1e-12)


def test_float32():
    assert run(lambda p: Adam(p, lr=0.1), nt.float32) == pytest.approx(adam(lr=0.1), rel=1e-5)
    assert run(lambda p: SGD(p, lr=0.1, momentum=0.9), nt.float32) == pytest.approx(
        sgd(lr=0.1, momentum=0.9), rel=1e-5
    )


def test_rates_and_betas_may_be_tensors():
    assert run(lambda p: SGD(p, lr=nt.tensor(0.5))) == pytest.approx(sgd(lr=0.5))
    betas = (nt.tensor(0.5), nt.tensor([0.75]))
    want = adam(lr=0.25, betas=(0.5, 0.75))
    assert run(lambda p: Adam(p, lr=nt.tensor(0.25), betas=betas)) == pytest.approx(want)


def test_adam_state():
    p = nn.Parameter(nt.ones(2))
    p.grad = nt.ones(2)
    opt = Adam([p], amsgrad=True)
    opt.step()
    state = opt.state[p]
    assert sorted(state) == ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step"]
    assert state["step"].shape == ()
    assert state["step"].dtype is nt.float32
    assert state["step"].item() == 1


def test_momentum_starts_as_a_copy_of_the_gradient():
    p = nn.Parameter(nt.ones(2))
    p.grad = nt.ones(2)
    opt = SGD([p], lr=0.1, momentum=0.9)
    opt.step()
    buffer = opt.state[p]["momentum_buffer"]
    p.grad.zero_()
    assert buffer.tolist() == [1.0, 1.0]
    assert not SGD([p], lr=0.1).state


def test_parameters_without_gradient_stay():
    p, q = nn.Parameter(nt.ones(1)), nn.Parameter(nt.ones(1))
    p.grad = nt.ones(1)
    opt = Adam([p, q], lr=0.1)
    opt.step()
    assert q.item() == 1
    assert q not in opt.state


def test_strided_parameters():
    p = nn.Parameter(nt.arange(6.0).reshape(2, 3).t())
    p.grad = nt.arange(6.0).reshape(3, 2)
    want = p.detach() - 0.5 * p.grad
    SGD([p], lr=0.5).step()
    assert nt.allclose(p, want)


def test_closure_runs_with_gradients():
    p = nn.Parameter(nt.tensor([3.0]))
    opt = SGD([p], lr=0.1)

    def closure():
        opt.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with nt.no_grad():
        assert opt.step(closure).item() == 9.0
    assert p.item() == pytest.approx(2.4)


def test_steps_change_the_version():
    p = nn.Parameter(nt.ones(1))
    loss = (p * p).sum()
    p.grad = nt.ones(1)
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
