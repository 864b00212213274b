"""Indexing against NumPy: random expressions on random shapes, reading and writing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numtorch as nt


@st.composite
def basic_items(draw, shape):
    """Integers, slices, None and at most one `...`: views."""
    items, d = [], 0
    while d < len(shape) and draw(st.booleans() if d else st.just(True)):
        n = shape[d]
        kind = draw(st.sampled_from(["int", "slice", "slice", "none"]))
        if kind == "none":
            items.append(None)
            continue
        if kind == "int" and n:
            items.append(draw(st.integers(-n, n - 1)))
        else:
            ends = st.none() | st.integers(-n - 1, n + 1)
            step = draw(st.sampled_from([None, 1, 2, 3]))
            items.append(slice(draw(ends), draw(ends), step))
        d += 1
    if draw(st.booleans()):
        items.append(Ellipsis)
    return tuple(items)


@st.composite
def advanced_items(draw, shape):
    """Slices, None, masks and index arrays that broadcast, without integers (torch selects by them
    first, NumPy broadcasts them).
    """
    common = draw(st.sampled_from([(2,), (3, 2), (1,)]))
    items, d = [], 0
    while d < len(shape):
        n = shape[d]
        kind = draw(st.sampled_from(["array", "array", "slice", "none", "mask", "list"]))
        if kind == "none":
            items.append(None)
            continue
        if kind == "slice" or n == 0:
            items.append(slice(draw(st.none() | st.integers(-n, n)), None))
        elif kind == "mask" and not any(isinstance(i, (np.ndarray, list)) for i in items):
            bits = draw(st.lists(st.booleans(), min_size=n, max_size=n))
            items.append(np.array(bits))
            return (*items, ...) if draw(st.booleans()) else tuple(items)
        else:
            sizes = [draw(st.sampled_from([1, k])) for k in common]
            count = int(np.prod(sizes))
            values = draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
            array = np.array(values).reshape(sizes)
            if kind == "list":
                items.append(array.tolist())
            else:
                items.append(array.astype(draw(st.sampled_from(["int64", "int32"]))))
        d += 1
    return tuple(items)


@st.composite
def expressions(draw, items, least=0):
    """(an array, maybe with permuted dimensions, and an index)."""
    shape = tuple(draw(st.lists(st.integers(0, 4), min_size=max(least, 1), max_size=4)))
    order = draw(st.permutations(range(len(shape))))
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape).transpose(order)
    return array, draw(items(array.shape))


def tensor(array):
    """A tensor with the array's strides."""
    order = np.argsort([-s for s in array.strides], kind="stable")
    inverse = np.argsort(order)
    return nt.from_numpy(np.ascontiguousarray(array.transpose(order))).permute(*inverse.tolist())


def converted(items):
    return tuple(nt.from_numpy(i) if isinstance(i, np.ndarray) else i for i in items)


@given(expressions(basic_items))
def test_views(expression):
    array, items = expression
    x = tensor(array)
    got, want = x[items], array[items]
    np.testing.assert_array_equal(got.numpy(), want)
    assert got.untyped_storage() == x.untyped_storage()
    if got.numel():
        got.fill_(-1)
        assert (x == -1).sum().item() == got.numel()


@given(expressions(advanced_items))
def test_copies(expression):
    array, items = expression
    got = tensor(array)[converted(items)]
    np.testing.assert_array_equal(got.numpy(), array[items])


@given(expressions(basic_items) | expressions(advanced_items), st.booleans())
def test_writing(expression, number):
    array, items = expression
    x, want = tensor(array), array.copy()
    shape = want[items].shape
    value = 7.0 if number else np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    x[converted(items)] = value if number else nt.from_numpy(np.ascontiguousarray(value))
    want[items] = value
    np.testing.assert_array_equal(x.numpy(), want)


@given(expressions(basic_items) | expressions(advanced_items))
def test_gradients_count_reads(expression):
    """The gradient of sum(x[i]) is how often each element was read."""
    array, items = expression
    x = tensor(array).clone().requires_grad_()
    x[converted(items)].sum().backward()
    counts = np.zeros(array.shape, np.float32)
    np.add.at(counts, items, 1)
    np.testing.assert_array_equal(x.grad.numpy(), counts)


def test_writes_are_differentiable():
    x, v = nt.zeros(3, 4), nt.ones(4, requires_grad=True)
    x[1] = v * 2
    x[:, 0] = 5.0
    x[nt.tensor([0, 2]), nt.tensor([1, 3])] = v[:2] * 3
    (x * x).sum().backward()
    assert v.grad.tolist() == [18.0, 26.0, 8.0, 8.0]


