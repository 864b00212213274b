"""From objects to the pickle in a checkpoint, in the very operations that torch writes.

The pickle is written here, not by Python's pickle module, for two reasons: the functions that
rebuild tensors have torch's names, which pickle could only write if torch were installed; and what
is not plain data is refused when saving, not when it is too late, at loading.
"""

import struct
from collections import Counter, OrderedDict
from pickle import PicklingError

from ..core.device import device
from ..core.dtype import dtype
from ..core.shape import Size
from ..nn.parameter import Parameter
from ..tensors import Tensor
from .names import storage_class

__all__ = ["Encoder"]


def storage_of(tensor):
    """The object that tensors on the same memory share."""
    return tensor._storage


class Encoder:
    """Writes objects as a pickle of protocol 2; collects the storages that it mentions.

    `storages`: key of the record -> a flat tensor of the whole memory.
    """

    def __init__(self) -> None:
        self.out = bytearray(b"\x80\x02")
        self.storages: dict[str, object] = {}
        self._keys: dict[int, str] = {}  # id of the storage object -> key
        self._memo: dict = {}
        self._alive: list = []  # what is known by its id must keep it
        self._path: list = []

    def encode(self, obj) -> bytes:
        """The pickle of `obj`."""
        self.write(obj)
        return bytes(self.out + b".")

    def write(self, obj) -> None:
        """Append the operations that make `obj`."""
        writer = WRITERS.get(type(obj))
        if writer is None and isinstance(obj, Tensor):
            writer = Encoder.write_tensor
        if writer is None:
            raise PicklingError(self.refusal(obj))
        if not self.recall(id(obj)):
            writer(self, obj)

    def refusal(self, obj) -> str:
        """The text of the error about an object that cannot be saved."""
        kind = type(obj)
        place = "".join(f"[{key!r}]" for key in self._path)
        text = (
            f"cannot save obj{place}, a {kind.__module__}.{kind.__qualname__}: numtorch.save takes "
            "tensors, numbers, strings, and dicts, lists, tuples and sets of them"
        )
        if hasattr(obj, "state_dict"):
            return text + "; save its state_dict()"
        if kind.__module__ == "numpy":
            return text + "; convert it with numtorch.as_tensor(...), or a number with .item()"
        return text

    def recall(self, key) -> bool:
        """Append the operation that fetches an object written before, if it was."""
        index = self._memo.get(key)
        if index is None:
            return False
        self.out += b"h%c" % index if index < 256 else b"j" + struct.pack("<I", index)
        return True

    def memoize(self, key, obj=None) -> None:
        """Let later operations fetch the object that is on top of the stack now."""
        self._memo[key] = index = len(self._memo)
        self._alive.append(obj)
        self.out += b"q%c" % index if index < 256 else b"r" + struct.pack("<I", index)

    def write_none(self, obj) -> None:
        """None."""
        self.out += b"N"

    def write_bool(self, obj) -> None:
        """True or False."""
        self.out += b"\x88" if obj else b"\x89"

    def write_int(self, obj) -> None:
        """An int in the shortest form."""
        if 0 <= obj < 1 << 8:
            self.out += b"K%c" % obj
        elif 0 <= obj < 1 << 16:
            self.out += b"M" + struct.pack("<H", obj)
        elif -(1 << 31) <= obj < 1 << 31:
            self.out += b"J" + struct.pack("<i", obj)
        else:
            size = obj.bit_length() // 8 + 1
            if size > 255:
                raise PicklingError(f"cannot save an int of {size} bytes: the limit is 255")
            self.out += b"\x8a%c" % size + obj.to_bytes(size, "little", signed=True)

    def write_float(self, obj) -> None:
        """A float."""
        self.out += b"G" + struct.pack(">d", obj)

    def write_str(self, obj) -> None:
        """A text; an equal one is written once."""
        if not self.recall((str, obj)):
            data = obj.encode("utf-8", "surrogatepass")
            self.out += b"X" + struct.pack("<I", len(data)) + data
            self.memoize((str, obj))

    def write_global(self, module: str, name: str) -> None:
        """A function or class by its name."""
        if not self.recall((module, name)):
            self.out += f"c{module}\n{name}\n".encode("ascii")
            self.memoize((module, name))

    def write_call(self, module: str, name: str, *args) -> None:
        """The result of a function."""
        self.write_global(module, name)
        self.write_items(args)
        self.out += b"R"

    def write_items(self, items) -> None:
        """A tuple, without a place in the memo."""
        if len(items) > 3:
            self.out += b"("
        for i, item in enumerate(items):
            self.write_at(i, item)
        self.out += (b")", b"\x85", b"\x86", b"\x87", b"t")[min(len(items), 4)]

    def write_at(self, key, item) -> None:
        """An item of a container, so that an error can say where it is."""
        self._path.append(key)
        self.write(item)
        self._path.pop()

    def write_tuple(self, obj) -> None:
        """A tuple."""
        self.write_items(obj)
        self.memoize(id(obj), obj)

    def write_list(self, obj) -> None:
        """A list."""
        self.out += b"]"
        self.memoize(id(obj), obj)
        self.out += b"("
        for i, item in enumerate(obj):
            self.write_at(i, item)
        self.out += b"e"

    def write_pairs(self, obj) -> None:
        """The items of a dict that is on top of the stack."""
        self.out += b"("
        for key, value in obj.items():
            self.write_at(key, key)
            self.write_at(key, value)
        self.out += b"u"

    def write_dict(self, obj) -> None:
        """A dict."""
        self.out += b"}"
        self.memoize(id(obj), obj)
        self.write_pairs(obj)

    def write_ordered_dict(self, obj) -> None:
        """An OrderedDict with its attributes (a Module's state_dict has `_metadata`)."""
        self.write_call("collections", "OrderedDict")
        self.memoize(id(obj), obj)
        self.write_pairs(obj)
        if vars(obj):
            self.write(vars(obj))
            self.out += b"b"

    def write_tensor(self, obj) -> None:
        """A tensor: where it is in which storage. A Parameter is a tensor in a call more."""
        parameter = isinstance(obj, Parameter)
        if parameter:
            self.write_global("torch._utils", "_rebuild_parameter")
        self.write_global("torch._utils", "_rebuild_tensor_v2")
        self.out += b"("
        self.write_storage(obj)
        self.write_int(obj.storage_offset())
        self.write_items(tuple(obj.shape))
        self.write_items(tuple(obj.stride()))
        self.write_bool(obj.requires_grad and not parameter)
        self.write_call("collections", "OrderedDict")  # the backward hooks, which are not saved
        self.out += b"tR"
        if parameter:
            self.write_bool(obj.requires_grad)
            self.write_call("collections", "OrderedDict")
            self.out += b"\x87R"
        self.memoize(id(obj), obj)

    def write_storage(self, tensor) -> None:
        """The persistent id of the tensor's storage, which gets a record."""
        storage = storage_of(tensor)
        key = self._keys.get(id(storage))
        if key is None:
            key = self._keys[id(storage)] = str(len(self._keys))
            self._alive.append(storage)
            self.storages[key] = whole_storage(tensor)
        flat = self.storages[key]
        if flat.dtype is not tensor.dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                f"types ({flat.dtype} and {tensor.dtype})"
            )
        self.out += b"("
        self.write_str("storage")
        self.write_global("torch", storage_class(flat.dtype))
        self.write_str(key)
        self.write_str(str(flat.device))
        self.write_int(flat.numel())
        self.out += b"tQ"


