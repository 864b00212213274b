"""Every sample of every room through the same checks."""

import warnings

import numpy as np
import pytest

import numtorch as nt
from numtorch.autograd import forward_ad, gradcheck, gradgradcheck
from tests.samples import build

SAMPLES = build.all_samples()
TOLERANCE = {"float32": (2e-5, 2e-5), "float64": (1e-9, 1e-9)}


def parametrize(select=lambda s: True, dtypes=None):
    """One test for each case and dtype of the samples that `select` takes."""
    rows = list(build.cases([s for s in SAMPLES if select(s)], dtypes))
    return pytest.mark.parametrize(
        ("sample", "case", "dtype"), [r[1:] for r in rows], ids=[r[0] for r in rows]
    )


def tensor(array):
    return nt.from_numpy(array.copy())


def call(sample, args, kwargs):
    with warnings.catch_warnings():
        # torch's own remarks on some calls, tested where they arise
        warnings.simplefilter("ignore", UserWarning)
        return build.find(nt, sample.name)(*args, **kwargs)


def inputs(case, dtype, make=tensor):
    args, kwargs = build.arrays(case, dtype)
    return build.convert(args, make), build.convert(kwargs, make)


def close(got, want, sample, dtype):
    """Compare nested results with arrays or torch tensors."""
    ours = build.tensors_in(got, nt.Tensor)
    theirs = [np.asarray(w) for w in _flat(want)]
    assert len(ours) == len(theirs), f"{len(ours)} results instead of {len(theirs)}"
    for a, b in zip(ours, theirs, strict=True):
        a = a.detach().numpy()
        assert a.shape == b.shape
        rtol, atol = (
            (sample.tolerance,) * 2 if sample.tolerance else TOLERANCE.get(dtype, (1e-5, 1e-5))
        )
        if b.dtype.kind != "f":
            rtol = atol = 0
        np.testing.assert_allclose(
            a.astype(b.dtype), b, rtol, atol * max(1.0, _largest(b)), equal_nan=True
        )


def _largest(b):
    finite = b[np.isfinite(b)] if b.dtype.kind == "f" else b
    return float(np.abs(finite).max()) if finite.size else 1.0


def _flat(value):
    if isinstance(value, (tuple, list)):
        return [x for v in value for x in _flat(v)]
    return [value.detach().numpy() if hasattr(value, "detach") else value]


@parametrize(lambda s: s.ref is not None)
def test_reference(sample, case, dtype):
    args, kwargs = build.arrays(case, dtype)
    want = sample.ref(*args, **kwargs)
    close(call(sample, *inputs(case, dtype)), want, sample, dtype)


def in_torch(sample):
    """Whether torch has a function of this name; those of `_name` are our own."""
    return not sample.name.startswith("Tensor._")


