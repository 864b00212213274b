"""Checkpoints cross between torch and numtorch in both directions."""

import io
import pickle
from collections import OrderedDict

import pytest

import numtorch as nt

torch = pytest.importorskip("torch")

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


def plain(obj):
    """`obj` with tensors as facts that both libraries can be compared by."""
    if isinstance(obj, (nt.Tensor, torch.Tensor)):
        facts = obj.stride(), obj.storage_offset(), obj.requires_grad, type(obj).__name__
        return str(obj.dtype), tuple(obj.shape), obj.tolist(), facts
    if isinstance(obj, dict):
        attributes = vars(obj) if hasattr(obj, "__dict__") else None
        return type(obj), {key: plain(value) for key, value in obj.items()}, attributes
    if isinstance(obj, (list, tuple)):
        return type(obj).__name__, [plain(value) for value in obj]
    return repr(obj)


def everything(lib):
    """What checkpoints hold, made with either library."""
    base = lib.arange(12.0)
    tensors = {name: lib.tensor([[0, 1], [1, 0]]).to(getattr(lib, name)) for name in DTYPES}
    state = OrderedDict(weight=base.view(3, 4), bias=base[2:5])
    state._metadata = OrderedDict([("", {"version": 1})])
    return {
        "tensors": tensors,
        "state": state,
        "turned": base.view(3, 4).t(),
        "wide": base[1:2].expand(4),
        "empty": lib.zeros(2, 0, 3),
        "number": lib.tensor(2.5),
        "grad": lib.ones(2, requires_grad=True),
        "parameters": [lib.nn.Parameter(lib.ones(2)), lib.nn.Parameter(lib.ones(1), False)],
        "optimizer": {"state": {0: {"step": 3, "m": lib.ones(3)}}, "groups": [{"lr": 1e-3}]},
        "plain": [None, True, -1, 2**40, 2**70, 1.5, "ü", (1, (2,)), b"\xff", {1, 2}, 1j],
        "names": [lib.Size([1, 2]), lib.float64, lib.device("cpu"), lib.device("cuda", 1)],
    }


def written_by(lib, obj):
    buffer = io.BytesIO()
    lib.save(obj, buffer)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("weights_only", [True, False])
def test_torch_loads_ours(weights_only):
    loaded = torch.load(written_by(nt, everything(nt)), weights_only=weights_only)
    assert plain(loaded) == plain(everything(torch))


def test_torch_maps_ours(tmp_path):
    nt.save(everything(nt), tmp_path / "x.pt")
    loaded = torch.load(tmp_path / "x.pt", mmap=True, weights_only=True)
    assert plain(loaded) == plain(everything(torch))


def test_we_load_torchs():
    assert plain(nt.load(written_by(torch, everything(torch)))) == plain(everything(nt))


@pytest.mark.parametrize("reader", [nt, torch])
@pytest.mark.parametrize("writer", [nt, torch])
def test_memory_stays_shared(reader, writer):
    loaded = reader.load(written_by(writer, everything(writer)))
    loaded["state"]["bias"].fill_(-1)
    assert loaded["state"]["weight"].flatten().tolist() == [0, 1, -1, -1, -1, *range(5, 12)]


def test_attributes_of_tensors():
    tensor, parameter = torch.ones(2), torch.nn.Parameter(torch.ones(2))
    tensor.note, parameter.note = "a", "b"
    loaded = nt.load(written_by(torch, [tensor, parameter]))
    assert [value.note for value in loaded] == ["a", "b"]


def test_modules_cross_over():
    theirs, ours = torch.nn.Linear(3, 2), nt.nn.Linear(3, 2)
    ours.load_state_dict(nt.load(written_by(torch, theirs.state_dict())))
    assert ours.weight.tolist() == theirs.weight.tolist()
    theirs.load_state_dict(torch.load(written_by(nt, ours.state_dict())))


@pytest.mark.parametrize("name", ["bfloat16", "float16", "complex64"])
def test_types_that_we_do_not_have(name):
    file = written_by(torch, {"x": torch.ones(2, dtype=getattr(torch, name))})
    if name in {str(value).removeprefix("torch.") for value in vars(nt).values()}:
        assert str(nt.load(file)["x"].dtype) == f"torch.{name}"
        return
    with pytest.raises(pickle.UnpicklingError, match=f"numtorch has no {name} tensors yet"):
        nt.load(file)


def test_uint16():
    with pytest.raises(pickle.UnpicklingError, match="does not have .uint16"):
        nt.load(written_by(torch, torch.ones(2, dtype=torch.uint16)))


def test_code_is_refused_by_both():
    file = written_by(torch, torch.nn.Linear(1, 1))
    for lib in (torch, nt):
        file.seek(0)
        with pytest.raises(pickle.UnpicklingError, match=r"GLOBAL torch.nn.modules.linear.Linear"):
            lib.load(file)


def test_old_format():
    buffer = io.BytesIO()
    torch.save([1], buffer, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="the format of torch before 1.6"):
        nt.load(io.BytesIO(buffer.getvalue()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripts():
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), buffer)
    with pytest.raises(RuntimeError, match="TorchScript program"):
        nt.load(io.BytesIO(buffer.getvalue()))
