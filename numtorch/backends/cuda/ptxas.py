"""NVIDIA's assembler on a kernel's PTX, without a GPU: does it assemble, and what does it use?

For the tests of the dry mode, and for looking at a kernel: `report(kernel.compile(...).ptx)`.
"""

import re
from typing import NamedTuple

from cuda.bindings import nvjitlink

from .compat import CC


class Usage(NamedTuple):
    """What a kernel needs on the GPU: bytes, except `registers`, a number for each thread."""

    registers: int
    stack: int  # local arrays that are indexed with variables
    spills: int  # registers that did not fit
    shared: int


def report(ptx: str) -> Usage:
    """Assemble the PTX for the dry mode's GPU; RuntimeError with its words if it fails."""
    options = [f"-arch=sm_{CC[0]}{CC[1]}", "-verbose", "-Xptxas=-v"]
    handle = nvjitlink.create(len(options), options)
    try:
        data = ptx.encode()
        nvjitlink.add_data(handle, nvjitlink.InputType.PTX, data, len(data), "kernel")
        nvjitlink.complete(handle)
        log = _read(handle, nvjitlink.get_info_log_size, nvjitlink.get_info_log)
    except nvjitlink.nvJitLinkError as error:
        raise RuntimeError(
            _read(handle, nvjitlink.get_error_log_size, nvjitlink.get_error_log)
        ) from error
    finally:
        nvjitlink.destroy(handle)
    return Usage(
        registers=_number(r"[Uu]sed (\d+) registers", log),
        stack=_number(r"(\d+) bytes stack frame", log),
        spills=_number(r"(\d+) bytes spill stores", log) + _number(r"(\d+) bytes spill loads", log),
        shared=_number(r"(\d+) bytes smem", log),
    )


def doubles(ptx: str) -> list[str]:
    """The instructions that compute in float64: none in a kernel that is meant to use float32."""
    return re.findall(r"^\s*((?!ld|st|mov|cvt)[a-z0-9.]+\.f64\b.*)$", ptx, re.MULTILINE)


def _read(handle, size, get) -> str:
    text = bytearray(size(handle))
    get(handle, text)
    return text.decode(errors="replace").strip("\0\n ")


def _number(pattern: str, log: str) -> int:
    found = re.search(pattern, log)
    return int(found[1]) if found else 0
