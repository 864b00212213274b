"""backward and grad: their arguments, layouts of gradients, large graphs, what is freed when."""

import gc
import threading
import weakref

import pytest

import numtorch as nt

from .parity import agree


def leaf(lib, *values):
    return lib.tensor(values, requires_grad=True)


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return None if value is None else value.tolist()


MISUSE = {
    "no inputs": lambda lib, x, y: y.backward(inputs=[]),
    "inputs without gradient": lambda lib, x, y: y.backward(inputs=[lib.ones(1)]),
    "grad of nothing": lambda lib, x, y: lib.autograd.grad(y, []),
    "grad to what needs none": lambda lib, x, y: lib.autograd.grad(y, lib.ones(1)),
    "grad of what needs none": lambda lib, x, y: lib.autograd.grad(lib.ones(1), x),
    "unused": lambda lib, x, y: lib.autograd.grad(y, [x, leaf(lib, 1.0)]),
    "no outputs": lambda lib, x, y: lib.autograd.grad([], x),
    "counts": lambda lib, x, y: lib.autograd.backward([x, x], [lib.ones(2)]),
    "shape": lambda lib, x, y: y.backward(lib.ones(2)),
    "not scalar": lambda lib, x, y: x.backward(),
    "number": lambda lib, x, y: y.backward([3]),
    "output": lambda lib, x, y: lib.autograd.backward([3]),
    "input": lambda lib, x, y: lib.autograd.grad(y, [3]),
    "materialize": lambda lib, x, y: lib.autograd.grad(
        y, x, allow_unused=False, materialize_grads=True
    ),
    "batched": lambda lib, x, y: lib.autograd.grad(
        x * 2, x, lib.ones(3, 3, 3), is_grads_batched=True
    ),
    "twice": lambda lib, x, y: (y.backward(), y.backward()),
}


@pytest.mark.parametrize("name", MISUSE)
def test_errors_are_torchs(torch, name):
    def program(lib):
        x = leaf(lib, 1.0, 2.0)
        MISUSE[name](lib, x, (x * x).sum())

    agree(torch, program)


def test_what_arguments_may_be(torch):
    def program(lib):
        x, z = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
        y = x * z
        loss = (y * y).sum()
        grad = lib.autograd.grad
        seen = [grad(loss, [x, x, y, loss], retain_graph=True)]
        seen.append(grad([loss, y], [x], [None, lib.ones(2)], retain_graph=True))
        seen.append(grad([y, y], [x], [lib.ones(2), lib.ones(2)], retain_graph=True))
        seen.append(grad(loss, (x, leaf(lib, 1.0)), allow_unused=True, retain_graph=True))
        seen.append(grad(loss, (leaf(lib, 1.0), x), materialize_grads=True, retain_graph=True))
        seen.append(grad(x, x, lib.ones(2)))
        rows = lib.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
        seen.append(grad(y, [x, z], rows, is_grads_batched=True, retain_graph=True))
        y.backward(lib.ones(2, dtype=lib.float64), retain_graph=True)
        lib.autograd.backward([], [])
        loss.backward(inputs=[y, x, x], retain_graph=True)
        return (
            _plain(seen),
            _plain([x.grad, y.grad, z.grad]),
            y.retains_grad,
            str(x.grad.dtype)[-7:],
        )

    agree(torch, program)


def test_deprecated_arguments_warn(torch):
    for lib in (nt, torch):
        x = leaf(lib, 1.0)
        with pytest.warns(FutureWarning, match="`grad_variables` is deprecated"):
            lib.autograd.backward(x * 2, grad_variables=lib.ones(1))
        with pytest.warns(FutureWarning, match="only_inputs argument is deprecated"):
            lib.autograd.grad(x * 2, x, only_inputs=False)
        with pytest.warns(UserWarning, match="create_graph=True will create a reference cycle"):
            (x * x).backward(create_graph=True)
        assert x.grad.item() == 4 and x.grad.requires_grad


def test_gradients_lie_as_their_leaves(torch):
    def program(lib):
        strides = []

        def note(p, *operations):
            for operation in operations:
                operation(p).sum().backward()
            strides.append(tuple(p.grad.stride()))
            p.grad = None

        def double(t):
            return t * 2

        def turned(t):
            return (t * 2).transpose(0, 1) * lib.ones(t.shape[1], t.shape[0], *t.shape[2:])

        rows = lib.ones(3, 4).requires_grad_()
        columns = lib.ones(4, 3).t().requires_grad_()
        images = lib.ones(2, 5, 6, 3).permute(0, 3, 1, 2).requires_grad_()
        gaps = lib.ones(6, 4)[::2].requires_grad_()
        spread = lib.ones(1, 3).expand(4, 3).requires_grad_()
        for p in (rows, columns, images, gaps, spread):
            note(p, double)
            note(p, turned)
            note(p, turned, double)
            p.backward(lib.ones(p.shape))
            note(p, double)
        return strides

    agree(torch, program)