@parametrize(in_torch)
def test_parity_with_torch(sample, case, dtype, torch):
    args, kwargs = build.arrays(case, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = build.find(torch, sample.name)(
            *build.torch_arguments(args, kwargs, torch)[0],
            **build.torch_arguments(args, kwargs, torch)[1],
        )
    ours = call(sample, *inputs(case, dtype))
    close(ours, theirs, sample, dtype)
    for a, b in zip(
        build.tensors_in(ours, nt.Tensor), build.tensors_in(theirs, torch.Tensor), strict=True
    ):
        assert str(a.dtype) == str(b.dtype)


def strided(array):
    """The same values with gaps in memory and the first two dimensions exchanged."""
    if array.ndim == 0:
        return tensor(array)
    if array.ndim == 1:
        wide = np.zeros((array.size, 3), array.dtype)
        wide[:, 1] = array
        return nt.from_numpy(wide)[:, 1]
    moved = np.ascontiguousarray(np.swapaxes(array, 0, 1))
    return nt.from_numpy(moved).transpose(0, 1)


@parametrize(lambda s: s.strided)
def test_strided_inputs(sample, case, dtype):
    want = call(sample, *inputs(case, dtype))
    got = call(sample, *inputs(case, dtype, strided))
    close(got, [t.detach().numpy() for t in build.tensors_in(want, nt.Tensor)], sample, dtype)


@parametrize(lambda s: s.out)
def test_out(sample, case, dtype):
    want = call(sample, *inputs(case, dtype))
    args, kwargs = inputs(case, dtype)
    out = nt.zeros(tuple(want.shape), dtype=want.dtype)
    returned = call(sample, args, {**kwargs, "out": out})
    assert returned is out
    close(out, want.numpy(), sample, dtype)


@parametrize(lambda s: s.inplace)
def test_in_place(sample, case, dtype):
    args, kwargs = inputs(case, dtype)
    want = call(sample, args, kwargs)
    first = args[0]
    if want.shape != first.shape or want.dtype is not first.dtype:
        with pytest.raises(RuntimeError, match="doesn't match the broadcast shape|can't be cast"):
            getattr(first, sample.name.rpartition(".")[2] + "_")(*args[1:], **kwargs)
        return
    version = first._version
    returned = getattr(first, sample.name.rpartition(".")[2] + "_")(*args[1:], **kwargs)
    assert returned is first and first._version == version + 1
    close(first, want.numpy(), sample, dtype)


def differentiable(sample, case, dtype="float64"):
    """A function of the tensors whose gradients are checked, and those tensors."""
    args, kwargs = inputs(case, dtype)
    every = build.tensors_in((args, kwargs), nt.Tensor)
    leaves = [
        t for t, g in zip(every, build.wants_grad(case), strict=True) if g and t.is_floating_point()
    ]
    for t in leaves:
        t.requires_grad_()

    def function(*given):
        table = {id(t): g for t, g in zip(leaves, given, strict=True)}
        swap = lambda t: table.get(id(t), t)  # noqa: E731
        out = call(sample, *(build.convert(v, swap, nt.Tensor) for v in (args, kwargs)))
        return tuple(t for t in build.tensors_in(out, nt.Tensor) if t.requires_grad)

    return function, leaves


@parametrize(lambda s: s.grad, ("float64",))
def test_gradient(sample, case, dtype):
    function, leaves = differentiable(sample, case)
    assert leaves and function(*leaves), "the sample has nothing to differentiate"
    assert gradcheck(function, leaves)


@parametrize(lambda s: s.grad and s.gradgrad, ("float64",))
def test_second_derivative(sample, case, dtype):
    function, leaves = differentiable(sample, case)
    assert gradgradcheck(function, leaves)


@parametrize(lambda s: s.grad and s.forward_ad, ("float64",))
def test_forward_mode(sample, case, dtype):
    """<jvp(t), u> == <t, vjp(u)>."""
    function, leaves = differentiable(sample, case)
    rng = np.random.default_rng(5)
    tangents = [tensor(rng.uniform(-1, 1, tuple(x.shape))) for x in leaves]
    outs = function(*leaves)
    cotangents = [tensor(rng.uniform(-1, 1, tuple(o.shape))) for o in outs]
    pulled = nt.autograd.grad(outs, leaves, cotangents, allow_unused=True)
    want = sum(float((t * g).sum()) for t, g in zip(tangents, pulled, strict=True) if g is not None)
    with forward_ad.dual_level():
        duals = [
            forward_ad.make_dual(x.detach().requires_grad_(), t)
            for x, t in zip(leaves, tangents, strict=True)
        ]
        pushed = [forward_ad.unpack_dual(o).tangent for o in function(*duals)]
    got = sum(
        float((t * u).sum()) for t, u in zip(pushed, cotangents, strict=True) if t is not None
    )
    assert got == pytest.approx(want, rel=1e-7, abs=1e-9)


@parametrize(lambda s: s.grad and s.grad_parity and in_torch(s), ("float32",))
def test_gradient_parity_with_torch(sample, case, dtype, torch):
    args, kwargs = build.arrays(case, dtype)
    targs, tkwargs = build.torch_arguments(args, kwargs, torch)
    wanted = build.wants_grad(case)
    theirs = build.tensors_in((targs, list(tkwargs.values())), torch.Tensor)
    nargs, nkwargs = inputs(case, dtype)
    ours = build.tensors_in((nargs, list(nkwargs.values())), nt.Tensor)
    for t, o, g in zip(theirs, ours, wanted, strict=True):
        if g:
            t.requires_grad_()
            o.requires_grad_()
    a = [t for t in build.tensors_in(call(sample, nargs, nkwargs), nt.Tensor) if t.requires_grad]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = build.find(torch, sample.name)(*targs, **tkwargs)
    b = [t for t in build.tensors_in(result, torch.Tensor) if t.requires_grad]
    assert len(a) == len(b)
    sum(((t * t).sum() for t in a), nt.zeros(())).backward()
    sum(((t * t).sum() for t in b), torch.zeros(())).backward()
    for t, o, g in zip(theirs, ours, wanted, strict=True):
        if g and t.grad is not None:
            scale = max(1.0, float(t.grad.abs().nan_to_num().max()) if t.grad.numel() else 1.0)
            tolerance = 10 * (sample.tolerance or 1e-5)
            np.testing.assert_allclose(o.grad.numpy(), t.grad.numpy(), tolerance, tolerance * scale)


@pytest.mark.parametrize("sample", build.all_errors(), ids=lambda s: f"{s.name}({s.case})")
def test_errors(sample):
    args, kwargs = inputs(sample.case, sample.dtype)
    before = [t.tolist() for t in build.tensors_in((args, list(kwargs.values())), nt.Tensor)]
    with pytest.raises(sample.kind, match=sample.match):
        build.find(nt, sample.name)(*args, **kwargs)
    assert before == [
        t.tolist() for t in build.tensors_in((args, list(kwargs.values())), nt.Tensor)
    ]
