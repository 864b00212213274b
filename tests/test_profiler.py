"""The profiler: events and how they nest, tables as torch prints them, schedules, traces."""

import gzip
import importlib
import json
import re
import threading
import warnings

import pytest

import numtorch
from numtorch import nn
from numtorch.autograd import profiler, profiler_util
from numtorch.autograd.profiler_names import name_of
from numtorch.backends.cpu.jit import kernel
from numtorch.core.interp import runtime
from numtorch.core.op import OPS
from numtorch.core.profiling import recorder
from numtorch.profiler import ProfilerAction, ProfilerActivity, profile, record_function
from numtorch.utils.data import DataLoader, TensorDataset

CPU = [ProfilerActivity.CPU]
EVALUATE = "autograd::engine::evaluate_function: "


def names(prof):
    return [event.name for event in prof.events() if not event.name.startswith("numba::")]


def named(prof, name):
    return next(event for event in prof.events() if event.name == name)


@pytest.fixture(scope="module")
def step():
    """A training step's profile, with everything recorded, and what was trained."""
    numtorch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    optimizer = numtorch.optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(numtorch.rand(5, 8), numtorch.tensor([0, 1, 2, 3, 0]))
    options = {"record_shapes": True, "profile_memory": True, "with_flops": True}
    with profile(activities=CPU, with_stack=True, **options) as prof:
        for x, y in DataLoader(data, batch_size=5):
            with record_function("forward"):
                loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return prof


def test_names_and_nesting(step):
    parents = {e.name: e.cpu_parent and e.cpu_parent.name for e in step.events()}
    assert parents["aten::linear"] == parents["aten::cross_entropy_loss"] == "forward"
    assert parents["ReluBackward0"] == EVALUATE + "ReluBackward0"
    assert parents["aten::threshold_backward"] == "ReluBackward0"
    assert parents[EVALUATE + "ReluBackward0"] is parents["forward"] is None
    assert (
        parents["torch::autograd::AccumulateGrad"] == EVALUATE + "torch::autograd::AccumulateGrad"
    )
    assert parents["numtorch::sgd_update"] == "Optimizer.step#SGD.step"
    assert "Optimizer.zero_grad#SGD.zero_grad" in parents
    assert parents["aten::stack"] == "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
    counts = {e.key: e.count for e in step.key_averages()}
    assert counts["aten::linear"] == 2
    assert counts["torch::autograd::AccumulateGrad"] == 4


def test_children_are_inside_and_self_times_add_up(step):
    for event in step.events():
        span, parent = event.time_range, event.cpu_parent
        assert span.start <= span.end
        if parent is not None:
            assert event in parent.cpu_children
            assert parent.time_range.start <= span.start <= span.end <= parent.time_range.end
        assert event.self_cpu_time_total >= 0
    top = sum(e.cpu_time_total for e in step.events() if e.cpu_parent is None)
    assert step.events().self_cpu_time_total == pytest.approx(top)
    total = step.profiler.total_average()
    assert (total.key, total.count) == ("Total", len(step.events()))


def test_shapes_flops_memory_and_scope(step):
    linear, backward = named(step, "aten::linear"), named(step, "ReluBackward0")
    assert linear.input_shapes == [[5, 8], [16, 8], [16]]
    assert linear.flops == 2 * 5 * 8 * 16
    assert linear.cpu_memory_usage == 5 * 16 * 4
    assert backward.input_shapes == [[5, 16]]
    assert (backward.scope, linear.scope, named(step, "forward").scope) == (1, 0, 7)
    assert named(step, "Optimizer.zero_grad#SGD.zero_grad").cpu_memory_usage == -4 * (5 * 68 - 128)
    shaped = step.key_averages(group_by_input_shape=True)
    assert [e.count for e in shaped if e.key == "aten::linear"] == [1, 1]


def test_derivatives_belong_to_their_op(step):
    relu, backward = named(step, "aten::relu"), named(step, "ReluBackward0")
    assert relu.sequence_nr == backward.sequence_nr > 0
    assert backward.fwd_thread == relu.thread == 1
    assert backward.stack == relu.stack
    assert any(re.search(r"test_profiler\.py\(\d+\): step$", entry) for entry in relu.stack)


