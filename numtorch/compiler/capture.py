"""Record the kernels that a function runs, and replay them.

An interpreter (core/interp.py) sees every op of the forward pass, of the engine's backward pass and
of the optimizer. It runs each as usual and keeps (kernel, arrays). A replay copies new inputs into
the recorded input's memory and calls the kernels in order: no dispatch, no tape, no allocation.
Memory is therefore fixed: results live in the recorded outputs, which the next replay overwrites,
and parameters and buffers are updated in place as when recording. Python numbers, shapes and
branches are those of the recording. It is what a CUDA graph is, on both devices.

This is the fallback of a compiler that fuses; it needs nothing from an op but its kernel, so every
op works.
"""

from ..backends import registry
from ..core import inplace, interp
from ..core.generate import number, record, saves_first, weak
from ..core.inplace import new_output
from ..core.op import OPS, Op
from ..core.tape import grad_mode
from ..core.tensor import Tensor, wrap


class _Recorder:
    """The interpreter: runs an op by its kernel and writes the call down."""

    def __init__(self) -> None:
        self.calls: list = []
        self.kept: list = []  # whatever a kernel reads must live as long as the recording

    def process(self, op: Op, tensors: tuple, attrs: tuple, target):
        """One op of the recorded function."""
        if op.is_view:
            return op.direct(tensors, attrs)
        self.kept.append((tensors, attrs))
        if isinstance(target, tuple):
            return self._update(op, tensors, target)
        if target is not None:
            return self._in_place(op, tensors, attrs, target)
        arrays, specs = self._operands(tensors)
        outs = op.infer(specs, attrs)
        many = isinstance(outs, tuple)
        made = [
            wrap(registry.memory(s.device).allocator(s)(), s) for s in (outs if many else (outs,))
        ]
        self._run(
            op.kernel(specs, attrs, tuple(t._spec for t in made)),
            [*arrays, *(t._array for t in made)],
        )
        self._tape(op, tensors, attrs, made)
        return tuple(made) if many else made[0]

    @staticmethod
    def _operands(tensors):
        arrays = [
            t._array if isinstance(t, Tensor) else None if t is None else number(t) for t in tensors
        ]
        specs = [
            t._spec if isinstance(t, Tensor) else None if t is None else weak(a)
            for t, a in zip(tensors, arrays, strict=True)
        ]
        return arrays, specs

    def _run(self, kernel, arrays) -> None:
        self.kept.append(arrays)
        self.calls.append((kernel, tuple(arrays)))
        kernel(*arrays)

    def _tape(self, op, tensors, attrs, made) -> None:
        nodes = [getattr(t, "_node", None) for t in tensors]
        if op.vjp == {} or not grad_mode.get() or all(n is None for n in nodes):
            return
        if op.vjp is None and not made[0]._spec.dtype.is_floating_point:
            return
        node = record(op, tensors, attrs, made[0] if len(made) == 1 else made, nodes)
        for k in op.differentiable:
            made[k]._node = node if op.differentiable == (0,) else new_output(node, k)

    def _in_place(self, op, tensors, attrs, target):
        if not op.aliasing:
            return self._replace(op, tensors, attrs, target)
        arrays, specs = self._operands(tensors)
        nodes = [getattr(t, "_node", None) for t in tensors]
        track = any(n is not None for n in nodes) and grad_mode.get()
        inplace.check(op, target, track, [t for t in tensors[1:] if t is not None])
        before = target
        if track and saves_first(op):
            before = self.process(OPS["copy_op"], (target,), (), None)
            before._node = target._node
        self._run(op.into_plans[(target._spec, *specs, *attrs)], [*arrays, target._array])
        target._storage.version += 1
        if track and op.vjp:
            inplace.finish(target, record(op, (before, *tensors[1:]), attrs, target, nodes))
        return target

    def _replace(self, op, tensors, attrs, target):
        """In place by way of a result: for kernels that cannot overwrite what they read."""
        result = self.process(op, tensors, attrs, None)
        op.check_target(result._spec, target._spec)
        inplace.check(op, target, result._node is not None, ())
        copy = OPS["copy_op"].kernel((result._spec,), (), (target._spec,))
        self._run(copy, [result._array, target._array])
        target._storage.version += 1
        if result._node is not None:
            inplace.finish(target, result._node)
        return target

    def _update(self, op, operands, targets) -> None:
        arrays, specs = self._operands(operands)
        run = op.update_plans[(len(targets), *[t._spec for t in targets], *specs)]
        self._run(run, [*arrays, *[t._array for t in targets]])
        for t in targets:
            t._storage.version += 1


class Recording:
    """The kernels of one call, in order."""

    def __init__(self, inputs, outputs, calls, kept) -> None:
        self.inputs, self.outputs, self.calls, self._kept = inputs, outputs, calls, kept

    def __len__(self) -> int:
        return len(self.calls)

    def replay(self, *inputs):
        """Run the kernels on new inputs of the recorded shapes and dtypes; gives the recorded
        outputs, overwritten.
        """
        if len(inputs) != len(self.inputs):
            raise TypeError(
                f"replay() takes {len(self.inputs)} tensors as recorded, but got {len(inputs)}"
            )
        for i, (mine, given) in enumerate(zip(self.inputs, inputs, strict=True)):
            a, b = mine._spec, given._spec
            if a.shape != b.shape or a.dtype is not b.dtype or a.device is not b.device:
                raise RuntimeError(
                    f"replay(): input {i} was recorded as {a.dtype}{list(a.shape)} on {a.device}, "
                    f"but got "
                    f"{b.dtype}{list(b.shape)} on {b.device}; capture the function again for "
                    f"other shapes"
                )
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.data.copy_(given.detach())
        for kernel, arrays in self.calls:
            kernel(*arrays)
        return self.outputs


def capture(function, *inputs) -> Recording:
    """Run `function(*inputs)` once and record its kernels. The inputs' values are copied: they are
    not changed.
    """
    own = [t.detach().clone().requires_grad_(t.requires_grad) for t in inputs]
    recorder = _Recorder()
    with interp.interpreting(recorder):
        outputs = function(*own)
    return Recording(own, outputs, recorder.calls, recorder.kept)
