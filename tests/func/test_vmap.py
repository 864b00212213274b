"""vmap: its arguments, what it refuses, random numbers, in-place changes."""

import gc

import numpy as np
import pytest

import numtorch as nt
from numtorch.core import interp
from numtorch.core.op import OPS, primitive
from numtorch.func import debug_unwrap, vmap


def values(*shape, seed=0):
    return np.random.RandomState(seed).rand(*shape).astype("float32")


def tensor(*shape, seed=0):
    return nt.tensor(values(*shape, seed=seed))


def same(a, b):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


# -- arguments -------------------------------------------------------------------------------------
def test_in_dims_and_out_dims():
    x = tensor(3, 4, 5)
    result = vmap(lambda a: a.sum(0), in_dims=1, out_dims=1)(x)
    same(result, x.sum(0).t())
    same(vmap(lambda a: a[0], in_dims=-1)(x), x[0].t())


def test_nested_arguments():
    x, y = tensor(3, 4), tensor(4, seed=1)
    function = vmap(
        lambda d, scale: d["a"] * d["b"][0] + scale, in_dims=({"a": 0, "b": None}, None)
    )
    same(function({"a": x, "b": [y]}, 2.0), x * y + 2)


def test_results_keep_their_structure():
    result = vmap(lambda a: {"sum": a.sum(), "pair": (a, [a * 2])})(tensor(3, 4))
    assert result["sum"].shape == (3,) and result["pair"][1][0].shape == (3, 4)


def test_unbatched_results_repeat():
    assert vmap(lambda a: nt.ones(2))(tensor(3)).shape == (3, 2)


def test_chunks():
    x = tensor(7, 3)
    for size in (1, 2, 3, 7, 20):
        same(vmap(lambda a: a.cumsum(0), chunk_size=size)(x), x.cumsum(1))
    same(vmap(lambda a: a * 2, in_dims=1, out_dims=1, chunk_size=2)(x), x * 2)


def test_nested_vmaps():
    x, y = tensor(3, 4), tensor(5, 4, seed=1)
    inner = vmap(lambda a, b: (a * b).sum(), in_dims=(None, 0))
    same(vmap(inner, in_dims=(0, None))(x, y), x @ y.t())


def test_empty_batches():
    assert vmap(lambda a: a.sin().sum())(nt.zeros(0, 3)).shape == (0,)


ARGUMENTS = [
    (dict(in_dims=[0]), ValueError, "expected `in_dims` to be int or a"),
    (dict(in_dims=(0, 0)), ValueError, "in_dims is not compatible with the structure"),
    (dict(in_dims=("a",)), ValueError, "in_dim must be either an integer dimension or None"),
    (dict(in_dims=2), ValueError, "expected in_dim to satisfy -2 <= in_dim < 2"),
    (dict(in_dims=(None,)), ValueError, "at least one input must have a dimension"),
    (dict(out_dims="a"), ValueError, "`out_dims` must be an int, None or a python collection"),
    (dict(out_dims=(0, 0)), ValueError, "out_dims is not compatible with the structure"),
    (dict(out_dims=None), ValueError, "can not return a BatchedTensor when out_dim is None"),
    (dict(out_dims=5), IndexError, "Dimension out of range"),
    (dict(randomness="some"), RuntimeError, "Only allowed values for randomness"),
    (dict(chunk_size=0), ValueError, "chunk_size should be None or greater than 0"),
]


@pytest.mark.parametrize(("options", "kind", "message"), ARGUMENTS)
def test_bad_arguments(options, kind, message):
    with pytest.raises(kind, match=message.replace("(", r"\(").replace("[", r"\[")):
        vmap(lambda a: a * 2, **options)(tensor(3, 4))


def test_bad_inputs():
    with pytest.raises(ValueError, match="got no inputs"):
        vmap(lambda: nt.ones(2))()
    with pytest.raises(ValueError, match="We cannot vmap over non-Tensor arguments"):
        vmap(lambda a: a)(2.0)
    with pytest.raises(ValueError, match=r"same size in the mapped dimension, got sizes \[3, 4\]"):
        vmap(lambda a, b: a + b)(tensor(3), tensor(4))
    with pytest.raises(ValueError, match="must only return Tensors, got type"):
        vmap(lambda a: 2.0)(tensor(3))


# -- what it refuses -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("look", "what"),
    [
        (lambda a: a.sum().item(), ".item"),
        (lambda a: a.tolist(), ".tolist"),
        (lambda a: a.numpy(), ".numpy"),
        (lambda a: 1 if a.sum() > 0 else 2, "bool"),
        (lambda a: float(a.sum()), ".item"),
    ],
)
def test_values_of_samples_cannot_be_looked_at(look, what):
    with pytest.raises(RuntimeError, match=f"you're calling {what}"):
        vmap(look)(tensor(3, 4))


@pytest.mark.parametrize("look", [lambda a: a.nonzero(), lambda a: a[a > 0.5]])
def test_sizes_that_depend_on_values(look):
    with pytest.raises(RuntimeError, match="dynamic shapes"):
        vmap(look)(tensor(3, 4))


def test_samples_do_not_fit_into_one_tensor():
    x = nt.zeros(4)
    with pytest.raises(RuntimeError, match=r"add_\(self, \*extra_args\) is not possible"):
        vmap(x.add_)(tensor(3, 4))
    assert x.sum() == 0


def test_errors_show_the_sample():
    with pytest.raises(RuntimeError, match="size of tensor a .2. must match the size of tensor b"):
        vmap(lambda a: a + nt.ones(3))(tensor(5, 2))


