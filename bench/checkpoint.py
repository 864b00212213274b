"""Memory of training a 24-layer GPT, plain and with each block checkpointed.

    python bench/checkpoint.py [--steps 3] [--width 128] [--batch 8]

Each run is a process of its own: after a step on a single short sequence, which loads the kernels,
it resets the kernel's record of its largest resident size (Linux), trains, and reports how far the
size rose, the losses and the time of a step. torch's figures stand beside where it is installed.
"""

import argparse
import functools
import importlib
import importlib.util
import json
import pathlib
import subprocess
import sys
import time

LAYERS, HEADS, BLOCK, VOCABULARY = 24, 4, 128, 65


def gpt(lib, width: int, checkpointed: bool):
    """(N, T) tokens -> (N, T, VOCABULARY) logits."""
    nn = lib.nn
    checkpoint = importlib.import_module(f"{lib.__name__}.utils.checkpoint").checkpoint

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
            self.dropout = nn.Dropout(0.1)

        def forward(self, x):
            n, t, c = x.shape
            heads = self.qkv(self.norm1(x)).view(n, t, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
            x = x + self.dropout(self.project(y.transpose(1, 2).reshape(n, t, c)))
            return x + self.dropout(self.down(nn.functional.gelu(self.up(self.norm2(x)))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.place = nn.Embedding(VOCABULARY, width), nn.Embedding(BLOCK, width)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, VOCABULARY)

        def forward(self, tokens):
            x = self.token(tokens) + self.place(lib.arange(tokens.shape[1]))
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=False) if checkpointed else block(x)
            return self.head(self.norm(x))

    return Model()


def status(field: str) -> float:
    """A figure of /proc/self/status, in MiB."""
    text = pathlib.Path("/proc/self/status").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def measure(name: str, checkpointed: bool, steps: int, width: int, batch: int) -> dict:
    """Train, in this process; MiB, losses and seconds."""
    lib = importlib.import_module(name)
    importlib.import_module(f"{name}.nn")
    lib.set_num_threads(1)
    lib.manual_seed(0)
    model = gpt(lib, width, checkpointed)
    optimizer = importlib.import_module(f"{name}.optim").SGD(model.parameters(), lr=0.05)

    def step(tokens):
        logits = model(tokens[:, :-1]).reshape(-1, VOCABULARY)
        loss = lib.nn.functional.cross_entropy(logits, tokens[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    step(lib.randint(VOCABULARY, (1, 9)))  # the gradients that it leaves count as parameters
    before = status("VmRSS")
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # forget the largest size so far
    losses, seconds = [], []
    for _ in range(steps):
        start = time.perf_counter()
        losses.append(step(lib.randint(VOCABULARY, (batch, BLOCK + 1))))
        seconds.append(time.perf_counter() - start)
    return {
        "MiB": status("VmHWM") - before,
        "losses": [x.hex() for x in losses],
        "seconds": min(seconds),
    }


def run(name: str, checkpointed: bool, options) -> dict:
    """`measure` in a process of its own."""
    code = (
        f"import json, sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n"
        "import checkpoint\n"
        f"print(json.dumps(checkpoint.measure({name!r}, {checkpointed}, {options.steps}, "
        f"{options.width}, {options.batch})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a line for each library."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = functools.partial(parser.add_argument, type=int)
    number("--steps", default=3)
    number("--width", default=128)
    number("--batch", default=8)
    options = parser.parse_args()
    for name in ("numtorch", "torch"):
        if importlib.util.find_spec(name) is None:
            continue
        plain, checkpointed = (run(name, flag, options) for flag in (False, True))
        same = "equal" if plain["losses"] == checkpointed["losses"] else "DIFFERENT"
        print(
            f"{name:9} activations: plain {plain['MiB']:6.0f} MiB, checkpointed "
            f"{checkpointed['MiB']:6.0f} MiB, ratio {checkpointed['MiB'] / plain['MiB']:.2f}; "
            f"a step: {plain['seconds']:.2f} s, {checkpointed['seconds']:.2f} s; losses {same}"
        )


if __name__ == "__main__":
    main()
