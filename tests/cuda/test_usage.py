"""What the kernels that the other files compiled in dry mode would use on a GPU.

Runs last in this folder: it looks at every kernel of this process, once for each number type.
"""

import pytest

from numtorch.backends.cuda import compat, jit

pytestmark = pytest.mark.skipif(compat.MODE != "ptx", reason="needs NUMTORCH_CUDA=ptx")
# Arguments beyond a few pi are reduced by a loop over a local table, and with float64 constants.
REDUCED_ARGUMENTS = ("sin(", "cos(", "tan(")


def kernels():
    """One variant of each kernel in float32, else the first one."""
    for kernel in jit.KERNELS:
        variants = sorted(kernel.variants.items(), key=lambda v: "float32" not in str(v[0]))
        if variants:
            yield (kernel, *variants[0])


def reduces(kernel) -> bool:
    source = getattr(kernel, "source", "")
    return any(name in source for name in REDUCED_ARGUMENTS)


def test_every_kernel_assembles_without_spills():
    ptxas = pytest.importorskip("numtorch.backends.cuda.ptxas")
    seen = 0
    for kernel, types, variant in kernels():
        usage = ptxas.report(variant.ptx)
        where = f"{kernel.__module__}.{kernel.__name__}{types}: {usage}"
        assert usage.spills == 0, where
        assert usage.stack == 0 or reduces(kernel), where
        assert usage.shared <= 49152, where
        seen += 1
    assert seen, "no other test has compiled a kernel"


def test_kernels_of_float32_compute_in_float32():
    ptxas = pytest.importorskip("numtorch.backends.cuda.ptxas")
    for kernel, types, variant in kernels():
        arrays = [str(t) for t in types if "Array" in repr(t)]
        if "float64" in str(arrays) or "float32" not in str(arrays) or reduces(kernel):
            continue
        found = ptxas.doubles(variant.ptx)
        assert not found, f"{kernel.__module__}.{kernel.__name__}{types}: {found[:3]}"
