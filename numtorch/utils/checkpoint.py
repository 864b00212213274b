"""Activation checkpointing: what backward needs is computed again instead of kept.

The reentrant form is a Function that runs `function` without recording, and once more, recording,
in its backward. The other form records as usual, under saved-tensor hooks that keep a `_Holder` in
place of each tensor. The first holder that a backward pass unpacks runs `function` again, under
hooks that collect what is saved now: tensor number i belongs to holder number i. A collected tensor
is dropped when it is unpacked, or at the latest with the end of the backward pass.
"""

import contextlib
import warnings
import weakref
from contextvars import ContextVar
from typing import Any

from .. import cuda
from ..autograd import Function, backward, enable_grad, no_grad
from ..autograd.engine import current
from ..autograd.grad_mode import is_grad_enabled
from ..autograd.graph import saved_tensors_hooks
from ..core import errors, random, saved
from ..core.device import device as make_device
from ..core.tensor import View, offset_of, wrap, wrap_view
from ..nn.modules.container import Sequential
from ..tensors import Tensor
from .selective_checkpoint import (
    SAC_IGNORED_OPS,
    CheckpointPolicy,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)
from .trace_ops import TracedOps

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "GraphExecGroup",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]

_debug_enabled: ContextVar[bool | None] = ContextVar("checkpoint debug", default=None)
_early_stop: ContextVar[bool | None] = ContextVar("checkpoint early stop", default=None)
_group: ContextVar["GraphExecGroup | None"] = ContextVar("graph exec group", default=None)

TIP = (
    "\nTip: To see a more detailed error message, either pass `debug=True` to\n"
    "`torch.utils.checkpoint.checkpoint(...)` or wrap the code block\n"
    "with `with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):` to\n"
    "enable checkpoint-debug mode globally.\n"
)
SUPPRESSED = (
    "torch.utils.checkpoint: the forward context provided by context_fn suppressed an exception "
    "raised during the checkpointed forward. This is not supported because checkpoint cannot "
    "return a value for a failed forward."
)


class CheckpointError(RuntimeError):
    """The recomputation is not the computation that it should repeat."""


class _StopRecomputationError(Exception):
    """All tensors that are wanted have been recomputed."""


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None):
    """In the block, `debug` of every checkpoint is `enabled`; None leaves it as it is given."""
    token = _debug_enabled.set(enabled)
    try:
        yield
    finally:
        _debug_enabled.reset(token)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool):
    """In the block, `early_stop` of every checkpoint is `enable`, also if backward runs later."""
    token = _early_stop.set(enable)
    try:
        yield
    finally:
        _early_stop.reset(token)


def noop_context_fn():
    """The default `context_fn`: two context managers that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


# -- random states ---------------------------------------------------------------------------------
class DefaultDeviceType:
    """The type of the devices whose random states are kept when no argument is on another device
    than the CPU.
    """

    _default_device_type: str | None = None

    @staticmethod
    def set_device_type(device: str = "cuda") -> None:
        """Choose the type."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type() -> str:
        """The chosen type, by default "cuda" where there is a GPU."""
        if DefaultDeviceType._default_device_type is None:
            DefaultDeviceType._default_device_type = "cuda" if cuda.is_available() else "cpu"
        return DefaultDeviceType._default_device_type


def _tensors(value):
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


def get_device_states(*args) -> tuple[list[int], list[Tensor]]:
    """The numbers of the GPUs that the arguments are on, and the states of their generators."""
    indices = [t.device.index or 0 for t in _tensors(args) if t.device.type == "cuda"]
    return indices, [random.default_for(make_device("cuda", i)).get_state() for i in indices]


def set_device_states(devices, states, *, device_type=None) -> None:
    """Set the states of GPUs' generators."""
    for index, state in zip(devices, states, strict=False):
        random.default_for(make_device("cuda", index)).set_state(state)


