"""Optimizer: groups, state, hooks, printing, errors."""

import copy
import pickle

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.optim import SGD, Adam, AdamW, Optimizer
from numtorch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)


def param(*values, grad=None):
    p = nn.Parameter(nt.tensor(list(values)))
    if grad is not None:
        p.grad = nt.tensor(grad)
    return p


def test_groups_take_defaults_and_options():
    a, b = param(1.0), param(2.0)
    opt = SGD([{"params": a, "lr": 0.5}, {"params": [b]}], lr=0.1, momentum=0.9)
    assert [g["lr"] for g in opt.param_groups] == [0.5, 0.1]
    assert [g["momentum"] for g in opt.param_groups] == [0.9, 0.9]
    opt.add_param_group({"params": [param(3.0)], "momentum": 0.0})
    assert len(opt.param_groups) == 3


def test_repr():
    assert repr(SGD([param(1.0)], lr=0.1)) == (
        "SGD (\n"
        "Parameter Group 0\n"
        "    dampening: 0\n"
        "    differentiable: False\n"
        "    foreach: None\n"
        "    fused: None\n"
        "    lr: 0.1\n"
        "    maximize: False\n"
        "    momentum: 0\n"
        "    nesterov: False\n"
        "    weight_decay: 0\n"
        ")"
    )


