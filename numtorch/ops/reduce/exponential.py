"""exp by element type, for loops that are written for one type."""

from ...backends.cpu.vmath import exp32, exp64

__all__ = ["exp32", "exp64"]
