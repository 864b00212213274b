"""Tensors from Python data and NumPy arrays."""

import numpy as np

from ...core import dtype as dtypes
from ...core import shape
from ...core.dtype import dtype as dtype_class
from ...core.interp import runtime
from ...core.plans import LIMIT, register
from ...core.spec import Spec
from ...core.tape import requiring
from ...core.tensor import Tensor, wrap

_layouts: dict = register({})  # (dtype, shape, strides) of an array: its Spec, and its extent


def checked_dtype(dtype, name: str) -> dtype_class:
    """The dtype argument, the default one for None."""
    if dtype is None:
        return dtypes.get_default_dtype()
    if not isinstance(dtype, dtype_class):
        raise TypeError(
            f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}"
        )
    return dtype


def _lengths(data, dim: int = 0) -> None:
    """Raise torch's errors for what is no (nested) sequence of numbers of even lengths."""
    if isinstance(data, (list, tuple)) and data and isinstance(data[0], (list, tuple)):
        for row in data:
            got = len(row) if isinstance(row, (list, tuple)) else 0
            if got != len(data[0]):
                raise ValueError(
                    f"expected sequence of length {len(data[0])} at dim {dim + 1} (got {got})"
                )
            _lengths(row, dim + 1)


def _plain(data):
    """Nested data with tensors replaced by numbers or lists."""
    if isinstance(data, Tensor):
        return data.tolist()
    if isinstance(data, (list, tuple)):
        return (
            [_plain(v) for v in data]
            if any(isinstance(v, (Tensor, list, tuple)) for v in data)
            else data
        )
    return data


def _to_array(data, dtype, name: str) -> np.ndarray:
    """Python data as an array of the dtype that torch gives it."""
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        dtypes.from_numpy_dtype(array.dtype)
    else:
        plain = _plain(data)
        _lengths(plain)
        try:
            array = np.array(plain)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{name}: cannot make a tensor of this data: {error}") from None
        if array.dtype.kind in "USO":
            inner = plain
            while isinstance(inner, (list, tuple)) and inner:
                inner = inner[0]
            if isinstance(inner, int):
                raise RuntimeError("Overflow when unpacking long long")
            raise TypeError(f"new(): invalid data type '{type(inner).__name__}'")
        if dtype is None:
            kind = array.dtype.kind
            if array.size == 0 or kind == "f":
                dtype = dtypes.get_default_dtype()
            elif kind == "u":
                raise RuntimeError("Overflow when unpacking long long")
            elif kind == "i":
                dtype = dtypes.int64
            elif kind == "c":
                raise TypeError("complex dtypes are not supported yet")
    if dtype is not None and array.dtype != dtype.np:
        if array.dtype == np.float64 and dtype is dtypes.float32:  # without NumPy's warnings
            return runtime["to_dtype"](from_array(array), dtype)._array
        with np.errstate(all="ignore"):
            array = array.astype(dtype.np)
    return array


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of the data: numbers, nested sequences, arrays.

    Raises ValueError for rows of different lengths, TypeError for what is no number.
    """
    if dtype is not None:
        checked_dtype(dtype, "tensor")
    if isinstance(data, Tensor):
        import warnings  # noqa: PLC0415 (only for this rare case)

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or "
            "sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).",
            stacklevel=2,
        )
        t = data.detach().clone()
        t = t if dtype is None and device is None else t.to(device=device, dtype=dtype)
        return requiring(t) if requires_grad else t
    array = _to_array(data, dtype, "tensor")
    if not array.flags.c_contiguous or isinstance(data, np.ndarray | np.generic):
        array = np.array(array, order="C")
    t = from_array(array)
    if device is not None:
        t = t.to(device)
    return requiring(t) if requires_grad else t


def from_array(array: np.ndarray) -> Tensor:
    """A tensor on an array's own memory."""
    key = array.dtype, array.shape, array.strides
    found = _layouts.get(key)
    if found is None:
        found = _layout(array)
        if len(_layouts) < LIMIT:
            _layouts[key] = found
    spec, extent = found
    t = wrap(array, spec)
    if extent is not None:
        t._storage.array = np.lib.stride_tricks.as_strided(array, (extent,), (array.itemsize,))
    return t


def _layout(array: np.ndarray) -> tuple[Spec, int | None]:
    """The spec of an array, and how long its storage is, if that is not the array: what lies
    between the first element and the last.
    """
    d = dtypes.from_numpy_dtype(array.dtype)
    item = array.itemsize
    strides = tuple(s // item for s in array.strides)
    if array.size and any(
        s % item for s, n in zip(array.strides, array.shape, strict=True) if n > 1
    ):
        raise ValueError(
            "given numpy array strides not a multiple of the element byte size. Copy array first."
        )
    for s, n in zip(strides, array.shape, strict=True):
        if s < 0 and n > 1:
            raise ValueError(
                "At least one stride in the given numpy array is negative, and tensors with "
                "negative strides are not currently supported. (You can probably work around this "
                "by making a copy of your array with array.copy().) "
            )
    spec = Spec.of(array.shape, d, strides=None if array.flags.c_contiguous else strides)
    return spec, None if spec.contiguous else shape.extent(spec.shape, spec.strides)


def from_numpy(ndarray) -> Tensor:
    """A tensor that shares the array's memory.

    Raises TypeError for anything but an ndarray of a dtype that tensors have, ValueError for
    negative strides.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.flags.writeable:
        import warnings  # noqa: PLC0415 (only for this rare case)

        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable "
            "tensors. This means writing to this tensor will result in undefined behavior. You may "
            "want to copy the array to protect its data or make it writable before converting it "
            "to a tensor.",
            stacklevel=2,
        )
    return from_array(ndarray)


def as_tensor(data, dtype=None, device=None) -> Tensor:
    """The data as a tensor, without a copy where its dtype and device are right."""
    if isinstance(data, Tensor):
        return data if dtype is None and device is None else data.to(device=device, dtype=dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtype.np):
        t = from_array(data)
    else:
        t = from_array(np.array(_to_array(data, dtype, "as_tensor"), order="C"))
    return t if device is None else t.to(device)
