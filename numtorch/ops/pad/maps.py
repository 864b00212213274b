"""Which element each position of a padded dimension comes from."""

import math

import numpy as np


def source(n: int, width: tuple[int, int], mode: str) -> np.ndarray:
    """For each position of the result the index in [0, n), or -1 for a filled one."""
    before, after = width
    at = np.arange(-before, n + after)
    if mode == "replicate":
        return at.clip(0, n - 1)
    if mode == "circular":
        first, last = max(-before, 0), n - max(-after, 0)  # what is cut does not come round
        return first + (at - first) % max(last - first, 1)
    if mode == "reflect":
        at = abs(at)
        return np.where(at >= n, 2 * (n - 1) - at, at)
    return np.where((at >= 0) & (at < n), at, -1)


def forward_table(shape, widths, mode: str) -> tuple[np.ndarray, list[int]]:
    """One int64 table for a kernel: the map of every dimension, and where each begins."""
    maps = [source(n, w, mode) for n, w in zip(shape, widths, strict=True)]
    begins = np.cumsum([0, *map(len, maps)])[:-1].tolist()
    return np.concatenate(maps).astype(np.int64), begins


def middle(n: int, width: tuple[int, int]) -> tuple[int, int]:
    """The range of positions that are a copy of the input's."""
    low = max(width[0], 0)
    return low, max(low, min(width[0] + n, n + sum(width)))


def volume(shape, widths) -> tuple[tuple[int, int, int, int], tuple]:
    """A tensor as (planes, d, h, w), with the padding in the last three dimensions only."""
    shape = (1,) * (3 - min(len(shape), 3)) + tuple(shape)
    planes = math.prod(shape[:-3])
    widths = ((0, 0),) * 3 + tuple(widths)
    return (planes, *shape[-3:]), widths[-3:]


def inverse(map_: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each index in [0, n) the positions that come from it: where they begin, and all of
    them.
    """
    order = np.argsort(map_, kind="stable")
    return np.searchsorted(map_[order], np.arange(n + 1)), order


def merged(shape, widths):
    """(sizes, widths) with neighbouring dimensions without margins, but for the last one, as one:
    each costs a division in every row.
    """
    sizes, kept = list(shape[:1]), list(widths[:1])
    for n, pair in zip(shape[1:-1], widths[1:-1], strict=True):
        if pair == kept[-1] == (0, 0):
            sizes[-1] *= n
        else:
            sizes.append(n)
            kept.append(pair)
    if len(shape) > 1:
        sizes.append(shape[-1])
        kept.append(widths[-1])
    return sizes, kept
