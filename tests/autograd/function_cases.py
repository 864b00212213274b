"""What programs do with autograd.Function, right and wrong: each takes numtorch or torch and
returns what can be compared.
"""

CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


def leaf(lib, *values):
    return lib.tensor(values or (1.0, -2.0), dtype=lib.float64, requires_grad=True)


def make(lib, forward, backward=None, context=None, **members):
    """A Function of these static methods."""
    methods = {"forward": forward, "backward": backward, "setup_context": context, **members}
    scope = {k: staticmethod(v) if callable(v) else v for k, v in methods.items() if v is not None}
    return type("Step", (lib.autograd.Function,), scope)


def saving(ctx, x):
    ctx.save_for_backward(x)
    return x * x


def square(ctx, g):
    return 2 * g * ctx.saved_tensors[0]


def backward(out, *leaves):
    out.sum().backward()
    return [None if x.grad is None else x.grad.tolist() for x in leaves]


# -- outputs ---------------------------------------------------------------------------------------
@case
def returns_a_list(lib):
    x = leaf(lib)
    out = make(lib, lambda ctx, x: [x * 2, x * 3], lambda ctx, a: a).apply(x)
    return type(out).__name__


@case
def returns_a_number(lib):
    return make(lib, lambda ctx, x: 3, lambda ctx, a: a).apply(leaf(lib))


@case
def returns_none(lib):
    return make(lib, lambda ctx, x: None, lambda ctx, a: a).apply(leaf(lib))


@case
def returns_mixed(lib):
    def pull(ctx, a, b, c):
        return a * 2 if b is None and c is None else a

    x = leaf(lib)
    out = make(lib, lambda ctx, x: (x * 2, None, "text"), pull).apply(x)
    return [type(o).__name__ for o in out[1:]], backward(out[0], x)


@case
def returns_its_input(lib):
    x = leaf(lib)
    out = make(lib, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x)
    return out is x, out._is_view(), out.requires_grad, backward(out, x)


@case
def returns_its_input_twice(lib):
    x = leaf(lib)
    a, b = make(lib, lambda ctx, x: (x, x * 1), lambda ctx, g, h: g * 5 + h).apply(x)
    return backward(a * b, x)


@case
def changes_a_returned_input(lib):
    x = leaf(lib)
    out = make(lib, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x * 1)
    out.mul_(2)
    return backward(out, x)


@case
def returns_a_view_of_its_input(lib):
    x = leaf(lib, 1.0, 2.0, 3.0)
    out = make(lib, lambda ctx, x: x[1:], lambda ctx, g: lib.cat([g[:1] * 0, g])).apply(x)
    return out.tolist(), backward(out, x)


@case
def changes_a_view_of_its_input(lib):
    x = leaf(lib, 1.0, 2.0, 3.0)
    y = x * 1
    out = make(lib, lambda ctx, x: x[1:], lambda ctx, g: lib.cat([g[:1] * 0, g])).apply(y)
    out.mul_(2)
    return backward(out, x)


@case
def changes_one_of_several_views(lib):
    y = leaf(lib, 1.0, 2.0, 3.0) * 1
    out, _ = make(lib, lambda ctx, x: (x[1:], x[:1]), lambda ctx, a, b: a).apply(y)
    out.mul_(2)
    return out.tolist()


