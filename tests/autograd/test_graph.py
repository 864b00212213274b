"""The recorded graph as users see it: edges, nodes, what they save, changes of saved tensors."""

import pytest

import numtorch as nt
from numtorch.autograd import graph

from .parity import agree


def leaf(lib, *values):
    return lib.tensor(values, requires_grad=True)


def test_edges_stand_for_tensors(torch):
    def program(lib):
        edge = lib.autograd.graph.get_gradient_edge
        x = leaf(lib, 1.0, 2.0, 3.0, 4.0)
        y = x * 2
        a, b = (y * 3).split(2)
        z = (a * b).sum()
        ends = [edge(t) for t in (x, y, a, b)]
        found = [g.tolist() for g in lib.autograd.grad(edge(z), ends, retain_graph=True)]
        lib.autograd.backward(edge(z), retain_graph=True, inputs=[ends[0]])
        first = x.grad.tolist()
        lib.autograd.backward(edge(y), lib.ones(4), retain_graph=True)
        return found, first, x.grad.tolist(), [e.output_nr for e in ends], len(ends[0])

    agree(torch, program)


@pytest.mark.parametrize("shape", [(), (3,)])
def test_edges_know_the_shape_of_their_tensor(torch, shape):
    def program(lib):
        x = leaf(lib, 1.0, 2.0)
        end = lib.autograd.graph.get_gradient_edge(x * 2)
        lib.autograd.grad(end, x, lib.ones(shape) if shape else None)

    agree(torch, program)
    agree(torch, lambda lib: lib.autograd.graph.get_gradient_edge(lib.ones(1)))


def test_the_graph_can_be_walked():
    x = leaf(nt, 1.0, 2.0)
    a, b = (x * 2).exp().unbind()
    stack, names = [(a + b).grad_fn], set()
    while stack:
        node = stack.pop()
        assert isinstance(node, graph.Node) and issubclass(type(node), graph.Node)
        names.add(node.name())
        stack.extend(n for n, _ in node.next_functions if n is not None)
    assert {"AddBackward0", "UnbindBackward0", "ExpBackward0", "MulBackward0"} < names
    assert (a + b).grad_fn.next_functions == ((a.grad_fn, 0), (a.grad_fn, 1))
    assert a.grad_fn is b.grad_fn
    assert a.grad_fn._sequence_nr() < (a + b).grad_fn._sequence_nr()
    with pytest.raises(TypeError, match="cannot create 'Node' instances"):
        graph.Node()
    node = a.grad_fn
    node.metadata["note"] = 3
    assert b.grad_fn.metadata == {"note": 3}


def test_what_nodes_save(torch):
    def program(lib):
        x, y = leaf(lib, 1.0, 2.0), leaf(lib, 3.0, 4.0)
        product, root = (x * y).grad_fn, x.sqrt()
        total = x.reshape(1, 2).sum(1, keepdim=True).grad_fn
        seen = [product._saved_self.tolist(), product._saved_other.requires_grad]
        seen += [root.grad_fn._saved_result.equal(root), root.grad_fn._saved_result.grad_fn.name()]
        seen += [list(total._saved_self_sym_sizes), total._saved_keepdim]
        seen += [(x * y.detach()).grad_fn._saved_self]
        root.sum().backward()
        return seen, root.grad_fn._saved_result

    agree(torch, program)


def test_hooks_of_one_saved_tensor(torch):
    def program(lib):
        seen = []
        x = leaf(lib, 1.0, 2.0)
        y = x.sqrt()
        saved = y.grad_fn._raw_saved_result
        saved.register_hooks(
            lambda t: (seen.append(("pack", t.requires_grad)), t * 2)[1],
            lambda t: (seen.append("unpack"), t / 2)[1],
        )
        seen.append(y.grad_fn._saved_result.equal(y))
        (g,) = lib.autograd.grad(y.sum(), x, create_graph=True)
        (second,) = lib.autograd.grad(g.sum(), x)
        return seen, [round(v, 5) for v in g.tolist() + second.tolist()]

    agree(torch, program)

    def misuse(when):
        def program(lib):
            x = leaf(lib, 1.0, 2.0)
            y = x * lib.ones(2)
            name = "_raw_saved_self" if when == "None" else "_raw_saved_other"
            saved = getattr(y.grad_fn, name)
            if when == "freed":
                y.sum().backward()
            if when == "twice":
                saved.register_hooks(lambda t: t, lambda t: t)
            saved.register_hooks(lambda t: t, lambda t: t)

        return program

    for when in ("None", "freed", "twice"):
        agree(torch, misuse(when))


def test_mutation_of_saved_tensors(torch):
    def program(lib):
        with lib.autograd.graph.allow_mutation_on_saved_tensors():
            x = leaf(lib, 1.0, 2.0, 3.0)
            y = x.clone()
            out = (y**2).sum() + y[1:].exp().log().sum()
            y.mul_(3)
            out = out + (y * y).sum()
            y[0].add_(5)
            y.detach().zero_()
            out.backward()
        return x.grad.tolist()

    agree(torch, program)

    def nested(lib):
        mutation = lib.autograd.graph.allow_mutation_on_saved_tensors
        with mutation(), mutation():
            pass

    agree(torch, nested)
    with graph.allow_mutation_on_saved_tensors():
        y = (leaf(nt, 1.0) ** 2).sum()
    with pytest.raises(AssertionError, match="Trying to backward outside of the"):
        y.backward()


def test_increment_version():
    x = leaf(nt, 1.0)
    y, other = x * 1, nt.ones(2)
    z = y * y
    graph.increment_version([y, other])
    assert y._version == 1 and other._version == 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()


def test_variable(torch):
    def program(lib):
        made = lib.autograd.Variable
        x = leaf(lib, 1.0) * 2
        v, w = made(x), made(x.detach(), requires_grad=True)
        seen = [v.requires_grad, w.requires_grad, v.data_ptr() == x.data_ptr()]
        return seen, isinstance(x, made), isinstance(3, made), made([1.0])

    agree(torch, program)


def test_switches():
    assert nt.autograd.is_multithreading_enabled()
    with nt.autograd.set_multithreading_enabled(False):
        assert not nt.autograd.is_multithreading_enabled()

    @nt.autograd.set_multithreading_enabled(False)
    def inside():
        return nt.autograd.is_multithreading_enabled()

    assert not inside() and nt.autograd.is_multithreading_enabled()
