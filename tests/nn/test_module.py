"""Module: registration, attributes, walking, modes, printing, copies, error notes."""

import copy
import gc
import pickle
import weakref

import pytest

import numtorch as nt
from numtorch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 3)
        self.register_buffer("scale", nt.ones(3))
        self.register_buffer("scratch", nt.zeros(3), persistent=False)

    def forward(self, x):
        return self.fc(x) * self.scale


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = Block()
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 1)])
        self.shift = nn.Parameter(nt.zeros(1))

    def forward(self, x):
        x = self.block(x)
        for layer in self.layers:
            x = layer(x)
        return x + self.shift


NAMES = [
    "shift",
    "block.fc.weight",
    "block.fc.bias",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.weight",
    "layers.1.bias",
]


def test_walks_the_tree():
    net = Net()
    assert [n for n, _ in net.named_parameters()] == NAMES
    assert [n for n, _ in net.named_buffers()] == ["block.scale", "block.scratch"]
    assert [n for n, _ in net.named_children()] == ["block", "layers"]
    assert [n for n, _ in net.named_modules()] == [
        "",
        "block",
        "block.fc",
        "layers",
        "layers.0",
        "layers.1",
    ]
    assert [n for n, _ in net.named_parameters(recurse=False)] == ["shift"]
    assert next(n for n, _ in net.named_parameters(prefix="net")) == "net.shift"
    assert len(list(net.parameters())) == 7
    assert len(list(net.buffers())) == 2
    assert len(list(net.modules())) == 6


def test_shared_objects_are_met_once_unless_asked():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, layer)
    assert len(list(net.parameters())) == 2
    assert len(list(net.named_parameters(remove_duplicate=False))) == 4
    assert len(list(net.modules())) == 2
    assert len(list(net.modules(remove_duplicate=False))) == 3


def test_register_module_is_add_module():
    net = nn.Module()
    net.register_module("child", nn.ReLU())
    assert [n for n, _ in net.named_children()] == ["child"] and net.child is net._modules["child"]


def test_share_memory_keeps_the_parameters():
    layer = nn.Linear(2, 3)
    before = list(layer.parameters())
    assert layer.share_memory() is layer
    assert all(p is q for p, q in zip(layer.parameters(), before, strict=True))


def test_paths():
    net = Net()
    assert net.get_submodule("layers.1") is net.layers[1]
    assert net.get_submodule("") is net
    assert net.get_parameter("block.fc.weight") is net.block.fc.weight
    assert net.get_buffer("block.scale") is net.block.scale
    net.set_submodule("block.fc", nn.Identity())
    assert isinstance(net.block.fc, nn.Identity)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda n: n.get_submodule("block.no"), "Block has no attribute `no`"),
        (lambda n: n.get_submodule("shift"), "`shift` is not an nn.Module"),
        (lambda n: n.get_parameter("block.scale"), "`scale` is not an nn.Parameter"),
        (lambda n: n.get_parameter("block.no"), "Block has no attribute `no`"),
        (lambda n: n.get_buffer("block.fc"), "`fc` is not a buffer"),
        (lambda n: n.set_submodule("no", nn.ReLU(), strict=True), "Net has no attribute `no`"),
        (lambda n: n.missing, "'Net' object has no attribute 'missing'"),
    ],
)
def test_wrong_paths(attempt, message):
    with pytest.raises(AttributeError) as info:
        attempt(Net())
    assert str(info.value) == message


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda m: m.register_buffer("a.b", None), KeyError, 'buffer name can\'t contain "."'),
        (lambda m: m.register_buffer("", None), KeyError, "can't be empty"),
        (lambda m: m.register_buffer("forward", None), KeyError, "'forward' already exists"),
        (lambda m: m.register_buffer(3, None), TypeError, "should be a string. Got int"),
        (lambda m: m.register_buffer("b", 3), TypeError, "cannot assign 'int' object to buffer"),
        (lambda m: m.register_parameter("p", 3), TypeError, "torch.nn.Parameter or None required"),
        (lambda m: m.register_parameter("fc", None), KeyError, "attribute 'fc' already exists"),
        (lambda m: m.add_module("x", 3), TypeError, "int is not a Module subclass"),
        (lambda m: m.add_module("a.b", nn.ReLU()), KeyError, "got: a.b"),
        (lambda m: setattr(m, "fc", 3), TypeError, "as child module 'fc'"),
        (lambda m: setattr(m.fc, "weight", nt.ones(1)), TypeError, "as parameter 'weight'"),
        (lambda m: setattr(m, "scale", 3), TypeError, "as buffer 'scale'"),
        (lambda m: m.train(1), ValueError, "training mode is expected to be boolean"),
    ],
)
def test_wrong_registrations(attempt, error, message):
    with pytest.raises(error) as info:
        attempt(Block())
    assert message in info.value.args[0]


