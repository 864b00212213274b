"""Selective checkpointing: a policy says for each op whether its result is kept or recomputed.

The ops of a policy have the names that the profiler shows ("aten::mm"). Two interpreters share a
store: the first runs the ops and keeps results, the second hands them out in the repetition. There
a kept result gets the history that the op would have recorded, so that both runs save the same.
Views and in-place operations always run again: they cost nothing, or change what is there. Inside
of vmap and of forward mode every op runs again, as its result is more than memory there.
"""

from collections import defaultdict
from collections.abc import Callable
from enum import Enum

from ..autograd.batched import Level
from ..autograd.forward_ad import Dual
from ..autograd.profiler_names import name_of
from ..core.generate import record
from ..core.inplace import new_output
from ..core.interp import Interpreter, dispatch, stack
from ..core.tape import grad_mode
from ..core.tensor import Tensor

SAC_IGNORED_OPS = {"aten::detach", "aten::alias"}
MISMATCH = (
    "This can happen if the operations in the checkpointed region are nondeterministic or depend "
    "on global state that changed between forward and backward."
)
_RECOMPUTE, _CONSUMED = object(), object()


class CheckpointPolicy(Enum):
    """What happens to an op's result. (The CPU_OFFLOAD policies recompute it, as in torch's eager
    mode.)
    """

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


SAVED = (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)


class SelectiveCheckpointContext:
    """What a policy learns about a call besides its arguments: `op_output`, and that it is not the
    repetition (policies are asked only once).
    """

    def __init__(self, *, is_recompute: bool, op_output=None) -> None:
        self.is_recompute, self.op_output = is_recompute, op_output


class _Store:
    """Results by the op's name and the number of the call."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[int, object]] = defaultdict(dict)


class _Counting(Interpreter):
    """Numbers the calls of each op, and hands them to `call(name, number, op, ...)`."""

    call: Callable

    def __init__(self, store: _Store) -> None:
        self.store = store

    def __enter__(self) -> "_Counting":
        self.counts: dict[str, int] = defaultdict(int)
        return super().__enter__()

    def process(self, op, tensors, attrs, target):
        """Run an op, or hand out its result."""
        name = name_of(op, tensors, target)
        if name in SAC_IGNORED_OPS or isinstance(target, tuple):
            return dispatch(op, tensors, attrs, target)
        number = self.counts[name]
        self.counts[name] += 1
        return self.call(name, number, op, tensors, attrs, target)


class _Caching(_Counting):
    """Runs the ops, and keeps the results that the policy wants to keep."""

    def __init__(self, policy, store: _Store) -> None:
        super().__init__(store)
        self.policy = policy

    def call(self, name, number, op, tensors, attrs, target):
        """Run an op and ask the policy."""
        out = dispatch(op, tensors, attrs, target)
        context = SelectiveCheckpointContext(is_recompute=False, op_output=out)
        policy = self.policy(context, name, *tensors, *attrs)
        keep = policy if isinstance(policy, bool) else policy in SAVED
        entry = _RECOMPUTE
        transformed = any(isinstance(i, (Dual, Level)) for i in stack())
        if keep and target is None and not op.is_view and not transformed:
            entry = [_Kept(t) for t in (out if isinstance(out, tuple) else (out,))]
        self.store.entries[name][number] = entry
        return out


class _Handing(_Counting):
    """Hands out kept results, and runs the other ops again."""

    def __init__(self, store: _Store, allow_mutation: bool) -> None:
        super().__init__(store)
        self.allow_mutation = allow_mutation

    def call(self, name, number, op, tensors, attrs, target):
        """Run an op, or give it the result that was kept."""
        entries = self.store.entries.get(name)
        if entries is None:
            raise RuntimeError(
                f"{name} encountered during backward but not found in storage. {MISMATCH}"
            )
        entry = entries.get(number)
        if entry is None:
            raise RuntimeError(
                f"{name} invocation index {number} encountered during backward but not found in "
                f"storage. {MISMATCH}"
            )
        if entry is _RECOMPUTE:
            return dispatch(op, tensors, attrs, target)
        if entry is _CONSUMED:
            raise RuntimeError(
                "Trying to backward an extra time. You are only allowed to backward once on any "
                "region computed under selective activation checkpoint."
            )
        entries[number] = _CONSUMED
        results = [kept.get(self.allow_mutation) for kept in entry]
        return dispatch(_Known(op, results), tensors, attrs, target)


class _Kept:
    """A result, and the version that it had."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()
        self.version = tensor._version

    def get(self, allow_mutation: bool) -> Tensor:
        """The result; RuntimeError if it was changed in place."""
        if not allow_mutation and self.tensor._version != self.version:
            raise RuntimeError(
                "Tensor cached during selective activation checkpoint has been mutated"
            )
        return self.tensor.detach()


class _Known:
    """An op whose results are known: other interpreters see the op; running it gives them."""

    def __init__(self, op, results: list[Tensor]) -> None:
        self.op, self.results = op, results

    def __getattr__(self, name: str):
        return getattr(self.op, name)

    def direct(self, tensors: tuple, attrs: tuple, target=None):
        """The results, with the history that the op records."""
        op, made = self.op, self.results
        nodes = [getattr(t, "_node", None) for t in tensors]
        records = op.vjp != {} and grad_mode.get() and any(n is not None for n in nodes)
        if records and (op.vjp is not None or made[0].dtype.is_floating_point):
            result = tuple(made) if op.many else made[0]
            node = record(op, tensors, attrs, result, nodes)
            for k in op.differentiable:
                made[k]._node = node if op.differentiable == (0,) else new_output(node, k)
        return tuple(made) if op.many else made[0]


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """For `checkpoint(..., context_fn=...)`: two context managers that keep some ops' results.

    `policy_fn_or_list`: a function of (SelectiveCheckpointContext, op, *args) that returns a
    CheckpointPolicy, or a list of ops whose results are kept. An op is given by the name that the
    profiler shows, as "aten::mm". `allow_cache_entry_mutation`: kept results may be changed in
    place, at one's own risk.

        save = functools.partial(create_selective_checkpoint_contexts, ["aten::linear"])
        out = checkpoint(block, x, use_reentrant=False, context_fn=save)
    """
    policy = policy_fn_or_list
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if not isinstance(op, str) or "::" not in op:
                raise ValueError(
                    f"Expected op in `op_list` to be the name of an op, such as 'aten::mm', but "
                    f"got: {op} of type {type(op)}"
                )

        def policy(context, op, *args):
            kept = op in policy_fn_or_list
            return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

    elif not callable(policy_fn_or_list):
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    store = _Store()
    return _Caching(policy, store), _Handing(store, allow_cache_entry_mutation)
