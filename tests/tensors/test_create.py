"""Creation: values, dtypes, options and errors."""

import warnings

import numpy as np
import pytest

import numtorch as nt


def test_sizes_and_fills():
    assert (
        nt.zeros(2, 3).tolist() == [[0, 0, 0]] * 2
        and nt.zeros((2,), dtype=nt.int32).dtype is nt.int32
    )
    assert nt.ones([2]).tolist() == [1, 1] and nt.empty(2, 0).shape == (2, 0)
    assert nt.full((2,), 7).dtype is nt.int64 and nt.full((2,), 7.0).dtype is nt.float32
    assert nt.full((1,), True).dtype is nt.bool and nt.full((2,), 3, dtype=nt.float64).tolist() == [
        3,
        3,
    ]
    x = nt.ones(2, 3, dtype=nt.float64)
    for like, value in ((nt.zeros_like, 0), (nt.ones_like, 1)):
        assert like(x).tolist() == [[value] * 3] * 2 and like(x).dtype is nt.float64
    assert nt.full_like(x, 5, dtype=nt.int8).tolist() == [[5] * 3] * 2
    assert nt.empty_like(x.t()).stride() == x.t().stride()
    assert x.new_zeros(2).dtype is nt.float64 and x.new_full((1,), 2).tolist() == [2]
    assert (
        x.new_tensor([1]).dtype is nt.float64
        and x.new_ones(1).tolist() == [1]
        and x.new_empty(3).shape == (3,)
    )
    assert nt.zeros(2, requires_grad=True).requires_grad
    assert nt.empty_strided((2, 2), (1, 2)).stride() == (1, 2)
    assert nt.scalar_tensor(3).shape == ()


@pytest.mark.parametrize(
    ("args", "dtype"),
    [
        ((5,), "int64"),
        ((1, 6, 2), "int64"),
        ((0, 1, 0.25), "float32"),
        ((5, 0, -2), "int64"),
        ((0,), "int64"),
    ],
)
def test_arange(args, dtype):
    x = nt.arange(*args)
    np.testing.assert_allclose(x.numpy(), np.arange(*args))
    assert x.dtype is getattr(nt, dtype)


def test_linspace_logspace_eye():
    np.testing.assert_allclose(
        nt.linspace(-1, 2, 7, dtype=nt.float64).numpy(), np.linspace(-1, 2, 7)
    )
    assert nt.linspace(3, 9, 1).tolist() == [3] and nt.linspace(0, 1, 0).shape == (0,)
    np.testing.assert_allclose(nt.logspace(0, 2, 3).numpy(), [1, 10, 100])
    assert (
        nt.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
        and nt.eye(2, dtype=nt.int64).dtype is nt.int64
    )
    out = nt.empty(0)
    assert nt.arange(3, out=out) is out and out.tolist() == [0, 1, 2]


