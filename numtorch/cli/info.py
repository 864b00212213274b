"""`numtorch info`: what this installation runs on."""

import os
import platform
import sys

import llvmlite
import llvmlite.binding as llvm
import numba
import numpy as np

from .. import cuda
from ..backends.cpu import cache, threads
from ..version import __version__
from .text import rows

HELP = "versions, CPU features, threads, CUDA, and the kernel cache"
FEATURES = ("sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512vl", "neon", "sve")


def add_arguments(parser) -> None:
    """`--json` prints the facts for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def facts() -> dict[str, str]:
    """Everything that `numtorch info` prints."""
    found = llvm.get_host_cpu_features()
    path = cache.folder()
    files = list(path.glob("*.nbc")) if path else []
    size = sum(f.stat().st_size for f in files)
    return {
        "numtorch": __version__,
        "python": platform.python_version(),
        "numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "numpy": np.__version__,
        "platform": f"{sys.platform} {platform.machine()}",
        "cpu": llvm.get_host_cpu_name(),
        "cpu features": " ".join(f for f in FEATURES if found.get(f)),
        "cores": str(os.cpu_count()),
        "threads": str(threads.get_num_threads()),
        "threading layer": threads.layer(),
        "cuda": _cuda(),
        "kernel cache": f"{path} ({len(files)} kernels, {size / 2**20:.1f} MiB)"
        if path
        else "none: no writable folder",
        "cache setting": os.environ.get("NUMTORCH_CACHE_DIR")
        or os.environ.get("NUMBA_CACHE_DIR")
        or "default",
    }


def _cuda() -> str:
    if not cuda.is_available():
        return "not available"
    names = [cuda.get_device_name(i) for i in range(cuda.device_count())]
    return ", ".join(names)


def run(options) -> int:
    """Print the facts."""
    print(rows(facts(), options.json))
    return 0
