"""torch.func's transforms, alone and composed, against torch; and their errors."""

import gc

import numpy as np
import pytest

import numtorch as nt
from numtorch.core import interp, tree


def values(*shape, seed=0):
    return np.random.RandomState(seed).randn(*shape).astype("float32")


X, W, B = values(4, 3), values(3, 3, seed=1), values(5, 4, 3, seed=2)


def wave(m):
    return lambda x: (x.sin() * x).sum()


def product(m):
    return lambda x: x.tanh() @ m.ones(3, 3).mul(0.3)


def square(m):
    return lambda x: (x @ x.t()).sin().sum()


def changing(m):
    def function(x):
        y = x.clone()
        y[0].mul_(x[1])
        y[:, 0].sin_()
        return y.add_(x).sum()

    return function


CASES = {
    "grad": lambda m, x: m.func.grad(wave(m))(x),
    "grad of grad": lambda m, x: m.func.grad(lambda y: m.func.grad(wave(m))(y).pow(2).sum())(x),
    "grad of two": lambda m, x, w: m.func.grad(lambda a, b: (a @ b).exp().sum(), (1, 0))(x, w),
    "grad with aux": lambda m, x: m.func.grad(lambda y: (y.sum(), {"y": y * 2}), has_aux=True)(x),
    "grad and value": lambda m, x: m.func.grad_and_value(wave(m))(x),
    "grad of a dict": lambda m, x, w: m.func.grad(lambda d: (d["x"] @ d["w"]).cos().sum())(
        {"x": x, "w": w}
    ),
    "vjp": lambda m, x, w: m.func.vjp(lambda a, b: m.softmax(a @ b, -1), x, w)[1](x),
    "vjp with aux": lambda m, x: m.func.vjp(lambda a: (a * a, a + 1), x, has_aux=True)[2],
    "vjp of a tuple": lambda m, x: m.func.vjp(lambda a: (a * a, a.sum()), x)[1]((x, x.sum())),
    "jvp": lambda m, x, w: m.func.jvp(lambda a, b: m.softmax(a @ b, -1), (x, w), (x * 2, w * w)),
    "jvp with aux": lambda m, x: m.func.jvp(lambda a: (a.exp(), a), (x,), (x,), has_aux=True),
    "jacrev": lambda m, x: m.func.jacrev(product(m))(x),
    "jacrev of two": lambda m, x, w: m.func.jacrev(lambda a, b: (a @ b, a.sum()), (0, 1))(x, w),
    "jacrev by chunks": lambda m, x: m.func.jacrev(product(m), chunk_size=5)(x),
    "jacrev with aux": lambda m, x: m.func.jacrev(lambda a: (a * a, a), has_aux=True)(x),
    "jacfwd": lambda m, x: m.func.jacfwd(product(m))(x),
    "jacfwd of two": lambda m, x, w: m.func.jacfwd(lambda a, b: {"p": a @ b}, (0, 1))(x, w),
    "hessian": lambda m, x: m.func.hessian(square(m))(x),
    "reverse over reverse": lambda m, x: m.func.jacrev(m.func.jacrev(square(m)))(x),
    "forward over forward": lambda m, x: m.func.jacfwd(m.func.jacfwd(square(m)))(x),
    "reverse over forward": lambda m, x: m.func.jacrev(m.func.jacfwd(square(m)))(x),
    "vmap of grad": lambda m, x: m.func.vmap(m.func.grad(wave(m)))(x),
    "vmap of vmap of grad": lambda m, b: m.func.vmap(
        m.func.vmap(m.func.grad(wave(m))), in_dims=1, out_dims=1
    )(b),
    "grad of vmap": lambda m, x, w: m.func.grad(
        lambda v: m.func.vmap(lambda r: (r @ v).sin().sum())(x).prod()
    )(w),
    "grad of vmap of grad": lambda m, x, w: m.func.grad(
        lambda v: (
            m.func.vmap(lambda r: m.func.grad(lambda q: (q @ v).sin().sum())(r))(x).pow(2).sum()
        )
    )(w),
    "gradients by sample": lambda m, x, w: m.func.vmap(
        m.func.grad(lambda v, r: (r @ v).sin().sum()), (None, 0)
    )(w, x),
    "unbatched inner grad": lambda m, x, w: m.func.vmap(
        lambda r: m.func.grad(lambda q: ((r @ q) ** 2).sum())(w)
    )(x),
    "jvp of grad": lambda m, x: m.func.jvp(m.func.grad(wave(m)), (x,), (x,)),
    "grad of jvp": lambda m, x: m.func.grad(
        lambda y: m.func.jvp(lambda z: z.sigmoid().exp(), (y,), (y * y,))[1].sum()
    )(x),
    "jvp of jvp": lambda m, x: m.func.jvp(
        lambda y: m.func.jvp(lambda z: z.sigmoid().exp(), (y,), (y * y,))[1], (x,), (x,)
    ),
    "vmap of jvp": lambda m, x: m.func.vmap(
        lambda y: m.func.jvp(lambda z: z.softmax(-1).exp(), (y,), (y * y,))[1]
    )(x),
    "linearize": lambda m, x: m.func.linearize(lambda z: z.softmax(-1).exp(), x)[1](x * 2),
    "vmap of linearize": lambda m, x, b: m.func.vmap(
        m.func.linearize(lambda z: z.softmax(-1), x)[1]
    )(b),
    "functionalize": lambda m, x: m.func.functionalize(changing(m))(x),
    "in place, grad": lambda m, x: m.func.grad(changing(m))(x),
    "in place, vmap of grad": lambda m, b: m.func.vmap(m.func.grad(changing(m)))(b),
    "in place, jvp": lambda m, x: m.func.jvp(changing(m), (x,), (x * x,)),
    "in place, hessian": lambda m, x: m.func.hessian(changing(m))(x),
    "layer_norm, hessian": lambda m, x, w: m.func.hessian(
        lambda y: (m.nn.functional.layer_norm(y, (3,), w[0], w[1]) ** 3).sum()
    )(x),
    "cross_entropy, hessian": lambda m, x: m.func.hessian(
        lambda y: m.nn.functional.cross_entropy(y, m.tensor([0, 2, 1, 1]))
    )(x),
    "attention, hessian": lambda m, b: m.func.hessian(
        lambda y: m.nn.functional.scaled_dot_product_attention(y, y * 2, y + 1).sin().sum()
    )(b[:2]),
    "group_norm, jacfwd of grad": lambda m, b: m.func.jacfwd(
        m.func.grad(lambda y: (m.nn.functional.group_norm(y, 2) ** 3).sum())
    )(b[:2]),
}
GIVEN = {"x": X, "w": W, "b": B}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own use
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")  # likewise
@pytest.mark.parametrize("name", CASES)
def test_as_in_torch(name, torch):
    function = CASES[name]
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    found = []
    for m in (nt, torch):
        found.append(function(m, *(m.tensor(GIVEN[n]) for n in names)))
    ours, theirs = tree.flatten(found[0]), tree.flatten(found[1])
    assert ours[1] == theirs[1]
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert a.requires_grad == b.requires_grad
        assert tuple(a.shape) == tuple(b.shape)
        want = b.detach().numpy()
        np.testing.assert_allclose(a.detach().numpy(), want, rtol=2e-4, atol=2e-5)


