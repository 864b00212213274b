"""How operators act on batches: the rules that `vmap` applies.

Under `vmap` a tensor's memory is a `Batch`: the *physical* tensor, whose first dimension is the
batch, while the tensor's Spec is the *logical* one, without it. Each op has a rule that computes
all samples at once; an op without one is run for each sample (`loop`).

A rule is called with a `Call`, and returns the physical result (or a tuple of them), batch first.
The inputs in a Call are physical, too, with the batch first where `batched` says so. Rules call
other ops, never kernels, so they are differentiable and work below further interpreters.
"""

import warnings
from typing import Any

from .interp import dispatch, runtime
from .spec import Spec
from .tensor import Tensor


class Batch:
    """The memory of a batched tensor: the physical tensor, and the vmap level it belongs to."""

    __slots__ = ("__weakref__", "level", "tensor")

    def __init__(self, level, tensor: Tensor) -> None:
        self.level, self.tensor = level, tensor
        level.live += 1

    def __del__(self) -> None:
        self.level.released()

    def wrap(self, physical: Tensor) -> Tensor:
        """A tensor of the same level with other samples."""
        return self.level.wrap(physical)

    def refuse(self, what: str):
        """Values of single samples cannot be looked at."""
        if self.level.closed:
            raise escaped()
        raise RuntimeError(
            f"vmap: It looks like you're calling {what} on a Tensor. We don't support vmap over "
            f"calling {what} on a Tensor, please try to rewrite what you're doing with other "
            "operations: the samples may differ."
        )


def escaped() -> RuntimeError:
    """The error for a batched tensor that outlives its function."""
    return RuntimeError(
        "vmap: a tensor that was made inside of a vmapped function is used after the function has "
        "returned: return it from the function instead"
    )


def check_alive(tensors) -> None:
    """Refuse tensors that outlived their vmap."""
    for t in tensors:
        if isinstance(t, Tensor) and t._array.__class__ is Batch:
            raise escaped()


runtime["check_alive"] = check_alive


def outermost(t: Tensor) -> Tensor:
    """The physical tensor below all vmap levels."""
    while t._array.__class__ is Batch:
        t = t._array.tensor
    return t


def any_true(t: Tensor) -> bool:
    """Whether an element is true, in any sample: for checks of values, which look at all samples at
    once.
    """
    return bool(outermost(t).any())


def history(t: Tensor) -> bool:
    """Whether a tensor is recorded, inside or outside of the vmaps whose samples it holds."""
    while t._array.__class__ is Batch and t._node is None:
        t = t._array.tensor
    return t._node is not None


class Call:
    """One op of a batched function: what its rule has to compute.

    `tensors`: the inputs, physical. `batched`: whether each has the batch as its first dimension.
    `logical`: the inputs' Specs as the function sees them. `attrs`: by name. `target`: whether the
    op overwrites its first input.
    """

    __slots__ = ("attrs", "batched", "logical", "op", "size", "target", "tensors")

    def __init__(self, op, size: int, tensors, batched, logical, attrs: dict) -> None:
        self.op, self.size, self.attrs = op, size, attrs
        self.tensors, self.batched, self.logical = tensors, batched, logical
        self.target = False

    def run(self, *tensors, **changed):
        """The op itself on other inputs, or with other attributes."""
        attrs = {**self.attrs, **changed} if changed else self.attrs
        return dispatch(
            self.op, tensors, tuple(attrs.values()), tensors[0] if self.target else None
        )

    def rank(self, i: int = 0) -> int:
        """The number of dimensions that the function sees."""
        return len(self.logical[i].shape)

    def every(self) -> list:
        """All inputs with a batch: those without one repeat."""
        return [
            repeated(t, self.size) if isinstance(t, Tensor) and not b else t
            for t, b in zip(self.tensors, self.batched, strict=True)
        ]


def run(name: str, *operands):
    """An op by name: tensors, then attributes."""
    op = runtime["OPS"][name]
    n = len(op.tensors)
    return dispatch(op, operands[:n], operands[n:], None)


def repeated(t: Tensor, size: int) -> Tensor:
    """An unbatched tensor as a batch of views of itself."""
    return run("expand_op", t, (size, *t._spec.shape))


def reshaped(t: Tensor, shape) -> Tensor:
    """The same elements in another shape, copied where they must be."""
    return t.reshape(tuple(shape))


def of(op):
    """The rule of an op."""
    return op.vmap or loop


# -- rules -----------------------------------------------------------------------------------------
def pointwise(call: Call):
    """Element by element: inputs of fewer dimensions get them behind the batch."""
    if call.op.overwrites and not call.batched[0]:  # the result is as large as the first input
        call.tensors = [repeated(call.tensors[0], call.size).contiguous(), *call.tensors[1:]]
        call.batched = [True, *call.batched[1:]]
    rank = max((len(s.shape) for s in call.logical if s is not None), default=0)
    if not rank and not all(call.batched):
        return call.run(*call.every())
    dtypes = None
    given = []
    for t, b, s in zip(call.tensors, call.batched, call.logical, strict=True):
        if b:
            missing = rank - len(s.shape)
            if missing:
                if not s.shape and rank:  # a 0-d sample must not decide the dtype of the result
                    dtypes = _dtypes(call) if dtypes is None else dtypes
                    t = _demoted(t, dtypes)
                t = run("view_op", t, (call.size, *([1] * missing), *s.shape))
        given.append(t)
    return call.run(*given)


