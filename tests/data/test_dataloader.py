"""DataLoader: batches, options, errors."""

import warnings

import pytest

import numtorch as nt
from numtorch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    get_worker_info,
)


class Stream(IterableDataset):
    """0, 1, ..., n - 1; says that it has `told` elements."""

    def __init__(self, n, told=None):
        self.n, self.told = n, told

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n if self.told is None else self.told


def values(loader):
    return [batch.tolist() for batch in loader]


def test_batches_in_order():
    loader = DataLoader(range(5), batch_size=2)
    assert values(loader) == [[0, 1], [2, 3], [4]]
    assert values(loader) == [[0, 1], [2, 3], [4]]
    assert len(loader) == len(iter(loader)) == 3
    assert values(DataLoader(range(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]


def test_tensor_dataset():
    data = TensorDataset(nt.arange(6.0).reshape(3, 2), nt.tensor([0, 1, 0]))
    (x, y), (_, last) = DataLoader(data, batch_size=2)
    assert (x.shape, y.dtype, last.shape) == ((2, 2), nt.int64, (1,))


def test_shuffle():
    loader = DataLoader(range(50), batch_size=50, shuffle=True)
    nt.manual_seed(3)
    first, second = values(loader), values(loader)
    nt.manual_seed(3)
    assert first == values(loader)
    assert first != second
    assert sorted(first[0]) == list(range(50))


def test_a_generator_leaves_the_default_one_alone():
    nt.manual_seed(0)
    before = nt.get_rng_state()
    values(DataLoader(range(9), shuffle=True, generator=nt.Generator().manual_seed(1)))
    assert nt.equal(before, nt.get_rng_state())


def test_samplers():
    assert values(DataLoader(range(5), sampler=[4, 2], batch_size=2)) == [[4, 2]]
    batches = BatchSampler(SequentialSampler(range(4)), 3, False)
    loader = DataLoader(range(4), batch_sampler=batches)
    assert values(loader) == [[0, 1, 2], [3]]
    assert loader.batch_size is None
    assert values(DataLoader({"a": 1, "b": 2}, sampler=["b", "a"])) == [[2], [1]]


def test_no_batches():
    assert list(DataLoader(range(3), batch_size=None)) == [0, 1, 2]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    loader = DataLoader(range(4), batch_size=None, sampler=RandomSampler(range(4)))
    assert sorted(loader) == [0, 1, 2, 3]
    assert len(loader) == 4


def test_fetches_batches_at_once():
    class Data:
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [10 * i for i in indices]

    assert values(DataLoader(Data(), batch_size=3)) == [[0, 10, 20], [30]]


def test_collate_fn():
    assert list(DataLoader(range(4), batch_size=2, collate_fn=sum)) == [1, 5]


@pytest.mark.parametrize(("drop_last", "expected"), [(False, [[0, 1], [2]]), (True, [[0, 1]])])
def test_iterable(drop_last, expected):
    loader = DataLoader(Stream(3), batch_size=2, drop_last=drop_last)
    assert values(loader) == expected
    assert len(loader) == len(expected)


def test_iterable_that_is_longer_than_it_says():
    loader = DataLoader(Stream(3, told=2), batch_size=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(loader)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="reported to be 2.*but 3 samples"):
        list(loader)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"num_workers": 2}, "num_workers=2: .* main process only.* Use num_workers=0"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only"),
        ({"persistent_workers": True}, "persistent_workers option needs"),
        ({"multiprocessing_context": "spawn"}, "multiprocessing_context can only"),
        ({"sampler": [0], "shuffle": True}, "mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "mutually exclusive with batch_size"),
        ({"batch_sampler": [[0]], "drop_last": True}, "mutually exclusive with batch_size"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
        ({"batch_size": 0}, "batch_size should be a positive integer"),
    ],
)
def test_option_errors(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(range(4), **options)


@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}], ids=str
)
def test_iterable_has_its_own_order(options):
    with pytest.raises(ValueError, match=f"expected unspecified {next(iter(options))} option"):
        DataLoader(Stream(3), **options)
    assert values(DataLoader(Stream(1), shuffle=False)) == [[0]]


def test_attributes_are_fixed():
    loader = DataLoader(range(4))
    for name in ("batch_size", "sampler", "batch_sampler", "dataset", "drop_last"):
        with pytest.raises(
            ValueError, match=f"{name} attribute should not be set after DataLoader"
        ):
            setattr(loader, name, None)
    loader.collate_fn = sum
    assert list(loader) == [0, 1, 2, 3]


def test_empty_dataset():
    assert values(DataLoader([])) == []
    with pytest.raises(ValueError, match="num_samples=0"):
        DataLoader([], shuffle=True)


def test_pin_memory_is_accepted(monkeypatch):
    monkeypatch.setattr(nt.cuda, "is_available", lambda: False)
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert values(DataLoader(range(1), pin_memory=True)) == [[0]]


def test_there_are_no_workers():
    assert get_worker_info() is None
