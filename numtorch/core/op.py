"""The op contract: one definition from which eager execution, autograd, capture, out= and in-place
forms are derived.

    @primitive(vjp={"input": lambda g, _input, dim: g.expand_dim(_input, dim)})
    def sum_op(input, *, dim):
        return input.like(shape=...)

The function is the rule: Specs and plain attributes in, Spec (or tuple of Specs) out, torch's
errors raised. The name is then bound to a function on Tensors, generated from the definition (see
generate.py).

`vjp` maps an input's name (or a tuple of names, for derivatives that one kernel computes together)
to its derivative, a function whose parameters say what it needs: `g` the output's gradient; `out`,
`out1`, ... outputs; a tensor parameter's name, which saves that input, or the name with a leading
underscore, which keeps only its Spec; attributes; `needs`, one bool for each tensor input. An entry
None means that the gradient is zero. `vjp={}` declares an op without derivatives (its results never
require grad); without `vjp` the derivative is missing, and asking for it is an error.

`vmap` computes a batch at once (see batching.py; without it each sample runs alone), `jvp` a
tangent (see autograd/forward_ad.py; without it the derivative of the derivative does).
"""

from typing import Any

from . import derive, errors, generate, inplace
from .interp import dispatch, runtime
from .plans import LIMIT, register
from .shape import is_dense
from .spec import Spec
from .tape import SavingNode, named
from .tensor import Tensor

OPS: dict[str, "Op"] = {}  # every op; there is no other list
backend: dict = {}  # set by numtorch.backends: "launcher", "memory" (imports flow downward)


class Plans(dict):
    """Plans of one op by input specs and attributes; a missing one is made."""

    __slots__ = ("make",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, make) -> None:
        self.make = make
        register(self)

    def __missing__(self, key):
        if len(self) >= LIMIT:
            self.clear()
        plan = self.make(key)
        self[key] = plan
        return plan