def test_tensor_from_python():
    assert (
        nt.tensor(3).dtype is nt.int64
        and nt.tensor(3.0).dtype is nt.float32
        and nt.tensor(True).dtype is nt.bool
    )
    assert nt.tensor([[1, 2], [3, 4]]).shape == (2, 2) and nt.tensor([]).shape == (0,)
    assert nt.tensor([1, 2.5]).tolist() == [1, 2.5] and nt.tensor([[], []]).shape == (2, 0)
    assert nt.tensor([nt.tensor(1), nt.tensor(2)]).tolist() == [1, 2]
    assert nt.tensor(np.float64([1, 2])).dtype is nt.float64
    assert nt.tensor([1, 2], dtype=nt.float64, requires_grad=True).requires_grad
    a = np.zeros(2)
    nt.tensor(a).add_(1)
    assert a.tolist() == [0, 0]
    with pytest.warns(UserWarning, match="To copy construct from a tensor"):
        nt.tensor(nt.ones(2))


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (
            lambda: nt.tensor([[1, 2], [3]]),
            ValueError,
            r"expected sequence of length 2 at dim 1 \(got 1\)",
        ),
        (lambda: nt.tensor(["a"]), TypeError, "new\\(\\): invalid data type 'str'"),
        (
            lambda: nt.tensor([1], dtype=int),
            TypeError,
            "argument 'dtype' must be torch.dtype, not type",
        ),
        (
            lambda: nt.tensor(np.array([1 + 2j])),
            TypeError,
            "can't convert np.ndarray of type numpy.complex128",
        ),
        (lambda: nt.zeros(-1), RuntimeError, "Trying to create tensor with negative dimension -1"),
        (lambda: nt.zeros(2.5), TypeError, "argument 'size' must be int, not float"),
        (lambda: nt.arange(0, 5, 0), RuntimeError, "step must be nonzero"),
        (
            lambda: nt.arange(0, 5, -1),
            RuntimeError,
            "upper bound and lower bound inconsistent with step sign",
        ),
        (lambda: nt.linspace(0, 1, -1), RuntimeError, "number of steps must be non-negative"),
        (lambda: nt.eye(-1), RuntimeError, "n must be greater or equal to 0, got -1"),
        (lambda: nt.from_numpy([1]), TypeError, r"expected np.ndarray \(got list\)"),
        (
            lambda: nt.from_numpy(np.arange(4)[::-1]),
            ValueError,
            "stride in the given numpy array is negative",
        ),
        (
            lambda: nt.from_numpy(np.array(["a"])),
            TypeError,
            "can't convert np.ndarray of type numpy.str_",
        ),
        (lambda: nt.zeros(1, device="tpu"), RuntimeError, "Expected one of cpu, cuda device type"),
        (
            lambda: nt.zeros(1, dtype=nt.int64, requires_grad=True),
            RuntimeError,
            "Only Tensors of floating point",
        ),
        (
            lambda: nt.set_default_dtype(nt.int64),
            TypeError,
            "only floating-point types are supported as the default",
        ),
    ],
)
def test_errors(call, kind, match):
    with pytest.raises(kind, match=match):
        call()


def test_numpy_shares_memory():
    a = np.arange(6.0).reshape(2, 3)
    x = nt.from_numpy(a)
    x[0, 0] = 9
    assert a[0, 0] == 9 and x.numpy() is not None and np.asarray(x)[0, 0] == 9
    a.T[2, 1] = -1
    assert x[1, 2].item() == -1
    y = nt.from_numpy(a.T)
    assert y.stride() == (1, 3) and not y.is_contiguous() and y.contiguous().is_contiguous()
    assert (
        nt.as_tensor(a).data_ptr() == x.data_ptr()
        and nt.as_tensor(a, dtype=nt.float32).dtype is nt.float32
    )
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        nt.from_numpy(frozen)


def test_dlpack_both_ways():
    x = nt.arange(6).reshape(2, 3)
    a = np.from_dlpack(x)
    a[0, 0] = 7
    assert x[0, 0].item() == 7
    y = nt.from_dlpack(np.arange(3.0))
    assert y.tolist() == [0, 1, 2] and nt.from_dlpack(x).data_ptr() == x.data_ptr()
    assert x.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="Can't export tensors that require gradient"):
        np.from_dlpack(nt.ones(2, requires_grad=True))
    with pytest.raises(AttributeError, match="has no __dlpack__"):
        nt.from_dlpack([1])


def test_numpy_errors():
    with pytest.raises(RuntimeError, match="Can't call numpy\\(\\) on Tensor that requires grad"):
        nt.ones(2, requires_grad=True).numpy()


def test_no_gpu():
    if nt.cuda.is_available():
        pytest.skip("this machine has a GPU")
    for call in (
        lambda: nt.zeros(1, device="cuda"),
        lambda: nt.ones(1).cuda(),
        lambda: nt.ones(1).to("cuda:0"),
    ):
        with pytest.raises(RuntimeError, match="No CUDA GPUs are available"):
            call()


def test_conversions():
    x = nt.tensor([1.7, -2.3, 0.0])
    assert (
        x.int().tolist() == [1, -2, 0]
        and x.bool().tolist() == [True, True, False]
        and x.long().dtype is nt.int64
    )
    assert (
        x.to(nt.float32) is x
        and x.to(nt.float32, copy=True) is not x
        and x.double().dtype is nt.float64
    )
    assert x.type() == "torch.FloatTensor" and x.type(nt.int8).dtype is nt.int8
    assert (
        x.type("torch.DoubleTensor").dtype is nt.float64
        and x.type_as(x.double()).dtype is nt.float64
    )
    assert x.to(x.double()).dtype is nt.float64 and x.cpu() is x
    assert float(nt.tensor(2.5)) == 2.5 and int(nt.tensor(2.5)) == 2 and bool(nt.tensor(0)) is False
    assert [10, 20, 30][nt.tensor(1)] == 20 and f"{nt.tensor(1.5):.2f}" == "1.50"
    assert nt.ones(2, dtype=nt.float32).view(nt.int32).tolist() == [1065353216] * 2
    with pytest.raises(
        RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"
    ):
        bool(nt.ones(2))
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        [1, 2][nt.tensor(1.0)]
    with pytest.raises(ValueError, match="invalid type: 'torch.Foo'"):
        x.type("torch.Foo")


