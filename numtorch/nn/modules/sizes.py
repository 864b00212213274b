"""Sizes that are given once for all spatial dimensions, or one by one."""

from collections.abc import Iterable


def repeated(value, n):
    """An int as n ints; a sequence as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * n