def test_a_parameter_must_be_a_leaf():
    product = nn.Parameter(nt.ones(2)) * 2
    product.__class__ = nn.Parameter
    with pytest.raises(ValueError, match="Cannot assign non-leaf Tensor to parameter 'w'"):
        nn.Module().register_parameter("w", product)


def test_assignment_before_init():
    class Hasty(nn.Module):
        def __init__(self, value):
            self.value = value

    with pytest.raises(AttributeError, match="cannot assign parameters before"):
        Hasty(nn.Parameter(nt.ones(1)))
    with pytest.raises(AttributeError, match="cannot assign module before"):
        Hasty(nn.ReLU())


def test_init_takes_no_arguments():
    with pytest.raises(TypeError, match=r"Tanh.__init__\(\) takes 1 positional argument but 2"):
        nn.Tanh(1)
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'a'"):
        nn.Tanh(a=1)


def test_names_move_between_kinds():
    module = nn.Module()
    module.x = 3
    module.x = nn.Parameter(nt.ones(1))
    assert "x" in module._parameters
    module.x = None
    assert module._parameters == {"x": None}
    del module.x
    module.x = nn.ReLU()
    assert list(module._modules) == ["x"]
    module.x = nn.Parameter(nt.ones(1))
    assert not module._modules
    del module.x
    assert not hasattr(module, "x")


def test_buffer_objects_register_themselves():
    module = nn.Module()
    module.a = nn.Buffer(nt.ones(1))
    module.b = nn.Buffer(nt.ones(1), persistent=False)
    assert list(module._buffers) == ["a", "b"]
    assert list(module.state_dict()) == ["a"]
    module.b = nt.zeros(1)
    assert list(module.state_dict()) == ["a"]


def test_forward_is_required():
    with pytest.raises(NotImplementedError, match=r"Module \[Module\] is missing the required"):
        nn.Module()(1)


