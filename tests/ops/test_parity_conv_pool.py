"""conv and pool against torch: random settings, and the types of exceptions."""

import itertools
import warnings

import numpy as np
import pytest

import numtorch as nt
from numtorch.nn import functional as F  # noqa: N812

X, W = (1, 3, 6, 6), (2, 3, 3, 3)
WRONG = [
    ("conv2d", (X, W), {"stride": 0}),
    ("conv2d", (X, W), {"padding": -1}),
    ("conv2d", (X, W), {"groups": 2}),
    ("conv2d", (X, W), {"groups": 0}),
    ("conv2d", (X, W), {"stride": (1, 1, 1)}),
    ("conv2d", (X, W), {"stride": 1.5}),
    ("conv2d", (X, W), {"padding": "around"}),
    ("conv2d", (X, W), {"padding": "same", "stride": 2}),
    ("conv2d", (X, W, (3,)), {}),
    ("conv2d", ((6, 6), W), {}),
    ("conv2d", ((1, 3, 2, 2), W), {}),
    ("conv2d", (X, (2, 3, 3)), {}),
    ("conv1d", ((5,), (2, 3, 3)), {}),
    ("conv_transpose2d", (X, W), {}),
    ("conv_transpose2d", (X, (3, 2, 3, 3), (3,)), {}),
    ("max_pool2d", (X, 2), {"padding": 2}),
    ("max_pool2d", (X, 2), {"padding": -1}),
    ("max_pool2d", (X, 7), {}),
    ("max_pool2d", (X, 0), {}),
    ("max_pool2d", (X, (1, 2, 3)), {}),
    ("max_pool2d", ((6, 6), 2), {}),
    ("max_pool2d", ((1, 0, 6, 6), 2), {}),
    ("avg_pool2d", ((6, 6), 2), {}),
    ("avg_pool2d", (X, 2), {"divisor_override": 0}),
    ("avg_pool1d", ((5,), 2), {}),
    ("adaptive_avg_pool2d", ((6, 6), 2), {}),
    ("adaptive_avg_pool2d", (X, -1), {}),
    ("adaptive_avg_pool2d", (X, (1, 2, 3)), {}),
    ("adaptive_max_pool2d", ((6, 6), 2), {}),
]


@pytest.mark.parametrize(("name", "given", "options"), WRONG)
def test_the_type_of_exception(name, given, options, torch):
    tensors = 1 if "pool" in name else 3
    raised = []
    for library, make in ((torch.nn.functional, torch.zeros), (F, nt.zeros)):
        arguments = [make(*v) if i < tensors else v for i, v in enumerate(given)]
        with pytest.raises(Exception) as caught:  # noqa: B017, PT011
            getattr(library, name)(*arguments, **options)
        raised.append(caught.type)
    assert raised[0] is raised[1]


SETTINGS = list(itertools.product((1, 2, 3), (1, 2), (0, 1), (1, 2), (1, 2)))


@pytest.mark.parametrize(("k", "s", "p", "d", "g"), SETTINGS)
def test_convolutions_and_their_gradients(k, s, p, d, g, torch):
    rng = np.random.default_rng(k * 100 + s * 10 + p)
    values = [rng.uniform(-1, 1, n) for n in ((2, 4, 9, 11), (6, 4 // g, k, k), (6,))]
    results = []
    for library, make in ((torch.nn.functional, torch.tensor), (F, nt.tensor)):
        x, w, b = (make(v, requires_grad=True) for v in values)
        y = library.conv2d(x, w, b, s, p, d, g)
        (y * y * y).sum().backward()
        results.append([y, x.grad, w.grad, b.grad])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-9, 1e-9)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(
    ("k", "s", "p", "d"), list(itertools.product((2, 3), (1, 2, 3), (0, 1), (1, 2)))
)
def test_pools_and_their_gradients(k, s, p, d, ceil_mode, torch):
    values = np.random.default_rng(k).standard_normal((2, 3, 8, 9))
    results = []
    for library, make in ((torch.nn.functional, torch.tensor), (F, nt.tensor)):
        x = make(values, requires_grad=True)
        y, i = library.max_pool2d(x, k, s, p, d, ceil_mode, True)
        z = library.avg_pool2d(x, k, s, p, ceil_mode, False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ((y * y).sum() + (z * z).sum()).backward()
        results.append([y, i, z, x.grad])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), 1e-12, 1e-12)