def test_second_derivative_of_index():
    x = nt.tensor([1.0, 2.0, 3.0], dtype=nt.float64, requires_grad=True)
    i = nt.tensor([0, 0, 2])
    assert nt.autograd.gradgradcheck(lambda t: t[i] ** 3, (x,))


def test_repeated_indices_take_the_last_value_and_add_up_in_order():
    x = nt.zeros(3)
    x[nt.tensor([1, 1, 1])] = nt.tensor([1.0, 2.0, 3.0])
    assert x.tolist() == [0, 3, 0]
    y = nt.zeros(2).index_put_((nt.tensor([0, 0]),), nt.tensor([1.0, 2.0]), accumulate=True)
    assert y.tolist() == [3, 0]


def test_leaves_are_guarded():
    x = nt.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 1.0
    with nt.no_grad():
        x[0] = 1.0
    assert x.tolist() == [1, 0, 0]


X = nt.arange(12.0).view(3, 4)
LONG = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid"
ERRORS = [
    (3, IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
    ((0, 7), IndexError, "index 7 is out of bounds for dimension 1 with size 4"),
    ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
    (slice(None, None, -1), ValueError, "step must be greater than zero"),
    (1.5, IndexError, LONG + " indices (got float)"),
    (
        nt.tensor([1.0]),
        IndexError,
        "tensors used as indices must be long, int, byte or bool tensors",
    ),
    (nt.tensor([5]), IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
    (
        nt.tensor([True, False]),
        IndexError,
        "The shape of the mask [2] at index 0 does not match the",
    ),
    (
        (nt.tensor([0, 1]), nt.tensor([0, 1, 2])),
        IndexError,
        "shape mismatch: indexing tensors could",
    ),
    (2**70, ValueError, "Overflow when unpacking long long"),
]


@pytest.mark.parametrize(("index", "kind", "text"), ERRORS, ids=range(len(ERRORS)))
def test_errors(index, kind, text):
    with pytest.raises(kind) as caught:
        X[index]
    assert str(caught.value).startswith(text)
    before = X.tolist()
    with pytest.raises(kind):
        X[index] = 1.0
    assert X.tolist() == before


def test_errors_of_values():
    x = nt.zeros(2, 3)
    with pytest.raises(TypeError, match="can't assign a str to a torch.FloatTensor"):
        x[0] = "a"
    with pytest.raises(RuntimeError, match=r"expanded size of the tensor \(3\) must match"):
        x[0] = nt.ones(2)
    with pytest.raises(RuntimeError, match=r"value tensor of shape \[3, 3\] cannot be broadcast"):
        x[nt.tensor([0, 1])] = nt.ones(3, 3)
    with pytest.raises(
        RuntimeError, match="value cannot be converted to type uint8_t without over"
    ):
        nt.zeros(2, dtype=nt.uint8)[0] = 300


def test_scalars():
    x = nt.tensor(3.0)
    with pytest.raises(IndexError, match="invalid index of a 0-dim tensor"):
        x[0]
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(x)
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(x)
    assert x[None].shape == (1,) and x[()].shape == () and x[True].shape == (1,)


def test_containers():
    x = nt.arange(6).view(3, 2)
    assert len(x) == 3 and [r.tolist() for r in x] == [[0, 1], [2, 3], [4, 5]]
    assert 5 in x and nt.tensor([0, 1]) in x and 9 not in x
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        assert "a" in x
    with pytest.raises(TypeError, match="does not support deleting items"):
        del x[0]
    assert [r.tolist() for r in reversed(x)] == [[4, 5], [2, 3], [0, 1]]


def test_byte_masks_warn():
    with pytest.warns(UserWarning, match="indexing with dtype torch.uint8 is now deprecated"):
        got = X[nt.tensor([1, 0, 1], dtype=nt.uint8)]
    assert got.shape == (2, 4)


def test_writing_to_a_view_of_a_view_changes_the_history_of_their_base():
    x, base = nt.tensor([2.0, 3.0], requires_grad=True), nt.zeros(3, 2)
    row = base[1]
    row[0:2] = x
    assert row._base is base and row[0:2]._base is base
    (base * base).sum().backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_one_value_behind_a_mask_is_converted():
    x, mask = nt.tensor([[1, 2, 3], [4, 5, 6]]), nt.tensor([[True, False, True]] * 2)
    x[mask] = nt.tensor(1.5)
    assert x.tolist() == [[1, 2, 1], [1, 5, 1]]
    x[nt.tensor([True, False]), 1] = nt.tensor([2.5])
    assert x.tolist() == [[1, 2, 1], [1, 5, 1]]
    y = nt.ones(3)
    y[nt.tensor([True, False, True])] = nt.tensor(2)
    assert y.tolist() == [2, 1, 2]
    with pytest.raises(RuntimeError, match="source and destination dtypes match"):
        y[nt.tensor([True, False, True])] = nt.tensor([2, 3])