def test_layouts_are_free_without_the_policy(torch):
    def program(lib):
        strides = []
        for enforce in (True, False):
            p = lib.ones(3, 4).t().requires_grad_()
            with lib.autograd.enforce_grad_layout_policy(enforce):
                (p * 1).contiguous().exp().sum().backward()
            strides.append(tuple(p.grad.stride()))
        return strides

    agree(torch, program)


def test_no_two_gradients_share_memory():
    x, y = leaf(nt, 1.0, 2.0), leaf(nt, 1.0, 2.0)
    with pytest.warns(UserWarning, match="reference cycle"):
        (x + y).sum().backward(create_graph=True)
    assert x.grad is not y.grad and x.grad.data_ptr() != y.grad.data_ptr()
    first = x.grad
    (x * 2).sum().backward()
    assert x.grad is first and first.tolist() == [3, 3] and y.grad.tolist() == [1, 1]


STEPS = {
    "saved input": lambda y: y * y,
    "saved output": lambda y: y.tanh(),
    "several outputs": lambda y: nt.stack(y.unbind()),
    "view": lambda y: y.view(2),
    "in place": lambda y: y.mul_(0.5) if y.grad_fn is not None else y * 1,
}


@pytest.mark.parametrize("name", STEPS)
def test_deep_graphs_run_and_are_dropped_without_recursion(name):
    def chain():
        y = leaf(nt, 0.5, 0.25)
        for _ in range(10_000):
            y = STEPS[name](y)
        return y

    x = chain()
    x.sum().backward()
    dropped = chain()
    assert nt.autograd.grad(dropped.sum(), dropped)[0].tolist() == [1, 1]


class Twice(nt.autograd.Function):
    """2 x, with an input and an output saved."""

    @staticmethod
    def forward(ctx, x):
        out = x * 2
        ctx.save_for_backward(x, out)
        return out

    @staticmethod
    def backward(ctx, g):
        x, out = ctx.saved_tensors
        return g * out / x


@pytest.mark.parametrize("name", [*STEPS, "Function"])
@pytest.mark.parametrize("use", ["drop", "backward", "grad", "second", "hooks", "error"])
def test_nothing_waits_for_the_collector(name, use):
    step = STEPS.get(name, Twice.apply)
    x = leaf(nt, 0.5, 0.25)
    gc.collect()
    gc.disable()
    try:
        y = step(step(step(x)))
        node = weakref.ref(y.grad_fn)
        loss = y.sum()
        if use == "backward":
            loss.backward()
        elif use == "grad":
            nt.autograd.grad(loss, y)
        elif use == "second":
            nt.autograd.grad(loss, x, create_graph=True)
        elif use == "hooks":
            y.retain_grad()
            y.register_hook(lambda g: g * 2)
            loss.backward()
        elif use == "error":
            y.register_hook(lambda g: 3)
            with pytest.raises(TypeError) as caught:
                loss.backward()
            caught.value.__traceback__ = None
            del caught
        del y, loss
        assert node() is None
    finally:
        gc.enable()


def test_only_wanted_derivatives_are_computed():
    class Counted(nt.autograd.Function):
        runs = 0

        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            Counted.runs += 1
            return g

    a, b = leaf(nt, 1.0), leaf(nt, 2.0)
    left, right = Counted.apply(a), Counted.apply(b)
    loss = left * right
    nt.autograd.grad(loss, left, retain_graph=True)
    assert Counted.runs == 0
    nt.autograd.grad(loss, a, retain_graph=True)
    assert Counted.runs == 1
    loss.backward()
    assert Counted.runs == 3


def test_second_derivatives_by_an_output_of_several():
    """What a derivative restores of the saved output is the output that the user has."""
    x = leaf(nt, 0.5, 0.25)

    class Pair(nt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y, z = x.exp(), x * 1
            ctx.save_for_backward(y)
            return y, z

        @staticmethod
        def backward(ctx, gy, gz):
            (y,) = ctx.saved_tensors
            return gy * y * y + gz

    y, _ = Pair.apply(x)
    (g,) = nt.autograd.grad(y.sum(), x, create_graph=True)
    (by_output,) = nt.autograd.grad(g.sum(), y)
    assert by_output.allclose(2 * y.detach())


def test_one_graph_in_several_threads():
    x = nt.ones(50, requires_grad=True)
    y = (x * 2).exp().sum()
    threads = [threading.Thread(target=y.backward, kwargs={"retain_graph": True}) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.allclose(16 * (x.detach() * 2).exp())
