"""Batches of every kind of sample."""

from collections import OrderedDict, UserList, defaultdict, namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import numtorch as nt
from numtorch.utils.data import default_collate, default_convert
from numtorch.utils.data.collate import collate

Point = namedtuple("Point", ["x", "y"])


def test_tensors_are_stacked():
    batch = default_collate([nt.tensor([1.0, 2.0]), nt.tensor([3.0, 4.0])])
    assert batch.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([1, 2], nt.int64),
        ([1.5, 2.5], nt.float64),
        ([True, False], nt.bool),
        ([np.float32(1), np.float32(2)], nt.float32),
        ([np.float64(1), np.float64(2)], nt.float64),
        ([np.int32(1), np.int32(2)], nt.int32),
        ([np.zeros(3, np.uint8), np.ones(3, np.uint8)], nt.uint8),
    ],
)
def test_numbers_and_arrays(samples, dtype):
    batch = default_collate(samples)
    assert batch.dtype is dtype
    assert batch.tolist() == np.array(samples).tolist()


def test_strings_stay():
    assert default_collate(["a", "b"]) == ["a", "b"]
    assert default_collate([b"a", b"b"]) == [b"a", b"b"]


def test_containers_keep_their_type():
    batch = default_collate([{"a": 1, "b": (2, "x")}, {"a": 3, "b": (4, "y")}])
    assert batch["a"].tolist() == [1, 3]
    assert batch["b"][0].tolist() == [2, 4]
    assert batch["b"][1] == ("x", "y")
    assert isinstance(batch["b"], list)

    point = default_collate([Point(1, 2.0), Point(3, 4.0)])
    assert isinstance(point, Point)
    assert point.y.tolist() == [2.0, 4.0]

    assert isinstance(default_collate([OrderedDict(a=1)]), OrderedDict)
    assert default_collate([defaultdict(list, a=1)]).default_factory is list
    assert isinstance(default_collate([UserList([1, 2])] * 2), UserList)
    assert isinstance(default_collate([MappingProxyType({"a": 1})]), MappingProxyType)
    assert isinstance(default_collate([range(2), range(2)]), list)


def test_errors():
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1, 2], [3]])
    with pytest.raises(TypeError, match=r"must contain tensors.*found <class 'object'>"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array(["a"])])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        default_collate([nt.zeros(2), nt.zeros(3)])


def test_table_of_ones_own():
    class Word(str):
        pass

    table = {str: lambda batch, *, collate_fn_map: "+".join(batch)}
    assert collate([["a", "b"], ["c", "d"]], collate_fn_map=table) == ["a+c", "b+d"]
    assert collate([Word("a"), Word("b")], collate_fn_map=table) == "a+b"


def test_convert():
    data = {"a": [np.zeros(2), "text"], "p": Point(np.float32(1), 3), "t": (1, np.array(2))}
    result = default_convert(data)
    assert result["a"][0].dtype is nt.float64
    assert result["a"][1] == "text"
    assert isinstance(result["p"], Point)
    assert result["p"].x.item() == 1.0
    assert result["t"][0] == 1
    assert isinstance(result["t"], list)
    names = np.array(["a"])
    assert default_convert(names) is names
    tensor = nt.zeros(2)
    assert default_convert(tensor) is tensor
