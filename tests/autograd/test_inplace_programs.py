"""Views and in-place changes are torch's: random programs (programs.py) run under both.

200 programs by default; as many as wanted with `NUMTORCH_PROGRAMS=1000 pytest
tests/autograd/test_inplace_programs.py`, which says how many agree.
"""

import os

import pytest

import numtorch as nt

from . import programs

COUNT = int(os.environ.get("NUMTORCH_PROGRAMS", "200"))
PART = 20


@pytest.mark.parametrize("first", range(0, COUNT, PART))
def test_programs_agree_with_torch(torch, first):
    failed = []
    seeds = range(first, min(first + PART, COUNT))
    for seed in seeds:
        text, difference = programs.run(seed, nt, torch)
        if difference is not None:
            failed.append("\n".join([f"program {seed}:", *text, f"-> {difference}"]))
    assert not failed, f"{len(failed)} of {len(seeds)} programs differ\n\n" + "\n\n".join(failed)
