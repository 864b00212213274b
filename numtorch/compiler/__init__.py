"""Capture: record a function's kernels through the registry, and replay them without Python's part
of each op.
"""

from .capture import Recording, capture

__all__ = ["Recording", "capture"]