def test_modes_and_gradients():
    net = Net()
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.train()
    assert all(m.training for m in net.modules())
    net(nt.ones(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_apply_goes_children_first():
    seen = []
    Net().apply(lambda m: seen.append(type(m).__name__))
    assert seen == ["Linear", "Block", "Linear", "Linear", "ModuleList", "Net"]


def test_conversion_keeps_the_parameters():
    net = Net()
    before = list(net.parameters())
    net(nt.ones(1, 2)).sum().backward()
    assert net.double() is net
    after = list(net.parameters())
    assert all(a is b for a, b in zip(before, after, strict=True))
    assert all(p.dtype is nt.float64 and p.grad.dtype is nt.float64 for p in after)
    assert net.block.scale.dtype is nt.float64
    net.to("cpu", nt.float32)
    assert net.shift.dtype is nt.float32
    net.to(nt.ones(1, dtype=nt.float64))
    assert net.shift.dtype is nt.float64
    net.float().cpu()
    assert net.shift.dtype is nt.float32
    net.to_empty(device="cpu")
    assert net.block.fc.weight.shape == (3, 2)


def test_conversion_takes_floating_dtypes_only():
    with pytest.raises(TypeError, match="only accepts floating point or complex dtypes"):
        nn.Linear(1, 1).to(nt.int64)
    norm = nn.BatchNorm1d(2).double()
    assert norm.num_batches_tracked.dtype is nt.int64


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (block): Block(\n"
        "    (fc): Linear(in_features=2, out_features=3, bias=True)\n"
        "  )\n"
        "  (layers): ModuleList(\n"
        "    (0): Linear(in_features=3, out_features=3, bias=True)\n"
        "    (1): Linear(in_features=3, out_features=1, bias=True)\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Module()) == "Module()"


def test_extra_repr_of_several_lines():
    class Wordy(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    assert repr(Wordy()) == "Wordy(\n  a=1\n  b=2\n)"


def test_dir_lists_members():
    names = dir(Net())
    assert {"block", "shift", "forward"} <= set(names)
    assert "0" not in dir(Net().layers)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_share_nothing(clone):
    net = Net()
    twin = clone(net)
    assert repr(twin) == repr(net)
    x = nt.ones(2, 2)
    assert nt.equal(net(x), twin(x))
    with nt.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert net.block.fc.weight.abs().sum().item() > 0
    assert twin(x).abs().sum().item() == 0


def test_copies_keep_shared_parameters_shared():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight
    assert twin[0].weight is not net[0].weight


def test_errors_name_the_layer():
    with pytest.raises(RuntimeError) as info:
        Net()(nt.ones(2, 5))
    assert info.value.__notes__ == [
        "in layer 'block.fc' of Net: Linear(in_features=2, out_features=3, bias=True)"
    ]
    with pytest.raises(RuntimeError) as info:
        nn.Linear(2, 3)(nt.ones(2, 5))
    assert info.value.__notes__ == ["in Linear(in_features=2, out_features=3, bias=True)"]
    net = Net()
    net.layers[1] = nn.Linear(4, 1)
    with pytest.raises(RuntimeError) as info:
        net(nt.ones(2, 2))
    assert info.value.__notes__ == [
        "in layer 'layers.1' of Net: Linear(in_features=4, out_features=1, bias=True)"
    ]


def test_signals_get_no_note():
    class Stop(nn.Module):
        def forward(self):
            raise StopIteration

    with pytest.raises(StopIteration) as info:
        Stop()()
    assert not hasattr(info.value, "__notes__")


def test_parameters_print_and_behave():
    p = nn.Parameter(nt.ones(2))
    assert repr(p) == "Parameter containing:\ntensor([1., 1.], requires_grad=True)"
    assert str(p) == f"{p}" == repr(p)
    assert p.is_leaf
    assert p.requires_grad
    assert type(p * 1) is nt.Tensor
    assert type(p.detach()) is nt.Tensor
    q = copy.deepcopy(p)
    assert type(q) is nn.Parameter
    assert q.requires_grad
    r = pickle.loads(pickle.dumps(nn.Parameter(nt.ones(1), requires_grad=False)))
    assert type(r) is nn.Parameter
    assert not r.requires_grad
    assert nn.Parameter().shape == (0,)
    data = nt.zeros(2)
    shared = nn.Parameter(data)
    with nt.no_grad():
        shared.fill_(3.0)
    assert data.tolist() == [3.0, 3.0]


def test_registries_may_be_changed_directly():
    net = Net()
    new = nn.Parameter(nt.ones(1))
    net._parameters["shift"] = new
    assert net.shift is new
    del net._parameters["shift"]
    assert not hasattr(net, "shift")
    net._parameters["shift"] = new
    net._parameters.clear()
    assert not hasattr(net, "shift")
    net._parameters.update(shift=new)
    assert net._parameters.setdefault("shift") is net.shift is new
    assert net._parameters.pop("shift") is new
    assert not hasattr(net, "shift")
    net._parameters |= {"a": new}
    assert net.a is new
    assert net._parameters.popitem() == ("a", new)
    assert not hasattr(net, "a")
    net._modules = {"only": nn.ReLU()}
    assert [n for n, _ in net.named_children()] == ["only"]
    assert not hasattr(net, "block")


def test_shallow_copies_have_their_own_registries():
    net = Net()
    twin = copy.copy(net)
    assert twin.shift is net.shift
    twin.shift = nn.Parameter(nt.ones(1))
    assert twin.shift is not net.shift


def test_modules_are_freed_at_once():
    net = Net()
    seen = weakref.ref(net.block.fc)
    gc.disable()
    try:
        del net
        assert seen() is None
    finally:
        gc.enable()
