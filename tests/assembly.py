"""What the hot loops of convolutions and products become on a CPU with AVX2, or another one:

    NUMBA_CPU_NAME=haswell NUMBA_CPU_FEATURES=+avx2,+fma python -m tests.assembly

prints a line of JSON for each kernel. Kernels are compiled, and none is run, so that the CPU need
not be this one.
"""

import json
import re

import numpy as np

import numtorch as nt
from numtorch.backends.cpu import jit


def kernels_of(call) -> list:
    """The (kernel, types of the arguments) that a call would compile."""
    found = []

    def note(kernel, *examples, work=0):
        found.append((kernel, tuple(map(jit.argument_type, examples))))
        return lambda *_: None

    compile_, jit.Kernel.compile = jit.Kernel.compile, note
    try:
        call()
    finally:
        jit.Kernel.compile = compile_
    return found


def assembly(kernel, signature) -> str:
    """The kernel's machine code."""
    return kernel.compiled(signature).library.get_asm_str()


def innermost_loops(text: str) -> list[list[str]]:
    """The instructions of each loop that holds no other."""
    lines, labels, loops = text.splitlines(), {}, []
    for i, line in enumerate(lines):
        if label := re.match(r"(\.L\w+):", line):
            labels[label[1]] = i
        elif (jump := re.match(r"\s+j\w+\s+(\.L\w+)", line)) and jump[1] in labels:
            loops.append((labels[jump[1]], i))
    inner = [a for a in loops if not any(a[0] <= b[0] and b[1] <= a[1] for b in loops if b != a)]
    return [lines[first : last + 1] for first, last in inner]


def facts(kernel, signature) -> dict:
    """Of the innermost loop with the most fused multiply-adds: how many, on which registers (x, y,
    z), and how many vectors it moves to or from the stack. `wide`: a register of 64 bytes is used.
    """
    text = assembly(kernel, signature)
    hot = max(innermost_loops(text), key=lambda loop: sum("vfm" in line for line in loop))
    fused = [line for line in hot if "vfm" in line]
    return {
        "kernel": kernel.py_func.__name__,
        "fused": len(fused),
        "registers": "".join(sorted(set(re.findall(r"%([xyz])mm", "".join(fused))))),
        "spills": sum(bool(re.search(r"mm.*\(%r[sb]p\)|\(%r[sb]p\).*mm", line)) for line in hot),
        "wide": "%zmm" in text,
    }


def main() -> None:
    """Print the facts of a convolution of either form, and of products of many and few rows."""

    def normal(*shape):
        return nt.from_numpy(np.ones(shape, np.float32))

    conv = nt.nn.functional.conv2d
    image, taps = normal(2, 64, 28, 28), normal(64, 64, 3, 3)
    wanted = {
        "convolve_tiles": lambda: conv(
            normal(4, 32, 96, 96), normal(24, 32, 3, 5), None, 1, (1, 2)
        ),
        "convolve_channels": lambda: conv(image, taps, padding=2, dilation=2),
        "matrix_products": lambda: normal(96, 96) @ normal(96, 96),
        "products_of_rows": lambda: normal(8, 96) @ normal(96, 96).t(),
    }
    for name, call in wanted.items():
        ((kernel, signature),) = (k for k in kernels_of(call) if k[0].py_func.__name__ == name)
        print(json.dumps(facts(kernel, signature)))  # noqa: T201 (a program)


if __name__ == "__main__":
    main()
