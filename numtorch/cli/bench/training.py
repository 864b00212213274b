"""A small CNN on the 1,797 real 8x8 digits: the main job, end to end."""

import sys
import time

from ... import full_like, manual_seed, no_grad, randint
from ...nn import (
    BatchNorm2d,
    Conv2d,
    CrossEntropyLoss,
    Dropout,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ...optim import AdamW
from ...optim.lr_scheduler import CosineAnnealingLR
from ...utils.data import DataLoader
from ...vision.datasets import Digits
from ...vision.transforms import Compose, Normalize, ToTensor
from .progress import bar

EPOCHS, BATCH = 16, 64
MEAN, STD = 0.3, 0.37


def network() -> Sequential:
    """(N, 1, 8, 8) -> (N, 10), 26,090 parameters."""
    return Sequential(
        Conv2d(1, 16, 3, padding=1), BatchNorm2d(16), ReLU(),
        Conv2d(16, 32, 3, padding=1), BatchNorm2d(32), ReLU(), MaxPool2d(2),
        Conv2d(32, 64, 3, padding=1), BatchNorm2d(64), ReLU(), MaxPool2d(2),
        Flatten(), Dropout(0.3), Linear(256, 10),
    )  # fmt: skip


def loaders():
    """The first 1,437 digits in batches to train on, the last 360 to test."""
    transform = Compose([ToTensor(), Normalize((MEAN,), (STD,))])
    train, test = (Digits(train=part, transform=transform) for part in (True, False))
    return DataLoader(train, batch_size=BATCH, shuffle=True), DataLoader(test, batch_size=360)


def moved(x):
    """A batch of images moved by up to one pixel up, down, left or right: a third fewer errors."""
    down, right = (int(n) for n in randint(-1, 2, (2,)))
    out = full_like(x, -MEAN / STD)
    into, taken = (
        tuple(slice(max(n, 0), 8 + min(n, 0)) for n in pair)
        for pair in ((down, right), (-down, -right))
    )
    out[:, :, into[0], into[1]] = x[:, :, taken[0], taken[1]]
    return out


def train(device: str = "cpu", epochs: int = EPOCHS, seed: int = 0, out=None) -> dict:
    """Train, print a line for each epoch, and give the figures."""
    out = out or sys.stdout
    manual_seed(seed)
    model = network().to(device)
    train_loader, test_loader = loaders()
    optimizer = AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = CosineAnnealingLR(optimizer, epochs)
    criterion = CrossEntropyLoss(label_smoothing=0.1)
    print(f"a CNN on 1,437 digits, {epochs} epochs, batches of {BATCH}, on {device}", file=out)
    start, seen, history, accuracy = time.perf_counter(), 0, [], 0.0
    for epoch in range(1, epochs + 1):
        model.train()
        begin, total, count = time.perf_counter(), 0.0, 0
        for x, y in bar(train_loader, f"epoch {epoch:2d}", out):
            x, y = moved(x).to(device), y.to(device)
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total, count = total + loss.item() * len(x), count + len(x)
        schedule.step()
        rate, seen = count / (time.perf_counter() - begin), seen + count
        loss, accuracy = total / count, evaluate(model, test_loader, device)
        history.append({"loss": loss, "accuracy": accuracy, "images_per_second": rate})
        print(
            f"epoch {epoch:2d}  loss {loss:.4f}  test accuracy {100 * accuracy:5.2f}%  "
            f"{rate:7.0f} images/s",
            file=out,
        )
    seconds = time.perf_counter() - start
    print(
        f"trained in {seconds:.1f} s: {100 * accuracy:.2f}% of the 360 test digits are right",
        file=out,
    )
    return {
        "seconds": seconds,
        "accuracy": accuracy,
        "images_per_second": seen / seconds,
        "epochs": history,
    }


def evaluate(model, loader, device: str = "cpu") -> float:
    """The share of right answers."""
    model.eval()
    right = count = 0
    with no_grad():
        for x, y in loader:
            guess = model(x.to(device)).argmax(1).cpu()
            right, count = right + int((guess == y).sum()), count + len(y)
    return right / count


def one_step() -> None:
    """One training step and one evaluation: what `numtorch warm` compiles first."""
    model, (train_loader, test_loader) = network(), loaders()
    optimizer = AdamW(model.parameters(), lr=1e-3)
    x, y = next(iter(train_loader))
    CrossEntropyLoss(label_smoothing=0.1)(model(moved(x)), y).backward()
    optimizer.step()
    evaluate(model, test_loader)
