"""Views: who keeps their memory, how autograd sees several that one call made, and the two ways in
which the CPU makes their arrays.
"""

import gc

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cpu import memory, views
from numtorch.core.spec import Spec
from numtorch.core.tape import grad_mode


def test_a_view_keeps_its_memory():
    view = nt.arange(1_000_000.0)[5:].view(-1)[::3]
    gc.collect()
    nt.zeros(1_000_000)  # would take the memory if it were free
    assert view[:3].tolist() == [5, 8, 11]


def test_a_view_of_memory_that_is_read_only():
    array = np.arange(6.0)
    array.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        x = nt.from_numpy(array)
    assert not x.view(2, 3).numpy().flags.writeable


@pytest.mark.parametrize(
    "shape, strides, offset", [((), (), 5), ((2, 3), (1, 2), 1), ((4,), (0,), 2)]
)
def test_both_ways_of_making_an_array(monkeypatch, shape, strides, offset):
    root, spec = np.arange(8.0, dtype=np.float32), Spec.of(shape, nt.float32, strides=strides)
    fast = memory.viewer(spec)(root, offset)
    monkeypatch.setattr(views, "available", lambda: False)
    slow = memory.viewer(spec)(root, offset)
    assert fast.base is root and fast.strides == slow.strides and fast.dtype == slow.dtype
    np.testing.assert_array_equal(fast, slow)
    assert fast.flags.c_contiguous == slow.flags.c_contiguous


@pytest.mark.parametrize(
    "parts, name",
    [
        (lambda x: x.split(2), "SplitBackward0"),
        (lambda x: x.chunk(3), "SplitBackward0"),
        (lambda x: x.split([2, 2, 2]), "SplitWithSizesBackward0"),
        (lambda x: x.view(3, 2).unbind(), "UnbindBackward0"),
    ],
)
def test_parts_share_one_node(parts, name):
    x = nt.arange(6.0, requires_grad=True)
    first, _, last = parts(x)
    assert first.grad_fn is last.grad_fn and first.grad_fn.name() == name
    assert (first.output_nr, last.output_nr) == (0, 2)
    (grad,) = nt.autograd.grad((last**3).sum(), x, create_graph=True)  # the others have none
    assert grad.tolist() == [0, 0, 0, 0, 48, 75]
    (second,) = nt.autograd.grad(grad.sum(), x)
    assert second.tolist() == [0, 0, 0, 0, 24, 30]


def test_parts_are_not_changed_in_place():
    x = nt.arange(6.0, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
        x.split(2)[0].mul_(2)
    x.tensor_split(2)[0].mul_(2)
    assert x.tolist() == [0, 2, 4, 3, 4, 5] and grad_mode.get()
