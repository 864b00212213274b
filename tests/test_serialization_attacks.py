"""Files that are damaged or malicious: none runs code, none gives a tensor outside its memory."""

import gzip
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pickle import UnpicklingError

import numpy as np
import pytest

import numtorch as nt
from numtorch.serialization.decoder import Decoder

HEAD = b"\x80\x02"
STORAGE = (
    b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ"
)
ORDERED = b"ccollections\nOrderedDict\n)R"


def decode(body):
    """The object of a pickle, whose storages have six float32 elements."""
    return Decoder(HEAD + body + b".", lambda *facts: nt.arange(6.0)).decode()


def tuple_of(*numbers):
    """The operations that make a tuple of ints."""
    return (
        b"(" + b"".join(b"\x8a\x08" + n.to_bytes(8, "little", signed=True) for n in numbers) + b"t"
    )


def tensor(offset, size, stride, storage=STORAGE, hooks=ORDERED):
    """The operations that make a tensor."""
    number = b"\x8a\x08" + offset.to_bytes(8, "little", signed=True)
    where = storage + number + tuple_of(*size) + tuple_of(*stride)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + where + b"\x89" + hooks + b"tR"


def test_the_pieces_are_right():
    assert decode(tensor(1, (2, 2), (1, 2))).tolist() == [[1, 3], [2, 4]]
    assert decode(tensor(0, (2, 3), (0, 1))).tolist() == [[0, 1, 2]] * 2
    assert decode(tensor(7, (0,), (1,))).shape == (0,)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (6, (), ()),
        (-1, (2,), (1,)),
        (0, (7,), (1,)),
        (1, (6,), (1,)),
        (0, (2, 3), (4, 1)),
        (5, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (2,), (1, 1)),
        (0, (2, 2), (1,)),
        (2**62, (1,), (1,)),
        (0, (2**62, 0), (1, 1)),
        (0, (2,), (2**62,)),
        (0, (2**31, 2**31, 4), (0, 0, 0)),
        (0, (1,) * 65, (1,) * 65),
    ],
)
def test_tensors_stay_inside_their_storage(offset, size, stride):
    with pytest.raises(UnpicklingError, match="tensor"):
        decode(tensor(offset, size, stride))


def test_a_tensor_does_not_pass_for_a_storage():
    wide = tensor(0, (2**40,), (0,))
    assert decode(wide).shape == (2**40,)
    with pytest.raises(UnpicklingError, match="expected a storage, got Tensor"):
        decode(tensor(2**39, (1,), (1,), storage=wide))


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, eval, exec, getattr, __import__, print, open])
def test_no_function_is_called(function, protocol, tmp_path):
    canary = tmp_path / "canary"
    data = pickle.dumps([Evil(function, f"open({str(canary)!r}, 'w')")], protocol)
    with pytest.raises(UnpicklingError):
        Decoder(data, None).decode()
    assert not canary.exists()


