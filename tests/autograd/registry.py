# ruff: noqa: T201 (it prints a report)
"""What autograd must do with every differentiable op of the registry: checks, and programs to run
them on.

An op's program is the smallest sample (tests/samples) that reaches it, found by an interpreter that
sees the ops of a call; ops of derivatives are reached by the gradient of such a program, or the
gradient of that. `python -m tests.autograd.registry` prints how many ops pass each check, and which
are exempt.
"""

import functools
import sys
import time
import warnings

import numpy as np

import numtorch as nt
from numtorch import nn  # noqa: F401 (imports every room)
from numtorch.autograd import forward_ad, gradcheck, gradgradcheck
from numtorch.compiler import capture
from numtorch.core.interp import dispatch, interpreting
from numtorch.core.op import OPS
from numtorch.ops.pool import max_pool_gather
from numtorch.ops.reduce.extremes import take_at_op
from numtorch.utils.checkpoint import checkpoint
from tests.samples import build

# -- exemptions: (op, check) or op, why ------------------------------------------------------------
EXEMPT: dict = {
    "randperm_op": "has no input",
    "to_device_op": "needs a second device: tests/cuda",
    ("to_dtype_op", "first_order"): "rounds to float32, which finite differences see",
    ("to_dtype_op", "second_order"): "rounds to float32, which finite differences see",
}
EXEMPT |= {
    (op, check): "sees memory, and a sample's is laid out as the batch"
    for op in ("as_strided_op", "as_strided_scatter_op")
    for check in ("vmap_against_a_loop", "vmap_of_the_gradient")
}
RANDOM = (
    "bernoulli_op",
    "bernoulli_tensor_op",
    "cauchy_op",
    "exponential_op",
    "geometric_op",
    "integers_op",
    "log_normal_op",
    "normal_op",
    "uniform_op",
)
EXEMPT |= {(op, "captured"): "a replay draws other random numbers" for op in RANDOM}


# -- programs --------------------------------------------------------------------------------------
class Program:
    """A function of float64 tensors, and tensors to call it with."""

    def __init__(self, name: str, function, leaves, sample=None) -> None:
        self.name, self.leaves, self.sample = name, leaves, sample
        outs = function(*[t.detach().requires_grad_() for t in leaves])
        wanted = [t.requires_grad for t in outs]
        self.function = lambda *xs: tuple(
            t for t, w in zip(function(*xs), wanted, strict=True) if w
        )
        rng = np.random.default_rng(7)
        self.cotangents = [
            nt.from_numpy(rng.uniform(-1, 1, tuple(t.shape)))
            for t, w in zip(outs, wanted, strict=True)
            if w
        ]

    def fresh(self) -> list:
        """New leaves that require grad."""
        return [t.detach().clone().requires_grad_() for t in self.leaves]

    def gradient(self) -> "Program":
        """The program of this one's gradients, a function of the leaves and the cotangents."""
        count = len(self.leaves)

        def function(*xs):
            found = nt.func.vjp(self.function, *xs[:count])[1](tuple(xs[count:]))
            return found if isinstance(found, tuple) else (found,)

        leaves = [*self.leaves, *self.cotangents]
        return Program(f"gradient of {self.name}", function, leaves, self.sample)

    def reached(self) -> set:
        """The names of the ops that the function and its gradient call."""
        seen = Seen()
        with interpreting(seen):
            self.function(*self.fresh())
        return seen.names


class Seen:
    """An interpreter that writes down which ops are called."""

    def __init__(self) -> None:
        self.names: set = set()

    def process(self, op, tensors, attrs, target):
        self.names.add(op.name)
        return dispatch(op, tensors, attrs, target)


