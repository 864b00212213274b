"""Whole training steps in eager mode."""

from ..case import Case, backward, integers, normal


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


def policy(nn):
    """(1, 4) -> (1, 2): the kind of network that reinforcement learning runs once per action."""
    return nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))


def resnet(nn):
    """(N, 3, 32, 32) -> (N, 10): the CIFAR ResNet-20 of He et al., 2015, section 4.2."""

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(after)
            self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(after)
            self.relu = nn.ReLU()
            self.shortcut = nn.Sequential()
            if stride != 1 or before != after:
                projection = nn.Conv2d(before, after, 1, stride, bias=False)
                self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(after))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + self.shortcut(x))

    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    sizes = (
        [(16, 16, 1)] * 3 + [(16, 32, 2), *[(32, 32, 1)] * 2] + [(32, 64, 2), *[(64, 64, 1)] * 2]
    )
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*stem, *[Block(*size) for size in sizes], *head)


def lstm(nn):
    """(N, T, 64) -> (N, 10): the last output of two layers of 128."""

    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(64, 128, 2, batch_first=True)
            self.head = nn.Linear(128, 10)

        def forward(self, x):
            return self.head(self.lstm(x)[0][:, -1])

    return Last()


def skip_gram(words, negatives, pairs, size):
    """A case's `make`: word2vec's step with negative sampling (Mikolov et al., 2013)."""

    def make(lib, tensor):
        lib.manual_seed(0)
        centre, other = (
            tensor(integers(words, pairs)),
            tensor(integers(words, pairs, negatives + 1)),
        )
        wanted = lib.zeros(pairs, negatives + 1, device=centre.device)
        wanted[:, 0] = 1
        inner, outer = (lib.nn.Embedding(words, size).to(centre.device) for _ in range(2))
        optimizer = lib.optim.SGD([*inner.parameters(), *outer.parameters()], 0.025)
        criterion = lib.nn.BCEWithLogitsLoss()

        def run():
            optimizer.zero_grad()
            score = (outer(other) @ inner(centre).unsqueeze(2)).squeeze(2)
            criterion(score, wanted).backward()
            optimizer.step()

        return run

    return make


def chain(lib, x, y):
    """Twenty operations on 16 elements: what a call costs, and what a node costs."""
    h = x
    for _ in range(5):
        h = (h * 1.1 + y).tanh() - y
    return h


MLP_FLOPS = 6.0 * 32 * (64 * 128 + 128 * 10)
LENET_FLOPS = 6.0 * 64 * (28 * 28 * 6 * 25 + 100 * 16 * 150 + 400 * 120 + 120 * 84 + 840)
RESNET_FLOPS = 6.0 * 32 * 40.6e6  # 40.6 million multiply-adds an image
LSTM_FLOPS = 6.0 * 32 * 32 * 512 * (64 + 3 * 128)
WORDS_BYTES = 4.0 * 2 * 10_000 * 100 * 5  # both tables: zeroed, written, read by the optimizer
MLP, LENET = "MLP 64-128-10 step, batch 32", "LeNet step, batch 64"
LSTM = "LSTM 2x128 step, 32 steps, batch 32"
RESNET, WORDS = "ResNet-20 step, CIFAR batch 32", "word2vec step, 512 pairs, 10000 words"
CASES = [
    Case("chain of 20 ops on 4x4, backward", "steps", backward(chain, normal(4, 4), normal(4, 4))),
    Case("policy 4-64-2 step, batch 1", "steps", step(policy, normal(1, 4), 2)),
    Case(MLP, "steps", step(mlp, normal(32, 64), 10), 0.0, MLP_FLOPS, True),
    Case(LENET, "steps", step(lenet, normal(64, 1, 28, 28), 10), 0.0, LENET_FLOPS, True),
    Case(RESNET, "steps", step(resnet, normal(32, 3, 32, 32), 10), 0.0, RESNET_FLOPS),
    Case(LSTM, "steps", step(lstm, normal(32, 32, 64), 10), 0.0, LSTM_FLOPS),
    Case(WORDS, "steps", skip_gram(10_000, 5, 512, 100), WORDS_BYTES, 0.0),
]