def test_the_refused_name_is_named():
    with pytest.raises(UnpicklingError) as caught:
        decode(b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R")
    assert "Weights only load failed. Unsupported global: GLOBAL os.system was not an" in str(
        caught.value
    )
    for name in ("eval", "getattr", "frozenset", "type"):
        with pytest.raises(UnpicklingError, match=f"GLOBAL builtins.{name} was"):
            decode(f"c__builtin__\n{name}\n".encode())


@pytest.mark.parametrize(
    "name",
    [
        "numtorch.load",
        "torch.load",
        "torch.nn.Linear",
        "torch.serialization.load",
        "torch._utils.__builtins__",
        "collections.OrderedDict.__init__",
        "collections.abc",
        "builtins.list.__class__",
        "numtorch.serialization.decoder.Decoder",
    ],
)
def test_only_exact_names_are_known(name):
    module, _, attribute = name.rpartition(".")
    with pytest.raises(UnpicklingError, match="Unsupported global"):
        decode(f"c{module}\n{attribute}\n".encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"}X\x01\x00\x00\x00aK\x01s}b", "A dict cannot be changed: expected a OrderedDict"),
        (b"ccollections\nOrderedDict\n}b", "A Name cannot be changed"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb", "A Name cannot be"),
        (tensor(0, (1,), (1,)) + b"}X\x06\x00\x00\x00_arrayK\x01sb", "A Tensor cannot be changed"),
        (ORDERED + b"}X\x05\x00\x00\x00itemsK\x01sb", "Attribute 'items' of a OrderedDict"),
        (ORDERED + b"}X\x09\x00\x00\x00__class__K\x01sb", "Attribute '__class__'"),
        (ORDERED + b"}K\x01K\x01sb", "Attribute 1 of"),
        (ORDERED + b"]b", "attributes must be in a dict, got list"),
        (b"K\x01)R", "1 cannot be called"),
        (b"ctorch\nFloatStorage\n)R", "cannot be called"),
        (b"ctorch.nn.parameter\nParameter\n)R", "cannot be called"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R", "encoding 'rot13'"),
        (b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R", "bytearray.*2147483647"),
        (b"c__builtin__\nbytes\nK\x09\x85R", "bytes"),
        (b"c__builtin__\nset\n]]a\x85R", "A list as a key"),
        (b"ctorch\nSize\n(X\x01\x00\x00\x00at\x85R", r"Size\(\('a',\)\)"),
        (b"}]K\x01s", "A list as a key"),
        (b"}(]K\x01u", "A list as a key"),
        (b"K\x01K\x02a", "A int cannot be changed: expected a list"),
        (b"K\x01(e", "A int cannot be changed"),
        (b"ctorch\nbfloat16\n", "no bfloat16 tensors yet"),
        (b"ctorch._utils\n_rebuild_tensor_v3\n", "numtorch does not have .uint16"),
        (b"cnumpy._core.multiarray\nscalar\n", "NumPy numbers"),
        (tensor(0, (1,), (1,), hooks=b"}K\x01K\x01s"), "hooks"),
        (tensor(0, (1,), (1,), storage=b"K\x01"), "expected a storage, got int"),
        (STORAGE.replace(b"storage", b"storagf"), "expected the id of a storage"),
        (STORAGE.replace(b"K\x06", b"\x88"), "malformed storage"),
        (STORAGE.replace(b"ctorch\nFloatStorage\n", b"ctorch\nTensor\n"), "Tensor"),
    ],
)
def test_operations_do_only_what_checkpoints_need(body, message):
    with pytest.raises(UnpicklingError, match=message):
        decode(body)


def test_deep_keys_do_not_overflow_the_stack():
    with pytest.raises(UnpicklingError, match="A tuple as a key"):
        decode(b"}" + b")" + b"\x85" * 1_000_000 + b"K\x01s")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"K", b"K\x01K\x02", b"(", b"t", b"K\x01t", b"e", b"u", b"\x85", b"(\x85", b"a"),
        *(b"h\x00", b"j\xff\xff\xff\xff", b"q\x00", b"(q\x00", b"R", b"Q", b"K\x01Q", b"((t(R"),
        *(b"X\xff\xff\xff\xffabc", b"X\x01\x00\x00\x00\xff", b"\x8a\xff", b"G", b"ctorch", b"b"),
        *(b"}(K\x01u", b"(K\x01Q", b"ctorch._utils\n_rebuild_tensor_v2\n)R", b"\xff", b"0", b"."),
        *(b"ctorch\nSize\nK\x01\x85R", b"ctorch\ndevice\n]\x85R", b"](a"),
    ],
)
def test_corrupt_pickles(body):
    with pytest.raises(UnpicklingError, match="corrupt|truncated|Unsupported operand|failed"):
        decode(body)


def test_random_pickles():
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    nt.save({"a": [nt.arange(6.0)], "b": OrderedDict(c=(1, 2.5, "x")), "d": {1, 2}}, buffer)
    with zipfile.ZipFile(buffer) as archive:
        data = archive.read("archive/data.pkl")
    for _ in range(3000):
        broken = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            broken[position] = rng.integers(256)
        try:
            Decoder(bytes(broken), lambda *facts: nt.arange(6.0)).decode()
        except (UnpicklingError, RuntimeError):
            continue