class Op:
    """One primitive operator."""

    generated = False  # pointwise ops: the room makes the launcher from the op
    is_view = False
    overload: Any = None  # {saved name: value} -> the name of a node of it, None for `node_name`
    overwrites = False  # its in-place form reads nothing of its first input
    expands = False  # its in-place form may write to an expanded tensor
    exclusive = False  # its in-place form takes no tensor that shares memory with the target
    public: Any = None  # the function on Tensors
    several = False  # a view op of several views: its rule gives a list

    def __init__(
        self,
        rule,
        *,
        vjp=None,
        jvp=None,
        vmap=None,
        differentiable=(0,),
        numbers=False,
        name=None,
        doc=None,
        node_name=None,
        module=None,
        tensors=None,
        attrs=None,
        optional=None,
        aliasing=False,
        defaults=None,
        promotes=False,
        outputs=1,
        takes_out=False,
        keyword=None,
    ) -> None:
        code = rule.__code__
        self.rule, self.vjp, self.jvp, self.vmap = rule, vjp, jvp, vmap
        self.name = name or rule.__name__
        self.module = module or rule.__module__
        self.doc = doc or rule.__doc__ or ""
        self.differentiable = differentiable
        self.numbers = numbers  # operands may be Python numbers
        self.many = outputs if outputs > 1 else 0
        self.takes_out = takes_out  # the public function has an out= parameter
        self.keyword = keyword  # (name, default, function that is called for any other value)
        self.aliasing = aliasing  # the kernel may write to the memory of its first input
        self.promotes = (
            promotes  # inputs of other dtypes are converted by the kernel (pointwise ops)
        )
        names = code.co_varnames
        count = code.co_argcount
        self.tensors = tensors if tensors is not None else names[:count]
        self.attrs = attrs if attrs is not None else names[count : count + code.co_kwonlyargcount]
        if optional is None:
            optional = frozenset(
                self.tensors[count - len(rule.__defaults__ or ()) :] if rule.__defaults__ else ()
            )
        self.optional = optional
        self.defaults = defaults if defaults is not None else dict(rule.__kwdefaults__ or {})
        self.node_name = (
            node_name or self.name.removesuffix("_op").title().replace("_", "") + "Backward0"
        )
        self.plans = Plans(self._plan)
        self.into_plans = Plans(self._into_plan)
        self.update_plans = Plans(self._update_plan)
        self._direct: Any = None
        self._node_class: Any = None
        clash = generate.RESERVED.intersection((*self.tensors, *self.attrs))
        if clash:
            raise ValueError(
                f"op {self.name}: generated code uses the name {min(clash)!r}; rename the parameter"
            )
        if self.name in OPS:
            raise ValueError(
                f"op {self.name} is defined twice: in {OPS[self.name].module} and {self.module}"
            )
        OPS[self.name] = self

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join((*self.tensors, *self.attrs))})>"

    # -- plans -------------------------------------------------------------------------------------
    def split(self, key) -> tuple[tuple, tuple]:
        """A plan key as specs and attributes."""
        if key.__class__ is Spec:
            return (key,), ()
        n = len(self.tensors)
        return key[:n], key[n:]

    def infer(self, specs, attrs):
        """What the rule says of the outputs: a Spec or a tuple of Specs. Compiles and computes
        nothing.
        """
        self.check_devices(specs)
        return self.rule(*specs, **dict(zip(self.attrs, attrs, strict=True)))

    def check_devices(self, specs) -> None:
        """All tensors on one device; 0-d CPU tensors may join pointwise ops on another, as in
        torch.
        """
        first = None
        for s in specs:
            if s is None or s.weak:
                continue
            if first is None:
                first = s.device
            elif s.device is not first:
                raise errors.mixed_devices(self.name.removesuffix("_op"), specs)

    def _plan(self, key):
        specs, attrs = self.split(key)
        outs = self.infer(specs, attrs)
        if self.is_view:
            viewer = backend["memory"](specs[0].device).viewer
            parts = tuple((*part, viewer(part[0])) for part in (outs if self.several else [outs]))
            return parts if self.several else parts[0]
        many = isinstance(outs, tuple)
        outs = tuple(_without_gaps(o) for o in outs) if many else _without_gaps(outs)
        run = self.kernel(specs, attrs, outs if many else (outs,))
        make = [backend["memory"](o.device).allocator(o) for o in (outs if many else (outs,))]
        return outs, generate.allocating(run, make, len(specs), many)

    def kernel(self, specs, attrs, outs):
        """A function of the arrays of all inputs and outputs, for exactly these specs. Compiles
        what it needs.
        """
        dev = outs[0].device
        launch = backend["launcher"](self, dev)
        dense = getattr(launch, "contiguous", None)
        given = dict(zip(self.attrs, attrs, strict=True))
        if dense is None:
            return launch(*specs, *outs, **given)
        copied = [
            s is not None and not s.weak and not s.contiguous and (dense is True or n in dense)
            for s, n in zip(specs, self.tensors, strict=True)
        ]
        staged = [dense is True and not o.contiguous for o in outs]
        wanted = [s.dense() if c else s for s, c in zip(specs, copied, strict=True)]
        wanted += [o.dense() if c else o for o, c in zip(outs, staged, strict=True)]
        run = launch(*wanted, **given)
        return with_copies(run, [*specs, *outs], wanted, len(outs))

    def _into_plan(self, key):
        """A kernel that writes to given memory; key = (target spec, specs..., attributes...)."""
        target, rest = key[0], key[1:]
        specs, attrs = rest[: len(self.tensors)], rest[len(self.tensors) :]
        outs = self.infer(specs, attrs)
        self.check_target(outs, target)
        if self.promotes or outs.dtype is target.dtype:
            return self.kernel(specs, attrs, (target,))
        run, make = (
            self.kernel(specs, attrs, (outs,)),
            backend["memory"](outs.device).allocator(outs),
        )
        convert = OPS["copy_op"].kernel((outs,), (), (target,))

        def converted(*arrays):
            temporary = make()
            run(*arrays[:-1], temporary)
            convert(temporary, arrays[-1])

        return converted

    def _update_plan(self, key):
        count = key[0]
        targets, specs = key[1 : count + 1], key[count + 1 :]
        for o, t in zip(
            self.infer(specs, ()) if self.many else (self.infer(specs, ()),), targets, strict=True
        ):
            self.check_target(o, t)
        return self.kernel(specs, (), targets)

    def check_target(self, outs: Spec, target: Spec) -> None:
        """torch's conditions on the tensor that an in-place or out= form writes to."""
        from_, to = outs.dtype, target.dtype
        name = self.name.removesuffix("_op")
        if generate.reaches_twice(target) and not self.expands:
            raise errors.internal_overlap(name)
        if outs.shape != target.shape:
            raise RuntimeError(
                f"output with shape {list(target.shape)} doesn't match the broadcast shape "
                f"{list(outs.shape)} ({name})"
            )
        if from_.category > to.category:
            wanted, given = (
                from_.type_name.removesuffix("Tensor"),
                to.type_name.removesuffix("Tensor"),
            )
            raise RuntimeError(
                f"result type {wanted} can't be cast to the desired output type {given} ({name})"
            )

    # -- calls -------------------------------------------------------------------------------------
    def direct(self, tensors: tuple, attrs: tuple, target=None):
        """Run the op, past this moment's interpreter. `target` is the tensor that an in-place form
        changes.
        """
        if isinstance(target, tuple):
            return inplace.update_directly(self, tensors, target)
        if target is not None:
            return generate.in_place_directly(self, tensors, attrs)
        if self._direct is None:
            self._direct = generate.compile_function(self, "direct")
        return self._direct(*tensors, *attrs)

    def __call__(self, *tensors_and_attrs):
        return self.public(*tensors_and_attrs)

    def bad_argument(self, tensors) -> Exception:
        """The error for an operand that is not a Tensor."""
        name = self.name.removesuffix("_op")
        for parameter, value in zip(self.tensors, tensors, strict=True):
            if isinstance(value, Tensor) or (value is None and parameter in self.optional):
                continue
            if not (self.numbers and isinstance(value, (int, float))):
                return errors.not_a_tensor(name, parameter, value)
        return errors.not_a_tensor(name, self.tensors[0], tensors[0])

    # -- derivatives
    # ---------------------------------------------------------------------------------------------
    def vjp_entries(self):
        """(input's name or tuple of names, derivative) of each entry."""
        return (self.vjp or {}).items()

    @property
    def node_class(self):
        """The type of this op's tape nodes; its `back` is generated from `vjp`."""
        if self._node_class is None:
            derive.differentiate(self)
        return self._node_class

    def make_node(self, edges, name: str | None = None, **saved):
        """A tape node made by hand: for views that an in-place change gives a new history."""
        cls = named(self.node_class, name) if name else self.node_class
        node = object.__new__(cls)
        node.seq, node.edges, node.g, node.hooks = runtime["seq"](), tuple(edges), None, None
        if issubclass(cls, SavingNode):
            node.saved, node.versions = tuple(saved[n] for n in cls.saved_names), ()
        return node


