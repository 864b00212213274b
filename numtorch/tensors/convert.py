"""To other dtypes and devices, and to and from Python, NumPy and DLPack."""

import copy

import numpy as np

from ..backends import registry
from ..core import dtype as dtypes
from ..core import errors, tape
from ..core.batching import Batch
from ..core.device import CPU, device, resolve
from ..core.dtype import dtype
from ..core.inference import is_inference
from ..core.inplace import history, touched
from ..core.interp import runtime
from ..core.op import primitive
from ..core.shape import Size, as_sizes, is_dense
from ..core.spec import Spec
from ..core.tensor import Storage, Tensor, View, new, offset_of, wrap, wrap_view
from ..ops.copy import clone, memory_format, to_dtype
from ..ops.create import empty, from_array, tensor
from .printing import tensor_repr
from .properties import C_NAMES


# -- dtypes and devices
# ------------------------------------------------------------------------------------------------
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):  # noqa: A002
    """The tensor with a dtype and on a device: itself if nothing changes, unless `copy`.

    `to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`.
    """
    dtype, device = _targets(args, dtype, device)
    dtype = self._spec.dtype if dtype is None else dtype
    dev = self._spec.device if device is None else resolve(device)
    result = self
    if dev is not self._spec.device:
        result = to_device_op(result, dev)
    if dtype is not result._spec.dtype:
        result = to_dtype(result, dtype)
    return clone(self) if copy and result is self else result


def _targets(args, dtype_, device_):
    for a in args:
        if isinstance(a, dtype):
            dtype_ = a
        elif isinstance(a, Tensor):
            dtype_, device_ = a._spec.dtype, a._spec.device
        elif isinstance(a, (str, device, int)) and not isinstance(a, bool):
            device_ = a
        elif a is not None and not isinstance(a, (bool, memory_format)):
            raise TypeError(
                f"to() received an invalid combination of arguments - got ({type(a).__name__}): "
                "expected a dtype, a device or a Tensor"
            )
    if dtype_ is not None and not isinstance(dtype_, dtype):
        raise TypeError(f"to(): argument 'dtype' must be torch.dtype, not {type(dtype_).__name__}")
    return dtype_, device_


@primitive(
    vjp={"input": lambda g, _input: to_device_op(g, _input.device)},
    node_name="ToCopyBackward0",
    module="numtorch.ops.copy",
)
def to_device_op(input, *, device):
    """A copy on another device. (...) -> (...)"""
    registry.memory(device).check_available(device.index)
    return Spec.of(input.shape, input.dtype, device)


def cpu(self, memory_format=None):
    """The tensor in the host's memory."""
    return self.to(CPU)


def cuda(self, device=None, non_blocking=False, memory_format=None):
    """The tensor on a GPU. RuntimeError where there is none."""
    return self.to(
        "cuda" if device is None else device if isinstance(device, str) else f"cuda:{device}"
    )


def _cast(name: str, target: dtype):
    def convert(self, memory_format=None):
        return to_dtype(self, target)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The tensor as {target}."
    return convert


CASTS = {
    name: _cast(name, target)
    for name, target in dict(
        float=dtypes.float32,
        double=dtypes.float64,
        int=dtypes.int32,
        long=dtypes.int64,
        short=dtypes.int16,
        char=dtypes.int8,
        byte=dtypes.uint8,
        bool=dtypes.bool_,
    ).items()
}


def type_(self, dtype=None, non_blocking=False, **kwargs):
    """The type's name, or the tensor converted to a dtype or to the type of that name."""
    if dtype is None:
        return type_name(self._spec)
    if isinstance(dtype, str):
        by_name = {d.type_name: d for d in dtypes.BY_NAME.values()}
        found = by_name.get(dtype.rpartition(".")[2])
        if found is None:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = found
    return to_dtype(self, dtype)


def type_name(spec: Spec) -> str:
    """`torch.FloatTensor` and the like."""
    return f"torch.{'cuda.' if spec.device.type == 'cuda' else ''}{spec.dtype.type_name}"


def type_as(self, other):
    """The tensor with another's dtype and device."""
    return self.to(other)


