"""The profiler's times and bytes of a GPU, and the random numbers of a checkpointed call there."""

import functools
import json

import pytest

import numtorch
from numtorch.backends.cuda import compat
from numtorch.nn import functional as F
from numtorch.profiler import ProfilerActivity, profile
from numtorch.utils.checkpoint import checkpoint

pytestmark = pytest.mark.skipif(
    compat.MODE not in ("device", "simulator"), reason="needs a GPU or NUMBA_ENABLE_CUDASIM=1"
)


def test_times_and_bytes(tmp_path):
    x = numtorch.ones(2, 3, device="cuda")
    with profile(
        activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], profile_memory=True
    ) as p:
        2 - x.sin()
    assert [e.name for e in p.events() if e.name.startswith("aten::")] == ["aten::sin", "aten::sub"]
    assert all(len(e.kernels) == 1 for e in p.events() if e.name.startswith("aten::"))
    assert all(e.device_time_total > 0 for e in p.events() if e.kernels)
    assert p.events()[0].device_memory_usage == 24
    head = p.key_averages().table(sort_by="cuda_time_total").splitlines()[1]
    assert all(c in head for c in ("Self CUDA", "CUDA total", "CUDA Mem", "Self CUDA Mem"))
    p.export_chrome_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    kernels = [row["name"] for row in trace["traceEvents"] if row.get("cat") == "kernel"]
    assert kernels == ["aten::sin", "aten::sub"]


@pytest.mark.parametrize("reentrant", [False, True])
def test_random_numbers_of_a_checkpointed_call(reentrant):
    x = numtorch.ones(5, device="cuda", requires_grad=True)

    def gradient(run):
        numtorch.manual_seed(1)
        x.grad = None
        run(lambda a: F.dropout(a.sin(), 0.5) * a, x).sum().backward()
        return x.grad

    again = functools.partial(checkpoint, use_reentrant=reentrant)
    assert numtorch.equal(gradient(again), gradient(lambda f, x: f(x)))
