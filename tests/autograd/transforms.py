"""Random compositions of func's transforms, for numtorch and torch alike.

A program is an expression of one tensor and what is done with it: grad of vmap of jvp ... `make`
gives a program of a seed, `run` its results in a library.
"""

import functools

import numpy as np

# -- functions of one tensor -----------------------------------------------------------------------
# name: (shape -> whether it takes it, shape -> its result's shape, the function of library and x)
POINTWISE = {
    "sin": lambda L, x: x.sin(),
    "tanh": lambda L, x: x.tanh(),
    "exp": lambda L, x: (x * 0.3).exp(),
    "square": lambda L, x: x * x,
    "cube": lambda L, x: x**3 * 0.2,
    "sigmoid": lambda L, x: x.sigmoid() * x,
    "softplus": lambda L, x: L.nn.functional.softplus(x),
    "gelu": lambda L, x: L.nn.functional.gelu(x),
    "where": lambda L, x: L.where(x > 0.1, x.cos(), x * 2),
    "clamp": lambda L, x: x.clamp(-0.8, 0.9) * x,
    "atan2": lambda L, x: L.atan2(x, x * x + 1),
    "log1p": lambda L, x: (x * x).log1p(),
    "sqrt": lambda L, x: (x * x + 0.5).sqrt(),
    "divided": lambda L, x: x / (x * x + 1),
    "in place": lambda L, x: (x * 2).mul_(x).add_(1),
    "detached": lambda L, x: x * x.detach(),
    "abs": lambda L, x: x.abs() + x,
    "lerp": lambda L, x: L.lerp(x, x * x, 0.3),
    "masked_fill": lambda L, x: x.masked_fill(x < -0.3, 0.5) * x,
    "under no_grad": lambda L, x: _constant(L, x) * x,
}


def _constant(L, x):
    with L.no_grad():
        return x.sin()


def _last(shape):
    return len(shape) >= 1


def _matrix(shape):
    return len(shape) >= 2


def _any(shape):
    return True


def _const(L, *shape):
    """A fixed tensor of this shape."""
    n = int(np.prod(shape))
    return L.from_numpy(np.cos(np.arange(n) * 1.7 + 0.3).reshape(shape))