def _without_gaps(spec: Spec) -> Spec:
    """The spec of fresh memory: a rule may give that of its input, which is a view with gaps."""
    return spec if spec.contiguous or is_dense(spec.shape, spec.strides) else spec.like()


def with_copies(run, specs, wanted, outputs=1):
    """`run`, on copies of the tensors that do not lie as `wanted`; the last are outputs."""
    copy, gather, scatter = OPS["copy_op"].kernel, [], []
    for k, (s, w) in enumerate(zip(specs, wanted, strict=True)):
        if s is not w:
            make = backend["memory"](w.device).allocator(w)
            if k < len(specs) - outputs:
                gather.append((k, make, copy((s,), (), (w,))))
            else:
                scatter.append((k, make, copy((w,), (), (s,))))
    if not gather and not scatter:
        return run

    def copied(*arrays):
        given = list(arrays)
        for k, make, fill in gather:
            given[k] = make()
            fill(arrays[k], given[k])
        for k, make, _ in scatter:
            given[k] = make()
        run(*given)
        for k, _, fill in scatter:
            fill(given[k], arrays[k])

    return copied


def primitive(rule=None, **options):
    """Define an op from its rule; see the module's docstring. Gives the function on Tensors."""
    if rule is None:
        return lambda f: primitive(f, **options)
    return generate.stub(Op(rule, **options), "function")


def view_primitive(rule=None, several=False, **options):
    """Define an op whose result is a view: its rule gives the view's Spec and its offset from the
    input's first element; there is no kernel. With `several` the result is a tuple of views, and
    the rule gives a list of such pairs; `g` is then a list with None for views without a gradient.
    """
    if rule is None:
        return lambda f: view_primitive(f, several, **options)
    op = Op(rule, **options)
    op.is_view, op.several = True, several
    return generate.stub(op, "function")


runtime.update(OPS=OPS, dispatch=dispatch)
