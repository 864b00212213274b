"""Tiles of products and convolutions use a CPU's widest vectors, and stay in its registers."""

import json
import os
import platform
import subprocess
import sys

import pytest

AVX2 = "+avx,+avx2,+fma,+bmi,+bmi2"
AVX512 = f"{AVX2},+avx512f,+avx512bw,+avx512dq,+avx512vl"


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="compiles for kinds of x86-64"
)
@pytest.mark.parametrize(
    ("name", "features", "registers", "sums", "sums_of_rows"),
    [("haswell", AVX2, "y", 12, 8), ("skylake-avx512", AVX512, "z", 24, 16)],
)
def test_hot_loops_hold_their_sums_in_registers(name, features, registers, sums, sums_of_rows):
    environment = os.environ | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-m", "tests.assembly"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-800:]
    kernels = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kernels) == 4
    for facts in kernels:
        few = facts["kernel"] == "products_of_rows"
        assert facts["fused"] == (sums_of_rows if few else sums), facts
        assert facts["registers"] == registers, facts
        assert facts["spills"] <= 1, facts
        assert facts["wide"] == (registers == "z"), facts