class Square(numtorch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


def test_functions_are_events():
    x = numtorch.ones(3, requires_grad=True)
    with profile(activities=CPU, record_shapes=True) as prof:
        Square.apply(x).sum().backward()
    forward, backward = named(prof, "Square"), named(prof, "SquareBackward")
    assert forward.sequence_nr == backward.sequence_nr > 0
    assert forward.input_shapes == backward.input_shapes == [[3]]
    assert named(prof, "aten::mul").cpu_parent is forward


def test_memory_that_is_freed():
    with profile(activities=CPU, profile_memory=True) as prof:
        x = numtorch.ones(1000).sin()
        with record_function("block"):
            numtorch.sin(x)
        del x
    assert named(prof, "block").cpu_memory_usage == 0
    assert named(prof, "aten::sin").cpu_memory_usage == 4000
    assert named(prof, "[memory]").cpu_memory_usage == -4000


def test_compilation_is_shown_as_such():
    @kernel
    def double(x, n):
        """x += x. One iteration owns an element."""
        for i in range(n):
            x[i] += x[i]

    x = numtorch.ones(4)
    with profile(activities=CPU) as prof:
        double.compile(x._spec, 4)
        double.compile(x._spec, 4)
    assert len(prof.events()) == 1
    assert prof.events()[0].name in ("numba::compile double", "numba::load double")


def test_record_function_is_a_decorator():
    @record_function("work")
    def work(n):
        return work(n - 1) if n else numtorch.ones(2) * 2

    with profiler.profile() as prof:
        work(1)
        with record_function("outer"), record_function("inner"):
            pass
    assert [e.name for e in prof.function_events if e.is_user_annotation] == [
        "work",
        "work",
        "outer",
        "inner",
    ]
    assert prof.function_events[-1].cpu_parent.name == "outer"
    work(0)  # outside of a profile it is only the function


def test_errors_inside_of_a_profile_end_it():
    with pytest.raises(RuntimeError, match="size of tensor"), profile(activities=CPU) as prof:
        numtorch.ones(2) + numtorch.ones(3)
    assert "aten::add" in names(prof)
    assert recorder.get() is None
    assert runtime["interp"] is None
    with profiler.profile() as first:
        with pytest.raises(RuntimeError, match="already enabled on this thread"):
            profiler.profile().__enter__()
        with pytest.raises(RuntimeError, match="not reentrant"):
            first.__enter__()
        assert str(first) == "<unfinished torch.autograd.profile>"


def test_profiles_may_end_inside_of_other_blocks():
    packed = []
    x = numtorch.ones(2, requires_grad=True)
    prof = profile(activities=CPU)
    prof.start()
    with numtorch.autograd.graph.saved_tensors_hooks(packed.append, lambda _: x.detach()):
        x.sin()
        prof.stop()
        x.exp()
    x.cos()
    assert names(prof) == ["aten::sin"]
    assert len(packed) == 2
    assert runtime["interp"] is None


def test_other_threads_are_not_recorded():
    with profile(activities=CPU) as prof:
        thread = threading.Thread(target=lambda: numtorch.ones(2) + 1)
        thread.start()
        thread.join()
    assert names(prof) == []


def test_profiles_do_not_change_results():
    def train():
        numtorch.manual_seed(0)
        x = numtorch.rand(7, requires_grad=True)
        y = (x.sin() * x[:3].sum()).exp()
        (g,) = numtorch.autograd.grad(y.sum(), x, create_graph=True)
        g.square().sum().backward()
        return x.grad

    plain = train()
    with profile(activities=CPU, profile_memory=True):
        assert numtorch.equal(train(), plain)


# -- tables ----------------------------------------------------------------------------------------
TIMES = [
    ("aten::a", 0, 1000),
    ("a" * 70, 100, 400.5),
    ("aten::c", 500, 2.5e6),
    ("aten::c", 3e6, 3e6 + 7),
]


def made(module, device=None):
    """Events of known times, with either library."""
    events = []
    for i, (name, start, end) in enumerate(TIMES):
        event = module.FunctionEvent(
            i,
            name,
            1,
            start,
            end,
            overload_name="",
            trace_name=name,
            input_shapes=[[i, 3], []],
            stack=[f"file.py({i}): f" * 9, "other.py(1): g"] if i < 2 else [],
            cpu_memory_usage=3 * 1024**i,
            flops=(2500 << i) if i != 1 else 0,
            use_device=device,
        )
        event.node_id = -1
        events.append(event)
    events[0].append_cpu_child(events[1])
    events[1].set_cpu_parent(events[0])
    return events


TABLES = {
    "plain": {},
    "sorted": {"sort_by": "self_cpu_time_total"},
    "by count, two rows": {"sort_by": "count", "row_limit": 2},
    "narrow": {"max_name_column_width": 20, "max_shapes_column_width": 6, "time_unit": "ms"},
    "wide": {"max_name_column_width": None, "max_src_column_width": None, "time_unit": "s"},
    "top, with a header": {"top_level_events_only": True, "header": "All of it"},
    "memory": {"sort_by": "cpu_memory_usage", "time_unit": "us"},
}


AVERAGES = {"events": None, "averages": {}, "by shape": {"group_by_input_shapes": True}}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", AVERAGES)
def test_parity_of_tables(torch, name, kind):
    texts = []
    averages = AVERAGES[kind]
    for lib in (numtorch, torch):
        module = importlib.import_module(f"{lib.__name__}.autograd.profiler_util")
        # torch's rows have stack and operations in the wrong order where they have both
        events = module.EventList(made(module), profile_memory=True, with_flops=bool(averages))
        if averages is not None:
            events._tree_built = True
            events = events.key_averages(**averages)
        texts.append(events.table(**TABLES[name]))
    assert texts[0].splitlines() == texts[1].splitlines()


def test_parity_of_reprs_and_stacks(torch, tmp_path):
    results = []
    for lib in (numtorch, torch):
        module = importlib.import_module(f"{lib.__name__}.autograd.profiler_util")
        events = module.EventList(made(module))
        path = tmp_path / lib.__name__
        events.export_stacks(str(path), "self_cpu_time_total")
        shown = [repr(e) for e in events]
        results.append(([re.sub(r"DeviceType\.\w+", "", r) for r in shown], path.read_text()))
        with pytest.raises(ValueError, match="metric should be one of"):
            events.export_stacks(str(path), "count")
    assert results[0] == results[1]


def test_columns_of_a_gpu():
    event = made(profiler_util, "cuda")[0]
    event.append_kernel("k", 0, 30.0)
    event.is_legacy = True
    text = profiler_util.EventList([event], use_device="cuda").table(sort_by="cuda_time_total")
    assert re.findall(r"Self CUDA %?|CUDA total|CUDA time avg", text.splitlines()[1])
    assert text.endswith("Self CUDA time total: 30.000us\n")


def test_parity_of_op_names(torch):
    """A name `aten::x` is one that torch has."""
    sample = numtorch.empty(1, 1, 1, 1)
    for op in OPS.values():
        for target in (None, sample):
            shown = name_of(op, (sample,), target)
            package, _, own = shown.partition("::")
            assert package != "aten" or hasattr(torch.ops.aten, own.rstrip("_")), shown


# -- schedules -------------------------------------------------------------------------------------
SCHEDULES = {
    "cycles": {"wait": 1, "warmup": 1, "active": 2, "repeat": 2, "skip_first": 1},
    "endless": {"wait": 0, "warmup": 1, "active": 1},
    "no first wait": {"wait": 2, "warmup": 1, "active": 1, "skip_first": 1, "skip_first_wait": 1},
    "all": {"wait": 0, "warmup": 1, "active": 9, "repeat": 1},
}


def library(lib):
    return importlib.import_module(f"{lib.__name__}.profiler")


@pytest.mark.parametrize("name", SCHEDULES)
def test_parity_of_schedules(torch, name):
    """The same action in each step, the same traces ready, the same steps in each."""
    results = []
    for lib in (numtorch, torch):
        module, ready = library(lib), []
        schedule = module.schedule(**SCHEDULES[name])
        actions = [schedule(step).name for step in range(12)]

        def handle(prof, ready=ready):
            steps = [e for e in prof.events() if e.name == "ProfilerStep*"]
            sums = [e for e in prof.events() if e.name == "aten::sin"]
            ready.append((prof.step_num, [e.trace_name for e in steps], len(sums)))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with module.profile(
                activities=[module.ProfilerActivity.CPU], schedule=schedule, on_trace_ready=handle
            ) as prof:
                for _ in range(9):
                    lib.sin(lib.ones(2))
                    prof.step()
        results.append((actions, ready))
    assert results[0] == results[1]


def test_parity_of_schedule_errors(torch):
    for lib in (numtorch, torch):
        module = library(lib)
        with pytest.raises(AssertionError, match="Got wait=-1 .need >= 0., warmup=0 "):
            module.schedule(wait=-1, warmup=0, active=1)
        with pytest.raises(AssertionError, match="Step must be non-negative. Got -1."):
            module.schedule(wait=0, warmup=1, active=1)(-1)
        with pytest.warns(UserWarning, match="won't be using warmup"):
            module.schedule(wait=0, warmup=0, active=1)
        with pytest.raises(ValueError, match="specified more than once"):
            module.profile(activities=[module.ProfilerActivity.CPU] * 2)
        with pytest.raises(AssertionError, match="No valid profiler activities found"):
            module.profile(activities=[])


def test_incorrect_schedules_warn():
    actions = [ProfilerAction.RECORD, ProfilerAction.NONE, ProfilerAction.WARMUP]
    with profile(activities=CPU, schedule=lambda step: actions[min(step, 2)]) as prof:
        with pytest.warns(UserWarning, match="Incorrect schedule: RECORD followed by NONE"):
            prof.step()
        prof.step()


def test_events_of_earlier_cycles():
    options = {"activities": CPU, "schedule": lambda step: ProfilerAction.RECORD_AND_SAVE}
    for keep, count in ((False, 1), (True, 3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with profile(acc_events=keep, **options) as prof:
                for _ in range(2):
                    numtorch.ones(2).sin()
                    prof.step()
                numtorch.ones(2).sin()
        assert names(prof).count("aten::sin") == count


# -- traces ----------------------------------------------------------------------------------------
def test_chrome_trace(step, tmp_path):
    step.add_metadata("note", 'a "quoted" text')
    step.add_metadata_json("numbers", "[1, 2]")
    for name, opened in (("t.json", open), ("t.json.gz", gzip.open)):
        path = str(tmp_path / name)
        step.export_chrome_trace(path)
        with opened(path, "rt") as file:
            trace = json.load(file)
    assert (trace["note"], trace["numbers"]) == ('a "quoted" text', [1, 2])
    assert (trace["record_shapes"], trace["with_flops"]) == (1, 1)
    rows = [row for row in trace["traceEvents"] if row["ph"] == "X"]
    assert len(rows) == sum(e.name != "[memory]" for e in step.events())
    assert all({"pid", "tid", "ts", "dur", "name", "cat", "args"} <= row.keys() for row in rows)
    linear = next(row for row in rows if row["name"] == "aten::linear")
    assert linear["args"]["Input Dims"] == [[5, 8], [16, 8], [16]]
    open_until = []
    for row in sorted(rows, key=lambda r: (r["ts"], -r["dur"])):  # properly nested
        while open_until and open_until[-1] <= row["ts"]:
            open_until.pop()
        end = row["ts"] + row["dur"]
        assert not open_until or end <= open_until[-1] + 1e-3
        open_until.append(end)
    arrows = {kind: [r["id"] for r in trace["traceEvents"] if r["ph"] == kind] for kind in "sf"}
    assert arrows["s"] == arrows["f"]
    assert len(arrows["s"]) == len(set(arrows["s"])) == 4


def test_tensorboard_handler_and_stacks(tmp_path):
    handler = numtorch.profiler.tensorboard_trace_handler(
        str(tmp_path / "log"), "me", use_gzip=True
    )
    with profile(activities=CPU, on_trace_ready=handler, with_stack=True) as prof:
        numtorch.ones(2).exp()
    (file,) = (tmp_path / "log").iterdir()
    assert re.fullmatch(r"me\.\d+\.pt\.trace\.json\.gz", file.name)
    prof.export_stacks(str(tmp_path / "stacks"))
    assert "test_profiler.py(" in (tmp_path / "stacks").read_text()
    with profile(activities=CPU) as prof:
        pass
    with pytest.raises(AssertionError, match="with_stack=True"):
        prof.export_stacks(str(tmp_path / "stacks"))
    prof.events().export_chrome_trace(str(tmp_path / "list.json"))
    assert json.loads((tmp_path / "list.json").read_text()) == []


def test_parity_of_columns(torch):
    """What a profile of the same options shows in its head line."""
    for options in ({}, {"record_shapes": True}, {"profile_memory": True}, {"with_flops": True}):
        heads = []
        for lib in (numtorch, torch):
            module = library(lib)
            activities = [module.ProfilerActivity.CPU]
            with module.profile(activities=activities, **options) as prof:
                lib.ones(3, 4) @ lib.ones(4, 5)
            table = prof.key_averages(group_by_input_shape=True).table(row_limit=1)
            heads.append(re.split(r"  +", table.splitlines()[1].strip()))
        assert heads[0] == heads[1]
