"""Samplers: orders, lengths, errors."""

import pytest

import numtorch as nt
from numtorch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def seeded(seed):
    return nt.Generator().manual_seed(seed)


def test_sequential():
    sampler = SequentialSampler("abcd")
    assert (list(sampler), len(sampler)) == ([0, 1, 2, 3], 4)


def test_random_visits_everything_once():
    sampler = RandomSampler(range(20), generator=seeded(0))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def test_random_repeats_when_more_are_asked_for():
    indices = list(RandomSampler(range(4), num_samples=10, generator=seeded(0)))
    assert sorted(indices[:4]) == sorted(indices[4:8]) == [0, 1, 2, 3]
    assert len(set(indices[8:])) == 2


def test_random_with_replacement():
    sampler = RandomSampler(range(5), replacement=True, num_samples=70, generator=seeded(0))
    indices = list(sampler)
    assert len(indices) == len(sampler) == 70
    assert set(indices) == {0, 1, 2, 3, 4}


def test_random_follows_the_size_of_the_dataset():
    data = [1, 2, 3]
    sampler = RandomSampler(data)
    data.append(4)
    assert len(sampler) == len(list(sampler)) == 4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"replacement": 1}, TypeError, "replacement should be a boolean"),
        ({"num_samples": 0}, ValueError, "num_samples should be a positive integer.*=0"),
        ({"num_samples": 1.5}, ValueError, "num_samples should be a positive integer.*=1.5"),
    ],
)
def test_random_errors(options, error, message):
    with pytest.raises(error, match=message):
        RandomSampler(range(5), **options)
    with pytest.raises(ValueError, match="num_samples=0"):
        RandomSampler([])


def test_subset_random():
    sampler = SubsetRandomSampler([3, 5, 7], generator=seeded(0))
    assert sorted(sampler) == [3, 5, 7]
    assert len(sampler) == 3


def test_weighted():
    weights = [0.0, 1.0, 0.0, 3.0]
    drawn = list(WeightedRandomSampler(weights, 50, generator=seeded(0)))
    assert set(drawn) == {1, 3}
    assert len(drawn) == 50
    assert sorted(WeightedRandomSampler(weights, 2, replacement=False)) == [1, 3]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (([1.0], True), "num_samples should be a positive integer"),
        (([1.0], 2, 0), "replacement should be a boolean"),
        (([[1.0], [2.0]], 2), r"1d sequence but given weights have shape \(2, 1\)"),
    ],
)
def test_weighted_errors(args, message):
    with pytest.raises(ValueError, match=message):
        WeightedRandomSampler(*args)


@pytest.mark.parametrize(
    ("drop_last", "expected"),
    [(False, [[0, 1, 2], [3, 4, 5], [6]]), (True, [[0, 1, 2], [3, 4, 5]])],
)
def test_batches(drop_last, expected):
    sampler = BatchSampler(SequentialSampler(range(7)), 3, drop_last)
    assert list(sampler) == expected
    assert len(sampler) == len(expected)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((0, False), "batch_size should be a positive integer value, but got batch_size=0"),
        ((True, False), "batch_size should be a positive"),
        ((2, None), "drop_last should be a boolean value, but got drop_last=None"),
    ],
)
def test_batch_errors(args, message):
    with pytest.raises(ValueError, match=message):
        BatchSampler(range(3), *args)


def test_sampler_needs_iter():
    with pytest.raises(NotImplementedError):
        iter(Sampler())


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n", [1, 9, 10, 11])
def test_distributed_parts(n, drop_last):
    parts = [
        DistributedSampler(range(n), num_replicas=3, rank=rank, drop_last=drop_last)
        for rank in range(3)
    ]
    indices = [list(part) for part in parts]
    assert {len(part) for part in indices} == {len(parts[0])}
    everything = [index for part in indices for index in part]
    assert len(set(everything)) == (n - n % 3 if drop_last else n)


def test_distributed_shuffles_by_epoch():
    sampler = DistributedSampler(range(30), 2, 0, seed=4)
    first = list(sampler)
    assert first == list(sampler)
    sampler.set_epoch(1)
    assert first != list(sampler)
    assert list(DistributedSampler(range(4), 2, 1, shuffle=False)) == [1, 3]


def test_distributed_errors():
    with pytest.raises(RuntimeError, match="Requires distributed package"):
        DistributedSampler(range(3))
    with pytest.raises(ValueError, match=r"Invalid rank 2.*\[0, 1\]"):
        DistributedSampler(range(3), 2, 2)