def test_escaped_tensors_raise_and_leave_no_trace():
    kept = []
    vmap(lambda a: kept.append(a * 2) or a)(tensor(3, 4))
    for use in (lambda t: t + 1, lambda t: t.numpy(), lambda t: t[0]):
        with pytest.raises(RuntimeError, match="used after the function has returned"):
            use(kept[0])
    kept.clear()
    gc.collect()
    assert interp.runtime["interp"] is None


def test_after_an_error_nothing_is_active():
    with pytest.raises(ZeroDivisionError):
        vmap(lambda a: 1 // 0)(tensor(3))
    assert interp.stack() == ()


def test_ops_without_a_rule_run_sample_by_sample_with_one_warning():
    name = "halves_of_test"

    @primitive(vjp={"input": lambda g: g * 0.5}, name=name, module="numtorch.ops.copy")
    def halves(input):
        return input.like()

    try:
        op = OPS[name]
        op.kernel = lambda specs, attrs, outs: lambda a, out: np.multiply(a, 0.5, out=out)
        x = tensor(3, 4)
        with pytest.warns(UserWarning, match=f"batching rule for {name}: each of the 3 samples"):
            same(vmap(halves)(x), x * 0.5)
        same(vmap(nt.func.grad(lambda a: halves(a).sum()))(x), nt.full((3, 4), 0.5))
    finally:
        del OPS[name]


# -- in place --------------------------------------------------------------------------------------
def test_inputs_change_in_place():
    x = tensor(3, 4)
    want = x * 2
    vmap(lambda a: a.mul_(2), in_dims=1)(x)
    same(x, want)


def test_views_of_samples_change_in_place(torch):
    def function(a):
        b = a.clone()
        b[0].mul_(b[1].clone())
        b[:, 1:3] = a[:, 0:2]
        b.t()[0] += 1
        b.view(-1)[2:5].zero_()
        return b

    x = values(5, 3, 4)
    got, want = vmap(function)(nt.tensor(x)), torch.vmap(function)(torch.tensor(x))
    np.testing.assert_allclose(got.numpy(), want.numpy())
    got = nt.func.vmap(nt.func.grad(lambda a: function(a).sin().sum()))(nt.tensor(x))
    want = torch.func.vmap(torch.func.grad(lambda a: function(a).sin().sum()))(torch.tensor(x))
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)


def test_new_tensors_like_a_sample_have_room_for_all():
    def function(a):
        b = nt.zeros_like(a)
        b[0] = a[1]
        c = a.new_empty(2)
        c.copy_(a[:2])
        return b, c

    x = tensor(3, 4)
    b, c = vmap(function)(x)
    same(b[:, 0], x[:, 1])
    same(c, x[:, :2])


# -- random numbers --------------------------------------------------------------------------------
DRAWS = {
    "rand": lambda m, a: a + m.rand(4),
    "randn": lambda m, a: a + m.randn(4),
    "rand_like": lambda m, a: m.rand_like(a),
    "randint": lambda m, a: a + m.randint(0, 9, (4,)),
    "uniform_": lambda m, a: a.clone().uniform_(),
    "dropout": lambda m, a: m.nn.functional.dropout(a, 0.5),
    "dropout2d": lambda m, a: m.nn.functional.dropout2d(a.view(1, 4, 1, 1), 0.5),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("randomness", ["same", "different"])
def test_random_numbers_are_those_of_torch(name, randomness, torch):
    found = []
    for module in (nt, torch):
        module.manual_seed(3)
        function = module.func.vmap(lambda a, m=module: DRAWS[name](m, a), randomness=randomness)
        found.append(function(module.tensor(values(5, 4))).numpy())
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", DRAWS)
def test_random_numbers_need_permission(name):
    with pytest.raises(RuntimeError, match="randomness error mode"):
        vmap(lambda a: DRAWS[name](nt, a))(tensor(5, 4))


def test_permutations_and_categories():
    rows = vmap(lambda a: nt.randperm(6) + a.long() * 0, randomness="different")(nt.zeros(4))
    assert (rows.sort(1).values == nt.arange(6)).all() and len(
        {tuple(r) for r in rows.tolist()}
    ) > 1
    drawn = vmap(lambda a: nt.multinomial(a, 2), randomness="same")(nt.ones(3, 5))
    assert (drawn == drawn[0]).all()


def test_unbatched_tensors_cannot_have_different_numbers():
    x = nt.zeros(4)
    with pytest.raises(RuntimeError, match="Cannot ask for different inplace randomness"):
        vmap(lambda a: a + x.uniform_(), randomness="different")(tensor(3, 4))
    with pytest.raises(RuntimeError, match="does not currently support same randomness"):
        vmap(lambda a: nt.bernoulli(a), randomness="same")(tensor(3, 4))


def test_debug_unwrap():
    seen = []
    vmap(lambda a: seen.append(debug_unwrap(a).shape) or a)(tensor(3, 4))
    vmap(vmap(lambda a: seen.append(debug_unwrap(a, recurse=False).shape) or a))(tensor(3, 4))
    assert seen == [(3, 4), (4,)]
    with pytest.raises(ValueError, match="expected a Tensor"):
        debug_unwrap(2)


def test_printing():
    seen = []
    vmap(vmap(lambda a: seen.append(repr(a)) or a))(nt.ones(2, 3))
    assert seen == [
        "BatchedTensor(lvl=2, bdim=0, value=\n    BatchedTensor(lvl=1, bdim=0, value=\n"
        "        tensor([[1., 1., 1.],\n                [1., 1., 1.]])\n    )\n)"
    ]
