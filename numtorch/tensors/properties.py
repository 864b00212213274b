"""What a tensor says about itself."""

import warnings

from ..core import tape
from ..core.inference import is_inference
from ..core.inplace import StaleView, history
from ..core.shape import Size, wrap_dim
from ..core.tensor import Storage, Tensor, View, new, offset_of


class UntypedStorage:
    """The bytes behind a tensor and its views."""

    def __init__(self, storage: Storage, device) -> None:
        self._storage, self.device = storage, device

    def nbytes(self) -> int:
        """The size in bytes."""
        return self._storage.array.nbytes

    size = __len__ = nbytes

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address(self._storage.array)

    def __eq__(self, other) -> bool:
        return isinstance(other, UntypedStorage) and other._storage is self._storage

    def __hash__(self) -> int:
        return hash(id(self._storage))


def address(array) -> int:
    """Where an array's memory begins."""
    interface = getattr(array, "__cuda_array_interface__", None) or array.__array_interface__
    return interface["data"][0]


def size(self, dim=None):
    """The shape, or the size of one dimension."""
    shape = self._spec.shape
    return shape if dim is None else shape[wrap_dim(dim, len(shape), "size")]


def stride(self, dim=None):
    """The strides in elements, or that of one dimension."""
    strides = self._spec.strides
    return strides if dim is None else strides[wrap_dim(dim, len(strides), "stride")]


def numel(self) -> int:
    """The number of elements."""
    return self._spec.numel


def dim(self) -> int:
    """The number of dimensions."""
    return len(self._spec.shape)


def element_size(self) -> int:
    """Bytes of one element."""
    return self._spec.dtype.itemsize


def is_contiguous(self, memory_format=None) -> bool:
    """Whether memory is in row-major order."""
    return self._spec.contiguous


def storage_offset(self) -> int:
    """Where the first element is in the storage, in elements."""
    return offset_of(self)


def data_ptr(self) -> int:
    """The address of the first element."""
    return address(self._array)


def untyped_storage(self) -> UntypedStorage:
    """The memory behind this tensor and its views."""
    return UntypedStorage(self._storage, self._spec.device)


def is_floating_point(self) -> bool:
    """Whether elements are floating-point numbers."""
    return self._spec.dtype.is_floating_point


def is_complex(self) -> bool:
    """Whether elements are complex: there are no complex dtypes yet."""
    return False


def is_signed(self) -> bool:
    """Whether elements can be negative."""
    return self._spec.dtype.is_signed


def get_device(self) -> int:
    """The CUDA device's index, -1 for the CPU."""
    return -1 if self._spec.device.index is None else self._spec.device.index


def is_same_size(self, other) -> bool:
    """Whether two tensors have one shape."""
    return self._spec.shape == other._spec.shape


def set_requires_grad(self, value) -> None:
    """Start or stop recording what is computed from this leaf."""
    if not isinstance(value, bool):
        raise RuntimeError(f"requires_grad must be a bool, but got {type(value).__name__}")
    node = self._node
    if node is not None and node.leaf is None:
        if not value:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        return
    if value and not self._spec.dtype.is_floating_point:
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    if value and is_inference(self) and not tape.inference_mode.get():
        raise RuntimeError(
            "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
        )
    if value == (node.__class__ is tape.AccumulateGrad):
        return
    base = get_base(self)
    if value:
        self._node = tape.new_leaf(self)
    else:  # a view requires grad as long as its base does
        self._node = tape.UNRECORDED if base is not None and base._node is not None else None
    if base is None:
        requires_as_base(self)


def assign_requires_grad(self, value) -> None:
    """Start or stop recording what is computed from this leaf."""
    if value is True and not self._spec.dtype.is_floating_point:
        raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
    if value is True and not tape.is_leaf(self):
        raise RuntimeError("you can only change requires_grad flags of leaf variables.")
    set_requires_grad(self, value)


def requires_as_base(base) -> None:
    """Let views without a history of their own require grad if their base does."""
    for ref in getattr(base._storage, "views", None) or ():
        t = ref()
        if t is not None and t is not base and t._view.base is base and not is_inference(t):
            node = history.__get__(t)
            if base._node is None and isinstance(node, tape.Unrecorded):
                t._node = None
            elif base._node is not None and node is None:
                t._node = tape.UNRECORDED
                base._storage.views.recorded = True


def requires_grad_(self, requires_grad=True):
    """Set `requires_grad` in place."""
    if self.__class__ is StaleView and not requires_grad:
        return self
    set_requires_grad(self, requires_grad)
    return self


def get_grad(self):
    """The gradient that backward() has added up here, None before."""
    try:
        found = self._grad
    except AttributeError:  # 0.2 us, once
        found = self._grad = None
    if found is None:
        node = history.__get__(self)
        if node is not None and node.leaf is None and not self.retains_grad:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed want "
                "the .grad field to be populated for a non-leaf Tensor, use .retain_grad() on the "
                "non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you "
                "access the leaf Tensor instead.",
                stacklevel=2,
            )
    return found


def retains_grad(self) -> bool:
    """Whether retain_grad() was called on a non-leaf."""
    return tape.retains_grad(history.__get__(self))


