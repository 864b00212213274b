"""`Function`: a step of the tape written by the user."""

import functools

from ..core import errors, saved, tape
from ..core.generate import NO_STORAGE
from ..core.inplace import finish, new_output
from ..core.interp import runtime
from ..core.tensor import Tensor, wrap_view
from ..ops.create import zeros_like
from . import forward_ad


class FunctionCtx:
    """What `forward` and `backward` of a Function share."""

    def __init__(self) -> None:
        self._saved: tuple | None = ()
        self._for_forward: tuple | None = None  # what saved_tensors are while `jvp` runs
        self._in_jvp = False
        self._versions: tuple = ()
        self._dirty: tuple = ()
        self._non_differentiable: tuple = ()
        self._materialize = True
        self._owner = None
        self.needs_input_grad: tuple = ()

    def save_for_backward(self, *tensors) -> None:
        """Keep tensors (or None) for backward; they are checked for in-place changes there."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type "
                    f"{type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors) -> None:
        """Keep tensors for `jvp`, where they are `saved_tensors`."""
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
        if self._in_jvp:
            return self._for_forward or ()
        if self._saved is None:
            raise errors.backward_twice(self._owner)
        out = []
        for value, (storage, version) in zip(self._saved, self._versions, strict=True):
            if value.__class__ is saved.Packed:
                out.append(value.unpack(self._owner))
                continue
            if storage.version != version:
                raise errors.modified_in_place(
                    self._owner, _spec(value), storage.version, version, None
                )
            out.append(_restore(value, self._owner))
        return tuple(out)

    @property
    def saved_variables(self) -> tuple:
        """The old name of saved_tensors."""
        return self.saved_tensors


def _spec(value):
    return value[1] if isinstance(value, tuple) else value._spec


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

    def back(self, g):
        """Call the user's backward with a gradient for each output, None for what is no tensor."""
        ctx, cls = self.ctx, self.function_class
        grads = g if self.outputs > 1 else [g]
        if ctx._materialize:
            grads = [_zeros(s) if x is None else x for x, s in zip(grads, self.specs, strict=True)]
        of_tensors = iter(grads)
        grads = [next(of_tensors) if is_tensor else None for is_tensor in ctx._returned]
        derivative = cls.backward if cls.vjp is Function.vjp else cls.vjp
        result = derivative(ctx, *grads)
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
                    f"function {self.name()} returned a gradient different from None at position "
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
        raise TypeError(f"{node.name()}: expected Variable or None (got {type(value).__name__})")
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
    argument of forward. In forward mode `jvp(ctx, *tangents)` gives the tangents of the outputs;
    without it, they are those of the operators that forward calls.
    """

    def __init__(self, *args, **kwargs) -> None:
        raise RuntimeError(
            f"{type(self).__name__} should not be instantiated. Methods on autograd functions are "
            "all static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise an error"
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

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run forward without recording, then add one node to the tape."""
        return _apply(cls, args, kwargs)


def _node_class(cls):
    found = cls.__dict__.get("_node_class")
    if found is None:
        found = type(
            f"{cls.__name__}Backward", (_FunctionNode,), {"__slots__": (), "function_class": cls}
        )
        cls._node_class = found
    return found


def _apply(cls, args, kwargs):
    separate = cls.setup_context is not Function.setup_context
    ctx = FunctionCtx()
    tensors = [a for a in args if isinstance(a, Tensor)]
    track = tape.grad_mode.get() and any(t._node is not None for t in tensors)
    ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a._node is not None for a in args)
    ctx._input_specs = [a._spec if isinstance(a, Tensor) else None for a in args]
    tangents = [] if cls.jvp is Function.jvp else [forward_ad.tangent_of(a) for a in args]
    edges = tuple(t._node for t in tensors)
    token = tape.grad_mode.set(False)
    try:
        if separate:
            output = cls.forward(*args, **kwargs)
            cls.setup_context(ctx, args, output)
        else:
            output = cls.forward(ctx, *args, **kwargs)
    finally:
        tape.grad_mode.reset(token)
    many = isinstance(output, (tuple, list))
    outs = list(output) if many else [output]
    for t in outs:
        if not isinstance(t, Tensor) and not many:
            raise TypeError(
                f"{cls.__name__}.forward: expected Tensor or tuple of Tensor (got "
                f"{type(t).__name__})"
            )
    _check_dirty(cls, ctx, outs, track)
    if track:
        output = _record(cls, ctx, args, outs, edges, many)
    if any(t is not None for t in tangents):
        _push(cls, ctx, tangents, output if many else (output,))
    return output


def _push(cls, ctx, tangents, outs) -> None:
    """Give the outputs the tangents that `jvp` computes."""
    if ctx._materialize:
        pairs = zip(tangents, ctx._input_specs, strict=True)
        tangents = [_zeros(spec) if t is None else t for t, spec in pairs]
    ctx._in_jvp = True
    try:
        results = cls.jvp(ctx, *tangents)
    finally:
        ctx._in_jvp = False
    results = results if isinstance(results, tuple) else (results,)
    for out, tangent in zip(outs, results, strict=True):
        if tangent is not None:
            forward_ad.set_tangent(out, tangent)


def _check_dirty(cls, ctx, outs, track) -> None:
    for t in ctx._dirty:
        if not any(o is t for o in outs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        if track and t._node is not None and t._node.leaf is not None:
            raise errors.leaf_in_place(cls.__name__)


def _record(cls, ctx, args, outs, edges, many):
    node = object.__new__(_node_class(cls))
    node.seq, node.edges, node.g, node.hooks, node.ctx = runtime["seq"](), edges, None, None, ctx
    ctx._owner = node
    results, differentiable = [], []
    for o in outs:
        if not isinstance(o, Tensor):
            results.append(o)
            continue
        dirty = any(o is d for d in ctx._dirty)
        if not dirty and any(o is a for a in args):
            token = tape.grad_mode.set(False)
            o = o.view_as(o)
            o._view.base, o._view.creation = None, ""
            tape.grad_mode.reset(token)
        results.append(o)
        non_differentiable = (
            any(o is n for n in ctx._non_differentiable) or not o._spec.dtype.is_floating_point
        )
        if not non_differentiable:
            differentiable.append(o)
        elif not dirty:
            o._node = None
    ctx._returned = [isinstance(o, Tensor) for o in outs]
    node.outputs = sum(ctx._returned)
    node.specs = [
        o._spec if any(o is d for d in differentiable) else None
        for o in results
        if isinstance(o, Tensor)
    ]
    position = 0
    for o in results:
        if not isinstance(o, Tensor):
            continue
        if any(o is d for d in differentiable):
            own = node if node.outputs == 1 else new_output(node, position)
            if any(o is d for d in ctx._dirty):
                o._storage.version += 1
                finish(o, own)
            else:
                o._node = own
        position += 1
    _save(ctx, outs, results)
    return tuple(results) if many else results[0]


def _save(ctx, outs, results) -> None:
    """Inputs are kept as they are, outputs without their node (that would be a cycle)."""
    values: list = []
    versions: list = []
    pairs = saved.hooks.get()
    tensors = [o for o in results if isinstance(o, Tensor)]
    for t in getattr(ctx, "_to_save", ()):
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
    ctx._saved, ctx._versions = tuple(values), tuple(versions)


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
