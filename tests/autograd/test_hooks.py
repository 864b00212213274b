"""Hooks of tensors and nodes: order, replaced gradients, misuse; all as torch has it."""

import threading

import pytest

import numtorch as nt
from numtorch.autograd import graph

from .parity import agree


def leaf(lib, *values):
    return lib.tensor(values, requires_grad=True)


def test_all_kinds_of_hooks_run_in_torchs_order(torch):
    def program(lib):
        events = []

        def note(name, result=None):
            return lambda *g: (events.append((name, [_plain(v) for v in g])), result)[1]

        x = leaf(lib, 1.0, 2.0)
        y = x * 2
        node = y.grad_fn
        accumulate = node.next_functions[0][0]
        x.register_hook(note("x"))
        accumulate.register_prehook(note("before accumulation"))
        accumulate.register_hook(note("after accumulation"))
        x.register_post_accumulate_grad_hook(note("accumulated"))
        node.register_hook(note("after y"))
        node.register_prehook(note("before y"))
        y.retain_grad()
        y.register_hook(note("y"))
        y.register_hook(lambda g: events.append(("y.grad", _plain(y.grad))))
        loss = y.sum()
        loss.backward(retain_graph=True)
        for inputs in (x, y, (x, y)):
            events.append("grad")
            lib.autograd.grad(loss, inputs, retain_graph=True)
        for inputs in (x, y):
            events.append("backward to inputs")
            loss.backward(inputs=inputs, retain_graph=True)
        return events

    agree(torch, program)


def _plain(value):
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return None if value is None else value.tolist()


def test_replaced_gradients_and_what_is_captured(torch):
    def program(lib):
        x = leaf(lib, 1.0, 2.0)
        y = x * 2
        y.register_hook(lambda g: g * 10)
        y.retain_grad()
        y.grad_fn.register_prehook(lambda gs: (gs[0] * 7,))
        y.grad_fn.register_hook(lambda gi, go: (gi[0] + go[0], None))
        x.register_hook(lambda g: g + 1)
        z = (y * 3).sum()
        found = [
            [_plain(g) for g in lib.autograd.grad(z, inputs, retain_graph=True)]
            for inputs in ([x], [y], [y, x], [x, x])
        ]
        z.backward(retain_graph=True)
        z.backward(inputs=[x], retain_graph=True)
        return found, _plain(y.grad), _plain(x.grad)

    agree(torch, program)


def changed_size(g):
    """A hook with a name."""
    return g[:1]


BAD = {
    "type": lambda y: y.register_hook(lambda g: 3),
    "size": lambda y: y.register_hook(changed_size),
    "dtype": lambda y: y.register_hook(lambda g: g.double()),
    "node: type": lambda y: y.grad_fn.register_hook(lambda gi, go: 3),
    "node: one tensor": lambda y: y.grad_fn.register_hook(lambda gi, go: gi[0]),
    "node: count": lambda y: y.grad_fn.register_hook(lambda gi, go: (gi[0],)),
    "node: size": lambda y: y.grad_fn.register_hook(lambda gi, go: (gi[0].sum(), None)),
    "node: None": lambda y: y.grad_fn.register_hook(lambda gi, go: (None, None)),
    "node: not None": lambda y: y.grad_fn.register_hook(lambda gi, go: (gi[0], gi[0])),
    "before: type": lambda y: y.grad_fn.register_prehook(lambda go: 3),
    "before: count": lambda y: y.grad_fn.register_prehook(lambda go: go * 2),
    "before: None": lambda y: y.grad_fn.register_prehook(lambda go: (None,)),
    "not a leaf": lambda y: y.register_post_accumulate_grad_hook(print),
    "no gradient": lambda y: y.detach().register_hook(print),
    "no gradient to keep": lambda y: y.detach().retain_grad(),
    "no gradient to accumulate": lambda y: y.detach().register_post_accumulate_grad_hook(print),
}


@pytest.mark.parametrize("name", BAD)
def test_what_hooks_may_not_do(torch, name):
    def program(lib):
        x = leaf(lib, 1.0, 2.0)
        y = x * 2
        BAD[name](y)
        y.sum().backward()
        return _plain(x.grad)

    agree(torch, program)


def test_a_hook_after_accumulation_returns_nothing(torch):
    def program(lib):
        x = leaf(lib, 1.0)
        x.register_post_accumulate_grad_hook(lambda t: 3)
        (x * 2).backward()

    agree(torch, program)


def test_handles_remove_hooks():
    x, seen = leaf(nt, 1.0), []
    y = x * 2
    with y.register_hook(seen.append) as handle:
        y.backward(retain_graph=True)
    handle.remove()
    first = y.register_hook(lambda g: (seen.append("first"), first.remove())[1])
    y.backward(retain_graph=True)
    y.backward()
    assert len(seen) == 2 and seen[1] == "first"


