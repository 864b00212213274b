"""`Function`: a step of the tape written by the user."""

import functools
import inspect
import warnings
import weakref
from typing import Any

from ..core import errors, interp, saved, tape
from ..core.generate import NO_STORAGE
from ..core.inplace import check_view, finish, new_output
from ..core.interp import runtime
from ..core.profiling import recorder
from ..core.tensor import Tensor, wrap_view
from ..ops.create import zeros_like
from .leaves import inside

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]


class FunctionCtx:
    """What `forward`, `backward` and `jvp` of a Function share."""

    # defaults, which cost nothing to set for each call
    _saved: tuple | None = ()
    _to_save: tuple = ()
    _for_forward: tuple = ()
    _given: tuple | None = None  # saved_tensors while `jvp` runs, or under vmap
    _versions: tuple = ()
    _dirty: tuple = ()
    _non_differentiable: tuple = ()
    _materialize = True
    _owner_ref: Any = None  # the node, which owns this ctx
    _edges: tuple = ()  # the nodes of the tensors that forward was given
    _input_specs: tuple = ()  # of all arguments, None for what is no tensor
    _returned: tuple = ()  # which results of forward are tensors
    _once: bool | None = False  # saved_tensors may be read once only: None after that
    needs_input_grad: tuple = ()

    @property
    def _owner(self) -> tape.Node:
        """The node, or one that stands for it when the graph is gone."""
        return (self._owner_ref and self._owner_ref()) or tape.UNRECORDED

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors (or None) for backward; they are checked for in-place changes there."""
        self._to_save = tensors

    def save_for_forward(self, *tensors) -> None:
        """Keep tensors for `jvp`, where they are `saved_tensors`."""
        if not all(t is None or isinstance(t, Tensor) for t in tensors):
            raise AssertionError(
                "save_for_forward expects all arguments to be tensors; you should save non-tensors "
                "as attributes on ctx."
            )
        self._for_forward = tensors

    def mark_dirty(self, *args) -> None:
        """Say which inputs `forward` changed in place; they must be returned."""
        self._dirty = args

    def mark_non_differentiable(self, *args) -> None:
        """Say which outputs have no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients come to `backward` as zeros (True) or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple:
        """The tensors of save_for_backward (in `jvp`, of save_for_forward). RuntimeError after they
        were freed, or where one was changed in place.
        """
        if self._given is not None:
            return self._given
        if self._saved is None:
            if self._once is None:
                raise RuntimeError(
                    "saved_tensors can only be accessed once when "
                    "clear_saved_tensors_on_access=True is set on the autograd.Function. Either "
                    "access saved_tensors only once, or set clear_saved_tensors_on_access=False."
                )
            raise errors.backward_twice(self._owner)
        out = []
        for value, (storage, version) in zip(self._saved, self._versions, strict=True):
            if value.__class__ is saved.Packed:
                out.append(value.unpack(self._owner))
                continue
            if storage.version != version:
                raise errors.modified_in_place(
                    self._owner, _spec(value), storage.version, version, _source(value, self._owner)
                )
            out.append(_restore(value, self._owner))
        if self._once:
            self._saved = self._once = None
        return tuple(out)

    @property
    def saved_variables(self) -> tuple:
        """The old name of saved_tensors."""
        return self.saved_tensors


def _spec(value):
    return value[1] if isinstance(value, tuple) else value._spec


def _source(value, owner):
    """The node that computed a saved tensor, which the error for its change names."""
    if isinstance(value, tuple):
        return owner if value[4] is None else new_output(owner, value[4])
    return None if value._node is None or value._node.leaf is not None else value._node


def _restore(value, owner):
    if not isinstance(value, tuple):
        return value
    array, spec, storage, view, index = value
    node = (owner if index is None else new_output(owner, index)) if tape.grad_mode.get() else None
    return wrap_view(array, spec, storage, view, node)


