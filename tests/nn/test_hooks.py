"""Hooks of modules: before and after forward, on the way back, on registration, of all modules."""

import pytest

import numtorch as nt
from numtorch import nn
from numtorch.nn.modules import module as hooks


class Scale(nn.Module):
    def forward(self, x, factor=2.0):
        return x * factor


def test_forward_pre_hook_replaces_arguments():
    m = Scale()
    handle = m.register_forward_pre_hook(lambda mod, args: args[0] + 1)
    assert m(nt.ones(1)).item() == 4
    handle.remove()
    assert m(nt.ones(1)).item() == 2


def test_forward_pre_hook_with_kwargs():
    m = Scale()
    m.register_forward_pre_hook(lambda mod, a, k: (a, {"factor": 5.0}), with_kwargs=True)
    assert m(nt.ones(1)).item() == 5
    m = Scale()
    m.register_forward_pre_hook(lambda mod, a, k: 3, with_kwargs=True)
    with pytest.raises(RuntimeError, match="forward pre-hook must return None or a tuple"):
        m(nt.ones(1))


def test_forward_hooks_run_in_order():
    m, seen = Scale(), []
    m.register_forward_hook(lambda mod, args, out: seen.append("a"))
    m.register_forward_hook(lambda mod, args, out: out + 10)
    m.register_forward_hook(lambda *args: seen.append("first"), prepend=True)
    m.register_forward_hook(lambda mod, a, k, out: seen.append(k), with_kwargs=True)
    assert m(nt.ones(1), factor=3.0).item() == 13
    assert seen == ["first", "a", {"factor": 3.0}]


def test_always_call_hooks_see_failures():
    class Broken(nn.Module):
        def forward(self):
            raise ValueError("broken")

    m, seen = Broken(), []
    m.register_forward_hook(lambda mod, args, out: seen.append(out), always_call=True)
    m.register_forward_hook(lambda mod, args, out: seen.append("not this"))
    with pytest.raises(ValueError, match="broken"):
        m()
    assert seen == [None]
    m.register_forward_hook(lambda *args: 1 // 0, always_call=True)
    with (
        pytest.warns(UserWarning, match="raised an exception that was silenced"),
        pytest.raises(ValueError, match="broken"),
    ):
        m()


def test_full_backward_hook_sees_both_sides():
    m, seen = nn.Linear(2, 3), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((gi, go)))
    x = nt.ones(4, 2, requires_grad=True)
    m(x).sum().backward()
    ((grad_in,), (grad_out,)) = seen[0]
    assert grad_in.shape == (4, 2)
    assert grad_out.shape == (4, 3)
    assert nt.equal(grad_in, x.grad)


def test_full_backward_hook_replaces_gradients():
    m = nn.Linear(2, 3)
    m.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 0,))
    x = nt.ones(4, 2, requires_grad=True)
    m(x).sum().backward()
    assert float(x.grad.abs().sum()) == 0


def test_full_backward_hook_without_input_gradient():
    m, seen = nn.Linear(2, 3), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append(gi))
    m(nt.ones(4, 2)).sum().backward()
    assert seen == [(None,)]
    m.register_full_backward_hook(lambda mod, gi, go: (nt.ones(1),))
    with pytest.raises(RuntimeError, match="no input requires gradient"):
        m(nt.ones(4, 2)).sum().backward()


def test_backward_pre_hook_changes_the_output_gradient():
    m = Scale()
    m.register_full_backward_pre_hook(lambda mod, go: (go[0] * 10,))
    x = nt.ones(1, requires_grad=True)
    m(x).sum().backward()
    assert x.grad.item() == 20
    m.register_full_backward_pre_hook(lambda mod, go: (go[0], go[0]))
    with pytest.raises(RuntimeError, match="Backward pre hook returned an invalid number"):
        m(x).sum().backward()


def test_backward_hook_returns_one_gradient_per_input():
    m = Scale()
    m.register_full_backward_hook(lambda mod, gi, go: (gi[0], gi[0]))
    x = nt.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"invalid number of grad_input, got 2, but expected 1"):
        m(x).sum().backward()


def test_backward_hook_and_an_output_that_is_not_used():
    class Leak(nn.Module):
        def forward(self, x):
            self.inner = x * 2
            return x * 3

    m = Leak()
    m.register_full_backward_hook(lambda mod, gi, go: None)
    x = nt.ones(1, requires_grad=True)
    m(x)
    with pytest.raises(RuntimeError, match="called before the grad_output one"):
        m.inner.sum().backward()


def test_backward_hooks_warn_about_other_outputs():
    class Dict(nn.Module):
        def forward(self, x):
            return {"y": x}

    m = Dict()
    m.register_full_backward_hook(lambda mod, gi, go: None)
    with pytest.warns(UserWarning, match="output should be a Tensor or a tuple of Tensors"):
        m(nt.ones(1, requires_grad=True))


def test_kinds_of_backward_hooks_do_not_mix():
    m = Scale()
    m.register_backward_hook(lambda *a: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        m.register_full_backward_hook(lambda *a: None)


def test_tuples_pass_backward_hooks():
    class Two(nn.Module):
        def forward(self, x, y, flag):
            return x * 2, y * 3, flag

    m, seen = Two(), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((len(gi), len(go), gi[2])))
    x, y = nt.ones(1, requires_grad=True), nt.ones(1, requires_grad=True)
    a, b, flag = m(x, y, "flag")
    assert flag == "flag"
    (a + b).sum().backward()
    assert seen == [(3, 3, None)]
    assert (x.grad.item(), y.grad.item()) == (2, 3)


def test_hooks_of_all_modules():
    seen = []
    handles = [
        hooks.register_module_forward_pre_hook(lambda mod, args: seen.append("pre")),
        hooks.register_module_forward_hook(lambda mod, args, out: seen.append("post")),
        hooks.register_module_full_backward_hook(lambda mod, gi, go: seen.append("back")),
        hooks.register_module_full_backward_pre_hook(lambda mod, go: seen.append("before")),
    ]
    Scale()(nt.ones(1, requires_grad=True)).sum().backward()
    for handle in handles:
        handle.remove()
    Scale()(nt.ones(1))
    assert seen == ["pre", "post", "before", "back"]


def test_registration_hooks_may_replace():
    other = nn.Tanh()
    handle = hooks.register_module_module_registration_hook(lambda mod, name, new: other)
    m = nn.Sequential(nn.ReLU())
    handle.remove()
    assert m[0] is other
    seen = []
    handles = [
        hooks.register_module_parameter_registration_hook(lambda m, n, p: seen.append(n)),
        hooks.register_module_buffer_registration_hook(lambda m, n, b: seen.append(n)),
    ]
    nn.BatchNorm1d(1)
    for handle in handles:
        handle.remove()
    assert seen == ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
