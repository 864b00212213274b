"""How Python calls CPU kernels: what they accept, what they refuse, and that one thread and many,
this process and the next, run the same machine code.
"""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from numtorch.backends.cpu import entry
from numtorch.backends.cpu.jit import KERNELS, PARALLEL_WORK, Kernel, kernel, prange

compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="tests machine code")


@kernel(fastmath="sum")
def weighted(x, out, rows, n, factor, flag, extra):
    """out[r] = factor * sum(x[r]), negated if `flag`. One iteration owns one row."""
    for r in prange(rows):
        total = x.dtype.type(0)
        for j in range(n):
            total += x[r * n + j]
        if extra is not None:
            total += extra[r]
        out[r] = -total * factor if flag else total * factor


@kernel
def doubled(x, n):
    """x *= 2, in pairs. One iteration owns two elements."""
    for pair in prange(n // 2):
        for i in range(2 * pair, 2 * pair + 2):
            x[i] *= 2
    for i in range(n // 2 * 2, n):
        x[i] *= 2


@kernel
def last_of(x, out, n):
    for i in range(n):
        out[0] = x[i]


X = np.random.default_rng(0).standard_normal((1001, 257))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 1001])
def test_every_row_is_computed_once_in_one_thread_and_in_many(rows, dtype):
    x, results = X[:rows].astype(dtype), []
    for work in (0, PARALLEL_WORK):
        out = np.full(rows + 2, 5, dtype)
        run = weighted.compile(x, out, 1, 1, 1.0, True, x, work=work)
        assert run(x, out, rows, 257, 2.0, True, out * 0) is None
        results.append(out)
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0][:rows], -2 * x.sum(1), rtol=1e-4, atol=1e-4)
    assert (results[0][rows:] == 5).all()


@compiled
@pytest.mark.parametrize("work", [0, PARALLEL_WORK])
def test_what_is_no_number_is_refused(work):
    x, out = X.copy(), np.full(1001, 5.0)
    run = weighted.compile(x, out, 1, 1, 1.0, False, None, work=work)
    with pytest.raises(TypeError):
        run(x, out, 1001, "257", 1.0, False, None)
    with pytest.raises(TypeError):
        run(x, out, 1001.5, 257, 1.0, False, None)
    with pytest.raises(TypeError):
        run(x, out, 1001, 257, "1.0", False, None)
    with pytest.raises(OverflowError):
        run(x, out, 1001, 1 << 70, 1.0, False, None)
    with pytest.raises(TypeError, match="the kernel weighted: takes 7 arguments"):
        run(x, out, 1001, 257, 1.0, False)
    assert (out == 5).all()
    run(x, out, np.int64(1), -1, -1.0, False, None)  # -1 is also what C returns after an error
    assert out[0] == 0


@pytest.mark.parametrize("n", [0, 1, 2, 3, 9])
def test_the_remainder_is_done_once(n):
    x = np.ones(10)
    doubled.compile(x, 1, work=PARALLEL_WORK)(x, n)
    np.testing.assert_array_equal(x, [2] * n + [1] * (10 - n))


@compiled
def test_a_kernel_without_prange_never_divides_its_work():
    out = np.zeros(1)
    last_of.compile(X, out, 1, work=PARALLEL_WORK)(X, out, X.size)
    assert out[0] == X[-1, -1]


@compiled
def test_a_failed_allocation_is_a_memory_error():
    @kernel
    def scratch(out, rows, size):
        for r in prange(rows):
            memory = np.empty(size, np.float64)
            memory[0] = r
            out[r] = memory[0]

    out = np.zeros(4)
    for work in (0, PARALLEL_WORK):
        run = scratch.compile(out, 1, 1, work=work)
        run(out, 4, 10)
        np.testing.assert_array_equal(out, np.arange(4))
        with pytest.raises(MemoryError):
            run(out, 4, 1 << 58)


@compiled
def test_nothing_is_joined_across_iterations():
    def counted(x, out, n):
        total = 0
        for i in prange(n):
            total += x[i]
        out[0] = total

    with pytest.raises(TypeError, match=r"counted joins total across the iterations"):
        Kernel(counted).compile(X, X, 1)


def test_a_kernel_has_one_parallel_loop():
    def twice(x, out, n):
        for i in prange(n):
            out[i] = x[i]
        for i in prange(n):
            out[i] += x[i]

    def inside(x, out, n):
        if n > 1:
            for i in prange(n):
                out[i] = x[i]

    for function, count in ((twice, 2), (inside, 0)):
        with pytest.raises(TypeError, match=f"{function.__name__} has {count} loops over prange"):
            entry.divided(function)


def test_divided_keeps_closures_and_lines():
    shift, unused = 3.0, "not a part of it"

    def shifted(x, out, n):
        for i in prange(n):
            out[i] = x[i] + shift

    made = entry.divided(shifted)
    assert made.__code__.co_varnames[:5] == ("x", "out", "n", "first_share", "last_share")
    assert made.__code__.co_firstlineno == shifted.__code__.co_firstlineno
    out = np.zeros(8)
    made(np.arange(8.0), out, 8, entry.WHOLE // 4, entry.WHOLE)
    np.testing.assert_array_equal(out, [0, 0, 5, 6, 7, 8, 9, 10])
    assert entry.divided(last_of.py_func) is last_of.py_func and unused


def test_every_kernel_can_be_divided():
    for each in (k for k in KERNELS if k.py_func.__module__.startswith("numtorch")):
        assert (entry.divided(each.py_func) is not each.py_func) == each.parallel


BITS = """
import hashlib, numpy as np, numtorch as nt
from numtorch.nn import functional as F
rng = np.random.default_rng(0)
x = nt.from_numpy(rng.standard_normal((600, 1001), np.float32))
w = nt.from_numpy(rng.standard_normal(1001, np.float32))
y = nt.from_numpy(rng.integers(0, 1001, 600))
digest = set()
for threads in (1, 2):
    nt.set_num_threads(threads)
    made = []
    for f in (
        lambda x: x.softmax(1),
        lambda x: F.cross_entropy(x, y, label_smoothing=0.1),
        lambda x: F.layer_norm(x, (1001,), w, w),
        lambda x: F.batch_norm(x, None, None, w, w, True),
    ):
        leaf = x.clone().requires_grad_()
        out = f(leaf)
        out.backward(out.detach() + 0.37)
        made += [out.detach().numpy().tobytes(), leaf.grad.numpy().tobytes()]
    digest.add(hashlib.sha256(b"".join(made)).hexdigest())
print(*digest)
"""


@compiled
def test_the_same_bits_with_any_number_of_threads_and_in_every_process(tmp_path):
    """The first process compiles, the second loads."""
    environment = {**os.environ, "NUMTORCH_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", BITS],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert len(runs[0]) == 1 and runs[0] == runs[1]
