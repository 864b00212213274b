"""Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from collections import OrderedDict

import pytest

import numtorch as nt
from numtorch import nn


def kinds(modules):
    return [type(m).__name__ for m in modules]


def test_sequential_like_a_list():
    s = nn.Sequential(nn.ReLU(), nn.Tanh())
    assert len(s) == 2
    assert s.append(nn.GELU()) is s
    s.insert(-1, nn.SiLU())
    assert kinds(s) == ["ReLU", "Tanh", "SiLU", "GELU"]
    assert kinds(s[1:3]) == ["Tanh", "SiLU"]
    assert type(s[-1]).__name__ == "GELU"
    assert type(s.pop(0)).__name__ == "ReLU"
    assert list(s._modules) == ["0", "1", "2"]
    del s[0:2]
    assert kinds(s) == ["GELU"]
    s[0] = nn.Tanh()
    s.extend([nn.ReLU()])
    assert kinds(s + nn.Sequential(nn.ELU())) == ["Tanh", "ReLU", "ELU"]
    assert kinds(s * 2) == kinds(2 * s) == ["Tanh", "ReLU", "Tanh", "ReLU"]
    s *= 2
    s += nn.Sequential(nn.ELU())
    assert len(s) == 5
    assert s(nt.ones(2)).shape == (2,)


def test_sequential_of_names():
    s = nn.Sequential(OrderedDict(first=nn.ReLU(), second=nn.Tanh()))
    assert isinstance(s.second, nn.Tanh)
    assert list(s[1:]._modules) == ["second"]


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda s: s[5], IndexError, "index 5 is out of range"),
        (lambda s: s[-2], IndexError, "index -2 is out of range"),
        (lambda s: s + [1], ValueError, "only objects of Sequential class"),
        (lambda s: s * 0, ValueError, "Non-positive multiplication factor 0"),
        (lambda s: s * "a", TypeError, "unsupported operand type"),
        (lambda s: s.append(3), TypeError, "int is not a Module subclass"),
        (lambda s: s.insert(0, 3), AssertionError, "module should be of type"),
        (lambda s: s.insert(5, nn.ReLU()), IndexError, "Index out of range: 5"),
    ],
)
def test_sequential_errors(attempt, error, message):
    with pytest.raises(error) as info:
        attempt(nn.Sequential(nn.ReLU()))
    assert message in str(info.value)


def test_module_list():
    ml = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
    assert repr(ml) == (
        "ModuleList(\n"
        "  (0-1): 2 x Linear(in_features=1, out_features=1, bias=True)\n"
        "  (2): ReLU()\n"
        ")"
    )
    ml += [nn.Tanh()]
    ml.insert(0, nn.GELU())
    assert kinds(ml) == ["GELU", "Linear", "Linear", "ReLU", "Tanh"]
    assert kinds(ml[-2:]) == ["ReLU", "Tanh"]
    assert type(ml.pop(0)).__name__ == "GELU"
    del ml[:2]
    assert kinds(ml + ml) == ["ReLU", "Tanh", "ReLU", "Tanh"]
    ml[1] = nn.SiLU()
    assert kinds(ml) == ["ReLU", "SiLU"]
    assert repr(nn.ModuleList()) == "ModuleList()"
    with pytest.raises(IndexError, match="index 9 is out of range"):
        ml[9]
    with pytest.raises(TypeError, match="should be called with an iterable, but got int"):
        ml.extend(3)
    with pytest.raises(NotImplementedError):
        ml(1)


def test_module_dict():
    md = nn.ModuleDict({"b": nn.ReLU(), "a": nn.Tanh()})
    md["c"] = nn.GELU()
    md.update([("b", nn.SiLU())])
    md.update(nn.ModuleDict({"d": nn.ELU()}))
    assert list(md) == list(md.keys()) == ["b", "a", "c", "d"]
    assert kinds(md.values()) == ["SiLU", "Tanh", "GELU", "ELU"]
    assert dict(md.items())["c"] is md["c"]
    assert "a" in md
    assert type(md.pop("a")).__name__ == "Tanh"
    del md["b"]
    assert len(md) == 2
    md.clear()
    assert not len(md)
    with pytest.raises(TypeError, match="iterable of key/value pairs, but got int"):
        md.update(3)
    with pytest.raises(ValueError, match="has length 1; 2 is required"):
        md.update([("a",)])
    with pytest.raises(TypeError, match="#0 should be Iterable"):
        md.update([1])


def test_parameter_list():
    pl = nn.ParameterList([nn.Parameter(nt.ones(2)), nt.ones(2, 3), "note"])
    assert isinstance(pl[1], nn.Parameter)
    assert [n for n, _ in pl.named_parameters()] == ["0", "1"]
    assert repr(pl) == (
        "ParameterList(\n"
        "    (0): Parameter containing: [torch.float32 of size 2]\n"
        "    (1): Parameter containing: [torch.float32 of size 2x3]\n"
        "    (2): Object of type: str\n"
        ")"
    )
    pl += [nt.zeros(1)]
    pl[0] = nt.zeros(4)
    assert [tuple(getattr(p, "shape", ())) for p in pl] == [(4,), (2, 3), (), (1,)]
    assert len(pl[1:]) == 3
    assert list(pl.state_dict()) == ["0", "1", "3"]
    with pytest.raises(IndexError, match="index 7 is out of range"):
        pl[7]
    with pytest.raises(TypeError, match="iterable, but got Tensor"):
        pl.extend(nt.ones(2))
    with pytest.raises(RuntimeError, match="ParameterList should not be called"):
        pl()


def test_parameter_dict():
    pd = nn.ParameterDict({"b": nt.ones(2), "a": nn.Parameter(nt.ones(1))})
    assert list(pd) == ["a", "b"]
    assert list(nn.ParameterDict(OrderedDict(b=nt.ones(1), a=nt.ones(1)))) == ["b", "a"]
    assert repr(pd) == (
        "ParameterDict(\n"
        "    (a): Parameter containing: [torch.FloatTensor of size 1]\n"
        "    (b): Parameter containing: [torch.FloatTensor of size 2]\n"
        ")"
    )
    assert pd.setdefault("c", nt.zeros(1)) is pd["c"]
    assert pd.get("no", 4) == 4
    merged = pd | {"d": nt.ones(1)}
    assert list(merged) == ["a", "b", "c", "d"]
    assert merged["a"] is pd["a"]
    pd |= {"e": nt.ones(1)}
    assert list(reversed(pd)) == ["e", "c", "b", "a"]
    key, value = pd.popitem()
    assert (key, value.shape) == ("e", (1,))
    assert pd.pop("c").shape == (1,)
    assert list(pd.fromkeys(["x", "y"], nt.ones(1))) == ["x", "y"]
    assert [k for k, _ in pd.items()] == list(pd.keys())
    assert len(list(pd.values())) == len(pd) == 2
    pd.clear()
    assert not list(pd.parameters())
    with pytest.raises(TypeError, match="cannot be used as a key as it is not a string"):
        pd[3]
    with pytest.raises(TypeError, match="iterable of key/value pairs, but got int"):
        pd.update(3)
    with pytest.raises(RuntimeError, match="ParameterDict should not be called"):
        pd(1)