def view_dtype(self, target):
    """The same memory read as another dtype."""
    if not isinstance(target, dtype):
        raise TypeError(
            f"view(): argument 'dtype' must be torch.dtype, not {type(target).__name__}"
        )
    spec = self._spec
    if target is spec.dtype:
        return self.view_as(self)
    old, new = spec.dtype.itemsize, target.itemsize
    size, strides, offset = list(spec.shape), list(spec.strides), offset_of(self)
    if old != new:
        if not size:
            raise RuntimeError(
                "self.dim() cannot be 0 to view Float as Double (different element sizes)"
            )
        if strides[-1] != 1:
            raise RuntimeError(
                f"self.stride(-1) must be 1 to view {spec.dtype} as {target} (different element "
                f"sizes), but got "
                f"{strides[-1]}"
            )
        if size[-1] * old % new or any(s * old % new for s in strides[:-1]) or offset * old % new:
            raise RuntimeError(
                f"self.size(-1) must be divisible by {new // old} to view {spec.dtype} as {target} "
                f"(different element sizes), but got {size[-1]}"
            )
        size[-1] = size[-1] * old // new
        strides = [s * old // new for s in strides[:-1]] + [1]
        offset = offset * old // new
    viewed = Spec.of(size, target, spec.device, tuple(strides))
    array = registry.memory(spec.device).view(self._storage.array, viewed, offset)
    return wrap_view(array, viewed, self._storage, View(offset, None))


# -- Python ----------------------------------------------------------------------------------------
def item(self):
    """The value of a tensor with one element, as a Python number."""
    if self._spec.numel != 1:
        raise RuntimeError(
            f"a Tensor with {self._spec.numel} elements cannot be converted to Scalar"
        )
    return host_array(self, ".item()").item()


def tolist(self):
    """The values as nested lists of Python numbers (a number for a 0-d tensor)."""
    return host_array(self, ".tolist()").tolist()


def host_array(self, what=".numpy()") -> np.ndarray:
    """The values as an ndarray: shared with a CPU tensor, copied from a GPU."""
    if self._array.__class__ is Batch:
        self._array.refuse(what)
    return registry.memory(self._spec.device).to_numpy(self._array, self._spec)


def to_bool(self) -> bool:
    """The truth value of a tensor with one element."""
    if self._spec.numel != 1:
        kind = "no values" if self._spec.numel == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {kind} is ambiguous")
    return bool(host_array(self, "bool()").item())


def to_float(self) -> float:
    """The value as a float."""
    return float(item(self))


def to_int(self) -> int:
    """The value as an int, rounded towards zero."""
    return int(item(self))


def to_index(self) -> int:
    """The value of an integer tensor with one element, for use as an index."""
    if self._spec.numel != 1 or self._spec.dtype.is_floating_point:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(item(self))


def format_(self, spec: str) -> str:
    """A plain 0-d tensor formats as its number."""
    if self._spec.ndim == 0 and type(self) is Tensor:
        return format(self.item(), spec)
    return object.__format__(self, spec)


# -- NumPy and DLPack
# --------------------------------------------------------------------------------------------------
def numpy(self, *, force=False) -> np.ndarray:
    """An ndarray on the same memory. RuntimeError for tensors that require grad, TypeError for GPU
    tensors.
    """
    if force:
        return host_array(self)
    if self._node is not None and tape.grad_mode.get():
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    if self._spec.device is not CPU:
        raise TypeError(
            f"can't convert {self._spec.device} device type tensor to numpy. Use Tensor.cpu() to "
            "copy the tensor to host memory first."
        )
    return host_array(self) if self._array.__class__ is Batch else self._array


def as_array(self, dtype=None, copy=None) -> np.ndarray:
    """NumPy's protocol for `np.asarray(tensor)`."""
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        return array.astype(dtype)
    return array.copy() if copy else array


def to_dlpack_capsule(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A DLPack capsule of the tensor's memory."""
    if self._node is not None:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if self._spec.device is not CPU:
        return self._array.__dlpack__(stream=stream)
    return (
        self._array.__dlpack__()
        if max_version is None
        else self._array.__dlpack__(max_version=max_version)
    )


def dlpack_device(self) -> tuple:
    """DLPack's (device type, index): 1 is the CPU, 2 CUDA."""
    d = self._spec.device
    return (1, 0) if d.type == "cpu" else (2, d.index)


def from_dlpack(ext_tensor) -> Tensor:
    """A tensor on the memory of any object that speaks DLPack; nothing is copied."""
    if isinstance(ext_tensor, Tensor):
        return ext_tensor.detach()
    if not hasattr(ext_tensor, "__dlpack__"):
        raise AttributeError(f"from_dlpack: a {type(ext_tensor).__name__} has no __dlpack__ method")
    return from_array(np.from_dlpack(ext_tensor))


# -- memory ----------------------------------------------------------------------------------------
def resize_(self, *sizes, memory_format=None):
    """Another shape in the same memory, or in more where it is too small; new elements are
    uninitialized.
    """
    size = as_sizes(sizes, "resize_")
    if self._node is not None and not tape.inference_mode.get():
        raise RuntimeError("cannot resize variables that require grad")
    if is_inference(self) and not tape.inference_mode.get():
        raise errors.inference_in_place()
    if size == tuple(self._spec.shape):
        return self
    spec = Spec.of(size, self._spec.dtype, self._spec.device)
    offset, memory = offset_of(self), registry.memory(spec.device)
    have = self._storage.array.nbytes // spec.dtype.itemsize
    if offset + spec.numel > have:
        grown = memory.empty(Spec.of((offset + spec.numel,), spec.dtype, spec.device))
        old = memory.view(self._storage.array, Spec.of((have,), spec.dtype, spec.device), 0)
        grown[:have] = old
        self._storage.array = grown
    self._array = memory.view(self._storage.array, spec, offset)
    self._spec = spec
    view = getattr(self, "_view", None)
    self._view = View(offset, view.base, view.creation) if view else View(offset, None)
    self._storage.version += 1
    if getattr(self._storage, "views", None):
        touched(self._storage.views)
    return self


def resize_as_(self, tensor, memory_format=None):
    """`resize_` to another tensor's shape."""
    return resize_(self, tuple(tensor.shape))


def set_(self, source=None, storage_offset=0, size=None, stride=None):
    """Let this tensor use the memory and geometry of another."""
    if source is None:
        source = wrap(np.empty(0, self._spec.dtype.np), self._spec.like(shape=(0,)))
    if source._spec.dtype is not self._spec.dtype:
        raise RuntimeError(
            f"Could not set tensor of type {C_NAMES[source._spec.dtype.name]} to a tensor of type "
            f"{C_NAMES[self._spec.dtype.name]}"
        )
    storage = new(Storage)  # a tensor's changes are counted on, whatever its memory
    storage.array, storage.version = source._storage.array, self._storage.version + 1
    storage.views = None
    self._array, self._spec, self._storage = source._array, source._spec, storage
    self._view = View(offset_of(source), None)
    return self


def share_memory_(self):
    """The tensor itself: it may be sent to other processes, which get copies of their own.

    No memory is shared, so that a change in one process is not seen in another, as it is in torch.
    """
    return self


def pin_memory(self, device=None):
    """Page-locked memory for transfers to a GPU. RuntimeError where there is none."""
    registry.memory(device_of_first_gpu()).check_available(0)
    return self


def device_of_first_gpu() -> device:
    """`cuda:0`."""
    return device("cuda", 0)


def is_pinned(self) -> bool:
    """Whether the memory is page-locked: never."""
    return False


def deepcopy(self, memo):
    """A copy of memory, gradient and flags; shared storages stay shared within one deepcopy."""
    if id(self) in memo:
        return memo[id(self)]
    if self._node is not None and self._node.leaf is None:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    key = ("storage", id(self._storage))
    root = memo.get(key)
    if root is None:
        memory = registry.memory(self._spec.device)
        n = self._storage.array.nbytes // self._spec.dtype.itemsize
        whole = Spec.of((n,), self._spec.dtype, self._spec.device)
        flat = wrap_view(
            memory.view(self._storage.array, whole, 0), whole, self._storage, View(0, None)
        )
        root = memo[key] = clone(flat)
    array = registry.memory(self._spec.device).view(
        root._storage.array, self._spec, offset_of(self)
    )
    root._storage.version += 1  # torch counts the making of each
    result = wrap_view(array, self._spec, root._storage, View(offset_of(self), None))
    result.__class__ = type(self)
    memo[id(self)] = result
    if self._node is not None:
        result._node = tape.new_leaf(result)
    grad = getattr(self, "_grad", None)
    if grad is not None:
        result._grad = copy.deepcopy(grad, memo)
    result.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return result


def rebuild(array, dtype_name, strides, requires_grad, attributes):
    """A tensor from its pickled parts."""
    spec = Spec.of(array.shape, dtypes.named(dtype_name))
    t = wrap(array, spec)
    if strides != spec.strides and is_dense(array.shape, strides):
        t = t.as_strided(array.shape, strides).copy_(wrap(array.copy(), spec)).detach()
    t.__dict__.update(attributes)
    return t.requires_grad_(requires_grad)


def reduce_ex(self, protocol):
    """Pickles as a contiguous array with the dtype, the flag and the user's attributes."""
    if self._node is not None and self._node.leaf is None:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd "
            "does not support crossing process boundaries. If you just want to transfer the data, "
            "call detach() on the tensor before serializing (e.g., putting it on the queue)."
        )
    array = np.ascontiguousarray(host_array(self)).reshape(tuple(self._spec.shape))
    return rebuild, (
        array,
        self._spec.dtype.name,
        self._spec.strides,
        self._node is not None,
        dict(self.__dict__),
    )


def _batched_repr(batch: Batch) -> str:
    depth, inner = 1, batch.tensor
    while inner._array.__class__ is Batch:
        depth, inner = depth + 1, inner._array.tensor
    text = repr(batch.tensor.detach()).replace("\n", "\n    ")
    return f"BatchedTensor(lvl={depth}, bdim=0, value=\n    {text}\n)"


def repr_(self, *, tensor_contents=None) -> str:
    """The tensor as torch prints it."""
    if self._array.__class__ is Batch:
        return _batched_repr(self._array)
    spec = self._spec
    try:
        node = self._node
        name = None if node is None or node.leaf is not None else type(node.function).__name__
    except RuntimeError:  # a StaleView
        node, name = history.__get__(self), "Invalid"
    return tensor_repr(
        host_array(self),
        dtype=str(spec.dtype),
        default_dtype=str(dtypes.get_default_dtype()),
        device=None if spec.device is CPU else str(spec.device),
        requires_grad=node is not None,
        grad_fn=name,
        tangent=None if runtime["interp"] is None else runtime["tangent_of"](self),
    )


def construct(cls, *data, device=None):
    """`Tensor(2, 3)`: uninitialized; `Tensor([1, 2])`: these values; of the default dtype."""
    if len(data) == 1 and not isinstance(data[0], int):
        given = data[0]
        t = (
            empty(given)
            if isinstance(given, Size)
            else tensor(given, dtype=dtypes.get_default_dtype())
        )
    else:
        t = empty(*data) if data else empty(0)
    t = t if device is None else t.to(device)
    if cls is not Tensor:
        t.__class__ = cls
    return t


METHODS = {
    "__new__": construct,
    "__repr__": repr_,
    "__str__": repr_,
    "to": to,
    "cpu": cpu,
    "cuda": cuda,
    **CASTS,
    "type": type_,
    "type_as": type_as,
    "_view_dtype": view_dtype,
    "item": item,
    "tolist": tolist,
    "__bool__": to_bool,
    "__float__": to_float,
    "__int__": to_int,
    "__index__": to_index,
    "__format__": format_,
    "numpy": numpy,
    "__array__": as_array,
    "__dlpack__": to_dlpack_capsule,
    "__dlpack_device__": dlpack_device,
    "resize_": resize_,
    "resize_as_": resize_as_,
    "set_": set_,
    "share_memory_": share_memory_,
    "pin_memory": pin_memory,
    "is_pinned": is_pinned,
    "__deepcopy__": deepcopy,
    "__reduce_ex__": reduce_ex,
}