def test_the_class_is_a_constructor():
    assert nt.Tensor(2, 3).shape == (2, 3) and nt.Tensor().shape == (0,)
    assert nt.Tensor([1, 2]).dtype is nt.float32 and nt.Tensor([1, 2]).tolist() == [1, 2]
    assert nt.Tensor(nt.Size([4])).shape == (4,) and nt.Tensor(np.arange(3)).tolist() == [0, 1, 2]

    class Own(nt.Tensor):
        """A subclass keeps its type."""

    assert type(Own([1.0])) is Own and isinstance(Own([1.0]) * 2, nt.Tensor)


def test_missing_names_are_attribute_errors():
    assert not hasattr(nt, "linalg_of_tomorrow")
    with pytest.raises(AttributeError, match="module 'numtorch' has no attribute 'nope'"):
        _ = nt.nope


def test_promotion_matches_torch(torch):
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]
    for a in names:
        for b in names:
            want = torch.promote_types(getattr(torch, a), getattr(torch, b))
            assert str(nt.promote_types(getattr(nt, a), getattr(nt, b))) == str(want)
            for shape in ((), (2,)):
                ours = nt.result_type(
                    nt.ones(2, dtype=getattr(nt, a)), nt.ones(shape, dtype=getattr(nt, b))
                )
                theirs = torch.result_type(
                    torch.ones(2, dtype=getattr(torch, a)),
                    torch.ones(shape, dtype=getattr(torch, b)),
                )
                assert str(ours) == str(theirs)
        for value in (True, 2, 2.5):
            ours = nt.result_type(nt.ones(2, dtype=getattr(nt, a)), value)
            assert str(ours) == str(
                torch.result_type(torch.ones(2, dtype=getattr(torch, a)), value)
            )


def test_deepcopy_and_pickle():
    import copy
    import pickle

    x = nt.arange(6.0).reshape(2, 3).requires_grad_()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.tolist() == x.tolist() and y.data_ptr() != x.data_ptr()
    z = pickle.loads(pickle.dumps(x.detach().t()))
    assert z.tolist() == x.t().tolist() and z.stride() == (1, 3)
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)


def test_resize_and_set():
    x = nt.arange(4.0)
    x.resize_(2, 2)
    assert x.tolist() == [[0, 1], [2, 3]]
    x.resize_(6)
    assert x[:4].tolist() == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        nt.ones(2, requires_grad=True).resize_(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = nt.empty(0)
        nt.add(nt.ones(3), 1, out=out)
    assert out.tolist() == [2, 2, 2]
    with pytest.warns(UserWarning, match="An output with one or more elements was resized"):
        nt.add(nt.ones(3), 1, out=nt.ones(2))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        nt.add(nt.ones(3, requires_grad=True), 1, out=nt.ones(3))
    with pytest.raises(
        RuntimeError, match="result type Float can't be cast to the desired output type Long"
    ):
        nt.add(nt.ones(3), 1, out=nt.ones(3, dtype=nt.int64))


def test_overlapping_writes_are_refused():
    x = nt.arange(5.0)
    with pytest.raises(
        RuntimeError, match="some elements of the input tensor and the written-to tensor"
    ):
        x[1:].add_(x[:-1])
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        nt.ones(1).expand(3).add_(1)
    assert x.tolist() == [0, 1, 2, 3, 4]


def test_mixed_devices_are_refused_by_name():
    from numtorch.core.errors import mixed_devices
    from numtorch.core.spec import Spec

    specs = [Spec.of((2,), nt.float32), Spec.of((2,), nt.float32, nt.device("cuda", 0))]
    text = str(mixed_devices("add", specs))
    assert (
        "Expected all tensors to be on the same device, but found at least two devices, cpu and "
        "cuda:0!" in text
    )
