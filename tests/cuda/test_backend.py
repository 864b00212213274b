"""The CUDA backend with the kernels below: on a GPU, in the simulator, or compiled only.

pytest tests/cuda/test_backend.py              # without a GPU: this file in both other modes
NUMBA_ENABLE_CUDASIM=1 pytest tests/cuda       # in the simulator, every sample of every room
NUMTORCH_CUDA=ptx pytest tests/cuda            # every kernel compiled for sm_90 (needs numba-cuda)
"""

import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest

import numtorch.backends.registry  # noqa: F401 (gives numtorch.core its devices)
from numtorch import cuda as api
from numtorch.backends.cuda import compat, memory
from numtorch.backends.cuda.jit import THREADS, cuda, grid, inline, kernel
from numtorch.core import dtype as dtypes
from numtorch.core.device import device
from numtorch.core.spec import Spec


# -- kernels as a room's cuda.py has them ----------------------------------------------------
@inline
def at_least(x, low):
    """max(x, low), which keeps a NaN."""
    return x if x > low or x != x else low


@kernel
def affine_relu(x, weight, bias, out, n, scale):
    """out = relu(x * weight + bias) * scale. One thread owns every gridsize-th element."""
    T = x.dtype.type
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        value = x[i] * weight[i]
        if bias is not None:
            value += bias[i]
        out[i] = at_least(value, T(0)) * T(scale)


@kernel
def block_sums(x, out, n):
    """out[b] = the sum of block b's elements, a tree in shared memory. A block owns THREADS."""
    parts = cuda.shared.array(THREADS, x.dtype)
    thread = cuda.threadIdx.x
    i = cuda.grid(1)
    parts[thread] = x[i] if i < n else x.dtype.type(0)
    half = THREADS // 2
    while half:
        cuda.syncthreads()
        if thread < half:
            parts[thread] += parts[thread + half]
        half //= 2
    if thread == 0:
        out[cuda.blockIdx.x] = parts[0]


@kernel
def poles(x, out, n):
    """out = exp(x) / log(x): infinities and NaN instead of Python's exceptions."""
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):
        out[i] = math.exp(x[i]) / math.log(x[i])


def affine_relu_op(input, weight, bias, out, *, scale):
    """Specs in, a function of flat arrays out."""
    n = input.numel
    launch = affine_relu.compile(input, weight, bias, out, n, scale)[grid(n)]
    return lambda x, w, b, y: launch(x, w, b, y, n, scale)


# -- tests -------------------------------------------------------------------------------------
here = pytest.mark.skipif(
    compat.MODE == "none", reason="needs a GPU, the simulator or the dry mode"
)
dry = pytest.mark.skipif(compat.MODE != "ptx", reason="needs NUMTORCH_CUDA=ptx")
checked = pytest.mark.skipif(
    compat.MODE not in ("simulator", "ptx"), reason="needs a mode that checks"
)
bare = pytest.mark.skipif(compat.MODE != "none", reason="for machines without a GPU")
CUDA = device("cuda", 0)


def computes() -> bool:
    return compat.MODE in ("device", "simulator")


def spec(shape, dtype=dtypes.float32, strides=None) -> Spec:
    return Spec.of(shape, dtype, CUDA, strides)


def equal(array, s: Spec, expected, **tolerance) -> None:
    """Compare numbers where there are any; shape and dtype in the dry mode."""
    got = memory.to_numpy(array, s)
    assert got.shape == tuple(s.shape) and got.dtype == s.dtype.np
    if computes():
        np.testing.assert_allclose(got, expected, **tolerance)


@here
@pytest.mark.parametrize("dtype", [dtypes.float32, dtypes.float64])
@pytest.mark.parametrize("biased", [True, False])
def test_kernel_with_optional_argument(dtype, biased):
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((3, 37)).astype(dtype.np)
    x[3] = np.nan
    s = spec((37,), dtype)
    arrays = [memory.from_numpy(a, s) for a in (x, w)] + [
        memory.from_numpy(b, s) if biased else None
    ]
    out = memory.empty(s)
    run = affine_relu_op(s, s, s if biased else None, s, scale=2.0)
    run(*arrays, out)
    equal(out, s, np.maximum(x * w + (b if biased else 0), 0) * 2, rtol=1e-5)


