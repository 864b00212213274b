"""How a Function runs below the interpreters of forward mode and vmap."""

from typing import Any, NamedTuple

from ..core import tape, tree
from ..core.batching import repeated
from ..core.interp import interpreting
from ..core.tensor import Tensor
from ..ops.create import zeros_like
from . import forward_ad
from .batched import Level
from .forward_ad import Dual
from .function import Function, FunctionCtx, finished, levels, prepare, require_setup_context, run


def _fresh_context(cls, args, output) -> FunctionCtx:
    """A ctx for a level that sees these inputs and outputs."""
    ctx = FunctionCtx()
    prepare(ctx, args)
    token = tape.grad_mode.set(False)
    try:
        cls.setup_context(ctx, args, output)
    finally:
        tape.grad_mode.reset(token)
    return ctx


# -- forward mode ----------------------------------------------------------------------------------
def below_dual(level: Dual, cls, args, kwargs):
    """Run the Function on the values, then `jvp` on the tangents."""
    if not forward_ad.is_entered(level):
        require_setup_context(cls)
    tangents = [level.get(a) for a in args]
    output, ctx = run(cls, args, kwargs)
    if all(t is None for t in tangents):
        return output, ctx
    if ctx is None:
        ctx = _fresh_context(cls, args, output)
    if ctx._materialize:
        tangents = [
            zeros_like(a) if t is None and isinstance(a, Tensor) else t
            for t, a in zip(tangents, args, strict=True)
        ]
    ctx._given = ctx._for_forward
    try:
        results = cls.jvp(ctx, *tangents)
    finally:
        ctx._given = None
    outs = output if isinstance(output, tuple) else (output,)
    results = results if isinstance(results, tuple) else (results,)
    if len(results) != len(outs):
        raise RuntimeError(
            "Function's jvp returned an invalid number of forward gradients (expected "
            f"{len(outs)} but got {len(results)})"
        )
    for i, (out, t) in enumerate(zip(outs, results, strict=True)):
        if t is None or not isinstance(out, Tensor):
            continue
        if not isinstance(t, Tensor):
            raise RuntimeError(
                f"expected Variable or None (got {type(t).__name__}) for grad output {i}."
            )
        if t._spec.shape != out._spec.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the "
                f"original Tensor, this is not supported. Tensor is of size {list(out.shape)} "
                f"while the given forward gradient is of size {list(t.shape)}."
            )
        if any(out is d for d in ctx._dirty):
            level.changed(out, t)
        else:
            level.set(out, t)
    return output, ctx


# -- vmap ------------------------------------------------------------------------------------------
class VmapInfo(NamedTuple):
    """What a Function's own rule is told about the batch."""

    batch_size: int
    randomness: str


def below_vmap(level: Level, cls, args, kwargs):
    """Run the Function on physical tensors, by its rule or a derived one; a derivative that is
    taken inside of the vmapped function sees the Function itself.
    """
    require_setup_context(cls)
    own_rule = cls.vmap is not Function.vmap
    if own_rule and cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it has both generate_vmap_rule=True and "
            "an overriden vmap staticmethod. Please set generate_vmap_rule=False or delete the "
            "overriden vmap staticmethod to avoid ambiguity. For more details, please see "
            "https://pytorch.org/docs/main/notes/extending.func.html"
        )
    if not own_rule and not cls.generate_vmap_rule:
        raise RuntimeError(
            f"You tried to vmap over {cls.__name__}, but it does not have vmap support. Please "
            "override and implement the vmap staticmethod or set generate_vmap_rule=True. For "
            "more details, please see https://pytorch.org/docs/main/notes/extending.func.html"
        )
    flat, structure = tree.flatten(args)
    batched = [level.holds(t) for t in flat]
    if not any(batched):
        return run(cls, args, kwargs)
    physical = tree.unflatten([level.inner(t)[0] for t in flat], structure)
    if own_rule:
        in_dims = tree.unflatten([0 if b else None for b in batched], structure)
        info = VmapInfo(level.size, level.randomness)
        result = cls.vmap(info, tuple(in_dims), *physical)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise RuntimeError(
                f"Expected the vmap staticmethod to have two returns, an output and out_dims with "
                f"pytree structure compatible with the output. Got a {type(result)} with length "
                f"{len(result) if isinstance(result, tuple) else 1}."
            )
        output, out_dims = result
    else:
        step, form = derived(cls, level.size, level.randomness, batched, structure)
        outs = step.apply(*tree.flatten(physical)[0])
        output, out_dims = (tree.unflatten(v, form.structure) for v in (outs, form.dims()))
    outs, form = tree.flatten(output)
    dims = tree.broadcast(out_dims, output)
    if dims is None:
        raise RuntimeError(
            f"The out_dims that the vmap staticmethod of {cls.__name__} returned, {out_dims}, do "
            "not fit the structure of its output"
        )
    wrapped = [
        t if d is None or not isinstance(t, Tensor) else level.wrap(t.movedim(d, 0) if d else t)
        for t, d in zip(outs, dims, strict=True)
    ]
    output = tree.unflatten(wrapped, form)
    inner = level.nodes(flat, batched)
    if tape.grad_mode.get() and any(n is not None for n in inner):
        ctx = _fresh_context(cls, args, output)
        ctx._edges = tuple(n for n, t in zip(inner, flat, strict=True) if isinstance(t, Tensor))
        output = finished(cls, ctx, args, output)
    return output, None


