"""Random programs of views and in-place changes, run under numtorch and torch side by side.

A program is a list of lines of Python in which `L` is the library. The lines are drawn from a seed
while torch runs them, so that shapes fit; then every line runs under numtorch, too, and after each
one all tensors must agree: values, geometry, `requires_grad`, `is_leaf`, the name of `grad_fn`,
`_version`, `_is_view()`, gradients; and a line that fails must fail under both, with one type and
torch's first sentence in the message. At the end gradients of each tensor are asked for.
"""

import copy
import random
import re
import warnings

import numpy as np

MODES = ["with L.no_grad():", "with L.inference_mode():", "with L.enable_grad():"]
SHAPES = [(3,), (4,), (2, 3), (2, 3), (3, 2), (3, 3), (2, 2, 3), (1, 3), (2, 1), (), (1,), (0, 3)]
LIMIT = 9  # tensors at a time


def functions(L):
    """Custom Functions that return views, their input, and a changed input."""

    class Viewed(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.view(-1)

        @staticmethod
        def backward(ctx, g):
            return g * 3

    class Same(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 5

    class Dirty(L.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    return {"Viewed": Viewed, "Same": Same, "Dirty": Dirty}


class Draw:
    """Draws lines for tensors `t0`, `t1`, ... whose present shapes torch knows."""

    def __init__(self, seed: int, env: dict) -> None:
        self.r, self.env, self.count = random.Random(seed), env, 0

    def names(self) -> list[str]:
        return [n for n in self.env if re.fullmatch(r"t\d+", n)]

    def tensor(self) -> str:
        names = self.names()
        return self.r.choice(names[-4:] if self.r.random() < 0.4 else names)

    def new(self) -> str:
        self.count += 1
        return f"t{self.count - 1}"

    def shape(self, name: str) -> tuple:
        return tuple(self.env[name].shape)

    def literal(self, shape) -> str:
        n = int(np.prod(shape))
        values = [round(self.r.uniform(-2, 2), 2) for _ in range(n)]
        return repr(np.array(values).reshape(shape).tolist())

    def line(self) -> str:
        """The next line of the program."""
        r, names = self.r, self.names()
        if len(names) < 2 or (len(names) < LIMIT and r.random() < 0.04):
            return self.leaf()
        if len(names) > LIMIT:
            return f"del {r.choice(names)}"
        kind = r.choices(
            [
                self.assign_view,
                self.assign_value,
                self.change,
                self.write,
                self.out,
                self.attribute,
                self.backward,
                self.custom,
            ],
            [30, 12, 34, 10, 6, 10, 4, 3],
        )[0]
        text, mode = kind(), r.random()
        if re.search(r"[.](t|transpose|squeeze|unsqueeze|swapaxes)_[(]", text):
            return text  # unrecorded, torch goes on with the shapes that its nodes have seen
        if mode < 0.12:
            return f"{MODES[0]} {text}"
        if mode < 0.15 and ".data =" not in text:
            return f"{MODES[1]} {text}"
        if mode < 0.16:
            return f"with L.no_grad(), L.enable_grad(): {text}"
        return text

    def leaf(self) -> str:
        r = self.r
        grad = ", requires_grad=True" if r.random() < 0.55 else ""
        if not grad and r.random() < 0.06:
            return f"{self.new()} = L.tensor([[1, 2, 3], [4, 5, 6]])"
        return f"{self.new()} = L.tensor({self.literal(r.choice(SHAPES))}{grad})"

    # -- values ------------------------------------------------------------------------------------
    def value(self) -> str:
        r, a = self.r, self.tensor()
        form = r.choice(
            "{a}.clone() {a}.clone() {a}*2 {a}*{b} {a}+{b} {a}.sigmoid() {a}.tanh() {a}.sum() "
            "{a}-{b} {a}.relu() {a}.exp().clamp(max=9) {a}.sum(0) {a}*{a} {a}.reshape(-1) "
            "L.zeros_like({a}) L.ones_like({a}) copy.deepcopy({a})".split()
        )
        if self.env[a].is_inference():
            form = "{a}*2"  # torch counts how other ops write such a result as a change of it
        return form.format(a=a, b=self.like(a))

    def like(self, a: str) -> str:
        """A tensor that can be broadcast to another's shape."""
        shape = self.shape(a)
        fits = [
            n
            for n in self.names()
            if self.fits(self.shape(n), shape) and self.env[n].dtype.is_floating_point
        ]
        if fits and self.r.random() < 0.75:
            return self.r.choice(fits)
        if self.r.random() < 0.03:
            return self.tensor()
        return f"L.tensor({self.literal(shape)})" if shape != (0, 3) else "L.ones(0, 3)"

    @staticmethod
    def fits(shape, into) -> bool:
        try:
            return np.broadcast_shapes(shape, into) == into
        except ValueError:
            return False

    def assign_value(self) -> str:
        text = self.value()
        return f"{self.new()} = {text}"

    # -- views -------------------------------------------------------------------------------------
    def index(self, shape) -> str:
        """A basic index."""
        r, items = self.r, []
        for n in shape:
            if r.random() < 0.25:
                break
            items.append(
                r.choice(
                    [
                        str(r.randrange(-n, n)) if n else ":",
                        ":",
                        f"{r.randrange(n + 1)}:",
                        f":{r.randrange(n + 1)}",
                        "::2",
                        "1:2",
                    ]
                )
            )
        if r.random() < 0.15:
            items.insert(r.randrange(len(items) + 1), "None")
        if r.random() < 0.15:
            items.append("...")
        return ", ".join(items) or "..."

    def view(self, a: str, chance: float = 1.0) -> str:
        """An expression for a view of `a`, or (by chance) `a` itself."""
        r, shape = self.r, self.shape(a)
        if r.random() > chance:
            return a
        n, d = len(shape), lambda: r.randrange(-len(shape), len(shape))
        size, forms = int(np.prod(shape)), []
        forms += [f"{a}[{self.index(shape)}]"] * 4
        forms += [f"{a}.view(-1)", f"{a}.reshape(-1)", f"{a}.unsqueeze({r.randrange(n + 1)})"]
        forms += [f"{a}.squeeze()", f"{a}.view_as({a})", f"{a}.T" if n == 2 else f"{a}[None]"]
        forms += [f"{a}.expand(2, *{shape})", f"{a}.detach()"]
        forms += [f"{a}.view({size})", f"{a}.flatten()", f"{a}.data"]
        if n:
            k = d()
            m = shape[k]
            forms += [f"{a}.transpose({d()}, {d()})", f"{a}.movedim({d()}, {d()})"]
            forms += [f"{a}.permute({', '.join(map(str, r.sample(range(n), n)))})"]
            forms += [f"{a}.select({k}, {r.randrange(m)})"] if m else []
            start = r.randrange(m + 1)
            forms += [f"{a}.narrow({k}, {start}, {r.randrange(m - start + 1)})"]
            forms += [f"{a}.squeeze({d()})", f"{a}.unsqueeze({d()})"]
            forms += [f"{a}.swapaxes({d()}, {d()})"]
            if m:
                i = r.randrange(m)
                forms += [f"{a}.unbind({k})[{i}]", f"{a}.chunk(2, {k})[0]"]
                forms += [f"{a}.split(1, {k})[{i}]"]
                # windows that do not overlap: else what is written depends on the order
                forms += [f"{a}.unfold({k}, {min(2, m)}, {min(2, m)})"]
                offset = self.env[a].storage_offset()
                if (
                    self.env[a].is_contiguous() and size
                ):  # else we give the base the gradient, not the view
                    forms += [f"{a}.as_strided(({min(2, m)},), (1,), {offset})"]
        if n >= 2:
            forms += [f"{a}.diagonal()", f"{a}.diagonal({r.choice([-1, 1])})", f"{a}.mT"]
        return r.choice(forms)

    def assign_view(self) -> str:
        text = self.view(self.tensor())
        if text.endswith((".unbind(0)[0]", ".chunk(2, 0)[0]")) and self.r.random() < 0.5:
            return f"{self.new()}, *_ = {text[:-3]}"
        return f"{self.new()} = {text}"

    # -- in place ----------------------------------------------------------------------------------
    def change(self) -> str:
        r, a = self.r, self.tensor()
        shape, n = self.shape(a), len(self.shape(a))
        target = a
        b = self.like(a)
        forms = ["mul_(2)", f"mul_({b})", f"add_({b})", f"sub_({b})", "div_(2)", "add_(1)"]
        if r.random() < 0.35:  # a view of it, which is dropped
            target = self.view(a)
            forms = ["mul_(2)", "add_(1)", "div_(4)", "mul_(L.tensor(0.5, requires_grad=True))"]
        forms += ["zero_()", "fill_(0.5)", "clamp_(-1, 1)", "relu_()", "sigmoid_()", "tanh_()"]
        forms += ["neg_()"]
        if target is a:
            mask = (np.arange(int(np.prod(shape))) % 2 == 0).reshape(shape).tolist()
            forms += [f"copy_({b})", f"copy_({b})", f"masked_fill_(L.tensor({mask}), 0.3)"]
            forms += [f"div_({b}.abs() + 1)", f"addcmul_({b}, {b})"]
            forms += [f"lerp_({b}, 0.3)"] if self.env[a].dtype.is_floating_point else []
            if 0 in shape:
                forms = [f for f in forms if "masked" not in f]
            if (
                ask(lambda: not self.env[a].requires_grad or self.env[a].grad_fn is not None)
                is True
            ):
                # a leaf that is used, then reshaped under no_grad gets gradients of its old shape
                forms += [f"unsqueeze_({r.randrange(n + 1)})", "squeeze_()"] + ["t_()"] * (n < 3)
            if n:
                d = [r.randrange(n) for _ in range(2)]
                if "squeeze_()" in forms:
                    forms += [f"transpose_({d[0]}, {d[1]})", f"swapaxes_({d[0]}, {d[1]})"]
                    forms += [f"squeeze_({d[0]})"]
                if shape[d[0]]:
                    part = (*shape[: d[0]], 1, *shape[d[0] + 1 :])
                    src = f"L.tensor({self.literal(part)})" if 0 not in part else "L.ones(0, 1)"
                    src = self.same(part) or src
                    i = f"L.tensor([{r.randrange(shape[d[0]])}])"
                    forms += [f"index_add_({d[0]}, {i}, {src})", f"index_copy_({d[0]}, {i}, {src})"]
                    forms += [f"index_fill_({d[0]}, {i}, 0.7)", f"cumsum_({d[0]})"]
                    where = f"L.zeros({part}, dtype=L.int64)"
                    forms += [
                        f"scatter_({d[0]}, {where}, {src})",
                        f"scatter_add_({d[0]}, {where}, {src})",
                    ]
                    forms += [f"scatter_({d[0]}, {where}, 0.25)"]
        if r.random() < 0.1:
            return (
                f"{target} {r.choice(['*=', '+=', '-='])} {b}"
                if target is a
                else f"{target}.mul_(3)"
            )
        return f"{target}.{r.choice(forms)}"

    def same(self, shape) -> str | None:
        found = [n for n in self.names() if self.shape(n) == tuple(shape)]
        return self.r.choice(found) if found and self.r.random() < 0.7 else None

    def write(self) -> str:
        """x[...] = v, x[...] += v."""
        r, a = self.r, self.tensor()
        shape = self.shape(a)
        b = r.choice([n for n in self.names() if not self.shape(n)] + ["0.5", "2"])
        if r.random() < 0.15 and shape:
            return f"{a}[{self.index(shape)}] {r.choice(['*=', '+='])} {b}"
        if r.random() < 0.3 and shape and shape[0]:
            i = r.choice([f"[{r.randrange(shape[0])}]", f"L.tensor([0, {shape[0] - 1}])"])
            if r.random() < 0.5:
                return f"{a}[{i}] += {r.choice(['1', b])}"
            return f"{a}[{i}] = {r.choice([b, f'{a}[{i}] * 2'])}"
        if r.random() < 0.25 and 0 not in shape and shape:
            mask = (np.arange(int(np.prod(shape))) % 3 != 1).reshape(shape).tolist()
            return f"{a}[L.tensor({mask})] = {b}"
        index = self.index(shape)
        part = tuple(self.env[a].detach()[eval(f"__import__('numpy').s_[{index}]")].shape)
        return f"{a}[{index}] = {self.same(part) or b}"

    # -- out= --------------------------------------------------------------------------------------
    def out(self) -> str:
        r, a = self.r, self.tensor()
        b, c = self.like(a), self.tensor()
        shaped = [n for n in self.names() if self.shape(n) == self.shape(a)]
        c = r.choice(shaped) if r.random() < 0.7 else c
        free = [n for n in self.names() if not self.env[n].requires_grad]
        if free and r.random() < 0.6:
            a = r.choice(free)
            b = r.choice(["2", "L.ones(())", a])
            c = r.choice([n for n in free if self.shape(n) == self.shape(a)])
            c = r.choice(free) if r.random() < 0.2 else c
        if self.grows(a, b, c) or (c not in (a, b) and (self.shares(a, c) or self.shares(b, c))):
            c = a
        if self.env[a].dtype != self.env[c].dtype:
            a = b = c
        if self.env[c].requires_grad and self.shape(c) != self.shape(a):
            c = a  # a history does not fit another shape
        if b != c and self.shares(b, c):
            b = "2"
        form = r.choice(["mul", "add", "sub"])
        if r.random() < 0.4:
            return f"L.{r.choice(['tanh', 'neg', 'sigmoid'])}({a}, out={c})"
        if (
            r.random() < 0.2
            and self.shape(a)
            and not (self.shares(a, c) or self.env[c].requires_grad)
        ):  # torch sums as it writes
            return f"L.sum({a}, 0, out={c})"
        if r.random() < 0.1:
            return f"L.gt({a}, {b}, out={c})"
        return f"L.{form}({a}, {b}, out={c})"

    def grows(self, a: str, b: str, c: str) -> bool:
        """Whether `c` shares memory that a result would not fit: what others then see is theirs."""
        sizes = np.prod(self.shape(a)), 0 if b not in self.env else np.prod(self.shape(b))
        room = self.env[c].detach().untyped_storage().nbytes() // 4 - self.env[c].storage_offset()
        others = [n for n in self.names() if n != c and self.shares(n, c)]
        return room < np.prod(sizes) + max(sizes) and bool(others)

    def counted(self, a: str) -> bool:
        """Whether a tensor's memory has been changed in place."""
        return bool(ask(lambda: self.env[a]._version))

    def seen(self, a: str) -> bool:
        return any(n != a and self.shares(n, a) for n in self.names())

    def shares(self, a: str, b: str) -> bool:
        if b not in self.env or a not in self.env:
            return False
        first, second = (self.env[n].detach().untyped_storage().data_ptr() for n in (a, b))
        return first == second

    # -- attributes --------------------------------------------------------------------------------
    def attribute(self) -> str:
        r, a = self.r, self.tensor()
        b = r.choice([n for n in self.names() if self.shape(n) == self.shape(a)])
        size = int(np.prod(self.shape(a)))
        return r.choice(
            [
                # torch then knows which views are older than changes of their memory; we do not
                f"{a}.requires_grad_()" if not self.seen(a) or not self.counted(a) else f"{a}.data",
                f"{a}.requires_grad_(False)",
                f"{a}.requires_grad = True" if not self.counted(a) else f"{a}.data",
                f"{a}.detach_()",
                # of memory that others see, torch's version counter is then about two memories
                f"{a}.data = {b}" if not self.seen(a) else f"{a}.data = {a}",
                f"{a}.data.mul_(2)",
                f"{a}.data = {b}.clone()" if not self.seen(a) else f"{a}.data.mul_(2)",
                f"{a}.set_({b}.clone().detach())" if not self.tied(a) else f"{a}.data = {b}",
                f"{a}.resize_({size})" if self.env[a].is_contiguous() else f"{a}.resize_(0)",
                f"{a}.resize_(1, {size})" if self.env[a].is_contiguous() else f"{a}.resize_(0)",
                f"{a}.retain_grad()",
                f"{a}.grad = {b}",
                f"{a}.grad = {self.tensor()}.detach()",
                f"{a}.grad = None",
                f"{a}.grad.zero_()",
                f"{a}.detach().mul_(2)",
                f"{a}.register_hook(lambda g: g * 2)",
            ]
        )

    def tied(self, a: str) -> bool:
        """Whether autograd knows a tensor, which torch's `set_` then leaves in an odd state."""
        t = self.env[a]
        return t.requires_grad or t._is_view() or self.seen(a)

    def backward(self) -> str:
        a = self.tensor()
        return f"({a} * 1.5).sum().backward(retain_graph=True)"

    def custom(self) -> str:
        name = self.r.choice(["Viewed", "Same", "Dirty"])
        a = self.tensor()
        return f"{self.new()} = {name}.apply({self.view(a, 0.3)})"


def first_sentence(message: str) -> str:
    """What our message must contain of torch's: its first sentence, without C++ details."""
    text = message.partition("\n")[0]
    text = re.split(r"(?<=[a-z\]\)])\. ?(?=[A-Z]|$)", text)[0]
    return text.rstrip(".")


class Library:
    """One library and the tensors that a program has made in it."""

    def __init__(self, L) -> None:
        self.L, self.env = L, {"L": L, "copy": copy, "_": None, **functions(L)}

    def run(self, text: str):
        """The exception that a line raises, or None; and its warnings."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                exec(text, self.env)
            except Exception as error:  # noqa: BLE001
                return error.with_traceback(None), caught
            finally:
                self.env["_"] = None
        return None, caught

    def tensors(self) -> dict:
        return {n: t for n, t in self.env.items() if re.fullmatch(r"t\d+", n)}


def ask(function):
    """What a property says, or the error that it raises."""
    try:
        return function()
    except RuntimeError as error:
        return error


PROPERTIES = {
    "requires_grad": lambda t: t.requires_grad,
    "is_leaf": lambda t: t.is_leaf,
    "grad_fn": lambda t: None if t.grad_fn is None else t.grad_fn.name(),
    "_version": lambda t: t._version,
    "_is_view": lambda t: t._is_view(),
    "_base": lambda t: t._base is None,
    "is_inference": lambda t: t.is_inference(),
    "shape": lambda t: tuple(t.shape),
    "stride": lambda t: [s for n, s in zip(t.shape, t.stride(), strict=True) if n > 1 < t.numel()],
    "storage_offset": lambda t: t.storage_offset() if t.numel() else None,
    "dtype": lambda t: str(t.dtype).split(".")[1],
    "retains_grad": lambda t: t.retains_grad,
    "grad": lambda t: None if not (t.is_leaf or t.retains_grad) or t.grad is None else True,
}


CHANGED = "its base or another view of its base has been", "is being"


def same_values(a, b) -> bool:
    """Whether two arrays agree up to rounding."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    with np.errstate(all="ignore"):
        finite = np.abs(b[np.isfinite(b)])
        scale = max(1.0, float(finite.max())) if finite.size else 1.0
        return np.allclose(a, b, rtol=2e-4, atol=2e-5 * scale, equal_nan=True)


def differs(ours, theirs) -> str | None:
    """How two answers differ, errors compared by type and sentence."""
    if isinstance(theirs, Exception) and isinstance(ours, Exception):
        # a view that may not be changed, of a base that has been: we see the second error first
        ours = type(ours)(str(ours).replace(*CHANGED))
        theirs = type(theirs)(str(theirs).replace(*CHANGED))
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        if type(ours) is not type(theirs):
            return f"{type(ours).__name__}: {ours} | torch: {type(theirs).__name__}: {theirs}"
        if first_sentence(str(theirs)) not in str(ours):
            return f"message {ours} | torch: {theirs}"
        return None
    return None if ours == theirs else f"{ours} | torch: {theirs}"


def compare(ours: Library, theirs: Library) -> str | None:
    """The first difference between the tensors of two libraries."""
    mine = ours.tensors()
    for name, b in theirs.tensors().items():
        if name not in mine:
            return f"{name} is missing"
        a = mine[name]
        for what, get in PROPERTIES.items():
            found = differs(ask(lambda: get(a)), ask(lambda: get(b)))  # noqa: B023
            if found is not None:
                return f"{name}.{what}: {found}"
        if not same_values(a.detach().clone().numpy(), b.detach().clone().numpy()):
            return f"{name}: {a.tolist()} | torch: {b.tolist()}"
        if ask(lambda: b.is_leaf or b.retains_grad) is True:  # noqa: B023
            g, h = a.grad, b.grad
            if h is not None and not same_values(g.detach().numpy(), h.detach().numpy()):
                return f"{name}.grad: {g.tolist()} | torch: {h.tolist()}"
    return None


def kinds(caught) -> list[str]:
    """Which warnings were given. torch gives that of expanded tensors once in a process."""
    return sorted({w.category.__name__ for w in caught if "expanded" not in str(w.message)})


def gradients(library: Library, name: str, inputs: list[str]):
    """The gradients of the sum of a tensor, or the error of asking for them."""
    env = library.env

    def grad():
        wanted = [env[n] for n in inputs]
        loss = (env[name] * 0.5).sum()
        return library.L.autograd.grad(loss, wanted, retain_graph=True, allow_unused=True)

    return ask(grad) if inputs else ()


def final(ours: Library, theirs: Library) -> str | None:
    """How gradients differ, of each tensor for all that require grad."""
    tensors = theirs.tensors()
    inputs = [n for n, t in tensors.items() if t.requires_grad]
    for name in inputs:
        found, wanted = gradients(ours, name, inputs), gradients(theirs, name, inputs)
        if isinstance(found, Exception) or isinstance(wanted, Exception):
            if (difference := differs(found, wanted)) is not None:
                return f"grad of {name}: {difference}"
            continue
        for n, g, h in zip(inputs, found, wanted, strict=True):
            if (g is None) != (h is None):
                return f"grad of {name} for {n}: {g} | torch: {h}"
            if g is not None and not same_values(g.detach().numpy(), h.detach().numpy()):
                return f"grad of {name} for {n}: {g.tolist()} | torch: {h.tolist()}"
    return None


def run(seed: int, L, torch, lines: int = 14) -> tuple[list[str], str | None]:
    """A program's text, up to the first difference, and the difference."""
    ours, theirs = Library(L), Library(torch)
    draw, text = Draw(seed, theirs.env), []
    while len(text) < lines:
        line = draw.line()
        text.append(line)
        wanted, warned = theirs.run(line)
        found, warns = ours.run(line)
        difference = differs(found, wanted)
        if isinstance(wanted, Exception) and "outside InferenceMode" in str(wanted):
            return text, difference  # torch has changed the values before it says so
        if difference is None:
            difference = compare(ours, theirs)
        if difference is not None:
            return text, difference
        if kinds(warned) != kinds(warns):
            messages = [[str(w.message) for w in caught] for caught in (warns, warned)]
            return text, f"warnings {messages[0]} | torch: {messages[1]}"
    return text, final(ours, theirs)
