"""The idx format, in which MNIST and its relatives come.

Two zero bytes, a type code, the number of dimensions, the sizes as 4-byte numbers, the elements;
all big-endian. Source: the description at the end of yann.lecun.com/exdb/mnist.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ...ops.create import from_numpy

__all__ = ["read_idx"]

ELEMENTS = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path):
    """The array in an idx file, compressed by gzip or not, as a tensor.

    RuntimeError for a file that is not idx, or is longer or shorter than its header says.
    """
    data = Path(path).read_bytes()
    if data.startswith(GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise RuntimeError(f"{path}: truncated or corrupt gzip file ({error})") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in ELEMENTS:
        raise RuntimeError(
            f"{path}: not an idx file: expected two zero bytes, then one of "
            f"{sorted(map(hex, ELEMENTS))}, got {data[:4].hex(' ') or 'nothing'}"
        )
    element, ndim = np.dtype(ELEMENTS[data[2]]), data[3]
    start = 4 + 4 * ndim
    if len(data) < start:
        raise RuntimeError(
            f"{path}: truncated: a header of {ndim} dimensions has {start} bytes, the file has "
            f"{len(data)}"
        )
    shape = struct.unpack_from(f">{ndim}I", data, 4)
    expected = start + math.prod(shape) * element.itemsize
    if len(data) != expected:
        raise RuntimeError(
            f"{path}: expected {expected} bytes for shape {shape} of {element.name}, got "
            f"{len(data)}"
        )
    array = np.frombuffer(data, element, offset=start).reshape(shape)
    return from_numpy(array.astype(element.newbyteorder("=")))
