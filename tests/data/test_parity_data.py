"""The same seed gives torch's order and leaves torch's state: samplers, loaders, splits."""

import importlib

import pytest

pytest.importorskip("torch")


def weighted(lib, data, **options):
    return data.WeightedRandomSampler([0.1, 0.9, 0.4, 0.0, 3.0, 0.6], **options)


SAMPLERS = {
    "random": lambda lib, data, **g: data.RandomSampler(range(37), **g),
    "random, fewer": lambda lib, data, **g: data.RandomSampler(range(37), num_samples=5, **g),
    "random, more": lambda lib, data, **g: data.RandomSampler(range(7), num_samples=21, **g),
    "random, rest": lambda lib, data, **g: data.RandomSampler(range(7), num_samples=24, **g),
    "replacement": lambda lib, data, **g: data.RandomSampler(range(7), True, 100, **g),
    "replacement, 64": lambda lib, data, **g: data.RandomSampler(range(7), True, 64, **g),
    "subset": lambda lib, data, **g: data.SubsetRandomSampler([5, 3, 8, 1], **g),
    "weighted": lambda lib, data, **g: weighted(lib, data, num_samples=40, **g),
    "weighted once": lambda lib, data, **g: weighted(
        lib, data, num_samples=4, replacement=False, **g
    ),
    "distributed": lambda lib, data, generator=None: data.DistributedSampler(
        range(23), 4, 1, seed=7
    ),
}

LOADERS = {
    "in order": {"batch_size": 4},
    "shuffled": {"batch_size": 4, "shuffle": True},
    "dropped": {"batch_size": 4, "shuffle": True, "drop_last": True},
    "no batches": {"batch_size": None, "shuffle": True},
}


def run(name, make, epochs=2):
    """Two epochs under each library: with the default generator, then with one of its own."""
    lib = importlib.import_module(name)
    data = importlib.import_module(f"{name}.utils.data")
    lib.manual_seed(11)
    found = [plain(list(make(lib, data))) for _ in range(epochs)]
    found.append(lib.randint(1000, (5,)).tolist())
    generator = lib.Generator().manual_seed(12)
    source = make(lib, data, generator=generator)
    found += [plain(list(source)) for _ in range(epochs)]
    found.append(lib.randint(1000, (5,), generator=generator).tolist())
    found.append(lib.randint(1000, (5,)).tolist())
    return found


def plain(values):
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


@pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
def test_samplers(make):
    assert run("numtorch", make) == run("torch", make)


@pytest.mark.parametrize("options", LOADERS.values(), ids=LOADERS)
def test_loaders(options):
    def make(lib, data, **generator):
        return data.DataLoader(range(30), **options, **generator)

    assert run("numtorch", make) == run("torch", make)


@pytest.mark.parametrize("name", SAMPLERS)
def test_loaders_with_samplers(name):
    def make(lib, data, **generator):
        return data.DataLoader(
            range(50), batch_size=3, sampler=SAMPLERS[name](lib, data, **generator)
        )

    assert run("numtorch", make) == run("torch", make)


def test_two_iterators_at_once():
    def make(lib, data, **generator):
        loader = data.DataLoader(range(9), batch_size=2, shuffle=True, **generator)
        return [batch.tolist() for pair in zip(loader, loader, strict=True) for batch in pair]

    assert run("numtorch", make) == run("torch", make)


@pytest.mark.parametrize("lengths", [[3, 8], [11], [0.5, 0.5], [0.2, 0.3, 0.5], [1 / 3] * 3])
def test_random_split(lengths):
    def make(lib, data, **generator):
        parts = data.random_split(range(11), lengths, **generator)
        return [list(part) for part in parts]

    assert run("numtorch", make) == run("torch", make)


def test_public_names():
    theirs = set(importlib.import_module("torch.utils.data").__all__)
    ours = set(importlib.import_module("numtorch.utils.data").__all__)
    datapipes = {name for name in theirs if "pipe" in name.lower() or "validation" in name}
    assert theirs - ours - datapipes <= {"_DatasetKind", "DataChunk", "non_deterministic"}
    assert not ours - theirs
