"""Saving and loading: what comes back, what shares memory, what is refused, what survives."""

import io
import os
import zipfile
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from pickle import PicklingError

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cuda import compat


def again(obj, **options):
    """`obj` after saving and loading."""
    buffer = io.BytesIO()
    nt.save(obj, buffer)
    buffer.seek(0)
    return nt.load(buffer, **options)


DTYPES = [nt.bool, nt.uint8, nt.int8, nt.int16, nt.int32, nt.int64, nt.float32, nt.float64]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)], ids=str)
def test_tensors(dtype, shape):
    tensor = (nt.arange(int(np.prod(shape))).reshape(shape) % 2).to(dtype)
    loaded = again(tensor)
    assert (loaded.dtype, loaded.shape, loaded.stride()) == (dtype, shape, tensor.stride())
    assert loaded.tolist() == tensor.tolist()
    assert not loaded.requires_grad


@pytest.mark.parametrize(
    "value",
    [
        *(
            None,
            True,
            False,
            0,
            255,
            256,
            65535,
            65536,
            -1,
            2**31 - 1,
            2**31,
            -(2**31),
            -(2**31) - 1,
        ),
        *(2**63, -(2**63), 2**70, -(2**70), 1.5, -0.0, float("inf"), 1e-310, 1 + 2j),
        *("", "text", "ünï\U0001f600", "\ud800", b"", b"\x00\xff", bytearray(b"ab"), bytearray()),
        *((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2, [3]]], {}, {1: {"a": (None,)}}),
        *(
            pytest.param({1, "a", (2, 3)}, id="set of three"),
            set(),
            Counter("aab"),
            OrderedDict(b=1, a=2),
            list(range(2000)),
        ),
        *(nt.Size([2, 3]), nt.float64, nt.bool, nt.device("cpu"), nt.device("cuda", 1)),
        {str(i): i for i in range(1000)},
    ],
    ids=lambda value: repr(value)[:20],
)
def test_plain_data(value):
    loaded = again(value)
    assert type(loaded) is type(value)
    assert loaded == value
    assert repr(loaded) == repr(value)


def test_nan():
    assert np.isnan(again(float("nan")))


def test_requires_grad_and_parameters():
    leaf = again(nt.ones(2, requires_grad=True))
    assert leaf.requires_grad
    assert leaf.is_leaf
    for wanted in (True, False):
        parameter = again(nt.nn.Parameter(nt.ones(2), requires_grad=wanted))
        assert type(parameter) is nt.nn.Parameter
        assert parameter.requires_grad is wanted
    (leaf * 2).sum().backward()
    assert leaf.grad.tolist() == [2, 2]


def test_views_share_memory_again():
    base = nt.arange(12.0)
    views = {"whole": base, "rows": base.view(3, 4), "turned": base.view(3, 4).t(), "end": base[8:]}
    views |= {"wide": base[1:2].expand(5), "steps": base[1::3]}
    loaded = again(views)
    for name, view in views.items():
        assert loaded[name].stride() == view.stride()
        assert loaded[name].storage_offset() == view.storage_offset()
        assert nt.equal(loaded[name], view)
    loaded["end"].fill_(-1)
    assert loaded["rows"][2].tolist() == [-1] * 4
    assert loaded["whole"][7].item() == 7


def test_a_slice_carries_its_whole_storage():
    small, large = io.BytesIO(), io.BytesIO()
    part = nt.zeros(10000)[:2]
    nt.save(part, large)
    nt.save(part.clone(), small)
    assert large.tell() > 40000
    assert small.tell() < 4000


def test_the_same_object_comes_back_as_one():
    tensor, items = nt.ones(3), [1]
    loaded = again([tensor, tensor, items, {"again": items}, (items,)])
    assert loaded[0] is loaded[1]
    assert loaded[2] is loaded[3]["again"] is loaded[4][0]


def test_a_list_may_contain_itself():
    items = [1]
    items.append(items)
    loaded = again(items)
    assert loaded[1] is loaded


def test_metadata_of_a_state_dict():
    state = OrderedDict(weight=nt.ones(2))
    state._metadata = OrderedDict([("", {"version": 1})])
    loaded = again(state)
    assert loaded._metadata == state._metadata
    assert list(loaded) == ["weight"]


def test_state_of_a_module(tmp_path):
    model, other = nt.nn.Linear(3, 2), nt.nn.Linear(3, 2)
    nt.save(model.state_dict(), tmp_path / "model.pt")
    other.load_state_dict(nt.load(tmp_path / "model.pt"))
    assert nt.equal(model.weight, other.weight)


def test_loaded_tensors_can_be_written_to():
    loaded = again(nt.zeros(3))
    loaded.add_(1)
    assert loaded.tolist() == [1, 1, 1]