# -- what is recorded ------------------------------------------------------------------------------
def test_results_are_not_recorded_unless_something_outside_is():
    x = nt.tensor(X)
    assert not nt.func.grad(wave(nt))(x).requires_grad
    gradient, value = nt.func.grad_and_value(wave(nt))(x.clone().requires_grad_())
    assert gradient.requires_grad and value.requires_grad
    w = nt.tensor(W).requires_grad_()
    gradient = nt.func.grad(lambda y: (y @ w).sum())(x)
    gradient.sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 4 * np.ones((3, 3)), rtol=1e-6)
    assert not nt.func.grad(lambda y: (y * y).sum() + w.sum())(x).requires_grad


def test_no_grad_around_and_inside():
    x = nt.tensor(X)
    with nt.no_grad():
        want = nt.func.grad(wave(nt))(x)
        assert not nt.func.vmap(nt.func.grad(wave(nt)))(x.requires_grad_()).requires_grad
    assert (nt.func.grad(wave(nt))(nt.tensor(X)) == want).all()

    def constant_part(y):
        with nt.no_grad():
            c = y**2
        return (y**3 - c).sum()

    np.testing.assert_allclose(
        nt.func.grad(constant_part)(nt.tensor(X)).numpy(), 3 * X**2, rtol=1e-5
    )