@here
@pytest.mark.parametrize("n", [1, 7, 8, 9, 50])
def test_shared_memory(n):
    blocks = -(-n // THREADS)
    s, sums = spec((n,)), spec((blocks,))
    x, out = memory.from_numpy(np.arange(n, dtype=np.float32), s), memory.empty(sums)
    block_sums.compile(s, sums, n)[blocks, THREADS](x, out, n)
    padded = np.zeros(blocks * THREADS)
    padded[:n] = np.arange(n)
    equal(out, sums, padded.reshape(blocks, -1).sum(1))


@here
def test_poles_give_inf_and_nan():
    s = spec((6,))
    values = np.array([-1, 0, 1, 1000, np.nan, np.inf], np.float32)
    x, out = memory.from_numpy(values, s), memory.empty(s)
    poles.compile(s, s, 6)[grid(6)](x, out, 6)
    with np.errstate(all="ignore"):
        equal(out, s, np.exp(values) / np.log(values))


@here
def test_views_and_layouts():
    root = spec((4, 3))
    x = memory.from_numpy(np.arange(12, dtype=np.float32).reshape(4, 3), root)
    columns = spec((3, 2), strides=(1, 3))
    tail = memory.view(x, columns, 6)
    assert np.array_equal(memory.to_numpy(tail, columns), np.arange(6, 12).reshape(2, 3).T)
    bits = spec((3,), dtypes.int32)
    assert np.array_equal(memory.to_numpy(memory.view(x, bits, 9), bits),
                          np.arange(9, 12, dtype=np.float32).view(np.int32))  # fmt: skip
    laid_out = memory.from_numpy(np.arange(6).reshape(3, 2).astype(np.float32), columns)
    assert np.array_equal(memory.to_numpy(laid_out, columns), np.arange(6).reshape(3, 2))
    empty = spec((0, 3))
    assert memory.to_numpy(memory.empty(empty), empty).shape == (0, 3)


@here
def test_bool_arrays_and_copies():
    s = spec((4,), dtypes.bool_)
    x = memory.from_numpy(np.array([True, False, True, True]), s)
    y = memory.empty(s)
    memory.copy(x, y, 3)
    assert list(memory.to_numpy(y, s)[:3]) == [True, False, True]
    assert memory.pointer(x) != memory.pointer(y)


@here
def test_allocated_memory_is_counted():
    before = memory.allocated()
    memory.peak(reset=True)
    x = memory.empty(spec((1000,)))
    assert memory.allocated() - before == 4000
    del x
    assert memory.allocated() == before
    assert memory.peak() == before + 4000


@checked
def test_launches_that_a_gpu_refuses():
    s = spec((4,))
    x = memory.empty(s)
    compiled = poles.compile(s, s, 4)
    with pytest.raises(ValueError, match="poles: a GPU cannot launch 0 blocks"):
        compiled[0, 8]
    with pytest.raises(ValueError, match="blocks of \\(64, 32\\) threads"):
        compiled[1, (64, 32)]
    with pytest.raises(TypeError, match="takes 3 arguments, but 2 were given"):
        compiled[1, 8](x, x)
    with pytest.raises(
        TypeError, match=r"argument 1 was compiled as .*float32.*, but is .*float64"
    ):
        compiled[1, 8](x, memory.empty(spec((4,), dtypes.float64)), 4)
    with pytest.raises(TypeError, match="argument 2 was compiled as int64, but is float64"):
        compiled[1, 8](x, x, 4.0)
    with pytest.raises(TypeError, match="poles\\(x, out, n\\) cannot take 1 arguments"):
        poles.compile(s)


@dry
def test_ptx_assembles_without_spills():
    ptxas = pytest.importorskip("numtorch.backends.cuda.ptxas")
    s = spec((64,))
    usage = ptxas.report(block_sums.compile(s, s, 64).ptx)
    assert usage.spills == usage.stack == 0
    assert 0 < usage.registers <= 64
    assert usage.shared >= 4 * THREADS
    assert ptxas.doubles(affine_relu.compile(s, s, None, s, 64, 2.0).ptx) == []
    assert "mul.f64" in ptxas.doubles("mul.f64 %fd1, %fd2, %fd3;")[0]


@dry
def test_assembler_errors_are_shown():
    ptxas = pytest.importorskip("numtorch.backends.cuda.ptxas")
    s = spec((64,))
    with pytest.raises(RuntimeError, match=r"Unknown modifier '\.q32'"):
        ptxas.report(poles.compile(s, s, 64).ptx.replace("add.s64", "add.q32"))


@here
def test_public_functions():
    assert api.is_available() and api.device_count() >= 1 and api.current_device() == 0
    assert api.get_device_name() == api.get_device_properties("cuda:0").name
    assert api.get_device_capability(0) >= (5, 0)
    assert api.get_arch_list()
    with api.device(0):
        api.synchronize()
    start, end = api.Event(enable_timing=True), api.Event(enable_timing=True)
    start.record()
    end.record()
    end.synchronize()
    assert start.elapsed_time(end) >= 0
    with api.stream(api.Stream()):
        api.current_stream().wait_stream(api.default_stream())
    free, total = api.mem_get_info()
    assert 0 < free <= total
    assert api.max_memory_allocated() >= api.memory_allocated() >= 0
    with pytest.raises(RuntimeError, match="invalid device ordinal: cuda:99"):
        api.synchronize(99)
    with pytest.raises(ValueError, match="Expected a cuda device, but got: cpu"):
        api.synchronize("cpu")
    with pytest.raises(ValueError, match="enable_timing=True"):
        api.Event().elapsed_time(end)


@here
def test_seeds():
    api.manual_seed(7)
    assert api.initial_seed() == 7
    states = api.get_rng_state_all()
    api.manual_seed_all(8)
    assert api.initial_seed() == 8
    api.set_rng_state_all(states)
    assert api.initial_seed() == 7
    api.seed_all()
    api.seed()


@bare
def test_without_a_gpu():
    api.manual_seed(3)
    assert not api.is_available() and api.device_count() == 0
    assert api.memory_allocated() == api.max_memory_allocated() == 0
    api.empty_cache()
    uses = [api.current_device, api.synchronize, api.init, api.get_device_name, api.Event]
    uses += [lambda: memory.empty(spec((2,))), lambda: poles.compile(spec(()), spec(()), 1)]
    for use in uses:
        with pytest.raises(RuntimeError, match=r"No CUDA GPUs are available.*numtorch\[cuda\]"):
            use()


@bare
@pytest.mark.parametrize("name, value", [("NUMBA_ENABLE_CUDASIM", "1"), ("NUMTORCH_CUDA", "ptx")])
def test_modes_in_a_process_of_their_own(name, value):
    if value == "ptx" and importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("compiling needs numba-cuda")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        __file__,
    ]
    done = subprocess.run(command, env=os.environ | {name: value}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]


@bare
def test_importing_the_public_module_imports_no_numba():
    code = "import sys, numtorch.cuda; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
