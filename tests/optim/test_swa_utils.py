"""Averaged models, their schedule, and their batch norms."""

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.optim import SGD, swa_utils


def model(value):
    m = nn.Linear(1, 1, bias=False)
    m.load_state_dict({"weight": nt.full((1, 1), value)})
    return m


def averages(*values, **options):
    m = swa_utils.AveragedModel(model(0.0), **options)
    for value in values:
        m.update_parameters(model(value))
    return m.module.weight.item()


def test_mean_of_models():
    assert averages(1.0, 2.0, 6.0) == pytest.approx(3.0)
    assert averages(1.0, 2.0, 6.0, avg_fn=swa_utils.get_swa_avg_fn()) == pytest.approx(3.0)


def test_moving_average():
    for options in (
        {"avg_fn": swa_utils.get_ema_avg_fn(0.5)},
        {"multi_avg_fn": swa_utils.get_ema_multi_avg_fn(0.5)},
    ):
        assert averages(1.0, 2.0, 6.0, **options) == pytest.approx(3.75)
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        swa_utils.get_ema_avg_fn(2)


def test_averaged_model_is_a_module():
    m = swa_utils.AveragedModel(model(2.0))
    assert list(m.state_dict()) == ["n_averaged", "module.weight"]
    assert m(nt.ones(1, 1)).item() == 2.0
    m.update_parameters(model(3.0))
    assert m.n_averaged.item() == 1
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(model(1.0), avg_fn=max, multi_avg_fn=max)


@pytest.mark.parametrize(("use_buffers", "want"), [(False, 3.0), (True, 2.0)])
def test_buffers(use_buffers, want):
    m = swa_utils.AveragedModel(nn.BatchNorm1d(1), use_buffers=use_buffers)
    for value in (1.0, 3.0):
        norm = nn.BatchNorm1d(1)
        norm.running_mean.fill_(value)
        m.update_parameters(norm)
    assert m.module.running_mean.item() == pytest.approx(want)


def test_update_bn():
    m = nn.Sequential(nn.BatchNorm1d(1)).eval()
    swa_utils.update_bn([(nt.tensor([[0.0], [2.0]]), 0), nt.tensor([[4.0], [6.0]])], m)
    assert m[0].running_mean.item() == pytest.approx(3.0)
    assert m[0].momentum == 0.1
    assert not m.training
    swa_utils.update_bn([], nn.ReLU())


def test_swalr():
    opt = SGD([nn.Parameter(nt.ones(1))], lr=1.0)
    sched = swa_utils.SWALR(opt, 0.5, anneal_epochs=2, anneal_strategy="linear")
    found = []
    for _ in range(4):
        found.append(opt.param_groups[0]["lr"])
        opt.step()
        sched.step()
    assert found == pytest.approx([1.0, 0.75, 0.5, 0.5])
    with pytest.raises(ValueError, match="anneal_strategy must by one of"):
        swa_utils.SWALR(opt, 0.5, anneal_strategy="odd")
    with pytest.raises(ValueError, match="equal or greater than 0, got -1"):
        swa_utils.SWALR(opt, 0.5, anneal_epochs=-1)
