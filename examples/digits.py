"""Train a small network on real digits, save it, load it, and use it.

python examples/digits.py
"""

import pathlib
import tempfile

import numtorch as torch
from numtorch import nn
from numtorch.utils.data import DataLoader
from numtorch.vision.datasets import Digits
from numtorch.vision.transforms import ToTensor


class Net(nn.Module):
    """Two layers: (N, 1, 8, 8) -> (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 96)
        self.scores = nn.Linear(96, 10)

    def forward(self, x):
        """Class scores of images."""
        x = self.hidden(x.flatten(1)).relu()  # (N, 96)
        return self.scores(x)


def train(model: nn.Module, epochs: int = 6) -> None:
    """Adam, one line for each epoch."""
    loader = DataLoader(Digits(transform=ToTensor()), batch_size=32, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(loader):.3f}")


def main() -> None:
    """Train, save, load, test."""
    torch.manual_seed(0)
    model = Net()
    train(model)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "digits.pt"
        torch.save(model.state_dict(), path)  # torch.load reads this file, too
        loaded = Net()
        loaded.load_state_dict(torch.load(path))
    ((x, y),) = DataLoader(Digits(train=False, transform=ToTensor()), batch_size=360)
    with torch.no_grad():
        right = (loaded(x).argmax(1) == y).sum().item()
    print(f"{right} of 360 test digits are right")


if __name__ == "__main__":
    main()
