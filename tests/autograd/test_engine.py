"""backward and grad: accumulation, retained graphs, hooks, errors that leave everything as it
was.
"""

import gc
import threading
import weakref

import numpy as np
import pytest

import numtorch as nt


def leaf(*values):
    return nt.tensor(values, requires_grad=True)


def test_gradients_add_up_in_leaves():
    x = leaf(1.0, 2.0)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.grad.tolist() == [4, 8]
    x.grad = None
    (3 * x).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_one_gradient_is_not_shared_by_two_leaves():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).backward()
    x.grad.add_(1)
    assert y.grad.tolist() == [1]


def test_the_given_gradient_is_not_the_leafs():
    x, g = leaf(1.0, 1.0), nt.ones(2)
    x.backward(g)
    x.grad.zero_()
    assert g.tolist() == [1, 1]


def test_diamond_and_shared_subexpressions():
    x = leaf(3.0)
    y = x * x
    ((y + y) * y).backward()
    assert x.grad.item() == pytest.approx(8 * 27)


def test_backward_twice_needs_retain_graph():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    assert x.grad.item() == 8


def test_errors_of_backward():
    x = leaf(1.0, 2.0)
    with pytest.raises(
        RuntimeError, match="grad can be implicitly created only for scalar outputs"
    ):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match=r"Mismatch in shape: grad_output\[0\]"):
        (x * 2).backward(nt.ones(3))
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        nt.ones(1).backward()
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        nt.autograd.grad((x * 2).sum(), leaf(1.0))
    assert x.grad is None


def test_grad_allow_unused_and_materialize():
    x, z = leaf(1.0), leaf(1.0, 1.0)
    y = (x * 2).sum()
    assert nt.autograd.grad(y, (x, z), allow_unused=True, retain_graph=True)[1] is None
    assert nt.autograd.grad(y, (x, z), materialize_grads=True)[1].tolist() == [0, 0]
    assert x.grad is None


def test_inputs_of_backward():
    x, z = leaf(1.0), leaf(2.0)
    (x * z).backward(inputs=[x])
    assert x.grad.item() == 2 and z.grad is None


