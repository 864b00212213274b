"""Image datasets and the idx format, with files made here."""

import gzip
import struct

import numpy as np
import pytest

import numtorch as nt
from numtorch.vision import transforms
from numtorch.vision.datasets import MNIST, Digits, FashionMNIST, read_idx

CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(array, code="u1"):
    """The bytes of an idx file."""
    head = struct.pack(f">HBB{array.ndim}I", 0, CODES[code], array.ndim, *array.shape)
    return head + array.astype(code).tobytes()


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def files(tmp_path):
    """A function that writes a tiny MNIST, 3 images of 4x5 to train and 2 to test."""

    def make(folder="MNIST/raw", end=""):
        for part, n in {"train": 3, "t10k": 2}.items():
            images = np.arange(n * 20).reshape(n, 4, 5)
            write(tmp_path / folder / f"{part}-images-idx3-ubyte{end}", idx(images))
            write(tmp_path / folder / f"{part}-labels-idx1-ubyte{end}", idx(np.arange(n) * 3))
        return tmp_path

    return make


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("code", CODES)
def test_read_idx(tmp_path, code, end):
    array = np.arange(-12, 12).reshape(2, 3, 4).astype(code)
    tensor = read_idx(write(tmp_path / f"data{end}", idx(array, code)))
    assert str(tensor.dtype) == f"torch.{array.dtype.name}"
    assert tensor.tolist() == array.tolist()


def test_read_idx_takes_text_and_scalars_and_nothing(tmp_path):
    path = write(tmp_path / "a", idx(np.array(7)))
    assert read_idx(str(path)).item() == 7
    assert read_idx(write(tmp_path / "b", idx(np.zeros((0, 28, 28))))).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an idx file.*got nothing"),
        (b"\1\2\x08\1", "not an idx file.*got 01 02 08 01"),
        (b"\0\0\x0a\1\0\0\0\0", "not an idx file.*got 00 00 0a 01"),
        (b"\0\0\x08\3\0\0\0\1", "truncated: a header of 3 dimensions has 16 bytes, the file has 8"),
        (idx(np.zeros((2, 3)))[:-1], r"expected 18 bytes for shape \(2, 3\) of uint8, got 17"),
        (idx(np.zeros((2, 3))) + b"\0", r"expected 18 bytes .*, got 19"),
        (b"\0\0\x0e\2" + b"\xff" * 8, r"expected \d+ bytes .*, got 12"),
        (gzip.compress(idx(np.zeros((9, 9))))[:-9], "truncated or corrupt gzip file"),
        (b"\x1f\x8b" + bytes(30), "truncated or corrupt gzip file"),
    ],
    ids=range(9),
)
def test_read_idx_errors(tmp_path, data, message):
    path = tmp_path / "data"
    path.write_bytes(data)
    with pytest.raises(RuntimeError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


def test_read_idx_of_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_idx(tmp_path / "nothing-here")


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("folder", ["MNIST/raw", "."])
def test_mnist(files, folder, end):
    root = files(folder, end)
    train, test = MNIST(root), MNIST(str(root), train=False, download=True)
    assert (len(train), len(test)) == (3, 2)
    assert (train.data.dtype, train.targets.dtype) == (nt.uint8, nt.int64)
    image, target = train[2]
    assert (image.mode, image.size, target) == ("L", (5, 4), 6)
    assert list(image.tobytes()) == list(range(40, 60))
    assert type(target) is int
    assert train.class_to_idx["9 - nine"] == 9


def test_transforms_are_applied(files):
    data = MNIST(
        files(), transform=transforms.ToTensor(), target_transform=lambda target: target + 100
    )
    image, target = data[1]
    assert image.shape == (1, 4, 5)
    assert target == 103


def test_fashion_mnist_has_its_own_folder(files):
    root = files("FashionMNIST/raw")
    assert FashionMNIST(root).classes[9] == "Ankle boot"
    with pytest.raises(RuntimeError, match="Dataset not found"):
        MNIST(root)


@pytest.mark.parametrize(
    ("download", "message"),
    [(False, "Dataset not found: get"), (True, "numtorch cannot download it: get")],
)
def test_missing_files_are_named(files, download, message):
    root = files()
    (root / "MNIST/raw/train-labels-idx1-ubyte").unlink()
    with pytest.raises(RuntimeError, match=f"{message} train-labels-idx1-ubyte.gz from http") as e:
        MNIST(root, download=download)
    assert f"into {root / 'MNIST' / 'raw'} or {root}" in str(e.value)
    assert len(MNIST(root, train=False)) == 2


@pytest.mark.parametrize(
    ("name", "array", "code", "message"),
    [
        ("images-idx3", np.zeros((3, 4)), "u1", r"expected images \(N, H, W\).*got \(3, 4\)"),
        ("images-idx3", np.zeros((3, 4, 4)), ">f4", "got .* of torch.float32"),
        ("labels-idx1", np.zeros(4), "u1", r"expected 3 labels.*got shape \(4,\)"),
        ("labels-idx1", np.zeros(3), ">i4", "expected 3 labels.*of torch.int32"),
    ],
)
def test_contents_are_checked(files, name, array, code, message):
    root = files()
    path = write(root / f"MNIST/raw/train-{name}-ubyte", idx(array, code))
    with pytest.raises(RuntimeError, match=message) as caught:
        MNIST(root)
    assert str(path) in str(caught.value)


def test_digits():
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    assert (tuple(train.data.shape), train.data.dtype) == ((1437, 8, 8), nt.uint8)
    assert train.targets[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert test.targets[-3:].tolist() == [8, 9, 8]
    assert [(test.targets == digit).sum().item() for digit in range(10)] == [
        35, 36, 35, 37, 37, 37, 37, 36, 33, 37,
    ]  # fmt: skip
    first = (train.data[0].to(nt.float64) * 16 / 255).round()
    assert first[0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert (train.data.min().item(), train.data.max().item()) == (0, 255)
    image, target = Digits(train=False, transform=transforms.ToTensor())[0]
    assert (tuple(image.shape), image.dtype, target) == ((1, 8, 8), nt.float32, 2)


def test_texts(files):
    root = files()
    assert repr(Digits(train=False)) == (
        "Dataset Digits\n    Number of datapoints: 360\n    Split: Test"
    )
    both = transforms.Compose([transforms.ToTensor()])
    assert repr(MNIST(root, transform=both, target_transform=transforms.Lambda(int))) == (
        "Dataset MNIST\n    Number of datapoints: 3\n"
        f"    Root location: {root}\n    Split: Train\n    StandardTransform\n"
        "Transform: Compose(\n               ToTensor()\n           )\n"
        "Target transform: Lambda()"
    )
