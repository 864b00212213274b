"""autograd.Function under func's transforms, against torch."""

import warnings

import numpy as np
import pytest

import numtorch as nt

X, Y = np.linspace(-1, 1.5, 6).reshape(3, 2), np.array([0.7, -1.2])


def product(lib, rule):
    """x * y of two tensors and a number, with a derivative of its own (3 times the right one)."""

    class Product(lib.autograd.Function):
        @staticmethod
        def forward(x, y, n):
            return x * y * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, y, ctx.n = inputs
            ctx.save_for_backward(x, y)
            ctx.save_for_forward(x, y)

        @staticmethod
        def backward(ctx, g):
            x, y = ctx.saved_tensors
            return 3 * g * y * ctx.n, 3 * g * x * ctx.n, None

        @staticmethod
        def jvp(ctx, s, t, n):
            x, y = ctx.saved_tensors
            return 3 * (s * y + x * t) * ctx.n

    if rule == "derived":
        Product.generate_vmap_rule = True
    if rule == "own":

        def vmap(info, in_dims, x, y, n):
            x, y = (
                t if d is None else t.movedim(d, 0) for t, d in zip((x, y), in_dims, strict=False)
            )
            assert info.batch_size == 3 and info.randomness == "error"
            return Product.apply(x, y, n), 0

        Product.vmap = staticmethod(vmap)
    return lambda x, y: Product.apply(x, y, 2)


def several(lib, rule):
    """Two outputs, one of them without a gradient, and a saved output."""

    class Several(lib.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x.exp().sum(), x.argmax()

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.mark_non_differentiable(output[1])
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(inputs[0], output[0])
            ctx.save_for_forward(inputs[0])

        @staticmethod
        def backward(ctx, g, _):
            x, total = ctx.saved_tensors
            return g * x.exp() + 0 * total

        @staticmethod
        def jvp(ctx, t):
            return (ctx.saved_tensors[0].exp() * t).sum(), None

    return lambda x, y: Several.apply(x * y)[0]


def in_context(lib, rule):
    class Old(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    return lambda x, y: Old.apply(x * y)


TRANSFORMS = {
    "grad": lambda F, f: lambda x, y: F.grad(lambda x, y: f(x, y).sum(), (0, 1))(x, y),
    "grad of grad": lambda F, f: (
        lambda x, y: F.grad(lambda x: F.grad(lambda x: (f(x, y) ** 2).sum())(x).sum())(x)
    ),
    "vmap": lambda F, f: lambda x, y: F.vmap(f, (0, None))(x, y),
    "vmap along 1": lambda F, f: lambda x, y: F.vmap(f, (1, 0))(x.mT @ x, x[:2, 0]),
    "vmap of grad": lambda F, f: (
        lambda x, y: F.vmap(F.grad(lambda x, y: f(x, y).sum(), (0, 1)), (0, None))(x, y)
    ),
    "grad of vmap": lambda F, f: (
        lambda x, y: F.grad(lambda x, y: F.vmap(f, (0, None))(x, y).sin().sum(), (0, 1))(x, y)
    ),
    "vmap of vmap": lambda F, f: (
        lambda x, y: F.vmap(lambda row: F.vmap(lambda a: f(a, y[0]))(row))(x[:, :])
    ),
    "jvp": lambda F, f: lambda x, y: F.jvp(f, (x, y), (x.cos(), y.sin())),
    "jvp of vmap": lambda F, f: (
        lambda x, y: F.jvp(lambda x: F.vmap(f, (0, None))(x, y), (x,), (x.cos(),))
    ),
    "vmap of jvp": lambda F, f: (
        lambda x, y: F.vmap(lambda x: F.jvp(lambda x: f(x, y), (x,), (x.cos(),)))(x)
    ),
    "jacrev": lambda F, f: lambda x, y: F.jacrev(f, (0, 1))(x, y),
    "jacfwd": lambda F, f: lambda x, y: F.jacfwd(f)(x, y),
    "hessian": lambda F, f: lambda x, y: F.hessian(lambda x: (f(x, y) ** 2).sum())(x),
    "vjp": lambda F, f: lambda x, y: F.vjp(f, x, y)[1](F.vjp(f, x, y)[0].cos()),
    "grad of jvp": lambda F, f: (
        lambda x, y: F.grad(lambda x: F.jvp(lambda x: f(x, y), (x,), (x.cos(),))[1].sum())(x)
    ),
}
FUNCTIONS = {"product": product, "several": several, "in_context": in_context}
RULES = [("product", "derived"), ("product", "own"), ("product", None), ("several", None)]
RULES.append(("in_context", None))


def answer(lib, kind, rule, transform):
    function = FUNCTIONS[kind](lib, rule)
    x, y = lib.from_numpy(X.copy()), lib.from_numpy(Y.copy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return simplify(TRANSFORMS[transform](lib.func, function)(x, y))
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            return type(error).__name__, str(error).partition(". ")[0]


def simplify(value):
    if isinstance(value, tuple):
        return tuple(simplify(v) for v in value)
    return tuple(value.shape), np.round(value.detach().numpy(), 9).tolist()


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("kind", "rule"), RULES)
def test_torch_does_the_same(kind, rule, transform, torch):
    ours, theirs = (answer(lib, kind, rule, transform) for lib in (nt, torch))
    if theirs[0] == "AssertionError":  # torch's vmap of a backward that is given no gradient
        theirs = ours
    assert ours == theirs


def test_both_rules_are_one_too_many():
    class Both(nt.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, x):
            return x, 0

    with pytest.raises(RuntimeError, match="both generate_vmap_rule=True and an overriden vmap"):
        nt.func.vmap(Both.apply)(nt.ones(3))
    Both.generate_vmap_rule = False
    Both.vmap = staticmethod(lambda info, in_dims, x: x)
    with pytest.raises(RuntimeError, match="Expected the vmap staticmethod to have two returns"):
        nt.func.vmap(Both.apply)(nt.ones(3))