C_NAMES = {
    "float64": "double", "float32": "float", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
    "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip


def set_grad(self, value) -> None:
    """Replace the gradient: a tensor of the same shape, dtype and device, or None."""
    if value is not None:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        mine, given = self._spec, value._spec
        if given.dtype is not mine.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{C_NAMES[given.dtype.name]}' to a "
                "tensor with "
                f"grad_dtype '{mine.dtype.type_name.removesuffix('Tensor')}'. The gradient must "
                "match the tensor's grad_dtype (defaults to the tensor's dtype)."
            )
        if given.device is not mine.device:
            raise RuntimeError(
                f"attempting to assign a gradient with device type '{given.device.type}' to a "
                f"tensor with device type '{mine.device.type}'. Please ensure that the gradient "
                "and the tensor are on the same device"
            )
        if given.shape != mine.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(given.shape)}' to a tensor of "
                f"size '{list(mine.shape)}'. Please ensure that the gradient and the tensor are "
                "the same size"
            )
    self._grad = value


def get_data(self):
    """The same memory as a tensor without history; changes of it are not seen by autograd's
    checks.
    """
    result = object.__new__(type(self) if type(self) is Tensor else Tensor)
    result._array, result._spec, result._node = self._array, self._spec, None
    result._memory = storage = object.__new__(Storage)  # a version counter of its own, as in torch
    storage.array, storage.version = self._storage.array, 0
    result._view = View(offset_of(self), None)
    return result


def set_data(self, value) -> None:
    """Let this tensor use another's memory; it stays the same leaf."""
    if not isinstance(value, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    if history.__get__(self) is not None and not value._spec.dtype.is_floating_point:
        raise RuntimeError(
            "data set to a tensor that requires gradients must be floating point or complex dtype"
        )
    view, storage = getattr(self, "_view", None), self._storage
    if storage.array is not value._storage.array and any(
        r() is not None for r in getattr(storage, "views", None) or ()
    ):  # which keep the memory
        storage = new(Storage)
        storage.version, storage.views = self._storage.version, None
    storage.array = value._storage.array
    offset = offset_of(value)
    self._array, self._spec, self._storage = value._array, value._spec, storage
    self._view = View(offset, view.base, view.creation) if view else View(offset, None)


def get_grad_fn(self):
    """The node that computed this tensor, None for leaves."""
    node = self._node
    return None if node is None or node.leaf is not None else node.function


def get_version(self) -> int:
    """How often the memory was changed in place."""
    if is_inference(self):
        raise RuntimeError("Inference tensors do not track version counter.")
    return self._storage.version


def get_base(self):
    """The tensor that this one is a differentiable view of."""
    view = getattr(self, "_view", None)
    return None if view is None or is_inference(self) else view.base


def is_view(self) -> bool:
    """Whether the tensor is a view that autograd knows as one: detached views are not."""
    return get_base(self) is not None


PROPERTIES = {
    "shape": property(lambda self: self._spec.shape, doc="The size of each dimension."),
    "dtype": property(lambda self: self._spec.dtype, doc="The type of the elements."),
    "device": property(lambda self: self._spec.device, doc="Where the memory is."),
    "ndim": property(dim, doc="The number of dimensions."),
    "itemsize": property(element_size, doc="Bytes of one element."),
    "nbytes": property(
        lambda self: self._spec.numel * self._spec.dtype.itemsize, doc="Bytes of all elements."
    ),
    "is_leaf": property(tape.is_leaf, doc="Whether the tensor was not computed by a recorded op."),
    "is_cuda": property(
        lambda self: self._spec.device.type == "cuda", doc="Whether the memory is on a GPU."
    ),
    "is_cpu": property(
        lambda self: self._spec.device.type == "cpu", doc="Whether the memory is the host's."
    ),
    "is_sparse": property(lambda self: False, doc="Whether the layout is sparse: never."),
    "is_quantized": property(lambda self: False, doc="Whether elements are quantized: never."),
    "is_meta": property(lambda self: False, doc="Whether the tensor has no memory: never."),
    "output_nr": property(
        lambda self: 0 if self._node is None else self._node.output_nr, doc="Output of grad_fn."
    ),
    "requires_grad": property(
        lambda self: self._node is not None, assign_requires_grad, doc=set_requires_grad.__doc__
    ),
    "grad": property(get_grad, set_grad, lambda self: set_grad(self, None), doc=get_grad.__doc__),
    "data": property(get_data, set_data, doc=get_data.__doc__),
    "grad_fn": property(get_grad_fn, doc=get_grad_fn.__doc__),
    "_base": property(get_base, doc=get_base.__doc__),
    "_version": property(get_version, doc=get_version.__doc__),
    "retains_grad": property(
        retains_grad,
        doc="Whether retain_grad() was called on a non-leaf.",
    ),
}
METHODS = {
    "size": size,
    "stride": stride,
    "numel": numel,
    "nelement": numel,
    "dim": dim,
    "ndimension": dim,
    "element_size": element_size,
    "is_contiguous": is_contiguous,
    "storage_offset": storage_offset,
    "data_ptr": data_ptr,
    "untyped_storage": untyped_storage,
    "is_floating_point": is_floating_point,
    "is_complex": is_complex,
    "is_signed": is_signed,
    "get_device": get_device,
    "is_same_size": is_same_size,
    "is_inference": is_inference,
    "_is_view": is_view,
    "requires_grad_": requires_grad_,
}
FUNCTIONS = {
    "numel": numel,
    "is_floating_point": is_floating_point,
    "is_complex": is_complex,
    "is_same_size": is_same_size,
    "is_inference": is_inference,
}

__all__ = ["FUNCTIONS", "METHODS", "PROPERTIES", "Size", "UntypedStorage"]