class _FunctionNode(tape.Node):
    """A step whose derivative is a Function's `backward`."""

    __slots__ = ("ctx", "outputs", "specs")
    function_class: type

    @property
    def saved(self):
        """What the engine frees after a backward without retain_graph."""
        return self.ctx._saved

    @saved.setter
    def saved(self, value) -> None:
        self.ctx._saved = value

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "ctx"), name)

    def apply(self, *grads):
        """What the user's backward makes of a gradient for each output."""
        ctx, cls = self.ctx, self.function_class
        if cls.backward is not Function.backward and cls.vjp is not Function.vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You "
                "should only implement one of them."
            )
        derivative = cls.backward if cls.vjp is Function.vjp else cls.vjp
        if not cls.boxed_grads_call:
            return derivative(ctx, *grads)
        box = list(grads)
        del grads
        return derivative(ctx, box)

    def back(self, g):
        """Call the user's backward with a gradient for each output, None for what is no tensor."""
        ctx = self.ctx
        grads = g if self.outputs > 1 else [g]
        if ctx._materialize:
            grads = [_zeros(s) if x is None else x for x, s in zip(grads, self.specs, strict=True)]
        of_tensors = iter(grads)
        grads = [next(of_tensors) if is_tensor else None for is_tensor in ctx._returned]
        del of_tensors, g
        result = self.apply(*grads)
        result = result if isinstance(result, tuple) else (result,)
        count = len(ctx._input_specs)
        if all(r is None for r in result[count:]):
            result = result[:count]
        if len(result) != count:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{count}, got {len(result)})"
            )
        picked = []
        for i, (value, spec) in enumerate(zip(result, ctx._input_specs, strict=True)):
            if spec is not None:
                picked.append(_fit(self, value, spec, len(picked)))
            elif value is not None:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position "
                    f"{i + 1}, but the corresponding forward input was not a Variable"
                )
        return picked


def _zeros(spec):
    return None if spec is None else zeros_like(_ghost(spec))


def _ghost(spec):
    """A tensor of this spec for the *_like functions, which read no values."""
    t = object.__new__(Tensor)
    t._spec, t._node, t._array = spec, None, None
    return t


