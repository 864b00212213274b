"""Image transforms: every kind of image, texts, errors."""

import numpy as np
import pytest
from PIL import Image

import numtorch as nt
from numtorch.vision import transforms
from numtorch.vision.transforms import functional

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (3, 4), np.uint8)
COLOURS = RNG.integers(0, 256, (3, 4, 3), np.uint8)


def image(mode):
    """A 4x3 image of `mode`."""
    if mode in ("L", "P"):
        result = Image.frombytes(mode, (4, 3), BYTES.tobytes())
        if mode == "P":
            result.putpalette(list(range(256)) * 3)
        return result
    if mode == "1":
        return Image.fromarray(BYTES > 127)
    if mode.startswith("I;16"):
        order = ">" if mode.endswith("B") else "<"
        values = (BYTES.astype(np.int64) * 200).astype(f"{order}u2")
        return Image.frombytes(mode, (4, 3), values.tobytes())
    if mode == "I":
        return Image.fromarray(BYTES.astype(np.int32) * 70000)
    if mode == "F":
        return Image.fromarray(BYTES.astype(np.float32) * 1.5)
    return Image.fromarray(COLOURS).convert("L" if mode == "LA" else "RGB").convert(mode)


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("L", 1), ("P", 1), ("LA", 2), ("RGB", 3), ("YCbCr", 3), ("HSV", 3), ("RGBA", 4), ("CMYK", 4)],
)
def test_bytes_become_zero_to_one(mode, channels):
    picture = image(mode)
    tensor = functional.to_tensor(picture)
    expected = np.array(picture).reshape(3, 4, channels).transpose(2, 0, 1).astype(np.float32) / 255
    assert tensor.dtype is nt.float32
    assert tensor.is_contiguous()
    np.testing.assert_array_equal(tensor.numpy(), expected)


def test_palette_images_give_indices():
    assert functional.to_tensor(image("P")).mul(255).round().tolist() == [BYTES.tolist()]


def test_bits_become_zero_and_one():
    assert functional.to_tensor(image("1")).tolist() == [(BYTES > 127).tolist()]


@pytest.mark.parametrize(
    ("mode", "dtype"), [("I", nt.int32), ("I;16", nt.int16), ("I;16B", nt.int16), ("F", nt.float32)]
)
def test_other_elements_are_not_scaled(mode, dtype):
    tensor = functional.to_tensor(image(mode))
    scale = {"I": 70000, "F": 1.5}.get(mode, 200)
    expected = BYTES * np.array(scale, np.float64)
    if dtype is nt.int16:
        expected = expected.astype(np.uint16).astype(np.int16)
        assert expected.min() < 0
    assert tensor.dtype is dtype
    assert tensor.shape == (1, 3, 4)
    np.testing.assert_array_equal(tensor[0].numpy(), expected)


@pytest.mark.parametrize("array", [BYTES, COLOURS, COLOURS[::-1, ::2]])
def test_arrays_of_bytes(array):
    tensor = functional.to_tensor(array)
    expected = np.atleast_3d(array).transpose(2, 0, 1) / np.float32(255)
    assert tensor.dtype is nt.float32
    np.testing.assert_array_equal(tensor.numpy(), expected)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float32", "float64"])
def test_other_arrays_keep_their_type(dtype):
    tensor = functional.to_tensor(COLOURS.astype(dtype))
    assert str(tensor.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(tensor.numpy(), COLOURS.astype(dtype).transpose(2, 0, 1))


def test_default_dtype_is_respected():
    nt.set_default_dtype(nt.float64)
    try:
        assert functional.to_tensor(BYTES).dtype is nt.float64
    finally:
        nt.set_default_dtype(nt.float32)


def test_to_tensor_errors():
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        functional.to_tensor([1])
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 4 dimensions."):
        functional.to_tensor(np.zeros((1, 2, 3, 4)))


def test_pil_to_tensor():
    tensor = transforms.PILToTensor()(image("RGB"))
    assert tensor.dtype is nt.uint8
    np.testing.assert_array_equal(tensor.numpy(), COLOURS.transpose(2, 0, 1))
    with pytest.raises(TypeError, match="pic should be PIL Image. Got"):
        functional.pil_to_tensor(BYTES)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "YCbCr", "HSV", "RGBA", "CMYK", "I", "F"])
def test_to_pil_image_and_back(mode):
    picture = image(mode)
    asked = mode if mode in ("YCbCr", "HSV", "CMYK", "F") else None
    again = transforms.ToPILImage(asked)(transforms.PILToTensor()(picture))
    assert (again.mode, again.size) == (mode, picture.size)
    assert again.tobytes() == picture.tobytes()


def test_to_pil_image_scales_floats():
    floats = functional.to_tensor(image("RGB"))
    assert functional.to_pil_image(floats).tobytes() == COLOURS.tobytes()
    assert functional.to_pil_image(BYTES).tobytes() == BYTES.tobytes()


@pytest.mark.parametrize(
    ("value", "mode", "error", "message"),
    [
        ([1], None, TypeError, "pic should be Tensor or ndarray"),
        (np.zeros(3, np.uint8), None, ValueError, "2/3 dimensional. Got 1"),
        (np.zeros((2, 2, 5), np.uint8), None, ValueError, "> 4 channels. Got 5"),
        (np.zeros((2, 2), np.uint8), "F", ValueError, r"Incorrect mode \(F\).*Should be L"),
        (np.zeros((2, 2, 3), np.uint8), "LA", ValueError, r"Only modes \['RGB'"),
        (np.zeros((2, 2, 3), np.int64), None, TypeError, "int64 is not supported"),
    ],
)
def test_to_pil_image_errors(value, mode, error, message):
    with pytest.raises(error, match=message):
        functional.to_pil_image(value, mode)


