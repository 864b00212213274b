"""New tensors: from sizes, ranges, Python data and NumPy arrays."""

import math

import numpy as np

from ...backends import registry
from ...core import dtype as dtypes
from ...core import generate, shape
from ...core.batching import Batch
from ...core.device import resolve
from ...core.dtype import dtype as dtype_class
from ...core.interp import runtime
from ...core.op import primitive
from ...core.out import to_out
from ...core.plans import LIMIT, register
from ...core.spec import Spec, weak
from ...core.tape import requiring
from ...core.tensor import Tensor, wrap
from ..pointwise import compare
from ..pointwise.public import fill_
from .data import as_tensor, checked_dtype, from_array, from_numpy, tensor

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "empty_strided",
    "eye",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "range",
    "scalar_tensor",
    "tensor",
    "zeros",
    "zeros_like",
]


# -- primitives ------------------------------------------------------------------------------------
@primitive(vjp={}, aliasing=True)
def arange_op(input, *, start, step):
    """start + i * step at element i; the input's values are not read. (N,) -> (N,)"""
    return input


@primitive(vjp={}, aliasing=True)
def linspace_op(input, *, start, end):
    """Evenly from start to end, both included; the input's values are not read. (N,) -> (N,)"""
    return input


fill_op = compare.fill_op.op
_arange, _linspace = (generate.stub(f.op, "in_place") for f in (arange_op, linspace_op))
_NUMBERS = {bool, int, float}
_allocators: dict = register({})  # (size, dtype, device): what `_allocator` says of them


# -- helpers ---------------------------------------------------------------------------------------
def new_empty_tensor(size, dtype, device, requires_grad=False) -> Tensor:
    """Uninitialized memory as a tensor."""
    key = size, dtype, device
    found = _allocators.get(key)
    if found is None:
        found = _allocator(*key)
        if len(_allocators) < LIMIT:
            _allocators[key] = found
    spec, allocate = found
    t = wrap(allocate(), spec)
    return requiring(t) if requires_grad else t


def _allocator(size, dtype, device):
    """The spec of new memory, and a function that makes it."""
    dev = resolve(device)
    if dev.type != "cpu":
        registry.memory(dev).check_available(dev.index)
    for n in size:
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
    spec = Spec.of(size, dtype, dev)
    return spec, registry.memory(dev).allocator(spec)


def _put(t: Tensor, value) -> Tensor:
    """`fill_` for a tensor that nobody else has seen: without its checks, for numbers."""
    if runtime["interp"] is not None or value.__class__ not in _NUMBERS:
        return fill_(t, value)
    spec = t._spec
    fill_op.into_plans[spec, spec, weak(value)](t._array, value, t._array)
    return t


def _filled(name, size, value, dtype, device, requires_grad, out):
    size = shape.as_sizes(size, name)
    if out is not None:
        return fill_(_sized(out, size), value)
    t = _put(new_empty_tensor(size, checked_dtype(dtype, name), device), value)
    return requiring(t) if requires_grad else t


def _sized(out, size):
    if tuple(out.shape) != tuple(size):
        out.resize_(size)
    return out


# -- sizes -----------------------------------------------------------------------------------------
def empty(
    *size,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
    memory_format=None,
):
    """Uninitialized memory of a shape."""
    size = shape.as_sizes(size, "empty")
    if out is not None:
        return _sized(out, size)
    return new_empty_tensor(size, checked_dtype(dtype, "empty"), device, requires_grad)


