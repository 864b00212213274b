"""Capture: record a step through the registry, replay it, same numbers."""

import numpy as np
import pytest

import numtorch as nt
from numtorch.compiler import capture
from numtorch.nn import functional as F
from tests.samples import build
from tests.test_ops import SAMPLES, differentiable


def lenet():
    nt.manual_seed(0)
    return nt.nn.Sequential(
        nt.nn.Conv2d(1, 6, 5, padding=2),
        nt.nn.ReLU(),
        nt.nn.MaxPool2d(2),
        nt.nn.Conv2d(6, 16, 5),
        nt.nn.ReLU(),
        nt.nn.MaxPool2d(2),
        nt.nn.Flatten(),
        nt.nn.Linear(400, 120),
        nt.nn.ReLU(),
        nt.nn.Linear(120, 84),
        nt.nn.ReLU(),
        nt.nn.Linear(84, 10),
    )


def training_step(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


@pytest.mark.parametrize(
    "make",
    [lambda p: nt.optim.SGD(p, 0.05, momentum=0.9), lambda p: nt.optim.SGD(p, 0.1)],
    ids=["momentum", "plain"],
)
def test_lenet_training_step(make):
    rng = np.random.default_rng(0)
    batches = [
        (
            nt.from_numpy(rng.standard_normal((4, 1, 28, 28), "f4")),
            nt.from_numpy(rng.integers(0, 10, 4)),
        )
        for _ in range(5)
    ]
    eager, replayed = lenet(), lenet()
    step, captured = (training_step(m, make(m.parameters())) for m in (eager, replayed))
    losses = [step(*b).item() for b in batches]
    captured(*batches[0])  # momentum buffers are made in the first step
    recording = capture(captured, *batches[1])
    assert len(recording) > 20
    again = [recording.outputs.item()] + [recording.replay(*b).item() for b in batches[2:]]
    np.testing.assert_allclose(again, losses[1:], 1e-6)
    for p, q in zip(eager.parameters(), replayed.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().numpy(), p.detach().numpy(), 1e-5, 1e-7)


def test_replay_checks_inputs():
    recording = capture(lambda x: x * 2, nt.ones(3))
    with pytest.raises(
        RuntimeError, match=r"recorded as torch.float32\[3\] on cpu, but got torch.float32\[4\]"
    ):
        recording.replay(nt.ones(4))
    with pytest.raises(TypeError, match="takes 1 tensors as recorded, but got 2"):
        recording.replay(nt.ones(3), nt.ones(3))
    assert recording.replay(nt.full((3,), 4.0)).tolist() == [8, 8, 8]


ROWS = list(build.cases([s for s in SAMPLES if s.grad], ("float32",)))


@pytest.mark.parametrize(
    ("sample", "case", "dtype"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_every_op_replays(sample, case, dtype):
    """Forward and backward of every sample, recorded with one set of numbers and replayed with
    another.
    """
    forward, moving = differentiable(sample, case, dtype)

    def function(*tensors):
        outs = forward(*tensors)
        grads = nt.autograd.grad(outs, tensors, [nt.ones_like(o) for o in outs], allow_unused=True)
        return [*outs, *(g for g in grads if g is not None)]

    first = [t.detach().clone().requires_grad_() for t in moving]
    second = [(t.detach() * 0.9).requires_grad_() for t in moving]
    want = [t.tolist() for t in function(*second)]
    recording = capture(function, *first)
    got = [t.tolist() for t in recording.replay(*second)]
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, 1e-6, 1e-6)