def archive_with(changes, tensor=None):
    """A checkpoint of [0., ..., 5.] with some records replaced, or left out (None)."""
    buffer = io.BytesIO()
    nt.save([nt.arange(6.0) if tensor is None else tensor], buffer)
    result = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(result, "w") as target:
        records = {name: source.read(name) for name in source.namelist()} | changes
        for name, data in records.items():
            if data is not None:
                target.writestr(name, data)
    return io.BytesIO(result.getvalue())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"archive/data/0": b"\0" * 23}, "'data/0' has 23 bytes, but 6 elements of torch.float32"),
        ({"archive/data/0": None}, "record 'data/0' is missing"),
        ({"archive/data.pkl": None}, "no checkpoint: it has no data.pkl"),
        ({"archive/constants.pkl": b""}, "TorchScript program"),
        ({"archive/byteorder": b"middle"}, "unknown byte order 'middle'"),
        ({"data.pkl": b""}, "no checkpoint"),
    ],
)
def test_records_are_checked(changes, message):
    with pytest.raises(RuntimeError, match=message):
        nt.load(archive_with(changes))


def test_byte_order():
    big = np.arange(6, dtype=">f4").tobytes()
    changes = {"archive/byteorder": b"big", "archive/data/0": big}
    assert nt.load(archive_with(changes))[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert nt.load(archive_with({"archive/byteorder": None}))[0].tolist() == [0, 1, 2, 3, 4, 5]


def test_bytes_that_are_no_bools():
    file = archive_with({"archive/data/0": b"\x02\x00\xff\x01"}, nt.ones(4, dtype=nt.bool))
    assert nt.load(file)[0].numpy().view(np.uint8).tolist() == [1, 0, 1, 1]


def test_one_storage_with_two_types():
    double = STORAGE.replace(b"FloatStorage", b"DoubleStorage").replace(b"K\x06", b"K\x03")
    body = HEAD + b"(" + tensor(0, (1,), (1,)) + tensor(0, (1,), (1,), storage=double) + b"t."
    with pytest.raises(RuntimeError, match=r"storage '0' is described as 3 of torch.float64, and"):
        nt.load(archive_with({"archive/data.pkl": body}))


def test_compressed_records_are_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", HEAD + b"N.")
    with pytest.raises(RuntimeError, match=r"'data.pkl' is compressed"):
        nt.load(io.BytesIO(buffer.getvalue()))


def checkpoint():
    """The bytes of a checkpoint with one tensor of 1000 elements."""
    buffer = io.BytesIO()
    nt.save({"x": nt.arange(1000)}, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("end", [0, 1, 10, 100, 1000, -1000, -100, -22, -1])
def test_truncated_files(tmp_path, end):
    path = tmp_path / "x.pt"
    path.write_bytes(checkpoint()[:end])
    with pytest.raises(RuntimeError, match="x.pt is (truncated or corrupt|not a zip archive)"):
        nt.load(path)


def test_changed_bytes_are_noticed():
    data = bytearray(checkpoint())
    data[data.index(np.arange(1000).tobytes()) + 4000] ^= 1
    with pytest.raises(RuntimeError, match="record 'data/0' is corrupt"):
        nt.load(io.BytesIO(data))


def test_random_damage():
    rng = np.random.default_rng(1)
    data = checkpoint()
    for _ in range(500):
        broken = bytearray(data)
        # Mostly where the structure is: the headers and the pickle, and the table at the end.
        position = rng.integers(0, 600) if rng.random() < 0.5 else len(data) - rng.integers(1, 600)
        broken[position] = rng.integers(256)
        try:
            nt.load(io.BytesIO(broken))
        except (UnpicklingError, RuntimeError):
            continue


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a zip archive"),
        (b"hello", "not a zip archive"),
        (pickle.dumps([1]), "not a zip archive"),
        (gzip.compress(b"x", mtime=0), "not a zip archive"),
        (b"PK\x03\x04" + b"x" * 100, "truncated or corrupt"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02", "the format of torch before 1.6"),
    ],
)
def test_other_files(data, message):
    with pytest.raises(RuntimeError, match=message):
        nt.load(io.BytesIO(data))
