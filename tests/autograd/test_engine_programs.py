"""Random graphs with hooks, several outputs, kept gradients and repeated walks: numtorch and torch
compute the same, and hooks see the same.
"""

import random

import pytest

from .parity import agree


def functions(lib):
    """Two Functions of two outputs, one of which has no gradient for an input."""

    class Pair(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            out = x * y
            ctx.save_for_backward(x, y, out)
            return out, x + y

        @staticmethod
        def backward(ctx, first, second):
            x, y, out = ctx.saved_tensors
            return first * y + second, first * x + second + 0 * out

    class Half(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.set_materialize_grads(False)
            return x * 0.5, y * 1

        @staticmethod
        def backward(ctx, first, second):
            return None if first is None else first * 0.5, None

    return Pair.apply, Half.apply


def step(lib, rng, values, user) -> list:
    """The results of one random operation."""
    x, y = rng.choice(values), rng.choice(values)
    kind = rng.randrange(10)
    if kind == 0:
        return [x + y]
    if kind == 1:
        return [x * y * 0.5]
    if kind == 2:
        return [x.tanh()]
    if kind == 3:
        return [lib.stack(x.unbind(), 0), x.t().exp().t() * 0.1]
    if kind == 4:
        left, right = x.split([1, 2], 1)
        return [lib.cat([right, left], 1)]
    if kind == 5:
        return [x - x.max(1, keepdim=True)[0]]
    if kind == 6:
        return list(user[0](x, y))
    if kind == 7:
        return list(user[1](x, y))
    if kind == 8:
        z = x * 1
        z[1].mul_(2)
        return [z]
    return [(x * x).view(9).flip(0).view(3, 3) * 0.3, x.detach() * y]


def run(lib, seed: int) -> list:
    """Make a graph, and walk it several times."""
    rng = random.Random(seed)
    user = functions(lib)
    leaves = [
        lib.tensor(
            [[rng.uniform(-1, 1) for _ in range(3)] for _ in range(3)],
            dtype=lib.float64,
            requires_grad=True,
        )
        for _ in range(3)
    ]
    values, seen = list(leaves), []

    def rounded(g):
        return None if g is None else [round(v, 6) + 0.0 for v in g.reshape(-1).tolist()]

    def watch(name, scale):
        def hook(g):
            seen.append((name, rounded(g)))
            return None if scale is None or g is None else g * scale

        return hook

    for i in range(rng.randrange(3, 14)):
        for made in step(lib, rng, values, user):
            values.append(made)
            if not made.requires_grad:
                continue
            if rng.random() < 0.3:
                made.register_hook(watch(f"hook {i}", rng.choice([None, 2, 0.5])))
            if rng.random() < 0.2:
                made.retain_grad()
            if rng.random() < 0.1:
                made.grad_fn.register_prehook(lambda gs, i=i: seen.append((f"pre {i}", len(gs))))
    live = [v for v in values if v.requires_grad]
    loss = sum(v.sum() for v in rng.sample(live, min(3, len(live))))
    results = []
    for _ in range(3):
        inputs = rng.sample(live, min(len(live), rng.randrange(1, 4)))
        kind = rng.randrange(4)
        if kind == 0:
            loss.backward(retain_graph=True)
        elif kind == 1:
            loss.backward(retain_graph=True, inputs=inputs)
        elif kind == 2:
            found = lib.autograd.grad(loss, inputs, retain_graph=True, allow_unused=True)
            results.append([rounded(g) for g in found])
        else:
            found = lib.autograd.grad(loss, inputs, create_graph=True, allow_unused=True)
            moving = [g.sum() for g in found if g is not None and g.requires_grad]
            if moving:
                sum(moving).backward(retain_graph=True)
    results.append([rounded(v.grad) for v in values if v.is_leaf or v.retains_grad])
    return [results, sorted(seen, key=str)]


@pytest.mark.parametrize("start", range(0, 80, 20))
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_random_graphs(torch, start):
    for seed in range(start, start + 20):
        agree(torch, lambda lib, seed=seed: run(lib, seed))
