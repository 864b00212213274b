"""The interpreter behind `vmap`: a function of one sample runs on all samples at once.

While a level is active, tensors with a batch are Tensors whose memory is a `Batch`
(core/batching.py). Each op is recorded on the tape as the function sees it, for derivatives that
are taken inside of the function, and then computed on physical tensors by the op's rule; those are
recorded, and interpreted, by whatever is outside.
"""

from ..core import batching, inplace, tape
from ..core.batching import Batch, Call, escaped
from ..core.generate import attach, number, record, saves_first
from ..core.interp import dispatch, keep, runtime
from ..core.op import Op
from ..core.plans import LIMIT, register
from ..core.spec import Spec, weak
from ..core.tensor import Tensor, View, offset_of
from ..ops.view.basic import movedim

RANDOM_ERROR = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' "
    "or 'different' randomness flags on vmap or perform the randomness operation out of vmap"
)


_samples: dict = register({})  # Spec of a batch -> Spec of a sample


def sample_of(spec: Spec) -> Spec:
    """The Spec of one sample of a batch."""
    if len(_samples) >= LIMIT:
        _samples.clear()
    found = _samples[spec] = spec.strided(spec.shape[1:], spec.strides[1:])
    return found


def number_spec(value) -> Spec:
    """The Spec of a Python number among the operands."""
    return weak(number(value))


class Level:
    """One active vmap: an interpreter that replaces ops on samples by ops on batches."""

    def __init__(self, size: int, randomness: str = "error") -> None:
        self.size, self.randomness = size, randomness
        self.different = randomness == "different"
        self.seq = tape.sequence()  # nodes with higher numbers were recorded inside
        self.live, self.closed = 0, False

    # -- tensors -----------------------------------------------------------------------------------
    def wrap(self, physical: Tensor, node=None) -> Tensor:
        """A tensor whose samples are those of a physical one."""
        t = object.__new__(Tensor)
        spec = physical._spec
        t._array = Batch(self, physical)
        t._spec = _samples.get(spec) or sample_of(spec)
        memory = physical._memory
        if memory is None:
            memory = physical._storage
        t._memory, t._node = memory, node
        if memory.array is not physical._array:
            offset = offset_of(physical)
            if offset:
                t._view = View(offset, None)
        return t

    def holds(self, t) -> bool:
        """Whether a value is a tensor with this level's batch."""
        if not isinstance(t, Tensor) or t._array.__class__ is not Batch:
            return False
        if t._array.level.closed:
            raise escaped()
        return t._array.level is self

    def inner(self, t):
        """A tensor as the level below sees it, and whether it has a batch."""
        return (t._array.tensor, True) if self.holds(t) else (t, False)

    def close(self) -> None:
        """No op may see this level's tensors any more. While some are alive, interpreters stay
        active, so that their next op is found and raises.
        """
        self.closed = True
        if self.live:
            keep(1)

    def released(self) -> None:
        """A Batch of this level was dropped."""
        self.live -= 1
        if self.closed and not self.live:
            keep(-1)

    # -- ops ---------------------------------------------------------------------------------------
    def process(self, op: Op, tensors: tuple, attrs: tuple, target):
        """One op of the function."""
        batched: list = []
        physical: list = []
        logical: list = []
        some = False
        for t in tensors:
            if isinstance(t, Tensor):
                array = t._array
                logical.append(t._spec)
                if array.__class__ is Batch and self.holds(t):
                    batched.append(True)
                    physical.append(array.tensor)
                    some = True
                    continue
            else:
                logical.append(None if t is None else number_spec(t))
            batched.append(False)
            physical.append(t)
        if "generator" in op.attrs:
            return self._random(op, tensors, attrs, target, batched)
        if not some:
            return dispatch(op, tensors, attrs, target)
        if isinstance(target, tuple):
            return self._update(op, tensors, target, batched)
        named = dict(zip(op.attrs, attrs)) if attrs else {}  # noqa: B905 (as many, by design)
        call = Call(op, self.size, physical, batched, logical, named)
        if target is not None:
            return self._in_place(call, tensors, attrs, target)
        try:
            found = (op.vmap or batching.loop)(call)
        except (RuntimeError, IndexError, ValueError, TypeError):
            op.infer(logical, attrs)  # the error that names the sample's shapes, if it is one
            raise
        results = self._wrapped(op, tensors, found)
        if tape.grad_mode.get():
            nodes = self.nodes(tensors, batched)
            if any(nodes):
                attach(op, tensors, attrs, results, nodes)
        return results

    def _call(self, op, tensors, attrs, batched) -> Call:
        physical = [t._array.tensor if b else t for t, b in zip(tensors, batched, strict=True)]
        logical = [
            t._spec if isinstance(t, Tensor) else None if t is None else number_spec(t)
            for t in tensors
        ]
        named = dict(zip(op.attrs, attrs, strict=True))
        return Call(op, self.size, physical, batched, logical, named)

    def nodes(self, tensors, batched) -> list:
        """The nodes that belong to derivatives taken inside of this level."""
        found = []
        for t, b in zip(tensors, batched, strict=True):
            node = t._node if isinstance(t, Tensor) else None
            found.append(node if node is not None and (b or node.seq > self.seq) else None)
        return found

    def _wrapped(self, op, tensors, results):
        if op.is_view:
            base = inplace.view_base(tensors[0])
            if isinstance(results, tuple):
                return tuple(self._view(r, base, "multi") for r in results)
            return self._view(results, base, "")
        if isinstance(results, (tuple, list)):
            return tuple(self.wrap(batch_first(r)) for r in results)
        return self.wrap(batch_first(results))

    def _view(self, physical, base, creation):
        t = self.wrap(physical)
        recording = tape.grad_mode.get()
        t._view = View(offset_of(physical), base, creation if recording else "no_grad")
        if recording:
            inplace.register_view(t._memory, t)
        return t

    # -- in place ----------------------------------------------------------------------------------
    def _in_place(self, call: Call, tensors, attrs, target):
        op = call.op
        if not call.batched[0]:
            raise unbatched_target(op.name)
        nodes = self.nodes(tensors, call.batched)
        track = tape.grad_mode.get() and op.vjp != {} and any(nodes)
        inplace.check(op, target, track, ())
        op.check_target(op.infer(call.logical, attrs), target._spec)
        physical, before = target._array.tensor, target
        if track and saves_first(op):
            before = self.wrap(physical.clone(), target._node)
        if op.vmap is batching.pointwise:
            call.target = True
            batching.pointwise(call)
        else:
            physical.copy_(batching.of(op)(call))
        if track:
            inplace.finish(target, record(op, (before, *tensors[1:]), attrs, target, nodes))
        return target

    def _update(self, op, tensors, targets, batched):
        if not all(self.holds(t) for t in targets):
            raise unbatched_target(op.name)
        for k in range(self.size):
            given = tuple(
                t._array.tensor.select(0, k) if b else t
                for t, b in zip(tensors, batched, strict=True)
            )
            position = {id(t): i for i, t in enumerate(tensors)}
            written = tuple(given[position[id(t)]] for t in targets)
            dispatch(op, given, (), written)
        return

    # -- random numbers ----------------------------------------------------------------------------
    def _random(self, op, tensors, attrs, target, batched):
        if self.randomness == "error":
            raise RuntimeError(RANDOM_ERROR)
        if target is not None and not batched[0]:
            if any(batched):
                raise RuntimeError(
                    "Vmap does not currently support same randomness with a batched tensor input "
                    f"({op.name.removesuffix('_op')}); draw the numbers outside of vmap"
                )
            if self.different:
                raise RuntimeError(
                    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. "
                    "This will appear like same randomness. Make the tensor inside of the function "
                    f"({op.name.removesuffix('_op')})"
                )
            return dispatch(op, tensors, attrs, target)
        if not self.different and not any(batched):
            return dispatch(op, tensors, attrs, target)
        call = self._call(op, tensors, attrs, batched)
        nodes = self.nodes(tensors, batched)
        if target is not None:
            return self._random_in_place(call, tensors, attrs, target, nodes)
        found = (op.vmap or batching.samples)(call) if self.different else self._same(call, attrs)
        results = self._wrapped(op, tensors, found)
        if tape.grad_mode.get() and any(n is not None for n in nodes):
            attach(op, tensors, attrs, results, nodes)
        return results

    def _random_in_place(self, call: Call, tensors, attrs, target, nodes):
        op = call.op
        track = tape.grad_mode.get() and op.vjp != {} and any(n is not None for n in nodes)
        inplace.check(op, target, track, ())
        if not self.different:
            self._rows(call, attrs, True)
        elif op.vmap is not None:
            op.vmap(call)
        else:
            given = call.every()
            dispatch(op, tuple(given), attrs, given[0])
        if track:
            inplace.finish(target, record(op, tensors, attrs, target, nodes))
        return target

    def _same(self, call: Call, attrs):
        rows, stack = self._rows(call, attrs, False), runtime["stack"]
        if isinstance(rows[0], tuple):
            return tuple(stack(column) for column in zip(*rows, strict=True))
        return stack(rows)

    def _rows(self, call: Call, attrs, in_place: bool) -> list:
        """Each sample draws the same numbers: the generator starts from one state for all."""
        generator = call.attrs["generator"]
        state, rows = generator.get_state(), []
        for k in range(self.size):
            generator.set_state(state)
            given = tuple(
                t.select(0, k) if b else t for t, b in zip(call.tensors, call.batched, strict=True)
            )
            rows.append(dispatch(call.op, given, attrs, given[0] if in_place else None))
        return rows


