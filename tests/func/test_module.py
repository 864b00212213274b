"""Modules as functions: functional_call, stack_module_state, replace_all_batch_norm_modules_."""

import numpy as np
import pytest

import numtorch as nt
from numtorch import nn
from numtorch.func import (
    functional_call,
    grad,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vmap,
)


def test_functional_call_uses_other_parameters_and_forgets_them():
    module = nn.Linear(3, 2)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    given = {"weight": nt.ones(2, 3), "bias": nt.zeros(2)}
    assert (functional_call(module, given, nt.ones(3)) == 3).all()
    assert (functional_call(module, (given, {}), (nt.ones(3),)) == 3).all()
    assert all((module.state_dict()[k] == v).all() for k, v in before.items())


def test_gradients_by_sample_of_a_module():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    images, targets = nt.rand(5, 1, 4, 4), nt.tensor([0, 1, 2, 1, 0])
    parameters = {k: v.detach() for k, v in module.named_parameters()}

    def loss(p, image, target):
        scores = functional_call(module, p, image.unsqueeze(0))
        return nn.functional.cross_entropy(scores, target.unsqueeze(0))

    found = vmap(grad(loss), (None, 0, 0))(parameters, images, targets)
    for k in range(5):
        module.zero_grad()
        nn.functional.cross_entropy(module(images[k : k + 1]), targets[k : k + 1]).backward()
        for name, p in module.named_parameters():
            np.testing.assert_allclose(found[name][k].numpy(), p.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_tied_weights_stay_tied():
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    x, w = nt.ones(3), nt.eye(3) * 2
    assert (functional_call(module, {"0.weight": w}, x) == 4).all()
    untied = functional_call(module, {"0.weight": w}, x, tie_weights=False)
    assert not (untied == 4).all()


def test_ensembles():
    models = [nn.Linear(3, 2) for _ in range(4)]
    parameters, buffers = stack_module_state(models)
    assert parameters["weight"].shape == (4, 2, 3) and parameters["weight"].requires_grad
    assert buffers == {}
    x = nt.rand(5, 3)
    found = vmap(lambda p, b: functional_call(models[0], (p, b), x))(parameters, buffers)
    for k, model in enumerate(models):
        np.testing.assert_allclose(
            found[k].detach().numpy(), model(x).detach().numpy(), rtol=1e-5, atol=1e-6
        )


def test_batch_norm_without_statistics():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert replace_all_batch_norm_modules_(model) is model
    assert model[1].running_mean is None and not model[1].track_running_stats
    assert vmap(model, randomness="different")(nt.rand(3, 2, 1, 5, 5)).shape == (3, 2, 2, 3, 3)


def test_errors():
    module = nn.Linear(3, 2)
    with pytest.raises(RuntimeError, match="Expected at least one model"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same training/eval mode"):
        stack_module_state([module, nn.Linear(3, 2).eval()])
    with pytest.raises(RuntimeError, match="of the same class"):
        stack_module_state([module, nn.ReLU()])
    with pytest.raises(RuntimeError, match="same requires_grad"):
        stack_module_state([module, nn.Linear(3, 2).requires_grad_(False)])
    with pytest.raises(AttributeError, match="Linear has no attribute `scale`"):
        functional_call(module, {"scale": nt.ones(2)}, nt.ones(3))
    with pytest.raises(RuntimeError, match="missing keys"):
        functional_call(module, {"weight": nt.ones(2, 3)}, nt.ones(3), strict=True)
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        functional_call(module, ({"bias": nt.ones(2)}, {"bias": nt.ones(2)}), nt.ones(3))
    with pytest.raises(TypeError, match="is not an instance of"):
        functional_call(module, {"bias": 2.0}, nt.ones(3))
    with pytest.raises(ValueError, match="to be dictionaries"):
        functional_call(module, [2], nt.ones(3))