class _RandomStates:
    """The states of the generators when it was made; `restored()` has them again for a block."""

    def __init__(self, args) -> None:
        self.cpu = random.get_rng_state()
        self.devices, self.states = get_device_states(*args)

    @contextlib.contextmanager
    def restored(self):
        """As they were, until the block ends."""
        with random.fork_rng(devices=self.devices):
            random.set_rng_state(self.cpu)
            set_device_states(self.devices, self.states)
            yield


def _restored(states: _RandomStates | None):
    return contextlib.nullcontext() if states is None else states.restored()


# -- the reentrant form ----------------------------------------------------------------------------
def detach_variable(inputs: tuple) -> tuple:
    """The arguments, with tensors that have no history."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs
    )


def check_backward_validity(inputs) -> None:
    """Warn if no argument requires gradients."""
    if not any(x.requires_grad for x in inputs if isinstance(x, Tensor)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


class CheckpointFunction(Function):
    """A call that is recorded as one step, which runs it again in its derivative."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        """Run without recording, and keep the arguments."""
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.states = _RandomStates(args) if preserve_rng_state else None
        ctx.save_for_backward(*(x for x in args if isinstance(x, Tensor)))
        ctx.others = [None if isinstance(x, Tensor) else x for x in args]
        ctx.are_tensors = [isinstance(x, Tensor) for x in args]
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        """Run again, recording, and send the gradients through what was recorded."""
        task = current()
        if task is not None and task.active is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument."
            )
        kept = iter(ctx.saved_tensors)
        pairs = zip(ctx.others, ctx.are_tensors, strict=True)
        inputs = detach_variable(tuple(next(kept) if is_tensor else x for x, is_tensor in pairs))
        with _restored(ctx.states), enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        roots = [
            (out, g)
            for out, g in zip(outputs, grads, strict=True)
            if isinstance(out, Tensor) and out.requires_grad
        ]
        if not roots:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        backward([out for out, _ in roots], [g for _, g in roots])
        return None, None, *(x.grad if isinstance(x, Tensor) else None for x in inputs)


# -- the form on saved-tensor hooks ----------------------------------------------------------------
class _Holder:
    """What a node keeps in place of a tensor: its number among those that the call has saved."""

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number


class _Input:
    """An argument of a checkpointed call, kept as a node would keep it: by the hooks of the
    checkpoint around this one, if there is one.
    """

    def __init__(self, tensor: Tensor) -> None:
        pairs = saved.hooks.get()
        self.value: Any = saved.Packed(tensor, pairs[-1]) if pairs else tensor
        self.storage = None if pairs else tensor._storage
        self.version = None if self.storage is None else self.storage.version

    def get(self) -> Tensor:
        """The tensor; RuntimeError if it was changed in place."""
        if self.storage is None:
            return self.value.unpack(None)
        if self.storage.version != self.version:
            raise errors.modified_in_place(
                self, self.value._spec, self.storage.version, self.version, None
            )
        return self.value

    def name(self) -> str:
        """Who saved the tensor, for the error."""
        return "checkpoint"


class _Frame:
    """One checkpointed call: how to repeat it, and what it has saved.

    `recomputed`: for each backward pass, tensors by number; what was unpacked is gone.
    """

    def __init__(self, again, args, early_stop: bool, describe) -> None:
        self.again, self.early_stop, self.describe = again, early_stop, describe
        self.args = [_Input(x) if isinstance(x, Tensor) else x for x in args]
        self.holders: list[weakref.ref[_Holder]] = []
        self.descriptions: list = []
        self.recomputed: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        self.finished = False  # the first run
        self.partial = False  # the first run calls backward itself

    def pack(self, x: Tensor) -> _Holder:
        """The hook of the first run."""
        holder = _Holder(len(self.holders))
        self.holders.append(weakref.ref(holder))
        self.descriptions.append(self.describe(x))
        return holder

    def unpack(self, holder: _Holder) -> Tensor:
        """The tensor, from a repetition of the call for the present backward pass."""
        run: Any = _group.get() or current() or _Run()
        found = self.recomputed.get(run)
        if found is None:
            found = self.recomputed[run] = {}
            self._recompute(found)
        if holder.number not in found:
            overlap = (
                "Performing two backward calls that overlap (i.e. require the same saved "
                "activation in order to compute gradients) is not allowed while under the "
                "torch.utils.checkpoint.GraphExecGroup context. "
            )
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already "
                f"unpacked once. {overlap if _group.get() is not None else ''}If you are calling "
                "ctx.saved_tensors in backward, make sure to do so only once. Otherwise please "
                "open an issue with details on your use case."
            )
        return found.pop(holder.number)

    def _recompute(self, found: dict) -> None:
        args = [x.get() if isinstance(x, _Input) else x for x in self.args]
        collector = _Collector(self, found)
        hooks = saved_tensors_hooks(collector.pack, lambda x: x)
        with contextlib.suppress(_StopRecomputationError), hooks, enable_grad():
            self.again(*args)
        if not self.partial:
            self._check(found, collector.count)

    def _check(self, found: dict, count: int) -> None:
        if len(self.holders) != count:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.holders)}\n"
                f"Number of tensors saved during recomputation: {count}.\n{TIP}"
            )
        differences = "".join(
            f"tensor at position {number}:\nsaved metadata: {self.descriptions[number]}\n"
            f"recomputed metadata: {self.describe(x)}\n"
            for number, x in found.items()
            if self.descriptions[number] != self.describe(x)
        )
        if differences:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have "
                f"different metadata than during the forward pass.\n{differences}.\n{TIP}"
            )


def _without_history(x: Tensor) -> Tensor:
    """The tensor without its node. `detach()` would drop its tangent in forward mode, too."""
    if x._node is None:
        return x
    if getattr(x, "_view", None) is not None:
        return wrap_view(x._array, x._spec, x._storage, View(offset_of(x), None))
    bare = wrap(x._array, x._spec)
    bare._storage = x._storage
    return bare


class _Run:
    """Stands for the backward pass, where a tensor is unpacked outside of any."""


class _Collector:
    """The hook of a repetition: keeps what is saved, as long as somebody wants it."""

    def __init__(self, frame: _Frame, found: dict) -> None:
        self.frame, self.found, self.count = weakref.proxy(frame), found, 0

    def pack(self, x: Tensor) -> Tensor:
        """Keep a tensor; it is saved as it is, for a backward pass inside of the call."""
        frame, number = self.frame, self.count
        self.count += 1
        x = _without_history(x)
        if number >= len(frame.holders):
            if frame.finished:
                raise CheckpointError(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than "
                    f"during the original forward pass.\n{TIP}"
                )
            frame.partial = True
            return x
        if frame.holders[number]() is not None:
            self.found[number] = x
        if frame.early_stop and self.count == len(frame.holders):
            raise _StopRecomputationError
        return x


def _metadata(x: Tensor) -> dict:
    return {"shape": x.shape, "dtype": x.dtype, "device": x.device}


DETERMINISM_CHECKS = {"default": _metadata, "none": lambda _: None}


def _checkpoint(function, preserve, context_fn, determinism_check, debug, early_stop, args, kwargs):
    debug = debug if _debug_enabled.get() is None else _debug_enabled.get()
    traces = TracedOps(), TracedOps()
    if debug:
        if context_fn is not noop_context_fn:
            raise ValueError("debug=True is incompatible with non-default context_fn")
        forward_context: Any = traces[0]
        recompute_context: Any = traces[1]
    if determinism_check not in DETERMINISM_CHECKS:
        raise ValueError(
            f"determinism_check should be one of {list(DETERMINISM_CHECKS)}, but got "
            f"{determinism_check}"
        )
    if not debug:
        forward_context, recompute_context = context_fn()
    if not is_grad_enabled():
        return function(*args, **kwargs)
    states = _RandomStates(args) if preserve else None

    def again(*args) -> None:
        with _restored(states), recompute_context:
            function(*args, **kwargs)

    stop = early_stop if _early_stop.get() is None else _early_stop.get()
    frame = _Frame(again, args, bool(stop), DETERMINISM_CHECKS[determinism_check])

    def unpack(holder):
        try:
            return frame.unpack(holder)
        except CheckpointError as error:
            if debug:
                raise CheckpointError(_both(*traces)) from error
            raise

    with saved_tensors_hooks(frame.pack, unpack), forward_context:
        result = function(*args, **kwargs)
        frame.finished = True
    if not frame.finished:
        raise RuntimeError(SUPPRESSED)
    return result


def _both(forward: TracedOps, recomputation: TracedOps) -> str:
    """The error of `debug=True`: which ops ran, and where they were called."""
    return (
        "An error happened while unpacking tensors; dumping logs of latest computation because "
        "you passed `debug=True` to `torch.utils.checkpoint.checkpoint()`.\n\n"
        f"Stack traces of the operators that ran in the original forward:\n\n{forward.stacks()}\n"
        "Stack traces of the operators that ran during recomputation:\n\n"
        f"{recomputation.stacks()}\nOperations executed during the original forward:\n\n{forward}\n"
        f"\nOperations executed during recomputation:\n\n{recomputation}\n\n"
        "ERROR: Detected non-determinism while running activation checkpointing. The tensors that "
        "the original forward has saved differ from those that the recomputation has saved: "
        "compare the two lists of operators, and look for the first difference in the stack traces."
    )


def checkpoint(
    function,
    *args,
    use_reentrant: bool | None = None,
    context_fn=noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs,
):
    """`function(*args, **kwargs)`, whose intermediate results are computed again in backward.

    `use_reentrant`: False is recommended. It supports keyword arguments, `autograd.grad`, backward
    with `inputs`, double backward, nesting, and tensors in nested arguments; True runs the whole
    function without recording, and needs an argument that requires gradients.
    `preserve_rng_state`: repeat with the same random numbers. And only if not reentrant:
    `context_fn()` gives two context managers, around the call and around its repetition (see
    `create_selective_checkpoint_contexts`); `determinism_check` "default" compares shapes, dtypes
    and devices of what both runs save, "none" does not; `debug` has errors list the ops of both
    runs; `early_stop` ends the repetition when everything that was saved has been computed again.

    Raises CheckpointError in backward if the repetition saves other tensors.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an "
            "exception. use_reentrant=False is recommended, but if you need to preserve the "
            "current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    if not use_reentrant:
        return _checkpoint(
            function,
            preserve_rng_state,
            context_fn,
            determinism_check,
            debug,
            early_stop,
            args,
            kwargs,
        )
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug is not False:
        raise ValueError(
            "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
        )
    return CheckpointFunction.apply(function, preserve_rng_state, *args)