def test_equal_objects_give_equal_files(tmp_path):
    for name in ("a", "b"):
        nt.save({"x": nt.ones(3), "n": 1}, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("kind", [str, Path])
def test_paths(tmp_path, kind):
    path = kind(tmp_path / "x.pt")
    nt.save([1], path)
    assert nt.load(path) == [1]
    assert os.listdir(tmp_path) == ["x.pt"]
    with open(path, "rb") as file:
        assert nt.load(file) == [1]


def test_records_are_aligned():
    buffer = io.BytesIO()
    nt.save([nt.ones(n) for n in (1, 5, 100)], buffer)
    with zipfile.ZipFile(buffer) as archive:
        assert archive.testzip() is None
        names = [info.filename.removeprefix("archive/") for info in archive.infolist()]
        assert names == ["data.pkl", "byteorder", "data/0", "data/1", "data/2", "version"]
        for info in archive.infolist():
            header = buffer.getvalue()[info.header_offset :][:30]
            start = info.header_offset + 30 + header[26] + header[28] + 256 * header[29]
            assert start % 64 == 0


class Thing:
    """Something that is not plain data."""


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (Thing(), r"cannot save obj, a .*Thing"),
        ({"a": [0, Thing()]}, r"cannot save obj\['a'\]\[1\], a .*Thing"),
        ((1, 2, 3, lambda: 0), r"obj\[3\], a builtins.function"),
        ({"f": np.float64(1)}, r"obj\['f'\], a numpy.float64.*\.item\(\)"),
        ([np.ones(2)], r"obj\[0\], a numpy.ndarray.*as_tensor"),
        (defaultdict(list), "collections.defaultdict"),
        ({"model": nt.nn.Linear(1, 1)}, r"obj\['model'\].*Linear.*save its state_dict\(\)"),
        (2**3000, "an int of 376 bytes"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_other_objects_are_refused(tmp_path, obj, message):
    path = tmp_path / "x.pt"
    path.write_bytes(b"precious")
    with pytest.raises(PicklingError, match=message):
        nt.save(obj, path)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["x.pt"]


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.pt"
    nt.save([1], path)
    path.chmod(0o640)
    before = path.read_bytes()

    def fail(self, data):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile._ZipWriteFile, "write", fail)
        with pytest.raises(OSError, match="disk full"):
            nt.save([2], path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.pt"]
    nt.save([3], path)
    assert path.stat().st_mode & 0o777 == 0o640
    assert nt.load(path) == [3]


def test_links_are_followed(tmp_path):
    target, link = tmp_path / "target.pt", tmp_path / "link.pt"
    nt.save([1], target)
    link.symlink_to(target)
    nt.save([2], link)
    assert link.is_symlink()
    assert nt.load(target) == [2]
    nt.save([1], os.devnull)


def test_a_file_object_gets_nothing_when_saving_fails():
    buffer = io.BytesIO()
    with pytest.raises(PicklingError):
        nt.save([nt.ones(3), Thing()], buffer)
    assert buffer.getvalue() == b""


def test_argument_errors(tmp_path):
    with pytest.raises(RuntimeError, match="Parent directory .*nowhere does not exist"):
        nt.save([], tmp_path / "nowhere" / "x.pt")
    with pytest.raises(AttributeError, match="'write' attribute, got int"):
        nt.save([], 3)
    with pytest.raises(AttributeError, match="'read' attribute, got int"):
        nt.load(3)
    with pytest.raises(FileNotFoundError, match="missing"):
        nt.load(tmp_path / "missing.pt")
    with pytest.raises(IsADirectoryError):
        nt.save([], tmp_path)
    with pytest.raises(ValueError, match="pickle_protocol 2, got 4"):
        nt.save([], tmp_path / "x", pickle_protocol=4)
    with pytest.raises(ValueError, match="no pickle module"):
        nt.load(tmp_path / "x", pickle_module=os)
    with pytest.raises(ValueError, match="no pickle module, got os"):
        nt.save([], tmp_path / "x", pickle_module=os)


def test_map_location():
    calls = []

    def function(storage, location):
        calls.append((storage.shape, location))
        return storage

    tensors = [nt.ones(3), nt.ones(2, 2)]
    for location in (None, "cpu", nt.device("cpu"), {"cpu": "cpu"}, {}, lambda *_: None, function):
        loaded = again(tensors, map_location=location)
        assert [tensor.sum().item() for tensor in loaded] == [3, 4]
    assert calls == [((3,), "cpu"), ((4,), "cpu")]
    with pytest.raises(TypeError, match="got int"):
        again(tensors, map_location=lambda *_: 3)


def test_tensors_of_a_gpu_without_one(monkeypatch):
    monkeypatch.setattr(nt.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        again(nt.ones(2), map_location="cuda:0")
    with pytest.raises(RuntimeError, match=r"restore data location .*tagged with mps"):
        again(nt.ones(2), map_location="mps")


@pytest.mark.cuda
@pytest.mark.skipif(
    compat.MODE not in ("device", "simulator"), reason="needs a GPU or its simulator"
)
def test_tensors_of_a_gpu():
    base = nt.arange(6.0).cuda()
    buffer = io.BytesIO()
    nt.save([base, base.view(2, 3).t()], buffer)

    def loaded(**options):
        buffer.seek(0)
        return nt.load(buffer, **options)

    whole, turned = loaded()
    assert str(whole.device) == str(turned.device) == "cuda:0"
    assert turned.tolist() == [[0, 3], [1, 4], [2, 5]]
    whole.fill_(1)
    assert turned.tolist() == [[1, 1]] * 3
    for location in ("cpu", nt.device("cpu"), {"cuda:0": "cpu"}, lambda storage, _: storage):
        assert str(loaded(map_location=location)[1].device) == "cpu"
    moved = again(nt.ones(2), map_location=lambda storage, _: storage.cuda())
    assert str(moved.device) == "cuda:0"
