"""The text of tensors, and the settings that change it."""

import math

import numpy as np
import pytest

from numtorch.tensors import printing
from numtorch.tensors.printing import printoptions, tensor_repr


def show(values, dtype="float32", **facts):
    """`tensor_repr` of an array of `dtype`, which also gives the printed dtype."""
    return tensor_repr(np.array(values, dtype), dtype=f"torch.{dtype}", **facts)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, -20, 300], "int64", "tensor([  1, -20, 300])"),
        ([1, 2], "int32", "tensor([1, 2], dtype=torch.int32)"),
        ([True, False], "bool", "tensor([ True, False])"),
        ([1.0, 2.0], "float32", "tensor([1., 2.])"),
        ([1.0, 2.5], "float32", "tensor([1.0000, 2.5000])"),
        ([1.0, 2.5], "float64", "tensor([1.0000, 2.5000], dtype=torch.float64)"),
        ([1e-5, 1.0], "float32", "tensor([1.0000e-05, 1.0000e+00])"),
        ([1.0, 2000.0], "float32", "tensor([1.0000e+00, 2.0000e+03])"),
        ([1.0, 1000.0], "float32", "tensor([   1., 1000.])"),
        ([math.nan, math.inf, -math.inf], "float32", "tensor([nan, inf, -inf])"),
        ([math.nan, 1.0], "float32", "tensor([nan, 1.])"),
        ([-0.0, 0.0], "float32", "tensor([-0., 0.])"),
        (3.5, "float32", "tensor(3.5000)"),
        (7, "int64", "tensor(7)"),
        ([], "float32", "tensor([])"),
        ([], "int64", "tensor([], dtype=torch.int64)"),
        ([[], []], "float32", "tensor([], size=(2, 0))"),
        ([1 + 2j, -0.5j], "complex64", "tensor([1.+2.0000j, -0.-0.5000j])"),
        ([[1, 2], [3, 4]], "int64", "tensor([[1, 2],\n        [3, 4]])"),
        ([[[1]], [[2]]], "int64", "tensor([[[1]],\n\n        [[2]]])"),
    ],
)
def test_values(values, dtype, expected):
    assert show(values, dtype) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"requires_grad": True}, "tensor([1.], requires_grad=True)"),
        (
            {"requires_grad": True, "grad_fn": "AddBackward0"},
            "tensor([1.], grad_fn=<AddBackward0>)",
        ),
        ({"device": "cuda:0"}, "tensor([1.], device='cuda:0')"),
        ({"default_dtype": "torch.float64"}, "tensor([1.], dtype=torch.float32)"),
        ({"name": "Mask"}, "Mask([1.])"),
        ({"tangent": "tensor([2.])"}, "tensor([1.], tangent=tensor([2.]))"),
    ],
)
def test_suffixes(facts, expected):
    assert show([1.0], **facts) == expected


def test_long_lines_break_at_the_line_width():
    assert show(range(30), "int64") == (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
    )


def test_suffix_goes_to_a_line_of_its_own():
    text = show([0.25] * 8, grad_fn="AddBackward0")
    assert text.endswith("0.2500],\n       grad_fn=<AddBackward0>)")


def test_large_tensors_are_summarized():
    assert show(range(1001), "int64") == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    square = np.arange(1600).reshape(40, 40)
    lines = tensor_repr(square, dtype="torch.int64").split("\n")
    assert lines[0] == "tensor([[   0,    1,    2,  ...,   37,   38,   39],"
    assert lines[3] == "        ...,"
    assert len(lines) == 7


def test_options_are_restored_after_the_block():
    before = printing.get_printoptions()
    with (
        pytest.raises(KeyError),
        printoptions(precision=2, threshold=3, edgeitems=1, sci_mode=True),
    ):
        assert show([1.25, 2.0]) == "tensor([1.25e+00, 2.00e+00])"
        raise KeyError
    assert printing.get_printoptions() == before


def test_no_edge_items_show_the_size():
    with printoptions(threshold=2, edgeitems=0):
        assert show([1, 2, 3], "int64") == "tensor([...], size=(3,))"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("short", "tensor([0.33, 0.33,  ..., 0.33, 0.33])"),
        ("default", "tensor([0.3333, 0.3333, 0.3333,  ..., 0.3333, 0.3333, 0.3333])"),
    ],
)
def test_profiles(profile, expected):
    with printoptions(profile=profile):
        assert show([1 / 3] * 1001) == expected
    with printoptions(profile="full"):
        assert "..." not in show([1 / 3] * 1001)


def test_sci_mode_is_forgotten_unless_given():
    with printoptions(sci_mode=False):
        assert show([1e-6, 1.0]) == "tensor([0.0000, 1.0000])"
        printing.set_printoptions(precision=2)
        assert show([1e-6, 1.0]) == "tensor([1.00e-06, 1.00e+00])"


def test_non_contiguous_arrays():
    assert tensor_repr(np.arange(6)[::-2], dtype="torch.int64") == "tensor([5, 3, 1])"
    assert tensor_repr(np.arange(4).reshape(2, 2).T, dtype="torch.int64") == (
        "tensor([[0, 2],\n        [1, 3]])"
    )
