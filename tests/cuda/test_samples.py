"""Every sample of every room on "cuda": numbers in the simulator or on a GPU, compiled in dry mode.

See test_backend.py for the command lines.
"""

import warnings

import numpy as np
import pytest

import numtorch as nt
from numtorch.backends.cuda import compat
from tests.samples import build
from tests.samples.model import FLOATS

COMPUTES = compat.MODE in ("device", "simulator")
SAMPLES = [s for s in build.all_samples() if s.cuda] if compat.MODE != "none" else []
MOST = 400  # elements of an argument in the simulator, where an element costs about 10 us


def rows(select=lambda sample, dtype: True):
    for name, sample, case, dtype in build.cases(SAMPLES):
        if not select(sample, dtype):
            continue
        args, kwargs = build.arrays(case, dtype)
        given = build.tensors_in((args, list(kwargs.values())), np.ndarray)
        if given and (compat.MODE != "simulator" or max(a.size for a in given) <= MOST):
            yield pytest.param(sample, case, dtype, id=name)


def tensors(case, dtype, device):
    args, kwargs = build.arrays(case, dtype)
    make = lambda a: nt.from_numpy(a.copy()).to(device)  # noqa: E731
    args, kwargs = build.convert(args, make), build.convert(kwargs, make)
    return args, kwargs, build.tensors_in((args, list(kwargs.values())), nt.Tensor)


def call(sample, args, kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch's remarks on some calls
        return build.tensors_in(build.find(nt, sample.name)(*args, **kwargs), nt.Tensor)


def compare(got, want, sample, dtype):
    """The same numbers; in the dry mode, where even sizes may depend on numbers, only devices."""
    if not COMPUTES:
        assert all(t is None or t.device.type == "cuda" for t in got)
        return
    assert len(got) == len(want)
    tolerance = sample.tolerance or {"float64": 1e-9}.get(dtype, 2e-5)
    for a, b in zip(got, want, strict=True):
        assert (a is None) == (b is None)
        if a is None:
            continue
        assert a.device.type == "cuda" and a.dtype is b.dtype
        a, b = a.detach().cpu().numpy(), b.detach().numpy()
        assert a.shape == b.shape
        finite = np.abs(b[np.isfinite(b)]) if b.dtype.kind == "f" else np.zeros(0)
        scale = max(1.0, float(finite.max())) if finite.size else 1.0
        np.testing.assert_allclose(a, b, tolerance, tolerance * scale)


@pytest.mark.parametrize(("sample", "case", "dtype"), list(rows()))
def test_values(sample, case, dtype):
    want = call(sample, *tensors(case, dtype, "cpu")[:2]) if COMPUTES else None
    compare(call(sample, *tensors(case, dtype, "cuda")[:2]), want, sample, dtype)


def gradients(sample, case, dtype, device):
    args, kwargs, given = tensors(case, dtype, device)
    leaves = [
        t
        for t, wanted in zip(given, build.wants_grad(case), strict=True)
        if wanted and t.is_floating_point()
    ]
    for t in leaves:
        t.requires_grad_()
    outs = [t for t in call(sample, args, kwargs) if t.requires_grad]
    seeds = [nt.linspace(0.5, 1.5, o.numel(), dtype=o.dtype).view(o.shape).to(device) for o in outs]
    return nt.autograd.grad(outs, leaves, seeds, allow_unused=True)


@pytest.mark.parametrize(
    ("sample", "case", "dtype"), list(rows(lambda s, dtype: s.grad and dtype in FLOATS))
)
def test_gradients(sample, case, dtype):
    want = gradients(sample, case, dtype, "cpu") if COMPUTES else None
    compare(gradients(sample, case, dtype, "cuda"), want, sample, dtype)
