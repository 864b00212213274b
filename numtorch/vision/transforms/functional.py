"""Image transforms as functions; images are PIL images (H, W) or tensors (..., C, H, W)."""

from enum import Enum

import numpy as np
from PIL import Image

from ...core.dtype import get_default_dtype, uint8
from ...ops.create import as_tensor, from_numpy
from ...tensors import Tensor

__all__ = [
    "InterpolationMode",
    "center_crop",
    "hflip",
    "normalize",
    "pil_to_tensor",
    "resize",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

# Modes whose elements are not bytes, and the dtype that a tensor of them has. 16-bit images become
# int16 as in torchvision, so values from 32768 on come out negative.
ELEMENTS = {
    "I": np.int32,
    "I;16": np.int16,
    "I;16L": np.int16,
    "I;16B": np.int16,
    "F": np.float32,
}


class InterpolationMode(Enum):
    """How `resize` computes new pixels from old ones."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"

    @property
    def pil(self) -> int:
        """Pillow's number of the filter."""
        name = "NEAREST" if self is InterpolationMode.NEAREST_EXACT else self.name
        return getattr(Image.Resampling, name)


def to_tensor(pic):
    """A PIL image or an array as a tensor; bytes become floats from 0 to 1, other elements stay.

    (H, W) or (H, W, C) -> (C, H, W), contiguous. Modes I, I;16 and F are not scaled, nor are
    arrays of other types than uint8; mode 1 gives 0 and 1.
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    elif isinstance(pic, Image.Image):
        array = np.array(pic, ELEMENTS.get(pic.mode, np.uint8))
        if pic.mode == "1":
            array *= 255
        array = array.reshape(pic.height, pic.width, len(pic.getbands()))
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    tensor = from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
    if tensor.dtype is not uint8:
        return tensor
    return tensor.to(get_default_dtype()).div(255)


def pil_to_tensor(pic):
    """A PIL image as a tensor with the same elements: (H, W) -> (C, H, W)."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic).reshape(pic.height, pic.width, len(pic.getbands()))
    return from_numpy(array).permute(2, 0, 1)


# Number of channels -> the modes that may be asked for; the first is the default.
MODES_OF_BYTES = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}
MODES_OF_ONE_CHANNEL = {"uint8": "L", "int16": "I;16", "int32": "I", "float32": "F"}


def to_pil_image(pic, mode=None):
    """A tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL image.

    Floats are taken to go from 0 to 1, unless `mode` is "F".
    """
    if not isinstance(pic, (Tensor, np.ndarray)):
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if pic.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    if isinstance(pic, Tensor):
        if pic.is_floating_point() and mode != "F":
            pic = pic.mul(255).to(uint8)
        array = pic.detach().cpu().numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    else:
        array = pic
    array = array[:, :, None] if array.ndim == 2 else array
    channels = array.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if channels == 1:
        array = array[:, :, 0]
        expected = MODES_OF_ONE_CHANNEL.get(array.dtype.name)
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype}. Should be "
                f"{expected}"
            )
        mode = expected
    else:
        permitted = MODES_OF_BYTES[channels]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {channels} channel inputs")
        if array.dtype == np.uint8:
            mode = mode or permitted[0]
    if mode is None or (channels > 1 and array.dtype != np.uint8):
        raise TypeError(f"Input type {array.dtype} is not supported")
    array = np.ascontiguousarray(array)
    return Image.frombytes(mode, array.shape[1::-1], array.tobytes())


def normalize(tensor, mean, std, inplace=False):
    """(tensor - mean) / std, per channel: (..., C, H, W) -> (..., C, H, W)."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tensor.size()}"
        )
    mean = as_tensor(mean, dtype=tensor.dtype, device=tensor.device)
    std = as_tensor(std, dtype=tensor.dtype, device=tensor.device)
    if (std == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by "
            "zero."
        )
    channels = tensor.shape[-3]
    for name, value in {"mean": mean, "std": std}.items():
        if value.ndim > 1 or value.numel() not in (1, channels):
            raise RuntimeError(
                f"normalize: {name} has shape {tuple(value.shape)}, expected one number, or one "
                f"for each of the {channels} channels"
            )
    mean, std = mean.view(-1, 1, 1), std.view(-1, 1, 1)
    return (tensor if inplace else tensor.clone()).sub_(mean).div_(std)


def pair(size) -> tuple[int, int]:
    """(height, width) of a size that is one number, a sequence of one, or a pair."""
    if isinstance(size, (int, float)):
        return int(size), int(size)
    if len(size) not in (1, 2):
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return size[0], size[-1]


def resized(height: int, width: int, size, max_size=None) -> tuple[int, int]:
    """The (height, width) that `resize` gives to an image of `height` and `width`."""
    if not isinstance(size, int) and len(size) == 2:
        if max_size is not None:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
        return tuple(size)
    requested = size if isinstance(size, int) else size[0]
    short, long = sorted((height, width))
    new_short, new_long = requested, int(requested * long / short)
    if max_size is not None:
        if max_size <= requested:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the "
                f"smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """A PIL image in another size: (height, width), or one number for the shorter edge.

    With one number the longer edge keeps the proportion, up to `max_size`. Pillow always
    antialiases: `antialias` changes nothing.
    """
    if not isinstance(img, Image.Image):
        raise TypeError(f"img should be PIL Image. Got {type(img)}")
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError("Argument interpolation should be an InterpolationMode")
    height, width = resized(img.height, img.width, size, max_size)
    if (height, width) == (img.height, img.width):
        return img
    return img.resize((width, height), interpolation.pil)


def crop_start(length: int, wanted: int) -> int:
    """Where the middle `wanted` of `length` pixels start: below 0 where there are too few."""
    return round((length - wanted) / 2) if wanted <= length else -((wanted - length) // 2)


def center_crop(img, output_size):
    """The middle (height, width) of an image, with zeros around it where it is smaller."""
    rows, columns = pair(output_size)
    if isinstance(img, Image.Image):
        top, left = crop_start(img.height, rows), crop_start(img.width, columns)
        if (rows, columns) == (img.height, img.width):
            return img
        return img.crop((left, top, left + columns, top + rows))
    if not isinstance(img, Tensor) or img.ndim < 2:
        raise TypeError(f"img should be PIL Image or Tensor Image. Got {type(img)}")
    height, width = img.shape[-2:]
    top, left = crop_start(height, rows), crop_start(width, columns)
    source = img[..., max(top, 0) : max(top, 0) + rows, max(left, 0) : max(left, 0) + columns]
    if tuple(source.shape[-2:]) == (rows, columns):
        return source
    result = img.new_zeros((*img.shape[:-2], rows, columns))
    y, x = max(-top, 0), max(-left, 0)
    result[..., y : y + source.shape[-2], x : x + source.shape[-1]] = source
    return result


def hflip(img):
    """A PIL image or a tensor, left and right exchanged."""
    return (
        img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if isinstance(img, Image.Image)
        else img.flip(-1)
    )


def vflip(img):
    """A PIL image or a tensor, top and bottom exchanged."""
    return (
        img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        if isinstance(img, Image.Image)
        else img.flip(-2)
    )
