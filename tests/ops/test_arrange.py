"""flip and roll of tensors in any layout."""

import itertools

import numpy as np

import numtorch as nt


def test_layouts_with_single_rows():
    for shape in itertools.product((1, 2, 3), repeat=3):
        values = np.arange(float(np.prod(shape))).reshape(shape)
        for order in itertools.permutations(range(3)):
            x, wanted = nt.from_numpy(values).permute(order), values.transpose(order)
            for dim in range(3):
                np.testing.assert_array_equal(x.flip(dim).numpy(), np.flip(wanted, dim))
                np.testing.assert_array_equal(x.roll(1, dim).numpy(), np.roll(wanted, 1, dim))
    x = nt.tensor([1.0, 2.0]).expand(3, 2)
    assert x.flip(0).equal(x) and x.flip(1).tolist() == [[2, 1]] * 3
