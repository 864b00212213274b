"""autograd.functional against torch: values, structure, which results require grad, errors."""

import warnings

import numpy as np
import pytest

import numtorch as nt

VALUES = {"x": [[0.3, -1.2], [0.7, 2.0]], "y": [1.5, -0.4]}


def given(lib, names, grad=False):
    tensors = [lib.tensor(VALUES[n], dtype=lib.float64, requires_grad=grad) for n in names]
    return tuple(tensors) if len(tensors) > 1 else tensors[0]


def simplify(value):
    """Nested results as lists of (values, whether they require grad)."""
    if isinstance(value, (tuple, list)):  # torch returns lists in forward mode
        return tuple(simplify(v) for v in value)
    return np.round(value.detach().numpy(), 9).tolist(), tuple(value.shape), value.requires_grad


def answer(lib, name, function, inputs, *v, **options):
    """The result, or the error that torch also raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own use of torch.jit.script
            return simplify(getattr(lib.autograd.functional, name)(function, inputs, *v, **options))
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        return type(error).__name__, " ".join(str(error).replace("numtorch", "torch").split())


MAPS = {
    "matrix": ("x", lambda x: x.exp().sum(1)),
    "one number": ("x", lambda x: (x**3).sum()),
    "two inputs": ("xy", lambda x, y: x @ y + y),
    "two outputs": ("xy", lambda x, y: (x * y, y.sin().sum())),
    "an unused input": ("xy", lambda x, y: x * 2),
    "an unused output": ("xy", lambda x, y: (x * y, y.detach())),
    "linear": ("x", lambda x: (x * 2).sum()),
    "no tensor": ("x", lambda x: 3),
    "constant": ("xy", lambda x, y: x.detach().sum()),
    "cubic of two": ("xy", lambda x, y: ((x @ y) ** 3).sum() + (x * y).exp().sum()),
    "not square": ("x", lambda x: (x[0] * x[1], x[:, :1] ** 2)),
}
OPTIONS = ({}, {"strict": True}, {"create_graph": True}, {"create_graph": True, "strict": True})
MATRICES = (
    *OPTIONS,
    {"vectorize": True},
    {"vectorize": True, "create_graph": True},
    {"vectorize": True, "strict": True},
    {"forward": True, "vectorize": True},
    {"forward": True},
    {"forward": True, "vectorize": True, "strict": True},
    {"forward": True, "vectorize": True, "create_graph": True},
)
named = pytest.mark.parametrize("kind", MAPS)


def directions(lib, tensors):
    tensors = tensors if isinstance(tensors, tuple) else (tensors,)
    made = tuple(t.detach() * 0.5 + 0.1 for t in tensors)
    return made if len(made) > 1 else made[0]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: ",".join(o) or "default")
@pytest.mark.parametrize("name", ("vjp", "jvp", "vhp", "hvp"))
@named
def test_products(name, kind, options, torch):
    names, function = MAPS[kind]

    def run(lib):
        inputs = given(lib, names, grad="create_graph" in options)
        like = inputs
        if name == "vjp" and kind != "no tensor":
            like = function(*inputs) if isinstance(inputs, tuple) else function(inputs)
        return answer(lib, name, function, inputs, directions(lib, like), **options)

    assert run(nt) == run(torch)


@pytest.mark.parametrize("options", MATRICES, ids=lambda o: ",".join(o) or "default")
@pytest.mark.parametrize("name", ("jacobian", "hessian"))
@named
def test_matrices(name, kind, options, torch):
    names, function = MAPS[kind]
    options = dict(options)
    if options.pop("forward", False):
        key = "strategy" if name == "jacobian" else "outer_jacobian_strategy"
        options[key] = "forward-mode"

    def run(lib):
        inputs = given(lib, names, grad="create_graph" in options)
        return answer(lib, name, function, inputs, **options)

    assert run(nt) == run(torch)


@pytest.mark.parametrize(
    "call",
    (
        lambda lib, x, y: ("vjp", lambda x: x * 2, x),
        lambda lib, x, y: ("vjp", lambda x: x.sum(), x),
        lambda lib, x, y: ("jvp", lambda x: x * 2, x),
        lambda lib, x, y: ("jvp", lambda x: x * 2, y[:1].clone()),
        lambda lib, x, y: ("vjp", lambda x: x * 2, x, y),
        lambda lib, x, y: ("jvp", lambda a, b: a @ b, (x, y), (x, x)),
        lambda lib, x, y: ("jvp", lambda a, b: a @ b, (x, y), x),
        lambda lib, x, y: ("jvp", lambda x: x * 2, x, (x, x)),
        lambda lib, x, y: ("vhp", lambda x: x * 2, x, x),
        lambda lib, x, y: ("hvp", lambda x: (x.sum(), x.sum()), x, x),
        lambda lib, x, y: ("hessian", lambda x: x * 2, x),
        lambda lib, x, y: ("hessian", lambda x: (x.sum(),), x),
        lambda lib, x, y: ("jacobian", lambda x: x, [x]),
        lambda lib, x, y: ("jacobian", lambda x, n: x, (x, 2)),
        lambda lib, x, y: ("jacobian", lambda x: [x], x),
    ),
)
def test_misuse(call, torch):
    ours, theirs = (
        answer(lib, *call(lib, given(lib, "x"), given(lib, "y"))) for lib in (nt, torch)
    )
    if isinstance(ours[1], str):
        ours = (ours[0], ours[1].replace("torch.tensors", "torch"))
    assert ours == theirs


def test_strategies():
    for name, options in (("jacobian", {"strategy": "up"}), ("hessian", {})):
        options = options or {"outer_jacobian_strategy": "up"}
        with pytest.raises(AssertionError, match="Expected strategy to be either"):
            getattr(nt.autograd.functional, name)(lambda x: x.sum(), nt.ones(2), **options)


def test_results_are_recorded_only_if_asked():
    x = given(nt, "x", grad=True)
    plain = nt.autograd.functional.jacobian(lambda t: t**3, x)
    assert not plain.requires_grad
    rows = nt.autograd.functional.jacobian(lambda t: t**3, x, create_graph=True)
    rows.sum().backward()
    assert x.grad.allclose(6 * x)


def test_the_function_may_know_its_inputs():
    """What it uses besides its arguments is constant, also if it is the same tensor."""
    x = given(nt, "x", grad=True)
    found = nt.autograd.functional.jacobian(lambda t: (t * x).sum(), x)
    assert found.equal(x.detach())
