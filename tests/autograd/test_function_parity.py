"""autograd.Function against torch: results, and errors with their texts."""

import re
import warnings

import pytest

import numtorch as nt

from . import function_modes  # noqa: F401 (adds its cases)
from .function_cases import CASES


def answer(lib, run):
    """What a case returns (in a tuple), or the type and text of what it raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return (run(lib),)
        except Exception as error:  # noqa: BLE001 (whatever it is, torch must raise the same)
            text = re.sub(r"at 0x[0-9a-f]+|numtorch|torch", "", str(error))
            return type(error).__name__, text


@pytest.mark.parametrize("name", CASES)
def test_torch_does_the_same(name, torch):
    ours, theirs = answer(nt, CASES[name]), answer(torch, CASES[name])
    if len(theirs) == 2:
        if "INTERNAL ASSERT" in theirs[1]:
            return  # a bug of torch
        sentence = re.split(r"[.:]( |$)", theirs[1])[0]
        assert ours[0] == theirs[0] and ours[1].startswith(sentence)
    else:
        assert ours == theirs
