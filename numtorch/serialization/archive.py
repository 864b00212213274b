"""The zip archives that hold checkpoints: records by name, not compressed, aligned to 64 bytes.

All records are in one folder: `data.pkl` says what there is, `data/0`, `data/1`, ... are the
bytes of the storages, `byteorder` and `version` are short texts.
"""

import struct
import zipfile

import numpy as np

__all__ = ["ArchiveReader", "write_archive"]

ROOT = "archive"
ALIGNMENT = 64  # of the bytes of a record, so that files can be mapped into memory; torch's number
LOCAL_HEADER = 30  # bytes of a record's header before its name
ZIP64_FIELD = 20  # bytes that the header grows by for a record that may be too large for 32 bits
ZIP64_FROM = 1 << 30
# What zipfile raises for a file that is not as it should be (NotImplementedError: odd versions).
DAMAGE = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error)
LEGACY_MAGIC = b"\x80\x02\x8a\x0al\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def write_archive(file, records) -> None:
    """Write (name, bytes) pairs as an archive into an open binary file.

    `records` may be an iterator: each record is written before the next is asked for.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records:
            view = memoryview(data).cast("B")
            info = zipfile.ZipInfo(f"{ROOT}/{name}")  # dated 1980: equal contents, equal files
            large = view.nbytes >= ZIP64_FROM
            info.file_size = view.nbytes
            header = LOCAL_HEADER + len(info.filename) + ZIP64_FIELD * large
            info.extra = padding(archive.fp.tell() + header)
            with archive.open(info, "w", force_zip64=large) as record:
                record.write(view)


def padding(start: int) -> bytes:
    """A zip extra field (two letters, length, filler) that moves data from `start` to alignment."""
    size = -(start + 4) % ALIGNMENT
    return b"FB" + size.to_bytes(2, "little") + b"Z" * size


class ArchiveReader:
    """The records of an archive, by name; RuntimeError wherever it is not what it should be.

    `name` is what errors call the file.
    """

    def __init__(self, file, name: str) -> None:
        self.name = name
        start = file.read(len(LEGACY_MAGIC))
        if start == LEGACY_MAGIC:
            raise RuntimeError(
                f"{name} is in the format of torch before 1.6, which numtorch cannot read: load it "
                "with torch and save it again"
            )
        self.length = file.seek(0, 2)
        try:
            self.zip = zipfile.ZipFile(file)
        except DAMAGE as error:
            kind = "truncated or corrupt" if start[:2] == b"PK" else "not a zip archive"
            raise RuntimeError(
                f"{name} is {kind}; numtorch.load reads what numtorch.save or torch.save wrote "
                f"({error})"
            ) from error
        self.records = {info.filename: info for info in self.zip.infolist()}
        roots = [path.removesuffix("data.pkl") for path in self.records if is_root(path)]
        if len(roots) != 1:
            raise RuntimeError(f"{name} is a zip archive, but no checkpoint: it has no data.pkl")
        self.root = roots[0]
        if self.root + "constants.pkl" in self.records:
            raise RuntimeError(
                f"{name} is a TorchScript program: numtorch.load reads checkpoints, and runs none"
            )

    def size(self, record: str) -> int:
        """How many bytes a record has."""
        info = self.records.get(self.root + record)
        if info is None:
            raise RuntimeError(f"{self.name}: record {record!r} is missing")
        return info.file_size

    def read(self, record: str) -> np.ndarray:
        """The bytes of a record, in fresh memory; checks them against their checksum."""
        size, info = self.size(record), self.records[self.root + record]
        if info.compress_type != zipfile.ZIP_STORED:
            raise RuntimeError(f"{self.name}: record {record!r} is compressed; torch stores them")
        if info.compress_size != size or info.header_offset + size > self.length:
            raise RuntimeError(f"{self.name}: record {record!r} is larger than the file")
        data = np.empty(size, np.uint8)
        filled = 0
        try:
            with self.zip.open(info) as source:
                while count := source.readinto(memoryview(data)[filled:]):
                    filled += count
                source.read(1)  # the checksum is compared at the end of the data
        except DAMAGE as error:
            raise RuntimeError(f"{self.name}: record {record!r} is corrupt: {error}") from error
        if filled != len(data):
            raise RuntimeError(
                f"{self.name}: record {record!r} is truncated: it has {filled} of {len(data)} bytes"
            )
        return data

    def text(self, record: str, default: str) -> str:
        """A short record as text; the default if there is none."""
        if self.root + record not in self.records:
            return default
        return self.read(record).tobytes().decode("ascii", "replace").strip()


def is_root(path: str) -> bool:
    """Whether this is data.pkl, in a folder or not."""
    return path.removeprefix(path.partition("/")[0] + "/") == "data.pkl"