def test_a_failing_derivative_leaves_grads_alone():
    class Fails(nt.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise ValueError("no")

    x, y = leaf(1.0), leaf(1.0)
    out = Fails.apply(x) + y * 2
    with pytest.raises(ValueError, match="no"):
        out.backward()
    assert x.grad is None and y.grad is None
    (y * 3).backward()
    assert y.grad.item() == 3


def test_version_counter():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(
        RuntimeError,
        match=r"modified by an inplace operation: \[torch.FloatTensor \[2\]\], which is output 0 "
        r"of "
        r"Add, is at version 1; expected version 0 instead",
    ):
        z.sum().backward()
    w = x * 2
    out = w.exp()
    out.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_only_needed_inputs_are_saved():
    x, y = leaf(1.0), nt.tensor([3.0])
    z = x * y
    x.data.mul_(5)  # only y is needed for the gradient of x
    z.backward()
    assert x.grad.item() == 3


def test_leaf_rules():
    x = leaf(1.0)
    with pytest.raises(
        RuntimeError,
        match="a leaf Variable that requires grad is being used in an in-place operation",
    ):
        x.add_(1)
    with pytest.raises(
        RuntimeError,
        match="a view of a leaf Variable that requires grad is being used in an in-place",
    ):
        x[0:1].add_(1)
    assert x.item() == 1 and x._version == 0
    with nt.no_grad():
        x.add_(1)
    assert x.item() == 2 and x._version == 1
    with pytest.raises(
        RuntimeError, match="you can only change requires_grad flags of leaf variables"
    ):
        (x * 2).requires_grad_(False)
    with pytest.raises(RuntimeError, match="only Tensors of floating point"):
        nt.ones(2, dtype=nt.int64).requires_grad_()


def test_in_place_on_views_rewrites_the_base():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 1
    first = y[0]
    y[1:].mul_(10)
    first.mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [2, 10, 10]
    a = nt.zeros(3)
    a[1] = leaf(5.0)[0] * 2
    assert a.requires_grad and a.grad_fn is not None


def test_views_made_without_grad_refuse_changes():
    y = leaf(1.0, 2.0) * 1
    with nt.no_grad():
        v = y[0]
    with pytest.raises(
        RuntimeError, match="A view was created in no_grad mode and is being modified inplace"
    ):
        v.mul_(leaf(2.0)[0])
    part = y.unbind()[0]
    with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
        part.mul_(2)


def test_hooks():
    x = leaf(1.0, 2.0)
    seen = []
    y = x * 2
    handle = y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    x.register_post_accumulate_grad_hook(lambda t: seen.append("done"))
    y.sum().backward()
    assert x.grad.tolist() == [21, 21] and seen == [[1, 1], "done"]
    handle.remove()
    with pytest.raises(
        RuntimeError, match="cannot register a hook on a tensor that doesn't require gradient"
    ):
        nt.ones(1).register_hook(print)


def test_retain_grad():
    x = leaf(1.0)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    assert y.grad.item() == 6 and y.retains_grad and not x.retains_grad
    with pytest.raises(
        RuntimeError, match="can't retain_grad on Tensor that has requires_grad=False"
    ):
        nt.ones(1).retain_grad()


def test_grad_modes():
    x = leaf(1.0)
    with nt.no_grad():
        assert not (x * 2).requires_grad
        with nt.enable_grad():
            assert (x * 2).requires_grad
    with nt.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad and nt.is_grad_enabled()

    @nt.no_grad()
    def f():
        return x * 2

    assert not f().requires_grad
    with nt.inference_mode():
        assert not (x * 2).requires_grad and nt.is_inference_mode_enabled()


def test_deep_chain_needs_no_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1


def test_graphs_are_freed_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        x = nt.ones(10, requires_grad=True)
        y = (x.exp() * x).tanh()
        alive = weakref.ref(y)
        node = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert alive() is None and node() is None
    finally:
        gc.enable()


def test_backward_from_threads():
    x = nt.ones(50, requires_grad=True)
    outputs = [(x * i).sum() for i in range(8)]
    threads = [threading.Thread(target=o.backward) for o in outputs]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert x.grad.tolist() == [28.0] * 50


def test_node_names_and_next_functions():
    x = leaf(1.0, 2.0)
    y = (x * 2).sum()
    assert y.grad_fn.name() == "SumBackward0"
    ((mul, _),) = y.grad_fn.next_functions
    assert mul.name() == "MulBackward0"
    assert mul.next_functions[0][0].variable is x
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<MulBackward0>)"


def test_detach():
    x = leaf(1.0)
    y = (x * 2).detach()
    assert not y.requires_grad and y.grad_fn is None
    y.add_(1)
    assert y.item() == 3


def test_higher_derivatives():
    x = leaf(2.0)
    y = x**4
    for want in (32, 48, 48, 24):
        (y,) = nt.autograd.grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(want)


def test_a_gradient_that_is_a_view_is_kept_only_if_nobody_else_sees_its_memory():
    x = nt.zeros(2, 3, 4, 5, requires_grad=True)
    nt.nn.functional.max_pool2d(x.permute(0, 3, 1, 2), 1).sum().backward()
    assert x.grad._view is not None and x.grad.tolist() == nt.ones(2, 3, 4, 5).tolist()

    given = nt.ones(3, 2)
    x = nt.zeros(2, 3, requires_grad=True)
    x.reshape(3, 2).backward(given)
    array = np.ones((3, 2), np.float32)
    y = nt.zeros(2, 3, requires_grad=True)
    y.reshape(3, 2).backward(nt.from_numpy(array))
    a, b = (nt.zeros(2, 3, requires_grad=True) for _ in range(2))
    ((a.view(6) + b.view(6)) * 2).sum().backward()
    for leaf in (x, y, a):
        leaf.grad.zero_()
    assert given.sum() == 6 and array.sum() == 6 and b.grad.sum() == 12
