"""Backward passes by themselves, and the transforms of torch.func."""

import importlib

from ..case import Case, integers, normal
from .steps import lenet, mlp, resnet


def _functions(lib):
    return importlib.import_module(f"{lib.__name__}.func")


def backward_only(forward):
    """A case's `make`: the backward pass of what `forward(lib, tensor)` gives, again and again."""

    def make(lib, tensor):
        lib.manual_seed(0)
        loss, leaves = forward(lib, tensor)

        def run():
            for leaf in leaves:
                leaf.grad = None
            loss.backward(retain_graph=True)

        return run

    return make


def chain(lib, tensor):
    """1,250 pointwise operations on 16 elements."""
    x = tensor(normal(16)).requires_grad_()
    h = x
    for _ in range(250):
        h = ((h * 1.01 + 0.1).tanh() - 0.2).sigmoid()
    return h.sum(), [x]


def chain_and_back(lib, tensor):
    """The same chain, recorded anew each time."""
    x = tensor(normal(16)).requires_grad_()

    def run():
        x.grad = None
        h = x
        for _ in range(250):
            h = ((h * 1.01 + 0.1).tanh() - 0.2).sigmoid()
        h.sum().backward()

    return run


def of_network(network, data):
    """The sum of a network's results."""

    def forward(lib, tensor):
        given = tensor(data)
        model = network(lib.nn).to(given.device)
        return model(given).sum(), list(model.parameters())

    return forward


def block(nn):
    """One residual block of ResNet-20, 64 channels."""
    return resnet(nn)[-4]


def hessian(lib, tensor):
    """The second derivatives of a perceptron with 97 parameters: forward mode over backward."""
    x, start = tensor(normal(16, 6)), tensor(normal(97)) * 0.3
    second = _functions(lib).hessian(_loss_of(lib, x))
    return lambda: second(start)


def twice_reverse(lib, tensor):
    """The same by backward passes over backward passes."""
    functions = _functions(lib)
    x, start = tensor(normal(16, 6)), tensor(normal(97)) * 0.3
    second = functions.jacrev(functions.jacrev(_loss_of(lib, x)))
    return lambda: second(start)


def _loss_of(lib, x):
    def loss(v):
        hidden = lib.tanh(x @ v[:72].view(6, 12) + v[72:84])
        return (hidden @ v[84:96].view(12, 1) + v[96:]).pow(2).sum()

    return loss


def by_sample(lib, tensor):
    """The gradient of each of 64 images, by vmap over grad."""
    functions = _functions(lib)
    lib.manual_seed(0)
    images, targets = tensor(normal(64, 1, 28, 28)), tensor(integers(10, 64))
    model = lenet(lib.nn).to(images.device)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def loss(values, image, target):
        scores = functions.functional_call(model, values, (image.unsqueeze(0),))
        return lib.nn.functional.cross_entropy(scores, target.unsqueeze(0))

    gradients = functions.vmap(functions.grad(loss), (None, 0, 0))
    return lambda: gradients(parameters, images, targets)


def ensemble(lib, tensor):
    """Ten perceptrons on one batch, by vmap over their parameters."""
    functions = _functions(lib)
    lib.manual_seed(0)
    x = tensor(normal(32, 64))
    models = [mlp(lib.nn).to(x.device) for _ in range(10)]
    parameters, buffers = functions.stack_module_state(models)
    every = functions.vmap(lambda p, b: functions.functional_call(models[0], (p, b), (x,)))

    def run():
        with lib.no_grad():
            every(parameters, buffers)

    return run


CASES = [
    Case("1250 ops on 16, backward", "autograd", chain_and_back),
    Case("backward of 1250 ops on 16", "autograd", backward_only(chain)),
    Case(
        "backward of MLP 64-128-10, batch 32",
        "autograd",
        backward_only(of_network(mlp, normal(32, 64))),
    ),
    Case(
        "backward of a residual block, 32x64x8x8",
        "autograd",
        backward_only(of_network(block, normal(32, 64, 8, 8))),
    ),
    Case("hessian of 97 parameters", "autograd", hessian),
    Case("jacrev of jacrev, 97 parameters", "autograd", twice_reverse),
    Case("LeNet gradients by sample, 64", "autograd", by_sample),
    Case("vmap of 10 MLPs, batch 32", "autograd", ensemble),
]