def zeros(
    *size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """Zeros of a shape."""
    return _filled("zeros", size, 0, dtype, device, requires_grad, out)


def ones(
    *size, out=None, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """Ones of a shape."""
    return _filled("ones", size, 1, dtype, device, requires_grad, out)


def full(size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """A shape full of one value; the dtype follows from the value."""
    if dtype is None and out is None:
        dtype = (
            fill_value._spec.dtype
            if isinstance(fill_value, Tensor)
            else dtypes.of_number(fill_value)
        )
    return _filled(
        "full",
        (size,) if isinstance(size, int) else tuple(size),
        fill_value,
        dtype,
        device,
        requires_grad,
        out,
    )


def empty_strided(
    size, stride, *, dtype=None, layout=None, device=None, requires_grad=False, pin_memory=False
):
    """Uninitialized memory with given strides."""
    size, stride = tuple(size), tuple(stride)
    t = new_empty_tensor(
        (shape.extent(size, stride),), checked_dtype(dtype, "empty_strided"), device
    )
    return t.as_strided(size, stride).detach().requires_grad_(requires_grad)


def _like(name, input, value, dtype, device, requires_grad, memory_format):
    spec = input._spec
    if input._array.__class__ is Batch:
        options = name, value, dtype, device, requires_grad, memory_format
        return input._array.wrap(_like(options[0], input._array.tensor, *options[1:]))
    if (
        dtype is None
        and device is None
        and memory_format is None
        and spec.contiguous
        and not requires_grad
    ):
        t = wrap(
            registry.memory(spec.device).empty(spec), spec
        )  # the usual call, on the path of every backward()
        return t if value is None else _put(t, value)
    dtype = spec.dtype if dtype is None else dtype
    t = new_empty_tensor(tuple(spec.shape), dtype, spec.device if device is None else device)
    if not spec.contiguous and str(memory_format) in ("None", "torch.preserve_format"):
        dense = shape.is_dense(spec.shape, spec.strides)
        strides = spec.strides if dense else shape.dense_strides(spec.shape, spec.strides)
        t = t.as_strided(tuple(spec.shape), strides).detach()
    if value is not None:
        _put(t, value)
    return requiring(t) if requires_grad else t


def empty_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """Uninitialized memory with the shape, dtype and device of `input`."""
    return _like("empty_like", input, None, dtype, device, requires_grad, memory_format)


def zeros_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """Zeros with the shape, dtype and device of `input`."""
    return _like("zeros_like", input, 0, dtype, device, requires_grad, memory_format)


def ones_like(
    input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None
):
    """Ones with the shape, dtype and device of `input`."""
    return _like("ones_like", input, 1, dtype, device, requires_grad, memory_format)


def full_like(
    input,
    fill_value,
    *,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
):
    """One value in the shape, dtype and device of `input`."""
    return _like("full_like", input, fill_value, dtype, device, requires_grad, memory_format)


runtime["zeros_like"] = zeros_like  # for core/tangents.py


# -- ranges ----------------------------------------------------------------------------------------
def _number(value):
    return value.item() if isinstance(value, Tensor) else value


def arange(
    start,
    end=None,
    step=1,
    *,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """start, start + step, ... up to but without `end`. () -> (ceil((end - start) / step),)"""
    if end is None:
        start, end = 0, start
    start, end, step = _number(start), _number(end), _number(step)
    if dtype is None and out is None:
        floats = any(isinstance(v, float) for v in (start, end, step))
        dtype = dtypes.get_default_dtype() if floats else dtypes.int64
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    n = math.ceil((end - start) / step)
    t = new_empty_tensor(
        (n,), out._spec.dtype if out is not None else checked_dtype(dtype, "arange"), device
    )
    _arange(t, start, step)
    if out is not None:
        return to_out(t, out, "arange")
    return requiring(t) if requires_grad else t


def range(
    start, end, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
):  # noqa: A001
    """start, start + step, ... up to and with `end`; torch deprecates it in favour of arange."""
    n = int((end - start) / step) + 1
    t = new_empty_tensor((n,), checked_dtype(dtype, "range"), device)
    _arange(t, start, step)
    return to_out(t, out, "range") if out is not None else requiring(t) if requires_grad else t


def linspace(
    start, end, steps, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
):
    """`steps` values, evenly from start to end, both included. () -> (steps,)"""
    start, end = _number(start), _number(end)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    t = new_empty_tensor(
        (steps,), out._spec.dtype if out is not None else checked_dtype(dtype, "linspace"), device
    )
    if t._spec.dtype is dtypes.bool_:
        raise RuntimeError("\"linspace_cpu\" not implemented for 'Bool'")
    _linspace(t, start, end)
    if out is not None:
        return to_out(t, out, "linspace")
    return requiring(t) if requires_grad else t


def logspace(
    start,
    end,
    steps,
    base=10.0,
    *,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
):
    """base ** linspace(start, end, steps). () -> (steps,)"""
    exact = linspace(start, end, steps, dtype=dtypes.float64, device=device)
    t = (float(base) ** exact).to(
        checked_dtype(dtype, "logspace") if out is None else out._spec.dtype
    )
    if out is not None:
        return to_out(t, out, "logspace")
    return requiring(t) if requires_grad else t


def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """Ones on the diagonal of zeros. () -> (n, m)"""
    m = n if m is None else m
    if n < 0 or m < 0:
        raise RuntimeError(f"n must be greater or equal to 0, got {n if n < 0 else m}")
    t = _filled("eye", (n, m), 0, dtype, device, False, out)
    t.diagonal().fill_(1)
    return requiring(t) if requires_grad else t


def scalar_tensor(s, *, dtype=None, layout=None, device=None, requires_grad=False):
    """A 0-d tensor with one value."""
    return full(
        (),
        s,
        dtype=checked_dtype(dtype, "scalar_tensor"),
        device=device,
        requires_grad=requires_grad,
    )


# -- methods ---------------------------------------------------------------------------------------
def _options(input, dtype, device):
    return (
        input._spec.dtype if dtype is None else dtype,
        input._spec.device if device is None else device,
    )


def new_tensor(
    input, data, *, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
):
    """A tensor of the data with this one's dtype and device."""
    dtype, device = _options(input, dtype, device)
    return tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)


def _batch_of(input, new, size, *value, **options):
    """New memory like that of a batched tensor: with room for all samples."""
    batch = input._array
    size = shape.as_sizes(size, "new_empty")
    return batch.wrap(new(batch.tensor, (batch.level.size, *size), *value, **options))


def new_empty(
    input, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
):
    """Uninitialized memory with this tensor's dtype and device."""
    if input._array.__class__ is Batch:
        return _batch_of(input, new_empty, size, dtype=dtype, device=device)
    dtype, device = _options(input, dtype, device)
    return empty(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def new_zeros(
    input, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
):
    """Zeros with this tensor's dtype and device."""
    if input._array.__class__ is Batch:
        return _batch_of(input, new_zeros, size, dtype=dtype, device=device)
    dtype, device = _options(input, dtype, device)
    return zeros(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def new_ones(
    input, *size, dtype=None, device=None, requires_grad=False, layout=None, pin_memory=False
):
    """Ones with this tensor's dtype and device."""
    if input._array.__class__ is Batch:
        return _batch_of(input, new_ones, size, dtype=dtype, device=device)
    dtype, device = _options(input, dtype, device)
    return ones(*size, dtype=dtype, device=device, requires_grad=requires_grad)


def new_full(
    input,
    size,
    fill_value,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    layout=None,
    pin_memory=False,
):
    """One value with this tensor's dtype and device."""
    if input._array.__class__ is Batch and not isinstance(fill_value, Tensor):
        return _batch_of(input, new_full, (size,), fill_value, dtype=dtype, device=device)
    dtype, device = _options(input, dtype, device)
    return full(size, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)


METHODS = {
    "new_tensor": new_tensor,
    "new_empty": new_empty,
    "new_zeros": new_zeros,
    "new_ones": new_ones,
    "new_full": new_full,
}
