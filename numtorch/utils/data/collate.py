"""From a list of samples to a batch.

Containers keep their type (tuples become lists, as in torch), what is in them gets a new first
dimension.
"""

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

from ...core.dtype import float64
from ...ops.create import as_tensor, tensor
from ...ops.join import stack
from ...tensors import Tensor

__all__ = ["collate", "default_collate", "default_convert"]

NOT_NUMBERS = "SUO"  # NumPy's kinds: bytes, str, object


def default_convert(data):
    """`data` with every NumPy array and number in it as a tensor.

    A DataLoader that makes no batches passes its samples through this.
    """
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in NOT_NUMBERS else as_tensor(data)
    if isinstance(data, Mapping):
        return like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return like_sequence(data, [default_convert(value) for value in data])
    return data


def default_collate(batch):
    """A batch of samples: tensors are stacked, numbers become a tensor, strings stay a list.

    Mappings, named tuples and sequences are collated element by element. Floats become float64
    tensors, as in torch.
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch, *, collate_fn_map=None):
    """`default_collate` with a table of one's own.

    `collate_fn_map` maps a type (or a tuple of types) to `function(batch, *, collate_fn_map)`; the
    exact type is looked for first, then the first entry of which the samples are instances.
    """
    first = batch[0]
    table = collate_fn_map or {}
    function = table.get(type(first))
    if function is None:
        function = next((f for types, f in table.items() if isinstance(first, types)), None)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def again(samples):
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return like_mapping(first, {key: again([sample[key] for sample in batch]) for key in first})
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return like_sequence(first, [again(samples) for samples in zip(*batch, strict=True)])
    raise TypeError(cannot_collate(type(first)))


def cannot_collate(kind) -> str:
    """The text of the error about samples of an unknown type."""
    return (
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        f"{kind}"
    )


def like_mapping(mapping, values: dict):
    """`values` in a mapping of the same type; a dict where such a mapping cannot be made.

    A mutable one is copied, then updated: it may carry more than its items (a default factory,
    attributes).
    """
    try:
        if isinstance(mapping, MutableMapping):
            result = copy.copy(mapping)
            result.update(values)
            return result
        return type(mapping)(values)
    except TypeError:
        return values


def like_sequence(sequence, values: list):
    """`values` in a sequence of the same type; a list for a tuple, or where none can be made."""
    if isinstance(sequence, tuple):
        return type(sequence)(*values) if hasattr(sequence, "_fields") else values
    try:
        if isinstance(sequence, MutableSequence):
            result = copy.copy(sequence)
            for i, value in enumerate(values):
                result[i] = value
            return result
        return type(sequence)(values)
    except TypeError:
        return values


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Tensors of one shape (...) -> (N, ...)."""
    return stack(batch, 0)


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """Arrays of one shape (...) -> (N, ...)."""
    if batch[0].dtype.kind in NOT_NUMBERS:
        raise TypeError(cannot_collate(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy numbers -> (N,)."""
    return as_tensor(np.asarray(batch))


def collate_float_fn(batch, *, collate_fn_map=None):
    """Python floats -> (N,) of float64."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """Python ints or bools -> (N,)."""
    return tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """Strings stay as they are."""
    return batch


default_collate_fn_map = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
