"""Sequences of different lengths as one tensor: padded, or packed step by step."""

from collections import namedtuple

from ...core.errors import kind
from ...core.tensor import Tensor
from ...ops.create import arange, empty_like, full, tensor
from ...ops.join import cat, stack

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class PackedSequence(
    namedtuple("PackedSequence", "data batch_sizes sorted_indices unsorted_indices")
):
    """Sequences step by step: `data` has the first elements of all, then the second ones, ...

    `batch_sizes` (an int64 tensor on the CPU) says how many sequences have each step. They are in
    order of length, the longest first; `sorted_indices` and `unsorted_indices` lead from the order
    given to that one and back, or are None where it was sorted already.
    """

    __slots__ = ()

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:  # torch's older form: one pair
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                f"created manually; got a tensor on {batch_sizes.device}"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """With data of another dtype or on another device, as `Tensor.to`; itself if none changes.

        The indices follow to the device.
        """
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = (None if i is None else i.to(data.device) for i in self[2:])
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, device="cuda"):
        """On a GPU."""
        return self.to(device)

    def cpu(self):
        """On the CPU."""
        return self.to("cpu")

    def double(self):
        """As float64."""
        return self.to(self.data.double().dtype)

    def float(self):
        """As float32."""
        return self.to(self.data.float().dtype)

    def long(self):
        """As int64."""
        return self.to(self.data.long().dtype)

    def int(self):
        """As int32."""
        return self.to(self.data.int().dtype)

    def short(self):
        """As int16."""
        return self.to(self.data.short().dtype)

    def char(self):
        """As int8."""
        return self.to(self.data.char().dtype)

    def byte(self):
        """As uint8."""
        return self.to(self.data.byte().dtype)

    @property
    def is_cuda(self):
        """Whether the data is on a GPU."""
        return self.data.is_cuda


def invert_permutation(permutation):
    """The permutation that undoes another. (n,) -> (n,); None -> None"""
    if permutation is None:
        return None
    output = empty_like(permutation)
    places = arange(0, permutation.numel(), dtype=permutation.dtype, device=permutation.device)
    return output.scatter_(0, permutation, places)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """The elements of padded sequences without the padding.

    (T, B, *), or (B, T, *) if `batch_first`; B lengths of at most T, in decreasing order unless
    `enforce_sorted` is off
    """
    lengths = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    sorted_indices = None
    if not enforce_sorted:
        order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
        lengths = [lengths[i] for i in order]
        sorted_indices = tensor(order, device=input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    data, batch_sizes = _pack(input.transpose(0, 1) if batch_first else input, lengths)
    return PackedSequence(data, batch_sizes, sorted_indices, None)


def _pack(input, lengths):
    """(data, batch sizes) of (T, B, *) and decreasing lengths."""
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(lengths) != input.shape[1]:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={input.shape[1]})"
        )
    if min(lengths) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if any(a < b for a, b in zip(lengths, lengths[1:], strict=False)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[0] > input.shape[0]:
        raise RuntimeError(
            f"Expected lengths of at most {input.shape[0]}, as input has as many steps, but got "
            f"{lengths[0]}"
        )
    parts, sizes, begin = [], [], 0
    for size in range(len(lengths), 0, -1):  # steps with the same size are one block
        end = lengths[size - 1]
        if end > begin:
            parts.append(input[begin:end, :size].reshape(-1, *input.shape[2:]))
            sizes += [size] * (end - begin)
            begin = end
    return cat(parts), tensor(sizes)


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """Packed sequences as (T, B, *), or (B, T, *) if `batch_first`, and their lengths, (B,).

    T is the longest length, or `total_length`.
    """
    sizes = sequence.batch_sizes.tolist()
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    data, rows = sequence.data, sizes[0]
    padding = full((1, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    table = [[data.shape[0]] * rows for _ in range(steps)]  # the row behind the last one
    start = 0
    for t, size in enumerate(sizes):
        table[t][:size] = range(start, start + size)
        start += size
    lengths = [sum(size > r for size in sizes) for r in range(rows)]
    order = list(range(rows))
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices.tolist()
    if batch_first:
        indices, shape = [table[t][r] for r in order for t in range(steps)], (rows, steps)
    else:
        indices, shape = [table[t][r] for t in range(steps) for r in order], (steps, rows)
    index = tensor(indices, device=data.device)
    output = cat([data, padding]).index_select(0, index).view(*shape, *data.shape[1:])
    return output, tensor([lengths[r] for r in order])


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Sequences (L, *) of different lengths as one tensor, (T, B, *), or (B, T, *) if
    `batch_first`; T is the longest length.
    """
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    try:
        sequences = tuple(sequences)
    except TypeError:
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        ) from None
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    for i, s in enumerate(sequences):
        if not isinstance(s, Tensor):
            raise TypeError(f"expected Tensor as element {i} in argument 0, but got {kind(s)}")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    first = sequences[0]
    if first.ndim == 0:
        raise RuntimeError("pad_sequence: expected sequences of shape (L, *), but got a 0-d tensor")
    steps, trailing = max(s.shape[0] for s in sequences), first.shape[1:]
    padding = full((steps, *trailing), padding_value, dtype=first.dtype, device=first.device)
    padded = []
    for s in sequences:
        if s.shape[1:] != trailing:
            raise _unequal(first.shape, s.shape)
        parts = [s.to(first.dtype), padding[: steps - s.shape[0]]]
        padded.append(cat(parts[::-1] if padding_side == "left" else parts))
    return stack(padded, 0 if batch_first else 1)


def _unequal(first, other) -> RuntimeError:
    """The error for sequences of different features."""
    pairs = enumerate(zip(first[1:], other[1:], strict=False), 1)
    d = next((d for d, (n, m) in pairs if n != m), min(len(first), len(other)))
    n, m = (shape[d] if d < len(shape) else 1 for shape in (first, other))
    return RuntimeError(
        f"The size of tensor a ({n}) must match the size of tensor b ({m}) at non-singleton "
        f"dimension {d} (pad_sequence: sequences of shape (L, *) with equal *, but got "
        f"{list(first)} and {list(other)})"
    )


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences of a padded tensor, without the padding: a list of tensors (L, *)."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[: int(n)] for s, n in zip(padded_sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences, enforce_sorted=True):
    """Sequences (L, *), in decreasing order of length unless `enforce_sorted` is off, packed."""
    lengths = [s.shape[0] for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The sequences of a PackedSequence: a list of tensors (L, *)."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