def batch_first(t: Tensor) -> Tensor:
    """A result whose samples do not lie interleaved: in-place changes of parts of a sample need its
    memory in one piece.
    """
    spec = t._spec
    if spec.contiguous or spec.ndim < 2 or spec.strides[0] >= max(spec.strides[1:]):
        return t
    return t.contiguous()


def unbatched_target(name: str) -> RuntimeError:
    """The error for samples that are to be written to memory that has room for one."""
    op = name.removesuffix("_op") + "_"
    return RuntimeError(
        f"vmap: {op}(self, *extra_args) is not possible because there exists a Tensor `other` in "
        "extra_args that has more elements than `self`. This happened due to `other` being vmapped "
        "over but `self` not being vmapped over in a vmap. Please try to use out-of-place "
        f"operators instead of {op}. If said operator is being called inside the PyTorch "
        "framework, please file a bug report instead."
    )


def unwrap(t: Tensor, level: Level, dim: int | None):
    """A result of the function as the caller sees it, with the batch at dimension `dim`."""
    physical, batched = level.inner(t)
    if dim is None:
        return physical
    if not batched:
        physical = batching.repeated(physical, level.size)
    if not -physical._spec.ndim <= dim < physical._spec.ndim:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [-{physical._spec.ndim}, "
            f"{physical._spec.ndim - 1}], but got {dim})"
        )
    return movedim(physical, 0, dim) if dim else physical