SHAPED = {
    "sum": (_any, lambda s: (), lambda L, x: x.sum()),
    "mean": (_last, lambda s: s[:-1], lambda L, x: x.mean(-1)),
    "amax": (_last, lambda s: s[1:], lambda L, x: x.amax(0)),
    "logsumexp": (_last, lambda s: s[:-1], lambda L, x: x.logsumexp(-1)),
    "norm": (_last, lambda s: s[:-1], lambda L, x: (x * x + 0.1).sum(-1).sqrt()),
    "prod": (_last, lambda s: s[:-1], lambda L, x: (x + 1.5).prod(-1)),
    "var": (lambda s: _last(s) and s[-1] > 1, lambda s: s[:-1], lambda L, x: x.var(-1)),
    "softmax": (_last, lambda s: s, lambda L, x: x.softmax(-1)),
    "log_softmax": (_last, lambda s: s, lambda L, x: x.log_softmax(0)),
    "cumsum": (_last, lambda s: s, lambda L, x: x.cumsum(0)),
    "cumprod": (_last, lambda s: s, lambda L, x: (x + 1.2).cumprod(-1)),
    "flip": (_last, lambda s: s, lambda L, x: x.flip(0) * x),
    "roll": (_last, lambda s: s, lambda L, x: x.roll(1, -1) + x * x),
    "sort": (_last, lambda s: s, lambda L, x: x.sort(-1)[0] * 1.5),
    "reshape": (_last, lambda s: (int(np.prod(s)),), lambda L, x: x.reshape(-1)),
    "transpose": (_matrix, lambda s: (*s[:-2], s[-1], s[-2]), lambda L, x: x.transpose(-1, -2)),
    "unsqueeze": (_any, lambda s: (1, *s), lambda L, x: x.unsqueeze(0)),
    "select": (_last, lambda s: s[1:], lambda L, x: x[0] + x[-1]),
    "slice": (
        lambda s: _last(s) and s[-1] > 1,
        lambda s: (*s[:-1], s[-1] - 1),
        lambda L, x: x[..., 1:] - x[..., :-1],
    ),
    "index": (_last, lambda s: (3, *s[1:]), lambda L, x: x[L.tensor([0, -1, 0])] * 2),
    "gather": (_last, lambda s: (2,), lambda L, x: x.reshape(-1)[L.tensor([0, -1])].cos()),
    "index_add": (
        _last,
        lambda s: s,
        lambda L, x: x.index_add(0, L.tensor([0]), x[:1] * x[:1]),
    ),
    "diagonal": (_matrix, lambda s: (min(s[-2:]),), lambda L, x: _square(x).diagonal() * 2),
    "tril": (_matrix, lambda s: s, lambda L, x: x.tril() + x * x),
    "cat": (_last, lambda s: (2 * s[0], *s[1:]), lambda L, x: L.cat([x, x.sin()])),
    "stack": (_any, lambda s: (2, *s), lambda L, x: L.stack([x, x * x])),
    "expand": (_any, lambda s: (2, *s), lambda L, x: x.expand(2, *x.shape) * 0.5),
    "pad": (_last, lambda s: (*s[:-1], s[-1] + 2), lambda L, x: L.nn.functional.pad(x, (1, 1))),
    "linear": (_last, lambda s: (*s[:-1], 3), lambda L, x: x @ _const(L, x.shape[-1], 3)),
    "dot": (lambda s: len(s) == 1, lambda s: (), lambda L, x: x.dot(x.sin())),
    "outer": (lambda s: len(s) == 1, lambda s: (*s, *s), lambda L, x: L.outer(x, x.cos())),
    "gram": (_matrix, lambda s: (*s[:-1], s[-2]), lambda L, x: x @ x.transpose(-1, -2)),
    "einsum": (
        lambda s: len(s) == 2,
        lambda s: (s[1],),
        lambda L, x: L.einsum("ij,ij->j", x, x),
    ),
    "normalized": (  # torch's third derivatives of layer_norm are wrong
        lambda s: _last(s) and s[-1] > 1,
        lambda s: s,
        lambda L, x: (x - x.mean(-1, True)) / (x.var(-1, keepdim=True) + 0.5).sqrt(),
    ),
    "conv1d": (
        lambda s: len(s) == 2 and s[1] > 1,
        lambda s: (2, s[1]),
        lambda L, x: L.nn.functional.conv1d(
            x.unsqueeze(0), _const(L, 2, x.shape[0], 3), padding=1
        ).squeeze(0),
    ),
    "avg_pool1d": (
        lambda s: len(s) == 2 and s[1] > 1,
        lambda s: (s[0], s[1] - 1),
        lambda L, x: L.nn.functional.avg_pool1d(x, 2, 1),
    ),
    "max_pool1d": (
        lambda s: len(s) == 2 and s[1] > 1,
        lambda s: (s[0], s[1] - 1),
        lambda L, x: L.nn.functional.max_pool1d(x, 2, 1),
    ),
    "cross_entropy": (
        _last,
        lambda s: (),
        lambda L, x: L.nn.functional.cross_entropy(x.reshape(1, -1), L.tensor([0])),
    ),
    "unbind": (_last, lambda s: s[1:], lambda L, x: sum(x.unbind(0))),
    "chunk": (
        lambda s: _last(s) and s[-1] > 1,
        lambda s: (*s[:-1], (s[-1] + 1) // 2),
        lambda L, x: x.chunk(2, -1)[0] * x.chunk(2, -1)[0],
    ),
}


def _square(x):
    return x[0] if x.dim() > 2 else x


def _fits(name, shape) -> bool:
    if name == "diagonal" and len(shape) > 2:
        return False
    return SHAPED[name][0](shape)


# -- programs --------------------------------------------------------------------------------------
class Function:
    """A function of library and tensor, of what shape its result is, and what it is called."""

    def __init__(self, call, shape, text: str) -> None:
        self.call, self.shape, self.text = call, shape, text


def base(rng, shape) -> Function:
    """A chain of operations."""
    steps, names, now = [], [], shape
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.5:
            name = str(rng.choice(list(POINTWISE)))
            steps.append(POINTWISE[name])
        else:
            fitting = [n for n in SHAPED if _fits(n, now)]
            name = str(rng.choice(fitting))
            after = SHAPED[name][1](now)
            if int(np.prod(after)) > 24 or len(after) > 3:
                continue
            steps.append(SHAPED[name][2])
            now = after
        names.append(name)

    def call(L, x):
        for step in steps:
            x = step(L, x)
        return x

    return Function(call, now, " . ".join(reversed(names)) or "identity")


def scalar(rng, shape, depth: int) -> Function:
    """A function that returns one number."""
    inner = function(rng, shape, depth)
    call = inner.call if inner.shape == () else (lambda L, x: (inner.call(L, x) ** 2).sum())
    text = inner.text if inner.shape == () else f"sum of squares of {inner.text}"
    return Function(call, (), text)


def function(rng, shape, depth: int) -> Function:
    """A function of a tensor of this shape, with `depth` transforms in it."""
    if depth == 0:
        return base(rng, shape)
    kinds = [k for k in TRANSFORMS if TRANSFORMS[k][0](shape)]
    return TRANSFORMS[str(rng.choice(kinds))][1](rng, shape, depth - 1)


def _grad(rng, shape, depth):
    f = scalar(rng, shape, depth)
    return Function(lambda L, x: L.func.grad(lambda t: f.call(L, t))(x), shape, f"grad({f.text})")


def _grad_and_value(rng, shape, depth):
    f = scalar(rng, shape, depth)

    def call(L, x):
        g, value = L.func.grad_and_value(lambda t: f.call(L, t))(x)
        return g * value

    return Function(call, shape, f"grad*value({f.text})")


def _grad_of_two(rng, shape, depth):
    f = scalar(rng, shape, depth)

    def call(L, x):
        g = L.func.grad(lambda a, b: f.call(L, a * b) * b.sum(), argnums=(0, 1))(x, x.tanh() + 0.3)
        return g[0] * g[1]

    return Function(call, shape, f"grad of both({f.text})")


def _vjp(rng, shape, depth):
    f = function(rng, shape, depth)

    def call(L, x):
        out, pull = L.func.vjp(lambda t: f.call(L, t), x)
        return pull(out.tanh() + 1)[0]

    return Function(call, shape, f"vjp({f.text})")


def _vjp_aux(rng, shape, depth):
    f = function(rng, shape, depth)

    def call(L, x):
        _, pull, aux = L.func.vjp(lambda t: (f.call(L, t), t * 2), x, has_aux=True)
        return pull(_const(L, *f.shape))[0] + aux

    return Function(call, shape, f"vjp+aux({f.text})")


def _jvp(rng, shape, depth):
    f = function(rng, shape, depth)

    def call(L, x):
        out, tangent = L.func.jvp(lambda t: f.call(L, t), (x,), (x.tanh() + 0.3,))
        return out * tangent

    return Function(call, f.shape, f"jvp({f.text})")


def _linearize(rng, shape):
    """Of a plain function, outermost: elsewhere torch takes the linear part for constant."""
    f = base(rng, shape)
    while "no_grad" in f.text:  # tangents of torch's linearize go through it
        f = base(rng, shape)

    def call(L, x):
        out, push = L.func.linearize(lambda t: f.call(L, t), x)
        return out + push(x.detach() * 0.5 + 1)

    return Function(call, f.shape, f"linearize({f.text})")


def _jacobian(name):
    def build(rng, shape, depth):
        f = function(rng, shape, depth)
        chunk = {"chunk_size": 2} if name == "jacrev" and rng.random() < 0.3 else {}

        def call(L, x):
            return getattr(L.func, name)(lambda t: f.call(L, t), **chunk)(x)

        return Function(call, (*f.shape, *shape), f"{name}({f.text})")

    return build


def _hessian(rng, shape, depth):
    f = scalar(rng, shape, depth)
    return Function(
        lambda L, x: L.func.hessian(lambda t: f.call(L, t))(x),
        (*shape, *shape),
        f"hessian({f.text})",
    )


def _vmap(rng, shape, depth):
    in_dim = int(rng.integers(0, len(shape)))
    f = function(rng, (*shape[:in_dim], *shape[in_dim + 1 :]), depth)
    out_dim = int(rng.integers(0, len(f.shape) + 1))
    options = {"chunk_size": 2} if rng.random() < 0.2 else {}
    given = in_dim - len(shape) if rng.random() < 0.3 else in_dim
    out = (*f.shape[:out_dim], shape[in_dim], *f.shape[out_dim:])

    def call(L, x):
        return L.func.vmap(lambda t: f.call(L, t), given, out_dim, **options)(x)

    return Function(call, out, f"vmap[{given}->{out_dim}]({f.text})")


def _vmap_shared(rng, shape, depth):
    """vmap over one of two inputs; the other is shared."""
    f = function(rng, shape[1:], depth)

    def call(L, x):
        return L.func.vmap(lambda a, b: f.call(L, a + 0.5 * b), (0, None))(x, x[0].sin())

    return Function(call, (shape[0], *f.shape), f"vmap with shared({f.text})")


@functools.cache
def _layer(L, features: int):
    """A layer, made before any transform runs: its weights are random."""
    return L.nn.Linear(features, 2).double()


def _functional_call(rng, shape, depth):
    f = function(rng, (*shape[:-1], 2), depth)

    def call(L, x):
        layer = _layer(L, shape[-1])
        weights = {"weight": _const(L, 2, shape[-1]), "bias": _const(L, 2)}
        return f.call(L, L.func.functional_call(layer, weights, (x,)))

    return Function(call, f.shape, f"functional_call({f.text})")


TRANSFORMS = {
    "grad": (_any, _grad),
    "grad_and_value": (_any, _grad_and_value),
    "grad_of_two": (_any, _grad_of_two),
    "vjp": (_any, _vjp),
    "vjp_aux": (_any, _vjp_aux),
    "jvp": (_any, _jvp),
    "jacrev": (lambda s: int(np.prod(s)) <= 4, _jacobian("jacrev")),
    "jacfwd": (lambda s: int(np.prod(s)) <= 4, _jacobian("jacfwd")),
    "hessian": (lambda s: int(np.prod(s)) <= 4, _hessian),
    "vmap": (_last, _vmap),
    "vmap ": (_last, _vmap),
    "vmap_shared": (_last, _vmap_shared),
    "functional_call": (_last, _functional_call),
}
SHAPES = ((), (2,), (3,), (2, 2), (3, 2), (2, 3), (1, 4), (2, 1, 2))


def make(seed: int) -> tuple:
    """(a function, the shape of its input) for a seed."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    if rng.random() < 0.02:
        return _linearize(rng, shape), shape
    return function(rng, shape, int(rng.integers(1, 5))), shape


def run(library, seed: int):
    """What the program of a seed gives: an array, and whether it requires grad."""
    f, shape = make(seed)
    for features in range(1, 13):
        _layer(library, features)
    values = np.random.default_rng(seed + 1).uniform(-1.2, 1.2, shape)
    out = f.call(library, library.from_numpy(values))
    return out.detach().numpy(), out.requires_grad
