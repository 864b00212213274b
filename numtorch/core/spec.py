"""`Spec`: everything about a tensor except its numbers; the key of every plan."""

import math

from . import device as devices
from . import dtype as dtypes
from .device import CPU
from .plans import register
from .shape import Size, contiguous_strides, is_contiguous

_interned: dict = register({})
LIMIT = 65536


class Spec:
    """Shape, dtype, strides (in elements), device; `weak` marks a Python number used as an operand.

    Specs are interned: equal ones are normally one object, so that a plan is found by hashing
    identities (310 ns less than hashing shapes). The table is emptied when it grows too large, so
    identity proves equality, but different objects may be equal, too: use `is` as a short cut only.
    """

    __slots__ = ("contiguous", "device", "dtype", "numel", "shape", "strides", "weak")
    shape: Size
    dtype: dtypes.dtype
    strides: tuple[int, ...]
    device: devices.device
    weak: bool
    numel: int
    contiguous: bool

    @staticmethod
    def of(
        shape, dtype: dtypes.dtype, device: devices.device = CPU, strides=None, weak: bool = False
    ) -> "Spec":
        """The spec with these properties; contiguous unless strides are given."""
        shape = tuple(shape)
        if strides is None:
            strides = contiguous_strides(shape)
        key = shape, dtype, device, strides, weak
        spec = _interned.get(key)
        if spec is None:
            if len(_interned) >= LIMIT:
                _interned.clear()
            spec = _interned[key] = object.__new__(Spec)
            spec.shape, spec.dtype, spec.device, spec.strides, spec.weak = (
                Size(shape),
                dtype,
                device,
                strides,
                weak,
            )
            spec.numel = math.prod(shape)
            spec.contiguous = is_contiguous(shape, strides)
        return spec

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def like(self, shape=None, dtype: dtypes.dtype | None = None) -> "Spec":
        """A contiguous spec on the same device, with another shape or dtype where given."""
        return Spec.of(self.shape if shape is None else shape, dtype or self.dtype, self.device)

    def strided(self, shape, strides) -> "Spec":
        """The spec of a view of the same memory."""
        return Spec.of(shape, self.dtype, self.device, tuple(strides))

    def dense(self) -> "Spec":
        """The contiguous spec of the same shape: itself where it is contiguous."""
        return self if self.contiguous else self.like()

    def __repr__(self) -> str:
        strides = "" if self.contiguous else f", strides={list(self.strides)}"
        where = "" if self.device is CPU else f", {self.device}"
        return f"Spec({list(self.shape)}, {self.dtype.name}{strides}{where})"


def weak(value) -> Spec:
    """The spec of a Python number among the operands; TypeError for anything else."""
    found = WEAK.get(type(value))
    if found is None:
        found = next((s for t, s in WEAK.items() if isinstance(value, t)), None)
        if found is None:
            raise TypeError(f"expected a Tensor or a Python number, but got {type(value).__name__}")
    return found


WEAK = {
    bool: Spec.of((), dtypes.bool_, weak=True),
    int: Spec.of((), dtypes.int64, weak=True),
    float: Spec.of((), dtypes.float64, weak=True),
}
