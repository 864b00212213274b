"""What programs do with autograd.Function in place, again, and in forward mode: the second half of
function_cases.py.
"""

import itertools

from .function_cases import backward, case, leaf, make, saving, square


# -- in place --------------------------------------------------------------------------------------
def doubling(ctx, x):
    ctx.mark_dirty(x)
    return x.mul_(2)


@case
def dirty(lib):
    x = leaf(lib)
    y = x * 1
    out = make(lib, doubling, lambda ctx, g: 2 * g).apply(y)
    return out is y, y._version, y.grad_fn.name(), backward(y, x)


@case
def dirty_leaf(lib):
    return make(lib, doubling, lambda ctx, g: 2 * g).apply(leaf(lib))


@case
def dirty_leaf_under_no_grad(lib):
    x = leaf(lib)
    with lib.no_grad():
        out = make(lib, doubling, lambda ctx, g: 2 * g).apply(x)
    return out is x, out.tolist()


@case
def dirty_without_grad(lib):
    x = leaf(lib).detach()
    out = make(lib, doubling, lambda ctx, g: 2 * g).apply(x)
    return out is x, out.tolist(), x._version


@case
def dirty_not_returned(lib):
    def run(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2) * 1

    return make(lib, run, lambda ctx, g: g).apply(leaf(lib) * 1)


@case
def dirty_view(lib):
    x = leaf(lib)
    y = x * 1
    out = make(lib, doubling, lambda ctx, g: 2 * g).apply(y[:1])
    return out.tolist(), y.tolist(), backward(y, x)


@case
def dirty_and_another(lib):
    def run(ctx, x, y):
        ctx.mark_dirty(x)
        return x.mul_(2), x * y

    x, z = leaf(lib), leaf(lib, 3.0, 4.0)
    y = x * 1
    a, b = make(lib, run, lambda ctx, g, h: (2 * g + h, h)).apply(y, z)
    return a is y, backward(a * b, x, z)


@case
def dirty_and_not_an_input(lib):
    def run(ctx, x):
        out = x * 2
        ctx.mark_dirty(out)
        return out

    return make(lib, run, lambda ctx, g: g).apply(leaf(lib)).tolist()


@case
def dirty_is_no_tensor(lib):
    def run(ctx, x):
        ctx.mark_dirty(3)
        return x * 2

    return make(lib, run, lambda ctx, g: g).apply(leaf(lib)).tolist()


@case
def non_differentiable_is_no_tensor(lib):
    def run(ctx, x):
        ctx.mark_non_differentiable(3)
        return x * 2

    return make(lib, run, lambda ctx, g: g).apply(leaf(lib)).tolist()


# -- further derivatives ---------------------------------------------------------------------------
@case
def second_derivative(lib):
    x = leaf(lib)
    (g,) = lib.autograd.grad(make(lib, saving, square).apply(x).sum(), x, create_graph=True)
    return g.requires_grad, backward(g * g, x)


@case
def second_derivative_through_an_output(lib):
    def run(ctx, x):
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    x = leaf(lib, 0.5)
    (g,) = lib.autograd.grad(
        make(lib, run, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x), x, create_graph=True
    )
    return [[round(v, 9) for v in row] for row in backward(g, x)]


@case
def once(lib):
    from_lib = lib.autograd.function.once_differentiable
    x = leaf(lib)
    step = make(lib, saving, from_lib(square))
    (g,) = lib.autograd.grad(step.apply(x).sum(), x, create_graph=True)
    seed = lib.ones(2, dtype=lib.float64, requires_grad=True)
    (h,) = lib.autograd.grad(step.apply(x), x, seed, create_graph=True)
    return g.requires_grad, h.requires_grad, backward(h, x)


@case
def a_function_in_forward(lib):
    inner = make(lib, saving, square)
    x = leaf(lib)
    step = make(lib, lambda ctx, x: inner.apply(x), lambda ctx, g: g * 7)
    return backward(step.apply(x), x)


@case
def a_function_in_backward(lib):
    inner = make(lib, saving, square)
    x = leaf(lib)

    def pull(ctx, g):
        return g * inner.apply(ctx.saved_tensors[0])

    (g,) = lib.autograd.grad(make(lib, saving, pull).apply(x).sum(), x, create_graph=True)
    return backward(g, x)


@case
def a_graph_in_forward(lib):
    def run(ctx, x):
        with lib.enable_grad():
            y = x.detach().requires_grad_()
            ctx.pair = y, (y**3).sum()
        return ctx.pair[1].detach()

    def pull(ctx, g):
        return lib.autograd.grad(ctx.pair[1], ctx.pair[0])[0] * g

    x = leaf(lib)
    return backward(make(lib, run, pull).apply(x), x)


