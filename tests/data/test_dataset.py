"""Datasets: combining, cutting, errors."""

import pytest

import numtorch as nt
from numtorch.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)


class Squares(Dataset):
    """i -> i * i, below n."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index * index


class Stream(IterableDataset):
    """The given values."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)


class InBatches(Squares):
    """Fetches batches at once, and remembers what it was asked for."""

    asked = ()

    def __getitems__(self, indices):
        self.asked = [*self.asked, list(indices)]
        return [self[i] for i in indices]


def test_tensor_dataset():
    data = TensorDataset(nt.arange(6).reshape(3, 2), nt.tensor([5, 6, 7]))
    row, label = data[1]
    assert len(data) == 3
    assert (row.tolist(), label.item()) == ([2, 3], 6)
    assert data[1:][1].tolist() == [6, 7]


def test_tensor_dataset_refuses_unequal_lengths():
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(nt.zeros(3), nt.zeros(4))


def test_stack_dataset():
    pair = StackDataset(Squares(4), Squares(4))
    named = StackDataset(image=Squares(4), label=InBatches(4))
    assert (len(pair), pair[3]) == (4, (9, 9))
    assert named[2] == {"image": 4, "label": 4}
    assert pair.__getitems__([1, 2]) == [(1, 1), (4, 4)]
    assert named.__getitems__([3]) == [{"image": 9, "label": 9}]
    assert named.datasets["label"].asked == [[3]]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "At least one dataset should be passed"),
        ((Squares(2),), {"b": Squares(2)}, "both types are given"),
        ((Squares(2), Squares(3)), {}, "Size mismatch between datasets"),
    ],
)
def test_stack_dataset_errors(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        StackDataset(*args, **kwargs)


def test_stack_dataset_counts_the_samples():
    class Short(Squares):
        def __getitems__(self, indices):
            return [0]

    with pytest.raises(ValueError, match="Expected 2, got 1"):
        StackDataset(Short(4)).__getitems__([0, 1])


def test_concat_dataset():
    data = Squares(3) + Squares(2)
    assert isinstance(data, ConcatDataset)
    assert [data[i] for i in range(len(data))] == [0, 1, 4, 0, 1]
    assert data[-1] == 1
    assert data.cumulative_sizes == [3, 5]
    with pytest.raises(ValueError, match="absolute value of index"):
        data[-6]
    with pytest.raises(IndexError):
        data[5]


def test_concat_dataset_errors():
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream([1])])


def test_chain_dataset():
    data = Stream([1, 2]) + Stream([3])
    assert isinstance(data, ChainDataset)
    assert (list(data), len(data)) == ([1, 2, 3], 3)
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Squares(2)]))


def test_dataset_needs_getitem():
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        Dataset()[0]


def test_subset():
    data = InBatches(10)
    part = Subset(data, [9, 3, 3])
    assert (len(part), part[0], part.__getitems__([1, 2])) == (3, 81, [9, 9])
    assert data.asked == [[3, 3]]
    rows = Subset(nt.arange(10), [4, 5, 6])
    assert rows[[0, 2]].tolist() == [4, 6]


def test_subset_subclass_has_to_define_both():
    class Shifted(Subset):
        def __getitem__(self, index):
            return super().__getitem__(index) + 1

    with pytest.raises(NotImplementedError, match="Shifted overrides __getitem__ but not"):
        Shifted(Squares(3), [0])


def test_random_split_is_a_partition():
    parts = random_split(range(10), [3, 7], generator=nt.Generator().manual_seed(1))
    assert [len(part) for part in parts] == [3, 7]
    assert sorted(value for part in parts for value in part) == list(range(10))


def test_random_split_of_fractions_gives_the_rest_to_the_first():
    assert [len(part) for part in random_split(range(11), [0.5, 0.25, 0.25])] == [6, 3, 2]
    with pytest.warns(UserWarning, match="split at index 2 is 0"):
        random_split(range(2), [0.5, 0.5, 0.0])


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([3, 3], r"does not equal the length.*3 \+ 3 = 6.*10"), ([1.5, -0.5], "Fraction at index 0")],
)
def test_random_split_errors(lengths, message):
    with pytest.raises(ValueError, match=message):
        random_split(range(10), lengths)
