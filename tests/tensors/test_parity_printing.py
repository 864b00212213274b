"""Printed tensors against torch, over random arrays, settings and suffixes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from numtorch.tensors.printing import printoptions, tensor_repr

torch = pytest.importorskip("torch")

FLOATS = ["float16", "float32", "float64"]
COMPLEX = ["complex64", "complex128"]
EXACT = ["bool", "uint8", "int8", "int16", "int32", "int64"]
ODD = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-4, 1.0, 1000.0]

OPTIONS = st.fixed_dictionaries(
    {
        "precision": st.integers(0, 8),
        "threshold": st.sampled_from([0, 5, 20, 1000, float("inf")]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.sampled_from([10, 20, 40, 80, 120]),
        "sci_mode": st.sampled_from([None, None, True, False]),
    }
)


def values(dtype):
    """Numbers of `dtype`: any, whole, moderate, odd; None leaves the choice to hypothesis."""
    width = np.dtype(dtype).itemsize * 8
    if dtype in FLOATS:
        return st.one_of(
            st.floats(width=width),
            st.integers(-2000, 2000).map(float),
            st.floats(-1000, 1000, width=width),
            st.sampled_from(ODD).map(lambda value: float(np.dtype(dtype).type(value))),
        )
    if dtype in COMPLEX:
        whole = st.builds(complex, st.integers(-9, 9), st.integers(-9, 9))
        return st.one_of(st.complex_numbers(width=width), whole)
    return None


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    options=st.one_of(st.just({}), OPTIONS),
    dtype=st.sampled_from(EXACT + FLOATS + COMPLEX),
    gradient=st.sampled_from(["none", "leaf", "function"]),
    default_dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_same_text_as_torch(data, options, dtype, gradient, default_dtype):
    shape = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9)
    array = data.draw(arrays.arrays(dtype, shape, elements=values(dtype)))
    tensor = torch.from_numpy(array.copy())
    facts = {}
    if gradient != "none" and dtype not in EXACT:
        tensor.requires_grad_()
        facts["requires_grad"] = True
        if gradient == "function":
            tensor = tensor.view_as(tensor)
            facts["grad_fn"] = type(tensor.grad_fn).__name__
    before = torch.get_default_dtype()
    torch.set_default_dtype(default_dtype)
    try:
        with torch._tensor_str.printoptions(**options), printoptions(**options):
            expected = repr(tensor)
            text = tensor_repr(
                array, dtype=str(tensor.dtype), default_dtype=str(default_dtype), **facts
            )
    finally:
        torch.set_default_dtype(before)
    assert text == expected


@pytest.mark.parametrize("seed", range(20))
def test_random_matrices(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 60, rng.integers(1, 4))
    array = rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 9)
    array = array.round() if seed % 2 else array
    assert tensor_repr(array, dtype="torch.float64") == repr(torch.from_numpy(array))
