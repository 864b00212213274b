"""autograd.Function: both styles, several outputs, misuse."""

import gc
import itertools
import weakref

import pytest

import numtorch as nt
from numtorch.autograd import Function, GradcheckError, gradcheck, gradgradcheck
from numtorch.autograd.function import once_differentiable


class Cube(Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.save_for_backward(x)
        ctx.scale = scale
        return scale * x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        assert ctx.needs_input_grad == (True, False)
        return g * ctx.scale * 3 * x**2, None


class Both(Function):
    @staticmethod
    def forward(x, y):
        return x * y, (x > y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx, g, _):
        x, y = ctx.saved_tensors
        return g * y, g * x


def double(*values):
    return nt.tensor(values, dtype=nt.float64, requires_grad=True)


def test_derivatives():
    x, y = double(1.0, -2.0), double(0.5, 3.0)
    assert gradcheck(lambda t: Cube.apply(t, 2.0), x)
    assert gradgradcheck(lambda t: Cube.apply(t, 2.0), x)
    assert gradcheck(lambda a, b: Both.apply(a, b)[0], (x, y))
    product, larger = Both.apply(x, y)
    assert product.requires_grad and not larger.requires_grad
    assert Cube.apply(x, 2.0).grad_fn.name() == "CubeBackward"


def test_two_differentiable_outputs():
    class Split(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            return 2 * a + 3 * b

    x = double(1.0)
    p, q = Split.apply(x)
    (p * q).backward()
    assert x.grad.item() == 12
    p, _ = Split.apply(x)
    assert nt.autograd.grad(p, x)[0].item() == 2  # the other output's gradient comes as zeros


def test_saved_output():
    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    x = double(0.3, 1.0)
    assert gradcheck(Exp.apply, x) and gradgradcheck(Exp.apply, x)


def test_dirty():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    x = double(1.0, 2.0)
    y = x * 1
    z = Double.apply(y)
    assert z is y
    z.sum().backward()
    assert x.grad.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double.apply(x)


def test_once_differentiable():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return g * 2 * ctx.saved_variables[0]

    x = double(3.0)
    (g,) = nt.autograd.grad(Square.apply(x), x)
    assert g.item() == 6 and not g.requires_grad
    seed = double(1.0)
    (g,) = nt.autograd.grad(Square.apply(x), x, seed, create_graph=True)
    assert g.item() == 6
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function"):
        (g + x).backward()


def test_vjp_is_another_name_of_backward():
    class Triple(Function):
        @staticmethod
        def forward(ctx, x):
            return 3 * x

        @staticmethod
        def vjp(ctx, g):
            return 3 * g

    assert gradcheck(Triple.apply, double(1.0, -2.0))


def test_jvp():
    class Scale(Function):
        @staticmethod
        def forward(ctx, x, y, power):
            ctx.save_for_backward(x, y)
            ctx.save_for_forward(x, y)
            return nt.from_numpy(x.detach().numpy() * y.detach().numpy()), power

        @staticmethod
        def backward(ctx, g, _):
            x, y = ctx.saved_tensors
            return g * y, g * x, None

        @staticmethod
        def jvp(ctx, s, t, power):
            x, y = ctx.saved_tensors
            assert power is None
            return s * y + t * x, None

    values = double(1.0, -2.0), double(0.5, 3.0)
    product = lambda x, y: Scale.apply(x, y, 2)[0]  # noqa: E731
    assert gradcheck(product, values, check_forward_ad=True)
    assert gradcheck(product, values, check_forward_ad=True, check_backward_ad=False)


def test_gradcheck_finds_errors():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0] * next(factors)

        @staticmethod
        def jvp(ctx, t):
            return t

    x, factors = double(3.0), itertools.repeat(1)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to inp"):
        gradcheck(Wrong.apply, x)
    assert not gradcheck(Wrong.apply, x, raise_exception=False)
    with pytest.raises(GradcheckError, match="computed with forward mode mismatch"):
        gradcheck(Wrong.apply, x, check_backward_ad=False, check_forward_ad=True)
    factors = itertools.cycle((2, 2.0001))
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(Wrong.apply, x)
    assert gradcheck(Wrong.apply, x, nondet_tol=0.01)


def test_misuse():
    class Short(Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * y

        @staticmethod
        def backward(ctx, g):
            return g

    class Shape(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return nt.ones(5, dtype=nt.float64)

    class NotTensor(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(3)
            return x

    x = double(1.0, 2.0)
    with pytest.raises(
        RuntimeError, match=r"returned an incorrect number of gradients \(expected 2, got 1\)"
    ):
        Short.apply(x, x).sum().backward()
    with pytest.raises(
        RuntimeError,
        match=r"invalid gradient at index 0 - got \[5\] but expected shape compatible with \[2\]",
    ):
        Shape.apply(x).sum().backward()
    with pytest.raises(TypeError, match="save_for_backward can only save variables"):
        NotTensor.apply(x)
    with pytest.warns(DeprecationWarning, match="should not be instantiated"):
        Cube()
    with pytest.raises(NotImplementedError, match="must implement the forward"):
        Function.apply(x)
    y = Cube.apply(x, 1.0).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_no_cycles():
    """A graph with Functions is freed when its last tensor is, without the garbage collector."""

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(x, y)
            ctx.save_for_forward(y)
            return y, x

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.saved_tensors[1] + h

    gc.collect()
    gc.disable()
    try:
        x = double(1.0, 2.0)
        y, z = Exp.apply(x)
        nodes = weakref.ref(y.grad_fn), weakref.ref(z.grad_fn)
        nt.autograd.grad((y * z).sum(), x, create_graph=True)
        del y, z
        assert [r() for r in nodes] == [None, None]
    finally:
        gc.enable()