def test_gradients_do_not_accumulate():
    x = nt.tensor(X).requires_grad_()
    nt.func.grad(wave(nt))(x)
    assert x.grad is None


def test_vjp_can_be_called_often():
    _, pull = nt.func.vjp(lambda y: y.sin(), nt.tensor(X))
    first = pull(nt.ones(4, 3))[0]
    assert (first == pull(nt.ones(4, 3))[0]).all()


# -- errors ----------------------------------------------------------------------------------------
x = nt.tensor(X)
ERRORS = {
    "no scalar": (lambda: nt.func.grad(lambda y: y)(x), "to return a scalar Tensor"),
    "no tensor": (lambda: nt.func.grad(lambda y: 2.0)(x), "to return a Tensor, got"),
    "no aux": (lambda: nt.func.grad(lambda y: y.sum(), has_aux=True)(x), "should be a tuple"),
    "argnums": (lambda: nt.func.grad(wave(nt), 1)(x), "Got argnum=1, but only 1 positional"),
    "no argnums": (lambda: nt.func.grad(wave(nt), ())(x), "argnums must be non-empty"),
    "repeated": (lambda: nt.func.grad(wave(nt), (0, 0))(x), "elements must be unique"),
    "kind of argnums": (lambda: nt.func.grad(wave(nt), "a")(x), "argnums must be int or Tuple"),
    "integers": (lambda: nt.func.grad(wave(nt))(x.long()), "only Tensors of floating point"),
    "integer outputs": (
        lambda: nt.func.vjp(lambda y: y.argmax(), x),
        "All outputs of f must be floating-point",
    ),
    "cotangents": (
        lambda: nt.func.vjp(lambda y: (y, y), x)[1](x),
        "Expected pytree structure of cotangents",
    ),
    "shape of cotangents": (lambda: nt.func.vjp(lambda y: y, x)[1](x[0]), "Mismatch in shape"),
    "primals": (lambda: nt.func.jvp(wave(nt), x, x), "Expected primals to be a tuple"),
    "no primals": (lambda: nt.func.jvp(wave(nt), (), ()), "to contain at least one Tensor"),
    "numbers": (lambda: nt.func.jvp(wave(nt), (2.0,), (2.0,)), "to only contain Tensors"),
    "structure": (lambda: nt.func.jvp(wave(nt), (x,), (x, x)), "same python structure"),
    "shape of tangents": (lambda: nt.func.jvp(wave(nt), (x,), (x[0],)), "has a different size"),
    "strict": (
        lambda: nt.func.jvp(lambda y: nt.ones(2), (x,), (x,), strict=True),
        "independent of the inputs",
    ),
    "no outputs": (lambda: nt.func.jacrev(lambda y: ())(x), "has non-empty output"),
    "kind of output": (lambda: nt.func.jacfwd(lambda y: 2.0)(x), "to return only tensors"),
    "dtype of tangents": (
        lambda: nt.func.linearize(wave(nt), x)[1](x.double()),
        "doesn't match the dtype",
    ),
    "remove": (lambda: nt.func.functionalize(wave(nt), remove="all"), "received invalid argument"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    call, message = ERRORS[name]
    with pytest.raises(RuntimeError, match=message):
        call()


def test_what_is_no_tensor():
    with pytest.raises(ValueError, match="Thing passed to transform API must be Tensor"):
        nt.func.grad(lambda y: y)(2.0)
    with pytest.raises(ValueError, match="`chunk_size` should be greater than 0"):
        nt.func.jacrev(wave(nt), chunk_size=0)


def test_printing_shows_tangents():
    seen = []
    nt.func.jvp(lambda y: seen.append(repr(y)) or y, (nt.ones(2),), (nt.ones(2) * 3,))
    assert seen == ["tensor([1., 1.], tangent=tensor([3., 3.]))"]


def test_nothing_stays_active():
    """The tensors of a level die with it, without the garbage collector: no op pays afterwards."""
    gc.collect()
    gc.disable()
    try:
        nt.func.hessian(square(nt))(nt.tensor(X))
        nt.func.jvp(nt.func.grad(wave(nt)), (nt.tensor(X),), (nt.tensor(X),))
        assert interp.runtime["interp"] is None
    finally:
        gc.enable()