def checkpoint_sequential(
    functions, segments, input, use_reentrant=None, preserve_rng_state=True, **kwargs
):
    """Run functions (or the layers of a Sequential) one after another, in `segments` parts of which
    all but the last are checkpointed.
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be "
            "passed explicitly. In version 2.9 we will raise an exception if use_reentrant is not "
            "passed. use_reentrant=False is recommended, but if you need to preserve the current "
            "default behavior, you can pass use_reentrant=True. Refer to docs for more details on "
            "the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children() if isinstance(functions, Sequential) else functions)
    size = len(functions) // segments

    def run(start: int, end: int):
        def forward(x):
            for function in functions[start:end]:
                x = function(x)
            return x

        return forward

    done = 0
    for start in range(0, size * (segments - 1), size):
        done = start + size
        input = checkpoint(
            run(start, done),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
    return run(done, len(functions))(input)


class GraphExecGroup:
    """In the block, several backward passes share one repetition of each checkpointed call. They
    must not need the same saved tensor. Without effect on the reentrant form.
    """

    def __enter__(self) -> "GraphExecGroup":
        if _group.get() is not None:
            raise RuntimeError(
                f"GraphExecGroup contexts cannot be nested. Already inside group {_group.get()}"
            )
        self._token = _group.set(self)
        return self

    def __exit__(self, *exc) -> None:
        _group.reset(self._token)
