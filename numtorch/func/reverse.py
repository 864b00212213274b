"""Transforms by backward passes: vjp, grad, jacrev, linearize; and hessian."""

import functools

from ..autograd import api
from ..autograd.leaves import close, differentiable, inside, tracked
from ..autograd.vmap import vmap
from ..core import tape, tree
from ..core.tensor import Tensor
from ..ops.create import ones_like, zeros_like
from .arguments import checked_argnums, outputs_of, picked, replaced, tensors_of, with_aux
from .forward import basis, jacfwd


class _Pullback:
    """A function's outputs at a point, and the derivatives there by backward passes."""

    def __init__(self, name: str, func, primals, has_aux: bool, scalar: bool = False) -> None:
        self.recording = tape.grad_mode.get()
        self.leaves: list = []
        flat, structure = tree.flatten(primals)
        tensors_of(primals, name)
        token = tape.grad_mode.set(True)
        outermost = inside.set(True)
        try:
            self.inputs = [differentiable(t, self.leaves) for t in flat]
            self.nodes_of = [t._node for t in self.inputs]
            self.structure = structure
            output, aux = with_aux(name, func(*tree.unflatten(self.inputs, structure)), has_aux)
            self.outputs = _scalar(name, output) if scalar else outputs_of(name, output)
        finally:
            inside.reset(outermost)
            tape.grad_mode.reset(token)
        self.form = tree.flatten(output)[1]
        seen: dict = {}
        self.output = self._closed(output, seen)
        self.aux = tree.map_leaves(lambda t: close(t, [], seen, self.recording), aux)
        self.outer = self.recording and any(tracked(t, seen) for t in self.outputs)

    def _closed(self, values, seen):
        leaves = self.leaves
        return tree.map_leaves(lambda t: close(t, leaves, seen, self.recording), values)

    def pull(self, cotangents, retain: bool = True):
        """The gradients of the inputs, as a list, for cotangents of the outputs."""
        recorded = self.outer or (tape.grad_mode.get() and any(tracked(g, {}) for g in cotangents))
        pairs = [
            (t, g) for t, g in zip(self.outputs, cotangents, strict=True) if t._node is not None
        ]
        if not pairs:
            return [zeros_like(t) for t in self.inputs]
        found = api.grad(
            [t for t, _ in pairs],
            self.inputs,
            [g for _, g in pairs],
            retain_graph=retain or recorded,
            create_graph=recorded,
            allow_unused=True,
        )
        seen: dict = {}
        return [
            close(zeros_like(t) if g is None else g, [], seen)
            for t, g in zip(self.inputs, found, strict=True)
        ]