def of_sample(name: str, sample, case) -> Program | None:
    """The program of one sample; None where nothing can be differentiated."""
    args, kwargs = build.arrays(case, "float64")
    args, kwargs = (build.convert(v, lambda a: nt.from_numpy(a.copy())) for v in (args, kwargs))
    every = build.tensors_in((args, kwargs), nt.Tensor)
    wanted = build.wants_grad(case)
    leaves = [t for t, g in zip(every, wanted, strict=True) if g and t.is_floating_point()]

    def function(*given):
        table = {id(t): g for t, g in zip(leaves, given, strict=True)}
        swap = lambda t: table.get(id(t), t)  # noqa: E731
        a, k = (build.convert(v, swap, nt.Tensor) for v in (args, kwargs))
        nt.manual_seed(3)
        return build.tensors_in(build.find(nt, sample.name)(*a, **k), nt.Tensor)

    program = Program(name, function, leaves, sample) if leaves else None
    return program if program and program.cotangents else None


def _filled(method: str, *arguments):
    """A function with random numbers written over a result: the derivative ends there."""
    return lambda x: (getattr(x * 2, method)(*arguments) * x,)


EXTRA = {  # for ops that no sample reaches, or only samples that vmap refuses
    **{
        f"{name}_op": (f"Tensor.{method}", _filled(method, *arguments), (2, 3))
        for name, method, *arguments in (
            ("bernoulli", "bernoulli_", 0.4),
            ("cauchy", "cauchy_"),
            ("exponential", "exponential_"),
            ("geometric", "geometric_", 0.4),
            ("integers", "random_", 9),
            ("log_normal", "log_normal_"),
            ("normal", "normal_"),
            ("uniform", "uniform_"),
        )
    },
    "bernoulli_tensor_op": (
        "Tensor.bernoulli_",
        lambda x: ((x * 2).bernoulli_(x.sigmoid()) * x,),
        (2, 3),
    ),
    "div_floor": ("div", lambda x: (x.div(x * x + 0.3, rounding_mode="floor") * x,), (2, 3)),
    "div_trunc": ("div", lambda x: (x.div(x * x + 0.3, rounding_mode="trunc") * x,), (2, 3)),
    "heaviside": ("heaviside", lambda x: (x.heaviside(x * x) * x,), (2, 3)),
    "_overwrite_op": ("copy_", lambda x: ((x * 2).copy_(x * x),), (2, 3)),
    "to_dtype_op": ("Tensor.to", lambda x: (x.float().double() * x,), (2, 3)),
    "take_at_op": (
        "take_at_op",
        lambda x: (take_at_op(x, nt.tensor([1, 0]), 1, False),),
        (2, 3),
    ),
    "max_pool_gather": (
        "max_pool_gather",
        lambda x: (max_pool_gather(x, nt.tensor([[[[1, 4]]]]), (2, 3)),),
        (1, 1, 2, 3),
    ),
}


def differentiable() -> list:
    """The ops that have a derivative."""
    return sorted(n for n, op in OPS.items() if op.vjp != {})


def _seeded(function):
    def run(*xs):
        nt.manual_seed(3)
        return function(*xs)

    return run


