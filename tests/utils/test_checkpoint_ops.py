"""Every differentiable sample, checkpointed and in a profile, gives what it gives by itself."""

import functools

import numpy as np

import numtorch
from numtorch.autograd import profiler
from numtorch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts
from tests.test_ops import differentiable, parametrize, tensor


def save(context, op, *args):
    """A policy: keep all but copies, which some functions make to change them in place."""
    return op not in ("aten::clone", "aten::contiguous")


SAVED = functools.partial(create_selective_checkpoint_contexts, save)
FORMS = {
    "checkpointed": functools.partial(checkpoint, use_reentrant=False),
    "saved": functools.partial(checkpoint, use_reentrant=False, context_fn=SAVED),
}


def results(function, leaves):
    """Outputs and gradients, for cotangents that are the same each time."""
    rng = np.random.default_rng(5)
    numtorch.manual_seed(0)
    for leaf in leaves:
        leaf.grad = None
    outs = function(*leaves)
    numtorch.autograd.backward(outs, [tensor(rng.uniform(-1, 1, tuple(o.shape))) for o in outs])
    return [None if t is None else t.detach().numpy() for t in (*outs, *(x.grad for x in leaves))]


def check(got, plain, form):
    assert len(got) == len(plain), form
    for a, b in zip(got, plain, strict=True):
        assert a is b is None or np.array_equal(a, b, equal_nan=True), form


@parametrize(lambda s: s.grad, ("float64",))
def test_sample(sample, case, dtype):
    function, leaves = differentiable(sample, case)
    plain = results(function, leaves)
    for form, checkpointed in FORMS.items():
        check(results(functools.partial(checkpointed, function), leaves), plain, form)
    with profiler.profile(profile_memory=True, with_flops=True) as prof:
        got = results(function, leaves)
    check(got, plain, "profiled")
    derivatives = [event for event in prof.function_events if event.scope == 1]
    assert derivatives
    assert all(event.cpu_parent.name.endswith(event.name) for event in derivatives)