def _scalar(name: str, output) -> list:
    if not isinstance(output, Tensor):
        raise RuntimeError(f"{name}: Expected f(*args) to return a Tensor, got {type(output)}")
    if output.dim() != 0:
        raise RuntimeError(
            f"{name}: Expected f(*args) to return a scalar Tensor, got tensor with {output.dim()} "
            "dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )
    return [output]


def vjp(func, *primals, has_aux=False):
    """`func(*primals)`, and a function from cotangents of its outputs to gradients of the primals.

    With `has_aux`, `func` returns (output, aux), and so there is a third result. The gradients are
    a tuple, also for one primal. Raises RuntimeError where an output is no floating point tensor.
    """
    name = "vjp(f, *primals)"
    at = _Pullback(name, func, primals, has_aux)
    for t in at.outputs:
        if not t._spec.dtype.is_floating_point:
            raise RuntimeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                f"Tensor with dtype {t.dtype}"
            )

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        given, structure = tree.flatten(cotangents)
        if structure != at.form and not (len(given) == len(at.outputs) == 1):
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {cotangents}, primal output: {at.output}"
            )
        for t, g in zip(at.outputs, given, strict=True):
            if tuple(t.shape) != tuple(g.shape):
                raise RuntimeError(
                    f"Mismatch in shape: grad_output[0] has a shape of {g.shape} and output[0] has "
                    f"a shape of {t.shape}."
                )
        return tree.unflatten(at.pull(given), at.structure)

    return (at.output, vjp_fn, at.aux) if has_aux else (at.output, vjp_fn)


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that gives (gradient, value) of `func`, which returns a scalar tensor.

    `argnums`: which arguments are differentiated; a tuple gives a tuple of gradients. With
    `has_aux`, `func` returns (output, aux), and the result is (gradient, (value, aux)).
    """

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        name = "grad_and_value(f)(*args)"
        which = checked_argnums(argnums, len(args))
        at = _Pullback(
            name,
            lambda given: func(*replaced(args, which, given), **kwargs),
            (picked(args, which),),
            has_aux,
            scalar=True,
        )
        gradients = tree.unflatten(at.pull([ones_like(at.outputs[0])], False), at.structure)[0]
        return gradients, ((at.output, at.aux) if has_aux else at.output)

    return wrapped


def grad(func, argnums=0, has_aux=False):
    """A function that gives the gradient of `func`, which returns a scalar tensor.

    `argnums`: which arguments are differentiated; a tuple gives a tuple of gradients. With
    `has_aux`, `func` returns (output, aux), and the result is (gradient, aux).
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args, **kwargs):
        gradients, value = both(*args, **kwargs)
        return (gradients, value[1]) if has_aux else gradients

    return wrapped


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """A function that gives the Jacobian of `func` by backward passes, all rows at once.

    For an output of shape (*out) and an argument of shape (*in) it is (*out, *in); outputs and
    arguments may be nested. `chunk_size`: so many rows at a time.
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    def wrapped(*args):
        name = "jacrev"
        which = checked_argnums(argnums, len(args))
        at = _Pullback(
            "vjp(f, *primals)",
            lambda given: func(*replaced(args, which, given)),
            (picked(args, which),),
            has_aux,
        )
        outputs_of(name, at.output)
        sizes = [t._spec.numel for t in at.outputs]
        rows = vmap(lambda *g: tuple(at.pull(g)), chunk_size=chunk_size)(*basis(at.outputs, sizes))
        found = []
        for t, start in zip(at.outputs, _starts(sizes), strict=True):
            parts = [
                r.narrow(0, start, t._spec.numel).view((*t.shape, *x.shape))
                if r._spec.contiguous
                else r.narrow(0, start, t._spec.numel).reshape((*t.shape, *x.shape))
                for r, x in zip(rows, at.inputs, strict=True)
            ]
            found.append(tree.unflatten(parts, at.structure)[0])
        jacobian = tree.unflatten(found, at.form)
        return (jacobian, at.aux) if has_aux else jacobian

    return functools.wraps(func)(wrapped)


def _starts(sizes):
    found, at = [], 0
    for n in sizes:
        found.append(at)
        at += n
    return found


def hessian(func, argnums=0):
    """A function that gives the matrix of second derivatives of `func`: forward mode over
    backward passes.
    """
    return jacfwd(jacrev(func, argnums), argnums)


def linearize(func, *primals):
    """`func(*primals)`, and a function from tangents of the primals to tangents of the output.

    `func` runs once: its derivative is recorded, and applied to any number of tangents.
    """
    at = _Pullback("linearize", func, primals, False)
    leaves: list = []
    token = tape.grad_mode.set(True)
    try:
        cotangents = [differentiable(zeros_like(t), leaves) for t in at.outputs]
        pairs = [(t, u) for t, u in zip(at.outputs, cotangents, strict=True) if t._node is not None]
        pulled = api.grad(
            [t for t, _ in pairs],
            at.inputs,
            [u for _, u in pairs],
            create_graph=True,
            allow_unused=True,
        )
    finally:
        tape.grad_mode.reset(token)

    def jvp_fn(*tangents):
        given, structure = tree.flatten(tangents)
        if structure != at.structure:
            raise RuntimeError(
                f"Expected the tangents {tangents} to have the same argspec as the primals "
                f"{primals}"
            )
        for k, (x, t) in enumerate(zip(at.inputs, given, strict=True)):
            for what in ("shape", "device", "dtype"):
                if getattr(t, what) != getattr(x, what):
                    raise RuntimeError(
                        f"tangent:{k} with {what} {getattr(t, what)} in flattened pytree doesn't "
                        f"match the {what} {getattr(x, what)} of the corresponding primal."
                    )
        used = [
            (p, t)
            for p, t in zip(pulled, given, strict=True)
            if p is not None and p._node is not None
        ]
        found = (
            api.grad(
                [p for p, _ in used],
                cotangents,
                [t for _, t in used],
                retain_graph=True,
                create_graph=at.outer or any(tracked(t, {}) for t in given),
                allow_unused=True,
            )
            if used
            else [None] * len(cotangents)
        )
        seen: dict = {}
        results = [
            close(zeros_like(u) if t is None else t, leaves, seen)
            for t, u in zip(found, cotangents, strict=True)
        ]
        return tree.unflatten(results, at.form)

    return at.output, jvp_fn