def _fit(node, value, spec, position):
    """A gradient in the shape and dtype of its input; RuntimeError where it does not fit."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        raise RuntimeError(
            f"expected Variable or None (got {type(value).__name__}) (from the backward of "
            f"{node.name()})"
        )
    if value._spec.shape != spec.shape:
        try:
            value = value.sum_to_size(spec.shape)
        except RuntimeError:
            raise RuntimeError(
                f"Function {node.name()} returned an invalid gradient at index {position} - got "
                f"{list(value.shape)} but expected shape compatible with {list(spec.shape)}"
            ) from None
    return value if value._spec.dtype is spec.dtype else value.to(spec.dtype)


class Function:
    """A differentiable function with its own derivative; used as `MyFunction.apply(...)`.

    Either `forward(ctx, *args)`, or `forward(*args)` with `setup_context(ctx, inputs, output)`; and
    `backward(ctx, *grad_outputs)` (or `vjp`, the same), which returns a gradient (or None) for each
    argument of forward. In forward mode `jvp(ctx, *tangents)` gives the tangents of the outputs.

    Under `func`'s transforms it must have a setup_context, and under vmap a rule, `vmap(info,
    in_dims, *args)`, which returns (outputs, out_dims), or `generate_vmap_rule = True`.
    `clear_saved_tensors_on_access` lets go of saved tensors as soon as `backward` has read them;
    with `boxed_grads_call`, `backward` gets one list of gradients, which it may empty.
    """

    generate_vmap_rule = False
    clear_saved_tensors_on_access = False
    boxed_grads_call = False

    def __init__(self, *args, **kwargs) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args, **kwargs):
        """The computation. To be defined by the subclass."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Save what backward needs. To be defined by subclasses whose forward takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The derivative. To be defined by the subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The derivative in forward mode. May be defined by the subclass."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info, in_dims, *args):
        """The computation on batches. `info` has batch_size and randomness; in_dims says of each
        argument which dimension numbers the samples, or None. May be defined by the subclass.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or "
            "set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward without recording, then add one node to the tape."""
        if has_setup_context(cls):
            args, kwargs = _bound(cls, args, kwargs)
        elif inside.get():
            require_setup_context(cls)
        profiler = recorder.get()
        if profiler is None:
            output, ctx = run(cls, args, kwargs)
        else:
            output, ctx = profiler.function(run, cls, args, kwargs)
        if ctx is not None:
            ctx._for_forward = ()  # what holds an output would be a cycle
        return output


class InplaceFunction(Function):
    """A Function with an `inplace` flag; torch keeps it for old programs."""

    def __init__(self, inplace=False) -> None:
        super().__init__()
        self.inplace = inplace


def _node_class(cls):
    found = cls.__dict__.get("_node_class")
    if found is None:
        found = type(
            f"{cls.__name__}Backward", (_FunctionNode,), {"__slots__": (), "function_class": cls}
        )
        cls._node_class = found
    return found


def has_setup_context(cls) -> bool:
    """Whether a Function's forward takes no ctx."""
    return cls.setup_context is not Function.setup_context


def require_setup_context(cls) -> None:
    """A RuntimeError for a Function that `func`'s transforms cannot take apart."""
    if not has_setup_context(cls):
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, "
            "jacrev, ...), it must override the setup_context staticmethod. For more details, "
            "please see https://pytorch.org/docs/main/notes/extending.func.html"
        )


def _bound(cls, args, kwargs):
    """Arguments as setup_context gets them: with forward's defaults, by position."""
    if not kwargs and cls.forward.__class__ is type(_bound):
        code = cls.forward.__code__
        if code.co_argcount == len(args) and not code.co_kwonlyargcount:
            return args, kwargs
    given = inspect.signature(cls.forward).bind(*args, **kwargs)
    given.apply_defaults()
    for name in given.kwargs:
        raise TypeError(f"forward() got an unexpected keyword argument {name!r}")
    return given.args, {}


levels: dict = {}  # (type of an interpreter) -> how a Function runs below it: function_levels.py


def run(cls, args, kwargs):
    """(what forward returns, recorded; the ctx), below this thread's interpreters. The ctx is None
    where a level of vmap had others of its own.
    """
    for level in reversed(interp.stack()):
        if type(level) in levels:
            with interp.without(level):
                return levels[type(level)](level, cls, args, kwargs)
    ctx = FunctionCtx()
    if cls.clear_saved_tensors_on_access:
        ctx._once = True
    prepare(ctx, args)
    token = tape.grad_mode.set(False)
    try:
        if has_setup_context(cls):
            output = cls.forward(*args)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args, **kwargs)
    finally:
        tape.grad_mode.reset(token)
    return finished(cls, ctx, args, output), ctx


def prepare(ctx, args) -> None:
    """What a ctx knows before forward runs."""
    recording = tape.grad_mode.get()
    edges: list = []
    needs: list = []
    specs: list = []
    for a in args:
        if isinstance(a, Tensor):
            node = a._node
            edges.append(node if recording else None)
            needs.append(node is not None)
            specs.append(a._spec)
        else:
            needs.append(False)
            specs.append(None)
    ctx._edges, ctx.needs_input_grad, ctx._input_specs = tuple(edges), tuple(needs), tuple(specs)


def finished(cls, ctx, args, output):
    """The output of a forward as the caller gets it: recorded, if an input was."""
    outs = list(output) if isinstance(output, tuple) else [output]
    track = ctx._edges.count(None) < len(ctx._edges)
    if ctx._dirty or ctx._non_differentiable:
        _check_marks(cls, ctx, outs, track)
    results = (
        _recorded(cls, ctx, args, outs) if track else [_unrecorded(ctx, args, t) for t in outs]
    )
    return tuple(results) if isinstance(output, tuple) else results[0]


def _one_of(t, tensors) -> bool:
    for x in tensors:  # noqa: SIM110 (any() of a generator takes three times as long)
        if x is t:
            return True
    return False


def _alias(t: Tensor) -> Tensor:
    """An input that is returned unchanged: a view of it, so that it can have another history."""
    token = tape.grad_mode.set(False)
    made = t.view_as(t)
    tape.grad_mode.reset(token)
    return made


def _unrecorded(ctx, args, t):
    """One output of a step that is not recorded."""
    if not isinstance(t, Tensor):
        return t
    if _one_of(t, ctx._dirty):
        return t if t._node is None else t.detach()
    if _one_of(t, args):
        t = _alias(t) if t._node is None else t.detach()
    view = getattr(t, "_view", None)
    if view is not None:
        view.creation = "function"
    return t


def _check_marks(cls, ctx, outs, track) -> None:
    for name, marked in (
        ("mark_dirty can only accept variables, but argument", ctx._dirty),
        (
            "mark_non_differentiable only accepts variable arguments, but got",
            ctx._non_differentiable,
        ),
    ):
        for t in marked:
            if not isinstance(t, Tensor):
                raise RuntimeError(f"{name} {type(t).__name__}")
    for t in ctx._dirty:
        t._storage.version += 1
    for t in ctx._dirty:
        if not _one_of(t, outs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        if not track:
            continue
        if t._node is not None and t._node.leaf is not None:
            raise RuntimeError(
                "a leaf Variable that requires grad has been used in an in-place operation. "
                f"({cls.__name__} has marked it as dirty)"
            )
        view = getattr(t, "_view", None)
        if view is not None and view.base is not None:
            check_view(cls.__name__, t, view)


def _recorded(cls, ctx, args, outs) -> list:
    """The outputs, with a node of the tape."""
    node = object.__new__(_node_class(cls))
    node.seq, node.edges, node.g, node.hooks, node.ctx = (
        runtime["seq"](),
        ctx._edges,
        None,
        None,
        ctx,
    )
    ctx._owner_ref = weakref.ref(node)
    results, tensors, specs, returned, several = [], [], [], [], -1
    for t in outs:
        is_tensor = isinstance(t, Tensor)
        returned.append(is_tensor)
        if is_tensor:
            dirty = _one_of(t, ctx._dirty)
            made = _alias(t) if not dirty and _one_of(t, args) else t
            spec = made._spec
            wanted = spec.dtype.is_floating_point and not _one_of(t, ctx._non_differentiable)
            tensors.append((made, wanted, dirty))
            specs.append(spec)
            several += wanted
            t = made
        results.append(t)
    node.specs, node.outputs, ctx._returned = specs, len(specs), tuple(returned)
    for position, (t, wanted, dirty) in enumerate(tensors):
        own = node if node.outputs == 1 else new_output(node, position)
        if dirty and wanted:
            finish(t, own)
        elif wanted:
            t._node = own
        elif not dirty:
            t._node = None
        view = getattr(t, "_view", None)
        if view is not None and not dirty:
            view.creation = "multi" if several > 0 else "function"
    _save(ctx, outs, results)
    return results


def _save(ctx, outs, results) -> None:
    """Inputs are kept as they are, outputs without their node (that would be a cycle)."""
    values: list = []
    versions: list = []
    pairs = saved.hooks.get()
    tensors = [o for o in results if isinstance(o, Tensor)]
    for i, t in enumerate(ctx._to_save):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {i} is of type "
                f"{type(t).__name__}"
            )
        if t is None:
            values.append(None)
            versions.append((NO_STORAGE, 0))
            continue
        position = next((i for i, o in enumerate(outs) if o is t), None)
        if position is not None and results[position]._node is not None:
            r = results[position]
            index = None if len(tensors) == 1 else next(i for i, o in enumerate(tensors) if o is r)
            if pairs:
                number = saved.OWNER if index is None else index
                values.append(saved.Packed(r, pairs[-1], number))
            else:
                view = getattr(r, "_view", None)
                values.append((r._array, r._spec, r._storage, view, index))
            versions.append((r._storage, r._storage.version))
        else:
            values.append(saved.Packed(t, pairs[-1]) if pairs else t)
            versions.append((t._storage, t._storage.version))
    ctx._saved, ctx._versions, ctx._to_save = tuple(values), tuple(versions), ()


class _Once(Function):
    """Passes on a gradient that refuses to be differentiated."""

    @staticmethod
    def forward(ctx, g):
        return g

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


def once_differentiable(backward):
    """Mark a `backward` whose result cannot be differentiated again: doing so raises an error."""

    @functools.wraps(backward)
    def wrapped(ctx, *grads):
        recording = tape.grad_mode.get()
        token = tape.grad_mode.set(False)
        try:
            result = backward(ctx, *grads)
        finally:
            tape.grad_mode.reset(token)
        if not recording or all(g is None or g._node is None for g in grads):
            return result
        result = result if isinstance(result, tuple) else (result,)
        return tuple(
            None if g is None else _Once.apply(g.detach().requires_grad_()) for g in result
        )

    return wrapped
