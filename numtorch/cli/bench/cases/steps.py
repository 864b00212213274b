"""Whole training steps in eager mode."""

from ..case import Case, integers, normal


def step(network, x, classes):
    """A case's `make`: forward, cross entropy, backward, SGD with momentum."""

    def make(lib, tensor):
        lib.manual_seed(0)
        given, target = tensor(x), tensor(integers(classes, x.shape[0]))
        model = network(lib.nn).to(given.device)
        optimizer = lib.optim.SGD(model.parameters(), 0.01, momentum=0.9)
        criterion = lib.nn.CrossEntropyLoss()

        def run():
            optimizer.zero_grad()
            criterion(model(given), target).backward()
            optimizer.step()

        return run

    return make


def mlp(nn):
    """(N, 64) -> (N, 10), one hidden layer of 128."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))


def lenet(nn):
    """(N, 1, 28, 28) -> (N, 10): LeCun et al., 1998, with ReLU and max pooling."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


MLP_FLOPS = 6.0 * 32 * (64 * 128 + 128 * 10)
LENET_FLOPS = 6.0 * 64 * (28 * 28 * 6 * 25 + 100 * 16 * 150 + 400 * 120 + 120 * 84 + 840)
MLP, LENET = "MLP 64-128-10 step, batch 32", "LeNet step, batch 64"
CASES = [
    Case(MLP, "steps", step(mlp, normal(32, 64), 10), 0.0, MLP_FLOPS, True),
    Case(LENET, "steps", step(lenet, normal(64, 1, 28, 28), 10), 0.0, LENET_FLOPS, True),
]
