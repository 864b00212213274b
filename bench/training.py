"""The figures of training and starting up that numtorch promises, measured on this machine.

    python bench/training.py                  # starting, importing, steps
    python bench/training.py --data FOLDER    # and LeNet on 28x28 digits, and torch if installed

FOLDER holds images-idx3-ubyte and labels-idx1-ubyte (.gz or not) of 10,000 digits: 8,000 to train
with, 2,000 to test.
"""

import argparse
import importlib
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from compare import compare

from numtorch.cli.bench import runner
from numtorch.cli.bench.cases.steps import LENET, MLP, lenet
from numtorch.cli.text import table
from numtorch.vision.datasets import read_idx

TRAIN, EPOCHS, BATCH = 8000, 10, 64
FIRST_STEP = """
import numtorch as nt
from numtorch.cli.bench.cases.steps import CASES, LENET
from numtorch.cli.bench.runner import prepare
prepare(next(c for c in CASES if c.name == LENET), "numtorch", "cpu")()
"""
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def digits(folder: pathlib.Path):
    """Images (10000, 1, 28, 28) in [0, 1] and labels, as arrays."""
    images, labels = (
        read_idx(next(folder.glob(f"*{name}*"))).numpy() for name in ("images-idx3", "labels-idx1")
    )
    return images[:, None].astype("float32") / 255, labels.astype("int64")


def train(library: str, folder: pathlib.Path, threads: int):
    """Train LeNet, and give (loss, test accuracy, seconds) of each epoch."""
    lib = importlib.import_module(library)
    data = importlib.import_module(f"{library}.utils.data")
    lib.set_num_threads(threads)
    lib.manual_seed(0)
    images, labels = map(lib.from_numpy, digits(folder))
    dataset = data.TensorDataset(images[:TRAIN], labels[:TRAIN])
    loader = data.DataLoader(dataset, batch_size=BATCH, shuffle=True)
    model = lenet(lib.nn)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    criterion = lib.nn.CrossEntropyLoss()
    history = []
    for _ in range(EPOCHS):
        start, total = time.perf_counter(), 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        seconds = time.perf_counter() - start
        with lib.no_grad():
            right = (model(images[TRAIN:]).argmax(1) == labels[TRAIN:]).sum().item()
        history.append((total / TRAIN, right / (len(labels) - TRAIN), seconds))
    return history


def learning(folder: pathlib.Path, libraries, threads: int) -> dict:
    """Loss curves side by side, each library in a process of its own."""
    curves = {}
    for library in libraries:
        command = [sys.executable, __file__, "--child", library, "--data", str(folder)]
        command += ["--threads", str(threads)]
        curves[library] = json.loads(
            subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        )
    head = ["epoch"] + [f"{n} {what}" for n in libraries for what in ("loss", "accuracy", "time")]
    body = []
    for epoch, rows in enumerate(zip(*curves.values(), strict=True), 1):
        cells = [f"{x:.6f}|{a:.2%}|{runner.duration(s)}".split("|") for x, a, s in rows]
        body.append([str(epoch), *(c for row in cells for c in row)])
    print(f"LeNet, {TRAIN} digits, SGD with momentum, batches of {BATCH}, {threads} threads")
    print(table(head, body) + "\n")
    return curves


def python(code: str, environment: dict) -> str:
    """What a fresh Python process prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def elapsed(code: str, environment: dict) -> float:
    """Seconds of a whole Python process."""
    start = time.perf_counter()
    python(code, environment)
    return time.perf_counter() - start


def starting() -> dict[str, float]:
    """From the start of a process to the end of its first LeNet step, and the cost of imports."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMTORCH_CACHE_DIR": f"{folder}/kernels"}
        # Installed packages are imported from bytecode: have some, and in a place that goes away.
        environment |= {"PYTHONPYCACHEPREFIX": f"{folder}/bytecode", "PYTHONDONTWRITEBYTECODE": ""}
        python("import numtorch.cli.bench.runner", environment)
        cold = elapsed(FIRST_STEP, environment)
        warm = statistics.median(elapsed(FIRST_STEP, environment) for _ in range(5))
        imports: dict[str, list[float]] = {"numtorch": [], "numpy": []}
        for _ in range(15):
            for name, seconds in imports.items():
                seconds.append(float(python(IMPORT.format(name), environment)))
    ours, numpys = (statistics.median(v) for v in imports.values())
    return {
        "first LeNet step, empty cache": cold,
        "first LeNet step, second process": warm,
        "import numtorch": ours,
        "import numpy": numpys,
        "import numtorch / import numpy": ours / numpys,
    }


def steps(libraries, rounds: int) -> dict:
    """Small ops and training steps: {case: {library: seconds}}."""
    small = compare(libraries, f"^(add 4x4|add 4x4, recorded|{MLP})$", 1, rounds)
    return small | compare(libraries, f"^{LENET}$", 2, rounds)


def main() -> None:
    """Measure and print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, metavar="F")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(train(options.child, options.data, options.threads)))
        return
    libraries = ["numtorch", *(["torch"] if importlib.util.find_spec("torch") else [])]
    result: dict = {}
    if options.data:
        result["learning"] = learning(options.data, libraries, options.threads)
    result["starting"] = starting()
    for name, value in result["starting"].items():
        print(f"{name:<34} {value:.2f}" if "/" in name else f"{name:<34} {runner.duration(value)}")
    result["steps"] = steps(libraries, options.rounds)
    body = []
    for name, seconds in result["steps"].items():
        ratio = [f"{seconds['numtorch'] / seconds['torch']:.2f}"] if "torch" in seconds else []
        body.append([name, *map(runner.duration, seconds.values()), *ratio])
    print("\n" + table(["case", *libraries, *(["ratio"] if len(libraries) > 1 else [])], body))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