@case
def a_chain_of_steps(lib):
    x = leaf(lib, 1.001)
    y = x
    step = make(lib, saving, square)
    for _ in range(5):
        y = step.apply(y)
    return [[round(v, 6) for v in row] for row in backward(y, x)]


# -- forward mode ----------------------------------------------------------------------------------
def push(lib, step, *more, tangent=True):
    forward_ad = lib.autograd.forward_ad
    with forward_ad.dual_level():
        x = leaf(lib).detach()
        dual = forward_ad.make_dual(x, x * 0.5 + 1) if tangent else x
        outs = step.apply(dual, *more)
        outs = outs if isinstance(outs, tuple) else (outs,)
        found = [forward_ad.unpack_dual(o).tangent for o in outs]
        return [None if t is None else t.tolist() for t in found]


def keeping(ctx, x):
    ctx.save_for_forward(x)
    return x * x


@case
def jvp(lib):
    return push(lib, make(lib, keeping, jvp=lambda ctx, t: 2 * t * ctx.saved_tensors[0]))


@case
def no_jvp(lib):
    return push(lib, make(lib, keeping, square))


@case
def no_jvp_and_no_tangent(lib):
    return push(lib, make(lib, keeping, square), tangent=False)


@case
def jvp_of_none(lib):
    return push(lib, make(lib, keeping, jvp=lambda ctx, t: None))


@case
def jvp_of_too_many(lib):
    return push(lib, make(lib, keeping, jvp=lambda ctx, t: (t, t)))


@case
def jvp_of_a_number(lib):
    return push(lib, make(lib, keeping, jvp=lambda ctx, t: 2.0))


@case
def jvp_of_another_shape(lib):
    return push(lib, make(lib, keeping, jvp=lambda ctx, t: lib.ones(3, dtype=lib.float64)))


@case
def jvp_materializes(lib):
    seen = itertools.count()

    def tangents(ctx, t, n, u):
        next(seen)
        return t + u if n is None else t

    y = leaf(lib, 5.0, 6.0).detach()
    found = push(lib, make(lib, lambda ctx, x, n, y: x * y, jvp=tangents), 3, y)
    return found, next(seen)


@case
def jvp_without_materializing(lib):
    def run(ctx, x, y):
        ctx.set_materialize_grads(False)
        return x * y

    y = leaf(lib, 5.0, 6.0).detach()
    return push(lib, make(lib, run, jvp=lambda ctx, t, u: t * 2 if u is None else t), y)


@case
def jvp_of_several(lib):
    def run(ctx, x):
        out = x * 3
        ctx.mark_non_differentiable(out)
        return x * 2, out, 4

    forward_ad = lib.autograd.forward_ad
    with forward_ad.dual_level():
        x = leaf(lib).detach()
        a, b, _ = make(lib, run, jvp=lambda ctx, t: (2 * t, None, None)).apply(
            forward_ad.make_dual(x, x * 0.5)
        )
        return forward_ad.unpack_dual(a).tangent.tolist(), forward_ad.unpack_dual(b).tangent is None


@case
def jvp_in_place(lib):
    forward_ad = lib.autograd.forward_ad
    with forward_ad.dual_level():
        x = leaf(lib).detach()
        dual = forward_ad.make_dual(x.clone(), x * 0.5)

        def tangents(ctx, t):
            return t.mul_(2)

        out = make(lib, doubling, lambda ctx, g: 2 * g, jvp=tangents).apply(dual)
        return out is dual, forward_ad.unpack_dual(out).tangent.tolist()


@case
def jvp_of_a_saved_output(lib):
    def run(ctx, x):
        out = x.exp() * 0 + 2
        ctx.save_for_forward(out)
        return out

    return push(lib, make(lib, run, jvp=lambda ctx, t: t * ctx.saved_tensors[0]))


@case
def jvp_under_reverse(lib):
    forward_ad = lib.autograd.forward_ad
    x = leaf(lib)

    def context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    step = make(
        lib, lambda x: x * x, square, context, jvp=lambda ctx, t: 2 * t * ctx.saved_tensors[0]
    )
    with forward_ad.dual_level():
        out = step.apply(forward_ad.make_dual(x, lib.ones(2, dtype=lib.float64)))
        tangent = forward_ad.unpack_dual(out).tangent
        return tangent.requires_grad, [g.tolist() for g in lib.autograd.grad(tangent.sum(), x)]