def test_named_parameters():
    opt = SGD(nn.Linear(1, 1).named_parameters(), lr=0.1)
    assert opt.param_groups[0]["param_names"] == ["weight", "bias"]
    assert opt.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="cannot add param group without names"):
        opt.add_param_group({"params": [param(1.0)]})
    with pytest.raises(ValueError, match="Some param names are missing"):
        SGD([("a", param(1.0)), param(2.0)])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: SGD(p), TypeError, "iterable of Tensors or dicts, but got torch.FloatTensor"),
        (lambda p: SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda p: SGD([3]), TypeError, "one of the params is int"),
        (lambda p: SGD([p * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda p: SGD([{"params": {p}}]), TypeError, "ordered collections"),
        (lambda p: SGD([p]).add_param_group([p]), TypeError, "param_group must be a dict"),
        (
            lambda p: SGD([{"params": [p]}, {"params": [p]}]),
            ValueError,
            "some parameters appear in more than one parameter group",
        ),
        (lambda p: SGD([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda p: SGD([p], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda p: SGD([p], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda p: SGD([p], nesterov=True), ValueError, "Nesterov momentum requires a momentum"),
        (lambda p: SGD([p], lr=nt.ones(2)), ValueError, "Tensor lr must be 1-element"),
        (lambda p: SGD([p], fused=True, foreach=True), RuntimeError, "cannot be `True` together"),
        (lambda p: Adam([p], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda p: Adam([p], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda p: Adam([p], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0"),
        (lambda p: Adam([p], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1"),
        (lambda p: Adam([p], betas=(0.9, nt.tensor(0.9))), ValueError, "both floats or both"),
        (lambda p: Adam([p], weight_decay=-1), ValueError, "Invalid weight_decay value"),
        (lambda p: Adam([p], lr=nt.tensor(0.1), foreach=True), ValueError, "lr as a Tensor is not"),
        (lambda p: Adam([p], fused=True, differentiable=True), RuntimeError, "does not support"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error) as info:
        make(param(1.0))
    assert message in str(info.value)


def test_duplicate_parameters_warn():
    p = param(1.0)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([p, p])


def test_required_options():
    class Own(Optimizer):
        """Lacks a step."""

    with pytest.raises(ValueError, match="didn't specify a value of required optimization"):
        Own([param(1.0)], {"lr": required})
    with pytest.raises(NotImplementedError):
        Own([param(1.0)], {"differentiable": False}).step()


def test_zero_grad():
    p = param(1.0, grad=[2.0])
    opt = SGD([p])
    opt.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    opt.zero_grad()
    assert p.grad is None


def test_state_dict_numbers_parameters():
    a, b = param(1.0, grad=[1.0]), param(2.0, grad=[1.0])
    opt = SGD([{"params": [a]}, {"params": [b]}], lr=0.1, momentum=0.9)
    opt.step()
    state = opt.state_dict()
    assert [g["params"] for g in state["param_groups"]] == [[0], [1]]
    assert sorted(state["state"]) == [0, 1]
    assert state["state"][0]["momentum_buffer"] is opt.state[a]["momentum_buffer"]


@pytest.mark.parametrize("make", [lambda p: SGD(p, lr=0.1, momentum=0.9), Adam])
def test_resuming_gives_the_same_steps(make):
    def run(opt, p, steps):
        for _ in range(steps):
            p.grad = (p * 2).detach()
            opt.step()

    p = param(1.0, -2.0)
    opt = make([p])
    run(opt, p, 3)
    q = nn.Parameter(p.detach().clone())
    resumed = make([q])
    resumed.load_state_dict(copy.deepcopy(opt.state_dict()))
    run(opt, p, 3)
    run(resumed, q, 3)
    assert nt.equal(p, q)


def test_loading_casts_state():
    p = param(1.0, grad=[1.0])
    opt = Adam([p])
    opt.step()
    q = nn.Parameter(nt.ones(1, dtype=nt.float64))
    other = Adam([q])
    other.load_state_dict(opt.state_dict())
    assert other.state[q]["exp_avg"].dtype is nt.float64
    assert other.state[q]["step"].dtype is nt.float32
    assert other.param_groups[0]["params"][0] is q


def test_loading_checks_sizes():
    state = SGD([param(1.0)]).state_dict()
    with pytest.raises(ValueError, match="different number of parameter groups"):
        SGD([{"params": [param(1.0)]}, {"params": [param(1.0)]}]).load_state_dict(state)
    with pytest.raises(ValueError, match="doesn't match the size of optimizer's group"):
        SGD([param(1.0), param(1.0)]).load_state_dict(state)


def test_old_checkpoints_count_in_numbers():
    p = param(1.0, grad=[1.0])
    opt = Adam([p])
    opt.step()
    state = opt.state_dict()
    state["state"][0]["step"] = 1
    opt.load_state_dict(state)
    assert opt.state[p]["step"].item() == 1.0


def test_pickle_and_deepcopy():
    p = param(1.0, grad=[1.0])
    opt = AdamW([p], lr=0.1)
    opt.step()
    for twin in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        assert repr(twin) == repr(opt)
        (q,) = twin.param_groups[0]["params"]
        assert q is not p
        assert twin.state[q]["step"].item() == 1
        q.grad = nt.ones(1)
        twin.step()


def test_step_hooks():
    p = param(1.0, grad=[1.0])
    opt, seen = SGD([p]), []
    handles = [
        register_optimizer_step_pre_hook(lambda o, a, k: seen.append("all before")),
        register_optimizer_step_post_hook(lambda o, a, k: seen.append("all after")),
        opt.register_step_pre_hook(lambda o, a, k: seen.append("before")),
        opt.register_step_post_hook(lambda o, a, k: seen.append("after")),
    ]
    opt.step()
    assert seen == ["all before", "before", "after", "all after"]
    for handle in handles:
        handle.remove()
    opt.step()
    assert len(seen) == 4
    opt.register_step_pre_hook(lambda o, a, k: ((o, lambda: nt.tensor(7.0)), k))
    assert opt.step().item() == 7.0
    opt.register_step_pre_hook(lambda o, a, k: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        opt.step()


def test_state_dict_hooks():
    opt, seen = SGD([param(1.0)]), []
    opt.register_state_dict_pre_hook(lambda o: seen.append("pre"))
    opt.register_state_dict_post_hook(lambda o, s: {**s, "extra": 1})
    opt.register_load_state_dict_pre_hook(lambda o, s: seen.append(s.pop("extra")))
    opt.register_load_state_dict_post_hook(lambda o: seen.append("post"))
    opt.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    opt.load_state_dict(opt.state_dict())
    assert seen == ["first", "pre", 1, "post"]