def test_hooks_of_several_outputs(torch):
    def program(lib):
        seen = []
        x = leaf(lib, 3.0, 1.0, 2.0, 5.0)
        a, b = x.split(2)
        a.register_hook(lambda g: seen.append(("a", g.tolist())))
        b.register_hook(lambda g: g * 2)
        b.retain_grad()
        a.grad_fn.register_prehook(lambda gs: seen.append([_plain(g) for g in gs]))
        loss = (b * b).sum()
        pair = lib.autograd.grad(loss, [b, x], retain_graph=True)
        loss = loss + a.prod()
        loss.backward()
        return seen, _plain(pair), _plain(b.grad), _plain(x.grad), a.output_nr, b.output_nr

    agree(torch, program)


def test_in_place_changes_leave_hooks_and_take_retained_gradients_along(torch):
    def program(lib):
        seen = []
        x = leaf(lib, 1.0, 2.0)
        y = x * 2
        y.retain_grad()
        y.register_hook(lambda g: seen.append(("before", g.tolist())))
        y.mul_(3)
        y.register_hook(lambda g: seen.append(("after", g.tolist())))
        (y * 5).sum().backward()
        return seen, y.grad.tolist(), x.grad.tolist()

    agree(torch, program)


def test_gradients_that_are_none(torch):
    def program(lib):
        seen = []

        class Stop(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, g):
                return None

        class Pass(lib.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 1

            @staticmethod
            def backward(ctx, g):
                seen.append(("Pass", g.tolist()))
                return g

        x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
        a = Pass.apply(x)
        b = a * 2 + y.exp()
        b.retain_grad()
        for name, t in (("x", x), ("y", y), ("a", a), ("b", b)):
            t.register_hook(lambda g, name=name: seen.append((name, _plain(g))))
        Stop.apply(b).sum().backward()
        return sorted(seen, key=str), _plain(x.grad), _plain(y.grad), _plain(b.grad)

    agree(torch, program)


def test_multi_grad_hooks(torch):
    """Under sums, as torch miscounts where a root of the graph is watched."""

    def program(lib):
        a, b = leaf(lib, 1.0), leaf(lib, 2.0)
        c, d = a * b, a * b
        seen = []
        every = lib.autograd.graph.register_multi_grad_hook(
            (a, b, c, d), lambda gs: seen.append([_plain(g) for g in gs])
        )
        c.sum().backward(retain_graph=True)
        c.sum().backward(inputs=(a,), retain_graph=True)
        (c + d).sum().backward(retain_graph=True)
        every.remove()
        first = lib.autograd.graph.register_multi_grad_hook(
            (a, c, b.detach()), lambda g: seen.append(_plain(g)), mode="any"
        )
        c.sum().backward(retain_graph=True)
        first.remove()
        c.sum().backward()
        return seen

    agree(torch, program)
    for call in (
        lambda lib: lib.autograd.graph.register_multi_grad_hook((), print, mode="some"),
        lambda lib: lib.autograd.graph.register_multi_grad_hook((lib.ones(1),), print),
    ):
        agree(torch, call)


def test_backward_inside_of_hooks_and_derivatives():
    """A walk that interrupts another one sees none of its gradients, even on the same nodes."""

    class Nested(nt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            with nt.enable_grad():
                ctx.inner = x.detach().requires_grad_()
                ctx.result = (ctx.inner * ctx.inner).sum()
            return ctx.result.detach()

        @staticmethod
        def backward(ctx, g):
            ctx.result.backward()
            return ctx.inner.grad * g

    x, w = leaf(nt, 1.0, 2.0), leaf(nt, 3.0, 4.0)
    shared = x * w
    found = []
    y, other = shared * 2, shared.sum()
    y.register_hook(lambda g: found.extend(nt.autograd.grad(other, (x, w), retain_graph=True)))
    (Nested.apply(shared) + y.sum() + other).backward(retain_graph=True)
    assert [f.tolist() for f in found] == [[3, 4], [1, 2]]
    total = 2 * shared.detach() + 3
    assert x.grad.equal(total * w.detach()) and w.grad.equal(total * x.detach())


def test_an_error_in_a_hook_leaves_everything_as_it_was():
    x, y = leaf(nt, 1.0), leaf(nt, 2.0)
    z = x * y
    out = z * 2 + y

    def fail(g):
        raise ValueError("no")

    for t in (z, x):
        with t.register_hook(fail), pytest.raises(ValueError, match="no"):
            out.backward(retain_graph=True)
        assert x.grad is None and y.grad is None
    out.backward()
    assert x.grad.item() == 4 and y.grad.item() == 3


def test_multi_grad_hooks_of_walks_in_several_threads():
    x = leaf(nt, 1.0)
    seen = []
    graph.register_multi_grad_hook((x,), lambda gs: seen.append(gs[0].item()))
    threads = [threading.Thread(target=(x * i).backward) for i in range(1, 5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == [1, 2, 3, 4] and x.grad.item() == 10