class _Form:
    """What a derived Function's forward returns: its structure, and which tensors have a batch."""

    structure: Any
    batched: list

    def dims(self) -> list:
        return [0 if b else None for b in self.batched]


def derived(cls, size: int, randomness: str, batched: list, structure):
    """A Function of physical tensors, flattened from `structure`, that does for each sample what
    `cls` does: (it, the _Form of what it returns). `batched`: which arguments have a batch.
    """
    form = _Form()

    def on_samples(function):
        level = Level(size, randomness)
        try:
            with interpreting(level):
                return function(level)
        finally:
            level.close()

    def wrap(level, values, flags):
        return [
            level.wrap(v) if b and isinstance(v, Tensor) else v
            for v, b in zip(values, flags, strict=True)
        ]

    def forward(*flat):
        def run_forward(level):
            output = cls.forward(*tree.unflatten(wrap(level, flat, batched), structure))
            outs, form.structure = tree.flatten(output)
            return [level.inner(t) for t in outs]

        pairs = on_samples(run_forward)
        form.batched = [b for _, b in pairs]
        return tuple(t for t, _ in pairs)

    def setup_context(ctx, inputs, output):
        def set_up(level):
            inner = FunctionCtx()
            inner.needs_input_grad = ctx.needs_input_grad
            given, outs = wrap(level, inputs, batched), wrap(level, output, form.batched)
            ctx.shapes = [tuple(t.shape) if isinstance(t, Tensor) else None for t in given]
            cls.setup_context(
                inner, tree.unflatten(given, structure), tree.unflatten(outs, form.structure)
            )
            kept = [[level.inner(t) for t in ts] for ts in (inner._to_save, inner._for_forward)]
            marked = [
                [t for t, w in zip(values, wrapped, strict=True) if any(w is m for m in names)]
                for values, wrapped, names in (
                    (inputs, given, inner._dirty),
                    (output, outs, inner._non_differentiable),
                )
            ]
            inner._to_save = inner._for_forward = inner._dirty = inner._non_differentiable = ()
            return inner, *kept, *marked

        ctx.inner, backward, forward_, dirty, constant = on_samples(set_up)
        ctx.save_for_backward(*(t for t, _ in backward))
        ctx.save_for_forward(*(t for t, _ in forward_))
        ctx.saved_batched = [b for _, b in backward], [b for _, b in forward_]
        ctx.mark_dirty(*dirty)
        ctx.mark_non_differentiable(*constant)
        ctx.set_materialize_grads(ctx.inner._materialize)

    def derivative(ctx, rule, kept, values, flags, finish):
        saved = ctx.saved_tensors

        def differentiate(level):
            ctx.inner._given = tuple(wrap(level, saved, kept))
            try:
                found = rule(ctx.inner, *wrap(level, values, flags))
            finally:
                ctx.inner._given = None
            return finish(level, list(found) if isinstance(found, tuple) else [found])

        return tuple(on_samples(differentiate))

    def backward(ctx, *grads):
        def finish(level, found):
            leaves: list = []
            for g, part in zip(found, _parts(structure), strict=False):
                leaves += [g] if part is None else [None] * len(_leaves(part))
            rows = zip(leaves, batched, ctx.shapes, strict=True)
            return [_gradient(level, size, g, b, shape) for g, b, shape in rows]

        rule = cls.backward if cls.vjp is Function.vjp else cls.vjp
        return derivative(ctx, rule, ctx.saved_batched[0], grads, form.batched, finish)

    def jvp(ctx, *tangents):
        def finish(level, found):
            pairs = [level.inner(t) for t in found]
            return [
                repeated(t, size) if wanted and not b and isinstance(t, Tensor) else t
                for (t, b), wanted in zip(pairs, form.batched, strict=True)
            ]

        return derivative(ctx, cls.jvp, ctx.saved_batched[1], tangents, batched, finish)

    scope = {f.__name__: staticmethod(f) for f in (forward, setup_context, backward, jvp)}
    scope["generate_vmap_rule"] = True  # type: ignore[assignment]
    return type(f"Vmapped{cls.__name__}", (Function,), scope), form


def _parts(structure):
    """The structures of the arguments."""
    return structure[2]


def _leaves(structure) -> list:
    """A number for each leaf of a structure."""
    if structure is None:
        return [0]
    return [x for part in structure[2] for x in _leaves(part)]


def _gradient(level: Level, size: int, g, batched: bool, shape):
    """A gradient of one argument, physical: summed over the samples if they share the argument."""
    if not isinstance(g, Tensor):
        return g
    if tuple(g.shape) != shape:
        g = g.sum_to_size(shape)
    physical, found = level.inner(g)
    if batched and not found:
        return repeated(physical, size)
    return physical.sum(0) if found and not batched else physical


levels[Dual] = below_dual
levels[Level] = below_vmap
