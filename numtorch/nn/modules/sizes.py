"""Sizes that are given once for all spatial dimensions, or one by one."""

from collections.abc import Iterable


def pair(value):
    """An int as (int, int); a sequence as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value, value)


def single(value):
    """An int as (int,); a sequence as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,)
