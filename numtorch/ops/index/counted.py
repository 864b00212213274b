"""Ops of a varying number of tensors: one op for each count, made when it is first needed.

An op has fixed tensor parameters, because its function, plans and tape nodes are generated from
them. `cat` of three tensors is therefore the op `cat3`, of four `cat4`; they share the rule, the
derivative and, in cpu.py and cuda.py, the launcher that has the family's name. Capture, out=, and
double backward see ordinary ops.
"""

from ...core import generate
from ...core.op import Op


class CountedOp(Op):
    """One member of a family; the room's device files find its launcher by `family`."""

    generated = True
    family: str


class Counted(dict):
    """Functions on Tensors by the number of repeated tensors.

    The parameters are `fixed`, then `repeated` with a number (`x0`, `x1`, ...), then `attrs`.
    `vjp(names)` gives the derivatives for the names of the repeated parameters.
    """

    def __init__(self, rule, family, module, fixed, repeated, attrs, vjp, **options) -> None:
        self.rule, self.family, self.module, self.fixed, self.repeated = (
            rule,
            family,
            module,
            fixed,
            repeated,
        )
        self.attrs, self.vjp, self.options = attrs, vjp, options
        self.in_place = _InPlace(self)

    def __missing__(self, count: int):
        names = tuple(f"{self.repeated}{i}" for i in range(count))
        op = CountedOp(
            self.rule,
            name=f"{self.family}{count}",
            module=self.module,
            tensors=(*self.fixed, *names),
            attrs=self.attrs,
            optional=frozenset(),
            defaults={},
            vjp=self.vjp(names),
            doc=self.rule.__doc__,
            node_name=self.family.title().replace("_", "") + "Backward0",
            **self.options,
        )
        op.family = self.family
        op.exclusive = op.expands = self.family == "index_put"
        function = self[count] = generate.stub(op, "function")
        return function


class _InPlace(dict):
    """The in-place forms of a family."""

    def __init__(self, family: Counted) -> None:
        self.family = family

    def __missing__(self, count: int):
        op = self.family[count].op
        function = self[count] = generate.stub(op, "in_place", op.name + "_")
        return function


def counted(family, module, fixed, repeated, attrs, vjp, **options):
    """Make a family from its rule: `cat_op = counted("cat", ...)(rule)`, used as `cat_op[3](a, b,
    c, dim)`.
    """
    return lambda rule: Counted(rule, family, module, fixed, repeated, attrs, vjp, **options)


def derivative(text: str, **scope):
    """A derivative whose parameters are written out, as the op contract reads them by name."""
    return eval(compile(text, f"<numtorch derivative {text[:40]}>", "eval"), scope)