def _dtypes(call: Call) -> list:
    return [s.dtype for s in call.logical if s is not None and s.shape]


def _demoted(t: Tensor, others):
    """A batch of 0-d tensors in the dtype that tensors with dimensions dictate."""
    found = None
    for d in others:
        if d.category >= t._spec.dtype.category and (found is None or d.category >= found.category):
            found = d
    return t if found is None or found is t._spec.dtype else t.to(found)


def along(*names: str):
    """Ops along dimensions: the attributes `names` number them (None: all dimensions)."""

    def rule(call: Call):
        rank = call.rank()
        given = call.every()
        if not rank:
            given = [
                run("unsqueeze_op", t, 1) if isinstance(t, Tensor) and t._spec.ndim == 1 else t
                for t in given
            ]
        changed = {n: _shifted(call.attrs[n], max(rank, 1)) for n in names}
        results = call.run(*given, **changed)
        if rank:
            return results
        return _each(results, lambda r: reshaped(r, (call.size,)) if r._spec.ndim == 2 else r)

    return rule


def whole(name: str, *names: str, dim: Any = 1, pick: int | None = None):
    """Reductions of all elements: the op `name` along one dimension, of flattened samples. `names`:
    the attributes that it shares. `pick`: which of its results is wanted.
    """

    def rule(call: Call):
        flat = reshaped(call.tensors[0], (call.size, call.logical[0].numel))
        found = run(name, flat, dim, False, *(call.attrs[n] for n in names))
        return found if pick is None else found[pick]

    return rule


def _shifted(dims, rank: int):
    if dims is None or dims == ():
        return tuple(range(1, rank + 1))
    if isinstance(dims, int):
        return dims % rank + 1
    return tuple(d % rank + 1 for d in dims)


def _each(results, f):
    return tuple(f(r) for r in results) if isinstance(results, tuple) else f(results)


def leading(call: Call):
    """Ops whose other dimensions are free: the batch is one more of them."""
    return call.run(*call.every())


def folded(*shared: int, rank: int | None = None, position: int = 0):
    """Ops over independent samples: the batch joins dimension 0 of the inputs and results. Inputs
    numbered `shared` (weights) must have no batch; else each sample runs alone. Without that
    dimension (a logical rank below `rank`) the batch takes its place.
    """

    def rule(call: Call):
        if any(call.batched[i] for i in shared):
            return loop(call)
        outside = rank is not None and call.rank(position) < rank
        given = [
            t if i in shared or not isinstance(t, Tensor) else (t if b else repeated(t, call.size))
            for i, (t, b) in enumerate(zip(call.tensors, call.batched, strict=True))
        ]
        if outside:
            return call.run(*given)
        n = call.logical[position].shape[0]
        given = [
            t if i in shared or not isinstance(t, Tensor) else joined(t)
            for i, t in enumerate(given)
        ]
        return _each(call.run(*given), lambda r: parted(r, call.size, n))

    return rule


def joined(t: Tensor) -> Tensor:
    """(B, N, ...) -> (B * N, ...)"""
    shape = t._spec.shape
    return reshaped(t, (shape[0] * shape[1], *shape[2:]))


def parted(t: Tensor, size: int, n: int) -> Tensor:
    """(B * N, ...) -> (B, N, ...)"""
    return (
        run("view_op", t, (size, n, *t._spec.shape[1:]))
        if t._spec.contiguous
        else reshaped(t, (size, n, *t._spec.shape[1:]))
    )


def loop(call: Call):
    """The last resort: each sample by itself, with a warning for each op, once."""
    name = call.op.name.removesuffix("_op")
    if name not in _warned:
        _warned.add(name)
        warnings.warn(
            f"There is a performance drop because we have not yet implemented the batching rule "
            f"for {name}: each of the {call.size} samples runs alone.",
            stacklevel=2,
        )
    return samples(call)


_warned: set[str] = set()


def samples(call: Call):
    """Each sample by itself."""
    if not call.size:
        specs = call.op.infer(call.logical, tuple(call.attrs.values()))
        return _each(specs, lambda s: _nothing(call, s))
    rows = []
    for k in range(call.size):
        given = [
            run("select_op", t, 0, k) if b else t
            for t, b in zip(call.tensors, call.batched, strict=True)
        ]
        rows.append(call.run(*given))
    stack = runtime["stack"]
    if isinstance(rows[0], tuple):
        return tuple(stack(column) for column in zip(*rows, strict=True))
    return stack(rows)


def _nothing(call: Call, spec: Spec):
    like: Any = next(t for t, b in zip(call.tensors, call.batched, strict=True) if b)
    return like.new_empty((0, *spec.shape), dtype=spec.dtype)
