"""state_dict and load_state_dict: keys, strictness, hooks, extra state, nothing half-written."""

from collections import OrderedDict

import pytest

import numtorch as nt
from numtorch import nn


def model():
    return nn.Sequential(OrderedDict(a=nn.Linear(2, 2), n=nn.BatchNorm1d(2), b=nn.Linear(2, 1)))


KEYS = [
    "a.weight",
    "a.bias",
    "n.weight",
    "n.bias",
    "n.running_mean",
    "n.running_var",
    "n.num_batches_tracked",
    "b.weight",
    "b.bias",
]


def test_keys_prefix_and_versions():
    m = model()
    state = m.state_dict()
    assert list(state) == KEYS
    assert state._metadata["n"] == {"version": 2}
    assert next(iter(m.state_dict(prefix="m."))) == "m.a.weight"
    assert not state["a.weight"].requires_grad
    assert m.state_dict(keep_vars=True)["a.weight"] is m.a.weight
    state["a.bias"].fill_(7.0)
    assert m.a.bias.tolist() == [7.0, 7.0]


def test_round_trip():
    m, other = model(), model()
    result = other.load_state_dict(m.state_dict())
    assert str(result) == repr(result) == "<All keys matched successfully>"
    x = nt.ones(3, 2)
    assert nt.equal(m.eval()(x), other.eval()(x))


def test_strict_messages():
    m = model()
    state = m.state_dict()
    del state["a.bias"]
    state["c.weight"] = nt.ones(1)
    with pytest.raises(RuntimeError) as info:
        m.load_state_dict(state)
    assert str(info.value) == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "a.bias". \n'
        '\tUnexpected key(s) in state_dict: "c.weight". '
    )
    result = m.load_state_dict(state, strict=False)
    assert result.missing_keys == ["a.bias"]
    assert result.unexpected_keys == ["c.weight"]
    assert repr(result) == (
        "_IncompatibleKeys(missing_keys=['a.bias'], unexpected_keys=['c.weight'])"
    )


def test_size_mismatch_changes_nothing():
    m = model()
    before = {k: v.clone() for k, v in m.state_dict().items()}
    state = {k: v + 1 for k, v in m.state_dict().items()}
    state["b.weight"] = nt.ones(5, 5)
    with pytest.raises(RuntimeError) as info:
        m.load_state_dict(state)
    assert (
        "size mismatch for b.weight: copying a param with shape torch.Size([5, 5]) from "
        "checkpoint, the shape in current model is torch.Size([1, 2])."
    ) in str(info.value)
    assert all(nt.equal(v, before[k]) for k, v in m.state_dict().items())


def test_missing_key_changes_nothing():
    m = model()
    before = m.a.weight.clone()
    state = {k: v + 1 for k, v in m.state_dict().items() if k != "b.bias"}
    with pytest.raises(RuntimeError, match="Missing key"):
        m.load_state_dict(state)
    assert nt.equal(m.a.weight, before)


def test_wrong_kinds():
    m = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        m.load_state_dict([])
    with pytest.raises(RuntimeError, match='the parameter named "weight", expected torch.Tensor'):
        m.load_state_dict({"weight": 3, "bias": nt.ones(1)})


def test_old_scalars_have_one_dimension():
    m = nn.BatchNorm1d(1)
    state = m.state_dict()
    state["num_batches_tracked"] = nt.tensor([5])
    m.load_state_dict(state)
    assert m.num_batches_tracked.item() == 5


def test_old_batch_norms_have_no_counter():
    m = nn.BatchNorm1d(1)
    state = m.state_dict()
    del state["num_batches_tracked"]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        m.load_state_dict(state)
    state._metadata[""]["version"] = 1
    m.load_state_dict(state)


def test_assign_takes_the_tensors():
    m = nn.Linear(2, 2)
    state = {"weight": nt.ones(2, 2, dtype=nt.float64), "bias": nn.Parameter(nt.ones(2))}
    m.load_state_dict(state, assign=True)
    assert m.weight.dtype is nt.float64
    assert isinstance(m.weight, nn.Parameter)
    assert m.bias is state["bias"]


def test_values_are_cast_otherwise():
    m = nn.Linear(1, 1)
    m.load_state_dict({"weight": nt.ones(1, 1, dtype=nt.float64), "bias": nt.ones(1)})
    assert m.weight.dtype is nt.float32


class Counted(nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 0

    def get_extra_state(self):
        return {"count": self.count}

    def set_extra_state(self, state):
        self.count = state["count"]


def test_extra_state():
    m = nn.Sequential(Counted())
    m[0].count = 3
    state = m.state_dict()
    assert state == {"0._extra_state": {"count": 3}}
    other = nn.Sequential(Counted())
    other.load_state_dict(state)
    assert other[0].count == 3
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        nn.Sequential(nn.ReLU()).load_state_dict(state)


def test_saving_hooks():
    m = nn.Linear(1, 1)
    m.register_state_dict_pre_hook(lambda mod, prefix, keep_vars: seen.append(prefix))
    m.register_state_dict_post_hook(lambda mod, state, prefix, meta: state.update(extra=1))
    seen = []
    state = m.state_dict(prefix="p.")
    assert seen == ["p."]
    assert list(state) == ["p.weight", "p.bias", "extra"]
    m.register_state_dict_post_hook(lambda *args: {})
    with pytest.raises(RuntimeError, match="state_dict post-hook must return None"):
        m.state_dict()


def test_private_saving_hooks_may_replace_the_state():
    m = nn.Linear(1, 1)
    handle = m._register_state_dict_hook(lambda mod, state, prefix, meta: {"replaced": prefix})
    assert m.state_dict(prefix="p.") == {"replaced": "p."}
    handle.remove()
    assert list(m.state_dict()) == ["weight", "bias"]


def test_loading_hooks():
    m = nn.Linear(1, 1)

    def rename(mod, state, prefix, *rest):
        assert mod is m
        state[prefix + "weight"] = state.pop(prefix + "w")

    handle = m.register_load_state_dict_pre_hook(rename)
    given = {"w": nt.full((1, 1), 5.0)}

    def forgive(mod, keys):
        assert mod.weight.item() == 5.0
        keys.missing_keys.clear()

    forgiving = m.register_load_state_dict_post_hook(forgive)
    assert m.load_state_dict(given).missing_keys == []
    assert list(given) == ["w"]
    handle.remove()
    forgiving.remove()
    m.register_load_state_dict_post_hook(lambda mod, keys: keys)
    with pytest.raises(AssertionError, match="not expected to return new values"):
        m.load_state_dict({"weight": nt.ones(1, 1), "bias": nt.ones(1)})


def test_positional_arguments_warn():
    with pytest.warns(FutureWarning, match="Positional args are being deprecated"):
        assert list(nn.Linear(1, 1).state_dict({}, "p.")) == ["p.weight", "p.bias"]