@functools.cache
def programs() -> dict:
    """The program of each differentiable op that a sample reaches."""
    found: dict = {}
    wanted = set(differentiable())
    cases = [
        (name, s, c) for name, s, c, _ in build.cases(build.all_samples(), ("float64",)) if s.grad
    ]
    cases.sort(key=lambda entry: _size(entry[2]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = []
        for op, (name, function, shape) in EXTRA.items():
            values = np.random.default_rng(1).uniform(-1, 1, shape)
            found[op] = Program(name, _seeded(function), [nt.from_numpy(values)])
        dynamic, others = [], []
        for name, sample, case in cases:
            program = of_sample(name, sample, case)
            if program is not None and "count_true_op" in program.reached():
                dynamic.append(program)
            elif program is not None:
                (made if _take(found, wanted, program) else others).append(program)
        made += [p for p in dynamic if _take(found, wanted, p)]
        for _ in range(2):  # ops of first and second derivatives
            made = [p.gradient() for p in made]
            for program in made:
                _take(found, wanted, program)
        rooms = {OPS[n].module for n in wanted - found.keys() - EXEMPT.keys()}
        for program in others:  # ops of derivatives with some arguments only
            if rooms & {OPS[n].module for n in program.reached()}:
                _take(found, wanted, program.gradient())
    return found


def _size(case) -> tuple:
    """Small samples first, but none of nothing or of a single number."""
    sizes = [int(np.prod(a.shape)) for a in _specs((case.args, case.kwargs))]
    total = sum(sizes)
    return (total < 4 or 0 in sizes or total > 400, total)


def _specs(value) -> list:
    if hasattr(value, "distinct"):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value for t in _specs(v)] if isinstance(value, (tuple, list)) else []


def _take(found: dict, wanted: set, program: Program) -> bool:
    new = [n for n in program.reached() & wanted if n not in found]
    for n in new:
        found[n] = program
    return bool(new)


# -- checks ----------------------------------------------------------------------------------------
def close(a, b, rtol=1e-7) -> bool:
    """Whether two tensors (or None) agree."""
    if a is None or b is None:
        t = b if a is None else a
        return t is None or bool((t == 0).all())
    if a.shape != b.shape:
        return False
    scale = float(b.detach().abs().max()) if b.numel() else 0.0
    return bool(a.detach().allclose(b.detach(), rtol, 1e-9 * max(1.0, scale), equal_nan=True))


def gradients(program: Program, function=None) -> list:
    """The outputs and the gradients of the leaves."""
    leaves = program.fresh()
    outs = (function or program.function)(*leaves)
    grads = nt.autograd.grad(outs, leaves, program.cotangents, allow_unused=True)
    return [*outs, *grads]


def same(program: Program, function) -> bool:
    """Whether a variant of the program's function gives the same outputs and gradients."""
    return all(map(close, gradients(program, function), gradients(program)))


def first_order(program: Program) -> bool:
    """gradcheck in both modes, also of several derivatives at once."""
    forward = program.sample is None or program.sample.forward_ad
    draws = any("generator" in OPS[n].attrs for n in program.reached())  # vmap refuses it
    return gradcheck(
        program.function,
        program.fresh(),
        fast_mode=True,
        check_forward_ad=forward,
        check_grad_dtypes=True,
        check_batched_grad=True,
        check_batched_forward_grad=forward and not draws,
    )


def second_order(program: Program) -> bool:
    """gradgradcheck."""
    return gradgradcheck(program.function, program.fresh(), fast_mode=True)


def jvp_against_vjp(program: Program) -> bool:
    """<jvp(t), u> == <t, vjp(u)>."""
    rng = np.random.default_rng(5)
    tangents = [nt.from_numpy(rng.uniform(-1, 1, tuple(x.shape))) for x in program.leaves]
    pulled = gradients(program)[len(program.cotangents) :]
    with forward_ad.dual_level():
        duals = [
            forward_ad.make_dual(x.detach(), t)
            for x, t in zip(program.leaves, tangents, strict=True)
        ]
        pushed = [forward_ad.unpack_dual(t).tangent for t in program.function(*duals)]
    left = sum(
        float((t * u).sum())
        for t, u in zip(pushed, program.cotangents, strict=True)
        if t is not None
    )
    right = sum(
        float((t * g).sum()) for t, g in zip(tangents, pulled, strict=True) if g is not None
    )
    return abs(left - right) <= 1e-9 + 1e-7 * abs(right)


def _choices(program: Program):
    """Which dimension of each leaf is mapped over: each leaf alone, and all of them."""
    rng = np.random.default_rng(len(program.name))
    dims = [int(rng.integers(0, x.dim() + 1)) for x in program.leaves]
    alone = [tuple(d if i == k else None for i, d in enumerate(dims)) for k in range(len(dims))]
    return {tuple(dims): None, **dict.fromkeys(alone[:6])}


def _mapped(function, program: Program) -> bool:
    for dims in _choices(program):
        pairs = [
            (x, x.flip(0) if x.dim() and d is not None else x)
            for x, d in zip(program.leaves, dims, strict=True)
        ]
        batches = [
            pair[0] if d is None else nt.stack(pair, d) for pair, d in zip(pairs, dims, strict=True)
        ]
        got = nt.func.vmap(function, dims, randomness="same")(*batches)
        found = [function(*sample) for sample in zip(*pairs, strict=True)]
        want = [nt.stack(column) for column in zip(*found, strict=True)]
        if not all(map(close, got, want)):
            return False
    return True


def vmap_against_a_loop(program: Program) -> bool:
    """vmap along some dimension of some inputs."""
    return _mapped(program.function, program)


def vmap_of_the_gradient(program: Program) -> bool:
    """vmap of the vjp."""
    gradient = program.gradient()
    return _mapped(gradient.function, gradient)


def checkpointed(program: Program) -> bool:
    """utils.checkpoint."""
    return same(program, lambda *xs: checkpoint(program.function, *xs, use_reentrant=False))


def with_anomaly_mode(program: Program) -> bool:
    """Gradients while anomalies are looked for."""
    with nt.autograd.detect_anomaly():
        found = gradients(program)
    return all(map(close, found, gradients(program)))


def with_saved_tensors_hooks(program: Program) -> bool:
    """What is saved goes through NumPy and back."""

    def function(*xs):
        with nt.autograd.graph.saved_tensors_hooks(
            lambda t: t.detach().numpy().copy(), nt.from_numpy
        ):
            return program.function(*xs)

    return same(program, function)


def captured(program: Program) -> bool:
    """Outputs and gradients recorded, and replayed on other values."""

    def function(*xs):
        return [t for t in _with_gradients(program, xs) if t is not None]

    others = [x.flip(0) if x.dim() else x for x in program.leaves]
    recording = capture(function, *program.fresh())
    got = recording.replay(*others)
    want = function(*[x.detach().clone().requires_grad_() for x in others])
    return all(map(close, got, want))


def _with_gradients(program: Program, xs):
    outs = program.function(*xs)
    return *outs, *nt.autograd.grad(outs, xs, program.cotangents, allow_unused=True)


CHECKS = {
    f.__name__: f
    for f in (
        first_order,
        second_order,
        jvp_against_vjp,
        vmap_against_a_loop,
        vmap_of_the_gradient,
        checkpointed,
        with_anomaly_mode,
        with_saved_tensors_hooks,
        captured,
    )
}


def exemption(op: str, check: str) -> str:
    """Why an op does not take a check; empty if it does."""
    return EXEMPT.get((op, check)) or EXEMPT.get(op, "")


def passes(op: str, check: str) -> bool:
    """Whether an op passes a check."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CHECKS[check](programs()[op])


def main() -> int:
    """Run everything and print how many ops pass each check."""
    ops, failures = differentiable(), []
    print(f"{len(OPS)} ops, {len(ops)} of them differentiable")
    for check in CHECKS:
        begin, good, exempt = time.perf_counter(), 0, 0
        for op in ops:
            if exemption(op, check):
                exempt += 1
                continue
            try:
                fine = passes(op, check)
                why = "differs"
            except Exception as error:  # noqa: BLE001 (reported below)
                fine, why = False, f"{type(error).__name__}: {error}"
            good += fine
            if not fine:
                failures.append(
                    f"{op} {check} ({programs()[op].name if op in programs() else ''}): {why}"
                )
        seconds = time.perf_counter() - begin
        print(f"{check:26} {good:4} pass, {exempt} exempt, {seconds:.1f} s")
    for key, reason in EXEMPT.items():
        print(f"exempt: {key}: {reason}")
    print("\n".join(failures))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
