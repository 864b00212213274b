"""`pointwise(...)`: an operator from a scalar expression and its derivatives.

    tanh = unary("tanh", "tanh(a)", lambda g, out, _a: g * (1 - out * out))

The expression names the operands a, b, c, ... and becomes the loop of a kernel
(backends/codegen.py). A derivative is a function of the gradient `g`, the result `out` and operands
(an underscore: only its shape and dtype are kept) in method syntax. It is called with Tensors under
`create_graph=True`, and with symbols (`Symbol`) to get the expression of the fused backward kernel.
As it is linear in `g`, it gives the forward-mode derivative as well. It takes `g` rather than
giving the factor, so that masks select (`g.where(a > 0, 0)`) where a product would turn inf * 0
into NaN.
"""

import ast
from typing import Any

from ...core import dtype as dtypes
from ...core import generate
from ...core.batching import pointwise as pointwise_rule
from ...core.interp import runtime
from ...core.op import OPS, Op
from ...core.shape import broadcast_shapes, collapse, dense_strides, expanded_strides
from ...core.spec import Spec
from ...core.tape import grad_mode
from ...core.tensor import Tensor

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MODULE = "numtorch.ops.pointwise"


class Symbol:
    """A scalar value in an expression; methods and operators are those of Tensors, and build source
    text.
    """

    __slots__ = ("text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self.text = text

    def __getattr__(self, name):
        op = OPS.get(name)
        if op is None or not isinstance(op, Pointwise):
            raise AttributeError(
                f"derivatives of pointwise ops use pointwise methods; there is none called {name!r}"
            )
        return lambda *args: Symbol(op.inline(self, *args))

    def __neg__(self):
        return Symbol(f"(-{self.text})")

    def __invert__(self):
        return Symbol(f"(not {self.text})")

    def __pow__(self, n):
        return Symbol(OPS["pow"].inline(self, n))

    def where(self, condition, other):
        """torch's Tensor.where(condition, other)."""
        return Symbol(f"where({text_of(condition)}, {self.text}, {text_of(other)})")


def text_of(value) -> str:
    """An operand of an expression as source text."""
    return (
        value.text
        if isinstance(value, Symbol)
        else f"({value!r})"
        if isinstance(value, (int, float))
        else value
    )


def _operator(sign: str, swap: bool = False):
    def apply(self, other):
        left, right = text_of(self), text_of(other)
        return Symbol(f"({right} {sign} {left})" if swap else f"({left} {sign} {right})")

    return apply


for _name, _sign in dict(
    add="+",
    sub="-",
    mul="*",
    truediv="/",
    gt=">",
    ge=">=",
    lt="<",
    le="<=",
    eq="==",
    ne="!=",
    and_="&",
    or_="|",
).items():
    setattr(Symbol, f"__{_name.rstrip('_')}__", _operator(_sign))
    if _name in ("add", "sub", "mul", "truediv"):
        setattr(Symbol, f"__r{_name}__", _operator(_sign, swap=True))


class Pointwise(Op):
    """An op given by expressions.

    `kind` says which dtypes the op computes in and gives: "arith" the promoted dtype; "float" the
    same, but integers become the default float; "bool" computes in the promoted dtype and gives
    bool; "logic" takes operands as truth values and gives bool. Operands in `masks` are truth
    values and take no part in promotion.
    """

    def __init__(
        self,
        name,
        parameters,
        expressions,
        kind,
        derivatives,
        masks=(),
        doc="",
        node_name=None,
        reject=(),
        defaults=None,
        compute=None,
        check=None,
        takes_out=True,
        keyword=None,
        tensors_only=False,
        divides=False,
    ) -> None:
        self.expressions = (expressions,) if isinstance(expressions, str) else tuple(expressions)
        self.kind, self.masks, self.derivatives = kind, frozenset(masks), derivatives
        self.reject, self.compute, self.check = reject, compute, check
        self.divides = divides  # kernels refuse integer divisors that are zero
        parameters = tuple(parameters)
        if callable(derivatives):
            self.derivatives = derivatives = (derivatives,)
        vjp = (
            None if derivatives is None else dict(zip(parameters, derivatives or (), strict=False))
        )
        super().__init__(
            self._rule,
            name=name,
            module=MODULE,
            tensors=parameters,
            attrs=(),
            optional=frozenset(),
            defaults={},
            vjp=vjp,
            vmap=pointwise_rule,
            numbers=len(parameters) > 1 and not tensors_only,
            doc=doc,
            node_name=node_name,
            aliasing=True,
            promotes=True,
            takes_out=takes_out,
            keyword=keyword,
            outputs=len(self.expressions),
        )

    # -- rule --------------------------------------------------------------------------------------
    def compute_dtype(self, specs):
        """The dtype of the kernel's arithmetic."""
        if self.compute is not None:
            return self.compute(specs)
        if self.kind == "logic":
            return dtypes.bool_
        found = dtypes.result_type_of([s for i, s in enumerate(specs) if i not in self.masks])
        if self.kind == "float" and not found.is_floating_point:
            return dtypes.get_default_dtype()
        return found

    def check_devices(self, specs) -> None:
        """0-d CPU tensors may be operands of ops on another device only as numbers: torch's
        rule.
        """
        super().check_devices([s for s in specs if s.shape or s.device.type != "cpu"])

    def _rule(self, *specs):
        compute = self.compute_dtype(specs)
        if compute.name in self.reject or (self.check is not None and self.check(specs, compute)):
            self.refuse(specs, compute)
        result = dtypes.bool_ if self.kind in ("bool", "logic") else compute
        device = next((s.device for s in specs if s.device.type != "cpu"), specs[0].device)
        out = self._layout(specs, broadcast_shapes(*[s.shape for s in specs]), result, device)
        return out if len(self.expressions) == 1 else (out,) * len(self.expressions)

    def refuse(self, specs, compute) -> None:
        """Raise torch's error for a dtype that the op does not take."""
        raise RuntimeError(
            f"\"{self.name}\" not implemented for '{compute.type_name.removesuffix('Tensor')}'"
        )

    @staticmethod
    def _layout(specs, shape, dtype, device) -> Spec:
        """Contiguous if the operands of full shape are, else in the order of dimensions that torch
        finds in all of them.
        """
        if all(s.contiguous for s in specs if s.shape == shape):
            return Spec.of(shape, dtype, device)
        given = [expanded_strides(s.shape, s.strides, shape) for s in specs if not s.weak]
        return Spec.of(shape, dtype, device, dense_strides(shape, *given))

    # -- kernels -----------------------------------------------------------------------------------
    definition: Any = None  # of a fused derivative: the same in ops that have derivatives
    generated = True  # launchers are made by `launcher_of(op)` in the room's device files

    def converts(self, specs, compute) -> tuple[str, ...]:
        """The name of the type that each operand is converted to."""
        mask = "bool"
        return tuple(
            mask if i in self.masks or self.kind == "logic" else type_name(compute)
            for i in range(len(specs))
        )

    def inline(self, *operands) -> str:
        """This op's expression with operands put in."""
        text = {n: text_of(o) for n, o in zip(LETTERS, operands, strict=False)}
        return f"({substitute(self.expressions[0], text)})"

    # -- derivatives -------------------------------------------------------------------------------
    def vjp_entries(self):
        letters = {LETTERS[i]: p for i, p in enumerate(self.tensors)}
        return [
            (p, d and _derivative(self, i, d, letters))
            for i, (p, d) in enumerate((self.vjp or {}).items())
        ]

    def tangent(self, index: int, t, tensors, out):
        """The part of the output's tangent that input `index` contributes."""
        d = self.derivatives
        if not d or d[index] is None:
            return None
        given = {"g": t, "out": out, **dict(zip(LETTERS, tensors, strict=False))}
        code = d[index].__code__
        return d[index](
            *[lift(given[n.lstrip("_")], t) for n in code.co_varnames[: code.co_argcount]]
        )


def type_name(dtype) -> str:
    """A dtype's name in generated code."""
    return "bool" if dtype is dtypes.bool_ else dtype.name


def substitute(expression: str, text: dict[str, str]) -> str:
    """Put source text in the place of operands' letters."""

    class Put(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.parse(text[node.id], mode="eval").body if node.id in text else node

    return ast.unparse(Put().visit(ast.parse(expression.strip(), mode="eval")))


def _derivative(op: Pointwise, index: int, d, letters):
    """A `vjp` entry: runs the fused kernel, or the definition itself where the graph of the
    gradient is recorded.
    """
    names = d.__code__.co_varnames[: d.__code__.co_argcount]
    public = [("_" + letters[n[1:]]) if n[0] == "_" else letters.get(n, n) for n in names]
    spec = "_" + letters[LETTERS[index]]
    parameters = [*public, *([spec] if spec not in public and spec[1:] not in public else [])]
    like = spec if spec in parameters else f"{spec[1:]}._spec"
    used = [p for n, p in zip(names, public, strict=True) if n[0] != "_" and n != "g"]
    text = f"""def vjp({", ".join(parameters)}):
    if grad_on():
        r = d({", ".join(p if p == "g" or p[0] == "_" else f"lift({p}, g)" for p in public)})
    else:
        r = fused(g{"".join(", " + u for u in used)})
    return r if r._spec is {like} else reduce_to(r, {like})
"""
    scope = {"d": d, "grad_on": grad_mode.get, "reduce_to": reduce_to, "lift": lift}

    def fused(*tensors):  # replaced in `scope` at the first backward pass
        scope["fused"] = made = fused_backward(op, index, d, names)
        return made(*tensors)

    scope["fused"] = fused
    exec(compile(text, f"<numtorch vjp {op.name}>", "exec"), scope)
    return scope["vjp"]


def lift(value, like: Tensor):
    """A number among the operands as a tensor, for derivatives that call its methods."""
    return like.new_full((), value) if isinstance(value, (int, float)) else value


def fused_backward(op: Pointwise, index: int, d, names):
    """The function on Tensors that computes a derivative in one kernel."""
    kept = [n for n in names if n[0] != "_"]
    symbols = {n: Symbol(n) for n in kept}
    result = d(*[symbols.get(n, 1.0 if n[0] == "_" else None) for n in names])
    renamed = {n: LETTERS[i] for i, n in enumerate(kept)}
    expression = substitute(text_of(result), renamed)
    if kept == ["g"] and expression == "a":
        return lambda g: g
    name = f"{op.name}_vjp{index}"
    made = Pointwise(
        name,
        [n if n in ("g", "out") else f"p_{n}" for n in kept],
        expression,
        "arith",
        {},
        masks=tuple(i for i, n in enumerate(kept) if n in LETTERS and LETTERS.index(n) in op.masks),
        doc=f"The derivative of {op.name} for its input {index}, fused.",
        takes_out=False,
    )
    made.definition = lambda *tensors: _defined(d, names, kept, tensors)
    return generate.stub(made, "function")


def _defined(d, names, kept, tensors):
    """A derivative in single ops: what a fused kernel computes."""
    given = dict(zip(kept, tensors, strict=True))
    like = given["g"]
    return d(*[lift(given.get(n), like) for n in names])  # `_a` is not read


def reduce_to(g: Tensor, spec: Spec) -> Tensor:
    """A gradient in the shape and dtype of the operand that it belongs to: undoes broadcasting and
    promotion.
    """
    if spec.weak:
        return g
    if g._spec.shape != spec.shape:
        g = runtime["sum_to_size"](g, spec.shape)
    return g if g._spec.dtype is spec.dtype else runtime["to_dtype"](g, spec.dtype)


# -- launchers -------------------------------------------------------------------------------------
def geometry_of(shape, specs, outs, scalars):
    """Sizes and strides of a loop over `shape`, with as few dimensions as possible.

    The dimensions are in the order in which the first output lies in memory: a permuted one is
    written like a contiguous one (2048 x 2048 in 2 ms instead of 140).
    """
    strides = [
        expanded_strides(s.shape, s.strides, shape)
        for s, k in zip(specs, scalars, strict=True)
        if not k
    ]
    strides += [o.strides for o in outs]
    order = sorted(range(len(shape)), key=lambda d: -outs[0].strides[d])
    return collapse([shape[d] for d in order], *[[s[d] for d in order] for s in strides])


def scalar_kinds(specs, shape) -> tuple:
    """Which operands are numbers, or single elements of a tensor; None for the others."""
    return tuple(
        "number" if s.weak else "element" if s.numel == 1 and shape != s.shape else None
        for s in specs
    )


def pointwise(name, parameters, expressions, kind="arith", d=None, **options):
    """Define a pointwise op; gives its function on Tensors. `parameters` is a string of names; a
    name ending in `?` is a mask.
    """
    names = parameters.split()
    masks = tuple(i for i, n in enumerate(names) if n.endswith("?"))
    op = Pointwise(
        name, [n.rstrip("?") for n in names], expressions, kind, d, masks=masks, **options
    )
    return generate.stub(op, "function")


def unary(name, expression, d=None, kind="float", **options):
    """A pointwise op of one tensor, `input`."""
    return pointwise(name, "input", expression, kind, d, **options)


def binary(name, expression, da=None, db=None, kind="arith", **options):
    """A pointwise op of two operands, `input` and `other`."""
    d = {} if da is None and db is None else (da, db)
    return pointwise(name, "input other", expression, kind, d, **options)


def overloads(function, operand: str, number: str, tensor: str) -> None:
    """Name nodes as torch does, for which a Python number makes another overload than a tensor."""

    def overload(saved):
        value = saved.get(operand, saved.get("_" + operand))
        if isinstance(value, Spec):
            return number if value.weak else tensor
        return number if isinstance(value, (int, float)) else tensor if value is not None else None

    function.op.overload = overload


def operator(function):
    """What Python's operators call: the function without its keywords, which take 60 ns to read."""
    return generate.stub(function.op, "operator")


def in_place(function):
    """The in-place form of a pointwise op's function."""
    return generate.stub(function.op, "in_place", function.op.name + "_")