def whole_storage(tensor):
    """All the memory that a tensor is a part of: (...) -> (n,)."""
    size = tensor.untyped_storage().nbytes() // tensor.dtype.itemsize
    return tensor.detach().as_strided((size,), (1,), 0)


def call_with(module: str, name: str, arguments):
    """A writer of objects that a function makes from `arguments(obj)`."""

    def write(encoder: Encoder, obj) -> None:
        encoder.write_call(module, name, *arguments(obj))
        encoder.memoize(id(obj), obj)

    return write


def write_dtype(encoder: Encoder, obj) -> None:
    """A dtype, by its name in torch."""
    encoder.write_global("torch", obj.name)


WRITERS = {
    type(None): Encoder.write_none,
    bool: Encoder.write_bool,
    int: Encoder.write_int,
    float: Encoder.write_float,
    str: Encoder.write_str,
    tuple: Encoder.write_tuple,
    list: Encoder.write_list,
    dict: Encoder.write_dict,
    OrderedDict: Encoder.write_ordered_dict,
    dtype: write_dtype,
    bytes: call_with("_codecs", "encode", lambda data: (data.decode("latin1"), "latin1")),
    bytearray: call_with("__builtin__", "bytearray", lambda data: (bytes(data),)),
    complex: call_with("__builtin__", "complex", lambda number: (number.real, number.imag)),
    set: call_with("__builtin__", "set", lambda values: (list(values),)),
    Counter: call_with("collections", "Counter", lambda counts: (dict(counts),)),
    Size: call_with("torch", "Size", lambda size: (tuple(size),)),
    device: call_with(
        "torch",
        "device",
        lambda found: (found.type,) if found.index is None else (found.type, found.index),
    ),
}
