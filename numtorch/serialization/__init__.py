"""Checkpoints: `save` and `load`, in torch's own file format.

torch loads what numtorch saves, and the other way round. A checkpoint is plain data: tensors and
Parameters, numbers, strings, and dicts, lists, tuples and sets of them. Loading never runs code.
"""

import io
import os
import stat
import sys
from contextlib import contextmanager

import numpy as np

from .. import cuda
from ..core.device import device
from ..core.dtype import bool_
from ..ops.create import from_numpy
from ..tensors import Tensor

__all__ = ["load", "save"]


def save(obj, f, pickle_module=None, pickle_protocol=2) -> None:
    """Write an object to a file: a path, or an object with `write`.

    Tensors on one storage stay so: each storage is written once, whole, and strides are kept.
    When writing to a path fails, a file that was there before is untouched. PicklingError for what
    is not plain data. `pickle_module` and `pickle_protocol` are there for calls written for torch.
    """
    if pickle_module is not None and pickle_module.__name__ != "pickle":
        raise ValueError(f"numtorch.save uses no pickle module, got {pickle_module.__name__}")
    if pickle_protocol != 2:
        raise ValueError(f"numtorch.save writes pickle_protocol 2, got {pickle_protocol}")
    # Here, not at the top: `import numtorch` would import zipfile and nn.
    from .archive import write_archive  # noqa: PLC0415
    from .encoder import Encoder  # noqa: PLC0415

    encoder = Encoder()
    data = encoder.encode(obj)

    def records():
        yield "data.pkl", data
        yield "byteorder", sys.byteorder.encode()
        for key, flat in encoder.storages.items():
            yield f"data/{key}", flat.cpu().numpy().view(np.uint8)
        yield "version", b"3\n"

    if isinstance(f, (str, os.PathLike)):
        with replacing(os.fspath(f)) as file:
            write_archive(file, records())
    elif hasattr(f, "write"):
        # First all of it in memory: nothing is written when something fails on the way.
        buffer = io.BytesIO()
        write_archive(buffer, records())
        f.write(buffer.getvalue())
    else:
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'write' attribute, "
            f"got {type(f).__name__}"
        )


@contextmanager
def replacing(path: str):
    """A new binary file that takes the place of `path` when the block ends without an error."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {folder} does not exist.")
    if os.path.exists(target) and not os.path.isfile(target):
        # A directory gives the usual error here; a device or pipe cannot be replaced.
        with open(target, "wb") as file:
            yield file
        return
    temporary = f"{target}.{os.urandom(4).hex()}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
        if os.path.exists(target):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise


def load(f, map_location=None, pickle_module=None, *, weights_only=True, mmap=None):
    """Read what `save`, or torch's, wrote: from a path, or an object with `read`.

    Tensors go to the device that they were saved from, unless `map_location` says otherwise: a
    device; a dict from saved to wanted device names; or a function of a flat CPU tensor and the
    saved device's name that returns the tensor where it should be, or None. Files are read the
    same way whatever `weights_only` and `mmap` are: nothing in them is ever run. UnpicklingError
    for a file with more than plain data, RuntimeError for one that is damaged.
    """
    if pickle_module is not None:
        raise ValueError("numtorch.load uses no pickle module: it reads plain data only")
    # Here, not at the top: see save.
    from .archive import ArchiveReader  # noqa: PLC0415

    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            return load_archive(ArchiveReader(file, os.fspath(f)), map_location)
    if not hasattr(f, "read"):
        raise AttributeError(
            f"expected 'f' to be string, path, or a file-like object with a 'read' attribute, "
            f"got {type(f).__name__}"
        )
    name = getattr(f, "name", None) or f"the {type(f).__name__}"
    return load_archive(ArchiveReader(io.BytesIO(f.read()), str(name)), map_location)


def load_archive(archive, map_location):
    """The object in an ArchiveReader."""
    # Here, not at the top: see save.
    from .decoder import Decoder  # noqa: PLC0415

    byteorder = archive.text("byteorder", "little")
    if byteorder not in ("little", "big"):
        raise RuntimeError(f"{archive.name}: unknown byte order {byteorder!r}")
    storages: dict = {}

    def load_storage(dtype, key: str, location: str, numel: int):
        """The storage in a record: (numel,)."""
        if key in storages:
            flat = storages[key]
            if (flat.dtype, flat.numel()) != (dtype, numel):
                raise RuntimeError(
                    f"{archive.name}: storage {key!r} is described as {numel} of {dtype}, and as "
                    f"{flat.numel()} of {flat.dtype}"
                )
            return flat
        size = archive.size(f"data/{key}")
        if size != numel * dtype.itemsize:
            raise RuntimeError(
                f"{archive.name}: record 'data/{key}' has {size} bytes, but {numel} elements of "
                f"{dtype} have {numel * dtype.itemsize}"
            )
        array = archive.read(f"data/{key}").view(dtype.np)
        if dtype is bool_:
            array = array.view(np.uint8) != 0  # other bytes than 0 and 1 would confuse kernels
        if byteorder != sys.byteorder:
            array = array.byteswap()
        storages[key] = flat = placed(from_numpy(array), location, map_location)
        return flat

    return Decoder(archive.read("data.pkl").tobytes(), load_storage).decode()


def placed(flat, location: str, map_location):
    """The tensor on the device that it should be loaded to."""
    if callable(map_location) and not isinstance(map_location, device):
        result = map_location(flat, location)
        if result is not None:
            expected = flat.shape, flat.dtype
            if not isinstance(result, Tensor) or (result.shape, result.dtype) != expected:
                raise TypeError(
                    "map_location: the function must return the tensor that it was given, on the "
                    f"wanted device, or None; got {type(result).__name__}"
                )
            return result
    elif isinstance(map_location, dict):
        location = str(map_location.get(location, location))
    elif map_location is not None:
        location = str(map_location)
    kind = location.partition(":")[0]
    if kind == "cuda" and not cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )
    if kind not in ("cpu", "cuda"):
        raise RuntimeError(
            f"don't know how to restore data location of a tensor (tagged with {location}): "
            "pass map_location='cpu'"
        )
    return flat.to(location)