@case
def changes_a_fresh_output(lib):
    x = leaf(lib)
    out = make(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    out.mul_(3)
    return out.grad_fn.name(), backward(out, x)


@case
def returns_integers(lib):
    x = leaf(lib)

    def pull(ctx, g, i):
        return g * 2 + (0 if i is None else float(i.sum()))

    out, index = make(lib, lambda ctx, x: (x * 2, x.argsort()), pull).apply(x)
    return index.requires_grad, backward(out, x)


@case
def marks_an_output(lib):
    seen = []

    def run(ctx, x):
        a, b = x * 2, x * 3
        ctx.mark_non_differentiable(b)
        return a, b

    def pull(ctx, g, h):
        seen.append(h if h is None else h.tolist())
        return g

    x = leaf(lib)
    a, b = make(lib, run, pull).apply(x)
    return b.requires_grad, b.grad_fn is None, backward(a, x), seen


@case
def does_not_materialize(lib):
    seen = []

    def run(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def pull(ctx, g, h):
        seen.append((g is None, h is None))
        return None if h is None else h * 3

    x = leaf(lib)
    backward(make(lib, run, pull).apply(x)[1], x)
    backward(make(lib, run, pull).apply(x)[0], x)
    return seen, x.grad.tolist()


@case
def an_output_without_graph(lib):
    out = make(lib, saving, square).apply(leaf(lib).detach())
    return out.requires_grad, out.grad_fn is None


@case
def under_no_grad(lib):
    seen = []

    def run(ctx, x):
        seen.append((ctx.needs_input_grad, lib.is_grad_enabled()))
        return x * 2

    with lib.no_grad():
        out = make(lib, run, square).apply(leaf(lib))
    return out.requires_grad, seen


# -- gradients -------------------------------------------------------------------------------------
def gradient(name, given):
    """A case with a backward that returns `given(lib, gradient)` for two inputs."""

    def run(lib):
        x, y = leaf(lib), leaf(lib, 3.0, 4.0)
        step = make(lib, lambda ctx, x, y: x * y, lambda ctx, g: given(lib, g))
        return backward(step.apply(x, y), x, y)

    run.__name__ = name
    return case(run)


gradient("too_few_gradients", lambda lib, g: g)
gradient("too_many_gradients", lambda lib, g: (g, g, g))
gradient("trailing_none", lambda lib, g: (g, g, None, None))
gradient("no_gradients", lambda lib, g: None)
gradient("none_for_one", lambda lib, g: (None, g))
gradient("gradients_in_a_list", lambda lib, g: [g, g])
gradient("a_number_for_a_gradient", lambda lib, g: (g, 2.0))
gradient("a_gradient_to_be_summed", lambda lib, g: (g, lib.ones(3, 2, dtype=lib.float64)))
gradient("a_gradient_to_be_expanded", lambda lib, g: (g, lib.ones(1, dtype=lib.float64)))
gradient("a_gradient_of_no_dimension", lambda lib, g: (g, lib.ones((), dtype=lib.float64)))
gradient("a_gradient_of_another_shape", lambda lib, g: (g, lib.ones(3, dtype=lib.float64)))
gradient("a_gradient_of_another_dtype", lambda lib, g: (g, g.float()))
gradient("an_integer_gradient", lambda lib, g: (g, g.long()))


@case
def a_gradient_for_a_number(lib):
    x = leaf(lib)
    return backward(make(lib, lambda ctx, x, n: x * n, lambda ctx, g: (g, g)).apply(x, 2), x)


@case
def a_gradient_for_an_input_without(lib):
    x = leaf(lib)
    step = make(lib, lambda ctx, x, y: x * y, lambda ctx, g: (g, g))
    return backward(step.apply(x, x.detach()), x)


@case
def nested_arguments(lib):
    x = leaf(lib)
    step = make(lib, lambda ctx, pair, x: pair[0] * x, lambda ctx, g: (None, g))
    y = leaf(lib, 2.0, 3.0)
    out = step.apply([y, "text"], x)
    return out.requires_grad, backward(out, x, y)


@case
def raises_in_backward(lib):
    def pull(ctx, g):
        raise KeyError("mine")

    return backward(make(lib, saving, pull).apply(leaf(lib)))


@case
def raises_in_forward(lib):
    def run(ctx, x):
        raise KeyError("mine")

    return make(lib, run).apply(leaf(lib))


# -- missing methods -------------------------------------------------------------------------------
@case
def no_forward(lib):
    return make(lib, None).apply(leaf(lib))


@case
def no_backward(lib):
    return backward(make(lib, saving).apply(leaf(lib)))


@case
def backward_and_vjp(lib):
    step = make(lib, saving, square, vjp=square)
    return backward(step.apply(leaf(lib)))


@case
def called(lib):
    return lib.autograd.Function()(leaf(lib))


@case
def keywords(lib):
    return make(lib, lambda ctx, x, n=1: x * n, square).apply(leaf(lib), n=2).tolist()


@case
def keywords_of_separate_forward(lib):
    seen = []

    def context(ctx, inputs, output):
        seen.append(inputs[1:])

    step = make(lib, lambda x, n=1, m=2: x * n, lambda ctx, g: (g, None, None), context)
    x = leaf(lib)
    return step.apply(x, m=3).tolist(), step.apply(x, n=3).tolist(), seen


@case
def wrong_keyword(lib):
    step = make(lib, lambda x: x, square, lambda ctx, inputs, output: None)
    return step.apply(leaf(lib), k=2)


@case
def keyword_only(lib):
    step = make(lib, lambda x, *, k=2: x * k, square, lambda ctx, inputs, output: None)
    return step.apply(leaf(lib)).tolist()


# -- the context -----------------------------------------------------------------------------------
@case
def saves_a_number(lib):
    return make(lib, lambda ctx, x: ctx.save_for_backward(x, 3), square).apply(leaf(lib))


@case
def saves_a_number_for_forward(lib):
    return make(lib, lambda ctx, x: ctx.save_for_forward(x, 3), square).apply(leaf(lib))


@case
def saves_none(lib):
    def run(ctx, x):
        ctx.save_for_backward(None, x)
        return x * x

    x = leaf(lib)
    return backward(make(lib, run, lambda ctx, g: g * ctx.saved_tensors[1]).apply(x), x)


@case
def saves_twice(lib):
    def run(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_backward(x, x)
        return x * x

    x = leaf(lib)
    return backward(make(lib, run, lambda ctx, g: g * len(ctx.saved_tensors)).apply(x), x)


@case
def attributes_are_on_the_node(lib):
    def run(ctx, x):
        ctx.note = "text"
        return x * 2

    out = make(lib, run, lambda ctx, g: g).apply(leaf(lib))
    return out.grad_fn.note, out.grad_fn.needs_input_grad, type(out.grad_fn).__name__


@case
def the_node_applies_itself(lib):
    out = make(lib, saving, square).apply(leaf(lib))
    return out.grad_fn.apply(lib.ones(2, dtype=lib.float64)).tolist()


@case
def saved_tensors_of_the_node(lib):
    x = leaf(lib)
    out = make(lib, saving, square).apply(x)
    before = [t.tolist() for t in out.grad_fn.saved_tensors]
    out.sum().backward()
    return before, out.grad_fn.saved_tensors


@case
def backward_twice(lib):
    out = make(lib, saving, square).apply(leaf(lib)).sum()
    out.backward()
    out.backward()


@case
def backward_twice_without_saved_tensors(lib):
    x = leaf(lib)
    out = make(lib, lambda ctx, x: x * 2, lambda ctx, g: g * 2).apply(x)
    backward(out, x)
    return backward(out, x)


@case
def changes_a_saved_input(lib):
    x = leaf(lib)
    y = x * 1
    out = make(lib, saving, square).apply(y)
    y.mul_(2)
    return backward(out, x)


@case
def changes_a_saved_output(lib):
    def run(ctx, x):
        out = x.exp()
        ctx.save_for_backward(out)
        return out

    out = make(lib, run, square).apply(leaf(lib))
    out.mul_(2)
    return backward(out)


@case
def saved_tensors_in_forward(lib):
    def run(ctx, x):
        ctx.save_for_backward(x)
        return x * len(ctx.saved_tensors)

    return make(lib, run, square).apply(leaf(lib)).tolist()


@case
def needs_input_grad(lib):
    seen = []

    def pull(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g, None, g

    x, y = leaf(lib), leaf(lib)
    step = make(lib, lambda ctx, x, n, y: x * n * y, pull)
    backward(step.apply(x, 2, y), x)
    backward(step.apply(x, 2, y.detach()), x)
    lib.autograd.grad(step.apply(x, 2, y).sum(), y)
    return seen


@case
def clears_what_was_read(lib):
    def pull(ctx, g):
        first = ctx.saved_tensors[0]
        return g * first * len(ctx.saved_tensors)

    step = make(lib, saving, pull, clear_saved_tensors_on_access=True)
    return backward(step.apply(leaf(lib)))


@case
def takes_gradients_in_a_list(lib):
    def pull(ctx, grads):
        return grads.pop() * 2 + grads.pop()

    x = leaf(lib)
    step = make(lib, lambda ctx, x: (x * 2, x * 3), pull, boxed_grads_call=True)
    a, b = step.apply(x)
    return backward(a * 2 + b, x)


@case
def setup_context_returns(lib):
    step = make(lib, lambda x: x * 2, lambda ctx, g: g, lambda ctx, inputs, output: 3)
    return step.apply(leaf(lib)).tolist()


@case
def setup_context_sees_grad_mode(lib):
    seen = []
    step = make(
        lib,
        lambda x: x * 2,
        lambda ctx, g: g,
        lambda ctx, inputs, output: seen.append((lib.is_grad_enabled(), output.requires_grad)),
    )
    return step.apply(leaf(lib)).tolist(), seen
