"""From the pickle in a checkpoint to objects, without ever running code from it.

Python's pickle calls whatever a file names. This reader knows the two dozen operations that
checkpoints consist of, and a table of names that stand for plain data and for tensors. Anything
else is refused by name. What a name stands for never becomes an object that later operations could
change: it stays a `Name`, which only the operation REDUCE looks at.
"""

import math
import struct
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pickle import UnpicklingError

from ..core.device import device
from ..core.dtype import dtype
from ..core.shape import Size
from ..nn.parameter import Parameter
from ..tensors import Tensor
from .names import DTYPES, STORAGE_DTYPES, dtype_named

__all__ = ["Decoder"]

MARK = object()
LARGEST = 1 << 60  # elements, so that their bytes can be counted in 64 bits
BUILTINS = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 2's names, in protocol 2


@dataclass(frozen=True, slots=True)
class Name:
    """A function or class that a file mentions."""

    path: str


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A storage that was read: all of its memory, as a flat tensor.

    Not a bare tensor, so that no tensor that a file describes (which may be expanded) can pass for
    the memory that others are checked against.
    """

    flat: Tensor


class Decoder:
    """Runs the operations of a pickle.

    `load_storage(dtype, key, location, numel)` gives the flat tensor of a storage.
    """

    def __init__(self, data: bytes, load_storage) -> None:
        self.data = data
        self.position = 0
        self.load_storage = load_storage
        self.stack: list = []
        self.memo: dict[int, object] = {}
        self.loading = False  # whether an error comes from load_storage, not from the pickle

    def decode(self):
        """The object; UnpicklingError if the file holds anything but data, or is corrupt."""
        try:
            while (operation := self.take(1)) != b".":
                run = OPERATIONS.get(operation)
                if run is None:
                    raise UnpicklingError(
                        f"Weights only load failed. Unsupported operand {operation[0]} at byte "
                        f"{self.position - 1} of data.pkl: checkpoints of plain data have none"
                    )
                run(self)
            result = self.pop()
            if self.stack:
                raise ValueError(f"{len(self.stack)} objects too many")
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
            if self.loading:
                raise
            raise UnpicklingError(
                f"data.pkl is corrupt at byte {self.position}: {type(error).__name__}: {error}"
            ) from error
        return result

    def take(self, count: int) -> bytes:
        """The next bytes."""
        start, self.position = self.position, self.position + count
        if self.position > len(self.data):
            raise UnpicklingError(f"data.pkl is truncated: it ends at byte {len(self.data)}")
        return self.data[start : self.position]

    def number(self, form: str) -> int:
        """The next bytes as a number."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """The next bytes, to the end of the line."""
        end = self.data.index(b"\n", self.position)
        text = self.take(end - self.position)
        self.position += 1
        return text.decode("utf-8")

    def since_mark(self) -> list:
        """What was put on the stack after the last mark."""
        start = len(self.stack) - 1
        while self.stack[start] is not MARK:
            start -= 1
            if start < 0:
                raise ValueError("there is no mark")
        items = self.stack[start + 1 :]
        del self.stack[start:]
        return items

    def pop(self):
        """The object on top of the stack, taken away."""
        item = self.stack.pop()
        if item is MARK:
            raise ValueError("a mark is not an object")
        return item

    def top(self, kind: type):
        """The object on top of the stack, which must be of this kind."""
        if not isinstance(self.stack[-1], kind):
            raise UnpicklingError(
                f"Weights only load failed. A {type(self.stack[-1]).__name__} cannot be changed: "
                f"expected a {kind.__name__}"
            )
        return self.stack[-1]

    def protocol(self) -> None:
        """The version of the format."""
        version = self.take(1)[0]
        if version != 2:
            raise UnpicklingError(
                f"data.pkl has pickle protocol {version}: numtorch.load reads 2, torch's default"
            )

    def pop_tuple(self, count: int) -> None:
        """Make one tuple of the last objects."""
        items = tuple(self.stack[-count:])
        if len(items) < count or any(item is MARK for item in items):
            raise ValueError("not enough objects on the stack")
        self.stack[-count:] = [items]

    def append(self) -> None:
        """Add an object to a list."""
        item = self.pop()
        self.top(list).append(item)

    def appends(self) -> None:
        """Add objects to a list."""
        items = self.since_mark()
        self.top(list).extend(items)

    def set_item(self) -> None:
        """Add a pair to a dict."""
        value, key = self.pop(), self.pop()
        self.top(dict)[checked_key(key)] = value

    def set_items(self) -> None:
        """Add pairs to a dict."""
        items = self.since_mark()
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def find_global(self) -> None:
        """A function, class or dtype, by its name."""
        module, name = self.line(), self.line()
        path = f"{BUILTINS.get(module, module)}.{name}"
        if module == "torch" and name in DTYPES:
            self.stack.append(dtype_named(name))
        elif path in CALLS or path in CLASSES:
            self.stack.append(Name(path))
        else:
            note = NOTES.get(path, "save a state_dict() instead of the object")
            raise UnpicklingError(
                f"Weights only load failed. Unsupported global: GLOBAL {path} was not an allowed "
                "global by default. numtorch.load makes tensors, numbers, strings and containers "
                f"of them, and runs no code from a file: {note}"
            )

    def reduce(self) -> None:
        """Call a function of the table."""
        args, function = self.pop(), self.pop()
        if not isinstance(function, Name) or function.path not in CALLS:
            raise UnpicklingError(f"Weights only load failed. {function!r} cannot be called")
        self.stack.append(CALLS[function.path](*args))

    def build(self) -> None:
        """Give an OrderedDict its attributes."""
        state = self.pop()
        target = self.top(OrderedDict)
        set_attributes(target, state)

    def persistent(self) -> None:
        """A storage, by the record that holds it."""
        kind, name, key, location, numel = self.pop()
        if kind != "storage" or not isinstance(name, Name):
            raise UnpicklingError(f"expected the id of a storage, got {kind!r}, {name!r}")
        element = STORAGE_DTYPES[name.path.removeprefix("torch.")]
        if type(numel) is not int or not isinstance(key, str) or not isinstance(location, str):
            raise UnpicklingError(f"malformed storage: {key!r}, {location!r}, {numel!r}")
        element = dtype_named(element)
        self.loading = True
        self.stack.append(Record(self.load_storage(element, key, location, numel)))
        self.loading = False

    def put(self, index: int) -> None:
        """Remember the object on top of the stack."""
        if self.stack[-1] is MARK:
            raise ValueError("a mark is not an object")
        self.memo[index] = self.stack[-1]


def push(read):
    """An operation that puts `read(decoder)` on the stack."""
    return lambda decoder: decoder.stack.append(read(decoder))


OPERATIONS = {
    b"\x80": Decoder.protocol,
    b"(": push(lambda _: MARK),
    b"N": push(lambda _: None),
    b"\x88": push(lambda _: True),
    b"\x89": push(lambda _: False),
    b"K": push(lambda d: d.number("<B")),
    b"M": push(lambda d: d.number("<H")),
    b"J": push(lambda d: d.number("<i")),
    b"\x8a": push(lambda d: int.from_bytes(d.take(d.number("<B")), "little", signed=True)),
    b"G": push(lambda d: d.number(">d")),
    b"X": push(lambda d: d.take(d.number("<I")).decode("utf-8", "surrogatepass")),
    b")": push(lambda _: ()),
    b"]": push(lambda _: []),
    b"}": push(lambda _: {}),
    b"t": push(lambda d: tuple(d.since_mark())),
    b"\x85": lambda d: d.pop_tuple(1),
    b"\x86": lambda d: d.pop_tuple(2),
    b"\x87": lambda d: d.pop_tuple(3),
    b"a": Decoder.append,
    b"e": Decoder.appends,
    b"s": Decoder.set_item,
    b"u": Decoder.set_items,
    b"c": Decoder.find_global,
    b"R": Decoder.reduce,
    b"b": Decoder.build,
    b"Q": Decoder.persistent,
    b"q": lambda d: d.put(d.number("<B")),
    b"r": lambda d: d.put(d.number("<I")),
    b"h": push(lambda d: d.memo[d.number("<B")]),
    b"j": push(lambda d: d.memo[d.number("<I")]),
}


def set_attributes(target, state) -> None:
    """Give an object attributes that its class does not know, so that nothing it does changes."""
    if not isinstance(state, dict):
        raise UnpicklingError(f"attributes must be in a dict, got {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or hasattr(type(target), name):
            raise UnpicklingError(
                f"Weights only load failed. Attribute {name!r} of a {type(target).__name__} "
                "cannot be set"
            )
        setattr(target, name, value)


def rebuild_tensor(storage, offset, size, stride, requires_grad=False, hooks=None, metadata=None):
    """A tensor on a storage (n,), after checking that all of it is inside."""
    if not isinstance(storage, Record):
        raise UnpicklingError(f"expected a storage, got {type(storage).__name__}")
    if hooks or metadata:
        raise UnpicklingError(f"a tensor has hooks or metadata: {hooks!r}, {metadata!r}")
    flat = storage.flat
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    if any(type(number) is not int or number < 0 for number in numbers) or len(size) != len(stride):
        raise UnpicklingError(f"a tensor has offset {offset!r}, size {size!r}, stride {stride!r}")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    # An empty tensor needs no memory, wherever it begins.
    if 0 not in size and last >= flat.numel():
        raise UnpicklingError(
            f"a tensor with offset {offset}, size {size} and stride {stride} reaches element "
            f"{last}, but its storage has {flat.numel()}"
        )
    if len(size) > 64 or math.prod(n for n in size if n) >= LARGEST or max(numbers) >= LARGEST:
        raise UnpicklingError(f"a tensor of size {size}, stride {stride} is too large")
    if 0 in size:
        offset = 0
    tensor = flat.as_strided(size, stride, offset).detach()
    return tensor.requires_grad_() if requires_grad is True else tensor


def rebuild_parameter(data, requires_grad, hooks, state=None):
    """A Parameter from its tensor."""
    parameter = Parameter(data, requires_grad is True)
    if state is not None:
        set_attributes(parameter, state)
    return parameter


def rebuild_from_type(function, kind, args, state):
    """A tensor that has attributes."""
    if not isinstance(function, Name) or function.path not in TENSORS:
        raise UnpicklingError(f"Weights only load failed. {function!r} makes no tensor")
    if kind not in (Name("torch.Tensor"), Name("torch.nn.parameter.Parameter")):
        raise UnpicklingError(f"Weights only load failed. {kind!r} is not a tensor class")
    tensor = TENSORS[function.path](*args)
    set_attributes(tensor, state)
    return tensor


def encode(text, encoding):
    """bytes, which protocol 2 keeps as text."""
    if encoding != "latin1" or not isinstance(text, str):
        raise UnpicklingError(f"Weights only load failed. Unsupported encoding {encoding!r}")
    return text.encode("latin1")


def make(kind, *accepted):
    """A call of a class of plain data, with arguments of the accepted kinds."""

    def call(*args):
        if not all(isinstance(arg, accepted) for arg in args):
            raise UnpicklingError(f"Weights only load failed. {kind.__name__}{args!r}")
        return kind(*args)

    return call


def make_size(values):
    """A Size."""
    if any(type(value) is not int for value in values):
        raise UnpicklingError(f"Weights only load failed. Size({values!r})")
    return Size(values)


def make_set(values):
    """A set."""
    return {checked_key(value) for value in values}


def checked_key(key, depth: int = 0):
    """A key of a dict or set, if it is of plain data.

    Python's hash of tuples in tuples in tuples ... overflows the C stack, which nothing catches.
    """
    if isinstance(key, tuple) and depth < 16:
        for item in key:
            checked_key(item, depth + 1)
    elif not isinstance(key, KEYS):
        raise UnpicklingError(f"Weights only load failed. A {type(key).__name__} as a key")
    return key


KEYS = (str, bytes, int, float, complex, type(None), Tensor, dtype, device)
TENSORS = {
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter,
}
CALLS = TENSORS | {
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
    "torch.Size": make_size,
    "torch.device": make(device, str, int),
    "collections.OrderedDict": make(OrderedDict),
    "collections.Counter": make(Counter, dict),
    "builtins.set": make_set,
    "builtins.bytes": make(bytes),
    "builtins.bytearray": make(bytearray, bytes),
    "builtins.complex": make(complex, float),
    "_codecs.encode": encode,
}
CLASSES = {f"torch.{name}" for name in STORAGE_DTYPES} | {
    "torch.Tensor",
    "torch.nn.parameter.Parameter",
}
NOTES = {
    "torch._utils._rebuild_tensor_v3": "the file has tensors of a type that numtorch does not have "
    "(uint16, uint32, uint64, float8_e4m3fn, ...)",
    "torch._utils._rebuild_sparse_tensor": "the file has sparse tensors: save their to_dense()",
    "torch._utils._rebuild_qtensor": "the file has quantized tensors: save their dequantize()",
    "torch.storage.UntypedStorage": "save tensors instead of storages",
    "numpy.core.multiarray.scalar": "the file has NumPy numbers: save their item()",
    "numpy._core.multiarray.scalar": "the file has NumPy numbers: save their item()",
}