def test_normalize():
    source = functional.to_tensor(COLOURS)
    kept = source.clone()
    result = transforms.Normalize([0.5, 0.4, 0.3], (0.1, 0.2, 0.4))(source)
    mean = np.array([0.5, 0.4, 0.3], np.float32).reshape(3, 1, 1)
    std = np.array([0.1, 0.2, 0.4], np.float32).reshape(3, 1, 1)
    np.testing.assert_array_equal(result.numpy(), (source.numpy() - mean) / std)
    assert nt.equal(source, kept)
    batch = functional.normalize(nt.stack([source, source]), 0.5, 0.5)
    assert nt.equal(batch[1], (source - 0.5) / 0.5)
    assert transforms.Normalize((0.5,), (0.5,), inplace=True)(source) is source
    assert nt.equal(source, batch[0])


@pytest.mark.parametrize(
    ("tensor", "std", "error", "message"),
    [
        (BYTES, 1.0, TypeError, "img should be Tensor Image. Got <class 'numpy.ndarray'>"),
        (nt.zeros(3, 2, 2, dtype=nt.uint8), 1.0, TypeError, "float tensor. Got torch.uint8."),
        (nt.zeros(2, 2), 1.0, ValueError, r"\(\.\.\., C, H, W\). .* = torch.Size\(\[2, 2\]\)"),
        (nt.zeros(1, 2, 2), [0.0], ValueError, "std evaluated to zero after conversion to torch"),
        (nt.zeros(3, 2, 2), [1.0, 1.0], RuntimeError, r"std has shape \(2,\).* 3 channels"),
    ],
)
def test_normalize_errors(tensor, std, error, message):
    with pytest.raises(error, match=message):
        functional.normalize(tensor, [0.5], std, inplace=True)
    if isinstance(tensor, nt.Tensor):
        assert tensor.sum().item() == 0


@pytest.mark.parametrize(
    ("size", "max_size", "expected"),
    [
        (6, None, (6, 8)),
        ([6], None, (6, 8)),
        ((5, 2), None, (5, 2)),
        (6, 7, (5, 7)),
        (3, None, (3, 4)),
    ],
)
def test_resize(size, max_size, expected):
    result = transforms.Resize(size, max_size=max_size)(image("RGB"))
    assert (result.height, result.width) == expected
    mode = transforms.InterpolationMode.NEAREST
    small = functional.resize(image("L"), (3, 8), mode)
    np.testing.assert_array_equal(np.array(small), BYTES.repeat(2, 1))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: transforms.Resize(2.5), TypeError, "Size should be int or sequence"),
        (lambda: transforms.Resize((1, 2, 3)), ValueError, "1 or 2 values"),
        (lambda: transforms.Resize(4, max_size=4)(image("L")), ValueError, "strictly greater"),
        (lambda: transforms.Resize((4, 4), max_size=9)(image("L")), ValueError, "max_size should"),
        (lambda: transforms.Resize(4, 2)(image("L")), TypeError, "InterpolationMode"),
        (lambda: transforms.Resize(4)(BYTES), TypeError, "img should be PIL Image"),
        (lambda: transforms.CenterCrop(4)(BYTES), TypeError, "PIL Image or Tensor Image"),
        (lambda: transforms.CenterCrop((1, 2, 3)), ValueError, "only two dimensions"),
        (lambda: transforms.Lambda(3), TypeError, "lambd should be callable, got 'int'"),
    ],
)
def test_option_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("size", [2, (3, 4), (1, 2), (3, 1), 5, (6, 2), (2, 9)])
def test_center_crop(size):
    crop = transforms.CenterCrop(size)
    rows, columns = crop.size
    picture = np.array(crop(image("L")))
    tensor = crop(functional.pil_to_tensor(image("L")))
    assert picture.shape == (rows, columns)
    np.testing.assert_array_equal(tensor[0].numpy(), picture)
    # Zeros around it, then the middle: the same in two steps.
    top, left = max(rows - 3, 0), max(columns - 4, 0)
    padding = [(top // 2, top - top // 2), (left // 2, left - left // 2)]
    padded = np.pad(BYTES, padding)
    y, x = round((padded.shape[0] - rows) / 2), round((padded.shape[1] - columns) / 2)
    np.testing.assert_array_equal(picture, padded[y : y + rows, x : x + columns])


def test_flips():
    always = transforms.RandomHorizontalFlip(1.0)
    np.testing.assert_array_equal(np.array(always(image("L"))), BYTES[:, ::-1])
    tensor = nt.tensor(BYTES.tolist())
    assert always(tensor).tolist() == BYTES[:, ::-1].tolist()
    assert transforms.RandomVerticalFlip(1.0)(tensor).tolist() == BYTES[::-1].tolist()
    assert transforms.RandomVerticalFlip(0.0)(tensor) is tensor


def test_texts():
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.25,))])
    assert repr(both) == ("Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.25,))\n)")
    shown = [
        transforms.PILToTensor(),
        transforms.ToPILImage("L"),
        transforms.Lambda(len),
        transforms.Resize(4),
        transforms.CenterCrop(3),
        transforms.RandomHorizontalFlip(),
    ]
    assert list(map(repr, shown)) == [
        "PILToTensor()",
        "ToPILImage(mode=L)",
        "Lambda()",
        "Resize(size=4, interpolation=bilinear, max_size=None, antialias=True)",
        "CenterCrop(size=(3, 3))",
        "RandomHorizontalFlip(p=0.5)",
    ]


def test_compose():
    both = transforms.Compose([transforms.ToTensor(), transforms.Lambda(lambda x: x * 255)])
    assert both(image("L")).round().tolist() == [BYTES.tolist()]
